"""The datagrams of exporters (NetFlow, IPFIX, sFlow) in captured frames, and whether a capture is made of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from khien.compiled import inner, kernel
from khien.flows import pcap, records
from khien.flows.datagrams import Datagrams
from khien.flows.packets import FRAME, IPV4, OUTCOMES, READ, enter, find_ip, four, read_ip, two
from khien.flows.pcap import Frames

Array = np.ndarray[Any, Any]

FRAGMENTED, NOT_UDP, NO_EXPORT = range(len(OUTCOMES), len(OUTCOMES) + 3)  # outcomes more than those of packets
CODES = (*OUTCOMES, "fragment", "not-udp", "no-export")
HEAD = 1 << 20  # bytes of a capture that tell what it holds


@inner
def are_sets(octets, at, end, first, last):
    """Whether sets of NetFlow v9 or IPFIX fill octets[at:end], but for padding. first, last: ids beside those of data
    sets, RFC 3954 section 5 and RFC 7011 section 3.3.2."""
    while end - at >= 4:
        kind = two(octets, at)
        size = two(octets, at + 2)
        if size < 4 or size > end - at or (kind < 256 and (kind < first or kind > last)):
            return False
        at += size
    return True


@inner
def are_samples(octets, at, end):
    """Whether octets[at:end] is an sFlow datagram behind its version: v5, or what v2 and v4 begin with."""
    if four(octets, at) != 1 and four(octets, at) != 2:
        return False
    version = octets[at - 1]
    at += 16 if octets[at + 3] == 1 else 28  # address, (sub-agent,) sequence, uptime
    if version < 5:
        return end - at >= 8 and four(octets, at) > 0 and 1 <= four(octets, at + 4) <= 2
    at += 4
    if end - at < 4:
        return False
    left = four(octets, at)
    at += 4
    while left > 0 and end - at >= 8:
        at += 8 + four(octets, at + 4)
        left -= 1
    return left == 0 and at == end


@inner
def is_export(octets, at, end):
    """Whether a UDP payload is built as exporters build theirs, lengths and counts agreeing with each other."""
    size = end - at
    if size < 16:
        return False
    version = two(octets, at)
    count = two(octets, at + 2)
    if version == 5 or version == 7:
        row = 48 if version == 5 else 52
        return count > 0 and 24 + row * count <= size < 24 + row * (count + 1)
    if version == 9:
        return size >= 24 and are_sets(octets, at + 20, end, 0, 1)
    if version == 10:
        return 16 <= count <= size and are_sets(octets, at + 16, at + count, 2, 3)
    if version == 0 and (count == 2 or count == 4 or count == 5) and size >= 28:
        return are_samples(octets, at + 4, end)
    return False


@kernel("i8", "i8", "u1*", "i8*", "i8*", "i8*", "i4*", "i8*", "i8*", "i8*", *FRAME, "i8*")
def read_payloads(
    count, octets, begins, ends, times, links,
    payload_begins, payload_ends, received,
    sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
    tally,
):  # fmt: skip
    """Finds what exporters sent: where it is, when it came, from whom (sources). Answers how many.

    tally: of each of CODES, how many frames. The other columns are working room.
    """
    row = 0
    for each in range(count):
        end = ends[each]
        at, kind = enter(octets, begins[each], end, links[each])
        at, kind = find_ip(octets, at, end, kind)
        outcome = READ
        if kind < 0:
            outcome = -kind
        else:
            at, end = read_ip(
                octets, at, end, 4 if kind == IPV4 else 6, 0,
                row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
            )  # fmt: skip
            if fragments[row] != 0:
                outcome = FRAGMENTED
            elif at == 0:
                outcome = NOT_UDP
            else:
                behind = at + two(octets, at + 4)
                if behind > end or not is_export(octets, at + 8, behind):
                    outcome = NO_EXPORT
                else:
                    payload_begins[row] = at + 8
                    payload_ends[row] = behind
                    received[row] = times[each]
                    row += 1
        tally[outcome] += 1
    return row


def exports(seen: Frames) -> tuple[Datagrams, dict[str, int]]:
    """What exporters sent, and how many frames hold no such datagram, by why (CODES).

    A datagram that came in IP fragments, or that the capture cut, is counted, not put together.
    """
    frames = len(seen.begins)
    begins, ends, received = (np.empty(frames, np.int64) for _ in range(3))
    columns = records.empty(frames)
    tally = np.zeros(len(CODES), np.int64)
    count = read_payloads(
        frames, seen.octets, seen.begins, seen.ends, seen.times, seen.links,
        begins, ends, received, *columns[2:9], columns.bytes, tally,
    )  # fmt: skip
    pairs = columns.source[:count].view(">u8")
    peers, exporters = np.unique(pairs, axis=0, return_inverse=True)
    made = Datagrams(
        octets=seen.octets,
        begins=begins[:count],
        ends=ends[:count],
        received=received[:count],
        exporters=exporters.reshape(-1).astype(np.int32),
        peers=tuple(each.tobytes() for each in peers),
    )
    return made, pcap.without_rows(CODES, tally, seen.cut)


def holds_exports(head: bytes) -> bool:
    """Whether a capture that begins like this (HEAD bytes do) is to be read as exports, not as raw traffic.

    It is, where UDP payloads built as exporters build theirs are at least half of all UDP datagrams and a quarter of
    all IP packets in its head, fragments left out: collectors also speak BGP, BMP and SSH, while traffic that a network
    carries holds few exports beside much else. Ports say nothing: every site chooses its own.
    """
    found: Iterator[Frames] = pcap.frames([head])
    first = next(found, None)
    if first is None:
        return False
    made, others = exports(first)
    count = len(made.begins)
    udp = count + others.get("no-export", 0)
    return count > 0 and udp <= 2 * count and udp + others.get("not-udp", 0) <= 4 * count
