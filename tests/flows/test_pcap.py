"""Captures are read whatever way they are written and cut into blocks; garbage is refused, and nothing else happens."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.flows import pcap
from tests.flows.wire import (
    SHARED,
    Guarded,
    block,
    enhanced,
    ethernet,
    guarded,
    interface,
    ipv4,
    packed,
    section,
    tcp,
    udp,
    unpacked,
)
from tests.flows.wire import pcap as written

FRAME = ethernet(0x0800, ipv4(6, tcp(1234, 80)))
OTHER = ethernet(0x0800, ipv4(17, udp(53, 4444, b"answer")))
AT = 1_500_000_000_123_456
TIMES = [AT, AT + 1_000_001]
FOUND = [(AT, 1, FRAME), (AT + 1_000_001, 1, OTHER)]


def found(content: bytes, size: int = 1 << 20) -> tuple[list[tuple[int, int, bytes]], int]:
    """(time, link, frame) of each frame, and the bytes of one that was cut off."""
    blocks = (content[at : at + size] for at in range(0, len(content), size))
    each = list(pcap.frames(blocks))
    frames = [
        (int(time), int(link), made.octets[begin:end].tobytes())
        for made in each
        for begin, end, time, link in zip(made.begins, made.ends, made.times, made.links, strict=True)
    ]
    return frames, sum(made.cut for made in each)


def resolution(exponent: int) -> bytes:
    return struct.pack("<HHB3x", 9, 1, exponent)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_pcap_of_any_kind(order: str, nano: bool, size: int) -> None:
    content = written([(AT, FRAME), (AT + 1_000_001, OTHER)], order=order, nano=nano)
    assert found(content, size) == (FOUND, 0)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_pcapng_of_any_kind(order: str, size: int) -> None:
    head = section(order) + interface(order=order)
    name = block(4, bytes(24), order)
    content = head + enhanced(FRAME, AT, order=order) + name + enhanced(OTHER, AT + 1_000_001, order=order)
    assert found(content, size) == (FOUND, 0)


@pytest.mark.parametrize(
    ("options", "ticks", "expected"),
    [
        (resolution(9), 1000 * AT + 999, AT),
        (resolution(3), AT // 1000, AT // 1000 * 1000),
        (resolution(0), AT // 10**6, AT // 10**6 * 10**6),
        (resolution(0x80 | 20), 3 << 19, 1_500_000),
        (resolution(0x80 | 32), (AT // 10**6 << 32) + (1 << 31), AT // 10**6 * 10**6 + 500_000),
        (resolution(0x80 | 50), 3 << 49, 1_500_000),
        (resolution(12), 2_123_456_999_999, 2_123_456),
        (b"\x02\0\x03\0eth\0" + resolution(9), 1000 * AT, AT),
        (struct.pack("<HHqHH", 14, 8, 1_500_000_000, 0, 0), 123456, AT),
        (struct.pack("<HHqHH", 14, 8, -10, 0, 0), AT + 10**7, AT),
    ],
)
def test_times_are_as_the_interface_says(options: bytes, ticks: int, expected: int) -> None:
    ((time, *_),), _ = found(section() + interface(options=options) + enhanced(FRAME, ticks))
    assert time == expected


@pytest.mark.parametrize("exponent", [0, 6, 18, 19, 0x7F, 0x80, 0x80 | 43, 0x80 | 44, 0x80 | 62, 0xFF])
@pytest.mark.parametrize("ticks", [0, (1 << 64) - 1])
def test_no_time_is_too_far(exponent: int, ticks: int) -> None:
    for shift in (-(1 << 63), 0, (1 << 63) - 1):
        options = resolution(exponent) + struct.pack("<HHq", 14, 8, shift)
        ((time, *_),), _ = found(section() + interface(options=options) + enhanced(FRAME, ticks))
        assert 0 <= time <= 253402300799_999999


def test_sections_and_interfaces_stand_for_themselves() -> None:
    content = section() + interface(options=resolution(9)) + interface(link=101, snap=60)
    content += enhanced(FRAME[14:], AT, interface=1) + enhanced(FRAME, 1000 * AT)
    content += block(2, struct.pack("<HHIIII", 1, 0, AT >> 32, AT & 0xFFFFFFFF, 40, 40) + FRAME[14:])
    content += section(">") + interface(link=113, order=">", snap=40)
    content += block(3, struct.pack(">I", len(FRAME)) + FRAME[:40], ">")
    frames, _ = found(content)
    assert frames == [(AT, 101, FRAME[14:]), (AT, 1, FRAME), (AT, 101, FRAME[14:]), (0, 113, FRAME[:40])]


def test_a_frame_that_the_capture_shortened_keeps_its_length() -> None:
    content = bytearray(written([(AT, FRAME[:40])]))
    struct.pack_into("<I", content, 24 + 12, 9000)
    (made,) = pcap.frames([bytes(content)])
    assert made.wires.tolist() == [9000]
    assert made.ends - made.begins == [40]


@pytest.mark.parametrize("size", [9, 1 << 20])
def test_a_capture_that_ends_within_a_packet(size: int) -> None:
    whole = written([(AT, FRAME), (AT + 1_000_001, OTHER)])
    for missing in (1, 30, len(OTHER), len(OTHER) + 15):
        assert found(whole[:-missing], size) == (FOUND[:1], len(OTHER) + 16 - missing)
    made = list(pcap.frames([whole[:-1]]))
    rows, why = zip(*map(pcap.flows, made), strict=True)
    assert (sum(each.num_rows for each in rows), why[-1]) == (1, {"cut-short": 1})
    assert found(whole[:24]) == ([], 0)


DAMAGED = {
    "a length no packet has": written([(AT, FRAME)]) + b"\xff" * 16,
    "a block of no length": section() + interface() + enhanced(FRAME, AT) + struct.pack("<III", 6, 0, 0),
    "lengths that differ": section() + interface() + enhanced(FRAME, AT) + enhanced(FRAME, AT)[:-4] + b"\x10\0\0\0",
    "an interface that was not described": section() + interface() + enhanced(FRAME, AT) + enhanced(FRAME, AT, 1),
    "an interface of the section before": (
        section() + interface() + enhanced(FRAME, AT) + section() + enhanced(FRAME, AT)
    ),
    "a frame longer than its block": (
        section() + interface() + enhanced(FRAME, AT) + block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99))
    ),
    "no byte order": section() + interface() + enhanced(FRAME, AT) + block(0x0A0D0D0A, bytes(16)),
    "interfaces without end": section() + interface() + enhanced(FRAME, AT) + interface() * 1024,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("size", [50, 1 << 20])
def test_what_stands_before_the_damage_is_given(content: bytes, size: int) -> None:
    blocks = [content[at : at + size] for at in range(0, len(content), size)]
    given_frames: list[int] = []
    with pytest.raises(FormatError, match=r"^byte \d+: "):
        given_frames.extend(len(made.begins) for made in pcap.frames(blocks))
    assert sum(given_frames) == 1


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"PK\x03\x04" + bytes(99), written([])[:23], b"\xa1\xb2"])
def test_no_capture_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match=r"^byte \d+: "):
        list(pcap.frames([content]))
    assert pcap.is_capture(written([])[:4])
    assert pcap.is_capture(section()[:4])
    assert not pcap.is_capture(content[:3])


def test_traffic_becomes_a_row_a_packet() -> None:
    arp = ethernet(0x0806, bytes(28))
    (made,) = pcap.frames([written([(AT, FRAME), (AT, arp), (AT + 1_000_001, OTHER), (AT, FRAME[:20])])])
    rows, why = pcap.flows(made)
    assert why == {"not-ip": 1, "cut-short": 1}
    assert (
        rows.column("first").cast(pa.int64()).to_pylist() == rows.column("last").cast(pa.int64()).to_pylist() == TIMES
    )
    assert rows.column("target_port").to_pylist() == [80, 4444]
    assert rows.column("bytes").to_pylist() == [40, 34]
    assert set(rows.column("source").to_pylist()) == {packed("192.0.2.1")}


SAMPLES = [
    written([(AT, FRAME), (AT, OTHER)]),
    written([(AT, FRAME), (AT, OTHER)], order=">", nano=True),
    section() + interface(options=resolution(9)) + enhanced(FRAME, AT) + enhanced(OTHER, AT),
    section(">") + interface(order=">") + enhanced(FRAME, AT, order=">"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 6))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.sampled_from([0, 1, 4, 0x7F, 0x80, 0xFF]))
    return bytes(content[: draw(st.integers(0, len(content)))])


def interpreted(content: bytes) -> tuple[list[list[int]], list[int]] | None:
    """What the reader, run as it stands over guarded buffers, gives of one block."""
    state = np.zeros(pcap.STATE + pcap.INTERFACE * pcap.MOST_INTERFACES, np.int64)
    try:
        kernel, used = pcap.reader_of(content, state)
    except FormatError:
        return None
    rest = content[used:]
    room = [Guarded([0] * (len(rest) // 16)) for _ in range(5)]
    done = Guarded([0, 0])
    count = kernel.plain(len(rest), Guarded(rest), guarded(state), *room, done)
    return [list(column)[:count] for column in room], list(done)


def compiled(content: bytes) -> tuple[list[list[int]], list[int]] | None:
    state = np.zeros(pcap.STATE + pcap.INTERFACE * pcap.MOST_INTERFACES, np.int64)
    try:
        kernel, used = pcap.reader_of(content, state)
    except FormatError:
        return None
    rest = np.frombuffer(content[used:], np.uint8)
    room = [*(np.zeros(len(rest) // 16, np.int64) for _ in range(4)), np.zeros(len(rest) // 16, np.int32)]
    done = np.zeros(2, np.int64)
    count = kernel(len(rest), rest, state, *room, done)
    return [column[:count].tolist() for column in room], done.tolist()


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(mutated(), st.binary(max_size=80).map(lambda rest: section() + interface() + rest)), st.integers(1, 99)
)
def test_any_bytes_are_read_or_refused(content: bytes, size: int) -> None:
    assert compiled(content) == interpreted(content)
    outcomes = []
    for step in (size, 1 << 20):
        frames, refused = [], False
        try:
            for made in pcap.frames(content[at : at + step] for at in range(0, len(content), step)):
                assert (made.begins >= 0).all()
                assert (made.begins <= made.ends).all()
                assert (made.ends <= len(made.octets)).all()
                pcap.flows(made)[0].validate(full=True)
                frames += [made.octets[a:b].tobytes() for a, b in zip(made.begins, made.ends, strict=True)]
        except FormatError:
            refused = True
        outcomes.append((frames, refused))
    assert outcomes[0] == outcomes[1], "blocks of any size give the same"


FIELDS = (
    "frame.time_epoch ip.src ip.dst ipv6.src ipv6.dst ip.proto ipv6.nxt tcp.srcport tcp.dstport udp.srcport "
    "udp.dstport sctp.srcport sctp.dstport tcp.flags ip.len ipv6.plen ip.flags.mf ip.frag_offset icmp.type icmp.code "
    "icmpv6.type icmpv6.code"
).split()


def by_tshark(path: Path) -> Iterator[tuple[int | bytes, ...]]:
    """What tshark sees in a capture's outermost IP headers, as rows of flows."""
    fields = [argument for field in FIELDS for argument in ("-e", field)]
    command = ["tshark", "-r", str(path), "-o", "ip.defragment:FALSE", "-T", "fields", "-E", "occurrence=f", *fields]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.decode().splitlines()
    for line in lines:
        of = dict(zip(FIELDS, line.split("\t"), strict=True))
        if not of["ip.src"] and not of["ipv6.src"]:
            continue
        protocol = int(of["ip.proto"] if of["ip.src"] else of["ipv6.nxt"])
        ports = {6: "tcp", 17: "udp", 132: "sctp"}.get(protocol)
        message = {1: "icmp", 58: "icmpv6"}.get(protocol)
        source = of.get(f"{ports}.srcport") or 0
        target = of.get(f"{ports}.dstport") or 0
        if message and of[f"{message}.type"]:
            target = int(of[f"{message}.type"]) * 256 + int(of[f"{message}.code"])
        yield (
            round(float(of["frame.time_epoch"]) * 10**6),
            packed(of["ip.src"] or of["ipv6.src"]),
            packed(of["ip.dst"] or of["ipv6.dst"]),
            int(source),
            int(target),
            protocol,
            int(of["tcp.flags"], 16) & 255 if protocol == 6 and of["tcp.flags"] else 0,
            int(bool(of["ip.src"]) and (of["ip.flags.mf"] == "1" or of["ip.frag_offset"] not in ("", "0"))),
            int(of["ip.len"]) if of["ip.src"] else int(of["ipv6.plen"]) + 40,
        )


COMPARED = ("source", "target", "source_port", "target_port", "protocol", "flags", "fragment", "bytes")


@pytest.mark.skipif(not os.environ.get("CI") and not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("path", sorted(SHARED.glob("[ab]*_pcap/*.pcap*")), ids=lambda path: path.name)
def test_real_captures_give_what_tshark_sees(path: Path, tmp_path: Path) -> None:
    content = unpacked(path)
    plain = tmp_path / "capture"
    plain.write_bytes(content)
    rows = pa.Table.from_batches([pcap.flows(made)[0] for made in pcap.frames([content])])
    first = rows.column("first").cast(pa.int64()).to_pylist()
    ours = list(zip(first, *(rows.column(name).to_pylist() for name in COMPARED), strict=True))
    theirs = list(by_tshark(plain))
    assert [row[1:] for row in ours] == [row[1:] for row in theirs]
    assert max((abs(a[0] - b[0]) for a, b in zip(ours, theirs, strict=True)), default=0) <= 1  # theirs is a float here
