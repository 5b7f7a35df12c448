"""The spool of listeners: what was received is there until it is saved, whatever happens."""

import os
import stat
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from khien import schema
from khien.errors import ConfigError, InputError
from khien.sources.live import spool as module
from khien.sources.live.spool import Place, Spool


def rows(*names: str) -> pa.RecordBatch:
    return pa.record_batch([pa.array(names, pa.string()), pa.nulls(len(names), schema.TIME)], schema=schema.NAMES)


def replayed(directory: Path, saved: Place | None = None) -> list[str]:
    found = Spool(str(directory), schema.NAMES).replay(saved or Place())
    return [name for batch, _ in found for name in batch.column(0).to_pylist()]


def written(directory: Path, count: int) -> list[Place]:
    spool = Spool(str(directory), schema.NAMES)
    places = [spool.write(rows(f"n{number}.example")) for number in range(count)]
    spool.close()
    return places


def test_what_is_behind_a_place_is_told_again(tmp_path: Path) -> None:
    places = written(tmp_path, 300)
    assert all(one < other for one, other in pairwise(places))
    for at in (0, 126, 127, 128, 298, 299):
        assert replayed(tmp_path, places[at]) == [f"n{number}.example" for number in range(at + 1, 300)]
    assert [path.name for path in tmp_path.iterdir()] == ["3.spool"], "what is saved is gone"
    assert {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path, *tmp_path.iterdir())} == {0o700, 0o600}


def test_goes_on_behind_what_was_there(tmp_path: Path) -> None:
    written(tmp_path, 3)
    spool = Spool(str(tmp_path), schema.NAMES)
    places = [place for _, place in spool.replay(Place())]
    assert spool.write(rows("later.example")) > places[-1]
    spool.close()
    assert replayed(tmp_path, places[-1]) == ["later.example"]


@pytest.mark.parametrize("cut", [1, 7, 9, 100])
def test_a_torn_end_is_dropped(tmp_path: Path, cut: int) -> None:
    written(tmp_path, 3)
    path = tmp_path / "1.spool"
    path.write_bytes(path.read_bytes()[:-cut])
    assert replayed(tmp_path) == ["n0.example", "n1.example"]
    path.write_bytes(path.read_bytes() + b"\xff" * 20)
    assert replayed(tmp_path) == ["n0.example", "n1.example"]


def test_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FRAMES", 2)
    written(tmp_path, 100)
    assert len(list(tmp_path.iterdir())) == module._SEGMENTS + 1
    assert len(replayed(tmp_path)) >= 2 * module._SEGMENTS


def test_what_is_no_file_of_ours_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path, 1)
    os.mkfifo(tmp_path / "2.spool")
    (tmp_path / "secret").write_bytes((tmp_path / "1.spool").read_bytes())
    (tmp_path / "3.spool").symlink_to(tmp_path / "secret")
    (tmp_path / "4.spool").mkdir()
    assert replayed(tmp_path) == ["n0.example"]


def test_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cursor of a listener"):
        Place.of(b"{}")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be the spool"):
        Spool(str(tmp_path / "file"), schema.NAMES)


def test_without_a_directory_places_are_only_counted() -> None:
    spool = Spool("", schema.NAMES)
    assert list(spool.replay(Place(2, 5))) == []
    assert [spool.write(rows("a.example")) for _ in range(2)] == [Place(2, 6), Place(2, 7)]
