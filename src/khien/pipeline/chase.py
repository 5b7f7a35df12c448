"""Chase: what time alone brings about. Notices that nobody acknowledged, what is over, takedowns on their clock."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from threading import Event
from typing import TypeVar

from khien.contracts import Store
from khien.model import Constituent, Delivery, Evidence, Finding, Notice, Record, Takedown
from khien.pipeline.saving import until_saved
from khien.pipeline.warn import above
from khien.triage import chase as clockwork
from khien.triage import takedown as takedowns
from khien.triage.decide import LIVE

R = TypeVar("R", Notice, Takedown)

_BEAT = 2.0  # seconds between two rounds
_PAGE = 200  # records of one look
_MOST = 1_000  # deliveries of one notice, pieces of evidence of one subject
_UNFINISHED = ("asked", "reported", "gone", "back")  # what is gone may come back


def chase(store: Store, clock: Callable[[], datetime], stop: Event, last: Event) -> None:
    """Rounds until stop is set, or last is: what is due in each is decided and saved, one record at a time."""
    while not stop.is_set():
        ending = last.is_set()
        for notice in _all(store, Notice, LIVE):
            until_saved(store, partial(_pursued, store, notice.id, clock()))
        for takedown in _all(store, Takedown, _UNFINISHED):
            until_saved(store, partial(_chased, store, takedown.id, clock()))
        if ending:
            return
        end = _BEAT
        while end > 0 and not last.is_set() and not stop.wait(0.1):
            end -= 0.1


def _all(store: Store, kind: type[R], states: Sequence[str]) -> Iterator[R]:
    for state in states:
        after = ""
        while page := store.find(kind, after=after, limit=_PAGE, state=state):
            yield from page
            after = page[-1].id


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
    return () if chased.takedown == takedown else (chased.takedown, *chased.deliveries)
