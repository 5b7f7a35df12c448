"""Beside the sources of ``khien run``: notices go out, the clock is kept, and proofs are looked up again."""

import contextlib
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from threading import Event, Thread

import click

from khien import app, words
from khien.contracts import Store
from khien.model import Delivery
from khien.outward.dns import Names
from khien.pipeline import chase, deliver, prove
from khien.triage import proofs
from khien.words import printable

_DAY = 86_400.0  # seconds between two looks at proofs


@contextlib.contextmanager
def sending(made: app.Configured, place: Path, stop: Event, language: str) -> Generator[None]:
    """Threads that work while the block runs; what is due at its end still goes out, unless stop is set.

    What keeps one of them from its work stops the rest too: who would read a notice that is not sent?
    """
    last, failed = Event(), list[BaseException]()

    def work(step: Callable[[Store], None]) -> None:
        try:
            with app.store(place) as store:
                step(store)
        except BaseException as error:
            failed.append(error)
            stop.set()

    with app.store(place) as store:
        deliver.recover(store, made.channels)
    steps: dict[str, Callable[[Store], None]] = {
        "chase": lambda store: chase.chase(store, app.clock, stop, last),
        "outbox": lambda store: deliver.deliver(
            store, made.channels, app.clock, stop, last, partial(_tell, language=language)
        ),
        "proofs": lambda store: _prove(store, made, place, stop, last),
    }
    threads = [Thread(target=work, args=(step,), name=name) for name, step in steps.items()]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        last.set()
        for each in threads:
            each.join()
    if failed:
        raise failed[0]


def _tell(delivery: Delivery, language: str) -> None:
    said = {"channel": printable(delivery.channel), "notice": delivery.about[:12], "state": delivery.state}
    click.echo(f"khien: {words.phrase('delivered', language, **said, why=printable(delivery.why))}", err=True)


def _prove(store: Store, made: app.Configured, place: Path, stop: Event, last: Event) -> None:
    """Once a day, and at the start: what was proven by DNS is looked up again where that is due."""

    def over() -> bool:
        return stop.is_set() or last.is_set()

    while not over():
        prove.again(store, app.audit(place), app.key(place, proofs.KEY), Names(), made.triage.protected, over)
        left = _DAY
        while left > 0 and not over():
            stop.wait(0.2)
            left -= 0.2
