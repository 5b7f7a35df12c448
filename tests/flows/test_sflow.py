"""sFlow datagrams give the sampled packets, times their rate, and whatever the bytes, nothing outside them is read."""

import os
import shutil
import socket
import struct
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.flows import exports, pcap, records, sflow
from khien.flows.datagrams import Datagrams, datagrams
from tests.flows.wire import SHARED, ethernet, guarded, ipv4, ipv6, packed, tcp, udp, unpacked

AT = 1_500_000_000_123_456
SYN = ethernet(0x0800, ipv4(6, tcp(1234, 80)))


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def part(kind: int, body: bytes) -> bytes:
    """A sample or a record."""
    body += bytes(-len(body) % 4)
    return words(kind, len(body)) + body


def header(frame: bytes, protocol: int = 1, wire: int | None = None, stripped: int = 4) -> bytes:
    length = len(frame) + stripped if wire is None else wire
    return part(1, words(protocol, length, stripped, len(frame)) + frame)


def flow(*each: bytes, rate: int = 256) -> bytes:
    return part(1, words(1, 7, rate, 9000, 0, 3, 4, len(each)) + b"".join(each))


def expanded(*each: bytes, rate: int = 256) -> bytes:
    return part(3, words(1, 0, 7, rate, 9000, 0, 0, 3, 0, 4, len(each)) + b"".join(each))


def datagram(*samples: bytes, agent: bytes = b"\x0a\0\0\1", version: int = 5) -> bytes:
    return words(version, (0, 4, 16).index(len(agent))) + agent + words(2, 77, 5000, len(samples)) + b"".join(samples)


SAMPLED_IPV4 = part(3, words(60, 17) + b"\xc0\0\2\1\xc6\x33\x64\2" + words(53, 4444, 0xFF, 0))
SAMPLED_IPV6 = part(4, words(90, 6) + packed("2001:db8::1") + packed("2001:db8::2") + words(1234, 80, 2, 0))
SWITCH = part(1001, words(1, 0, 1, 0))


def decoded(*payloads: bytes) -> tuple[list[dict[str, Any]], sflow.Decoded]:
    """The rows of datagrams; the kernel agrees with the function as it stands."""
    made = datagrams([(AT, packed("192.0.2.9"), payload) for payload in payloads])
    chosen = np.arange(len(payloads))
    room = sflow.most_rows(made, chosen)
    columns, blank = records.empty(room), records.empty(room)
    for column in (*columns, *blank):
        column[:] = 0
    found = sflow.decode(made, chosen, columns, 0)
    plain = [guarded(column) for column in blank]
    notes, agents = guarded(np.ones_like(found.notes)), guarded(np.ones_like(found.agents))
    arrays = [guarded(array) for array in (chosen, made.octets, made.begins, made.ends, made.received)]
    assert sflow.read_datagrams.plain(len(payloads), *arrays, 0, room, *plain, notes, agents) == found.rows
    assert plain == [column.reshape(-1).tolist() for column in columns]
    assert (notes, agents) == (found.notes.reshape(-1).tolist(), found.agents.reshape(-1).tolist())
    return records.batch(columns, found.rows).to_pylist(), found


def one(*samples: bytes) -> dict[str, Any]:
    (row,), found = decoded(datagram(*samples))
    assert found.notes[0, : sflow.SUB_AGENT].tolist() == [sflow.WHOLE, 1, 0, 0, 0]
    return row


@pytest.mark.parametrize("sample", [flow, expanded])
@pytest.mark.parametrize(
    ("protocol", "frame"),
    [
        (1, SYN),
        (1, ethernet(0x8100, b"\0\5\x08\0" + SYN[14:])),
        (7, b"\xff\3\0\x21" + SYN[14:]),
        (14, b"\xff\3\0\x21" + SYN[14:]),
        (11, SYN[14:]),
        (13, b"\0\0\x11\x40" + SYN[14:]),
    ],
)
def test_a_sampled_header_stands_for_as_many_packets_as_its_rate(sample: Any, protocol: int, frame: bytes) -> None:
    row = one(sample(SWITCH, header(frame, protocol), rate=2048))
    assert (row["packets"], row["bytes"], row["sampling"]) == (2048, 2048 * 40, 2048)
    assert (row["source"], row["target"]) == (packed("192.0.2.1"), packed("198.51.100.2"))
    assert (row["source_port"], row["target_port"], row["protocol"], row["flags"]) == (1234, 80, 6, 2)
    assert row["first"] == row["last"]


def test_an_ipv6_header_and_one_that_was_cut() -> None:
    assert one(flow(header(ipv6(17, udp(53, 9)), 12)))["source"] == packed("2001:db8::1")
    long = ethernet(0x0800, ipv4(17, udp(53, 9), size=1400))
    assert one(flow(header(long, wire=1418)))["bytes"] == 256 * 1400
    split_later = ethernet(0x0800, ipv4(6, tcp(1, 2), size=0))
    assert one(flow(header(split_later, wire=4018)))["bytes"] == 256 * 4000


def test_sampled_addresses_count_where_there_is_no_header() -> None:
    row = one(flow(SAMPLED_IPV4, rate=0))
    assert (row["source"], row["source_port"], row["target_port"]) == (packed("192.0.2.1"), 53, 4444)
    assert (row["protocol"], row["flags"], row["packets"], row["bytes"], row["sampling"]) == (17, 0, 1, 60, 1)
    row = one(flow(SAMPLED_IPV6))
    assert (row["target"], row["target_port"], row["flags"]) == (packed("2001:db8::2"), 80, 2)
    assert one(flow(SAMPLED_IPV4, header(SYN)))["protocol"] == 6


def test_rows_stand_in_the_order_received_and_everything_else_is_counted() -> None:
    arp = flow(header(ethernet(0x0806, bytes(28))))
    rows, found = decoded(
        datagram(flow(header(SYN)), part(2, bytes(88)), part(4, bytes(88)), arp, part(5, bytes(32))),
        datagram(flow(SAMPLED_IPV4), flow(SAMPLED_IPV6), agent=packed("2001:db8::7")),
    )
    assert [row["protocol"] for row in rows] == [6, 17, 6]
    assert found.notes.tolist() == [[sflow.WHOLE, 1, 2, 1, 1, 2, 77], [sflow.WHOLE, 2, 0, 0, 0, 2, 77]]
    assert [bytes(agent) for agent in found.agents] == [packed("10.0.0.1"), packed("2001:db8::7")]


@pytest.mark.parametrize(
    ("payload", "outcome", "rows"),
    [
        (datagram(flow(header(SYN)), version=4), sflow.OTHER_VERSION, 0),
        (datagram(flow(header(SYN)), version=2), sflow.OTHER_VERSION, 0),
        (datagram(flow(header(SYN)), flow(header(SYN)))[:-1], sflow.CUT, 1),
        (datagram(flow(header(SYN)))[:27], sflow.CUT, 0),
        (datagram(agent=bytes(16))[:39], sflow.CUT, 0),
        (b"", sflow.CUT, 0),
        (words(5, 3) + bytes(60), sflow.BROKEN, 0),
        (datagram(part(1, words(1, 7, 256))), sflow.BROKEN, 0),
        (datagram(part(1, words(1, 7, 256)), flow(header(SYN))), sflow.BROKEN, 1),
        (datagram(flow(header(SYN)), agent=b""), sflow.WHOLE, 1),  # of an address nobody knows
    ],
)
def test_a_datagram_that_is_not_whole_says_why(payload: bytes, outcome: int, rows: int) -> None:
    found = decoded(payload)[1]
    assert (found.notes[0, sflow.OUTCOME], found.rows) == (outcome, rows)


def test_only_the_chosen_are_decoded_from_a_row_on() -> None:
    made = datagrams([(AT + n, packed("192.0.2.9"), datagram(flow(header(SYN), rate=n))) for n in range(1, 5)])
    chosen = np.array([1, 3])
    columns = records.empty(5 + sflow.most_rows(made, chosen))
    found = sflow.decode(made, chosen, columns, 5)
    assert (found.rows, columns.sampling[5:7].tolist(), columns.first[5:7].tolist()) == (2, [2, 4], [AT + 2, AT + 4])


@pytest.mark.parametrize("rate", [1 << 31, (1 << 32) - 1])
def test_no_product_is_too_large(rate: int) -> None:
    huge = part(3, words((1 << 32) - 1, 17) + bytes(8) + words(0, 0, 0, 0))
    assert 0 < one(flow(huge, rate=rate))["bytes"] < 1 << 57
    assert (
        0 < one(flow(header(ethernet(0x0800, ipv4(6, b"", size=0)), wire=(1 << 32) - 1), rate=rate))["bytes"] < 1 << 57
    )


SAMPLES = [
    flow(SWITCH, header(SYN)),
    expanded(header(SYN)),
    flow(SAMPLED_IPV4),
    expanded(SAMPLED_IPV6),
    part(2, bytes(8)),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    agent = draw(st.sampled_from([bytes(4), bytes(16)]))
    payload = bytearray(datagram(*draw(st.lists(st.sampled_from(SAMPLES), max_size=4)), agent=agent))
    for _ in range(draw(st.integers(0, 5))):
        payload[draw(st.integers(0, len(payload) - 1))] = draw(st.sampled_from([0, 1, 3, 4, 0x40, 0xFF]))
    return bytes(payload[: draw(st.integers(0, len(payload)))])


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(mutated(), st.binary(max_size=80).map(lambda rest: datagram(rest))), max_size=3))
def test_any_bytes_are_a_datagram(payloads: list[bytes]) -> None:
    rows, _ = decoded(*payloads)
    assert all(row["packets"] > 0 and row["bytes"] >= 0 for row in rows)


def of_capture(name: str) -> tuple[Datagrams, sflow.Decoded, records.Columns]:
    (frames,) = pcap.frames([unpacked(SHARED / "export_pcap" / name)])
    made, _ = exports.exports(frames)
    chosen = np.arange(len(made.begins))
    columns = records.empty(sflow.most_rows(made, chosen))
    return made, sflow.decode(made, chosen, columns, 0), columns


@pytest.mark.skipif(not SHARED.exists(), reason="the captures are not here")
def test_a_real_agent() -> None:
    _, found, columns = of_capture("overflowd_sflow.pcap.gz")
    assert found.rows == 5855
    assert found.notes[:, : sflow.SUB_AGENT].sum(0).tolist() == [0, 5855, 502, 0, 0]
    assert columns.packets[: found.rows].sum() == 5855 * 300
    assert (np.diff(found.notes[:, sflow.SEQUENCE]) == 1).all()


@pytest.mark.skipif(not SHARED.exists(), reason="the samples are not here")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("issue_15375_sflow_drop_1036", []),
        ("v5_example_sflow_v5", []),
        ("issue_18876_message", []),
        ("issue_15918_message", [(49469, 2055, 17, 1268), (443, 52851, 17, 545), (0, 0, 0, 96), (64969, 443, 17, 59),
                                 (443, 64969, 17, 701), (49770, 5355, 17, 75)]),
    ],
)  # fmt: skip
def test_telegrafs_samples_give_what_it_expects(name: str, expected: list[tuple[int, ...]]) -> None:
    rows, found = decoded((SHARED / "export_raw" / "telegraf" / f"sflow_{name}.bin").read_bytes())
    names = ("source_port", "target_port", "protocol")
    assert [(*(row[name] for name in names), row["bytes"] // 200) for row in rows] == expected
    assert found.notes[0, sflow.OUTCOME] == sflow.WHOLE


def listening(port: int) -> bool:
    held = Path("/proc/net/udp").read_text()
    return f":{port:04X} " in held


@pytest.mark.skipif(not SHARED.exists(), reason="the captures are not here")
@pytest.mark.skipif(not os.environ.get("CI") and not shutil.which("sfcapd"), reason="sfcapd is not installed")
def test_a_real_agent_as_sfcapd_sees_it(tmp_path: Path) -> None:
    made, found, columns = of_capture("overflowd_sflow.pcap.gz")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    collector = subprocess.Popen(
        ["sfcapd", "-b", "127.0.0.1", "-p", str(port), "-w", str(tmp_path), "-B", "4000000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not listening(port):
            assert collector.poll() is None, "sfcapd ended"
            time.sleep(0.05)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
            for begin, end in zip(made.begins, made.ends, strict=True):
                agent.sendto(made.octets[begin:end].tobytes(), ("127.0.0.1", port))
                time.sleep(0.0005)
        time.sleep(0.5)
    finally:
        collector.terminate()
        collector.wait()
    fields = "fmt:%sp,%dp,%pr,%pkt"
    command = ["nfdump", "-R", str(tmp_path), "-q", "-N", "-o", fields]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.decode().splitlines()
    theirs = Counter(tuple(int(field) for field in line.split(",")) for line in lines if line.count(",") == 3)
    names = ("source_port", "target_port", "protocol", "packets")
    ours = zip(*(getattr(columns, name)[: found.rows].tolist() for name in names), strict=True)
    assert Counter(ours) == theirs
