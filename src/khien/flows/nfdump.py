"""nfdump's files: layout 1 (nfdump 1.6) and layout 2 (nfdump 1.7), as nffile.h, nffileV2.h and nfxV3.h lay them out.

Both are a header and blocks of records, each record with its type and size; what is unknown is passed over. Numbers are
in the writer's byte order, which is little-endian wherever nfdump runs today. Counts are as nfdump writes them: where
a record says that it was sampled, the collector has applied that; the interval is in the exporter's sampler record.
"""

import struct
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from khien.compiled import inner, kernel
from khien.errors import FormatError
from khien.flows import blocks, records
from khien.flows.reading import Read, Refused, Take, exactly

MAGIC = b"\x0c\xa5"
SWAPPED = b"\xa5\x0c"

_HEAD, _STAT = 140, 136  # bytes of a header of layout 1, with its 128 of ident, and of the sums behind it
_HEAD_2 = struct.Struct("<2sHIqBBHIqII")
_BLOCK = struct.Struct("<IIHH")  # records, bytes behind this, type, flags
_RECORDS = {1: 2, 2: 3}  # by layout: the type of the blocks that hold flow records
_OLD = 1  # the type that nfdump 1.5 wrote in layout 1; nfdump itself reads it no more
_BARE = 1  # a block's flag: it is not packed, though the file is
_PACKINGS = ("", "lzo", "bz2", "lz4", "zstd")
_PACKING_BITS = ((0x01, "lzo"), (0x08, "bz2"), (0x10, "lz4"))  # of layout 1's flags
_MOST_BYTES = 16 << 20  # of a block, packed or not: nfdump's are 5 MiB at most
_LEAST = 36  # bytes of the shortest record that gives a row
_EXPORTERS = 1 << 16

# Types of records, and of a layout 2 record's elements
_COMMON_0, _SAMPLER_0, _COMMON, _V3, _SAMPLER = 1, 9, 10, 11, 15
_GENERIC, _IPV4, _IPV6 = 1, 2, 3
_IS_IPV6, _PACKETS_64, _BYTES_64, _IS_SAMPLED = 1, 2, 4, 128  # flags of a common record
_IS_SAMPLED_V3 = 2
_COUNTERS, _ENDS, _TOLD = 1, 2, 4  # what was found of a record of layout 2: addresses, and any that are not 0
_LAST_DAY = 253_402_214_400_000  # milliseconds: 9999-12-31, behind which nothing prints
_MOST = 1 << 62

_COLUMNS = ("i8*", "i8*", "u1*", "u1*", "u2*", "u2*", "u1*", "u1*", "u1*", "i8*", "i8*", "u4*")  # of schema.FLOWS

# Slots of what read_records notes beside the rows: where records stop making sense (-1: they do not), how many lack an
# address or counters, and where the first of them is.
_BROKEN, _LACKING, _FIRST_LACKING = range(3)


@inner
def u16(block, at):
    """A little-endian number of two bytes."""
    return block[at] + 256 * block[at + 1]  # a shift of an unsigned byte stays unsigned, and mixes with nothing


@inner
def u32(block, at):
    """A little-endian number of four bytes."""
    return u16(block, at) + 65536 * u16(block, at + 2)


@inner
def u64(block, at, most):
    """A little-endian number of eight bytes, or most where it is greater."""
    high = u32(block, at + 4)
    value = u32(block, at) | (high & 0x7FFFFFFF) << 32
    return most if high > 0x7FFFFFFF or value > most else value


@inner
def put_address(block, at, wide, column, row):
    """An address of 4 or 16 bytes, which the file holds as one or two numbers, as 16 bytes in network order."""
    if wide == 4:
        for i in range(10):
            column[16 * row + i] = 0
        column[16 * row + 10] = 0xFF
        column[16 * row + 11] = 0xFF
        for i in range(4):
            column[16 * row + 12 + i] = block[at + 3 - i]
    else:
        for i in range(8):
            column[16 * row + i] = block[at + 7 - i]
            column[16 * row + 8 + i] = block[at + 15 - i]


@inner
def is_set(block, at, size):
    """Whether there is anything but zeros."""
    for i in range(size):
        if block[at + i] != 0:
            return True
    return False


@inner
def put_common(
    block, at, size, row, first, last, source, target, source_port, target_port, protocol, flags, packets, octets
):
    """A row of a common record of layout 1 (its sampled flag is left to the caller); 0 where it is too short."""
    begin = at + (28 if u16(block, at) == _COMMON_0 else 32)
    kinds = block[at + 4]
    wide = 16 if kinds & _IS_IPV6 else 4
    packets_wide = 8 if kinds & _PACKETS_64 else 4
    octets_wide = 8 if kinds & _BYTES_64 else 4
    if begin + 2 * wide + packets_wide + octets_wide > at + size:
        return 0
    first[row] = 1000 * (1000 * u32(block, at + 12) + u16(block, at + 8))
    last[row] = 1000 * (1000 * u32(block, at + 16) + u16(block, at + 10))
    flags[row] = block[at + 21]
    protocol[row] = block[at + 22]
    source_port[row] = u16(block, at + 24)
    target_port[row] = u16(block, at + 26)
    put_address(block, begin, wide, source, row)
    put_address(block, begin + wide, wide, target, row)
    begin += 2 * wide
    packets[row] = u64(block, begin, _MOST) if packets_wide == 8 else u32(block, begin)
    begin += packets_wide
    octets[row] = u64(block, begin, _MOST) if octets_wide == 8 else u32(block, begin)
    return 1


@inner
def put_v3(
    block, at, size, row, first, last, source, target, source_port, target_port, protocol, flags, packets, octets
):
    """A row of a record of layout 2, which is a list of elements; 0 where it has no counters or no addresses.

    Exporters of MPLS send addresses of both families, of which one is 0 or holds the other: IPv4 is taken where set.
    """
    found = 0
    begin = at + 12
    while begin + 4 <= at + size:
        kind = u16(block, begin)
        length = u16(block, begin + 2)
        if length < 4 or begin + length > at + size:
            return 0
        value = begin + 4
        if kind == _GENERIC and length >= 52:
            found |= _COUNTERS
            received = u64(block, value + 16, _LAST_DAY)
            first[row] = 1000 * (u64(block, value, _LAST_DAY) or received)
            last[row] = 1000 * (u64(block, value + 8, _LAST_DAY) or received)
            packets[row] = u64(block, value + 24, _MOST)
            octets[row] = u64(block, value + 32, _MOST)
            source_port[row] = u16(block, value + 40)
            target_port[row] = u16(block, value + 42)
            protocol[row] = block[value + 44]
            flags[row] = block[value + 45]
        elif (kind == _IPV4 and length >= 12) or (kind == _IPV6 and length >= 36):
            wide = 4 if kind == _IPV4 else 16
            told = is_set(block, value, 2 * wide)
            if found & _ENDS == 0 or (told and (kind == _IPV4 or found & _TOLD == 0)):
                put_address(block, value, wide, source, row)
                put_address(block, value + wide, wide, target, row)
            found |= _ENDS | (_TOLD if told else 0)
        begin += length
    return 1 if found & (_COUNTERS | _ENDS) == _COUNTERS | _ENDS else 0


@inner
def note_sampler(block, at, legacy, intervals):
    """Keeps an exporter's sampling interval; of several the greatest, which promises least."""
    exporter = u16(block, at + (14 if legacy else 4))
    if legacy:
        interval = u32(block, at + 8)
    else:
        interval = (u32(block, at + 16) + u32(block, at + 20)) // max(u32(block, at + 16), 1)
    intervals[exporter] = min(max(intervals[exporter], interval, 1), 0xFFFFFFFF)


@kernel("i8", "u1*", "i8", "i8", "u4*", *_COLUMNS, "i8", "i8*")
def read_records(
    block, size, count, intervals,
    first, last, source, target, source_port, target_port, protocol, flags, fragment, packets, octets, sampling,
    room, notes,
):  # fmt: skip
    """The rows of a block's records, at most room; answers how many.

    intervals: sampling interval by exporter, kept from block to block. notes: _BROKEN ...
    """
    row = 0
    at = 0
    for _ in range(count):
        if row >= room:
            break
        length = u16(block, at + 2) if at + 4 <= size else 0
        if length < 4 or at + length > size:
            notes[_BROKEN] = at
            break
        kind = u16(block, at)
        if (kind == _SAMPLER_0 and length >= 16) or (kind == _SAMPLER and length >= 24):
            note_sampler(block, at, kind == _SAMPLER_0, intervals)
        elif kind == _COMMON_0 or kind == _COMMON or kind == _V3:
            made = 0
            exporter = 0
            sampled = False
            if kind == _V3 and length >= 12:
                exporter = u16(block, at + 8)
                sampled = (block[at + 10] & _IS_SAMPLED_V3) != 0
                made = put_v3(
                    block, at, length, row,
                    first, last, source, target, source_port, target_port, protocol, flags, packets, octets,
                )  # fmt: skip
            elif kind != _V3 and length >= 32:
                exporter = block[at + 5] if kind == _COMMON_0 else u16(block, at + 28)
                sampled = (block[at + 4] & _IS_SAMPLED) != 0
                made = put_common(
                    block, at, length, row,
                    first, last, source, target, source_port, target_port, protocol, flags, packets, octets,
                )  # fmt: skip
            if made == 1:
                if last[row] < first[row]:  # nfcapd keeps them as they came
                    first[row], last[row] = last[row], first[row]
                fragment[row] = 0
                sampling[row] = max(intervals[exporter], 1) if sampled else 1
                row += 1
            else:
                notes[_FIRST_LACKING] = at if notes[_LACKING] == 0 else notes[_FIRST_LACKING]
                notes[_LACKING] += 1
        at += length
    return row


def read(take: Take) -> Iterator[Read]:
    """A page for each block. FormatError: another layout, an encrypted file, or one of another byte order."""
    layout, packing, promised, at = _header(take)
    intervals = np.zeros(_EXPORTERS, np.uint32)
    met = 0
    while promised == 0 or met < promised:
        head = exactly(take, _BLOCK.size)
        if not head and promised == 0:
            return
        count, size, kind, flags = _BLOCK.unpack(head) if len(head) == _BLOCK.size else (0, 0, 0, 0)
        if size > _MOST_BYTES:
            yield _nothing(at, "bad-length")
            return
        block = exactly(take, size)
        if len(head) < _BLOCK.size or len(block) < size:
            yield _nothing(at, "cut-short")
            return
        if kind == _RECORDS[layout]:
            yield _page(block, at, count, "" if flags & _BARE else packing, intervals)
        elif kind == _OLD:
            yield _nothing(at, "unknown-version")
        met += 1
        at += _BLOCK.size + size


def _header(take: Take) -> tuple[int, str, int, int]:
    """Of the file: its layout, packing, how many blocks it says it has (0: it does not), and where the first begins."""
    start = exactly(take, 4)
    if start[:2] == SWAPPED:
        raise FormatError("is nfdump's from a big-endian machine: convert it there with `nfdump -r FILE -o csv`")
    if start[:2] != MAGIC or start[2:] not in (b"\1\0", b"\2\0"):
        raise FormatError(
            f"is nfdump's layout {int.from_bytes(start[2:], 'little')}, this reads 1 and 2:"
            " convert it with `nfdump -r FILE -o csv`"
        )
    if start[2] == 1:
        rest = exactly(take, _HEAD - 4 + _STAT)
        if len(rest) < _HEAD - 4 + _STAT:
            raise FormatError("ends within the header of an nfdump file: fetch it again")
        flags, promised = struct.unpack_from("<II", rest)
        return 1, next((name for bit, name in _PACKING_BITS if flags & bit), ""), promised, _HEAD + _STAT
    rest = exactly(take, _HEAD_2.size - 4)
    if len(rest) < _HEAD_2.size - 4:
        raise FormatError("ends within the header of an nfdump file: fetch it again")
    packing, encryption, promised = (_HEAD_2.unpack(start + rest)[each] for each in (4, 5, 10))
    if encryption or packing >= len(_PACKINGS):
        raise FormatError("is encrypted, or packed in an unknown way: convert it with `nfdump -r FILE -o csv`")
    return 2, _PACKINGS[packing], promised, _HEAD_2.size


def _page(block: bytes, at: int, count: int, packing: str, intervals: records.Array) -> Read:
    try:
        plain = _unpacked(block, packing)
    except FormatError:
        return _nothing(at, "damaged-block")
    room = min(count, len(plain) // _LEAST)
    columns, notes = records.empty(room), np.array((-1, 0, 0), np.int64)
    rows = read_records(np.frombuffer(plain, np.uint8), len(plain), count, intervals, *columns, room, notes)
    broken, lacking, first = notes.tolist()
    refused: tuple[Refused, ...] = ()
    if lacking:
        refused = (Refused(at + _BLOCK.size + first, "no-address", lacking),)
    if broken >= 0:
        refused = (*refused, Refused(at + _BLOCK.size + broken, "bad-length"))
    return Read(records.batch(columns, rows), refused)


def _nothing(at: int, code: str) -> Read:
    return Read(records.batch(records.empty(0), 0), (Refused(at, code),))


def _unpacked(block: bytes, packing: str) -> bytes:
    """FormatError: damaged, or more than _MOST_BYTES."""
    if packing == "":
        return block
    if packing in ("lzo", "lz4"):
        return blocks.unpacked(packing, block, _MOST_BYTES)
    try:
        plain = pa.CompressedInputStream(pa.BufferReader(block), packing).read(_MOST_BYTES + 1)
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise FormatError(f"a block of {packing} is damaged: fetch the file again") from error
    if len(plain) > _MOST_BYTES:
        raise FormatError(f"a block holds more than {_MOST_BYTES:,} bytes")
    return plain
