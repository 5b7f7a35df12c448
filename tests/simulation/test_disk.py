"""The simulated disk keeps what a real one keeps, and SQLite over it what SQLite promises."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import apsw
import pytest

from tests.simulation import vfs
from tests.simulation.disk import Simulated
from tests.simulation.medium import Clock, Fault, Killed, Medium

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = b"old" * 600, b"new" * 700


def medium(seed: int) -> Medium:
    return Medium(Random(seed), Clock(BEGIN))


def survivors(steps: Callable[[Simulated], None], seeds: int = 200) -> set[tuple[tuple[str, bytes], ...]]:
    """What may be found after the power went, once these steps were taken."""
    found = set[tuple[tuple[str, bytes], ...]]()
    for seed in range(seeds):
        there = medium(seed)
        steps(Simulated(there, ""))
        there.lose_power()
        found.add(tuple((path, bytes(there.entries[path].content)) for path in sorted(there.entries)))
    return found


def test_synced_content_under_a_synced_name_is_kept() -> None:
    def steps(disk: Simulated) -> None:
        disk.write("file", OLD)
        disk.sync("file")
        disk.sync_folder("")

    assert survivors(steps) == {(("file", OLD),)}


def test_a_name_that_was_not_synced_may_be_lost() -> None:
    def steps(disk: Simulated) -> None:
        disk.write("file", OLD)
        disk.sync("file")

    assert survivors(steps) == {(), (("file", OLD),)}


def test_content_that_was_not_synced_is_torn_at_sectors() -> None:
    def steps(disk: Simulated) -> None:
        disk.write("file", OLD)
        disk.sync("file")
        disk.sync_folder("")
        disk.write("file", NEW)

    contents = {dict(found)["file"] for found in survivors(steps)}
    assert {OLD, NEW} <= contents
    assert len(contents) > 10  # and mixtures of both
    assert all(content[:512] in (b"", OLD[:512], NEW[:512], bytes(512)) for content in contents)


def test_a_rename_is_whole_or_not_at_all_and_may_outlive_the_content() -> None:
    def steps(disk: Simulated) -> None:
        disk.write("old", OLD)
        disk.sync_folder("")
        disk.rename("old", "new")

    found = survivors(steps)
    assert {tuple(name for name, _ in each) for each in found} == {("old",), ("new",)}
    assert (("new", b""),) in found
    assert (("new", OLD),) in found


def test_what_lies_in_a_lost_folder_is_lost() -> None:
    def steps(disk: Simulated) -> None:
        disk.make_folder("a/b")
        disk.write("a/b/file", OLD)
        disk.sync("a/b/file")
        disk.sync_folder("a/b")
        disk.sync_folder("a")

    assert survivors(steps) == {(), (("a", b""), ("a/b", b""), ("a/b/file", OLD))}


def test_a_sync_that_fails_is_not_made_good_by_the_next() -> None:
    def steps(disk: Simulated) -> None:
        disk.write("file", OLD)
        disk.sync_folder("")
        disk.medium.fault = Fault("broken", 1)
        with pytest.raises(OSError, match="file"):
            disk.sync("file")
        disk.sync("file")

    assert len(survivors(steps)) > 2


def test_a_full_disk_takes_what_fits() -> None:
    there = medium(0)
    disk = Simulated(there, "")
    there.fill(100)
    with pytest.raises(OSError, match="file"):
        disk.write("file", OLD)
    assert disk.read("file") == OLD[:100]
    assert disk.free() == 0


def test_a_read_only_disk_changes_nothing() -> None:
    there = medium(0)
    disk = Simulated(there, "")
    disk.write("file", OLD)
    there.read_only = True
    for change in (lambda: disk.write("file", NEW), lambda: disk.remove("file"), lambda: disk.sync_folder("")):
        with pytest.raises(OSError, match="Read-only"):
            change()
    assert disk.read("file") == OLD


def test_a_dead_process_touches_nothing(tmp_path: Path) -> None:
    there = medium(0)
    disk = Simulated(there, str(tmp_path))
    connection = connect(disk)
    connection.execute("BEGIN; INSERT INTO t VALUES (1, '')")
    there.fault = Fault("kill", 1)
    with pytest.raises(Killed):
        disk.write("file", OLD)
    before = there.digest()
    disk.die()
    with pytest.raises(Killed):
        disk.write("file", OLD)
    assert there.digest() == before


def connect(disk: Simulated) -> apsw.Connection:
    connection = disk.connect("records.sqlite")
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("wal_autocheckpoint", 8)
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, filling BLOB)")
    return connection


def test_two_processes_see_one_database(tmp_path: Path) -> None:
    there = medium(0)
    one, other = connect(Simulated(there, str(tmp_path))), connect(Simulated(there, str(tmp_path)))
    one.execute("INSERT INTO t VALUES (1, '')")
    assert other.execute("SELECT n FROM t").get == 1
    one.execute("BEGIN IMMEDIATE")
    with pytest.raises(apsw.BusyError):
        other.execute("INSERT INTO t VALUES (2, '')")
    one.execute("ROLLBACK")
    one.close()
    other.execute("INSERT INTO t VALUES (2, '')")
    assert other.execute("SELECT count(*) FROM t").get == 2


@pytest.mark.parametrize("dice", range(100))
def test_committed_transactions_survive_and_others_leave_nothing(dice: int, tmp_path: Path) -> None:
    """Power or process go at any operation of the disk, also while the database recovers from the last time."""
    chance = Random(dice)
    vfs.reseed(chance)
    there = Medium(chance, Clock(BEGIN))
    committed, tried = list[int](), list[int]()
    for boot in range(8):
        disk = Simulated(there, str(tmp_path))

        kind = chance.choice(("kill", "power", "broken"))
        there.fault = Fault(kind, chance.randrange(1, 120))
        try:
            connection = connect(disk)
            kept = [n for (n,) in connection.execute("SELECT n FROM t ORDER BY n")]
            assert set(committed) <= set(kept) <= set(tried), (boot, there.struck)
            assert connection.pragma("integrity_check") == "ok"
            while there.fault:
                tried.append(len(tried))
                with connection:
                    connection.execute("INSERT INTO t VALUES (?, randomblob(3000))", (tried[-1],))
                committed.append(tried[-1])
        except (Killed, apsw.Error):
            assert there.struck
        disk.die()
        if kind == "power":
            there.lose_power()
