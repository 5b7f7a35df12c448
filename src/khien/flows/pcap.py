"""Packet captures, pcap and pcapng, into frames; and frames into flows. What exporters sent in them: exports.py.

pcap: draft-ietf-opsawg-pcap, pcapng: draft-ietf-opsawg-pcapng. Both byte orders, any resolution of times, several
sections and interfaces. Memory is bounded by the blocks that are handed in and LARGEST_BLOCK.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from khien.compiled import inner, kernel
from khien.errors import FormatError
from khien.flows import records
from khien.flows.packets import FRAME, OUTCOMES, READ, four, read_frame, two

Array = np.ndarray[Any, Any]

MAGICS = {  # of pcap: least significant byte first, ticks a second
    b"\xa1\xb2\xc3\xd4": (0, 10**6),
    b"\xd4\xc3\xb2\xa1": (1, 10**6),
    b"\xa1\xb2\x3c\x4d": (0, 10**9),
    b"\x4d\x3c\xb2\xa1": (1, 10**9),
}
SECTION = b"\x0a\x0d\x0d\x0a"  # what pcapng begins with
SECTION_TYPE, DESCRIPTION, PACKET, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6  # its blocks, of an interface, of packets
LARGEST_FRAME = 1 << 18  # bytes, as libpcap has it
LARGEST_BLOCK = 1 << 24  # bytes, of pcapng; as Wireshark has it
MOST_INTERFACES = 1024
LATEST = 253402300799  # seconds: the end of the year 9999

# State of a reader; behind it come four numbers an interface.
SWAPPED, TICKS, LINK, INTERFACES, STATE = range(5)
OF_LINK, OF_SNAP, OF_TICKS, OF_SHIFT, INTERFACE = range(5)

MORE, BROKEN, ORDER, CROWDED = range(4)  # why a kernel stopped
_WRONG = {
    BROKEN: "no packet with a length that can be",
    ORDER: "a section in no byte order",
    CROWDED: f"more than {MOST_INTERFACES} interfaces",
}

FRAMES = ("i8*",) * 4 + ("i4*",)  # begins to links of Frames


class Frames(NamedTuple):
    """Frames of one block of a capture; arrays of one length but octets.

    octets: the block (u1); begins, ends: where each frame is in there (i8); wires: how long it was on the wire (i8);
    times: when it was captured, microseconds since 1970 (i8); links: its LINKTYPE_ value (i4); cut: bytes behind the
    last frame that are no whole one, not 0 only where the capture ends there.
    """

    octets: Array
    begins: Array
    ends: Array
    wires: Array
    times: Array
    links: Array
    cut: int


@inner
def number(octets, at, swapped):
    """A number of four bytes in the byte order of the section."""
    if swapped:
        return ((octets[at + 3] * 256 + octets[at + 2]) * 256 + octets[at + 1]) * 256 + octets[at]
    return four(octets, at)


@inner
def short(octets, at, swapped):
    """A number of two bytes in the byte order of the section."""
    return octets[at + 1] * 256 + octets[at] if swapped else two(octets, at)


@inner
def put_frame(row, begin, size, wire, time, link, begins, ends, wires, times, links):
    """Writes down one frame."""
    begins[row] = begin
    ends[row] = begin + size
    wires[row] = max(wire, size)
    times[row] = time
    links[row] = link


@kernel("i8", "i8", "u1*", "i8*", *FRAMES, "i8*")
def read_pcap(length, octets, state, begins, ends, wires, times, links, done):
    """Frames of octets[:length], which begins with a packet's header. Answers how many.

    done[0]: bytes that were read; done[1]: why it stopped there.
    """
    swapped = state[SWAPPED]
    count = 0
    at = 0
    done[1] = MORE
    while length - at >= 16:
        size = number(octets, at + 8, swapped)
        if size > LARGEST_FRAME:
            done[1] = BROKEN
            break
        if length - at - 16 < size:
            break
        fraction = number(octets, at + 4, swapped)
        time = number(octets, at, swapped) * 1000000 + (fraction if state[TICKS] == 1000000 else fraction // 1000)
        wire = number(octets, at + 12, swapped)
        put_frame(count, at + 16, size, wire, time, state[LINK], begins, ends, wires, times, links)
        count += 1
        at += 16 + size
    done[0] = at
    return count


@inner
def microseconds(ticks, per_second, shift):
    """Ticks since 1970 as microseconds."""
    seconds = ticks // per_second
    rest = ticks - seconds * per_second
    exact = per_second <= 1 << 43  # then the product stays within 63 bits
    rest = rest * 1000000 // per_second if exact else min(rest // (per_second // 1000000), 999999)
    return min(max(min(seconds, LATEST) + shift, 0), LATEST) * 1000000 + rest


@inner
def option(octets, at, end, swapped, wanted):
    """Where the value of an option of at least a byte stands, 0 where there is none."""
    while end - at >= 4:
        code = short(octets, at, swapped)
        size = short(octets, at + 2, swapped)
        if code == 0 or end - at - 4 < size:
            return 0
        if code == wanted and size > 0:
            return at + 4
        at += 4 + ((size + 3) & ~3)
    return 0


@inner
def add_interface(octets, at, end, state):
    """Notes what an interface description (section 4.2) says of times and links."""
    swapped = state[SWAPPED]
    put = STATE + INTERFACE * state[INTERFACES]
    state[put + OF_LINK] = short(octets, at + 8, swapped)
    state[put + OF_SNAP] = number(octets, at + 12, swapped)
    state[put + OF_TICKS] = 1000000
    state[put + OF_SHIFT] = 0
    resolution = option(octets, at + 16, end, swapped, 9)
    if resolution > 0:
        exponent = octets[resolution] & 0x7F
        if octets[resolution] & 0x80:
            state[put + OF_TICKS] = 1 << min(exponent, 62)
        else:
            ticks = 1
            for _ in range(min(exponent, 18)):
                ticks *= 10
            state[put + OF_TICKS] = ticks
    shift = option(octets, at + 16, end, swapped, 14)
    if shift > 0 and end - shift >= 8:
        high = number(octets, shift + (4 if swapped else 0), swapped)
        low = number(octets, shift + (0 if swapped else 4), swapped)
        signed = high - (1 << 32) if high >= 1 << 31 else high
        state[put + OF_SHIFT] = min(max(signed, -1024), 1024) * (1 << 32) + low  # beyond, it is no time
    state[INTERFACES] += 1


@inner
def read_packet(kind, octets, at, end, state, row, begins, ends, wires, times, links):
    """Reads a block that holds a packet (sections 4.3, 4.4, appendix A); answers whether it is a sound one."""
    swapped = state[SWAPPED]
    interface = 0
    if kind != SIMPLE:
        if end - at < 28:
            return False
        interface = number(octets, at + 8, swapped) if kind == ENHANCED else short(octets, at + 8, swapped)
    if interface >= state[INTERFACES]:
        return False
    of = STATE + INTERFACE * interface
    if kind == SIMPLE:
        time = 0
        wire = number(octets, at + 8, swapped)
        begin = at + 12
        size = min(wire, end - begin)
        if state[of + OF_SNAP] > 0:
            size = min(size, state[of + OF_SNAP])
    else:
        ticks = (number(octets, at + 12, swapped) & 0x7FFFFFFF) * (1 << 32) + number(octets, at + 16, swapped)
        time = microseconds(ticks, state[of + OF_TICKS], state[of + OF_SHIFT])
        wire = number(octets, at + 24, swapped)
        begin = at + 28
        size = number(octets, at + 20, swapped)
        if size > end - begin:
            return False
    put_frame(row, begin, size, wire, time, state[of + OF_LINK], begins, ends, wires, times, links)
    return True


@inner
def enter_block(octets, at, length, state):
    """The type and length of the block that begins here; MORE, or a negative reason, where it is no whole one."""
    kind = number(octets, at, state[SWAPPED])
    if kind == SECTION_TYPE:  # reads alike in both byte orders
        magic = four(octets, at + 8)
        if magic != 0x1A2B3C4D and magic != 0x4D3C2B1A:
            return kind, -ORDER
        state[SWAPPED] = magic == 0x4D3C2B1A
        state[INTERFACES] = 0
    size = number(octets, at + 4, state[SWAPPED])
    least = 28 if kind == SECTION_TYPE else 20 if kind == DESCRIPTION else 16 if kind == SIMPLE else 12
    if size < least or size > LARGEST_BLOCK or size & 3:
        return kind, -BROKEN
    if length - at < size:
        return kind, MORE
    if number(octets, at + size - 4, state[SWAPPED]) != size:
        return kind, -BROKEN
    return kind, size


@kernel("i8", "i8", "u1*", "i8*", *FRAMES, "i8*")
def read_pcapng(length, octets, state, begins, ends, wires, times, links, done):
    """Frames of octets[:length], which begins with a block; answers as read_pcap."""
    count = 0
    at = 0
    done[1] = MORE
    while length - at >= 12:
        kind, size = enter_block(octets, at, length, state)
        if size <= 0:
            done[1] = -size
            break
        end = at + size - 4
        if kind == DESCRIPTION:
            if state[INTERFACES] >= MOST_INTERFACES:
                done[1] = CROWDED
                break
            add_interface(octets, at, end, state)
        elif kind == PACKET or kind == SIMPLE or kind == ENHANCED:
            if not read_packet(kind, octets, at, end, state, count, begins, ends, wires, times, links):
                done[1] = BROKEN
                break
            count += 1
        at += size
    done[0] = at
    return count


def is_capture(head: bytes) -> bool:
    """Whether a file that begins like this (4 bytes do) is one of these."""
    return head[:4] in MAGICS or head[:4] == SECTION


def frames(blocks: Iterable[bytes]) -> Iterator[Frames]:
    """The frames of a capture that comes in blocks of any length, as soon as a block makes them whole.

    A last packet that the end of the capture cuts off is told by ``cut``. FormatError, behind the frames that stand
    before it, names the byte that is wrong.
    """
    state = np.zeros(STATE + INTERFACE * MOST_INTERFACES, np.int64)
    done = np.zeros(2, np.int64)
    rest, offset, read = b"", 0, None
    for block in _and_end(blocks):
        rest += block
        if read is None:
            if len(rest) < 24 and block:
                continue
            read, used = reader_of(rest, state)
            rest, offset = rest[used:], used
        octets = np.frombuffer(rest, np.uint8)
        rows = len(rest) // 16
        made = [*(np.empty(rows, np.int64) for _ in range(4)), np.empty(rows, np.int32)]
        count = read(len(rest), octets, state, *made, done)
        used, why = done.tolist()
        rest, offset = rest[used:], offset + used
        cut = len(rest) if not block else 0
        if count or cut:
            yield Frames(octets, *(each[:count] for each in made), cut=cut)
        if why != MORE:
            raise FormatError(f"byte {offset}: {_WRONG[why]}; the capture is damaged from here on")


def _and_end(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks that hold something, and an empty one behind them."""
    yield from filter(None, blocks)
    yield b""


def reader_of(head: bytes, state: Array) -> tuple[Any, int]:
    """The kernel that reads a capture that begins like this, and the bytes before the first packet or block."""
    if head[:4] == SECTION:
        return read_pcapng, 0
    if head[:4] not in MAGICS:
        raise FormatError(f"byte 0: begins with {head[:4].hex() or 'nothing'}: give a pcap or pcapng capture")
    if len(head) < 24:
        raise FormatError(f"byte {len(head)}: the capture ends within its header: copy it anew")
    state[SWAPPED], state[TICKS] = MAGICS[head[:4]]
    state[LINK] = int.from_bytes(head[20:24], "little" if state[SWAPPED] else "big") & 0xFFFF  # above: of checksums
    return read_pcap, 24


@kernel("i8", "i8", "u1*", *FRAMES, "i8*", "i8*", *FRAME[:-1], "i8*", "i8*", "u4*", "i8*")
def read_flows(
    count, octets, begins, ends, wires, times, links,
    firsts, lasts, sources, targets, source_ports, target_ports, protocols, flags, fragments, counts, sizes, samplings,
    tally,
):  # fmt: skip
    """Writes a row a frame that is an IP packet; answers how many. tally: of each packets.OUTCOMES, how many."""
    row = 0
    for each in range(count):
        outcome = read_frame(
            octets, begins[each], ends[each], links[each], wires[each],
            row, sources, targets, source_ports, target_ports, protocols, flags, fragments, sizes,
        )  # fmt: skip
        tally[outcome] += 1
        if outcome == READ:
            firsts[row] = times[each]
            lasts[row] = times[each]
            counts[row] = 1
            samplings[row] = 1
            row += 1
    return row


def flows(seen: Frames) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Raw traffic as schema.FLOWS, one row a packet, and how many frames gave none, by why (packets.OUTCOMES)."""
    columns = records.empty(len(seen.begins))
    tally = np.zeros(len(OUTCOMES), np.int64)
    rows = read_flows(len(seen.begins), *seen[:-1], *columns, tally)
    return records.batch(columns, rows), without_rows(OUTCOMES, tally, seen.cut)


def without_rows(codes: tuple[str, ...], tally: Array, cut: int) -> dict[str, int]:
    """How many frames gave no row, by why; codes: of the numbers in tally."""
    counted = dict(zip(codes, tally.tolist(), strict=True))
    counted["cut-short"] += cut > 0
    return {code: count for code, count in counted.items() if count and code != "read"}
