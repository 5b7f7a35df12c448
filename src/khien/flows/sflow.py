"""sFlow version 5 (sflow.org, sflow_version_5.txt): sampled packets out of exporters' datagrams, as rows of flows.

A flow sample gives one row: of the sampled packet's headers (a raw header record), else of an IPv4 or IPv6 record. It
stands for as many packets as the sampling rate says, all at the time the datagram came. Counter samples are counted.
"""

from typing import Any, NamedTuple

import numpy as np

from khien.compiled import inner, kernel
from khien.flows.datagrams import Datagrams
from khien.flows.packets import (
    FRAME,
    LARGEST,
    LINK_ETHERNET,
    LINK_IPV4,
    LINK_IPV6,
    LINK_MPLS,
    LINK_PPP,
    READ,
    TCP,
    UDP,
    four,
    put_address,
    read_frame,
)
from khien.flows.records import Columns

Array = np.ndarray[Any, Any]

VERSION = 5
FLOW, COUNTER, EXPANDED_FLOW, EXPANDED_COUNTER = 1, 2, 3, 4  # samples of enterprise 0
RAW_HEADER, SAMPLED_IPV4, SAMPLED_IPV6 = 1, 3, 4  # records in flow samples
LEAST_SAMPLE = 40  # bytes of a flow sample that gives a row, with its type and length

WHOLE, OTHER_VERSION, CUT, BROKEN = range(4)  # what became of a datagram

# Numbers a datagram: what became of it; rows; counter samples; flow samples without an IP packet; samples of other
# kinds; then the sub-agent, and the number of the datagram in that one's sequence.
OUTCOME, ROWS, COUNTERS, NO_PACKET, OTHER, SUB_AGENT, SEQUENCE, NOTES = range(8)


class Decoded(NamedTuple):
    """What datagrams gave. rows: how many rows in all; notes: i8, a row of NOTES numbers a datagram (see OUTCOME ...);
    agents: u1, 16 bytes a datagram, the address by which the agent calls itself, zeros where it has none."""

    rows: int
    notes: Array
    agents: Array


@inner
def link_of(protocol):
    """The LINKTYPE_ value of a header protocol of sFlow, -1 for what is not read."""
    if protocol == 1:
        return LINK_ETHERNET
    if protocol == 7 or protocol == 14:  # PPP, and PPP over SONET/SDH
        return LINK_PPP
    if protocol == 11:
        return LINK_IPV4
    if protocol == 12:
        return LINK_IPV6
    return LINK_MPLS if protocol == 13 else -1


@inner
def sampled_header(
    octets, at, end, row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes
):
    """Reads a raw header record; answers whether that gave a row."""
    if end - at < 16:
        return False
    wire = four(octets, at + 4) - four(octets, at + 8)  # of that, stripped before: the frame check sequence and such
    size = min(four(octets, at + 12), end - at - 16)
    return (
        read_frame(
            octets, at + 16, at + 16 + size, link_of(four(octets, at)), max(wire, size),
            row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
        )
        == READ
    )  # fmt: skip


@inner
def sampled_ip(
    octets, at, end, version, row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes
):
    """Reads a record of a sampled IPv4 or IPv6 packet; answers whether that gave a row."""
    wide = 4 if version == 4 else 16
    ports = at + 8 + 2 * wide
    if end - ports < 16:
        return False
    protocol = four(octets, at + 4)
    ported = protocol == TCP or protocol == UDP
    sizes[row] = min(four(octets, at), LARGEST)
    put_address(octets, at + 8, version, row, sources)
    put_address(octets, at + 8 + wide, version, row, targets)
    protocols[row] = protocol & 255
    source_ports[row] = four(octets, ports) & 0xFFFF if ported else 0
    target_ports[row] = four(octets, ports + 4) & 0xFFFF if ported else 0
    flags[row] = four(octets, ports + 8) & 255 if protocol == TCP else 0
    fragments[row] = 0
    return True


@inner
def flow_records(
    octets, at, end, left, row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes
):
    """Reads the records of a flow sample; answers whether they gave a row. A sampled header says most."""
    found = False
    while left > 0 and end - at >= 8:
        kind = four(octets, at)
        behind = at + 8 + four(octets, at + 4)
        if behind > end:
            break
        if kind == RAW_HEADER:
            if sampled_header(
                octets, at + 8, behind,
                row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
            ):  # fmt: skip
                return True
        elif (kind == SAMPLED_IPV4 or kind == SAMPLED_IPV6) and not found:
            found = sampled_ip(
                octets, at + 8, behind, 4 if kind == SAMPLED_IPV4 else 6,
                row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
            )  # fmt: skip
        at = behind
        left -= 1
    return found


@inner
def read_head(octets, at, end, each, notes, agents):
    """Reads what stands before the samples. Answers (the place of the first, how many), (0, 0) where that is no more.

    Notes the outcome, and for whom sequences count.
    """
    put = NOTES * each
    for i in range(NOTES):
        notes[put + i] = 0
    for i in range(16):
        agents[16 * each + i] = 0
    notes[put + OUTCOME] = CUT
    if end - at < 28:
        return 0, 0
    if four(octets, at) != VERSION:
        notes[put + OUTCOME] = OTHER_VERSION
        return 0, 0
    kind = four(octets, at + 4)
    if kind == 2 and end - at >= 40:
        put_address(octets, at + 8, 6, each, agents)
        at += 24
    elif kind <= 1:  # 0: an address nobody knows, of no bytes
        if kind == 1:
            put_address(octets, at + 8, 4, each, agents)
        at += 8 + 4 * kind
    else:
        notes[put + OUTCOME] = CUT if kind == 2 else BROKEN
        return 0, 0
    notes[put + OUTCOME] = WHOLE
    notes[put + SUB_AGENT] = four(octets, at)
    notes[put + SEQUENCE] = four(octets, at + 4)
    return at + 16, four(octets, at + 12)


@kernel(
    "i8", "i8", "i8*", "u1*", "i8*", "i8*", "i8*", "i8", "i8",
    "i8*", "i8*", *FRAME[:-1], "i8*", "i8*", "u4*", "i8*", "u1*",
)  # fmt: skip
def read_datagrams(
    count, chosen, octets, begins, ends, received, row, capacity,
    firsts, lasts, sources, targets, source_ports, target_ports, protocols, flags, fragments, counts, sizes, samplings,
    notes, agents,
):  # fmt: skip
    """Writes the flow samples of the chosen datagrams from a row on, capacity at most; answers behind the last."""
    for each in range(count):
        at, left = read_head(octets, begins[chosen[each]], ends[chosen[each]], each, notes, agents)
        end = ends[chosen[each]]
        put = NOTES * each
        first = row
        while left > 0:
            behind = at + 8 + four(octets, at + 4) if end - at >= 8 else end + 1
            if behind > end:
                notes[put + OUTCOME] = CUT
                break
            kind = four(octets, at)
            if kind == COUNTER or kind == EXPANDED_COUNTER:
                notes[put + COUNTERS] += 1
            elif kind == FLOW or kind == EXPANDED_FLOW:
                wide = 4 if kind == EXPANDED_FLOW else 0  # of a source id that is two numbers, interfaces likewise
                records = at + 40 + 3 * wide
                if records > behind or row >= capacity:
                    notes[put + OUTCOME] = BROKEN
                elif flow_records(
                    octets, records, behind, four(octets, records - 4),
                    row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
                ):  # fmt: skip
                    rate = max(four(octets, at + 16 + wide), 1)
                    firsts[row] = received[chosen[each]]
                    lasts[row] = received[chosen[each]]
                    counts[row] = rate
                    sizes[row] *= rate
                    samplings[row] = rate
                    row += 1
                else:
                    notes[put + NO_PACKET] += 1
            else:
                notes[put + OTHER] += 1
            at = behind
            left -= 1
        notes[put + ROWS] = row - first
    return row


def most_rows(datagrams: Datagrams, chosen: Array) -> int:
    """How many rows the chosen datagrams cannot exceed."""
    return int((datagrams.ends[chosen] - datagrams.begins[chosen]).sum()) // LEAST_SAMPLE


def decode(datagrams: Datagrams, chosen: Array, columns: Columns, row: int) -> Decoded:
    """Writes the flow samples of the chosen datagrams (their numbers, i8) into columns from a row on, in their order.

    columns has room for ``most_rows`` behind that row.
    """
    notes = np.empty((len(chosen), NOTES), np.int64)
    agents = np.empty((len(chosen), 16), np.uint8)
    end = read_datagrams(
        len(chosen), chosen, datagrams.octets, datagrams.begins, datagrams.ends, datagrams.received,
        row, len(columns.first), *columns, notes, agents,
    )  # fmt: skip
    return Decoded(end - row, notes, agents)
