"""flow-tools' files (stream version 3), as its ftlib.h lays them out: NetFlow v1, v5, v6, v7 and tagged v5 records.

A header says the byte order, which export version the records hold and whether they are packed with zlib; records have
one length each. All of these versions begin alike. Times are the router's uptime in milliseconds against its clock.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from khien.errors import FormatError
from khien.flows import records
from khien.flows.reading import Read, Refused, Take, exactly

MAGIC = b"\xcf\x10"

_SIZES = {1: 60, 5: 64, 6: 72, 7: 68, 1005: 72}  # bytes of a record, by export version
_ORDERS = {1: "<", 2: ">"}
_STREAM_VERSION = 3
_LONGEST_HEADER = 16384  # FT_IO_MAXHEADER
_EXPORT_VERSION, _FLAGS = 2, 8  # fields of the header
_PACKED = 2  # a flag of it
_ROWS = 1 << 15  # of one page
_PIECE = 1 << 16  # bytes taken at once
_UPTIME = 1 << 32  # milliseconds after which it begins again


class _Header(NamedTuple):
    order: str
    size: int
    packed: bool
    begin: int


def read(take: Take) -> Iterator[Read]:
    """Pages of at most 32,768 rows. FormatError: aggregated records (v8), another stream version, no header."""
    header = _header(take)
    inflated = _Inflated(take)
    pull = inflated.read if header.packed else take
    kind = _record(header.order, header.size)
    at = header.begin if not header.packed else 0  # in the records as unpacked
    while True:
        block = exactly(pull, _ROWS * header.size)
        rows = len(block) // header.size
        at += rows * header.size
        refused: tuple[Refused, ...] = ()
        if inflated.damaged or len(block) % header.size:
            refused = (Refused(at, "damaged-block" if inflated.damaged else "cut-short"),)
        if rows or refused:
            yield Read(records.batch(_columns(np.frombuffer(block, kind, rows)), rows), refused)
        if rows < _ROWS:
            return


def _header(take: Take) -> _Header:
    start = exactly(take, 8)
    order = _ORDERS.get(start[2]) if len(start) == 8 and start[:2] == MAGIC else None
    if order is None or start[3] != _STREAM_VERSION:
        raise FormatError("is no flow-tools file of stream version 3: convert it with `flow-cat`")
    (begin,) = struct.unpack_from(f"{order}I", start, 4)
    fields = exactly(take, begin - 8) if 8 <= begin <= _LONGEST_HEADER else b""
    if len(fields) != begin - 8:
        raise FormatError("ends within the header of a flow-tools file: fetch it again")
    known = {}
    at = 0
    while at + 4 <= len(fields):
        kind, length = struct.unpack_from(f"{order}HH", fields, at)
        known[kind] = fields[at + 4 : at + 4 + length]
        at += 4 + length
    version, flags = (
        int.from_bytes(known.get(kind, b""), "little" if order == "<" else "big") for kind in (_EXPORT_VERSION, _FLAGS)
    )
    if version not in _SIZES:
        raise FormatError(
            f"holds records of NetFlow v{version}, this reads v1, v5, v6 and v7:"
            " aggregated ones name no hosts; export from what they were made of"
        )
    return _Header(order, _SIZES[version], bool(flags & _PACKED), begin)


class _Inflated:
    """What a zlib stream holds, a bounded piece at a time."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._stream = zlib.decompressobj()
        self.damaged = False

    def read(self, size: int) -> bytes:
        """At most size bytes; b"" at the end, and where it is damaged or cut short."""
        made = b""
        while not made and not self._stream.eof and not self.damaged:
            packed = self._stream.unconsumed_tail or self._take(_PIECE)
            try:
                made = self._stream.decompress(packed, size)
            except zlib.error:
                self.damaged = True
            self.damaged |= not packed
        return made


def _record(order: str, size: int) -> np.dtype:
    """The fields that every version has at the same place, of fts3rec_gen."""
    fields = {
        "seconds": ("u4", 0), "nanoseconds": ("u4", 4), "uptime": ("u4", 8), "source": ("u4", 16), "target": ("u4", 20),
        "packets": ("u4", 32), "bytes": ("u4", 36), "first": ("u4", 40), "last": ("u4", 44), "source_port": ("u2", 48),
        "target_port": ("u2", 50), "protocol": ("u1", 52), "flags": ("u1", 54),
    }  # fmt: skip
    return np.dtype(
        {
            "names": list(fields),
            "formats": [order + kind for kind, _ in fields.values()],
            "offsets": [at for _, at in fields.values()],
            "itemsize": size,
        }
    )


def _columns(rows: np.ndarray) -> records.Columns:
    made = records.empty(len(rows))
    seen = rows["seconds"].astype(np.int64) * 1_000_000 + rows["nanoseconds"] // 1000
    for column, field in ((made.first, "first"), (made.last, "last")):
        # Behind the router's clock by this much; a flow seems to end after its export where the uptime began again.
        before = (rows["uptime"].astype(np.int64) - rows[field]) % _UPTIME
        before[before >= _UPTIME // 2] -= _UPTIME
        column[:] = seen - 1000 * before
    first = np.minimum(made.first, made.last)
    np.maximum(made.first, made.last, out=made.last)
    made.first[:] = first
    for column, field in ((made.source, "source"), (made.target, "target")):
        column[:, :12] = np.frombuffer(records.MAPPED, np.uint8)
        column[:, 12:] = rows[field].astype(">u4").view(np.uint8).reshape(-1, 4)
    for name in ("source_port", "target_port", "protocol", "flags", "packets", "bytes"):
        getattr(made, name)[:] = rows[name]
    made.fragment[:], made.sampling[:] = 0, 1
    return made
