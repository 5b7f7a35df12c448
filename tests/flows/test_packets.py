"""A frame's headers give the row that the standards say, and whatever the bytes, nothing outside them is read."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.flows import packets, pcap, records
from khien.flows.pcap import Frames
from tests.flows.wire import ethernet, guarded, ipv4, ipv6, packed, tcp, udp

TCP_ROW = {"source_port": 1234, "target_port": 80, "protocol": 6, "flags": 2, "fragment": 0}
UDP_ROW = {"source_port": 53, "target_port": 4444, "protocol": 17, "flags": 0, "fragment": 0}
NO_PORTS = {"source_port": 0, "target_port": 0, "flags": 0}

SYN = tcp(1234, 80)
ANSWER = udp(53, 4444)
LABEL, BOTTOM = struct.pack(">I", 77 << 12 | 64), struct.pack(">I", 78 << 12 | 0x100 | 64)
AH = lambda protocol: bytes((protocol, 2)) + bytes(14)  # noqa: E731
HOP = lambda protocol: bytes((protocol, 0)) + bytes(6)  # noqa: E731
PART = lambda protocol, place: bytes((protocol, 0)) + struct.pack(">HI", place, 9)  # noqa: E731
VXLAN = b"\x08\0\0\0" + b"\0\0\x2a\0"
GENEVE = b"\x01\0\x65\x58" + b"\0\0\x2a\0" + bytes(4)
GRE = b"\0\0\x08\0"
INNER = ethernet(0x0800, ipv4(6, SYN, source="10.1.1.1", target="10.1.1.2"))


def read(frame: bytes, link: int = 1, wire: int | None = None) -> dict[str, Any] | str:
    """The row of a frame, or the code of why there is none; the kernel agrees with the function as it stands."""
    size = len(frame) if wire is None else wire
    made = records.empty(1)
    for column in made:
        column[:] = 0
    plain = [guarded(column) for column in made]
    frame_columns = [*plain[2:9], plain[10]]
    outcome = packets.read_frame(guarded(np.frombuffer(frame, np.uint8)), 0, len(frame), link, size, 0, *frame_columns)
    numbers = [np.array([number], np.int64) for number in (0, len(frame), size, 5)]
    rows, why = pcap.flows(Frames(np.frombuffer(frame, np.uint8), *numbers, np.array([link], np.int32), cut=0))
    if outcome != packets.READ:
        assert why == {packets.OUTCOMES[outcome]: 1}
        assert rows.num_rows == 0
        return packets.OUTCOMES[outcome]
    (row,) = rows.to_pylist()
    assert (list(row["source"]), list(row["target"])) == (plain[2], plain[3])
    names = ("source_port", "target_port", "protocol", "flags", "fragment", "bytes")
    assert [row[name] for name in names] == [column[0] for column in frame_columns[2:]]
    assert (row["packets"], row["sampling"], row["first"]) == (1, 1, row["last"])
    return {name: row[name] for name in ("source", "target", *names)}


def has(row: dict[str, Any] | str, **expected: Any) -> bool:
    assert isinstance(row, dict), row
    assert {name: row[name] for name in expected} == expected
    return True


LINKS = [
    (1, ethernet(0x0800, ipv4(6, SYN))),
    (1, ethernet(0x8100, b"\0\x05\x08\0" + ipv4(6, SYN))),
    (1, ethernet(0x88A8, b"\0\x05\x81\0\0\x06\x08\0" + ipv4(6, SYN))),
    (1, ethernet(0x8864, b"\x11\0\0\x01\0\x2a\0\x21" + ipv4(6, SYN))),
    (1, ethernet(0x8847, LABEL + BOTTOM + ipv4(6, SYN))),
    (1, ethernet(0x8847, BOTTOM + ethernet(0x0800, ipv4(6, SYN)))),
    (1, ethernet(0x8847, BOTTOM + b"\x48\x21" + ethernet(0x8100, b"\0\x05\x08\0" + ipv4(6, SYN))[2:])),
    (1, ethernet(0x8847, BOTTOM + b"\x60\x45" + ethernet(0x0800, ipv4(6, SYN))[2:])),
    (1, ethernet(0x8847, BOTTOM + bytes(4) + ethernet(0x8100, b"\0\x05\x08\0" + ipv4(6, SYN)))),
    (1, ethernet(48, b"\xaa\xaa\x03\0\0\0\x08\0" + ipv4(6, SYN))),
    *((link, ipv4(6, SYN)) for link in (12, 14, 101, 228)),
    (113, bytes(14) + b"\x08\0" + ipv4(6, SYN)),
    (276, b"\x08\0" + bytes(18) + ipv4(6, SYN)),
    (0, b"\x02\0\0\0" + ipv4(6, SYN)),
    (108, b"\0\0\0\x02" + ipv4(6, SYN)),
    (9, b"\xff\x03\0\x21" + ipv4(6, SYN)),
    (9, b"\x21" + ipv4(6, SYN)),
    (9, b"\x02\x81" + BOTTOM + ipv4(6, SYN)),
    (51, b"\x11\0\0\x01\0\x2a\0\x21" + ipv4(6, SYN)),
    (104, b"\x0f\0\x08\0" + ipv4(6, SYN)),
    (219, LABEL + BOTTOM + ipv4(6, SYN)),
]


@pytest.mark.parametrize(("link", "frame"), LINKS)
def test_every_link_leads_to_the_packet(link: int, frame: bytes) -> None:
    row = read(frame, link)
    assert has(row, **TCP_ROW, bytes=40, source=packed("192.0.2.1"), target=packed("198.51.100.2"))


@pytest.mark.parametrize(
    ("link", "frame"),
    [(1, ethernet(0x86DD, ipv6(17, ANSWER))), (229, ipv6(17, ANSWER)), (9, b"\0\x57" + ipv6(17, ANSWER)),
     (1, ethernet(0x8847, BOTTOM + ipv6(17, ANSWER)))],
)  # fmt: skip
def test_ipv6_as_well(link: int, frame: bytes) -> None:
    row = read(frame, link)
    assert has(row, **UDP_ROW, bytes=48, source=packed("2001:db8::1"), target=packed("2001:db8::2"))


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ipv4(17, ANSWER), UDP_ROW),
        (ipv4(17, ANSWER, options=b"\x94\x04\0\0"), UDP_ROW),
        (ipv4(1, b"\x03\x01" + bytes(6)), {**NO_PORTS, "protocol": 1, "target_port": 0x0301}),
        (ipv4(132, ANSWER), {**UDP_ROW, "protocol": 132}),
        (ipv4(6, tcp(1, 2, 0xC2)), {"flags": 0xC2}),
        (ipv4(47, GRE + ipv4(6, SYN)), {**NO_PORTS, "protocol": 47}),
        (ipv4(47, b"\0\0\x65\x58" + INNER, target="10.10.10.10"), {"protocol": 47, "target": packed("10.10.10.10")}),
        (ipv4(4, ipv4(6, SYN)), {**NO_PORTS, "protocol": 4}),
        (ipv6(41, ipv6(6, SYN)), {**NO_PORTS, "protocol": 41}),
        (ipv4(50, bytes(16)), {**NO_PORTS, "protocol": 50}),
        (ipv6(58, b"\x80\0" + bytes(6)), {**NO_PORTS, "protocol": 58, "target_port": 0x8000}),
    ],
)
def test_transport_headers(packet: bytes, expected: dict[str, Any]) -> None:
    assert has(read(packet, 101), **expected)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ipv6(0, HOP(60) + HOP(43) + HOP(51) + AH(6) + SYN), TCP_ROW),
        (ipv6(135, HOP(17) + ANSWER), UDP_ROW),
        (ipv6(51, AH(58) + b"\x80\0" + bytes(6)), {**NO_PORTS, "protocol": 51}),
        (ipv6(0, HOP(58) + b"\x80\0" + bytes(6)), {**NO_PORTS, "protocol": 0}),
        (ipv6(0, HOP(60) + HOP(58) + b"\x80\0" + bytes(6)), {**NO_PORTS, "protocol": 0}),
        (ipv6(60, HOP(59)), {**NO_PORTS, "protocol": 60}),
        (ipv6(60, b"\x06\x09" + bytes(6) + SYN), {**NO_PORTS, "protocol": 60}),  # runs over the packet's end
        (ipv6(0, b"".join(HOP(0) for _ in range(40))), {**NO_PORTS, "protocol": 0}),
        (ipv6(59, b""), {**NO_PORTS, "protocol": 59, "bytes": 40}),
        (ipv4(51, AH(6) + SYN), TCP_ROW),
        (ipv4(51, AH(1) + b"\x08\0" + bytes(6)), {**NO_PORTS, "protocol": 51}),
        (ipv4(60, HOP(6) + SYN), {**NO_PORTS, "protocol": 60}),
    ],
)
def test_an_extension_header_counts_where_it_hides_what_follows(packet: bytes, expected: dict[str, Any]) -> None:
    assert has(read(packet, 101), **expected)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ipv4(17, ANSWER, place=0x2000), {**UDP_ROW, "fragment": 1}),
        (ipv4(17, ANSWER, place=0x2001), {**NO_PORTS, "protocol": 17, "fragment": 1}),
        (ipv4(17, ANSWER, place=0x0001), {**NO_PORTS, "protocol": 17, "fragment": 1}),
        (ipv4(17, ANSWER, place=0x4000), {**UDP_ROW, "fragment": 0}),
        (ipv6(44, PART(17, 1) + ANSWER), {**UDP_ROW, "fragment": 1}),
        (ipv6(44, PART(17, 8) + ANSWER), {**NO_PORTS, "protocol": 17, "fragment": 1}),
        (ipv6(0, HOP(44) + PART(6, 1) + SYN), {**TCP_ROW, "fragment": 1}),
        (ipv6(44, PART(60, 8) + HOP(17)), {**NO_PORTS, "protocol": 60, "fragment": 1}),
    ],
)
def test_fragments(packet: bytes, expected: dict[str, Any]) -> None:
    assert has(read(packet, 101), **expected)


@pytest.mark.parametrize("target", ["10.0.0.1", "172.31.0.1", "192.168.0.1", "100.127.0.1", "169.254.0.1"])
@pytest.mark.parametrize(
    "payload", [udp(5, 4789, VXLAN + INNER), udp(5, 6081, GENEVE + INNER), udp(5, 4789, (VXLAN + INNER) * 2)]
)
def test_an_overlay_is_opened_where_the_internet_does_not_reach(target: str, payload: bytes) -> None:
    assert has(read(ipv4(17, payload, target=target), 101), **TCP_ROW, target=packed("10.1.1.2"), bytes=40)


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(17, udp(5, 4789, VXLAN + INNER), target="203.0.113.9"),
        ipv4(17, udp(5, 4789, b"\xff" + VXLAN[1:] + INNER), target="10.0.0.1"),
        ipv4(17, udp(5, 4789, VXLAN + ethernet(0x0806, bytes(28))), target="10.0.0.1"),
        ipv4(17, udp(5, 4789, VXLAN), target="10.0.0.1"),
        ipv6(17, udp(5, 4789, VXLAN + INNER), target="2001:db8::9"),
    ],
)
def test_else_it_is_a_packet_to_its_outer_target(packet: bytes) -> None:
    assert has(read(packet, 101), protocol=17, target_port=4789)


def test_ipv6_overlays_are_opened_at_local_addresses() -> None:
    assert has(read(ipv6(17, udp(5, 4789, VXLAN + INNER), target="fd00::1"), 101), **TCP_ROW)


@pytest.mark.parametrize(
    ("packet", "wire", "size"),
    [
        (ipv4(6, SYN + bytes(6)), 60, 46),
        (ipv4(6, SYN, size=0), 9014, 9000),  # left to the card to cut (TSO)
        (ipv4(6, SYN, size=65535), 54, 40),  # claims more than there was
        (ipv6(6, SYN, size=0), 70014, 70000),
    ],
)
def test_bytes_are_those_of_the_ip_packet(packet: bytes, wire: int, size: int) -> None:
    kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    assert has(read(ethernet(kind, packet) + bytes(6), wire=wire), bytes=size)


def test_padding_is_no_transport_header() -> None:
    assert has(read(ethernet(0x0800, ipv4(6, SYN, size=20))), **{**NO_PORTS, "protocol": 6, "bytes": 20})


@pytest.mark.parametrize(
    ("link", "frame", "why"),
    [
        (1, ethernet(0x0806, bytes(28)), "not-ip"),
        (1, ethernet(40, bytes(40)), "not-ip"),
        (1, ethernet(0x0800, ipv4(6, SYN))[:30], "cut-short"),
        (1, b"", "cut-short"),
        (1, ethernet(0x0800, b"\x44" + ipv4(6, SYN)[1:]), "broken-header"),
        (1, ethernet(0x0800, ipv6(6, SYN)), "broken-header"),
        (1, ethernet(0x8847, LABEL * 40 + BOTTOM + ipv4(6, SYN)), "broken-header"),
        (127, bytes(60), "unknown-link"),
    ],
)
def test_what_gives_no_row_says_why(link: int, frame: bytes, why: str) -> None:
    assert read(frame, link) == why


def test_a_cut_transport_header_is_still_a_packet() -> None:
    for size in range(20, 40):
        assert has(read(ipv4(6, SYN)[:size], 101, 40), protocol=6, bytes=40)


LINK_TYPES = st.sampled_from([0, 1, 9, 12, 50, 51, 101, 104, 108, 113, 219, 228, 229, 276, 999])
SEEDS = [frame for _, frame in LINKS] + [
    ethernet(0x0800, ipv4(17, udp(5, 4789, VXLAN + INNER), target="10.0.0.1")),
    ethernet(0x0800, ipv4(17, udp(5, 6081, GENEVE + INNER), target="10.0.0.1")),
    ethernet(0x86DD, ipv6(0, HOP(60) + HOP(44) + PART(51, 1) + AH(6) + SYN)),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    frame = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    return bytes(frame[: draw(st.integers(0, len(frame)))])


@settings(deadline=None, max_examples=400)
@given(st.one_of(mutated(), st.binary(max_size=120)), LINK_TYPES, st.integers(0, 1 << 32))
def test_any_bytes_are_a_frame(frame: bytes, link: int, wire: int) -> None:
    row = read(frame, link, wire)
    assert isinstance(row, str) or 0 <= row["bytes"] <= packets.LARGEST
