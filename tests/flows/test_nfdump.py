"""nfdump's files give the rows nfdump prints, however they are laid out and packed; damage is told, not fatal."""

import bz2
import gzip
import io
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.flows import nfdump, records
from khien.flows.reading import Refused
from tests.flows.wire import guarded, packed

AT = 1_600_000_000_123  # milliseconds
SHARED = Path(__file__).parents[3] / "shared/data/flows"


def numbers(address: str) -> bytes:
    """An address as nfdump keeps it: as one or two numbers, least significant byte first."""
    raw = ip_address(address).packed
    return raw[::-1] if len(raw) == 4 else raw[7::-1] + raw[:7:-1]


def element(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, 4 + len(body)) + body


def record(
    source: str = "192.0.2.1", target: str = "198.51.100.2", *, flags: int = 0, exporter: int = 1, first: int = AT
) -> bytes:
    """A record of layout 2 with an element that means nothing here between the two that do."""
    generic = struct.pack("<QQQQQHHBBBB", first, AT + 1500, AT + 2000, 7, 700, 53, 4444, 17, 0x12, 0, 0)
    ends = element(2 if "." in source else 3, numbers(source) + numbers(target))
    body = element(1, generic) + element(99, bytes(8)) + ends
    return struct.pack("<HHHBBHBB", 11, 12 + len(body), 3, 0, 0, exporter, flags, 9) + body


def common(*, kind: int = 10, wide: bool = False, sampled: bool = False) -> bytes:
    """A record of layout 1; wide: IPv6 and counters of 64 bits."""
    bits = (7 if wide else 0) | (128 if sampled else 0)
    head = struct.pack("<HBBH", 0, bits, 2, 0)[2:] if kind == 1 else struct.pack("<HH", bits, 0)
    first = struct.pack("<HHIIBBBBHH", 123, 623, AT // 1000, AT // 1000 + 1, 0, 0x12, 17, 0, 53, 4444)
    exporter = b"" if kind == 1 else struct.pack("<HH", 2, 0)
    if wide:
        rest = numbers("2001:db8::1") + numbers("2001:db8::2") + struct.pack("<QQ", 7, 700)
    else:
        rest = numbers("192.0.2.1") + numbers("198.51.100.2") + struct.pack("<II", 7, 700)
    body = head + first + exporter + rest + bytes(8)  # and an extension that means nothing here
    return struct.pack("<HH", kind, 4 + len(body)) + body


def sampler(exporter: int, packets: int, space: int) -> bytes:
    return struct.pack("<HHHHqII", 15, 24, exporter, 0, 1, packets, space)


def legacy_sampler(exporter: int, interval: int) -> bytes:
    return struct.pack("<HHiIHH", 9, 16, 1, interval, 0, exporter)


def literal(content: bytes) -> bytes:
    """LZO1X without a match."""
    zeros, last = divmod(len(content) - 3 - 15 - 1, 255)
    return b"\0" + bytes(zeros) + bytes((last + 1,)) + content + b"\x11\0\0"


PACK: dict[str, tuple[int, int, Callable[[bytes], bytes]]] = {  # number in layout 2, bit in layout 1
    "none": (0, 0, bytes),
    "lzo": (1, 1, literal),
    "bz2": (2, 8, bz2.compress),
    "lz4": (3, 16, lambda content: pa.Codec("lz4_raw").compress(content, asbytes=True)),
    "zstd": (4, 0, lambda content: pa.Codec("zstd").compress(content, asbytes=True)),
}


def block(each: list[bytes], kind: int = 3, flags: int = 0, pack: Callable[[bytes], bytes] = bytes) -> bytes:
    body = pack(b"".join(each))
    return struct.pack("<IIHH", len(each), len(body), kind, flags) + body


def layout_1(*blocks: bytes, packing: str = "none", promised: int | None = None) -> bytes:
    count = len(blocks) if promised is None else promised
    head = struct.pack("<2sHII128s", nfdump.MAGIC, 1, PACK[packing][1], count, b"none")
    return head + bytes(136) + b"".join(blocks)


def layout_2(*blocks: bytes, packing: str = "none", promised: int | None = None, encryption: int = 0) -> bytes:
    count = len(blocks) if promised is None else promised
    head = struct.pack(
        "<2sHIqBBHIqII", nfdump.MAGIC, 2, 0x01070101, AT // 1000, PACK[packing][0], encryption, 0, 1, 0, 1 << 20, count
    )
    return head + b"".join(blocks)


def read(content: bytes) -> tuple[list[dict[str, Any]], list[Refused]]:
    pages = list(nfdump.read(io.BytesIO(content).read))
    for page in pages:
        page.flows.validate(full=True)
    return [row for page in pages for row in page.flows.to_pylist()], [each for page in pages for each in page.refused]


def row(source: str, target: str, last: int, *, sampling: int = 1) -> dict[str, Any]:
    return {
        "first": datetime.fromtimestamp(AT / 1000, UTC),
        "last": datetime.fromtimestamp(last / 1000, UTC),
        "source": packed(source),
        "target": packed(target),
        "source_port": 53,
        "target_port": 4444,
        "protocol": 17,
        "flags": 0x12,
        "fragment": 0,
        "packets": 7,
        "bytes": 700,
        "sampling": sampling,
    }


FOUR = row("192.0.2.1", "198.51.100.2", AT + 1500)
SIX = row("2001:db8::1", "2001:db8::2", AT + 1500)


@pytest.mark.parametrize("packing", PACK)
def test_layout_2(packing: str) -> None:
    pack = PACK[packing][2]
    content = layout_2(
        block([record(), struct.pack("<HH4x", 8, 8), record("2001:db8::1", "2001:db8::2")], pack=pack),
        block([bytes(12)], kind=4),  # an array of something else
        block([record()], flags=1),  # left as it is in a packed file
        packing=packing,
    )
    assert read(content) == ([FOUR, SIX, FOUR], [])


@pytest.mark.parametrize("packing", [each for each in PACK if each != "zstd"])
@pytest.mark.parametrize("kind", [1, 10])
def test_layout_1(packing: str, kind: int) -> None:
    content = layout_1(
        block([struct.pack("<HH8x", 2, 12), common(kind=kind), common(kind=kind, wide=True)], 2, 0, PACK[packing][2]),
        packing=packing,
    )
    assert read(content) == ([FOUR, SIX], [])


def test_sampling_is_what_the_exporter_says_of_it() -> None:
    blocks = [
        block([sampler(1, 1, 999), legacy_sampler(2, 50), sampler(3, 10, 990)]),
        block([record(flags=2), record(flags=2, exporter=2), record(flags=2, exporter=3), record(flags=2, exporter=4)]),
        block([record()]),
    ]
    rows, refused = read(layout_2(*blocks))
    assert [each["sampling"] for each in rows] == [1000, 50, 100, 1, 1]
    assert {each["packets"] for each in rows} == {7}, "the collector has multiplied them"
    assert not refused
    rows, _ = read(layout_1(block([legacy_sampler(2, 50), common(sampled=True), common(kind=1, sampled=True)], 2)))
    assert [each["sampling"] for each in rows] == [50, 50]


def test_a_record_without_times_has_its_reception() -> None:
    (only,), _ = read(layout_2(block([record(first=0)])))
    assert only["last"] == datetime.fromtimestamp((AT + 2000) / 1000, UTC)
    assert only["first"] == FOUR["last"], "what is known of them stays, in the right order"


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        (("192.0.2.1", "198.51.100.2", "::192.0.2.1", "::198.51.100.2"), FOUR),
        (("::192.0.2.1", "::198.51.100.2", "192.0.2.1", "198.51.100.2"), FOUR),
        (("0.0.0.0", "0.0.0.0", "2001:db8::1", "2001:db8::2"), SIX),
        (("2001:db8::1", "2001:db8::2", "0.0.0.0", "0.0.0.0"), SIX),
    ],
)
def test_of_two_families_the_one_that_is_set(ends: tuple[str, str, str, str], found: dict[str, Any]) -> None:
    first, second = (element(2 if "." in a[:4] else 3, numbers(a) + numbers(b)) for a, b in (ends[:2], ends[2:]))
    generic = record()[12:64]
    body = generic + first + second
    whole = struct.pack("<HHHBBHBB", 11, 12 + len(body), 3, 0, 0, 1, 0, 9) + body
    assert read(layout_2(block([whole]))) == ([found], [])


def test_what_cannot_be_read_is_told_with_its_place() -> None:
    bare = struct.pack("<HHHBBHBB", 11, 12, 0, 0, 0, 1, 0, 9)
    good = block([record()])
    after = 40 + len(good)
    assert read(layout_2(good, block([bare, record(), bare]))) == (
        [FOUR, FOUR],
        [Refused(after + 12, "no-address", 2)],
    )
    broken = block([record(), struct.pack("<HH", 11, 3), record()])
    assert read(layout_2(good, broken, good)) == (
        [FOUR, FOUR, FOUR],
        [Refused(after + 12 + len(record()), "bad-length")],
    )
    assert read(layout_2(block([record()], flags=1), block([b"?" * 40]), packing="lz4")) == (
        [FOUR],
        [Refused(after, "damaged-block")],
    )
    assert read(layout_2(good, good)[:-1]) == ([FOUR], [Refused(after, "cut-short")])
    assert read(layout_2(good, promised=2)) == ([FOUR], [Refused(after, "cut-short")])
    assert read(layout_2(good, promised=0)) == ([FOUR], [])
    assert read(layout_2(good, struct.pack("<IIHH", 1, 1 << 30, 3, 0))) == ([FOUR], [Refused(after, "bad-length")])


def test_blocks_of_nfdump_15_are_told() -> None:
    old = block([bytes(40)], 1)
    assert read(layout_1(old, block([common()], 2))) == ([FOUR], [Refused(276, "unknown-version")])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xa5\x0c\0\1" + bytes(300), "big-endian"),
        (nfdump.MAGIC + b"\3\0" + bytes(300), "layout 3"),
        (layout_2()[:30], "within the header"),
        (layout_1()[:200], "within the header"),
        (layout_2(encryption=1), "encrypted"),
    ],
)
def test_other_files_are_refused(content: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        read(content)


CORPUS = [
    layout_2(block([sampler(1, 1, 9), record(flags=2), record("2001:db8::1", "2001:db8::2")]), block([record()])),
    layout_1(block([legacy_sampler(2, 50), common(), common(kind=1, wide=True)], 2)),
    layout_2(block([record()] * 3, pack=PACK["lz4"][2]), packing="lz4"),
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CORPUS), st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=6), st.data())
def test_damage_is_told_or_refused(content: bytes, changes: list[tuple[int, int]], drawn: st.DataObject) -> None:
    changed = bytearray(content)
    for at, value in changes:
        changed[at % len(changed)] = value
    with suppress(FormatError):
        read(bytes(changed[: drawn.draw(st.integers(0, len(changed)))]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=4), st.integers(0, 400), st.integers(0, 6)
)
def test_the_kernel_stays_within_its_room(changes: list[tuple[int, int]], cut: int, count: int) -> None:
    body = bytearray(
        b"".join([legacy_sampler(2, 5), common(sampled=True), record(), common(kind=1, wide=True), sampler(1, 0, 1)])
    )
    for at, value in changes:
        body[at % len(body)] = value
    raw = np.frombuffer(bytes(body[: max(len(body) - cut, 1)]), np.uint8)
    made, notes, intervals = records.empty(4), np.array((-1, 0, 0), np.int64), np.zeros(1 << 16, np.uint32)
    for column in made:
        column.fill(0)
    plain = [guarded(column) for column in made], guarded(notes), guarded(intervals)
    rows = nfdump.read_records(raw, len(raw), count, intervals, *made, 4, notes)
    assert nfdump.read_records.plain(guarded(raw), len(raw), count, plain[2], *plain[0], 4, plain[1]) == rows
    assert [column.reshape(-1).tolist() for column in made] == plain[0]
    assert notes.tolist() == plain[1]


def by_nfdump(path: Path) -> list[tuple[Any, ...]]:
    """What nfdump itself prints of a file."""
    printed = subprocess.run(
        ["nfdump", "-r", path, "-o", "json"], capture_output=True, check=True, env={**os.environ, "TZ": "UTC"}
    ).stdout
    return [
        (
            *(datetime.fromisoformat(f"{each[name]}+00:00") for name in ("first", "last")),
            *(packed(each.get(f"{end}4_addr") or each[f"{end}6_addr"]) for end in ("src", "dst")),
            each.get("src_port", 0),
            each["dst_port"] if "dst_port" in each else each["icmp_type"] * 256 + each["icmp_code"],
            each["proto"],
            sum(1 << 7 - at for at, letter in enumerate(each.get("tcp_flags", "")) if letter != "."),
            each["in_packets"],
            each["in_bytes"],
        )
        for each in json.loads(printed)
    ]


def outline(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(value for name, value in each.items() if name not in ("fragment", "sampling")) for each in rows]


@pytest.fixture
def real(tmp_path: Path) -> Path:
    found = SHARED / "flows/slips_test1-malicious.nfdump.gz"
    if not found.is_file():
        pytest.skip("the shared captures are not here")
    if shutil.which("nfdump") is None and "CI" not in os.environ:
        pytest.skip("nfdump is not installed")
    path = tmp_path / "old.nfdump"
    path.write_bytes(gzip.decompress(found.read_bytes()))
    return path


@pytest.mark.parametrize("packing", ["", "-z", "-j", "-y"])
def test_rows_are_those_nfdump_prints(real: Path, packing: str, tmp_path: Path) -> None:
    path = real
    if packing:
        path = tmp_path / "new.nfdump"
        subprocess.run(["nfdump", "-r", real, "-w", path, packing], check=True, capture_output=True)
    rows, refused = read(path.read_bytes())
    assert len(rows) == 4593
    assert outline(rows) == by_nfdump(path)
    assert not refused


@pytest.mark.parametrize("packing", ["-z", "-j", "-y"])
def test_ours_is_theirs(packing: str, tmp_path: Path) -> None:
    """Without any real file: nfdump packs what this test wrote."""
    if shutil.which("nfdump") is None and "CI" not in os.environ:
        pytest.skip("nfdump is not installed")
    path = tmp_path / "made.nfdump"
    path.write_bytes(layout_2(block([record(), record("2001:db8::1", "2001:db8::2")] * 500)))
    assert by_nfdump(path) == outline([FOUR, SIX] * 500)
    other = tmp_path / "packed.nfdump"
    subprocess.run(["nfdump", "-r", path, "-w", other, packing], check=True, capture_output=True)
    assert read(other.read_bytes()) == ([FOUR, SIX] * 500, [])
