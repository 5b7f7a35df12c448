"""Collections that are let go of, by somebody or because their day has come: no file has their accounts any more."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import msgspec

from khien import model
from khien.audit import Act, Audit
from khien.breach.place import Place, on_disk
from khien.contracts import Store
from khien.errors import ConflictError, CustodyError, InputError, UnavailableError
from khien.model import Holding, Intake, Record
from khien.pipeline import intake, provenance
from khien.pipeline.paging import every
from khien.pipeline.saving import until_saved
from khien.triage.life import KHIEN

_OPENING = 2.0  # seconds within which who was about to open a file that was replaced has it open
_BEAT = 2.0  # seconds between two glances
_AGAIN = 60.0  # seconds until it is tried again
_log = logging.getLogger(__name__)

Told = Callable[[model.Collection], None]


@dataclass(frozen=True)
class Deleting:
    """Where. lock: held while files change (app.breach.lock); shared: epochs whose key stands in shares."""

    store: Store
    place: Place
    audit: Audit
    lock: Callable[[], AbstractContextManager[Any]]
    shared: Collection[int] = ()

    def delete(self, id: str, *, by: str, why: str) -> None:
        """Deletes a collection because somebody says so. ConflictError: who takes in holds the lock. InputError: there
        is no such collection any more."""
        with self.lock():
            if provenance.one(self.store, id).gone:
                self._clear()  # which who deleted it may have been killed before
            found = provenance.held(self.store, id)
            self._delete([found], by, {id: {"why": why}})

    def keep(self, at: datetime) -> Sequence[model.Collection]:
        """Deletes what is due, with accounts that were taken out, and files that nobody reads any more; answers the
        collections. ConflictError: who takes in holds the lock."""
        with self.lock():
            due = provenance.due(self.store, at)
            self._delete(due, KHIEN, {each.id: {"until": f"{each.until}"} for each in due})
        return due

    def give_up(self, id: str, *, by: str, why: str) -> Sequence[Intake]:
        """Takes away what was read of files that were not taken in to their end: id is of an intake, or of a collection
        for all of its. ConflictError: who takes in holds the lock. InputError: there is none."""
        with self.lock():
            found = (*self.store.load(Intake, id).values(), *every(self.store, Intake, collection=id))
            begun = [each for each in found if not each.done]
            if not begun:
                raise InputError(f"{id[:64]!r}: nothing is half taken in: khien breach collections show COLLECTION")
            acts = [Act(by, "leak-given-up", each.collection, {"intake": each.id, "why": why}) for each in begun]
            until_saved(self.store, lambda: self.audit.entries(self.store, *acts), gone=lambda: begun)
            with on_disk(self.place.folder):
                intake.sweep(self.store, self.place, self.audit.clock())
        return begun

    def take_out(self, by: str) -> None:
        """Sees to it that no file has the rows of accounts that were taken out, nor those that wait to be merged.
        ConflictError: who takes in holds the lock, and does it when they merge."""
        with self.lock():
            self._delete([], by, {})

    def _delete(self, these: Sequence[model.Collection], by: str, said: dict[str, dict[str, str]]) -> None:
        clock = self.audit.clock

        def records(done: Sequence[Intake]) -> Sequence[Record]:
            now = self.store.load(model.Collection, *said).values()  # somebody may say meanwhile what is known of it
            gone = [msgspec.structs.replace(each, gone=clock()) for each in now]
            acts = [Act(by, "collection-deleted", each, params) for each, params in said.items()]
            acts += intake.acts(done, by)
            return [*gone, *self.audit.entries(self.store, *acts)] if acts else gone

        before = [*every(self.store, Holding)]
        numbers = [each.number for each in these]
        intake.settle(self.store, self.place, clock, records, gone=numbers, shared=self.shared)
        if before != [*every(self.store, Holding)]:
            self._clear()

    def _clear(self) -> None:
        """Takes away what was replaced, as soon as who was about to open it has it open."""
        time.sleep(_OPENING)
        intake.sweep(self.store, self.place, self.audit.clock(), grace=timedelta(0))


def watch(deleting: Deleting, stop: Event, last: Event, told: Told) -> None:
    """Deletes what is due at the start, and when its day comes; once a day it looks for what nobody reads any more.

    While somebody takes in it waits, and where it cannot it says so and tries again: until stop is set, or last is.
    told hears of each collection.
    """
    kept = None
    while not stop.is_set():
        ending, at, wait = last.is_set(), deleting.audit.clock(), _BEAT
        if kept != at.date() or provenance.due(deleting.store, at):
            try:
                for each in deleting.keep(at):
                    told(each)
                kept = at.date()
            except ConflictError:
                wait = _AGAIN
            except (CustodyError, UnavailableError, OSError) as error:
                _log.error("%s", error)
                wait = _AGAIN
        if ending:
            return
        while wait > 0 and not last.is_set() and not stop.wait(0.1):
            wait -= 0.1
