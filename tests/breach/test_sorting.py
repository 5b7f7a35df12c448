import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.breach import rows as kernels
from khien.breach import sealed, sorting
from khien.breach.sealed import Seal
from khien.breach.sorting import Run, merge, merged, write_run
from khien.errors import ContractError, CustodyError

WIDTH = 12
MOST = 2**63 - 1

# Few octets, so that rows are often equal, as a whole or at their beginning.
_row = st.binary(min_size=WIDTH, max_size=WIDTH) | st.lists(
    st.sampled_from([0, 1, 127, 128, 255]), min_size=3, max_size=3
).map(lambda some: bytes(7) + bytes(some[:1]) + bytes(some[1:] * 2))
_rows = st.lists(_row, max_size=60)
_counted = st.lists(
    st.tuples(_row.map(lambda row: row[-WIDTH + 4 :] * 2), st.sampled_from([1, 2, 255, MOST - 1, MOST, 2**64 - 1])).map(
        lambda pair: pair[0][:8] + pair[1].to_bytes(8, "big")
    ),
    max_size=60,
)


def _array(rows: list[bytes], width: int = WIDTH):
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, width)


def _tally(rows: list[bytes]) -> list[bytes]:
    sums: dict[bytes, int] = {}
    for row in rows:
        count = min(int.from_bytes(row[8:], "big"), MOST)
        sums[row[:8]] = min(sums.get(row[:8], 0) + count, MOST)
    return [key + count.to_bytes(8, "big") for key, count in sorted(sums.items())]


def _read(batches) -> list[bytes]:
    return [bytes(row) for batch in batches for row in batch]


def _run(folder: Path, rows: list[bytes], name: str = "run", **how: bool) -> Path:
    path = folder / name
    write_run(path, _array(rows, 16 if how else WIDTH), **how)
    return path


@given(rows=_rows)
@settings(max_examples=40, deadline=None)
def test_a_run_is_the_sorted_set_of_its_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("runs")
    path = _run(folder, rows)
    assert _read([Run.open(path, WIDTH).rows]) == sorted(set(rows)) == _read(Run.open(path, WIDTH).batches())
    assert path.read_bytes() == _run(folder, rows[::-1], "other").read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list(folder.iterdir())) == 2


@given(rows=_counted, cuts=st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=40, deadline=None)
def test_counts_add_up_however_rows_are_split(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    parts = [rows[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)], strict=True)]
    runs = [_run(folder, part, str(n), counted=True) for n, part in enumerate(parts)]
    assert _read(merged(runs, 16, scratch=folder, counted=True)) == _tally(rows)


@pytest.mark.parametrize("fan", [2, 3, 256])
@pytest.mark.parametrize("room", [2, 3, 1 << 16])
def test_any_number_of_runs_gives_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fan: int, room: int
) -> None:
    monkeypatch.setattr(sorting, "FAN", fan)
    monkeypatch.setattr(sorting, "_ROOM", room)
    monkeypatch.setattr(sorting, "_PIECE", 5 * WIDTH)
    chance = np.random.default_rng(6)
    rows = [bytes(row) for row in chance.integers(0, 3, (400, WIDTH), np.uint8)]
    runs = [_run(tmp_path, rows[n : n + 40], str(n)) for n in range(0, 400, 40)]
    told: list[tuple[int, int]] = []
    got = _read(
        merged(runs[:9], WIDTH, scratch=tmp_path, beside=[Run.open(runs[9], WIDTH).batches()], told=_tell(told))
    )
    assert got == sorted(set(rows))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == {2: 4, 3: 2, 256: 1}[fan] * 9 * 40
    path = merge(runs, tmp_path, "known-1", WIDTH)
    assert _read([Run.open(path, WIDTH).rows]) == sorted(set(rows))
    assert merge(runs[::-1], tmp_path, "known-1", WIDTH) == path
    assert len(list(tmp_path.iterdir())) == 11, "nothing of what stood in between is left"


def _tell(told: list[tuple[int, int]]):
    return lambda done, of: told.append((done, of))


def test_nothing_merged_is_nothing(tmp_path: Path) -> None:
    assert _read(merged([], WIDTH, scratch=tmp_path)) == []
    assert Run.open(merge([], tmp_path, "known-1", WIDTH), WIDTH).find(_array([bytes(WIDTH)])).tolist() == [-1]


@given(rows=_rows, size=st.sampled_from([8, WIDTH]))
@settings(max_examples=40, deadline=None)
def test_rows_are_found_by_how_they_begin(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes], size: int
) -> None:
    run = Run.open(_run(tmp_path_factory.mktemp("runs"), rows), WIDTH)
    kept = [row[:size] for row in sorted(set(rows))]
    keys = [*kept, bytes(size), b"\xff" * size, b"\x80" + bytes(size - 1)]
    expected = [kept.index(key) if key in kept else -1 for key in keys]
    assert run.find(_array(keys, size)).tolist() == expected


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    path = _run(tmp_path, [bytes([n]) * WIDTH for n in range(5)])
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(CustodyError):
            _read(merged([path], WIDTH, scratch=tmp_path))
        path.write_bytes(whole[:at])
        with pytest.raises(CustodyError):
            _read(merged([path], WIDTH, scratch=tmp_path))
    path.unlink()
    with pytest.raises(CustodyError, match="run: No such file"):
        Run.open(path, WIDTH)


def test_another_kind_of_run_is_told(tmp_path: Path) -> None:
    path = _run(tmp_path, [bytes(WIDTH)])
    for width, counted in ((16, False), (20, True)):
        with pytest.raises(CustodyError, match=f"rows of {width} octets"):
            _read(merged([path], width, scratch=tmp_path, counted=counted))
    with pytest.raises(ContractError):
        write_run(path, np.zeros((1, 15), np.uint8), counted=True)
    foreign = tmp_path / "foreign"
    with sealed.writing(tmp_path / "part") as writing:
        writing.seal(Seal(b"othersrt", 1, WIDTH, 0))
        sealed.name(tmp_path / "part", foreign)
    with pytest.raises(CustodyError, match="is othersrt 1, where khienrun 1 is read"):
        Run.open(foreign, WIDTH)


def test_rows_out_of_order_are_told(tmp_path: Path) -> None:
    for rows in ([b"b" * WIDTH, b"a" * WIDTH], [b"a" * 11 + b"b", b"a" * WIDTH]):
        with sealed.writing(tmp_path / "part") as writing:
            writing.write(b"".join(rows))
            writing.seal(Seal(b"khienrun", 1, WIDTH, 2))
            sealed.name(tmp_path / "part", tmp_path / "run")
        with pytest.raises(CustodyError, match="out of order"):
            _read(merged([tmp_path / "run"], WIDTH, scratch=tmp_path))


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    path = _run(tmp_path, [bytes(WIDTH), b"a" * WIDTH])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CustodyError):
        merge([path], tmp_path, "known-1", WIDTH)
    assert list(tmp_path.iterdir()) == [path]


def test_a_million_rows_that_begin_alike_are_sorted_in_time(tmp_path: Path) -> None:
    rows = np.zeros((300_000, 28), np.uint8)  # one password of as many accounts
    rows[:, 20:] = np.random.default_rng(6).permutation(300_000).astype(">u8").view(np.uint8).reshape(-1, 8)
    write_run(tmp_path / "run", rows)
    assert (Run.open(tmp_path / "run", 28).rows[:, 24:].view(">u4").ravel() == np.arange(300_000)).all()


def test_kernels_do_as_their_functions_say() -> None:
    chance = np.random.default_rng(6)
    rows = chance.integers(0, 2, (60, 16), np.uint8) * 255
    made = []
    for kernel in (lambda each: each, lambda each: each.plain):
        flat = rows.reshape(-1)
        heads, out = np.empty(60, np.int64), np.zeros(60 * 16, np.uint8)
        kernel(kernels.heads)(flat, 60, 16, heads)
        order = np.argsort(heads, kind="stable")
        kernel(kernels.settle)(flat, 60, 16, heads, order)
        left = kernel(kernels.combine)(flat, 60, 16, 8, order, out)
        found = np.empty(60, np.int64)
        kernel(kernels.find)(out, left, 16, flat, 60, 16, order, found)
        at, end = np.array([0, 40]), np.array([40, 60])
        heads2, tree = np.empty(2, np.int64), np.full(2, -1, np.int64)
        into, done = np.zeros(60 * 16, np.uint8), np.zeros(1, np.int64)
        two = np.concatenate([out[: 40 * 16], np.sort(rows[:20].view("S16"), axis=0).view(np.uint8).ravel()])
        paused = kernel(kernels.merge)(two, 16, 8, 2, at, end, heads2, tree, kernels.BEGIN, into, 60, done)
        made.append([*map(bytes, (heads, order, out, found, at, end, heads2, tree, into, done)), left, paused])
    assert made[0] == made[1]
