"""The embedded store beyond what every store is held to: its files, its upkeep, its refusals."""

import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from khien import schema
from khien.errors import ConfigError, ConflictError, ContractError, CustodyError, InputError, UnavailableError
from khien.model import Expiry, ProtectedName
from khien.stores.embedded import database, parts, upkeep
from khien.stores.embedded.disk import Local
from khien.stores.embedded.lock import Lock, holder
from khien.stores.embedded.store import Embedded
from khien.testing.store import check_store

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = field(default=DAY)

    def __call__(self) -> datetime:
        return self.now


def names(*texts: str, day: int | None = 0) -> pa.RecordBatch:
    seen_at = None if day is None else DAY + timedelta(days=day)
    return pa.RecordBatch.from_pylist([{"name": text, "seen_at": seen_at} for text in texts], schema.NAMES)


def land(store: Embedded, id: str, rows: pa.RecordBatch, table: str = "names") -> None:
    store.save(landed=[store.land(table, rows, id=id)])


def shown(store: Embedded, table: str = "names") -> list[str]:
    return sorted(store.scan(table).to_table().column("name").to_pylist())


def files(directory: Path, table: str = "names") -> list[str]:
    return sorted(os.listdir(directory / "tables" / table))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Embedded]:
    with Embedded.at(tmp_path, clock) as opened:
        yield opened


def test_the_contract(tmp_path: Path, clock: Clock) -> None:
    check_store(lambda: Embedded.at(tmp_path / "new" / "place", clock))


def test_files_are_their_owners_alone(store: Embedded, tmp_path: Path) -> None:
    land(store, "one", names("a.example"))
    store.put(b"blob")
    for folder, _, inside in os.walk(tmp_path):
        assert folder == str(tmp_path) or os.stat(folder).st_mode & 0o777 == 0o700
        assert {os.stat(Path(folder, name)).st_mode & 0o777 for name in inside} <= {0o600}


@pytest.mark.parametrize("table", ["", "..", "a/b", "Names", "n\0", "x" * 65, "-a", "tên"])
def test_names_of_tables_are_narrow(store: Embedded, table: str) -> None:
    with pytest.raises(ContractError, match="no name of a table"):
        store.land(table, names("a.example"), id="one")


def test_ids_and_cursors_are_any_text(store: Embedded) -> None:
    for id_ in ("", "../../etc/passwd", "tên\0", "x" * 100_000):
        land(store, id_, names(id_[:20] or "empty"))
        store.save(cursor=(id_, id_.encode()))
        assert store.cursor(id_) == id_.encode()
    assert len(shown(store)) == 4


def test_the_same_content_is_written_once(store: Embedded, tmp_path: Path) -> None:
    land(store, "one", names("a.example"))
    before = files(tmp_path)
    land(store, "one", names("a.example"))
    assert files(tmp_path) == before
    assert shown(store) == ["a.example"]


def test_what_was_saved_already_is_not_saved_again(store: Embedded) -> None:
    landed = store.land("names", names("a.example"), id="one")
    store.save(landed=[landed])
    with pytest.raises(ContractError, match="not staged"):
        store.save(landed=[landed])


def test_a_table_may_gain_columns_and_lose_none(store: Embedded) -> None:
    wide = pa.RecordBatch.from_pylist([{"name": "b.example", "port": 443}])
    land(store, "one", wide.select(["name"]), "hosts")
    land(store, "two", wide, "hosts")
    found = store.scan("hosts").to_table().sort_by("name").to_pylist()
    assert found == [{"name": "b.example", "port": None}, {"name": "b.example", "port": 443}]
    with pytest.raises(ContractError, match=r"columns \['name', 'port'\]"):
        store.land("hosts", wide.select(["port"]), id="three")


def test_since_leaves_out_files_that_are_older(store: Embedded) -> None:
    land(store, "old", names("old.example", day=0))
    land(store, "new", names("new.example", day=5))
    land(store, "undated", names("undated.example", day=None))
    since = store.scan("names", since=DAY + timedelta(days=1)).to_table().column("name").to_pylist()
    assert sorted(since) == ["new.example", "undated.example"]


def test_small_files_become_large_ones_and_go_once_nobody_reads_them(
    store: Embedded, clock: Clock, tmp_path: Path
) -> None:
    for number in range(40):
        land(store, f"{number}", names(f"{number}.example"))
    before = store.scan("names")
    land(store, "3", names("revised.example"))
    expected = sorted([*(f"{n}.example" for n in range(40) if n != 3), "revised.example"])
    assert shown(store) == expected
    assert len(before.to_table()) == 40, "who was reading reads on"
    assert store.usage()["replaced"] > 0
    clock.now += timedelta(minutes=11)
    land(store, "last", names("last.example"))
    assert shown(store) == sorted([*expected, "last.example"])
    assert store.usage()["replaced"] == 0
    assert len(files(tmp_path)) < 2 * upkeep.WIDTH
    assert not store.check(deep=True)


def test_an_expiry_leaves_no_file_that_held_the_rows(store: Embedded, tmp_path: Path) -> None:
    for number in range(20):
        land(store, f"{number}", names(f"{number}.example", f"{number}.undated.example", day=number))
    land(store, "0", names("replaced.example", day=1))
    store.land("names", names("orphan.example", day=0), id="orphan")
    store = Embedded.at(tmp_path, Clock())
    proof = store.expire("names", DAY + timedelta(days=10))
    assert (proof.rows, len(shown(store))) == (19, 20)
    assert {path for path, _ in proof.removed}.isdisjoint(f"tables/names/{name}" for name in files(tmp_path))
    for name in files(tmp_path):  # also those that were merged and wait to go
        times = pq.read_table(tmp_path / "tables" / "names" / name).column("seen_at").to_pylist()
        assert min(times) >= DAY + timedelta(days=10)
    assert store.load(Expiry, proof.id)[proof.id] == proof


def test_what_cannot_age_cannot_expire(store: Embedded) -> None:
    land(store, "one", pa.RecordBatch.from_pylist([{"name": "a"}]), "hosts")
    for table in ("hosts", "skipped", "nowhere"):
        with pytest.raises(ContractError, match=f"table {table} cannot expire"):
            store.expire(table, DAY)


def test_what_a_crash_leaves_is_swept_away(store: Embedded, clock: Clock, tmp_path: Path) -> None:
    land(store, "one", names("a.example"))
    store.land("names", names("b.example"), id="two")
    assert [problem.what for problem in store.check()] == ["1 files that nothing refers to"]
    store.close()
    after = Embedded.at(tmp_path, clock)
    assert after.sweep() == 1
    assert not after.check(deep=True)
    assert shown(after) == ["a.example"]


IDS = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.one_of(
    st.tuples(st.just("land"), IDS, st.integers(0, 5), st.integers(0, 3)),
    st.tuples(st.just("expire"), st.integers(0, 6)),
    st.tuples(st.just("wait"), st.integers(0, 20)),
    st.tuples(st.just("open")),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=40))
def test_rows_are_what_a_plain_model_says(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple]) -> None:
    clock, directory = Clock(), tmp_path_factory.mktemp("place")
    store = Embedded(Local(directory), clock, large=200)
    truth: dict[str, pa.RecordBatch] = {}
    for number, (step, *how) in enumerate(steps):
        if step == "land":
            id_, day, count = how
            truth[id_] = names(*(f"{number}-{row}.example" for row in range(count)), day=day)
            land(store, id_, truth[id_])
        elif step == "expire" and truth:
            before = DAY + timedelta(days=how[0])
            gone = {id_ for id_, rows in truth.items() if rows.num_rows and rows["seen_at"][0].as_py() < before}
            assert store.expire("names", before).rows == sum(truth[id_].num_rows for id_ in gone)
            truth = {id_: rows for id_, rows in truth.items() if id_ not in gone}
        elif step == "wait":
            clock.now += timedelta(minutes=how[0])
        elif step == "open":
            store.close()
            store = Embedded(Local(directory), clock, large=200)
            store.sweep()
        expected = [name for rows in truth.values() for name in rows["name"].to_pylist()]
        assert shown(store) == sorted(expected)
        assert not store.check(deep=True)
    store.close()


def test_values_are_looked_up_in_large_files_by_index(store: Embedded, tmp_path: Path) -> None:
    rows = pa.array([f"{number}.example" for number in range(parts.GROUP)])
    times = pa.array([DAY] * parts.GROUP, schema.TIME)
    for number in range(upkeep.WIDTH + 1):
        texts = pc.binary_join_element_wise(f"{number}", rows, "-")
        land(store, f"{number}", pa.RecordBatch.from_arrays([texts, times], schema=schema.NAMES))
    land(store, "more", names("3-17.example", None, "", "ü.example"))
    assert any(name.endswith(".name") for name in files(tmp_path))
    wanted = pa.array(["3-17.example", "0-0.example", "8-32767.example", "ü.example", "nobody.example", "", None])
    found = Counter(store.lookup("names", "name", wanted).column("name").to_pylist())
    assert found == {"3-17.example": 2, "0-0.example": 1, "8-32767.example": 1, "ü.example": 1, "": 1}
    dated = store.lookup("names", "seen_at", pa.array([DAY], schema.TIME))
    assert dated.num_rows == store.scan("names").count_rows()
    assert not store.check(deep=True)
    with pytest.raises(ContractError, match="no column 'host'"):
        store.lookup("names", "host", wanted)


def test_a_blob_that_rots_is_told_from_one_that_never_was(store: Embedded, tmp_path: Path) -> None:
    digest = store.put(b"evidence")
    path = tmp_path / "blobs" / digest[:2] / digest
    path.write_bytes(b"evidencE")
    with pytest.raises(CustodyError, match="is not what it was"):
        store.get(digest)
    assert [problem.what for problem in store.check(deep=True)] == ["is not what was written"]
    path.unlink()
    with pytest.raises(CustodyError, match="is gone"):
        store.get(digest)
    assert [problem.what for problem in store.check()] == ["is gone"]
    (tmp_path / "blobs" / digest[:2] / ("0" * 64)).write_bytes(b"half")
    with pytest.raises(InputError, match="no blob"):
        store.get("0" * 64)


def test_a_place_that_others_may_read_is_told(store: Embedded, tmp_path: Path) -> None:
    assert not store.check()
    tmp_path.chmod(0o755)
    assert [problem.cure for problem in store.check()] == [f"chmod 700 {tmp_path}"]


def test_damage_is_told(store: Embedded, tmp_path: Path) -> None:
    land(store, "one", names("a.example"))
    (name,) = files(tmp_path)
    (tmp_path / "tables" / "names" / name).write_bytes(b"short")
    assert [problem.place for problem in store.check()] == [f"tables/names/{name}"]
    store.close()
    (tmp_path / database.FILE).write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(CustodyError, match="is damaged"):
        store.version()


@dataclass(frozen=True)
class Cramped(Local):
    """A disk with room for so many bytes a file, as a limit of the process or a quota would leave it."""

    room: int = 1 << 20

    def write(self, path: str, content: bytes, /) -> None:
        super().write(path, content[: self.room])
        if len(content) > self.room:
            raise OSError(28, "No space left on device")


def test_a_full_disk_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    land(Embedded(Local(tmp_path), clock), "one", names("a.example"))
    store = Embedded(Cramped(tmp_path, room=100), clock)
    with pytest.raises(UnavailableError, match="the disk is full: make room"):
        store.land("names", names("b.example"), id="two")
    with pytest.raises(UnavailableError, match="the disk is full"):
        store.put(b"x" * 200)
    with store._database.reading() as connection:  # as full as SQLite can be
        connection.pragma("max_page_count", connection.pragma("page_count"))
    with pytest.raises(UnavailableError, match="the disk is full"):
        store.save(*(ProtectedName(id=f"{n}", label="x" * 5000, sector="bank") for n in range(20)), cursor=("a", b"1"))
    assert (store.cursor("a"), store.count(ProtectedName)) == (None, {(): 0})
    store.close()
    after = Embedded(Local(tmp_path), clock)
    assert after.sweep() == 1
    land(after, "two", names("b.example"))
    assert shown(after) == ["a.example", "b.example"]
    assert not after.check(deep=True)


@contextmanager
def without_privileges(directory: Path) -> Generator[None]:
    """Root may write everywhere: then as somebody else, whose directory this is."""
    somebody, root = 65534, os.geteuid()
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
        if root == 0:
            os.chown(path, somebody, -1)
    os.seteuid(somebody if root == 0 else root)
    try:
        yield
    finally:
        os.seteuid(root)


def test_a_directory_that_may_not_be_written_is_told(clock: Clock) -> None:
    with TemporaryDirectory() as directory:  # pytest's own is inside one that nobody else may enter
        place = Path(directory)
        land(Embedded.at(place, clock), "one", names("a.example"))
        store = Embedded.at(place, clock)
        with without_privileges(place):
            with pytest.raises(ConfigError, match="may not be written: give its owner the right"):
                store.save(cursor=("a", b"1"))
            with pytest.raises(ConfigError, match="may not be written"), Lock(place):
                pass
        place.chmod(0o700)


def test_a_file_is_no_directory(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is no directory"):
        Embedded.at(tmp_path / "file", clock).version()


def test_one_process_holds_the_lock(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with Lock(tmp_path / "place"):
        assert holder(tmp_path / "place") == os.getpid()
        told = f"is in use by process {os.getpid()}: stop that, or name another directory"
        with pytest.raises(ConflictError, match=told), Lock(tmp_path / "place"):
            pass
    assert holder(tmp_path / "place") is None
    with Lock(tmp_path / "place"):
        pass


def test_who_scans_while_files_are_merged_sees_every_row_once(tmp_path: Path, clock: Clock) -> None:
    writer, reader = Embedded.at(tmp_path, clock), Embedded.at(tmp_path, clock)
    land(writer, "first", names("0.example"))
    failures: list[object] = []

    def write() -> None:
        for number in range(1, 60):
            clock.now += timedelta(seconds=5)
            land(writer, f"{number}", names(f"{number}.example"))

    thread = Thread(target=write)
    thread.start()
    most = 0
    while thread.is_alive():
        met = shown(reader)
        if len(set(met)) != len(met) or len(met) < most:
            failures.append(met)
        most = len(met)
    thread.join()
    assert not failures
    assert len(shown(reader)) == 60


def test_what_a_sweep_removes_is_not_asked_for_after_a_crash(tmp_path: Path, clock: Clock) -> None:
    """A process killed in the middle of a commit leaves frames in the log that its index does not know, as long as
    another process keeps that index alive; when the power goes, the index is made anew, and the frames count."""
    place, later = tmp_path / "place", tmp_path / "later"
    index = place / "records.sqlite-shm"
    with Embedded.at(place, clock) as beside:
        land(beside, "one", names("a.example"))
        before = index.read_bytes()
        with Embedded.at(place, clock) as killed:
            land(killed, "two", names("b.example"))
        with index.open("r+b") as file:
            file.write(before)
        with Embedded.at(place, clock) as again:
            assert again.sweep() == 1
        shutil.copytree(place, later, ignore=shutil.ignore_patterns("*-shm"))
    with Embedded.at(later, clock) as store:
        assert shown(store) == ["a.example"]
        assert not [each for each in store.check() if each.place.startswith("tables")]
