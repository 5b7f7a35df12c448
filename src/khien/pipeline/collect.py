"""Collect, fold, detect: each step may be cut off anywhere and run again, and leaves what one run would have left.

Rows land under an id that follows from where they came from, findings are records under their own, and the cursor moves
in the same save as the rows and findings behind it: at least once is exactly once in effect. What people decided about
a finding meanwhile is never lost: a save that somebody overtook is done anew from what is there then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from khien import schema
from khien.contracts import Detector, Engine, Fold, Page, Seen, Source, Store, Watch
from khien.errors import ContractError, Error, UnavailableError
from khien.model import Finding, Record, SourceState
from khien.pipeline.saving import until_saved
from khien.triage import life

if TYPE_CHECKING:
    import pyarrow.dataset as ds

SKIPPED = "skipped"

_AHEAD = 2  # pages a source may be ahead of the writer
_GLANCE = 0.25  # seconds after which a waiting thread looks whether it should stop
_GRACE = 2.0  # seconds that a source gets to come to the end of its page when all stop
_PATIENCE = (1.0, 60.0)  # seconds before a source that is unavailable is asked again: at first, at most

_log = logging.getLogger(__name__)


class Feed(NamedTuple):
    """A source at work: under which name it keeps its cursor, where its rows land, and who looks at them on the way.

    table: empty where they do not land; of rows that have more columns than it, its own land. watch: makes what takes
    the rows in place of the table, from the engine and the store as it stands. stands: of a cursor, how many rows the
    source knows of and has not read, and what keeps it from a part of them.
    """

    name: str
    source: Source
    table: str
    fold: Fold | None = None
    detectors: tuple[Detector, ...] = ()
    watch: Callable[[Engine, Store], Watch] | None = None
    stands: Callable[[bytes], tuple[int | None, str]] = lambda _: (None, "")


class Work(NamedTuple):
    """A page on its way to the store: read, folded and looked at, not yet saved.

    before, cursor: where the source stood in front of it and behind; findings: batches of schema.FINDINGS; tables: what
    is to land beside rows.
    """

    feed: Feed
    before: bytes | None
    cursor: bytes
    read: int
    rows: pa.RecordBatch
    skipped: pa.RecordBatch | None
    findings: tuple[pa.RecordBatch, ...]
    tables: Mapping[str, pa.RecordBatch] = {}


class Halt(NamedTuple):
    """A source that has come to its end, or stands still for the trouble told."""

    feed: Feed
    trouble: str = ""


class Scanned(NamedTuple):
    """What one page of a source came to: rows read, what was found in them, what was set aside, where to resume."""

    rows: int
    findings: pa.RecordBatch
    skipped: pa.RecordBatch | None
    cursor: bytes


def read(
    feed: Feed,
    engine: Engine,
    cursor: bytes | None,
    told_to_stop: Callable[[], bool] = lambda: False,
    watch: Watch | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Iterator[Work]:
    """Pages of a feed behind a cursor, folded and looked at. Pages that bring nothing new are passed over.

    watch: takes the rows instead; clock: tells it the time where a listener hears nothing.

    ContractError: rows came without a new cursor, so the next page would have replaced them.
    """
    before = cursor
    for page in feed.source.read(cursor):
        if told_to_stop():  # also between pages that bring nothing: a quiet source yields those for this
            if watch is not None and before is not None:
                yield _watched(feed, before, _nothing(feed, before), watch.finish(over=False))
            return
        if page.cursor == before:
            if page.rows.num_rows:
                raise ContractError(f"source {feed.name} yields rows without moving its cursor {before!r}")
            if watch is not None and clock is not None and before is not None and not feed.source.replayable:
                if (seen := watch.idle(clock())).findings:
                    yield _watched(feed, before, page, seen)
            continue
        if watch is not None:
            seen = watch.take(page.rows)
            yield _watched(feed, before, page, seen)
            before = page.cursor
            continue
        rows = page.rows if feed.fold is None else feed.fold(page.rows)
        found = [
            findings
            for detector in feed.detectors
            for findings in engine.run(detector, pa.RecordBatchReader.from_batches(rows.schema, [rows]))
            if findings.num_rows
        ]
        yield Work(feed, before, page.cursor, page.rows.num_rows, rows, page.skipped, tuple(found))
        before = page.cursor

    if watch is not None and before is not None:
        yield _watched(feed, before, _nothing(feed, before), watch.finish())


def _nothing(feed: Feed, cursor: bytes) -> Page:
    return Page(pa.RecordBatch.from_pylist([], feed.source.yields), cursor)


def _watched(feed: Feed, before: bytes | None, page: Page, seen: Seen) -> Work:
    """The work that is left of a page whose rows do not land."""
    none = page.rows.slice(0, 0)
    return Work(feed, before, page.cursor, page.rows.num_rows, none, page.skipped, seen.findings, seen.tables)


class Warn(Protocol):
    """What follows from a page for people: the step behind this one."""

    def follow(self, store: Store, work: Work, changed: Sequence[Record], at: datetime, /) -> Sequence[Record]:
        """Records to be saved with the page's findings, of which changed are new or revised."""
        ...


def save(store: Store, work: Work, at: datetime, warn: Warn | None = None) -> None:
    """Makes a page's rows, what it set aside, its findings, what follows for people, and its cursor visible together.

    at: the time it is.
    """
    name = work.feed.name
    last_word = work.cursor == work.before  # of a watch: the next page, should there be one, must not replace it
    under = page_id(f"{name}\0end" if last_word else name, work.before)
    table = work.feed.table
    columns = schema.TABLES[table].names if table in schema.TABLES else work.rows.schema.names
    rows = _dated(work.rows.select(columns), at) if work.rows.num_rows else work.rows  # of a watch, no table's
    landed = [store.land(table, rows, id=under)] if table and rows.num_rows else []
    aside = 0 if work.skipped is None else work.skipped.num_rows
    if aside:
        landed.append(store.land(SKIPPED, work.skipped, id=under))
    landed += [store.land(table, rows, id=under) for table, rows in work.tables.items() if rows.num_rows]
    found = life.findings(work.findings, source=name, at=at)

    def decide() -> Sequence[Record]:
        records, new = _revised(store, found)
        if warn is not None:
            records += warn.follow(store, work, records, at)
        known = store.load(SourceState, name).get(name, SourceState(id=name))
        behind, trouble = work.feed.stands(work.cursor)
        state = msgspec.structs.replace(
            known,
            table=table,
            rows=known.rows + work.read,
            skipped=known.skipped + aside,
            findings=known.findings + new,
            newest=max(filter(None, (known.newest, _newest(work.rows))), default=None),
            behind=behind,
            read_at=at,
            ended=False,
            trouble=trouble,
        )
        return [*records, state]

    until_saved(store, decide, landed, (name, work.cursor))


def _dated(rows: pa.RecordBatch, at: datetime) -> pa.RecordBatch:
    """Evidence without a time was seen when it was read: what has no time would never expire."""
    if rows.schema != schema.EVIDENCE:
        return rows
    place = rows.schema.get_field_index("seen_at")
    return rows.set_column(place, "seen_at", rows["seen_at"].fill_null(pa.scalar(at, schema.TIME)))


def _newest(rows: pa.RecordBatch) -> datetime | None:
    """The latest time that rows tell of, in their first column of times."""
    timed = [name for name, kind in zip(rows.schema.names, rows.schema.types, strict=True) if kind == schema.TIME]
    return pc.call_function("max", [rows[timed[0]]]).as_py() if timed and rows.num_rows else None


def _revised(store: Store, found: Sequence[Finding]) -> tuple[list[Record], int]:
    """Findings joined with what is kept of them, those that change nothing left out; and how many are new."""
    kept = store.load(Finding, *(finding.id for finding in found))
    joined = [life.revise(kept[each.id], each) if each.id in kept else each for each in found]
    return [each for each in joined if kept.get(each.id) != each], len(found) - len(kept)


def halt(store: Store, halt: Halt) -> None:
    """Notes that a source has ended, or why it stands still."""
    name = halt.feed.name
    known = store.load(SourceState, name).get(name, SourceState(id=name))
    store.save(msgspec.structs.replace(known, ended=not halt.trouble, trouble=halt.trouble))


def collect(feed: Feed, engine: Engine, store: Store, at: datetime) -> int:
    """Lands what a feed has and the store does not, from here to its end; answers how many rows were read."""
    rows = 0
    watch = feed.watch(engine, store) if feed.watch else None
    for work in read(feed, engine, store.cursor(feed.name), watch=watch):
        save(store, work, at)
        rows += work.read
    return rows


def page_id(source: str, before: bytes | None) -> str:
    """The id a page lands under: the digest of its source and of the cursor before it (None: from the start)."""
    return sha256(source.encode() + (b"\0" if before is None else b"\1" + before)).hexdigest()


def detect(
    engine: Engine,
    detector: Detector,
    data: ds.Dataset | pa.RecordBatchReader,
    store: Store,
    at: datetime,
    /,
    **beside: ds.Dataset | pa.Table,
) -> int:
    """Finds in what has landed, and saves each finding, revised where it is known; answers how many there are."""
    met = life.findings(engine.run(detector, data, **beside), source="", at=at)
    until_saved(store, lambda: _revised(store, met)[0])
    return len(met)


def run(
    feeds: Sequence[Feed],
    engine: Engine,
    store: Store,
    clock: Callable[[], datetime],
    stop: Event,
    told: Callable[[Work | Halt], None] = lambda _: None,
    warn: Warn | None = None,
) -> None:
    """Reads every feed in a thread of its own and saves from this one, until all have ended or stop is set.

    What a thread has handed on is saved before this answers; told hears of each page and each halt once it is saved. A
    source that is unavailable is asked again, later and later; one that fails otherwise stands still, its trouble
    noted, and the others go on. Whatever keeps the store from saving is raised: nothing behind the last cursor is lost.
    """
    works: Queue[Work | Halt] = Queue(_AHEAD * max(1, len(feeds)))
    over = Event()
    readers = [
        Thread(
            target=_follow,
            args=(
                feed,
                engine,
                store.cursor(feed.name),
                works,
                stop,
                over,
                feed.watch and feed.watch(engine, store),
                clock,
            ),
            name=feed.name,
            daemon=True,
        )
        for feed in feeds
    ]
    for reader in readers:
        reader.start()
    grace = round(_GRACE / _GLANCE)
    try:
        while grace and (any(reader.is_alive() for reader in readers) or not works.empty()):
            try:
                work = works.get(timeout=_GLANCE)
            except Empty:
                grace -= stop.is_set()  # who waits for a slow peer is left: what it reads then it reads again
                continue
            if isinstance(work, Halt):
                halt(store, work)
            else:
                save(store, work, clock(), warn)
            told(work)
    finally:
        over.set()
        for reader in readers:
            reader.join(_GLANCE)


def _follow(
    feed: Feed,
    engine: Engine,
    cursor: bytes | None,
    works: Queue[Work | Halt],
    stop: Event,
    over: Event,
    watch: Watch | None,
    clock: Callable[[], datetime],
) -> None:
    """A source's thread: hands on its pages, and at the end that it has ended, or what its trouble is."""
    wait, longest = _PATIENCE
    while not stop.is_set():
        halted = Halt(feed)
        try:
            for work in read(feed, engine, cursor, lambda: stop.is_set() or over.is_set(), watch, clock):
                _hand_on(work, works, over)
                cursor, wait = work.cursor, _PATIENCE[0]
            if stop.is_set() or over.is_set():
                return
        except UnavailableError as error:
            _log.warning("%s: %s: trying again in %.0f s", feed.name, error, wait)
            _hand_on(Halt(feed, str(error)), works, over)
            watch = watch and watch.anew()  # a listener tells again what it has spooled: it would count twice
            stop.wait(wait)
            wait = min(2 * wait, longest)
            continue
        except Error as error:
            halted = Halt(feed, str(error))
        except Exception as error:  # a fault of ours in one source keeps no other from its work
            halted = Halt(feed, f"{type(error).__name__}, a fault of Khiên's: please report it")
        _hand_on(halted, works, over)
        return


def _hand_on(work: Work | Halt, works: Queue[Work | Halt], over: Event) -> None:
    """Waits for room; when the writer is over nobody takes it any more, and it is read again another time."""
    handed = False
    while not handed and not over.is_set():
        try:
            works.put(work, timeout=_GLANCE)
            handed = True
        except Full:
            pass


def scan(source: Source, detector: Detector) -> Iterator[Scanned]:
    """Streams a source's pages straight through a row detector, without a store; memory is one page.

    ContractError, before the first page is read: the detector is keyed, or reads columns the source does not yield.
    """
    missing = [field.name for field in detector.reads if field not in source.yields]
    if missing:
        raise ContractError(
            f"detector {detector.name} reads {', '.join(missing)}, source {source.name} does not yield it"
        )
    if detector.by or detector.beside:
        raise ContractError(f"detector {detector.name} needs more than one row at a time: run it on an engine")
    return _scanned(source, detector, detector.reads.names)


def _scanned(source: Source, detector: Detector, columns: list[str]) -> Iterator[Scanned]:
    for page in source.read(None):
        findings = detector(page.rows.select(columns))
        yield Scanned(page.rows.num_rows, findings, page.skipped, page.cursor)
