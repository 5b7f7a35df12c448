"""Records in SQLite: what the shared contract leaves open, kinds that change, places that are older or newer."""

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from khien.errors import ConfigError, ContractError, InputError
from khien.model import Finding, ProtectedName, Record, SourceState
from khien.stores.embedded import database, records
from khien.stores.embedded.disk import Local
from khien.stores.embedded.store import Embedded

START = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


class Sample(Record, frozen=True):
    """A kind with a field of each type that can be indexed, also where they are null."""

    id: str
    text: str | None = None
    number: int | None = None
    share: float | None = None
    at: datetime | None = None
    sure: bool = False
    state: str = "new"

    @property
    def day(self) -> date | None:
        return self.at and self.at.date()


SAMPLES = [
    Sample(
        id=f"common-{number:02}",
        text=None if number % 4 == 0 else f"{number % 3}",
        number=None if number % 5 == 0 else number % 4,
        share=None if number % 3 == 0 else number % 7 / 7,
        at=None if number % 6 == 0 else START + timedelta(hours=7 * (number % 11)),
        sure=number % 2 == 0,
        state="new" if number % 5 else "old",
    )
    for number in range(40)
]


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the kind is indexed by; a test may say otherwise."""
    monkeypatch.setattr(Sample, "indexed", ("text", "number", "share", "at", "sure", "state", "day"))
    monkeypatch.setattr(Sample, "counted", ("state", "sure"))
    records.kind_of.cache_clear()
    yield
    records.kind_of.cache_clear()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with opened(tmp_path) as made:
        yield made


def opened(directory: Path) -> Embedded:
    return Embedded.at(directory, lambda: START)


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"text": None},
    {"text": ("0", None), "sure": True},
    {"state": "old"},
    {"state": ("old", "new"), "number": (1, 2)},
    {"day": date(2026, 1, 2)},
    {"id": ("common-03", "nobody")},
    {"share": ()},
)


@pytest.mark.parametrize("order", ["id", "text", "share", "at", "day", "number"])
@pytest.mark.parametrize("down", ["", "-"])
def test_pages_where_values_are_null_and_ids_alike(store: Embedded, down: str, order: str) -> None:
    store.save(*SAMPLES)
    for equal in FILTERS:
        found: list[Sample] = []
        while page := store.find(Sample, order=down + order, after=found[-1].id if found else "", limit=3, **equal):
            found += page
        wanted = [
            each
            for each in SAMPLES
            if all(getattr(each, name) in (v if isinstance(v, tuple) else (v,)) for name, v in equal.items())
        ]
        valued = [each for each in wanted if getattr(each, order) is not None]
        valued.sort(key=lambda each: (getattr(each, order), each.id))
        wanted = [*sorted((each for each in wanted if each not in valued), key=lambda each: each.id), *valued]
        wanted = wanted[::-1] if down else wanted
        assert found == wanted, (order, equal)


def test_counts_by_what_is_kept_and_by_what_is_not(store: Embedded) -> None:
    store.save(*SAMPLES)
    for by in (("state",), ("state", "sure"), ("day", "text"), ("number",)):
        for equal in ({}, {"sure": True}, {"text": (None, "1")}, {"state": ()}):
            wanted: dict[tuple[Any, ...], int] = {}
            for each in SAMPLES:
                if all(getattr(each, name) in (v if isinstance(v, tuple) else (v,)) for name, v in equal.items()):
                    key = tuple(getattr(each, name) for name in by)
                    wanted[key] = wanted.get(key, 0) + 1
            assert store.count(Sample, *by, **equal) == wanted


def test_one_of_many_values_is_found_as_one_of_few(store: Embedded) -> None:
    store.save(*SAMPLES)
    for name in Sample.indexed:
        values = tuple({getattr(each, name): None for each in SAMPLES})
        for many in (values[:-1], (*values, *values), tuple(each for each in values if each is not None)):
            wanted = sorted(each.id for each in SAMPLES if getattr(each, name) in many)
            asked = (*many, *[many[0]] * 9)  # enough of them to be looked for together
            assert [each.id for each in store.find(Sample, limit=1000, **{name: asked})] == wanted, name
            assert [each.id for each in store.find(Sample, limit=2, **{name: asked})] == wanted[:2]


def test_what_is_asked_for_is_text_and_bounded(store: Embedded) -> None:
    store.save(*SAMPLES)
    with pytest.raises(InputError, match="is no text"):
        store.load(Sample, "\udc80")
    with pytest.raises(InputError, match="is no text"):
        store.find(Sample, text="\udc80")
    with pytest.raises(InputError, match="300 combinations"):
        store.find(Sample, order="at", number=tuple(range(300)))
    with pytest.raises(InputError, match="20000 values"):
        store.find(Sample, number=tuple(range(20_000)))
    with pytest.raises(InputError, match="no Sample 'nobody' to go on from"):
        store.find(Sample, order="at", after="nobody")
    assert store.find(Sample, limit=-1) == []
    many = tuple(f"common-{number:02}" for number in range(100))
    assert len(store.find(Sample, order="-share", after="common-10", id=many)) > 0
    hostile = 'a" OR 1; --\0'
    store.save(Sample(id=hostile, text=hostile))
    assert store.find(Sample, text=hostile)[0].id == hostile
    with pytest.raises(ContractError, match="not indexed by"):
        store.find(Sample, order='id" --')


class Nameless(Record, frozen=True):
    label: str


class Vague(Record, frozen=True):
    counted = ("text",)
    id: str
    text: str | None = None


class Many(Record, frozen=True):
    indexed = ("tags",)
    id: str
    tags: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (Nameless(label="a"), "no field id"),
        (Vague(id="a"), "text, which may be null"),
        (Many(id="a"), "a number, text or time"),
    ],
)
def test_kinds_that_cannot_be_kept(store: Embedded, record: Record, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        store.save(record)


def test_a_kind_whose_indexes_change_is_made_anew(
    store: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(*SAMPLES)
    assert store.find(Sample, order="-share", limit=1)
    for indexed, counted in ((("number",), ("sure",)), ((), ()), (("text", "state"), ("state",))):
        monkeypatch.setattr(Sample, "indexed", indexed)
        monkeypatch.setattr(Sample, "counted", counted)
        records.kind_of.cache_clear()
        with opened(tmp_path) as again:
            assert again.find(Sample, limit=100) == SAMPLES
            for name in counted:
                assert again.count(Sample, name) == Counter((getattr(each, name),) for each in SAMPLES)
            with pytest.raises(ContractError, match="not indexed by"):
                again.find(Sample, share=0.0)


def test_anyone_can_read_the_records(store: Embedded, tmp_path: Path) -> None:
    store.save(ProtectedName(id="vietcombank", label="Vietcombank", sector="bank"))
    store.close()
    with sqlite3.connect(tmp_path / database.FILE) as connection:
        told = connection.execute("SELECT json_extract(body, '$.label') FROM ProtectedName WHERE sector = 'bank'")
        assert told.fetchall() == [("Vietcombank",)]


def test_a_place_of_an_older_khien_is_brought_forward(tmp_path: Path) -> None:
    """Each migration runs on a place as the one before it left it, with something in it."""
    disk = Local(tmp_path)
    for behind in range(1, len(database.MIGRATIONS) + 1):
        database.opened(disk, database.MIGRATIONS[:behind]).close()
        if behind == 1:
            with sqlite3.connect(tmp_path / database.FILE) as connection:
                connection.execute("INSERT INTO _cursors VALUES ('feed', x'31')")
    later = (*database.MIGRATIONS, "ALTER TABLE _cursors ADD COLUMN read_at INTEGER; UPDATE _place SET version = 7")
    database.opened(disk, later).close()
    with pytest.raises(
        ConfigError, match=rf"newer Khiên \(format {len(later)}, this one knows {len(database.MIGRATIONS)}"
    ):
        opened(tmp_path).version()
    with sqlite3.connect(tmp_path / database.FILE) as connection:
        assert connection.execute("SELECT source, cursor FROM _cursors").fetchall() == [("feed", b"1")]


def test_a_migration_that_fails_leaves_what_was(tmp_path: Path) -> None:
    disk = Local(tmp_path)
    database.opened(disk, database.MIGRATIONS).close()
    with pytest.raises(apsw.SQLError):
        database.opened(disk, (*database.MIGRATIONS, "UPDATE _place SET version = 7; DROP TABLE nowhere"))
    assert opened(tmp_path).version() == 0


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / database.FILE) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    before = (tmp_path / database.FILE).read_bytes()
    with pytest.raises(ConfigError, match="a database of something else"):
        opened(tmp_path).version()
    assert (tmp_path / database.FILE).read_bytes() == before


RIVAL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from khien.errors import ConflictError
from khien.model import SourceState
from khien.stores.embedded.store import Embedded

store = Embedded.at(Path(sys.argv[1]), lambda: datetime(2026, 1, 1, tzinfo=UTC))
for _ in range(40):
    while True:
        version = store.version()
        known = store.load(SourceState, "shared").get("shared", SourceState(id="shared"))
        try:
            store.save(SourceState(id="shared", rows=known.rows + 1), expect=version)
            break
        except ConflictError:
            pass
"""


def test_processes_that_expect_a_version_undo_nothing_of_each_other(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RIVAL, str(tmp_path / "new")]
    rivals = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [rival.wait(60) for rival in rivals] == [0, 0, 0]
    with opened(tmp_path / "new") as store:
        assert store.version() == 120
        assert store.count(Finding) == {(): 0}
        assert store.load(SourceState, "shared")["shared"].rows == 120
