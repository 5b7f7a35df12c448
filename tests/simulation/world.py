"""A world in one thread: sources, pipeline, store, an officer and a disk that fails, all moved by one seed.

A step is one thing that happens: a page is read, saved, looked at again; an officer looks, decides; power goes. Which
comes next, and what fails in it, the seed says. After each step what the store shows is held against what is true.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from khien.engines.embedded import Embedded as Engine
from khien.errors import ConfigError, ConflictError, Error, UnavailableError
from khien.model import Finding
from khien.pipeline import collect
from khien.pipeline.collect import Feed, Halt, Work
from khien.stores.embedded.store import Embedded
from khien.testing.hold import hold
from khien.triage import life
from tests import toy
from tests.simulation import source, vfs
from tests.simulation.disk import Simulated
from tests.simulation.medium import SPACE, Clock, Fault, Killed, Medium
from tests.simulation.promises import LONG, TABLES, Promises
from tests.simulation.truth import everything

STEPS = 35  # of a world, before it comes to rest
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
ENGINE = Engine(rows=2)  # cuts even our small pages
OFFICER = "an officer"
BURST = toy.Burst(times=5.0)
BASELINE = pa.Table.from_pylist([{"host": host, "usual": 1.0} for host in source.HOSTS], toy.BASELINE)
SMALL = (120, 200, 400, 32 << 20)  # bytes below which files of a table merge: soon, later, never
FAULTS = ("well", "full", "read-only", "slow", "broken", "kill", "kill", "power", "power")
EXCUSES: dict[type[Error], set[str]] = {
    UnavailableError: {"broken", "full", "read-only"},
    ConfigError: {"read-only", "broken"},
}


@dataclass(frozen=True)
class Parts:
    """What the worlds are made of: tests plant faults here."""

    disk: Callable[[Medium, str], Simulated] = Simulated
    store: Callable[[Embedded], Any] = lambda store: store


@dataclass
class Process:
    """Somebody at work on a disk. Whatever else is here is in memory, and dies with the process.

    kept: the store; store: the same, but that others get their turn between two calls. works: pages read and not yet
    saved; handed: the cursor behind the last of them; seen: what was decided on: the version met, and a finding.
    """

    disk: Simulated
    kept: Embedded
    store: Any
    works: deque[Work | Halt] = field(default_factory=deque)
    reading: dict[str, Iterator[Work]] = field(default_factory=dict)
    handed: dict[str, bytes | None] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    seen: tuple[int, Finding] | None = None


@dataclass(frozen=True)
class Pausing:
    """A store between whose calls others get their turn."""

    store: Any
    pause: Callable[[], None]

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.store, name)

        def paused(*args: Any, **named: Any) -> Any:
            self.pause()
            return verb(*args, **named)

        return paused


class World:
    """One seed's world. scratch: a real folder for SQLite's locks; worlds may share it, one after the other."""

    def __init__(self, seed: int, scratch: Path, parts: Parts) -> None:
        self.chance = Random(seed)
        vfs.reseed(self.chance)
        self.scratch, self.parts = str(scratch), parts
        self.clock = Clock(BEGIN + timedelta(days=4))
        self.medium = Medium(self.chance, self.clock)
        self.network = source.Network(self.chance, self.clock, self.chance.choice((0.0, 0.2, 0.5)))
        names = source.names(self.chance, BEGIN, self.network)
        requests = source.requests(self.chance, BEGIN, self.network)
        self.feeds = {
            "names": Feed("names", names, "names", None, (toy.Lengthy(LONG),)),
            "requests": Feed("requests", requests, "counts", toy.PerSecond()),
        }
        self.small = self.chance.choice(SMALL)
        self.promises = Promises(self.medium, list(self.feeds))
        self.runner: Process | None = None
        self.officer: Process | None = None
        self.at_work: Process | None = None
        self.trace: list[str] = []

    def run(self) -> None:
        """AssertionError: a promise is broken, and the trace leads there."""
        try:
            for _ in range(STEPS):
                self._step()
            self._rest()
        finally:
            self._bury(self.runner, self.officer)

    def _step(self) -> None:
        """One thing happens, and then what must be true is."""
        weights = {
            self._read: 10,
            self._save: 10,
            self._look_again: 2,
            self._decide: 3,
            self._keep_blob: 2,
            self._expire: 1,
            self._pass_time: 1,
            self._let_the_disk_fail: 4,
            self._stop: 1,
            self._kill: 1,
            self._cut_the_power: 1,
        }
        before = self.medium.digest()
        [step] = self.chance.choices(list(weights), list(weights.values()))
        said = self._tried(step)
        if self.medium.halted:
            self._bury_the_dead()
        self.trace.append(f"{len(self.trace):3} {step.__name__[1:]}: {said} [{self.medium.digest()}]")
        if self.runner is not None and self.medium.digest() != before:
            self.promises.check(self.runner.kept, self.chance, thorough=self.chance.random() < 0.2)

    def _rest(self) -> None:
        """At the end nothing fails any more; in some worlds what the sources have gets there then."""
        self.medium.fault, self.medium.read_only, self.medium.space, self.network.rough = None, False, SPACE, 0.0
        self._stop()
        runner = self._running()
        if whole := self.chance.random() < 0.3:
            for feed in self.feeds.values():
                for work in collect.read(feed, ENGINE, runner.store.cursor(feed.name)):
                    self._save_work(runner, work)
        self.promises.check(runner.kept, self.chance, thorough=True)
        for name, feed in self.feeds.items() if whole else ():
            rows = sum(len(scene.rows) for scene in feed.source.script)
            hold(self.promises.truth.states[name].rows >= rows, f"source {name}: not all of {rows} rows were read")

    def _tried(self, step: Callable[[], str]) -> str:
        """What a step says, or what befell it. An error is fine when what struck the disk explains it."""
        began = len(self.medium.struck)
        try:
            return step()
        except Killed as killed:
            return str(killed)
        except Error as error:
            struck = self.medium.struck[began:]
            explained = EXCUSES.get(type(error), set()).intersection(struck)
            hold(bool(explained), f"{type(error).__name__}, though the disk met {struck or 'nothing'}: {error}")
            return type(error).__name__

    # What happens

    def _read(self) -> str:
        """A page comes in, and waits to be saved."""
        runner, feed = self._running(), self.chance.choice(list(self.feeds.values()))
        if feed.name in runner.ended or len(runner.works) > 3:
            return "not now"
        if feed.name not in runner.reading or self.chance.random() < 0.1:  # or abandoned in the middle
            if feed.name not in runner.handed:
                runner.handed[feed.name] = runner.store.cursor(feed.name)
            runner.reading[feed.name] = collect.read(feed, ENGINE, runner.handed[feed.name])
        try:
            work = next(runner.reading[feed.name])
        except StopIteration:
            runner.ended.add(feed.name)
            runner.works.append(Halt(feed))
            return f"{feed.name} has ended"
        except UnavailableError as error:
            del runner.reading[feed.name]
            runner.works.append(Halt(feed, str(error)))
            return f"{feed.name} is away"
        runner.handed[feed.name] = work.cursor
        runner.works.append(work)
        return f"{feed.name} up to {work.cursor.decode()}"

    def _save(self) -> str:
        """The oldest page in memory is saved; when that fails the process ends, and begins again where it stood."""
        runner = self._running()
        if not runner.works:
            return "nothing"
        work = runner.works[0]
        try:
            self._save_work(runner, work)
        except Error:
            self._stop()
            raise
        runner.works.popleft()
        return f"{work.feed.name} up to {work.cursor.decode()}" if isinstance(work, Work) else f"{work.feed.name} halts"

    def _save_work(self, runner: Process, work: Work | Halt) -> None:
        at = self.clock()
        if isinstance(work, Halt):
            self.promises.answered(lambda: collect.halt(runner.store, work), lambda truth: truth.after_halt(work))
            return
        if work.feed.table == "names":
            self.promises.land(set(work.rows.column("name").to_pylist()))
        self.promises.answered(lambda: collect.save(runner.store, work, at), lambda truth: truth.after_save(work, at))

    def _look_again(self) -> str:
        """The keyed detector looks at all counts."""
        runner, truth, at = self._running(), self.promises.truth, self.clock()
        if not truth.tables.get("counts"):
            return "nothing"
        counts = [dict(zip(toy.COUNTS.names, row, strict=True)) for row in truth.tables["counts"]]
        raised = [each for each in truth.findings.values() if each.detector == BURST.name]
        standing = [{"host": each.subject, "episode": each.episode} for each in raised]
        beside = {"baseline": BASELINE, "open": pa.Table.from_pylist(standing, toy.OPEN)}
        found = BURST(pa.RecordBatch.from_pylist(counts, toy.COUNTS), **beside)
        number = self.promises.answered(
            lambda: collect.detect(ENGINE, BURST, runner.store.scan("counts"), runner.store, at, **beside),
            lambda truth: truth.after_detect([found], "", at),
        )
        hold(number == found.num_rows, f"the keyed detector found {number}, not {found.num_rows}")
        return f"{number} found"

    def _decide(self) -> str:
        """An officer decides on what was seen last time, which may be long ago, and looks at another finding."""
        officer = self.at_work = self.officer = self.officer or self._started()
        if self.runner is None:  # then nobody has looked yet what the last one left
            self.promises.resolve(officer.kept)
        seen, said = officer.seen, ""
        if seen is not None:
            officer.seen = None
            said = self._act(officer, *seen) + ", "
        if not said or self.chance.random() < 0.5:
            version, findings = officer.store.version(), everything(officer.store)
            officer.seen = (version, self.chance.choice(findings)) if findings else None
        return f"{said}looks at {officer.seen[1].id[:8] if officer.seen else 'nothing'}"

    def _act(self, officer: Process, version: int, finding: Finding) -> str:
        act = self.chance.choice([act for state, act in life.MOVES if state == finding.state and act != life.SEE])
        said, at = f"{act} {finding.id[:8]}", self.clock()
        moved = life.move(finding, act, by=OFFICER, at=at)
        try:
            self.promises.answered(
                lambda: officer.store.save(moved, expect=version),
                lambda truth: truth.after_act(finding.id, act, OFFICER, at),
            )
        except ConflictError:
            hold(officer.store.version() > version, "a conflict with nobody")
            return f"too late to {said}"
        return said

    def _keep_blob(self) -> str:
        """A blob is put."""
        blob = self.chance.randbytes(self.chance.choice((0, 10, 700, 5000)))
        digest = self._running().store.put(blob)
        self.promises.blobs[digest] = blob
        return digest[:8]

    def _expire(self) -> str:
        """Old rows go."""
        runner, table = self._running(), self.chance.choice(("names", "counts"))
        before = BEGIN + timedelta(hours=self.chance.randrange(96))
        truth = self.promises.truth
        if table not in truth.tables:
            return "nothing"
        gone = truth.tables[table] - truth.after_expiry(table, TABLES[table], before).tables[table]
        names = {row[0] for row in gone if table == "names" and len(row[0]) <= LONG}
        self.promises.expiring |= names
        proof = self.promises.answered(
            lambda: runner.store.expire(table, before),
            lambda truth: truth.after_expiry(table, TABLES[table], before),
        )
        self.promises.expired |= names
        hold(proof.rows == gone.total(), f"{proof.rows} rows of {table} expired, not {gone.total()}")
        for path, _ in proof.removed:
            hold(path not in self.medium.entries, f"{path} is still there, though its expiry is proven")
        return f"{proof.rows} of {table}"

    def _pass_time(self) -> str:
        self.clock.advance(self.chance.choice((1, 60, 700)))
        return self.clock().isoformat()

    def _let_the_disk_fail(self) -> str:
        """Soon or from now on; or it is well again."""
        medium = self.medium
        medium.fault, medium.read_only, medium.space = None, False, SPACE
        match self.chance.choice(FAULTS):
            case "full":
                medium.fill(self.chance.choice((0, 1000, 10_000, 40_000)))
                return f"{medium.free()} bytes left"
            case "read-only":
                medium.read_only = True
                return "read-only"
            case "well":
                return "well"
            case kind:
                medium.fault = Fault(kind, 1 + int(self.chance.expovariate(1 / 15)))
                return f"{kind} after {medium.fault.after}"

    def _stop(self) -> str:
        """Told to stop, the process ends."""
        if self.runner is None:
            return "not running"
        self.at_work = runner = self.runner
        said = self._tried(lambda: runner.kept.close() or "stopped")
        self._bury(runner)
        return said

    def _kill(self) -> str:
        self._bury(self.runner)
        return "killed"

    def _cut_the_power(self) -> str:
        self.medium.struck.append("power")
        self._bury_the_dead()
        return "back again"

    # Who lives

    def _running(self) -> Process:
        """The process that lands and detects; where it does not run it is started, as khien run starts."""
        if self.runner is None:
            self.at_work = runner = self._started()
            try:
                runner.kept.sweep()
            except Error:
                runner.disk.die()
                raise
            self.runner = runner
            self.promises.check_start(runner.kept)
        self.at_work = self.runner
        return self.runner

    def _started(self) -> Process:
        disk = self.parts.disk(self.medium, self.scratch)
        kept = Embedded(disk, self.clock, large=self.small)
        return Process(disk, kept, Pausing(self.parts.store(kept), self._pause))

    def _pause(self) -> None:
        """Between two calls of the runner's the officer may decide."""
        runner = self.runner
        if runner is None or self.at_work is not runner or self.chance.random() > 0.1:
            return
        said = self._tried(self._decide)
        if self.medium.halted and self.medium.struck[-1] == "power":
            raise Killed("power")
        if self.medium.halted:
            self._bury_the_dead()
        self.at_work = runner
        self.promises.resolve(runner.kept)
        self.trace.append(f"    meanwhile: {said}")

    def _bury_the_dead(self) -> None:
        """Who was killed in the middle of a call is gone; with the power, everybody."""
        if self.medium.struck[-1] == "power":
            self._bury(self.runner, self.officer, self.at_work)
            self.medium.lose_power()
        else:
            self._bury(self.at_work)

    def _bury(self, *processes: Process | None) -> None:
        for process in processes:
            if process is not None:
                process.disk.die()
        self.runner = None if self.runner in processes else self.runner
        self.officer = None if self.officer in processes else self.officer
        self.medium.halted = False


def play(seed: int, scratch: Path, parts: Parts = Parts()) -> World:
    """The world of a seed when its time is over. AssertionError: what went wrong in it, how it came, how to see it."""
    world = World(seed, scratch, parts)
    try:
        world.run()
    except Exception as error:
        told = "\n".join([f"{type(error).__name__}: {error}", *world.trace])
        again = f"again: python3 dev test tests/simulation --seed {seed}"
        raise AssertionError(f"seed {seed}, after {len(world.trace)} steps: {told}\n{again}") from error
    return world
