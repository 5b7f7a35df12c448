"""What is a flood: rates of a target over lines, bin by bin; when it began, peaked and ended, and by which rule.

A line is the floor of the vector, or what the target is used to, whichever is higher. One bin at five times the line
raises, two of three bins over it below that, and the mean of eight, because floods may come in pulses. Where rates come
from samples, their lower bound must be over the line, and the mean of three bins counts too.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from khien.flows.vectors import NUMBERS

FLOOD, TAKES_PART = "flood", "flood-source"  # what is claimed of who is flooded, and of networks of ours that send
STRONG = 5.0  # times the line at which one bin is enough
SURE = 1.64  # standard deviations of what samples say: one in twenty is under the bound by chance
GOES_ON = 0.5  # of the line: above it a flood goes on, below it is quiet
QUIET = 60  # seconds without a flood after which another one is another one
_FEW = 1000  # packets: fewer in a capture of less than a second are no flood
_MEANS = ((3, True), (8, False))  # seconds that are added up, and whether of samples alone: floods may come in pulses
_MEMBER = 0.05  # of the packets or bytes of a flood: a vector with less is not named

Array = np.ndarray[Any, Any]

_SYN, _SYN_ACK, _ACK, _RST, _FIN, _TCP = (
    NUMBERS[name] for name in ("syn", "syn-ack-reflection", "ack", "rst", "fin", "tcp")
)


class Rates(NamedTuple):
    """What one target got: vectors x seconds, a second; noise: the variance of packets that sampling brings.

    seen: seconds of each bin that were looked at.
    """

    vectors: tuple[int, ...]
    packets: Array
    bytes: Array
    noise: Array
    seen: Array


class Flood(NamedTuple):
    """A flood within the rates: bins by their place; packets and bytes a second at the peak, of its vectors.

    raised: the bin that made it one; error: standard deviation of packets at the peak; loads: each vector with its
    packets and bytes; vector, rule, rate, line: what is most over a line, of packets or bits a second.
    """

    start: int
    end: int
    peak: int
    raised: int
    vectors: tuple[int, ...]
    packets: float
    bytes: float
    error: float
    loads: tuple[tuple[int, float, float], ...]
    vector: int
    rule: str
    rate: float
    line: float


def floods(rates: Rates, packet_lines: Array, byte_lines: Array) -> list[Flood]:
    """The floods in what a target got; lines: of each vector, packets and bytes a second. In the order of time."""
    packets = np.maximum(rates.packets, 0) / rates.seen
    byte_counts = np.maximum(rates.bytes, 0) / rates.seen
    error = np.sqrt(np.maximum(rates.noise, 0)) / rates.seen
    own = np.maximum(packets - _ordinary(rates.vectors, packets), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_packets = own / packet_lines[:, None]
        by_bytes = byte_counts * np.where(packets > 0, own / packets, 0) / byte_lines[:, None]
        uncertain = np.where(packets > 0, error / packets, 0.0)
    times = np.maximum(by_packets, by_bytes)  # of the line
    low = times * (1 - SURE * uncertain)
    raised = _raised(times, low, uncertain, rates.noise)
    if rates.seen.sum() < 1:  # nothing beside these bins could speak against them
        raised |= (low >= 1).all(axis=1, keepdims=True) & (own * rates.seen >= _FEW / len(rates.seen))
    if not raised.any():
        return []
    on = (times >= GOES_ON).any(axis=0)
    found = []
    for begin, end in _runs(np.asarray(on | raised.any(axis=0))):
        if not raised[:, begin : end + 1].any():
            continue
        found.append(_flood(rates, packets, byte_counts, error, times, by_bytes > by_packets, raised, begin, end,
                            packet_lines, byte_lines))  # fmt: skip
    return found


def _ordinary(vectors: Sequence[int], packets: Array) -> Array:
    """What of the packets that begin or refuse a connection goes with the connections there are."""
    at = {vector: row for row, vector in enumerate(vectors)}
    whole = sum((packets[at[each]] for each in (_ACK, _TCP, _FIN) if each in at), np.zeros(packets.shape[1]))
    ordinary = np.zeros_like(packets)
    for vector, share in ((_SYN, 0.25), (_SYN_ACK, 0.25), (_RST, 0.5), (_FIN, 0.0)):
        if vector in at:
            ordinary[at[vector]] = share * whole
    if _FIN in at:
        ordinary[at[_FIN]] = 0.5 * (whole - packets[at[_FIN]])
    return ordinary


def _raised(times: Array, low: Array, uncertain: Array, noise: Array) -> Array:
    """The bins that raise: vectors x seconds. low: the lower bound of times, uncertain: their relative deviation."""
    over = low >= 1
    two = over.copy()
    two[:, :1] = False
    two[:, 1:] &= over[:, :-1]
    skipping = over.copy()
    skipping[:, :2] = False
    skipping[:, 2:] &= over[:, :-2]
    raised = (low >= STRONG) | two | skipping
    variance = (uncertain * times) ** 2
    for length, sampled in _MEANS:
        if times.shape[1] >= length:
            mean = _trailing(times, length) / length
            deviation = np.sqrt(_trailing(variance, length)) / length
            raised |= (mean - SURE * deviation >= 1) & (times >= 1) & ((noise > 0) | (not sampled))
    return raised


def _trailing(values: Array, length: int) -> Array:
    """Sums of each bin and those before it, so many in all."""
    total = np.cumsum(values, axis=1)
    total[:, length:] -= total[:, :-length].copy()
    return total


def _runs(on: Array) -> list[tuple[int, int]]:
    """First and last bins of what goes on with no longer pause than QUIET."""
    bins = np.flatnonzero(on)
    if not len(bins):
        return []
    breaks = np.flatnonzero(np.diff(bins) > QUIET)
    begins = bins[np.concatenate(([0], breaks + 1))].tolist()
    ends = bins[np.concatenate((breaks, [len(bins) - 1]))].tolist()
    return list(zip(begins, ends, strict=True))


def _flood(
    rates: Rates, packets: Array, byte_counts: Array, error: Array, times: Array, bits: Array, raised: Array,
    begin: int, end: int, packet_lines: Array, byte_lines: Array,
) -> Flood:  # fmt: skip
    """The flood between two bins, both in it."""
    here = slice(begin, end + 1)
    going = (times[:, here] >= GOES_ON) | raised[:, here]
    bins = begin + np.flatnonzero(going.any(axis=0))
    sent, size = packets[:, bins].sum(axis=1), byte_counts[:, bins].sum(axis=1)
    taking_part = raised[:, here].any(axis=1) | (going.sum(axis=1) >= 2)
    share = np.maximum(sent / max(sent[taking_part].sum(), 1), size / max(size[taking_part].sum(), 1))
    members = np.flatnonzero(taking_part & ((share >= _MEMBER) | raised[:, here].any(axis=1)))
    members = members[np.argsort(-np.maximum(share, 0)[members], kind="stable")]
    first = begin + int(np.flatnonzero(raised[:, here].any(axis=0))[0])
    start = _start(np.asarray(going.any(axis=0)), first - begin) + begin
    total = packets[members][:, here].sum(axis=0)
    peak = begin + int(np.argmax(np.where(np.arange(len(total)) >= start - begin, total, -1)))
    worst = int(members[np.argmax(times[members, peak])])
    by_bits = bool(bits[worst, peak])
    return Flood(
        start=start,
        end=int(bins[-1]),
        peak=peak,
        raised=first,
        vectors=tuple(rates.vectors[each] for each in members.tolist()),
        packets=float(packets[members, peak].sum()),
        bytes=float(byte_counts[members, peak].sum()),
        error=float(np.sqrt((error[members, peak] ** 2).sum())),
        loads=tuple(
            (rates.vectors[each], float(packets[each, peak]), float(byte_counts[each, peak]))
            for each in members.tolist()
        ),
        vector=rates.vectors[worst],
        rule="bits" if by_bits else "packets",
        rate=float(byte_counts[worst, peak] * 8 if by_bits else packets[worst, peak]),
        line=float(byte_lines[worst] * 8 if by_bits else packet_lines[worst]),
    )


def _start(going: Array, raised: int) -> int:
    """The bin in which what was raised began: back to the first pause of three seconds."""
    at = raised
    while at > 0 and going[max(at - 3, 0) : at].any():
        at = max(at - 3, 0) + int(np.flatnonzero(going[max(at - 3, 0) : at])[0])
    return at


def lines(
    floor: Mapping[int, tuple[float, float]], usual: Mapping[int, float], vectors: Sequence[int], most: float
) -> tuple[Array, Array]:
    """Packets and bytes a second of each vector: its floor (packets, bits), or what is usual if that is more.

    most: as many times the floor a line may be, because who floods a little each day would teach us to look away.
    """
    times = [min(max(usual.get(each, 0.0) / floor[each][0], 1.0), most) for each in vectors]
    packets, bits = zip(*(floor[each] for each in vectors), strict=True)
    return np.array(packets) * times, np.array(bits) / 8 * times
