"""A model of what routers see and export: packets as rows of schema.FLOWS, a flow cache over them, pages of records.

One modelled packet may stand for several of its flow that pass in one go, so that fast floods stay small: as many as
are in it are counted, and sampling looks at each of them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from khien.flows import records, vectors
from khien.flows.counts import SECOND
from khien.flows.records import ADDRESS, MAPPED, Columns
from khien.flows.vectors import ACK, FIN, NUMBERS, PUSH, SYN, TCP, UDP, VECTORS

Array = np.ndarray[Any, Any]
Chance = np.random.Generator

START = 1_767_225_600 * SECOND  # when models begin: 2026-01-01, UTC
PAGE = SECOND // 4  # of reception that is handed on at once
MOST = 30_000  # modelled packets of an attack
REFLECTORS = 4_000
_RUN = 1 << 42  # microseconds: longer than any run of packets
_SIZES = {"syn": 60, "syn-ack-reflection": 60, "ack": 60, "rst": 54, "fin": 54, "icmp": 84, "udp": 200, "fragment": 400}
_SPOOFED = frozenset(("syn", "ack", "rst", "fin", "udp", "icmp", "gre"))


def joined(*parts: Columns) -> Columns:
    """Rows one after the other."""
    return Columns(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def select(flows: Columns, rows: Array | slice) -> Columns:
    """Some rows, by place or mask."""
    return Columns(*(column[rows] for column in flows))


def made(at: Array, source: Array, target: Array, protocol: int, size: float, **more: Any) -> Columns:
    """Packets, one a row. at: microseconds (i8); source, target: rows x 16, or one for all; size: of each, in bytes.

    more: columns that are not 0; of packets (1 where not said) as many as a row stands for.
    """
    n = len(at)
    columns = records.empty(n)
    for name, column in columns._asdict().items():
        column[:] = more.get(name, 0)
    columns.first[:] = columns.last[:] = at
    columns.source[:], columns.target[:] = source, target
    columns.protocol[:] = protocol
    columns.packets[:] = more.get("packets", 1)
    columns.bytes[:] = columns.packets * size
    columns.sampling[:] = 1
    return columns


def ipv4(numbers: Array) -> Array:
    """Addresses of 16 bytes of numbers of four."""
    mapped = np.empty((len(numbers), ADDRESS), np.uint8)
    mapped[:, :12] = np.frombuffer(MAPPED, np.uint8)
    mapped[:, 12:] = np.asarray(numbers, ">u4").view(np.uint8).reshape(-1, 4)
    return mapped


def host(text: str) -> Array:
    """The address that is written so (u1, 16)."""
    return np.frombuffer(records.target(text)[1], np.uint8)


def attack(vector: str, targets: Array, rate: float, begin: int, seconds: float, chance: Chance) -> Columns:
    """A flood at a rate (packets a second, all targets together), from begin on, evenly by chance.

    Of amplifiers and others' hosts there are REFLECTORS; else each packet has a source and port of its own.
    """
    kind = VECTORS[NUMBERS[vector]]
    each = max(1, round(rate * seconds / MOST))
    n = round(rate * seconds / each)
    at = begin + np.sort(chance.random(n) * seconds * SECOND).astype(np.int64)
    spoofed = vector in _SPOOFED
    of = chance.integers(1 << 24, 224 << 24, n if spoofed else REFLECTORS)
    source = ipv4(of if spoofed else of[chance.integers(0, REFLECTORS, n)])
    port = chance.choice(kind.ports, n) if kind.ports else chance.integers(1024, 65536, n)
    with_ports = set(kind.protocols) & {TCP, UDP}
    return made(
        *(at, source, targets[chance.integers(0, len(targets), n)]),
        *(kind.protocols[0] if kind.protocols else UDP, _SIZES.get(vector, 480 if kind.amplified else 100)),
        source_port=port if with_ports else 0,
        target_port=80 if with_ports else 0,
        flags=kind.flags,
        fragment=int(vector == "fragment"),
        packets=each,
    )


def connections(clients: int, server: Array, rate: float, begin: int, seconds: float, chance: Chance) -> Columns:
    """Whole connections to a server: its clients send so many packets a second, and it answers each but the last."""
    often = 10  # packets of a client in a connection
    n = round(rate * seconds / often)
    start = begin + chance.random(n) * seconds * SECOND
    steps = np.cumsum(chance.exponential(40_000, (n, often)), axis=1)
    at = (start[:, None] + steps).astype(np.int64)
    source = ipv4(0x0B000000 + chance.integers(0, clients, n))
    port = chance.integers(1024, 65536, n)
    flags = np.full(often, ACK)
    flags[[0, 2, -2]] = SYN, PUSH | ACK, FIN | ACK
    answers = np.full(often, PUSH | ACK)
    answers[[0, -2]] = SYN | ACK, FIN | ACK
    there = made(
        *(at.reshape(-1), np.repeat(source, often, axis=0), server, TCP, 90),
        source_port=np.repeat(port, often), target_port=443, flags=np.tile(flags, n),
    )  # fmt: skip
    back = made(
        *(at[:, :-1].reshape(-1) + 5_000, server, np.repeat(source, often - 1, axis=0), TCP, 900),
        source_port=443, target_port=np.repeat(port, often - 1), flags=np.tile(answers[:-1], n),
    )  # fmt: skip
    return joined(there, back)


class Export(NamedTuple):
    """Records as they leave an exporter: received in microseconds (i8), in that order."""

    flows: Columns
    received: Array

    def pages(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """When all of a page is there, and its rows (schema.FLOWS)."""
        number = self.received // PAGE
        bounds = np.flatnonzero(np.diff(number)) + 1
        for rows in np.split(np.arange(len(number)), bounds) if len(number) else ():
            part = select(self.flows, slice(int(rows[0]), int(rows[-1]) + 1))
            yield (int(number[rows[0]]) + 1) * PAGE, records.batch(part, len(rows))


def together(*exports: Export) -> Export:
    """What several exporters sent, in the order of reception."""
    received = np.concatenate([each.received for each in exports])
    order = np.argsort(received, kind="stable")
    return Export(select(joined(*(each.flows for each in exports)), order), received[order])


class Exporter(NamedTuple):
    """A router's flow cache: seconds after which a flow that goes on, or is quiet, is exported; one in so many packets
    is looked at. No flow leaves it earlier: not by its FIN, not because the cache is full."""

    active: float = 1
    inactive: float = 1
    sampling: int = 1

    def __str__(self) -> str:
        return f"{self.active:g} s/{self.inactive:g} s, 1:{self.sampling}"

    def export(self, packets: Columns, chance: Chance) -> Export:
        """The records of packets, each sent the moment its time-out strikes."""
        seen, _ = sampled(packets, self.sampling, chance)
        if not len(seen.first):
            return Export(seen, seen.first)
        key = _keys(seen)
        order = np.lexsort((seen.first, key))
        seen = select(seen, order)
        active, inactive = round(self.active * SECOND), round(self.inactive * SECOND)
        begins = np.flatnonzero(_begins(key[order], seen.first, active, inactive))
        ends = np.append(begins[1:], len(order)) - 1
        flows = select(seen, begins)._replace(
            last=seen.first[ends],
            flags=np.bitwise_or.reduceat(seen.flags, begins),
            fragment=np.bitwise_or.reduceat(seen.fragment, begins),
            packets=np.add.reduceat(seen.packets, begins),
            bytes=np.add.reduceat(seen.bytes, begins),
        )
        received = np.minimum(flows.first + active, flows.last + inactive)
        order = np.argsort(received, kind="stable")
        return Export(select(flows, order), received[order])


def sampled(flows: Columns, interval: int, chance: Chance) -> tuple[Columns, Array]:
    """What is left where each packet is looked at with a chance of one in so many, and counts for so many; and of
    which rows."""
    looked = flows.packets if interval == 1 else chance.binomial(flows.packets, 1 / interval) * interval
    rows = np.flatnonzero(looked)
    left, looked = select(flows, rows), looked[rows]
    size = left.bytes * (looked / left.packets)
    sampling = np.full(len(rows), interval, np.uint32)
    return left._replace(packets=looked, bytes=size.astype(np.int64), sampling=sampling), rows


def _keys(flows: Columns) -> Array:
    """A number for each flow (addresses, ports, protocol), well spread."""
    source, target = (np.ascontiguousarray(each).view(np.uint64) for each in (flows.source, flows.target))
    rest = (flows.source_port.astype(np.uint64) << 32) | (flows.target_port.astype(np.uint64) << 8) | flows.protocol
    key = np.zeros(len(flows.first), np.uint64)
    for part in (source[:, 0], source[:, 1], target[:, 0], target[:, 1], rest):
        key = (key ^ part) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


def _begins(key: Array, at: Array, active: int, inactive: int) -> Array:
    """Which packets, in the order of flow and time, begin a record."""
    begins = np.ones(len(at), bool)
    begins[1:] = (key[1:] != key[:-1]) | (np.diff(at) > inactive)
    run = np.cumsum(begins)
    place = run * _RUN + (at - at.min())
    fronts = np.flatnonzero(begins)
    while len(fronts):  # one turn for each active time-out of the longest run
        behind = np.searchsorted(place, place[fronts] + active)
        inside = behind < len(at)
        fronts, behind = fronts[inside], behind[inside]
        fronts = behind[run[behind] == run[fronts]]
        begins[fronts] = True
    return begins


def vector_of(flows: Columns) -> Array:
    """The number of each row's vector."""
    table = vectors.table()
    return np.array(
        [
            vectors.classify(table, *(int(each) for each in row))
            for row in zip(
                flows.protocol, flows.source_port, flows.target_port, flows.flags, flows.fragment, strict=True
            )
        ],
        np.uint8,
    )
