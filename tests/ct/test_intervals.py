"""What of a log was read: newest first, every entry once, whatever comes between; and names met lately."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.ct import intervals, recent
from khien.ct.heads import Head
from khien.errors import CustodyError, InputError
from khien.ledger import EMPTY


def root(size: int) -> bytes:
    return size.to_bytes(32) if size else EMPTY


def head(size: int, at: int = 0) -> Head:
    return Head(size, root(size), at or 1 + size)


@settings(deadline=None)
@given(
    st.integers(0, 3000),
    st.integers(0, 4000),
    st.lists(st.integers(0, 700) | st.just(-1), max_size=60),
    st.sampled_from([1, 7, 256, 1000]),
    st.sampled_from([1, 5, 200, 5000]),
)
def test_every_entry_is_read_newest_first(size: int, backlog: int, steps: list[int], most: int, given: int) -> None:
    """Steps: how many entries come; -1: a chunk is read, of which so many are given. At the end all is read."""
    standing = intervals.begun("log", head(size), backlog)
    begin, met = max(size - backlog, 0), set[int]()

    def read() -> bool:
        nonlocal standing
        chunk = intervals.next_chunk(standing, most)
        if chunk is None:
            return False
        wanted = max(each.end for each in standing.gaps)
        assert chunk.end == wanted
        assert 0 < chunk.end - chunk.begin <= most + 2
        assert chunk.root == root(chunk.end)
        assert chunk.begin & (chunk.begin - 1) != 0 or chunk.begin == 0 or chunk.known == root(chunk.begin)
        end, behind = min(chunk.begin + given, chunk.end), None
        if end < chunk.end:
            behind = intervals.Gap(end, chunk.end, chunk.root, root(end))
        met.update(range(chunk.begin, end))
        standing = intervals.read(standing, chunk, root(chunk.begin), end, behind)
        standing = intervals.decode(intervals.encode({"id": standing}))["id"]
        return True

    for step in steps:
        if step < 0:
            read()
        elif len(standing.gaps) < intervals.MOST_GAPS:
            size += step
            standing = intervals.grown(standing, head(size))
        edges = [edge for gap in standing.gaps for edge in (gap.begin, gap.end)]
        assert edges == sorted(set(edges))
        assert standing.behind == size - begin - len({n for n in met if n >= begin})
    while read():
        pass
    assert met >= set(range(begin, size))
    assert min(met, default=begin) >= begin - 2
    assert standing.behind == 0


def test_heads_that_do_not_follow() -> None:
    standing = intervals.begun("log", head(100, at=50), 0)
    with pytest.raises(CustodyError, match="some were removed"):
        intervals.grown(standing, head(99, at=51))
    with pytest.raises(CustodyError, match="some were removed"):
        intervals.grown(standing, head(99, at=50))
    assert intervals.grown(standing, head(99, at=49)) == standing
    with pytest.raises(CustodyError, match="the log forks"):
        intervals.grown(standing, Head(100, root(7), 51))
    assert intervals.grown(standing, head(100, at=60)).at == 60
    later = intervals.grown(standing, head(105))
    chunk = intervals.next_chunk(later, 50)
    assert chunk == (100, 105, root(105), root(100))
    with pytest.raises(CustodyError, match="the log forks"):
        intervals.read(later, chunk, root(7), 0)


def test_progress() -> None:
    standing = intervals.grown(intervals.begun("a log", head(1000, at=1_793_500_000_000), 10), head(1200, at=2**62))
    (told,) = intervals.progress(intervals.encode({"id": standing}))
    assert told == ("a log", 1200, 210, 1, None, "", False)
    chunk = intervals.next_chunk(standing, 256)
    assert chunk
    standing = intervals.read(standing, chunk, root(chunk.begin), 1_793_500_000_000_000)
    (told,) = intervals.progress(intervals.encode({"id": standing}))
    assert told.newest == datetime(2026, 11, 1, 2, 26, 40, tzinfo=UTC)


@pytest.mark.parametrize("cursor", [b"", b"\xff", b"{}", b"\x81\xa1a\x01"])
def test_cursors_that_are_none(cursor: bytes) -> None:
    with pytest.raises(InputError, match="start without one"):
        intervals.decode(cursor)
    broken = intervals.Standing(name="log", gaps=(intervals.Gap(5, 3, root(3)),))
    with pytest.raises(InputError, match="not whole"):
        intervals.decode(intervals.encode({"id": broken}))


def taken(memory: recent.Recent, names: list[str], now: float = 0.0) -> list[bool]:
    values = np.frombuffer("".join(names).encode() + b"\0", np.uint8)
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int32)
    return memory.take(values, offsets, len(names), now).tolist()


@settings(deadline=None)
@given(st.lists(st.text("abcAB.-", max_size=5), max_size=60), st.binary(min_size=16, max_size=16))
def test_each_name_is_new_once(names: list[str], chance: bytes) -> None:
    met, expected = set[str](), list[bool]()
    for name in names:
        known = name.lower().removesuffix(".")
        expected.append(known not in met)
        met.add(known)
    assert taken(recent.Recent(chance, slots=1 << 10), names) == expected


def test_names_are_remembered_for_a_while() -> None:
    memory = recent.Recent(b"0123456789abcdef", seconds=10, slots=16)
    assert taken(memory, ["a", "b"], 0) == [True, True]
    assert taken(memory, ["a"], 9.9) == [False]
    assert taken(memory, ["b"], 10) == [False]  # of the generation before
    assert taken(memory, ["c"], 12) == [True]
    assert taken(memory, ["a", "c"], 20) == [True, False]
    assert taken(memory, [f"{n}" for n in range(100)], 21) == [True] * 100  # more than there is room for
    assert taken(memory, ["5", "a"], 22) == [False, True]


def test_the_kernel_remembers_as_python_does() -> None:
    names = [f"n{n % 50}.example" for n in range(80)]
    values = "".join(names).encode()
    offsets = [0, *np.cumsum(list(map(len, names))).tolist()]
    now, before, new = np.zeros(256, np.int32), np.zeros(256, np.int32), np.zeros(80, np.uint8)
    plain, old, told = [0] * 256, [0] * 256, [0] * 80
    points = 2**31 - 2, 2**30 + 12345
    put = recent.take(
        np.frombuffer(values, np.uint8), np.array(offsets, np.int32), 80, *points, now, before, 255, 40, new
    )
    assert put == recent.take.plain(values, offsets, 80, *points, plain, old, 255, 40, told) == 40
    assert (now.tolist(), new.tolist()) == (plain, told)
