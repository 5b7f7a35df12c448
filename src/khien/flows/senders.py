"""Who sends to the targets that are under suspicion: counted for those alone, and only while they are.

Distinct sources are counted by HyperLogLog (Flajolet et al. 2007), how evenly they send by the entropy of what falls
into hashed buckets; both merge in any order. The heaviest sources are held by name, a bounded number of them.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from khien.compiled import kernel
from khien.flows import counts, records, vectors
from khien.flows.counts import mask, mixed
from khien.flows.vectors import classify

REGISTERS = 1 << 12  # of a HyperLogLog: a standard error of 1.04 / 64, under 2 %
BUCKETS = 1 << 8
HEAVIEST = 512  # sources, and ports, of one target that are held by name
LONGEST = 2048  # bytes of a packet; longer ones count as so long
_PROFILED = 1 << 16  # flows of a page whose ports and lengths are looked at: as good as all

Array = np.ndarray[Any, Any]
Target = tuple[int, bytes]  # scope and prefix


@kernel(
    "i8",
    *("u8*", "u2*", "u2*", "u1*", "u1*", "u1*", "u1*", "i8"),
    *("u8*", "u1*", "i8", "u8*", "u8*", "i4*", "i8", "i4*", "i4*", "i8"),
)
def _sent_to(
    target, source_port, target_port, protocol, flags, fragment, table, n,
    masks, scopes, n_scopes, suspects, wanted, slots, slot_mask, rows, which, room,
):  # fmt: skip
    """The flows to suspects, of the vectors they are suspected for: row, and number of the suspect << 8 | vector."""
    made = 0
    for i in range(n):
        for each in range(n_scopes):
            high, low = target[2 * i] & masks[2 * each], target[2 * i + 1] & masks[2 * each + 1]
            slot = np.int64(mixed(high, low, np.int64(scopes[each]))) & slot_mask
            while slots[slot] != 0:
                suspect = np.int64(slots[slot]) - 1
                if (
                    suspects[3 * suspect] == high
                    and suspects[3 * suspect + 1] == low
                    and suspects[3 * suspect + 2] == np.uint64(scopes[each])
                ):
                    vector = classify(table, protocol[i], source_port[i], target_port[i], flags[i], fragment[i])
                    if (wanted[suspect] >> np.uint64(vector)) & np.uint64(1) and made < room:
                        rows[made] = i
                        which[made] = (suspect << 8) | np.int64(vector)
                        made += 1
                    break
                slot = (slot + 1) & slot_mask
    return made


@kernel("i8", "u8*", "i8*", "i8", "u1*", "i8*")
def _sketch(source, packets, n, registers, buckets):
    """Takes n sources of one target, and what they sent, into its sketches."""
    for i in range(n):
        h = mixed(mixed(source[2 * i], source[2 * i + 1], 7), np.uint64(0), 0)  # once leaves neighbours too close
        register = np.int64(h & np.uint64(REGISTERS - 1))
        buckets[np.int64((h >> np.uint64(12)) & np.uint64(BUCKETS - 1))] += packets[i]
        rest = h >> np.uint64(20)
        rank = 1
        while rank < 45 and (rest & np.uint64(1)) == 0:
            rest >>= np.uint64(1)
            rank += 1
        if registers[register] < rank:
            registers[register] = rank
    return 0


class Senders:
    """Who sends to one target by one vector: how many, how evenly, the heaviest of them; to which ports, how long."""

    def __init__(self) -> None:
        self.packets = 0
        self._registers = np.zeros(REGISTERS, np.uint8)
        self._buckets = np.zeros(BUCKETS, np.int64)
        self._heaviest: dict[bytes, int] = {}
        self._ports: dict[int, int] = {}
        self._lengths = np.zeros(LONGEST + 1, np.int64)

    def take(self, sources: Array, packets: Array) -> None:
        """Adds sources (u8, n x 2), each with its packets (i8)."""
        self.packets += int(packets.sum())
        flat = np.ascontiguousarray(sources).reshape(-1)
        _sketch(flat, np.ascontiguousarray(packets), len(packets), self._registers, self._buckets)
        order = np.argsort(-packets, kind="stable")[: 2 * HEAVIEST]
        addresses = map(bytes, sources[order].view(np.uint8).reshape(-1, records.ADDRESS))
        _add(self._heaviest, zip(addresses, packets[order].tolist(), strict=True))

    def profile(self, ports: Array, lengths: Array, packets: Array) -> None:
        """Adds flows: target port, bytes of a packet, and packets of each."""
        met, at = np.unique(ports, return_inverse=True)
        sent = np.bincount(at, packets).astype(np.int64)
        order = np.argsort(-sent, kind="stable")[:HEAVIEST]
        _add(self._ports, zip(met[order].tolist(), sent[order].tolist(), strict=True))
        self._lengths += np.bincount(np.minimum(lengths, LONGEST), packets, LONGEST + 1).astype(np.int64)

    def merge(self, other: "Senders") -> None:
        """Takes what another has counted."""
        self.packets += other.packets
        np.maximum(self._registers, other._registers, out=self._registers)
        self._buckets += other._buckets
        _add(self._heaviest, other._heaviest.items())
        _add(self._ports, other._ports.items())
        self._lengths += other._lengths

    def heaviest(self, most: int) -> list[tuple[bytes, int]]:
        """Of the sources held by name those that sent most: address, and packets."""
        return _greatest(self._heaviest, most)

    def networks(self, most: int) -> list["Network"]:
        """The /24s (IPv4) and /48s (IPv6) that most comes from, with their share of all packets."""
        sent: dict[Target, int] = {}
        for source, packets in self._heaviest.items():
            key = _network_of(source)
            sent[key] = sent.get(key, 0) + packets
        whole = max(self.packets, 1)
        return [Network(prefix, scope, packets / whole) for (scope, prefix), packets in _greatest(sent, most)]

    def at_home(self, home: Sequence[Target]) -> dict[Target, list[bytes]]:
        """The sources held by name that lie in prefixes of ours, by the /24s (IPv4) and /48s (IPv6) they are in."""
        made: dict[Target, list[bytes]] = {}
        for source, _ in _greatest(self._heaviest, HEAVIEST):
            if any(records.inside((records.HOST, source), each) for each in home):
                made.setdefault(_network_of(source), []).append(source)
        return made

    def ports(self, most: int) -> list[tuple[int, float]]:
        """The target ports that get most, each with its share of the packets that were looked at for that."""
        whole = max(int(self._lengths.sum()), 1)
        return [(port, packets / whole) for port, packets in _greatest(self._ports, most)]

    @property
    def lengths(self) -> tuple[int, int] | None:
        """Between which lengths in bytes all but one in a hundred packets are."""
        total = np.cumsum(self._lengths)
        if not total[-1]:
            return None
        low, high = np.searchsorted(total, (0.005 * total[-1], 0.995 * total[-1])).tolist()
        return low, high

    @property
    def distinct(self) -> float:
        """How many sources there are: HyperLogLog's estimate, and linear counting where they are few."""
        empty = int((self._registers == 0).sum())
        if empty > REGISTERS // 20:
            return REGISTERS * float(np.log(REGISTERS / empty))
        alpha = 0.7213 / (1 + 1.079 / REGISTERS)
        return alpha * REGISTERS**2 / float(np.exp2(-self._registers.astype(float)).sum())

    @property
    def entropy(self) -> float:
        """How evenly packets fall on hashed sources, in bits: 0 for one source, at most 8."""
        whole = self._buckets.sum()
        share = self._buckets[self._buckets > 0] / max(whole, 1)
        return float(-(share * np.log2(share)).sum()) + 0.0


K = TypeVar("K", int, bytes, Target)


def _add(known: dict[K, int], more: Iterable[tuple[K, int]]) -> None:
    """Adds up; when there are twice as many as are held, the least go."""
    for key, packets in more:
        known[key] = known.get(key, 0) + packets
    if len(known) > 2 * HEAVIEST:
        kept = _greatest(known, HEAVIEST)
        known.clear()
        known.update(kept)


def _greatest(known: Mapping[K, int], most: int) -> list[tuple[K, int]]:
    return heapq.nsmallest(most, known.items(), key=lambda each: (-each[1], each[0]))


def _network_of(source: bytes) -> Target:
    scope, octets = (120, 15) if source.startswith(records.MAPPED) else (48, 6)
    return scope, source[:octets].ljust(records.ADDRESS, b"\0")


class Network(NamedTuple):
    """A network that takes part, and its share of all packets."""

    prefix: bytes
    scope: int
    share: float


def gather(flows: pa.RecordBatch, suspects: Mapping[Target, int], into: dict[Target, dict[int, Senders]]) -> None:
    """Adds the sources of flows to suspects, each with the vectors (bit n: vector n) it is suspected for, by vector."""
    if not suspects or not flows.num_rows:
        return
    c = records.columns(flows)
    targets = list(suspects)
    scopes = sorted({scope for scope, _ in targets})
    rows_of, slots = _table(targets)
    room = flows.num_rows * len(scopes)
    rows, which = np.empty(room, np.int32), np.empty(room, np.int32)
    made = _sent_to(
        *(c.target.view(np.uint64).reshape(-1), c.source_port, c.target_port, c.protocol, c.flags, c.fragment),
        *(vectors.table(), flows.num_rows, np.concatenate([mask(scope) for scope in scopes])),
        *(np.array(scopes, np.uint8), len(scopes), rows_of, np.array(list(suspects.values()), np.uint64)),
        *(slots, len(slots) - 1, rows, which, room),
    )
    rows, which = rows[:made], which[:made].astype(np.int64)
    sent = _by_source(c, rows, which)
    for key in np.unique(which).tolist():
        senders = into.setdefault(targets[key >> 8], {}).setdefault(key & 0xFF, Senders())
        here = sent.second == key
        senders.take(sent.prefix[here], sent.sums[here, 0])
        some = rows[which == key][:_PROFILED]
        packets = c.packets[some]
        senders.profile(c.target_port[some], c.bytes[some] // np.maximum(packets, 1), packets)


def _by_source(c: records.Columns, rows: Array, which: Array) -> counts.Counts:
    """Packets by suspect (in place of the second) and source (in place of the prefix)."""
    n = len(rows)
    sums = np.zeros((n, len(counts.SUMS)), np.int64)
    sums[:, 0] = c.packets[rows]
    return counts.merged(counts.of_columns(which, 0, c.source.view(np.uint64)[rows], 0, sums))


def _table(targets: Sequence[Target]) -> tuple[Array, Array]:
    """Suspects as rows (prefix in two numbers, scope) and the hash that finds them."""
    rows = np.array([(*np.frombuffer(prefix, np.uint64), np.uint64(scope)) for scope, prefix in targets], np.uint64)
    slots = np.zeros(1 << max(4, (4 * len(targets) - 1).bit_length()), np.int32)
    for number, (high, low, scope) in enumerate(rows):
        with np.errstate(over="ignore"):
            slot = int(mixed(high, low, np.int64(scope))) & (len(slots) - 1)
        while slots[slot]:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = number + 1
    return np.ascontiguousarray(rows).reshape(-1), slots


KERNELS = (_sent_to, _sketch)
