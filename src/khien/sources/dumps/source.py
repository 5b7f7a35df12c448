"""Rows of what leaked, from a file that somebody handed over: accounts and secrets, in memory and nowhere else."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.breach import lines, objects, sheets, stealer
from khien.contracts import Page
from khien.sources.dumps import forms
from khien.sources.dumps.texts import expect_known
from khien.sources.dumps.walk import PAGE, Reader, Walk

_READERS = {"combo": lines.combination, "stealer": stealer.blocks, "jsonl": objects.objects}
_EMPTY = pa.RecordBatch.from_pylist([], schema.LEAKED)


@dataclass(frozen=True)
class Dumps:
    """The rows in a file, or in the texts of a zip archive, in their order.

    form: how they are laid out, where it should not be seen from each text. encoding: of the text, where it is neither
    UTF-8 nor marked. hashed: secrets that look like digests are no passwords. key: 16 octets, of the digests of broken
    rows. page_bytes: octets of text that a page is made from.
    """

    name: ClassVar[str] = "dumps"
    yields: ClassVar[pa.Schema] = schema.LEAKED
    replayable: ClassVar[bool] = True

    path: str
    key: bytes = field(repr=False)
    form: str = ""
    encoding: str = ""
    hashed: bool = False
    page_bytes: int = PAGE

    def __post_init__(self) -> None:
        forms.expect_known(self.form)
        expect_known(self.encoding)

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Pages behind cursor. InputError: the file cannot be read; FormatError: it is damaged, or of no form."""
        walk = Walk(self.path, self.encoding, self.form, self._opened, _EMPTY, self.key, self.page_bytes)
        yield from walk.pages(cursor)

    def _opened(self, head: bytes) -> tuple[Reader, int] | None:
        """What reads a text, and from where on."""
        form = self.form or forms.recognise(head)
        if form == "csv":
            layout = sheets.layout(head)
            return (partial(sheets.sheet, told=layout, hashed=self.hashed), layout.begin) if layout else None
        if form in _READERS:
            return partial(_READERS[form], hashed=self.hashed), 0
        return None
