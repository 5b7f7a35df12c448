"""A list that is read again and again, and told of by what came and what went since it was read before.

What it held is kept in a directory, a file for each time it changed, sorted; a cursor says which of them was told how
far. The two files a change lies between say it again, however reading ended.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from tempfile import TemporaryDirectory
from threading import Event
from typing import NamedTuple

import msgspec
import pyarrow as pa

from khien.contracts import Page
from khien.errors import FormatError, InputError, UnavailableError
from khien.sources.live.remote import Document, Remote, Tag
from khien.sources.live.versions import Versions

_PAGE = 8_192  # rows

_log = logging.getLogger(__name__)


class Change(NamedTuple):
    """A line of a list that came or went: a host, and what the list says of it."""

    host: str
    said: str
    came: bool


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """version: of the list that is being told; done: how many of its changes were; whole: it was read to its end.
    at: when that version was fetched, as its server said; tag: its own."""

    version: int = 0
    done: int = 0
    whole: bool = True
    at: datetime | None = None
    tag: Tag = Tag()

    @classmethod
    def of(cls, text: bytes | None) -> "_Cursor":
        try:
            return msgspec.json.decode(text, type=cls) if text else cls()
        except (msgspec.DecodeError, UnicodeError) as error:
            raise InputError(f"no cursor of a list: {(text or b'')[:80]!r}; start without one") from error


class Followed(NamedTuple):
    """How a list is followed: where it is, how its text is read and its changes are told, how often (seconds; 0: once),
    and the directory that remembers it (empty: nothing is remembered when reading ends)."""

    remote: Remote
    read: Callable[[Document], Mapping[str, str]]
    rows: Callable[[Sequence[Change], datetime | None], pa.RecordBatch]
    every: float
    directory: str

    def pages(self, text: bytes | None, over: Event) -> Iterator[Page]:
        """Pages behind a cursor, in a thread that may wait. Errors as Source.read's."""
        at = _Cursor.of(text)
        with ExitStack() as stack:
            memory = Versions(self.directory or stack.enter_context(TemporaryDirectory()))
            client = stack.enter_context(self.remote.client())
            if not memory.has(at.version) or not (at.whole or memory.has(at.version - 1)):
                _log.warning("%s: what the list held is gone: it is told anew", self.directory)
                at = _Cursor(version=at.version)
            if not at.whole:
                yield from self._told(memory, at)
                at = msgspec.structs.replace(at, whole=True)
            doubted: Mapping[str, str] | None = None
            while not over.is_set():
                document = self.remote.fetch(client, at.tag)
                if document is not None:
                    held, before = self._held(document), _read(memory.load(at.version))
                    if len(held) < len(before) // 2 and held != doubted:  # cut off, more likely
                        _log.warning("%s: has %d of %d entries left: it is believed when it says so again",
                                     self.remote.url or self.remote.path, len(held), len(before))  # fmt: skip
                        doubted = held
                    else:
                        at = _Cursor(at.version + 1, 0, False, document.at, document.tag)
                        memory.keep(at.version, _written(held))
                        yield from self._told(memory, at)
                        doubted = None
                if not self.every:
                    return
                over.wait(self.every)

    def _held(self, document: Document) -> Mapping[str, str]:
        try:
            held = self.read(document)
        except FormatError as error:
            raise UnavailableError(f"{self.remote.url or self.remote.path}: {error}") from error
        if not held:
            raise UnavailableError(f"{self.remote.url or self.remote.path}: is empty: no list is")
        return held

    def _told(self, memory: Versions, at: _Cursor) -> Iterator[Page]:
        """The changes of a version that were not told yet; the last page says that it is whole."""
        old, new = _read(memory.load(at.version - 1)), _read(memory.load(at.version))
        changes = [Change(host, said, True) for host, said in new.items() if old.get(host) != said]
        changes += [Change(host, said, False) for host, said in old.items() if host not in new]
        for begin in range(at.done, max(len(changes), at.done + 1), _PAGE):
            end = min(begin + _PAGE, len(changes))
            here = msgspec.structs.replace(at, done=end, whole=end == len(changes))
            yield Page(self.rows(changes[begin:end], at.at), msgspec.json.encode(here))


def _written(held: Mapping[str, str]) -> bytes:
    """Lines ``host TAB what is said``, sorted."""
    return "".join(f"{host}\t{held[host]}\n" for host in sorted(held)).encode()


def _read(text: bytes) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in text.decode().split("\n") if "\t" in line)
