"""Flows into counts per second, target and vector, a flow's packets spread over its life (schema.FLOW_COUNTS).

Counted at arrival, a flow of a minute would look like a burst of a second: peaks grow by a median of 58 times, and
innocents are raised. What lies in a flow's first and last second is counted there; what fills whole seconds between is
kept as a step up and a step down, so that a flow costs three cells at most, however long it lived. All sums are of
whole numbers, so that partials add up to the same in any order.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from khien import schema
from khien.compiled import inner, kernel
from khien.flows import records, vectors
from khien.flows.records import HOST
from khien.flows.vectors import classify

PACKET = 1024  # a packet in the unit of packets
SECOND = 1_000_000  # microseconds
SCOPES = ((120, 116), (64, 48))  # beside the host: of IPv4 (a /24, a /20), of IPv6

_FIRST_ROOM, _MOST_ROOM = 1 << 14, 1 << 18  # cells
_MOST_CELLS = 3  # of one flow
_MOST_PACKETS, _MOST_BYTES = 1 << 40, 1 << 50  # of one flow; more is not believed
_CELL = 10  # numbers of a cell: its key, and SUMS
_BLOCK = 256
SUMS = schema.FLOW_COUNTS.names[4:]
_SUMS = 7
_LONGEST = 1 << 37  # microseconds a flow may have lived: a day and a half
_LATEST = 1 << 53  # microseconds since 1970: the year 2255

Array = np.ndarray[Any, Any]


@inner
def mixed(high, low, more):
    """A well spread number of a key."""
    h = (high * np.uint64(0x9E3779B97F4A7C15)) ^ (low + np.uint64(more))
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    return h ^ (h >> np.uint64(32))


@inner
def _cell(high, low, meta, slot, slots, mask, cells, made):
    """The cell of a key, looked for from its slot on; made where there is none: then it is number ``made[0]``."""
    while True:
        cell = np.int64(slots[slot]) - 1
        if cell < 0:
            cell = made[0]
            slots[slot] = cell + 1
            made[0] = cell + 1
            at = cell * _CELL
            cells[at] = np.int64(high)
            cells[at + 1] = np.int64(low)
            cells[at + 2] = meta
            for each in range(at + 3, at + _CELL):
                cells[each] = 0
            return cell
        at = cell * _CELL
        if cells[at + 2] == meta and cells[at + 1] == np.int64(low) and cells[at] == np.int64(high):
            return cell
        slot = (slot + 1) & mask


@inner
def _add(cells, cell, packets, byte_count, noise, step):
    """Adds to a cell: to its second itself (step 0), or to the step (3)."""
    at = cell * _CELL + 3 + step
    cells[at] += packets
    cells[at + 1] += byte_count
    cells[at + 2] += noise


@kernel(
    "i8",
    *("i8*", "i8*", "u8*", "u2*", "u2*", "u1*", "u1*", "u1*", "i8*", "i8*", "u4*", "u1*", "i8", "i8"),
    *("i4*", "i8", "i8*", "i8", "i8*", "i8*", "i4*"),
)
def _count(
    first, last, target, source_port, target_port, protocol, flags, fragment, packets, byte_counts, sampling, table,
    begin, end, slots, mask, cells, room, made, metas, homes,
):  # fmt: skip
    """Counts flows begin to end by target, vector and second; answers the first for which there is no room.

    cells: as in Counts. A block of flows at a time, and one thing of all of
    them after the other: the processor then waits for many cells at once. metas, homes: room for a block.
    """
    for block in range(begin, end, _BLOCK):
        if made[0] > room - _MOST_CELLS * _BLOCK:
            return block
        size = min(_BLOCK, end - block)
        for n in range(size):
            i = block + n
            vector = np.int64(classify(table, protocol[i], source_port[i], target_port[i], flags[i], fragment[i]))
            second = min(max(first[i], 0), _LATEST) // SECOND
            metas[n] = (second << 16) | (HOST << 8) | vector
            homes[n] = (np.int64(mixed(target[2 * i], target[2 * i + 1], vector)) + second) & mask
        for n in range(size):
            i = block + n
            homes[n] = _cell(target[2 * i], target[2 * i + 1], metas[n], np.int64(homes[n]), slots, mask, cells, made)
        for n in range(size):
            i = block + n
            cell = np.int64(homes[n])
            cells[cell * _CELL + 9] += 1
            whole, octets = min(max(packets[i], 0), _MOST_PACKETS), min(max(byte_counts[i], 0), _MOST_BYTES)
            begins = metas[n] >> 16
            if last[i] < (begins + 1) * SECOND:  # most end in the second they begin in
                at = cell * _CELL + 3
                cells[at] += whole * PACKET
                cells[at + 1] += octets
                if sampling[i] > 1:
                    cells[at + 2] += np.int64(float(whole) * (sampling[i] - 1.0))
                continue
            noise = float(whole) * (sampling[i] - 1.0)
            start = min(max(first[i], 0), _LATEST)
            stop = min(last[i], start + _LONGEST)
            ends = stop // SECOND
            life = float(stop - start)
            head = ((begins + 1) * SECOND - start) / life
            each = SECOND / life
            between = ends - begins - 1
            head_p, head_b, head_n = np.int64(whole * PACKET * head), np.int64(octets * head), np.int64(noise * head)
            each_p, each_b, each_n = np.int64(whole * PACKET * each), np.int64(octets * each), np.int64(noise * each)
            _add(cells, cell, head_p, head_b, head_n, 0)
            high, low, vector = target[2 * i], target[2 * i + 1], metas[n] & 0xFF
            home = np.int64(mixed(high, low, vector))
            cell = _cell(high, low, (ends << 16) | (HOST << 8) | vector, (home + ends) & mask, slots, mask, cells, made)
            rest_p = np.int64(whole) * PACKET - head_p - between * each_p
            rest_b, rest_n = np.int64(octets) - head_b - between * each_b, np.int64(noise) - head_n - between * each_n
            _add(cells, cell, rest_p, rest_b, rest_n, 0)
            if between > 0:
                _add(cells, cell, -each_p, -each_b, -each_n, 3)
                begins += 1
                cell = _cell(
                    high, low, (begins << 16) | (HOST << 8) | vector, (home + begins) & mask, slots, mask, cells, made
                )
                _add(cells, cell, each_p, each_b, each_n, 3)
    return end


@kernel("i8", "i8*", "i8", "i4*", "i8")
def _find_room(cells, n, slots, mask):
    """Gives n cells slots in an empty, larger table."""
    for cell in range(n):
        at = cell * _CELL
        home = np.int64(mixed(np.uint64(cells[at]), np.uint64(cells[at + 1]), cells[at + 2] & 0xFF))
        slot = (home + (cells[at + 2] >> 16)) & mask
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = cell + 1
    return 0


@kernel("i8", "i8*", "i8", "i8*", "i4*", "i8", "i8*", "i8*")
def _merge(given, n, masks, slots, mask, cells, made):
    """Adds up n cells of one key. masks: of addresses of IPv4 and of others, two numbers and a scope each: cells go to
    the prefixes these leave, or stay where they are if the scope is 0; and what tells IPv4 apart, three numbers."""
    made[0] = 0
    for i in range(n):
        at = i * _CELL
        high, low, meta = given[at], given[at + 1], given[at + 2]
        family = 0 if high == masks[6] and (low & masks[8]) == masks[7] else 3
        if masks[family + 2] != 0:
            high &= masks[family]
            low &= masks[family + 1]
            meta = (meta & ~0xFF00) | (masks[family + 2] << 8)
        home = np.int64(mixed(np.uint64(high), np.uint64(low), meta & 0xFFFF)) + (meta >> 16)
        cell = _cell(np.uint64(high), np.uint64(low), meta, home & mask, slots, mask, cells, made)
        for each in range(3, _CELL):
            cells[cell * _CELL + each] += given[at + each]
    return made[0]


@kernel("i8", "i8*", "i8", "i8*", "u1*", "i8*", "u1*", "i8*")
def _turn(cells, n, second, scope, prefix, vector, sums):
    """Cells into columns: n microseconds, scopes, prefixes, vectors, and n of each sum."""
    for i in range(n):
        at = i * _CELL
        meta = cells[at + 2]
        second[i] = (meta >> 16) * SECOND
        scope[i] = (meta >> 8) & 0xFF
        vector[i] = meta & 0xFF
        prefix[2 * i] = cells[at]
        prefix[2 * i + 1] = cells[at + 1]
        for each in range(_SUMS):
            sums[each * n + i] = cells[at + 3 + each]
    return n


@kernel("i8", "u1*", "u2*", "u2*", "u1*", "u1*", "u1*", "i8", "u1*")
def _classify(protocol, source_port, target_port, flags, fragment, table, n, out):
    """The vector of each flow."""
    for i in range(n):
        out[i] = classify(table, protocol[i], source_port[i], target_port[i], flags[i], fragment[i])
    return n


class Counts(NamedTuple):
    """Rows of schema.FLOW_COUNTS, a cell each (i8, rows x 10): the prefix in two numbers in the order of its bytes, the
    second since 1970 << 16 | scope << 8 | vector, then SUMS."""

    cells: Array

    @property
    def second(self) -> Array:
        """i8"""
        return self.cells[:, 2] >> 16

    @property
    def scope(self) -> Array:
        """u1"""
        return (self.cells[:, 2] >> 8).astype(np.uint8)

    @property
    def prefix(self) -> Array:
        """u8, rows x 2"""
        return self.cells[:, :2].view(np.uint64)

    @property
    def vector(self) -> Array:
        """u1"""
        return self.cells[:, 2].astype(np.uint8)

    @property
    def sums(self) -> Array:
        """i8, rows x 7"""
        return self.cells[:, 3:]


def of_columns(second: Array, scope: Array | int, prefix: Array, vector: Array | int, sums: Array) -> Counts:
    """Counts of columns, as the properties of Counts give them."""
    cells = np.empty((len(second), _CELL), np.int64)
    cells[:, :2], cells[:, 3:] = prefix.view(np.int64), sums
    cells[:, 2] = (second << 16) | (np.asarray(scope, np.int64) << 8) | np.asarray(vector, np.int64)
    return Counts(cells)


def count(flows: pa.RecordBatch, customers: Sequence[str] = ()) -> Counts:
    """What targets got, each for itself and in the prefixes around it, customers' (``203.0.113.0/25``) among them."""
    parts = list(_hosts(records.columns(flows)))
    hosts = merged(joined(parts)) if len(parts) > 1 else parts[0]
    parts, wide = [hosts, *_of_customers(hosts, customers)], hosts
    for level in range(len(SCOPES[0])):  # narrow before wide: few cells are left for the widest
        wide = merged(wide, (SCOPES[0][level], SCOPES[1][level]))
        parts.append(wide)
    return joined(parts)


class _Room:
    """What the kernel works in: memory that is used again costs no more page faults."""

    def __init__(self) -> None:
        self.cells = np.empty((_MOST_ROOM, _CELL), np.int64)
        self.made, self.metas, self.homes = (
            np.zeros(1, np.int64),
            np.empty(_BLOCK, np.int64),
            np.empty(_BLOCK, np.int32),
        )


_SPARE: list[_Room] = []  # of what no thread works in now


def _hosts(columns: records.Columns) -> Iterator[Counts]:
    """The counts by host. The table of slots is as small as may be, so that it stays in the processor's cache; when
    there are too many cells for that, they are begun anew, and a key may come again in those."""
    c, n = columns, len(columns.first)
    room = _SPARE.pop() if _SPARE else _Room()
    cells, made = room.cells, room.made
    made[0] = size = done = 0
    while done < n:
        if size == _MOST_ROOM:
            yield Counts(cells[: made[0]].copy())
            made[0] = size = 0
        size = 2 * size or _FIRST_ROOM
        slots = np.zeros(2 * size, np.int32)
        _find_room(cells, int(made[0]), slots, len(slots) - 1)
        done = _count(
            *(c.first, c.last, c.target.view(np.uint64).reshape(-1), c.source_port, c.target_port, c.protocol, c.flags),
            *(c.fragment, c.packets, c.bytes, c.sampling, vectors.table(), done, n),
            *(slots, len(slots) - 1, cells, size, made, room.metas, room.homes),
        )
    yield Counts(cells[: made[0]].copy())
    _SPARE.append(room)


def merged(counts: Counts, scopes: tuple[int, int] = (0, 0)) -> Counts:
    """One row for each key. scopes: of the prefixes around addresses of IPv4 and of IPv6 that they are counted by."""
    n = len(counts.cells)
    slots, cells = np.zeros(_power(2 * n), np.int32), np.empty((n, _CELL), np.int64)
    masks = [number for scope in scopes for number in (*mask(scope).view(np.int64).tolist(), scope)]
    mapped = np.frombuffer(records.MAPPED + bytes(4) + b"\xff" * 4 + bytes(4), np.int64).tolist()
    made = _merge(
        *(np.ascontiguousarray(counts.cells), n, np.array([*masks, *mapped], np.int64), slots, len(slots) - 1, cells),
        np.zeros(1, np.int64),
    )
    return Counts(cells[:made])


def joined(parts: Sequence[Counts]) -> Counts:
    """Counts one after the other."""
    return Counts(np.concatenate([np.empty((0, _CELL), np.int64), *(each.cells for each in parts)]))


def totals(flows: pa.RecordBatch) -> Counts:
    """What targets got in all, by vector: of SUMS packets, bytes and flows are set, packets whole ones; second is 0."""
    c, n = records.columns(flows), flows.num_rows
    kinds = np.empty(n, np.uint8)
    _classify(c.protocol, c.source_port, c.target_port, c.flags, c.fragment, vectors.table(), n, kinds)
    sums = np.zeros((n, _SUMS), np.int64)
    sums[:, 0], sums[:, 1], sums[:, -1] = c.packets, c.bytes, 1
    targets = c.target.view(np.uint64).reshape(-1, 2)
    return merged(of_columns(np.zeros(n, np.int64), HOST, targets, kinds, sums))


def _of_customers(hosts: Counts, customers: Sequence[str]) -> Iterator[Counts]:
    """The same counts by the prefixes of customers, but for those that are counted anyhow."""
    prefixes: dict[int, list[bytes]] = {}
    for scope, prefix in map(records.target, customers):
        if scope not in (HOST, *SCOPES[not prefix.startswith(records.MAPPED)]):
            prefixes.setdefault(scope, []).append(prefix)
    for scope, each in prefixes.items():
        around = np.ascontiguousarray(hosts.prefix & mask(scope)).view("V16").reshape(-1)
        rows = np.isin(around, np.array(each, "V16"))
        if rows.any():
            yield merged(Counts(hosts.cells[rows]), (scope, scope))


def mask(scope: int) -> Array:
    """The two numbers that leave so many bits of an address."""
    bits = ((1 << scope) - 1) << (HOST - scope)
    return np.frombuffer(bits.to_bytes(16, "big"), np.uint64)


def _power(least: int) -> int:
    return 1 << max(least - 1, 15).bit_length()


def batch(counts: Counts) -> pa.RecordBatch:
    """schema.FLOW_COUNTS."""
    n = len(counts.cells)
    second, prefix, sums = np.empty(n, np.int64), np.empty((n, 2), np.int64), np.empty((_SUMS, n), np.int64)
    scope, vector = np.empty(n, np.uint8), np.empty(n, np.uint8)
    _turn(np.ascontiguousarray(counts.cells), n, second, scope, prefix, vector, sums)
    arrays = [
        pa.Array.from_buffers(kind, n, [None, pa.py_buffer(column)])
        for kind, column in zip(schema.FLOW_COUNTS.types, (second, scope, prefix, vector, *sums), strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema.FLOW_COUNTS)


def of(rows: pa.RecordBatch) -> Counts:
    """The counts in schema.FLOW_COUNTS."""
    n, cells = rows.num_rows, np.empty((rows.num_rows, _CELL), np.int64)
    for place, name in enumerate(SUMS, _CELL - _SUMS):
        cells[:, place] = rows.column(name).to_numpy()
    prefix = rows.column("prefix")
    cells[:, :2] = np.frombuffer(prefix.buffers()[1] or b"", np.int64, 2 * n, 16 * prefix.offset).reshape(n, 2)
    second, scope, vector = (rows.column(name) for name in ("second", "scope", "vector"))
    kinds = (scope.to_numpy().astype(np.int64) << 8) | vector.to_numpy()
    cells[:, 2] = ((second.cast(pa.int64()).to_numpy() // SECOND) << 16) | kinds
    return Counts(cells)


KERNELS = (_count, _find_room, _merge, _turn, _classify)
