"""``khien run`` and ``khien replay``: sources read, names looked at, findings kept and shown."""

import contextlib
import os
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Generator, Sequence
from pathlib import Path
from threading import Event

import click

from khien import app, pipeline, words
from khien.cli import serve
from khien.contracts import Store
from khien.model import Finding
from khien.pipeline import Feed, Halt, Work
from khien.words import number, printable

_SAID = 5.0  # seconds between two lines that say how far a source is


def run(config: Path | None, data: Path | None, once: bool, with_site: bool, language: str) -> int:
    """Runs what a configuration asks for until it is told to stop; answers the exit status."""
    made = app.load_config(config)
    place = data or made.data
    site = made.config.site
    if once or not with_site or site is False:
        site = None
    elif site is True:
        site = app.Site()
    with app.lock(place), _stopping() as stop, contextlib.ExitStack() as stack:
        store = stack.enter_context(app.store(place))
        store.sweep()
        if site is not None:
            _say("serving", language, address=stack.enter_context(serve.site(place, made.protect, site, replay=False)))
        if not made.feeds:
            _say("no-sources", language)
        _read(made.feeds, store, stop, language)
        if site is not None:
            stop.wait()
    return 0


def replay(data: Path | None, report: Path | None, site: app.Site, opened: bool, language: str) -> int:
    """Replays the names that come with Khiên, and serves what was found or writes it as a report."""
    with contextlib.ExitStack() as stack:
        place = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="khien-")))
        stack.enter_context(app.lock(place))
        stop = stack.enter_context(_stopping())
        store = stack.enter_context(app.store(place))
        store.sweep()
        _say("replay", language)
        _read((app.sample(),), store, stop, language)
        if report is not None:
            serve.report(place, None, report, replay=True)
            _say("report", language, path=str(report.resolve() / "index.html"))
        elif not stop.is_set():
            address = stack.enter_context(serve.site(place, None, site, replay=True))
            _say("serving", language, address=address)
            if opened and _has_screen():
                webbrowser.open(address)
            stop.wait()
    return 0


def _has_screen() -> bool:
    """Whether a browser has somewhere to open: one in the terminal would take it from us."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def _stopping() -> Generator[Event]:
    """Set by SIGTERM and SIGINT, once; a second SIGINT interrupts whatever is still going on."""
    stop = Event()
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    for each in before:
        signal.signal(each, on_signal)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _read(feeds: Sequence[Feed], store: Store, stop: Event, language: str) -> None:
    """Reads the feeds to their end, or until told to stop; says how far they are."""
    said = _Said(language)
    pipeline.run(feeds, app.engine(), store, app.clock, stop, said)
    said.sum_up(feeds, store)


class _Said:
    """Lines on standard error: how far each source is, now and then; its troubles at once."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._started = self._last = time.monotonic()
        self._rows: dict[str, int] = {}

    def __call__(self, work: Work | Halt) -> None:
        if isinstance(work, Halt):
            if work.trouble:
                click.echo(f"khien: {printable(work.feed.name)}: {printable(work.trouble)}", err=True)
            return
        self._rows[work.feed.name] = self._rows.get(work.feed.name, 0) + work.read
        now = time.monotonic()
        if now - self._last >= _SAID:
            self._last = now
            self._tell(work.feed.name, now)

    def _tell(self, name: str, now: float) -> None:
        rows = self._rows[name]
        rate = rows / max(now - self._started, 1e-9)
        counts = {"rows": number(rows, self._language), "rate": number(rate, self._language)}
        _say("source-at", self._language, source=printable(name), **counts)

    def sum_up(self, feeds: Sequence[Feed], store: Store) -> None:
        """At the end: what was read, and what is there now."""
        now = time.monotonic()
        for feed in feeds:
            if feed.name in self._rows:
                self._tell(feed.name, now)
        found = sum(store.count(Finding, suppressed=False).values())
        _say("found-so-far", self._language, count=number(found, self._language))


def _say(phrase: str, language: str, **params: str) -> None:
    click.echo(f"khien: {words.phrase(phrase, language, **params)}", err=True)
