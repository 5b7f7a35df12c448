"""Exports are found in captures by how they are built, and captures of them told from captures of traffic."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.flows import exports, pcap
from tests.flows.wire import SHARED, ethernet, guarded, interface, ipv4, ipv6, packed, section, tcp, udp, unpacked
from tests.flows.wire import pcap as written

V5 = struct.pack(">HH20x", 5, 2) + bytes(96)
V7 = struct.pack(">HH20x", 7, 1) + bytes(52)
V9 = struct.pack(">HH16x", 9, 1) + struct.pack(">HH", 256, 12) + bytes(8)
TEMPLATES = struct.pack(">HH16x", 9, 1) + struct.pack(">HH", 0, 12) + bytes(8)
IPFIX = struct.pack(">HH12x", 10, 28) + struct.pack(">HH", 2, 8) + bytes(4) + struct.pack(">HH", 300, 4)
SFLOW = struct.pack(">IIIIIII", 5, 1, 1, 0, 1, 1, 1) + struct.pack(">II", 2, 8) + bytes(8)
SFLOW_V6 = struct.pack(">II16xIIII", 5, 2, 0, 1, 1, 1) + struct.pack(">II", 2, 8) + bytes(8)
SFLOW_V4 = struct.pack(">IIIIII", 4, 1, 1, 0, 1, 1) + struct.pack(">II", 1, 8) + bytes(8)
EXPORTS = [V5, V7, V9, TEMPLATES, IPFIX, IPFIX + b"\0\0", SFLOW, SFLOW_V6, SFLOW_V4]

DNS = struct.pack(">HHHHHH", 5, 0x8180, 1, 1, 0, 0) + bytes(40)  # its number is a version, by chance
OTHERS = [
    b"", V5[:23], V5[:-1], V5 + bytes(48), V9[:-1], V9[:20] + b"\0\x05" + V9[22:], IPFIX[:-4], IPFIX[:16] + bytes(12),
    SFLOW[:-1], SFLOW + bytes(4), SFLOW[:7] + b"\x03" + SFLOW[8:], SFLOW_V4[:27] + b"\x09" + SFLOW_V4[28:], DNS,
    bytes(99),
]  # fmt: skip


def is_export(payload: bytes) -> bool:
    return bool(exports.is_export(guarded(np.frombuffer(payload, np.uint8)), 0, len(payload)))


def capture(*packets: bytes) -> bytes:
    return written([(at, packet) for at, packet in enumerate(packets)], link=101)


def sent(payload: bytes, source: str = "192.0.2.1") -> bytes:
    return ipv4(17, udp(2055, 9995, payload), source=source)


@pytest.mark.parametrize("payload", EXPORTS)
def test_exports_are_known_by_how_they_are_built(payload: bytes) -> None:
    assert is_export(payload)


@pytest.mark.parametrize("payload", OTHERS)
def test_nothing_else_is_taken_for_one(payload: bytes) -> None:
    assert not is_export(payload)


@given(st.sampled_from(EXPORTS), st.binary(max_size=80), st.integers(0, 80))
def test_any_payload_is_judged(payload: bytes, other: bytes, cut: int) -> None:
    is_export(payload[:cut] + other)


def test_datagrams_come_with_their_exporters_and_times() -> None:
    packets = [sent(V5), ipv6(17, udp(1, 2, IPFIX)), ipv4(6, tcp(1, 2)), sent(SFLOW, "192.0.2.9"), sent(V9), sent(DNS)]
    (made,) = pcap.frames([capture(*packets, ipv4(17, udp(1, 2, V5), place=0x2000), b"\x40" * 20)])
    found, why = exports.exports(made)
    assert why == {"not-udp": 1, "no-export": 1, "fragment": 1, "broken-header": 1}
    payloads = [found.octets[a:b].tobytes() for a, b in zip(found.begins, found.ends, strict=True)]
    assert payloads == [V5, IPFIX, SFLOW, V9]
    assert found.received.tolist() == [0, 1, 3, 4]
    senders = [packed("192.0.2.1"), packed("2001:db8::1"), packed("192.0.2.9"), packed("192.0.2.1")]
    assert [found.peers[number] for number in found.exporters] == senders
    assert len(found.peers) == 3


def test_no_datagram_at_all() -> None:
    found, why = exports.exports(next(pcap.frames([capture(ipv4(6, tcp(1, 2)))])))
    assert (len(found.begins), found.peers, why) == (0, (), {"not-udp": 1})


@pytest.mark.parametrize(
    ("packets", "answer"),
    [
        ([sent(V5)], True),
        ([sent(V5), *[ipv4(6, tcp(179, 2))] * 3], True),
        ([sent(V5), *[ipv4(6, tcp(179, 2))] * 4], False),
        ([sent(V5), sent(DNS)], True),
        ([sent(V5), sent(DNS), sent(DNS)], False),
        ([sent(V5), *[ipv4(17, bytes(9), place=9)] * 9], True),
        ([sent(DNS)], False),
        ([], False),
    ],
)
def test_whether_a_capture_holds_exports(packets: list[bytes], answer: bool) -> None:
    assert exports.holds_exports(capture(*packets)) == answer
    assert exports.holds_exports(capture(*packets) + bytes(9)) == answer
    assert not exports.holds_exports(section() + interface())


def test_ports_say_nothing() -> None:
    assert exports.holds_exports(written([(0, ethernet(0x0800, ipv4(17, udp(53, 53, V5))))]))
    assert not exports.holds_exports(written([(0, ethernet(0x0800, ipv4(17, udp(2055, 2055, DNS))))]))


FRAMES = st.lists(
    st.one_of(
        st.sampled_from(EXPORTS).map(sent),
        st.binary(max_size=60),
        st.tuples(st.sampled_from(EXPORTS).map(sent), st.integers(0, 90)).map(lambda pair: pair[0][: pair[1]]),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(FRAMES)
def test_interpreted_it_finds_the_same(packets: list[bytes]) -> None:
    for made in pcap.frames([capture(*packets)]):
        found, _ = exports.exports(made)
        room = [guarded(np.zeros(size * len(packets), np.int64)) for size in (1, 1, 1, 16, 16, *[1] * 6)]
        tally = guarded(np.zeros(len(exports.CODES), np.int64))
        arrays = [guarded(array) for array in (made.octets, made.begins, made.ends, made.times, made.links)]
        count = exports.read_payloads.plain(len(made.begins), *arrays, *room, tally)
        assert [list(column)[:count] for column in room[:2]] == [found.begins.tolist(), found.ends.tolist()]
        assert bytes(room[3][at] for at in range(16 * count)) == b"".join(found.peers[n] for n in found.exporters)


@pytest.mark.parametrize("path", sorted(SHARED.glob("*_pcap/*.pcap*")), ids=lambda path: path.name)
def test_real_captures_are_told_apart(path: Path) -> None:
    content = unpacked(path)
    assert exports.holds_exports(content[: exports.HEAD]) == (path.parent.name == "export_pcap")
