"""A model of the filter in a router, and what a detector would say of an attack: what rules do, before any router."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import numpy as np

from khien.flows import records, vectors
from khien.flows.mitigation import HANDSHAKE, Load, Match, Network, Rule
from khien.flows.records import Columns

Array = np.ndarray[Any, Any]

BURST = 100_000  # microseconds: what a policer holds ready, and the least an attack is said to last
SHOWN = 64  # ports and networks a detector keeps of a vector


def passed(flows: Columns, rules: Sequence[Rule]) -> Array:
    """The share of each flow that gets past the rules (f8): 0 dropped, 1 untouched; the first that matches decides.

    A limit lets through its bytes in each tenth of a second, of all that comes evenly. Where a rule is about SYN, a
    connection is lost with its first packet: its whole flow shares that packet's fate. To lose one of its last packets
    does it no harm.
    """
    share = np.ones(len(flows.first))
    left = np.ones(len(flows.first), bool)
    for rule in rules:
        weight = np.where(left, _matched(flows, rule.match), 0)
        hit = np.flatnonzero(weight)
        left[hit] = False
        share[hit] = _within(flows.first[hit], flows.last[hit], weight[hit], rule.rate) if rule.rate else 0.0
    return share


def _matched(flows: Columns, match: Match) -> Array:
    """Bytes of each flow that a rule is about."""
    whole = _inside(flows.target, match.destination)
    if match.source:
        whole &= _inside(flows.source, match.source)
    for wanted, column in (
        (match.protocols, flows.protocol),
        (match.destination_ports, flows.target_port),
        (match.source_ports, flows.source_port),
        (match.icmp_types, flows.target_port >> 8),
    ):
        if wanted:
            whole &= np.isin(column, wanted)
    if match.fragment:
        hidden = (flows.protocol == vectors.UDP) & (flows.source_port == 0) & (flows.target_port == 0)
        whole &= (flows.fragment != 0) | hidden
    lengths = flows.bytes / np.maximum(flows.packets, 1)
    low, high = match.lengths or (0, 65535)
    fits = (np.floor(lengths) >= low) & (np.ceil(lengths) <= high)
    if not match.flags:
        return np.where(whole & fits, flows.bytes, 0)
    bits, looked_at = match.flags
    shown = (flows.flags & bits) == bits
    if bits == vectors.ACK:  # which all packets of a connection carry but the first
        return np.where(whole & shown & fits, flows.bytes, 0)
    alone = (flows.packets == 1) & ((flows.flags & looked_at) == bits) | ((flows.flags & vectors.CONTROL) == bits)
    opened = np.zeros_like(alone)
    if bits & vectors.SYN and low <= HANDSHAKE <= high:
        asks = flows.source_port >= flows.target_port  # who asks has the greater port and sends SYN, the other SYN, ACK
        opened = shown & ~alone & (asks if bits == vectors.SYN else ~asks)
    return np.where(whole & alone & fits, flows.bytes, np.where(whole & opened, HANDSHAKE, 0))


def _inside(addresses: Array, network: Network) -> Array:
    prefix = network.network_address.packed
    base = records.MAPPED + prefix if network.version == 4 else prefix
    length = network.prefixlen + (96 if network.version == 4 else 0)
    mask = np.frombuffer((((1 << length) - 1) << (128 - length)).to_bytes(16, "big"), np.uint8)
    return ((addresses & mask) == np.frombuffer(base, np.uint8)).all(axis=1)


def _within(first: Array, last: Array, weight: Array, rate: int) -> Array:
    """The share of each flow that fits a rate, its bytes spread over its life."""
    if not len(first):
        return np.ones(0)
    begin = first.min()
    lows, highs = (first - begin) // BURST, (np.maximum(last, first) - begin) // BURST
    bins = highs - lows + 1
    rows = np.repeat(np.arange(len(first)), bins)
    at = np.arange(bins.sum()) - np.repeat(np.cumsum(bins) - bins, bins) + lows[rows]
    offered = np.bincount(at, (weight / bins)[rows])
    fits = np.minimum(1, rate * BURST / 1e6 / np.maximum(offered, 1e-9))
    return np.bincount(rows, fits[at], len(first)) / bins


def loads(flows: Columns, seconds: float) -> tuple[Load, ...]:
    """What flows are, vector by vector: as a detector tells it, from what it keeps."""
    classes = _vectors(flows)
    return tuple(_load(flows, classes == number, number, seconds) for number in np.unique(classes))


def _load(flows: Columns, chosen: Array, number: int, seconds: float) -> Load:
    packets = flows.packets[chosen]
    total = int(packets.sum())
    lengths = np.sort(flows.bytes[chosen] / np.maximum(packets, 1))
    rare = len(lengths) // 200
    ports: Counter[int] = Counter()
    networks: dict[Network, int] = defaultdict(int)
    for port, source, count in zip(
        flows.target_port[chosen].tolist(), flows.source[chosen], packets.tolist(), strict=True
    ):
        ports[port] += count
        networks[_network(source.tobytes())] += count
    return Load(
        vector=vectors.NAMES[number],
        packets=total / seconds,
        bits=8 * float(flows.bytes[chosen].sum()) / seconds,
        ports=tuple((port, count / total) for port, count in ports.most_common(SHOWN)),
        sources=tuple((each, count / total) for each, count in Counter(networks).most_common(SHOWN)),
        lengths=(int(np.floor(lengths[rare])), int(np.ceil(lengths[-1 - rare]))),
        protocols=tuple(np.unique(flows.protocol[chosen]).tolist()),
    )


def _network(address: bytes) -> Network:
    if address.startswith(records.MAPPED):
        return IPv4Network((address[12:15] + b"\0", 24))
    return IPv6Network((address[:6] + bytes(10), 48))


def host(address: bytes) -> Network:
    """An address of a flow as a network of one."""
    return ip_network(address[12:] if address.startswith(records.MAPPED) else address)


def _vectors(flows: Columns) -> Array:
    table = vectors.table()
    columns = (flows.protocol, flows.source_port, flows.target_port, flows.flags, flows.fragment)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return np.fromiter((vectors.classify(table, *row) for row in rows), np.int64, len(flows.first))
