"""``khien run`` and ``khien replay``: sources read, names looked at, findings kept and shown."""

import contextlib
import logging
import os
import signal
import sys
import tempfile
import time
import webbrowser
from _thread import start_new_thread
from collections.abc import Generator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event

import msgspec

from khien import words
from khien.app import assembly, configuration, machine, parts
from khien.cli import outbox, serve
from khien.cli.progress import done_of, sizes
from khien.contracts import Store
from khien.errors import ConfigError, RefusedError
from khien.flows.judge import FLOOD
from khien.model import Finding, SourceState
from khien.pipeline import collect, control
from khien.pipeline.collect import Feed, Halt, Work
from khien.pipeline.warn import Triage
from khien.sources.files import Files, progress
from khien.triage import life
from khien.words import number, printable

_log = logging.getLogger(__name__)

_SAID = 5.0  # seconds between two lines that say how far a source is


def run(config: Path | None, data: Path | None, once: bool, with_site: bool, language: str) -> int:
    """Runs what a configuration asks for until it is told to stop; answers the exit status."""
    if config is None and not configuration.CONFIG.exists():
        raise ConfigError(f"{words.phrase('no-config', language)}; khien replay shows the sample")
    machine.without_core()
    made = assembly.load(config, data)
    place = made.data
    site = made.site if with_site and not once else None
    with machine.lock(place), stopping() as stop, contextlib.ExitStack() as stack:
        store = stack.enter_context(machine.store(place))
        store.sweep()
        _expect_own(store, place, replayed=False)
        served = None
        if site:
            served = stack.enter_context(_served(made, site, replay=False))
        if served:
            _say("serving", language, address=served.address)
        if not made.feeds:
            _say("no-sources", language)
        with outbox.sending(made, place, stop, language):
            troubles = _read(made.feeds, store, stop, language, made.keep, made.triage)
            if served:
                served.wait(stop)
    return 2 if troubles else 0


def replay(data: Path | None, report: Path | None, site: configuration.Site, opened: bool, language: str) -> int:
    """Replays the names and flows that come with Khiên, beside accounts and listings that are made up, and serves what
    was found or writes it as a report.

    ConfigError, UnavailableError: the site could not listen, which is said before anything is read.
    """
    from khien.app import made_up  # what no other command here needs

    if report is None:
        serve.expect_free(*configuration.address(site.listen, "--listen"), "another --listen")
    with contextlib.ExitStack() as stack:
        place = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="khien-")))
        stack.enter_context(machine.lock(place))
        stop = stack.enter_context(stopping())
        store = stack.enter_context(machine.store(place))
        _expect_own(store, place, replayed=True)
        store.sweep()
        _say("replay", language)
        _read(parts.samples(), store, stop, language)
        made_up.leak(store, place)
        made_up.listings(store, place)
        if report is not None:
            serve.write("report", report, data=place, protect=None, replay=True)
            _say("report", language, path=str(report.resolve() / "index.html"))
        elif not stop.is_set():
            served = stack.enter_context(serve.site(place, None, site, replay=True))
            _say("serving", language, address=served.address)
            if opened and _has_screen():
                webbrowser.open(served.address)
            served.wait(stop)
    return 0


def web(config: Path | None, data: Path | None, listen: str | None, language: str) -> int:
    """Serves the site alone, over what is kept, until it is told to stop; answers the exit status."""
    machine.without_core()
    made = assembly.load(config, data)
    place, site = machine.place(made.data), made.site or configuration.Site()
    if listen is not None:
        site = msgspec.structs.replace(site, listen=listen)
    with machine.store(place) as store:
        dated = replayed(store)
    with stopping() as stop, _served(made, site, replay=dated) as served:
        _say("serving", language, address=served.address)
        served.wait(stop)
    return 0


def _served(
    made: assembly.Configured, site: configuration.Site, *, replay: bool
) -> contextlib.AbstractContextManager[serve.Served]:
    """The site that a configuration asks for."""
    letters, breach, people = parts.letters(made.channels), made.breach, made.people
    return serve.site(made.data, made.protect, site, replay=replay, breach=breach, letters=letters, people=people)


def replayed(store: Store) -> bool:
    """Whether a data directory holds the dated sample."""
    return any(each.id in parts.SAMPLES for each in store.find(SourceState, limit=10_000))


def _expect_own(store: Store, place: Path, *, replayed: bool) -> None:
    """RefusedError: what is dated would stand among what was found today, or the other way round."""
    sources = {each.id for each in store.find(SourceState, limit=10_000)}
    if sources.difference(parts.SAMPLES) if replayed else sources.intersection(parts.SAMPLES):
        held = "findings of real sources" if replayed else "the dated sample"
        raise RefusedError(f"{place} holds {held}: the two are never mixed, name another directory with --data")


def _has_screen() -> bool:
    """Whether a browser has somewhere to open: one in the terminal would take it from us."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def stopping() -> Generator[Event]:
    """Set by SIGTERM and SIGINT, once; a second SIGINT interrupts whatever is still going on."""
    stop = Event()
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    asked = False

    def on_signal(number: int, _frame: object) -> None:
        nonlocal asked
        if not asked:
            asked = True
            start_new_thread(stop.set, ())  # whom this interrupts may hold the lock of the event
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    for each in before:
        signal.signal(each, on_signal)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _read(
    feeds: Sequence[Feed],
    store: Store,
    stop: Event,
    language: str,
    keep: Mapping[str, timedelta] | None = None,
    warn: Triage | None = None,
) -> int:
    """Reads the feeds to their end, or until told to stop; says how far they are. Answers how many are in trouble.

    keep: what is older goes at the beginning, and from day to day while pages come.
    """
    said = _Said(language)
    day = machine.clock().date()

    def told(work: Work | Halt) -> None:
        nonlocal day
        said(work)
        if machine.clock().date() != day:
            day = machine.clock().date()
            _forget(store, keep or {}, language)

    machine.run_long()
    _forget(store, keep or {}, language)
    collect.run(feeds, machine.engine(), store, machine.clock, stop, told, warn)
    said.sum_up(feeds, store)
    return len(said.troubles)


def _forget(store: Store, keep: Mapping[str, timedelta], language: str) -> None:
    control.forget(store, machine.clock())
    for table, age in keep.items():
        proof = store.expire(table, machine.clock() - age)
        if proof.rows:
            _say("expired", language, table=printable(table), rows=number(proof.rows, language), proof=proof.id[:12])


class _Said:
    """Lines on standard error: how far each source is, now and then; its troubles at once."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._started = self._last = time.monotonic()
        self.troubles: set[str] = set()  # sources that stand still
        self._floods: set[str] = set()  # told already
        self._rows: dict[str, int] = {}
        self._begun: dict[str, tuple[int, float]] = {}  # of each source: bytes behind it when first told, and when

    def __call__(self, work: Work | Halt) -> None:
        if isinstance(work, Halt):
            self.troubles.discard(work.feed.name)
            if work.trouble:
                self.troubles.add(work.feed.name)
                _log.error("%s: %s", printable(work.feed.name), printable(work.trouble))
            return
        self.troubles.discard(work.feed.name)
        self._tell_floods(work)
        self._rows[work.feed.name] = self._rows.get(work.feed.name, 0) + work.read
        now = time.monotonic()
        if now - self._last >= _SAID:
            self._last = now
            self._tell(work.feed.name, now, self._left(work, now))

    def _tell_floods(self, work: Work) -> None:
        """A line for each flood when it is first found."""
        for finding in life.findings(work.findings, source=work.feed.name, at=machine.clock()):
            if finding.claim == FLOOD and finding.id not in self._floods:
                self._floods.add(finding.id)
                vectors = ", ".join(words.technique(each, self._language) for each in finding.techniques)
                rate = number(finding.measures["packets"], self._language)
                _say("flooded", self._language, victim=finding.subject, vectors=vectors, rate=rate)

    def _tell(self, name: str, now: float, left: float | None = None) -> None:
        rows = self._rows[name]
        rate = rows / max(now - self._started, 1e-9)
        said = {
            "source": printable(name),
            "rows": number(rows, self._language),
            "rate": words.short(rate, self._language),
        }
        if left is None:
            _say("source-at", self._language, **said)
        else:
            _say("source-left", self._language, **said, seconds=number(left, self._language))

    def _left(self, work: Work, now: float) -> float | None:
        """Seconds until the source has come to its end; None where that is not in sight."""
        name, source = work.feed.name, work.feed.source
        if not isinstance(source, Files):
            return None
        bytes_of = sizes(source.paths)
        done = done_of(bytes_of, progress(work.cursor))
        begun, since = self._begun.setdefault(name, (done, now))
        if None in bytes_of or done <= begun:
            return None
        return (sum(filter(None, bytes_of)) - done) * (now - since) / (done - begun)

    def sum_up(self, feeds: Sequence[Feed], store: Store) -> None:
        """At the end: what was read, and what is there now."""
        now = time.monotonic()
        for feed in feeds:
            if feed.name in self._rows:
                self._tell(feed.name, now)
        found = sum(store.count(Finding, suppressed=False).values())
        _say("found-so-far", self._language, count=number(found, self._language))


def _say(phrase: str, language: str, **params: str) -> None:
    _log.info("%s", words.phrase(phrase, language, **params), extra={"code": phrase, "params": params})
