"""Chase: what time alone brings about. Notices that nobody acknowledged, what is over, takedowns on their clock."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from threading import Event
from time import monotonic
from typing import TypeVar

from khien.contracts import Store
from khien.errors import Error
from khien.model import Constituent, Delivery, Evidence, Finding, Notice, Record, Takedown
from khien.pipeline.paging import every
from khien.pipeline.saving import until_saved
from khien.triage import chase as clockwork
from khien.triage import takedown as takedowns
from khien.triage.answers import withdrawn
from khien.triage.decide import LIVE
from khien.triage.site import above

R = TypeVar("R", Notice, Takedown)

_log = logging.getLogger(__name__)

_BEAT = 2.0  # seconds between two rounds, at least
_SHARE = 9  # times as long as a round took: of many notices, rounds take a tenth of a processor
_MOST = 100_000  # deliveries of one notice, pieces of evidence of one subject
_UNFINISHED = ("asked", "reported", "gone", "back")  # what is gone may come back
_DOWN = ("gone", "closed")  # nobody is told any more that it is up


def chase(store: Store, clock: Callable[[], datetime], stop: Event, last: Event) -> None:
    """Rounds until stop is set, or last is: what is due in each is decided and saved, one record at a time."""
    while not stop.is_set():
        ending, begun = last.is_set(), monotonic()
        for notice in _all(store, Notice, LIVE):
            _settle(store, partial(_pursued, store, notice.id, clock()))
        for takedown in _all(store, Takedown, _UNFINISHED):
            _settle(store, partial(_chased, store, takedown.id, clock()))
        if ending:
            return
        end = max(_BEAT, _SHARE * (monotonic() - begun))
        while end > 0 and not last.is_set() and not stop.wait(0.1):
            end -= 0.1


def _settle(store: Store, decide: Callable[[], Sequence[Record]]) -> None:
    """Saves what is decided of one record; a fault of ours in it keeps no other from its time."""
    try:
        until_saved(store, decide)
    except Error:
        raise
    except Exception:
        _log.exception("on the clock")


def _all(store: Store, kind: type[R], states: Sequence[str]) -> Iterator[R]:
    for state in states:
        yield from every(store, kind, state=state)


def _pursued(store: Store, id: str, at: datetime) -> Sequence[Record]:
    notice = store.load(Notice, id)[id]
    constituent = store.load(Constituent, notice.constituent).get(notice.constituent)
    if constituent is None:
        return ()
    findings = store.load(Finding, *(each.finding for each in notice.subjects))
    deliveries = store.find(Delivery, about=id, limit=_MOST)
    return clockwork.chase(clockwork.Pursuit(constituent, notice, tuple(findings.values()), tuple(deliveries)), at)


def _chased(store: Store, id: str, at: datetime) -> Sequence[Record]:
    takedown = store.load(Takedown, id)[id]
    evidence = store.find(Evidence, subject=tuple(above(takedown.subject)), limit=_MOST)
    chased = takedowns.chase(takedown, evidence, at)
    if chased.takedown == takedown:
        return ()
    waiting = store.find(Delivery, about=id, state="due", limit=_MOST) if chased.takedown.state in _DOWN else ()
    return chased.takedown, *chased.deliveries, *withdrawn(waiting)
