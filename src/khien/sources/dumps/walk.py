"""Walks through a file of rows that must not be kept: page by page, from where it stopped, broken rows set aside.

A page is what lies whole in the next so many octets of a text, so that pages begin and end alike however often a file
is read. Of what is set aside nothing is told but where it stood, why, and a keyed digest.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from khien import schema
from khien.breach import digests, leaked
from khien.breach.leaked import Read
from khien.contracts import Page
from khien.errors import FormatError, InputError
from khien.packed import Ahead, Packed, advice, label
from khien.sources.dumps import forms
from khien.sources.dumps.forms import HEAD
from khien.sources.dumps.texts import filled, texts

PAGE = 1 << 22  # octets that a page is made from

NO_FORM = "row-no-form"
_DIGEST = 8  # octets


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where to go on. member: of an archive; offset: octets of its text that are done with; cut: they end within a row
    too long to hold; read: octets of the file that were taken for it; told: the form that was asked for."""

    member: int = 0
    offset: int = 0
    cut: bool = False
    read: int = 0
    told: str = ""


Reader = Callable[[bytes, bool], Read]  # of a block, and whether nothing comes behind it
Opener = Callable[[bytes], tuple[Reader, int] | None]  # of a text's head: what reads it, from where on; None: no form


def progress(cursor: bytes) -> int:
    """Of a page's cursor: the octets of the file, as packed, that are read so far."""
    return _decoded(cursor).read


def _decoded(cursor: bytes) -> Cursor:
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InputError("is no cursor of a dump: start without one") from None


@dataclass(frozen=True)
class Walk:
    """What walking takes. empty: rows of a page without any; told: the form asked for; key: 16 octets for digests."""

    path: str
    encoding: str
    told: str
    opener: Opener = field(repr=False)
    empty: pa.RecordBatch = field(repr=False)
    key: bytes = field(repr=False)
    page_bytes: int = PAGE

    def pages(self, cursor: bytes | None) -> Iterator[Page]:
        """Pages behind cursor. InputError: the file cannot be read, or was begun in another form; FormatError: it is
        damaged, or of no form that is known."""
        at = Cursor(told=self.told) if cursor is None else _decoded(cursor)
        if at.told != self.told:
            raise InputError(f"{label(self.path)}: was begun with the form {at.told or 'unsaid'!r}: go on with that")
        try:
            with closing(Packed(self.path)) as packed:
                for text in texts(packed, self.encoding, at.member):
                    here = at if text.member == at.member else Cursor(text.member, told=self.told)
                    yield from self._text(text.stream, text.alone, packed, here)
        except FormatError as error:
            raise FormatError(f"{label(self.path)}: {error}") from None
        except OSError as error:
            raise InputError(f"{label(self.path)}: {advice(error)}") from None

    def _text(self, text: Any, alone: bool, packed: Packed, at: Cursor) -> Iterator[Page]:
        """The pages of one text from a place on; one that is no text of rows is set aside whole."""
        head = filled(text, HEAD)
        try:
            opened = None if forms.archive(head) else self.opener(head)
        except FormatError:  # one of many texts stops nobody
            if alone:
                raise
            opened = None
        if opened is None:
            if alone:
                raise FormatError(forms.unread(head, self.told))
            if at.offset == 0:  # else it is done with
                after = msgspec.structs.replace(at, offset=1, read=packed.taken)
                yield self._page(_aside(head, self.empty, NO_FORM), head, at, after)
            return
        read, begin = opened
        stream = Ahead(head, text)
        _skip(stream, at.offset or begin)
        at = msgspec.structs.replace(at, offset=at.offset or begin)
        block, ended = b"", False
        while not ended or block:
            block += filled(stream, self.page_bytes - len(block))
            ended = len(block) < self.page_bytes
            page, cut = _cut(block, self.empty) if at.cut else (read(block, ended), False)
            if block and not page.used:
                page, cut = _aside(block, self.empty, leaked.REASONS[leaked.TOO_LONG]), True
            after = Cursor(at.member, at.offset + page.used, cut, packed.taken, self.told)
            if page.used:
                yield self._page(page, block, at, after)
            block, at = block[page.used :], after

    def _page(self, page: Read, block: bytes, at: Cursor, after: Cursor) -> Page:
        starts = np.ascontiguousarray(page.offsets, np.int64)
        ends = starts + page.lengths
        hashed = digests.siphash(np.frombuffer(block, np.uint8), starts, ends, self.key, _DIGEST)
        member = f"{at.member + 1}:" if at.member else ""
        places = (f"{member}{at.offset + start}" for start in starts.tolist())
        excerpts = (each.tobytes().hex() for each in hashed)
        columns = [list(places), list(page.reasons), list(excerpts)]
        skipped = pa.RecordBatch.from_arrays([pa.array(each, pa.string()) for each in columns], schema=schema.SKIPPED)
        return Page(page.rows, msgspec.json.encode(after), skipped)


def _aside(block: bytes, empty: pa.RecordBatch, reason: str) -> Read:
    """All of a block, set aside."""
    return Read(empty, len(block), np.zeros(1, np.int64), np.full(1, len(block)), [reason])


def _cut(block: bytes, empty: pa.RecordBatch) -> tuple[Read, bool]:
    """The rest of a row that was set aside, and whether it goes on behind the block."""
    behind = block.find(b"\n") + 1
    return Read(empty, behind or len(block), np.empty(0, np.int64), np.empty(0, np.int64), []), not behind


def _skip(text: Any, offset: int) -> None:
    """Passes over what is done with."""
    left = offset
    while left:
        passed = text.read(min(left, HEAD))
        if not passed:
            raise FormatError(f"ends before octet {offset:,}, where reading stopped: it is another file by now")
        left -= len(passed)
