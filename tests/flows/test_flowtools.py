"""flow-tools' files: every export version that names hosts, both byte orders, packed or not."""

import gzip
import io
import struct
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.flows import flowtools
from khien.flows.reading import Refused
from tests.flows.wire import packed

AT = 1_600_000_000  # seconds
SIZES = {1: 60, 5: 64, 6: 72, 7: 68, 1005: 72}
SHARED = Path(__file__).parents[3] / "shared/data/flows"


def record(order: str, size: int, *, uptime: int = 500_000, first: int = 490_000, last: int = 499_000) -> bytes:
    head = struct.pack(order + "IIIIIII", AT, 250_000_000, uptime, 1, 0xC0000201, 0xC6336402, 0)
    rest = struct.pack(order + "HHIIIIHHBBBB", 1, 2, 7, 700, first, last, 53, 4444, 17, 0, 0x12, 0)
    return (head + rest).ljust(size, b"\xee")


def file(*each: bytes, order: str = "<", version: int = 5, pack: bool = False, stream: int = 3) -> bytes:
    fields = struct.pack(order + "HHH", 2, 2, version) + struct.pack(order + "HHI", 8, 4, 1 | 2 * pack)
    fields += struct.pack(order + "HH", 15, 4) + b"gw1\0"
    head = flowtools.MAGIC + bytes((1 if order == "<" else 2, stream)) + struct.pack(order + "I", 8 + len(fields))
    body = b"".join(each)
    return head + fields + (zlib.compress(body) if pack else body)


def read(content: bytes) -> tuple[list[dict[str, Any]], list[Refused]]:
    pages = list(flowtools.read(io.BytesIO(content).read))
    for page in pages:
        page.flows.validate(full=True)
    return [row for page in pages for row in page.flows.to_pylist()], [each for page in pages for each in page.refused]


ROW = {
    "first": datetime.fromtimestamp(AT - 9.75, UTC),
    "last": datetime.fromtimestamp(AT - 0.75, UTC),
    "source": packed("192.0.2.1"),
    "target": packed("198.51.100.2"),
    "source_port": 53,
    "target_port": 4444,
    "protocol": 17,
    "flags": 0x12,
    "fragment": 0,
    "packets": 7,
    "bytes": 700,
    "sampling": 1,
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", SIZES)
@pytest.mark.parametrize("pack", [False, True])
def test_every_version(order: str, version: int, pack: bool) -> None:
    each = record(order, SIZES[version])
    assert read(file(each, each, order=order, version=version, pack=pack)) == ([ROW, ROW], [])


def test_uptime_that_began_again() -> None:
    soon = record("<", 64, uptime=1_000, first=(1 << 32) - 9_000, last=0)
    (row,), _ = read(file(soon))
    assert (row["first"], row["last"]) == (ROW["first"].replace(second=30), ROW["last"].replace(second=39))
    later = record("<", 64, uptime=1_000, first=2_000, last=1_500)
    (row,), _ = read(file(later))
    assert row["last"] - row["first"] == timedelta(seconds=0.5), "written the wrong way round"


def test_many_pages() -> None:
    rows, refused = read(file(record("<", 64) * 70_000, pack=True))
    assert len(rows) == 70_000
    assert not refused


def test_damage_is_told() -> None:
    good = file(record("<", 64) * 3)
    assert read(good[:-1]) == ([ROW, ROW], [Refused(30 + 128, "cut-short")])
    squeezed = file(record("<", 64) * 3, pack=True)
    rows, refused = read(squeezed[:-6])
    assert [each.code for each in refused] == ["damaged-block"]
    assert rows in ([ROW] * 3, [ROW] * 2, [ROW], [])
    assert read(squeezed[:-1])[1], "its checksum is missing"
    assert read(file()) == ([], [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (file(version=8), "NetFlow v8"),
        (file(stream=1), "stream version 3"),
        (file()[:20], "within the header"),
        (flowtools.MAGIC + b"\1\3\xff\xff\xff\xff", "within the header"),
        (flowtools.MAGIC + b"\1\3\0\0\0\0", "within the header"),
    ],
)
def test_other_files_are_refused(content: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        read(content)


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=5), st.integers(0, 300))
def test_anything_is_read_or_refused(pack: bool, changes: list[tuple[int, int]], size: int) -> None:
    content = bytearray(file(record("<", 64) * 3, pack=pack))
    for at, value in changes:
        content[at % len(content)] = value
    with suppress(FormatError):
        read(bytes(content[:size]))


@pytest.mark.parametrize("name", ["ftv5.2016-01-13", "ftv7.2016-02-14"])
def test_a_real_file(name: str) -> None:
    path = SHARED / f"flows/spark-netflow_{name}.nocompress.bigend.sample.gz"
    if not path.is_file():
        pytest.skip("the shared captures are not here")
    rows, refused = read(gzip.decompress(path.read_bytes()))
    assert len(rows) == 1000
    assert [each["packets"] for each in rows] == list(range(1, 1001)), "flow-gen counts them up"
    assert [each["source"] for each in rows] == [packed(f"0.0.{n >> 8}.{n & 255}") for n in range(1000)]
    assert not refused
