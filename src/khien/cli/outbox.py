"""Beside the sources of ``khien run``: notices go out, the clock is kept, proofs are looked up again, collections whose
day has come are deleted, and it is looked who is to be told that accounts leaked."""

import contextlib
import logging
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from threading import Event, Thread

from khien import words
from khien.app import breach, machine
from khien.app.assembly import Configured
from khien.breach import wishes
from khien.contracts import Store
from khien.errors import CustodyError
from khien.model import Collection, Delivery
from khien.outward.dns import Names
from khien.pipeline import chase, deletion, deliver, exposed, prove
from khien.triage import proofs
from khien.words import printable

_log = logging.getLogger(__name__)
_DAY = 86_400.0  # seconds between two looks at proofs


@contextlib.contextmanager
def sending(made: Configured, place: Path, stop: Event, language: str) -> Generator[None]:
    """Threads that work while the block runs; what is due at its end still goes out, unless stop is set.

    What keeps one of them from its work stops the rest too: who would read a notice that is not sent?
    """
    last, failed = Event(), list[BaseException]()

    def work(step: Callable[[Store], None]) -> None:
        try:
            with machine.store(place) as store:
                step(store)
        except BaseException as error:
            failed.append(error)
            stop.set()

    if made.channels:
        machine.key(place, machine.NOTICES)  # which their letters' links are made with; the site makes it too
        machine.key(place, wishes.KEY)
    with machine.store(place) as store:
        deliver.recover(store, made.channels)
    steps: dict[str, Callable[[Store], None]] = {
        "chase": lambda store: chase.chase(store, machine.clock, stop, last),
        "outbox": lambda store: deliver.deliver(
            store, made.channels, machine.clock, stop, last, partial(_tell, language=language)
        ),
        "deletion": lambda store: deletion.watch(
            breach.deleting(store, breach.place(place)), stop, last, partial(_tell_deleted, language=language)
        ),
        "exposed": lambda store: exposed.watch(breach.look(store, breach.place(place)), machine.clock, stop, last),
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
    state = words.page(f"delivery-{delivery.state}", language)
    said = {"channel": printable(delivery.channel), "notice": delivery.about[:12], "state": state}
    told, why = words.phrase("delivered", language, **said), printable(delivery.why)
    level = logging.INFO if delivery.state == "sent" else logging.WARNING
    params = said | {"state": delivery.state, "why": why}
    _log.log(level, "%s", f"{told}: {why}" if why else told, extra={"code": "delivered", "params": params})


def _tell_deleted(collection: Collection, language: str) -> None:
    params = {"name": collection.id}
    told = words.phrase("collection-deleted", language, **params)
    _log.info("%s", told, extra={"code": "collection-deleted", "params": params})


def _prove(store: Store, made: Configured, place: Path, stop: Event, last: Event) -> None:
    """Once a day, and at the start: what was proven by DNS is looked up again where that is due."""

    def over() -> bool:
        return stop.is_set() or last.is_set()

    while not over():
        try:
            prove.again(
                store, machine.audit(place), machine.key(place, proofs.KEY), Names(), made.triage.protected, over
            )
        except CustodyError as error:  # no officer can act until it is looked into; notices still go out
            _log.error("%s", error)
        left = _DAY
        while left > 0 and not over():
            stop.wait(0.2)
            left -= 0.2
