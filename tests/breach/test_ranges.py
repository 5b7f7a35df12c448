"""Answers to prefixes, held to a few lines of plain Python; padding as its own words promise it."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.breach.ranges import LEAST, Ranges
from khien.breach.table import WIDTHS
from khien.errors import ContractError
from tests.breach.held import made

KEY = bytes(range(32))
ROW = {20: 39, 16: 31}  # octets of a row of count 0


def expected(prefix: int, *lists: Mapping[bytes, int]) -> bytes:
    """What Pwned Passwords would answer."""
    counts = Counter[bytes]()
    for each in lists:
        counts.update(each)
    rows = sorted((digest.hex().upper(), count) for digest, count in counts.items())
    return b"\r\n".join(
        f"{digest[5:]}:{min(count, 2**63 - 1)}".encode() for digest, count in rows if int(digest[:5], 16) == prefix
    )


def near(width: int) -> st.SearchStrategy[dict[bytes, int]]:
    """Digests of a few prefixes, many of them alike for long, with counts of all lengths."""
    head = st.sampled_from([b"\x21\xbd\x10", b"\x21\xbd\x1f", b"\x21\xbd\x2f", b"\x00\x00\x00", b"\xff\xff\xff"])
    rest = st.lists(st.sampled_from([0, 1, 255]), min_size=width - 3, max_size=width - 3).map(bytes)
    count = st.one_of(st.integers(1, 20), st.integers(1, 2**63 - 1))
    return st.dictionaries(st.tuples(head, rest).map(b"".join), count, max_size=40)


def test_all_digests_come_once_in_order(tmp_path: Path) -> None:
    lists = [{bytes([each]) * 20: each + 1 for each in range(start, 256, step)} for start, step in ((0, 2), (0, 3))]
    ranges = Ranges(tuple(made(tmp_path, each, str(at)) for at, each in enumerate(lists)), 20, KEY)
    text = b"".join(ranges.lines(*each) for each in ranges.batches(tmp_path)).decode()
    counts = {each: (each + 1) * ((each % 2 == 0) + (each % 3 == 0)) for each in range(256)}
    assert text == "".join(f"{bytes([each] * 20).hex().upper()}:{count}\r\n" for each, count in counts.items() if count)


@pytest.mark.parametrize("width", [20, 16])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_rows_are_those_of_both_tables_with_their_counts_added(width: int, data: st.DataObject) -> None:
    lists = [each for each in data.draw(st.lists(near(width), max_size=2)) if each]
    with tempfile.TemporaryDirectory() as folder:
        tables = tuple(made(Path(folder), each, str(name)) for name, each in enumerate(lists))
        ranges = Ranges(tables, width, KEY)
        for prefix in (0x21BD1, 0x21BD2, 0x00000, 0xFFFFF, 0x12345):
            body, padded = ranges.body(prefix), ranges.padded(prefix).split(b"\r\n")
            assert padded == sorted(padded)
            wanted = expected(prefix, *lists)
            assert [row for row in padded if row.strip(b"0")[-1:] != b":"] == (wanted.split(b"\r\n") if wanted else [])
            assert body == wanted or (not wanted and body in padded), "of no rows, one of count 0"


def digests(mode: str, prefix: int, count: int) -> dict[bytes, int]:
    """So many digests of a prefix; how often they were met has all sorts of lengths."""
    width, begin = WIDTHS[mode], prefix.to_bytes(3, "big").hex()[1:]
    texts = (begin + hashlib.sha512(b"%d %d" % (prefix, each)).hexdigest() for each in range(count))
    made = (bytes.fromhex(each[: 2 * width]) for each in texts)
    return {digest: 10 ** (each % 7) for each, digest in enumerate(made)}


@pytest.mark.parametrize("mode", WIDTHS)
def test_padded_answers_are_of_one_length(mode: str, tmp_path: Path) -> None:
    sizes = (0, 1, 2, 37, 40, 400, 700)
    held = {digest: count for each in sizes for digest, count in digests(mode, 0x21B00 + each, each).items()}
    ranges = Ranges((made(tmp_path, held),), WIDTHS[mode], KEY)
    lengths = {len(ranges.padded(0x21B00 + each)) for each in (*sizes, 5, 6, 7)}
    assert lengths == {LEAST * ROW[WIDTHS[mode]] - 2}
    for each in sizes:
        rows = [row.split(b":") for row in ranges.padded(0x21B00 + each).split(b"\r\n")]
        assert len({suffix for suffix, _ in rows}) == len(rows), "no suffix twice"
        assert {len(suffix) for suffix, _ in rows} == {2 * WIDTHS[mode] - 5}
        assert sum(int(count) > 0 for _, count in rows) == each
        assert {count for _, count in rows if int(count) == 0} <= {b"0", b"00"}


def test_what_is_longer_than_any_bucket_should_be_goes_to_the_next_hundred_rows(tmp_path: Path) -> None:
    ranges = Ranges((made(tmp_path, digests("sha1", 0x21BD1, 900)),), 20, KEY)
    assert len(ranges.padded(0x21BD1)) == 1100 * 39 - 2  # their counts have four digits on average
    assert len(ranges.padded(0x21BD2)) == LEAST * 39 - 2


@pytest.mark.parametrize("prefix", [-1, 1 << 20, 1 << 34])
def test_no_other_prefix_is_looked_for(prefix: int, tmp_path: Path) -> None:
    ranges = Ranges((made(tmp_path, {bytes(20): 1}),), 20, KEY)
    for answer in (ranges.body, ranges.padded):
        with pytest.raises(ContractError):
            answer(prefix)


def test_padding_follows_from_the_key_the_digest_and_the_prefix() -> None:
    one, other = Ranges((), 20, KEY), Ranges((), 20, bytes(32))
    assert one.padded(7) == Ranges((), 20, KEY).padded(7)
    seen = [set(each.padded(prefix).split(b"\r\n")) for each, prefix in ((one, 7), (one, 8), (other, 7))]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert one.body(7) in seen[0]


def test_padding_stays_where_rows_come(tmp_path: Path) -> None:
    """Who compares answers of two generations learns what came, not which rows were made."""
    held = digests("sha1", 7, 50)
    answers = (Ranges((), 20, KEY), Ranges((made(tmp_path, held),), 20, KEY))
    before, after = ({row[:35] for row in each.padded(7).split(b"\r\n")} for each in answers)
    ours = {digest.hex().upper().encode()[5:] for digest in held}
    assert ours < after
    assert after - ours < before


def test_places_of_rows_tell_nothing(tmp_path: Path) -> None:
    held = digests("sha1", 7, 400)
    rows = Ranges((made(tmp_path, held),), 20, KEY).padded(7).split(b"\r\n")
    real = [at for at, row in enumerate(rows) if row.strip(b"0")[-1:] != b":"]
    assert len(real) == 400
    assert 0.4 < sum(real) / len(real) / len(rows) < 0.6
    assert {row[:1] for row in rows} == {b"%X" % digit for digit in range(16)}


def test_a_generation_is_named_by_its_tables(tmp_path: Path) -> None:
    one, other = made(tmp_path, {bytes(20): 1}), made(tmp_path, {bytes(20): 2})
    names = {Ranges(tables, 20, KEY).generation for tables in ((), (one,), (other,), (one, other))}
    assert len(names) == 4
