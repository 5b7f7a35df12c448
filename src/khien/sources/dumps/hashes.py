"""Lists of hashes that somebody handed over, as counted digests: SHA-1 or NTLM in hex, a line each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from khien import schema
from khien.breach import hashlist
from khien.breach.leaked import Read
from khien.breach.table import WIDTHS
from khien.contracts import Page
from khien.sources.dumps.texts import expect_known
from khien.sources.dumps.walk import PAGE, Reader, Walk

_EMPTY = pa.RecordBatch.from_pylist([], schema.COUNTED)
_HEX = re.compile(rb"\s*[0-9A-Fa-f]{32}")


@dataclass(frozen=True)
class Hashes:
    """The list in a file. form: which hash it is of; key: 16 octets, of the digests of broken rows."""

    name: ClassVar[str] = "hashes"
    yields: ClassVar[pa.Schema] = schema.COUNTED
    replayable: ClassVar[bool] = True

    path: str
    form: Literal["sha1", "ntlm"]
    key: bytes = field(repr=False)
    encoding: str = ""
    page_bytes: int = PAGE

    def __post_init__(self) -> None:
        expect_known(self.encoding)

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Pages behind cursor. InputError: the file cannot be read; FormatError: it is damaged, or no such list."""
        walk = Walk(self.path, self.encoding, self.form, self._opened, _EMPTY, self.key, self.page_bytes)
        yield from walk.pages(cursor)

    def _opened(self, head: bytes) -> tuple[Reader, int] | None:
        return (self._block, 0) if _HEX.match(head) else None

    def _block(self, block: bytes, ended: bool) -> Read:
        width = WIDTHS[self.form]
        found = hashlist.read(block, width, ended)
        offsets, lengths, reasons = found.broken.T
        return Read(
            _rows(self.form, found), found.used, offsets, lengths, [hashlist.REASONS[each] for each in reasons.tolist()]
        )


def _rows(form: str, found: Any) -> pa.RecordBatch:
    count = len(found.digests)
    columns: list[pa.Array] = []
    for each, width in WIDTHS.items():
        octets = pa.py_buffer(np.ascontiguousarray(found.digests)) if each == form else None
        columns.append(
            pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), count, [None, octets])
            if octets
            else pa.nulls(count, pa.binary(width))
        )
    return pa.RecordBatch.from_arrays([*columns, pa.array(found.counts)], schema=schema.COUNTED)
