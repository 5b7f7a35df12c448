"""Collect, fold and detect leave what one run would have left: cut off anywhere, run again, with late rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from khien import schema
from khien.contracts import Detector, Engine, Landed, Page, Seen, Source, Store
from khien.engines.embedded import Embedded
from khien.errors import ContractError, InputError, UnavailableError
from khien.model import Finding, Record, SourceState
from khien.pipeline.collect import SKIPPED, Feed, collect, detect, page_id, run, scan
from khien.triage import life
from tests import toy

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BASELINE = pa.Table.from_pylist(
    [{"host": "a.example", "usual": 2.0}, {"host": "b.example", "usual": 9.0}], toy.BASELINE
)


def at(second: float, host: str, n: int) -> tuple[datetime, str, int]:
    return NOON + timedelta(seconds=second), host, n


FIRST = (at(0.1, "a.example", 6), at(0.2, "b.example", 9), at(0.9, "a.example", 6), at(1.5, "a.example", 1))
LATE = (at(3.0, "b.example", 8), at(0.5, "a.example", 8), at(2.0, "a.example", 30))


class Killed(BaseException):
    """Not an Exception: nothing in between may catch it, as nothing catches SIGKILL."""


@dataclass(frozen=True)
class Mortal(toy.Memory):
    """A store whose process dies at the save number ``dies``, with everything landed and nothing saved."""

    dies: int = 0
    saves: list[int] = field(default_factory=list)

    def save(self, *records: Record, landed: Sequence[Landed] = (), **named: Any) -> int:
        self.saves.append(len(landed))
        if len(self.saves) == self.dies:
            raise Killed
        return super().save(*records, landed=landed, **named)


def rows_of(store: Store, table: str) -> list[dict[str, Any]]:
    return sorted(store.scan(table).to_table().to_pylist(), key=repr)


def found_in(store: Store) -> list[Finding]:
    return list(store.find(Finding))


def counted(*rows: tuple[datetime, str, int], page: int = 2) -> Feed:
    return Feed("recorded", toy.Recorded(rows, page), "counts", toy.PerSecond())


def merged_counts(store: Store) -> pa.RecordBatch:
    """Late rows of a second already folded come as a further partial: they are merged when read."""
    return toy.PerSecond().merge(pa.concat_batches(list(store.scan("counts").to_batches())))


def burst(store: Store, horizon: timedelta = timedelta(minutes=1)) -> int:
    """Detects over the trailing horizon, beside the findings that are open."""
    counts = merged_counts(store)
    since = pc.max(counts.column("bin")).as_py() - horizon
    trailing = counts.filter(pc.greater(counts.column("bin"), pa.scalar(since, schema.TIME)))
    opened = [{"host": finding.subject, "episode": finding.episode} for finding in found_in(store)]
    return detect(
        Embedded(),
        toy.Burst(),
        pa.RecordBatchReader.from_batches(toy.COUNTS, [trailing]),
        store,
        NOON,
        baseline=BASELINE,
        open=pa.Table.from_pylist(opened, toy.OPEN),
    )


def run_twice(store: Store) -> None:
    """What comes first, then what comes late."""
    for recorded in (FIRST, FIRST + LATE):
        collect(counted(*recorded), Embedded(), store, NOON)
        burst(store)


def test_late_rows_revise_the_finding_and_never_double_it() -> None:
    store = toy.Memory(toy.Place())
    assert collect(counted(*FIRST), Embedded(), store, NOON) == 4
    assert burst(store) == 1
    [before] = found_in(store)
    assert (before.subject, before.start, before.end) == ("a.example", NOON, NOON)
    assert before.score == pytest.approx(1 - 10 / 12)

    collect(counted(*FIRST, *LATE), Embedded(), store, NOON)
    assert burst(store) == 1
    [after] = found_in(store)
    assert (after.id, after.episode) == (before.id, NOON)
    assert after.end == NOON + timedelta(seconds=2)
    assert after.score == pytest.approx(1 - 10 / 30)


def test_an_episode_does_not_move_when_an_earlier_bin_rises_late() -> None:
    store = toy.Memory(toy.Place())
    collect(counted(at(5, "a.example", 11)), Embedded(), store, NOON)
    burst(store)
    [before] = found_in(store)
    collect(counted(at(5, "a.example", 11), at(3, "a.example", 50)), Embedded(), store, NOON)
    burst(store)
    [after] = found_in(store)
    assert after.id == before.id
    assert after.episode == NOON + timedelta(seconds=5)
    assert after.start == NOON + timedelta(seconds=3)


def test_an_episode_outlives_the_horizon_it_began_in() -> None:
    store = toy.Memory(toy.Place())
    began = (at(0, "a.example", 11), at(100, "a.example", 12))
    collect(counted(began[0]), Embedded(), store, NOON)
    burst(store)
    collect(counted(*began, page=1), Embedded(), store, NOON)
    burst(store)
    [finding] = found_in(store)
    assert (finding.episode, finding.start, finding.end) == (NOON, NOON, NOON + timedelta(seconds=100))


def test_killed_at_any_save_and_replayed_is_as_if_never_killed() -> None:
    """The store dies with everything landed and nothing saved; a new process opens it and runs the same again."""
    truth = Mortal(toy.Place())
    run_twice(truth)
    assert len(truth.saves) == 6  # four pages, two runs of the detector
    for dies in range(1, 7):
        place = toy.Place()
        with pytest.raises(Killed):
            run_twice(Mortal(place, dies=dies))
        replayed = toy.Memory(place)
        run_twice(replayed)
        assert rows_of(replayed, "counts") == rows_of(truth, "counts")
        assert found_in(replayed) == found_in(truth)
        assert replayed.load(SourceState, "recorded") == truth.load(SourceState, "recorded")


def test_running_once_more_changes_nothing() -> None:
    store = toy.Memory(toy.Place())
    run_twice(store)
    counts, found = rows_of(store, "counts"), found_in(store)
    assert collect(counted(*FIRST, *LATE), Embedded(), store, NOON) == 0
    burst(store)
    assert (rows_of(store, "counts"), found_in(store)) == (counts, found)


@dataclass(frozen=True)
class Pages:
    """A source of the pages it was given."""

    name: ClassVar[str] = "pages"
    yields: ClassVar[pa.Schema] = schema.NAMES
    replayable: ClassVar[bool] = True

    pages: tuple[Page, ...]

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        behind = [page.cursor for page in self.pages].index(cursor) + 1 if cursor else 0
        yield from self.pages[behind:]


class Counted(Pages):
    """The same of counts."""

    name: ClassVar[str] = "counts"
    yields: ClassVar[pa.Schema] = toy.COUNTS


def names(*given: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"name": name} for name in given], schema.NAMES)


SET_ASIDE = pa.RecordBatch.from_pylist(
    [{"place": "line 3", "reason": "label-empty", "excerpt": "a..b"}], schema.SKIPPED
)


def named(*pages: Page) -> Feed:
    return Feed("pages", Pages(pages), "names")


def test_collect_keeps_what_was_set_aside() -> None:
    store = toy.Memory(toy.Place())
    pages = named(Page(names("a.example"), b"1", SET_ASIDE), Page(names(), b"2"), Page(names(), b"2"))
    assert collect(pages, Embedded(), store, NOON) == 1
    assert rows_of(store, SKIPPED) == SET_ASIDE.to_pylist()
    assert store.cursor("pages") == b"2"
    assert list(store.place.tables["names"]) == [page_id("pages", None)]
    state = store.load(SourceState, "pages")["pages"]
    assert (state.rows, state.skipped, state.findings, state.read_at) == (1, 1, 0, NOON)


def test_collect_refuses_rows_that_the_next_page_would_replace() -> None:
    stuck = named(Page(names("a.example"), b"1"), Page(names("b.example"), b"1"))
    with pytest.raises(ContractError, match="without moving its cursor b'1'"):
        collect(stuck, Embedded(), toy.Memory(toy.Place()), NOON)


def test_page_ids_tell_sources_and_cursors_apart() -> None:
    ids = [page_id("a", None), page_id("a", b""), page_id("a", b"\0"), page_id("b", None), page_id("ab", None)]
    assert len(set(ids)) == 5


def test_the_last_revision_of_a_run_is_kept() -> None:
    store = toy.Memory(toy.Place())
    met = [{"name": "long.example", "seen_at": NOON + timedelta(hours=hour)} for hour in (1, 3, 2)]
    data = pa.RecordBatchReader.from_batches(schema.NAMES, [pa.RecordBatch.from_pylist(met, schema.NAMES)])
    assert detect(Embedded(rows=1), toy.Lengthy(5), data, store, NOON) == 1
    assert [(each.start, each.end) for each in found_in(store)] == [
        (NOON + timedelta(hours=1), NOON + timedelta(hours=3))
    ]


def test_scan_streams_page_by_page() -> None:
    pages = Pages((Page(names("short", "much.longer.example"), b"1", SET_ASIDE), Page(names(), b"2")))
    first, second = scan(pages, toy.Lengthy(12))
    assert (first.rows, first.cursor, first.skipped) == (2, b"1", SET_ASIDE)
    assert first.findings.column("subject").to_pylist() == ["much.longer.example"]
    assert (second.rows, second.findings.num_rows, second.skipped, second.cursor) == (0, 0, None, b"2")


def test_scan_refuses_what_needs_more_than_a_row() -> None:
    with pytest.raises(ContractError, match="run it on an engine"):
        scan(Counted(()), toy.Burst())
    with pytest.raises(ContractError, match="reads name, seen_at, source counts does not yield it"):
        scan(Counted(()), toy.Lengthy())


@dataclass(frozen=True)
class Failing(Pages):
    """The same, and then it fails: the first ``times`` it is read, or always."""

    name: ClassVar[str] = "failing"

    error: Exception
    times: int = 1 << 30
    reads: list[bytes | None] = field(default_factory=list)

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        self.reads.append(cursor)
        yield from super().read(cursor)
        if len(self.reads) <= self.times:
            raise self.error


def feed(source: Source, name: str, *detectors: Detector) -> Feed:
    return Feed(name, source, "names", None, detectors)


LONG = Page(names("much.longer.example"), b"1")


def test_run_reads_feeds_side_by_side_until_all_have_ended() -> None:
    store = toy.Memory(toy.Place())
    feeds = [feed(Pages((LONG, Page(names("short"), b"2"))), name, toy.Lengthy(12)) for name in "ab"]
    run(feeds, Embedded(), store, lambda: NOON, Event())
    states = store.load(SourceState, "a", "b")
    assert [(state.rows, state.ended) for state in states.values()] == [(2, True), (2, True)]
    assert sum(state.findings for state in states.values()) == 1  # the second to find it found nothing new
    assert [finding.subject for finding in found_in(store)] == ["much.longer.example"]


def test_run_keeps_what_was_read_before_a_source_failed_and_tells_its_trouble() -> None:
    store = toy.Memory(toy.Place())
    broken = Failing((LONG,), InputError("names.txt: there is no such file: check the path"))
    faulty = Failing((LONG,), ZeroDivisionError())
    run(
        [feed(broken, "broken"), feed(faulty, "faulty"), feed(Pages((LONG,)), "well")],
        Embedded(),
        store,
        lambda: NOON,
        Event(),
    )
    states = store.load(SourceState, "broken", "faulty", "well")
    assert {name: state.rows for name, state in states.items()} == {"broken": 1, "faulty": 1, "well": 1}
    assert states["broken"].trouble == "names.txt: there is no such file: check the path"
    assert states["faulty"].trouble.startswith("ZeroDivisionError, a fault of Khiên's")
    assert states["well"].ended
    assert not states["broken"].ended


def test_run_asks_again_who_was_unavailable_behind_what_it_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khien.pipeline.collect._PATIENCE", (0.0, 0.0))
    store, absent = toy.Memory(toy.Place()), Failing((LONG,), UnavailableError("nobody answers"), times=2)
    run([feed(absent, "absent")], Embedded(), store, lambda: NOON, Event())
    assert absent.reads == [None, b"1", b"1"]
    state = store.load(SourceState, "absent")["absent"]
    assert (state.rows, state.ended, state.trouble) == (1, True, "")


def test_run_stops_when_told_and_raises_what_keeps_the_store_from_saving() -> None:
    stop = Event()
    stop.set()
    run([feed(Pages((LONG,)), "never")], Embedded(), toy.Memory(toy.Place()), lambda: NOON, stop)
    endless = Pages(tuple(Page(names("a.example"), str(n).encode()) for n in range(100)))
    with pytest.raises(Killed):
        run([feed(endless, "endless")], Embedded(), Mortal(toy.Place(), dies=2), lambda: NOON, Event())


@dataclass(frozen=True)
class Overtaken(toy.Memory):
    """A store in which an officer dismisses every finding the moment before the next save."""

    def save(self, *records: Record, expect: int | None = None, **named: Any) -> int:
        for finding in self.find(Finding, state="new"):
            super().save(life.move(finding, life.DISMISS, by="an officer", at=NOON))
        return super().save(*records, expect=expect, **named)


def test_what_an_officer_decides_during_a_save_is_not_lost() -> None:
    store = Overtaken(toy.Place())
    again = Page(names("much.longer.example"), b"2")
    collect(feed(Pages((LONG, again)), "names", toy.Lengthy(12)), Embedded(), store, NOON)
    [finding] = found_in(store)
    assert (finding.state, [step.by for step in finding.steps]) == ("dismissed", ["an officer"])
    assert store.load(SourceState, "names")["names"].rows == 2


@dataclass
class Summing:
    """A watch that adds up what hosts come to, and tells of those that come to twenty, and of the whole in the end."""

    known: dict[str, datetime | None] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)

    def take(self, rows: pa.RecordBatch, /) -> Seen:
        found, bins = [], {}
        for row in rows.to_pylist():
            host = row["host"]
            self.sums[host] = self.sums.get(host, 0) + row["n"]
            if self.sums[host] >= 20:
                self.known.setdefault(host, row["seen_at"])
                begin = self.known[host]
                found.append(toy.finding("summing", "host", host, "burst", 0.5, begin, row["seen_at"], begin))
                bins[row["seen_at"], host] = row["n"]
        return Seen((toy.findings(found),) if found else (), {"bursts": toy.counts(bins)})

    def finish(self) -> Seen:
        return Seen((), {"bursts": toy.counts({(NOON, host): total for host, total in self.sums.items()})})


def summed(*rows: tuple[datetime, str, int], page: int = 2) -> Feed:
    """A feed whose rows do not land; its watch knows what the store does."""

    def start(_: Engine, store: Store) -> Summing:
        return Summing({each.subject: each.episode for each in store.find(Finding)})

    return Feed("recorded", toy.Recorded(rows, page), "bursts", watch=start)


MANY = (
    at(1, "a.example", 15),
    at(2, "b.example", 3),
    at(3, "a.example", 6),
    at(4, "a.example", 7),
    at(5, "b.example", 1),
)


def test_what_a_watch_takes_does_not_land() -> None:
    store = toy.Memory(toy.Place())
    assert collect(summed(*MANY), Embedded(), store, NOON) == 5
    assert list(store.place.tables) == ["bursts"]
    [finding] = found_in(store)
    assert (finding.subject, finding.start, finding.end) == (
        "a.example",
        NOON + timedelta(seconds=3),
        NOON + timedelta(seconds=4),
    )
    assert [(row["host"], row["n"]) for row in sorted(rows_of(store, "bursts"), key=lambda row: row["n"])] == [
        ("b.example", 4),
        ("a.example", 6),
        ("a.example", 7),
        ("a.example", 28),
    ]
    state = store.load(SourceState, "recorded")["recorded"]
    assert (state.rows, state.findings, store.cursor("recorded")) == (5, 1, b"5")


def test_what_a_watch_said_in_the_end_stays_when_more_comes() -> None:
    store = toy.Memory(toy.Place())
    collect(summed(*MANY), Embedded(), store, NOON)
    before = rows_of(store, "bursts")
    more = (at(6, "b.example", 30), at(7, "c.example", 1))
    assert collect(summed(*MANY, *more), Embedded(), store, NOON) == 2
    assert all(row in rows_of(store, "bursts") for row in before)
    assert {each.subject for each in found_in(store)} == {"a.example", "b.example"}


def test_a_watch_begins_with_what_the_store_knows() -> None:
    store = toy.Memory(toy.Place())
    collect(summed(*MANY), Embedded(), store, NOON)
    [before] = found_in(store)
    collect(summed(*MANY, at(9, "a.example", 50)), Embedded(), store, NOON)
    [after] = found_in(store)
    assert (after.id, after.start, after.end) == (before.id, before.start, NOON + timedelta(seconds=9))


def test_run_gives_rows_to_a_watch() -> None:
    store = toy.Memory(toy.Place())
    told: list[object] = []
    run([summed(*MANY)], Embedded(), store, lambda: NOON, Event(), told.append)
    assert [each.subject for each in found_in(store)] == ["a.example"]
    assert store.load(SourceState, "recorded")["recorded"].ended
    assert len(told) == 5, "three pages, what the watch said in the end, and the end"


def test_killed_at_any_save_a_watch_leaves_no_row_twice() -> None:
    for dies in range(1, 5):
        place = toy.Place()
        with pytest.raises(Killed):
            collect(summed(*MANY), Embedded(), Mortal(place, dies=dies), NOON)
        replayed = toy.Memory(place)
        collect(summed(*MANY), Embedded(), replayed, NOON)
        assert replayed.cursor("recorded") == b"5"
        assert len(rows_of(replayed, "bursts")) == len({repr(row) for row in rows_of(replayed, "bursts")})
