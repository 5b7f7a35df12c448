"""Flow records for tests, built by hand, and what they come to when they are counted in the plainest way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from ipaddress import ip_network
from typing import Any

import pyarrow as pa

from khien import schema
from khien.flows import records
from khien.flows.vectors import ACK, ICMP, NAMES, SYN, TCP, UDP, VECTORS

SECOND = 1_000_000  # microseconds
START = 1_767_225_600  # seconds since 1970: 2026-01-01 00:00
HOST, SLASH24, SLASH20, SLASH64, SLASH48 = 128, 120, 116, 64, 48
PLAIN: Mapping[str, Mapping[str, int]] = {  # columns that make a flow one of a vector
    "syn": {"protocol": TCP, "flags": SYN, "target_port": 443},
    "ack": {"protocol": TCP, "flags": ACK, "target_port": 443},
    "rst": {"protocol": TCP, "flags": 4},
    "syn-ack-reflection": {"protocol": TCP, "flags": SYN | ACK, "source_port": 443},
    "udp": {"protocol": UDP, "source_port": 40_000, "target_port": 40_001},
    "icmp": {"protocol": ICMP},
    "fragment": {"protocol": UDP, "fragment": 1},
    **{each.name: {"protocol": UDP, "source_port": each.ports[0]} for each in VECTORS if each.amplified and each.ports},
}

Key = tuple[int, bytes, str]  # scope, prefix, vector
Rates = dict[Key, dict[int, Any]]  # of each second


def packed(address: str) -> bytes:
    """An address as columns hold it."""
    return records.target(address)[1]


def flow(
    target: str = "198.51.100.7",
    vector: str = "syn",
    *,
    source: str = "192.0.2.1",
    first: int = 0,
    life: int = 0,
    packets: int = 1,
    size: int = 60,
    sampling: int = 1,
    **columns: int,
) -> dict[str, Any]:
    """A row of schema.FLOWS. first: microseconds behind START; life: microseconds; size: bytes of a packet."""
    begin = START * SECOND + first
    return {
        "first": begin,
        "last": begin + life,
        "source": packed(source),
        "target": packed(target),
        "source_port": 50_000,
        "target_port": 0,
        "protocol": 0,
        "flags": 0,
        "fragment": 0,
        "packets": packets,
        "bytes": packets * size,
        "sampling": sampling,
        **PLAIN[vector],
        **columns,
    }


def batch(*rows: Mapping[str, Any]) -> pa.RecordBatch:
    """schema.FLOWS."""
    return pa.RecordBatch.from_pylist(list(rows), schema.FLOWS)


def flood(
    target: str = "198.51.100.7",
    vector: str = "syn",
    *,
    begin: int = 0,
    seconds: int = 10,
    rate: int = 10_000,
    senders: int = 100,
    size: int = 60,
    sampling: int = 1,
) -> list[dict[str, Any]]:
    """Flows that bring packets at a rate (a second) from so many senders, each flow of a second of its own.

    begin: seconds behind START. The order is that of the ends of flows.
    """
    share = rate // senders
    return [
        flow(
            *(target, vector),
            source=f"203.{number // 65536}.{number // 256 % 256}.{number % 256}",
            first=(begin + second) * SECOND,
            life=SECOND - 1,
            packets=share,
            size=size,
            sampling=sampling,
        )
        for second in range(seconds)
        for number in range(senders)
    ]


def around(address: bytes, customers: Sequence[str] = ()) -> list[tuple[int, bytes]]:
    """An address and the prefixes around it, each as scope and prefix."""
    narrow, wide = (SLASH24, SLASH20) if address.startswith(records.MAPPED) else (SLASH64, SLASH48)
    value = int.from_bytes(address)
    made = {scope: (value >> 128 - scope << 128 - scope).to_bytes(16) for scope in (HOST, narrow, wide)}
    targets = list(made.items())
    for text in customers:
        network = ip_network(text)
        scope = network.prefixlen + (96 if network.version == 4 else 0)
        prefix = (value >> 128 - scope << 128 - scope).to_bytes(16)
        if prefix == packed(str(network.network_address)) and (scope, prefix) not in targets:
            targets.append((scope, prefix))
    return targets


def spread(row: Mapping[str, Any], amount: int) -> dict[int, Fraction]:
    """An amount spread evenly over the seconds that a flow lived in."""
    first, last = row["first"], max(row["last"], row["first"])
    if first // SECOND == last // SECOND:
        return {first // SECOND: Fraction(amount)}
    life = last - first
    return {
        second: Fraction(amount * (min(last, (second + 1) * SECOND) - max(first, second * SECOND)), life)
        for second in range(first // SECOND, last // SECOND + 1)
    }


def expected(rows: Sequence[Mapping[str, Any]], vector: str, customers: Sequence[str] = ()) -> Rates:
    """Packets in each second, of rows of one vector, by target."""
    made: Rates = defaultdict(lambda: defaultdict(Fraction))
    for row in rows:
        for scope, prefix in around(row["target"], customers):
            for second, packets in spread(row, row["packets"]).items():
                made[scope, prefix, vector][second] += packets
    return made


def rates(counts: pa.RecordBatch, column: str = "packets") -> Rates:
    """What schema.FLOW_COUNTS say of each second from a key's first to its last, steps added up."""
    cells: Rates = defaultdict(lambda: defaultdict(int))
    steps: Rates = defaultdict(lambda: defaultdict(int))
    for row in counts.to_pylist():
        key = row["scope"], row["prefix"], NAMES[row["vector"]]
        second = int(row["second"].timestamp())
        cells[key][second] += row[column]
        steps[key][second] += row[f"{column}_step"]
    made: Rates = {}
    for key, values in cells.items():
        going = 0
        made[key] = {}
        for second in range(min(values), max(values) + 1):
            going += steps[key].get(second, 0)
            made[key][second] = values.get(second, 0) + going
        assert going == 0, "what goes on has an end"
    return made
