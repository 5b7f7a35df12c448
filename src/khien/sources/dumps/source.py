"""Rows of what leaked, from a file that somebody handed over: accounts and secrets, in memory and nowhere else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.breach import accounts, lines, objects, sheets, stealer
from khien.breach.leaked import Read
from khien.breach.turned import turned
from khien.contracts import Page
from khien.errors import ConfigError
from khien.sources.dumps import forms
from khien.sources.dumps.texts import expect_known
from khien.sources.dumps.walk import PAGE, Reader, Walk

_READERS = {"combo": lines.combination, "stealer": stealer.blocks, "jsonl": objects.objects}
_EMPTY = pa.RecordBatch.from_pylist([], schema.LEAKED)


@dataclass(frozen=True)
class Dumps:
    """The rows in a file, or in the texts of a zip archive, in their order.

    form: how they are laid out, where it should not be seen from each text. encoding: of the text, where it is neither
    UTF-8 nor marked. hashed: secrets that look like digests are no passwords. columns: of a sheet, as in
    sheets.columns, where its names do not say. country: the calling code of numbers written as at home. key: 16 octets,
    of the digests of broken rows. page_bytes: octets of text that a page is made from.
    """

    name: ClassVar[str] = "dumps"
    yields: ClassVar[pa.Schema] = schema.LEAKED
    replayable: ClassVar[bool] = True

    path: str
    key: bytes = field(repr=False)
    form: str = ""
    encoding: str = ""
    hashed: bool = False
    columns: str = ""
    country: str = accounts.VIET_NAM
    page_bytes: int = PAGE

    def __post_init__(self) -> None:
        forms.expect_known(self.form)
        expect_known(self.encoding)
        if sheets.columns(self.columns) and self.form not in ("", "csv"):
            raise ConfigError(f"columns {self.columns!r}: are of sheets: leave out the form {self.form!r}, or them")

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Pages behind cursor. InputError: the file cannot be read; FormatError: it is damaged, or of no form."""
        told = self.form or ("csv" if self.columns else "")
        walk = Walk(self.path, self.encoding, told, self._opened, _EMPTY, self.key, self.page_bytes)
        yield from walk.pages(cursor)

    def _opened(self, head: bytes) -> tuple[Reader, int] | None:
        """What reads a text, and from where on."""
        form = self.form or forms.recognise(head, self.columns)
        if form == "csv":
            layout = sheets.layout(head, sheets.columns(self.columns))
            return (self._turning(partial(sheets.sheet, told=layout)), layout.begin) if layout else None
        if form in _READERS:
            return self._turning(_READERS[form], unnamed=form == "combo"), 0
        return None

    def _turning(self, reader: Callable[..., Read], unnamed: bool = False) -> Reader:
        def read(block: bytes, ended: bool) -> Read:
            found = reader(block, ended, hashed=self.hashed)
            return found._replace(rows=turned(found.rows, self.country, unnamed))

        return read
