"""The live collector, with real sockets, real exporters, and processes that are killed."""

import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from ipaddress import ip_address, ip_network
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest

from khien import registry, schema
from khien.contracts import Page
from khien.errors import ConfigError, InputError, UnavailableError
from khien.flows.datagrams import Datagrams, datagrams
from khien.flows.decoder import COUNTS
from khien.flows.records import MAPPED
from khien.sources.flows import block as blocks
from khien.sources.flows.block import Block, pack
from khien.sources.flows.receiver import Address, Receiver
from khien.sources.flows.source import Flows
from khien.sources.flows.spool import MAGIC, Cursor, Spool
from khien.sources.flows.tally import Tally

LOOPBACK = Address("127.0.0.1", 0)
SOURCE, TARGET = "203.0.113.77", "198.51.100.7"
START = Cursor()
PATIENCE = 200  # pages of a fifth of a second


def v5(*sources: str, target: str = TARGET) -> bytes:
    """A NetFlow v5 datagram with a flow from each source."""
    head = struct.pack(">HHIIIIBBH", 5, len(sources), 60_000, int(time.time()), 0, 0, 0, 0, 0)
    flow = struct.pack(">IHHIIIIHHBBBBHHBBH", 0, 1, 2, 10, 5000, 59_000, 59_500, 4000, 53, 0, 0, 17, 0, 0, 0, 0, 0, 0)
    to = ip_address(target).packed
    return head + b"".join(ip_address(each).packed + to + flow for each in sources)


def free_port(family: socket.AddressFamily = socket.AF_INET) -> int:
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return asking.getsockname()[1]


def send(port: int, *payloads: bytes, host: str = "127.0.0.1", own: str = "") -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sending:
        if own:
            sending.bind((own, 0))
        for payload in payloads:
            sending.sendto(payload, (host, port))


def listening(**settings: object) -> tuple[int, Flows]:
    port = free_port()
    return port, Flows(listen=(f"127.0.0.1:{port}",), **settings)  # type: ignore[arg-type]


def rows_until(pages: Iterator[Page], wanted: int) -> list[Page]:
    """Pages with rows, or of what was passed over, until there are so many rows."""
    met: list[Page] = []
    for _, page in zip(range(PATIENCE), pages, strict=False):
        met += [page] if page.rows.num_rows or page.skipped is not None else []
        if sum(each.rows.num_rows for each in met) >= wanted:
            return met
    raise AssertionError(f"{wanted} rows are to come, these came: {met}")


def told_by(pages: Sequence[Page]) -> Counter[tuple[str, str]]:
    """What was passed over: how often, by place and reason. It may be told before the rows that came behind it."""
    told: Counter[tuple[str, str]] = Counter()
    for skipped in (page.skipped for page in pages if page.skipped is not None):
        assert skipped.schema.equals(schema.SKIPPED)
        for row in skipped.to_pylist():
            told[row["place"], row["reason"]] += int(row["excerpt"])
    return told


def sources_of(pages: Sequence[Page]) -> list[str]:
    return [str(ip_address(each.as_py()[-4:])) for page in pages for each in page.rows.column("source")]


# Blocks


def received(payloads: Sequence[bytes], hosts: Sequence[str]) -> tuple[np.ndarray, ...]:
    """What recvmmsg leaves of these datagrams: messages, slots, names, controls."""
    n, stride = len(payloads), max(map(len, payloads)) + 3
    messages, slots = np.zeros((n, blocks.MESSAGE), np.int64), np.zeros(n * stride, np.uint8)
    names, controls = np.zeros((n, blocks.NAME), np.uint8), np.zeros((n, blocks.CONTROL), np.int64)
    for i, (payload, host) in enumerate(zip(payloads, map(ip_address, hosts), strict=True)):
        messages[i, blocks.LENGTH] = len(payload)
        slots[i * stride : i * stride + len(payload)] = np.frombuffer(payload, np.uint8) if payload else 0
        family, at = (socket.AF_INET, 4) if host.version == 4 else (socket.AF_INET6, 8)
        names[i, :2] = np.frombuffer(struct.pack("=H", family), np.uint8)
        names[i, at : at + len(host.packed)] = np.frombuffer(host.packed, np.uint8)
        controls[i, 2:4] = 1_790_000_000 + i, 123_456_789
    return messages, slots, names, controls


def packed(call: Callable[..., int], one: Block, payloads: Sequence[bytes], hosts: Sequence[str], *only: str) -> int:
    messages, slots, names, controls = received(payloads, hosts)
    networks = [ip_network(each) for each in only]
    masks = [
        each.network_address.packed.rjust(16, b"\xff") + each.netmask.packed.rjust(16, b"\xff") for each in networks
    ]
    allowed = np.array([*b"".join(MAPPED + each[12:16] + each[16:] for each in masks)], np.uint8)
    stride = len(slots) // len(payloads)
    flat = (messages.reshape(-1), 0, len(payloads), slots, stride, names.reshape(-1), controls.reshape(-1))
    return call(*flat, allowed, len(networks), *one)


HOSTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.1", "198.51.100.1", "2001:db8::2")
PAYLOADS = (b"first", b"", b"third" * 500, b"fourth", b"x", b"y" * 9000)


@pytest.mark.parametrize("only", [(), ("192.0.2.0/31",), ("198.51.100.1/32", "192.0.2.2/32")])
def test_datagrams_are_packed_as_the_plain_kernel_packs_them(only: tuple[str, ...]) -> None:
    compiled, plain = Block.make(), Block.make()
    for one, call in ((compiled, pack), (plain, pack.plain)):
        assert packed(call, one, PAYLOADS, HOSTS, *only) == len(PAYLOADS)
        one.octets[one.state[blocks.USED] :] = 0
    found, wanted = compiled.datagrams(), plain.datagrams()
    assert [each.tolist() for each in found[:-1]] == [each.tolist() for each in wanted[:-1]]
    assert found.peers == wanted.peers
    assert compiled.refused == plain.refused


def test_a_block_gives_back_what_was_packed() -> None:
    one = Block.make()
    packed(pack, one, PAYLOADS, HOSTS)
    found = one.datagrams()
    octets = found.octets.tobytes()
    assert [octets[a:b] for a, b in zip(found.begins, found.ends, strict=True)] == [*PAYLOADS]
    addresses = [found.peers[n] for n in found.exporters]
    wanted = [ip_address(host).packed for host in HOSTS]
    assert addresses == [MAPPED + each if len(each) == 4 else each for each in wanted]
    assert len(found.peers) == len(set(HOSTS))
    assert found.received.tolist() == [1_790_000_000_123_456 + 1_000_000 * n for n in range(len(HOSTS))]


def test_only_the_networks_allowed_are_packed() -> None:
    one = Block.make()
    packed(pack, one, PAYLOADS, HOSTS, "192.0.2.0/31", "192.0.2.2/32")
    assert (len(one.datagrams().ends), one.refused) == (3, 3)
    one.clear()
    assert not one.touched


def test_what_finds_no_room_goes_into_the_next_block() -> None:
    many = [bytes((n % 251,)) * 60_000 for n in range(100)]
    hosts = [f"10.0.{n // 7}.{n}" for n in range(100)]
    one, another = Block.make(), Block.make()
    first = packed(pack, one, many, hosts)
    assert first == blocks.ROOM // 60_000
    assert packed(pack, another, many[first:], hosts[first:]) == len(many) - first
    assert len(one.datagrams().ends) + len(another.datagrams().ends) == 100


def test_a_block_full_of_spoofed_exporters_takes_no_more() -> None:
    hosts = [str(ip_address(0x0A000000 + 977 * n)) for n in range(blocks.MOST + 1)]
    one = Block.make()
    assert packed(pack, one, [b"x"] * len(hosts), hosts) == blocks.MOST
    assert len(one.datagrams().peers) == blocks.MOST


# Receiving


def taken(receiver: Receiver, wanted: int) -> list[tuple[bytes, bytes, int]]:
    """Payload, exporter and time of so many datagrams."""
    met: list[tuple[bytes, bytes, int]] = []
    for _ in range(PATIENCE):
        block = receiver.take(0.2)
        if block is not None:
            found = block.datagrams()
            for n, (begin, end) in enumerate(zip(found.begins, found.ends, strict=True)):
                met.append((found.octets[begin:end].tobytes(), found.peers[found.exporters[n]], int(found.received[n])))
            receiver.give_back(block)
        if len(met) >= wanted:
            return met
    raise AssertionError(f"{wanted} datagrams are to come, {len(met)} came")


def test_datagrams_of_both_families_arrive_whole_and_in_order() -> None:
    sizes = (0, 1, 1464, 8972, 65_507)
    payloads = [os.urandom(size) for size in sizes]
    before = time.time_ns() // 1000
    with Receiver([LOOPBACK, Address("::1", 0)], 1 << 20, ()) as receiver:
        four, six = receiver.addresses
        send(four.port, *payloads)
        send(six.port, *payloads, host="::1")
        met = taken(receiver, 2 * len(sizes))
    for address in (MAPPED + ip_address("127.0.0.1").packed, ip_address("::1").packed):
        assert [payload for payload, peer, _ in met if peer == address] == payloads
    assert all(before <= at <= time.time_ns() // 1000 for _, _, at in met)


def test_what_the_kernel_dropped_is_counted() -> None:
    receiver = Receiver([LOOPBACK], 1 << 16, ())
    send(receiver.addresses[0].port, *[bytes(1000)] * 2000)  # nobody receives yet
    dropped = receiver.dropped()
    assert 0 < dropped < 2000
    with receiver:
        assert len(taken(receiver, 2000 - dropped)) == 2000 - dropped
        assert receiver.dropped() == 0


def test_a_slow_reader_loses_nothing_while_there_are_blocks() -> None:
    wanted = 3 * blocks.MOST
    with Receiver([LOOPBACK], 8 << 20, ()) as receiver:
        port = receiver.addresses[0].port
        for first in range(0, wanted, 1024):
            send(port, *(b"%d" % n for n in range(first, first + 1024)))
            time.sleep(0.01)
        met = taken(receiver, wanted - receiver.dropped())
    assert [int(payload) for payload, _, _ in met] == sorted(int(payload) for payload, _, _ in met)


def test_the_threads_are_gone_when_reading_ends() -> None:
    with Receiver([LOOPBACK], 1 << 16, ()) as receiver:
        address = receiver.addresses[0]
        assert any(each.name == "flows" for each in threading.enumerate())
    assert not any(each.name == "flows" for each in threading.enumerate())
    with Receiver([address], 1 << 16, ()):
        pass  # the port is free again


# The spool


def some(number: int, count: int = 3) -> Datagrams:
    return datagrams(
        (1000 * number + n, MAPPED + bytes((10, 0, 0, n % 2)), b"%d/%d" % (number, n)) for n in range(count)
    )


def texts(found: Datagrams) -> list[bytes]:
    return [found.octets[a:b].tobytes() for a, b in zip(found.begins, found.ends, strict=True)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "border"


def left(place: Path, cursor: Cursor = START) -> list[tuple[Cursor, list[bytes], Cursor]]:
    spool = Spool(place, 30, 1 << 30)
    return [(frame.before, texts(frame.datagrams), frame.behind) for frame in spool.replay(cursor)]


def written(place: Path, frames: int, cursor: Cursor = START) -> list[Cursor]:
    """The cursors of a process that spools and is gone."""
    spool = Spool(place, 30, 1 << 30)
    assert [*spool.replay(cursor)] == []
    behind = [spool.write(some(n)) for n in range(frames)]
    spool.close(clear=False)
    return behind


def test_what_was_spooled_is_there_for_the_next_process(place: Path) -> None:
    behind = written(place, 3)
    assert left(place) == [
        (before, texts(some(n)), after)
        for n, (before, after) in enumerate(zip([Cursor(), *behind], behind, strict=False))
    ]
    assert left(place, behind[-1]) == left(place), "what the cursor covers is looked at again as well"


def test_peers_times_and_exporters_are_kept(place: Path) -> None:
    spool = Spool(place, 30, 1 << 30)
    spool.write(some(7, 5))
    spool.write(datagrams([(1, bytes(16), b"")]))
    found, empty = (frame.datagrams for frame in Spool(place, 30, 1 << 30).replay(Cursor()))
    for kept, wanted in ((found, some(7, 5)), (empty, datagrams([(1, bytes(16), b"")]))):
        assert [each.tolist() for each in kept[:-1]] == [each.tolist() for each in wanted[:-1]]
        assert kept.peers == wanted.peers


def test_cursors_only_grow(place: Path) -> None:
    first = written(place, 2)
    spool = Spool(place, 30, 1 << 30)
    assert len([*spool.replay(first[0])]) == 2
    later = spool.write(some(9))
    assert later > first[-1]
    assert [before for before, _, _ in left(place)] == [Cursor(), first[0], first[1]]
    spool.close(clear=True)
    assert Spool(place, 30, 1 << 30).write(some(1)).segment == 1, "without a cursor and a segment all begins anew"
    shutil.rmtree(place)
    behind = Cursor(41, 7)
    assert written(place, 1, behind)[0] > behind
    assert left(place)[0][0] == behind


def test_only_the_owner_may_look(place: Path) -> None:
    place.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        written(place, 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert [stat.S_IMODE(each.stat().st_mode) for each in place.iterdir()] == [0o600]


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_tail_is_dropped(place: Path, cut: int) -> None:
    written(place, 3)
    (segment,) = place.iterdir()
    os.truncate(segment, segment.stat().st_size - cut)
    assert [each for _, each, _ in left(place)] == [texts(some(0)), texts(some(1))]


def test_frames_behind_a_damaged_one_are_dropped_and_other_segments_read(place: Path) -> None:
    behind = written(place, 3)
    written_more = Spool(place, 30, 1 << 30)
    assert len([*written_more.replay(behind[-1])]) == 3
    written_more.write(some(8))
    segment = place / "1.spool"
    content = bytearray(segment.read_bytes())
    content[behind[1].position - 3] ^= 1
    segment.write_bytes(content)
    assert [each for _, each, _ in left(place)] == [texts(some(0)), texts(some(8))]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, MAGIC, MAGIC + b"\xff" * 200], ids=["none", "zero", "head", "ff"]
)
def test_what_is_no_segment_is_passed_over(place: Path, content: bytes) -> None:
    behind = written(place, 1)
    (place / "7.spool").write_bytes(content)
    (place / "readme").write_text("not ours")
    assert [after for _, _, after in left(place)] == behind
    assert written_behind(place) > Cursor(7, 0)


def written_behind(place: Path) -> Cursor:
    spool = Spool(place, 30, 1 << 30)
    assert [*spool.replay(Cursor())] != []
    return spool.write(some(1))


def test_segments_go_at_the_horizon(place: Path) -> None:
    spool = Spool(place, 0.4, 1 << 30)
    spool.write(some(1))
    for _ in range(PATIENCE):
        spool.tidy()
        if not [*place.iterdir()]:
            return
        time.sleep(0.05)
    raise AssertionError("the segment is there for ever")


def test_too_many_octets_go_oldest_first(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(place, 16 * 0.01, 1000)
    for number in range(8):
        spool.write(datagrams([(number, bytes(16), bytes(400))]))
        time.sleep(0.02)
        spool.tidy()
        kept = sorted(int(each.stem) for each in place.iterdir())
        assert kept == [*range(kept[0], kept[0] + len(kept))]
        assert sum(each.stat().st_size for each in place.iterdir()) <= 1000
    assert caplog.text.count("spool_octets") <= 1


def test_an_old_segment_that_is_saved_is_not_read_again(place: Path) -> None:
    (behind,) = written(place, 1)
    long_ago = time.time() - 3600
    os.utime(place / "1.spool", (long_ago, long_ago))
    assert len(left(place)) == 1, "nobody has saved it"
    os.utime(place / "1.spool", (long_ago, long_ago))
    assert left(place, behind) == []


def test_a_full_disk_is_told_with_its_cure(place: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    spool = Spool(place, 30, 1 << 30)
    spool.write(some(1))
    with open("/dev/full", "wb", buffering=0) as full:
        os.dup2(full.fileno(), spool._file or -1)  # what comes next meets a full disk
        with pytest.raises(UnavailableError, match=r"No space left on device.*make room"):
            spool.write(some(2))


# The source


def test_flows_come_as_exporters_send_them() -> None:
    port, source = listening()
    with closing(source.read(None)) as pages:
        assert next(pages).cursor == b"0:0"
        send(port, v5(SOURCE, "203.0.113.78"), v5("203.0.113.79"))
        met = rows_until(pages, 3)
        assert all(page.rows.schema.equals(schema.FLOWS) for page in met)
        assert sources_of(met) == [SOURCE, "203.0.113.78", "203.0.113.79"]
        assert next(pages).rows.num_rows == 0, "an empty page, so that who reads may stop"


def test_pages_with_rows_move_the_cursor() -> None:
    port, source = listening()
    seen = []
    with closing(source.read(b"5:77")) as pages:
        next(pages)
        for number in range(3):
            send(port, v5(SOURCE))
            seen += [Cursor.of(page.cursor) for page in rows_until(pages, 1)]
            assert len(seen) == number + 1
    assert seen == sorted({*seen, Cursor(5, 78)}), "behind the one given, and each its own"


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", bytes(65_507), b"\xff" * 1464, v5(SOURCE)[:-1], v5()],
    ids=["none", "zero", "zeros", "ff", "cut", "empty"],
)
def test_hostile_datagrams_do_no_harm(payload: bytes) -> None:
    port, source = listening()
    with closing(source.read(None)) as pages:
        next(pages)
        send(port, payload, v5("203.0.113.80"))
        assert sources_of(rows_until(pages, 1))[-1] == "203.0.113.80"


def test_exporters_not_allowed_are_told() -> None:
    port, source = listening(exporters=("127.0.0.2", "2001:db8::/32"))
    with closing(source.read(None)) as pages:
        next(pages)
        send(port, v5("203.0.113.1"), v5("203.0.113.2"), own="127.0.0.3")
        send(port, v5(SOURCE), own="127.0.0.2")
        met = rows_until(pages, 1)
    assert sources_of(met) == [SOURCE]
    assert told_by(met) == {(f"127.0.0.1:{port}", "exporter-not-allowed"): 2}


def test_what_cannot_be_read_is_told_with_its_exporter() -> None:
    port, source = listening()
    with closing(source.read(None)) as pages:
        next(pages)
        send(port, b"\0\x63" + bytes(40), v5(SOURCE), own="127.0.0.9")
        met = rows_until(pages, 1)
    assert told_by(met) == {("127.0.0.9", "unknown-version"): 1}


def test_what_is_told_is_told_once_and_bounded() -> None:
    def counts(times: int) -> dict[bytes, dict[str, int]]:
        return {MAPPED + bytes((10, 0, 0, n)): dict.fromkeys(COUNTS, 0) | {"lost": times} for n in range(100)}

    tally = Tally("here")
    told = [tally.tell(counts(times), 0.0) for times in (3, 3, 5)]
    assert told[1] is None
    for batch, times in ((told[0], 300), (told[2], 200)):
        assert batch is not None
        assert batch.num_rows == 33, "32 exporters, and the others together"
        assert sum(map(int, batch.column("excerpt").to_pylist())) == times
        assert set(batch.column("reason").to_pylist()) == {"records-lost"}


def test_after_a_clean_stop_no_source_is_left(place: Path) -> None:
    port, source = listening(spool=str(place))
    with closing(source.read(None)) as pages:
        next(pages)
        send(port, v5(SOURCE))
        rows_until(pages, 1)
        octets = ip_address(SOURCE).packed
        assert any(octets in each.read_bytes() for each in place.iterdir()), "while it runs it is spooled"
    assert [*place.iterdir()] == []


CHILD = """
import sys
from khien.sources.flows.source import Flows
for page in Flows(listen=(sys.argv[1],), spool=sys.argv[2]).read(None):
    if page.rows.num_rows or page.cursor == b"0:0":
        print(page.cursor.decode(), page.rows.num_rows, flush=True)
"""


def killed(port: int, place: Path, rounds: int) -> list[tuple[str, int]]:
    """Cursors and rows of pages that a process yielded before it was killed."""
    command = [sys.executable, "-c", CHILD, f"127.0.0.1:{port}", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        for number in range(rounds):
            send(port, v5(*(f"203.0.113.{10 * number + n}" for n in range(3))))
            lines.append(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
    return [(cursor, int(rows)) for cursor, rows in (line.split() for line in lines)]


def test_what_a_killed_process_spooled_is_read_again_with_its_cursors(place: Path, tmp_path: Path) -> None:
    port, _ = listening()
    seen = killed(port, place, 3)
    assert [rows for _, rows in seen] == [0, 3, 3, 3]
    for saved in (None, *(cursor.encode() for cursor, _ in seen)):
        copied = Path(shutil.copytree(place, tmp_path / f"{saved}"))
        with closing(Flows(listen=(f"127.0.0.1:{port}",), spool=str(copied)).read(saved)) as pages:
            again = [*takewhile(lambda page: page.rows.num_rows or page.cursor == b"0:0", pages)]
            live = next(pages).cursor
        first = 1 if saved == b"0:0" else 0  # nothing is to be told of the cursor that is given
        assert [(page.cursor.decode(), page.rows.num_rows) for page in again] == seen[first:]
        assert sources_of(again) == [f"203.0.113.{10 * number + n}" for number in range(3) for n in range(3)]
        assert live == again[-1].cursor
        assert [*copied.iterdir()] == []


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Forty flows of a packet each, as a capture of Ethernet frames."""
    frames = []
    for n in range(40):
        udp = struct.pack(">HHHH", 1000 + n, 53, 8 + 32, 0) + bytes(32)
        addresses = ip_address(SOURCE).packed + ip_address(TARGET).packed
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0) + addresses + udp
        frame = bytes(12) + b"\x08\x00" + ip
        frames.append(struct.pack("<IIII", int(time.time()) - 10, n, len(frame), len(frame)) + frame)
    path = tmp_path / "flows.pcap"
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(frames))
    return path


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None and "CI" not in os.environ:
        pytest.skip(f"{name} is not installed")
    assert found, f"{name} is not installed"
    return found


@pytest.mark.parametrize("version", ["5", "9", "10"])
def test_softflowd_is_understood(capture: Path, version: str) -> None:
    port, source = listening()
    command = [program("softflowd"), "-r", str(capture), "-n", f"127.0.0.1:{port}", "-v", version, "-d"]
    with closing(source.read(None)) as pages, ExitStack() as stack:
        next(pages)
        exporter = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(exporter.kill)
        met = rows_until(pages, 40)
    assert set(sources_of(met)) == {SOURCE}
    ports = [each.as_py() for page in met for each in page.rows.column("source_port")]
    assert sorted(ports) == [*range(1000, 1040)]


def test_pmacctd_is_understood(capture: Path, tmp_path: Path) -> None:
    port, source = listening()
    (tmp_path / "conf").write_text(
        f"daemonize: false\npcap_savefile: {capture}\nplugins: nfprobe\nnfprobe_receiver: 127.0.0.1:{port}\n"
        "nfprobe_version: 10\nnfprobe_timeouts: general=1:maxlife=2:expint=1\n"
        "aggregate: src_host, dst_host, src_port, dst_port, proto\n"
    )
    command = [program("pmacctd"), "-f", str(tmp_path / "conf")]
    with closing(source.read(None)) as pages, ExitStack() as stack:
        next(pages)
        exporter = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(exporter.kill)
        met = rows_until(pages, 40)
    assert set(sources_of(met)) == {SOURCE}
    assert sum(each.as_py() for page in met for each in page.rows.column("packets")) == 40


# Settings


def test_it_is_registered() -> None:
    assert registry.load("sources", "flows") is Flows


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen": ()}, "names no address"),
        ({"listen": ("2055",)}, "'2055' is no address with a port: give 0.0.0.0:2055 or"),
        ({"listen": ("::1:2055",)}, "is no address"),
        ({"listen": ("127.0.0.1:65536",)}, "is no address"),
        ({"listen": ("localhost:2055",)}, "is no address"),
        ({"exporters": ("10.0.0.1/8",)}, "'10.0.0.1/8' is no network: give .*host bits"),
        ({"horizon": 0.5}, "horizon is 0.5: give seconds"),
        ({"receive_buffer": 0}, "receive_buffer is 0: give octets"),
    ],
)
def test_settings_are_refused_with_their_cure(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Flows(**settings)  # type: ignore[arg-type]


def test_a_port_that_is_taken_is_told() -> None:
    port, source = listening()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taking:
        taking.bind(("127.0.0.1", port))
        with pytest.raises(UnavailableError, match=rf"127.0.0.1:{port}: another program listens there: stop it"):
            next(source.read(None))
    with closing(source.read(None)) as pages:
        next(pages)


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(UnavailableError, match="no interface of this machine has this address"):
        next(Flows(listen=("192.0.2.1:2055",)).read(None))


def test_a_cursor_of_another_source_is_refused() -> None:
    with pytest.raises(InputError, match="no cursor of the source flows"):
        next(listening()[1].read(b"[0,17]"))


def test_a_spool_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be the spool"):
        next(listening(spool=str(tmp_path / "file"))[1].read(None))
