"""Who is told that accounts leaked: constituents, of their mail domains; people, who wished for it.

A look is a function of what is held: run again it saves nothing, and cut off anywhere it is done by the next. So the
import looks when lookups know of what it brought, and ``khien run`` whenever that or the proven mail domains changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from khien import schema
from khien.breach import exposed as file
from khien.breach.digests import siphash
from khien.breach.exposed import Exposed
from khien.breach.place import DOMAIN, Place, epoch_of
from khien.contracts import Store
from khien.errors import CustodyError
from khien.model import Asset, Collection, Delivery, Finding, Holding, Intake, Record, Wish
from khien.pipeline import promises
from khien.pipeline.paging import every
from khien.pipeline.saving import until_saved
from khien.pipeline.warn import Triage
from khien.triage import life

if TYPE_CHECKING:
    import numpy.typing as npt

_log = logging.getLogger(__name__)

WISHES = "wishes"  # the channel by which people hear

_BEAT = 2.0  # seconds between two glances

Detect = Callable[[pa.RecordBatchReader, pa.Table], Iterable[pa.RecordBatch]]  # rows, and mail domains, to findings


@dataclass(frozen=True)
class Look:
    """Looks into what is held. detect: runs the detector ``exposure`` over schema.CREDENTIALS, beside
    schema.MAIL_DOMAINS; triage: decides who hears of what it finds."""

    store: Store
    place: Place
    detect: Detect
    triage: Triage

    def seen(self) -> tuple[object, ...]:
        """What a look depends on: while it is the same, another look would find the same."""
        held = tuple(each.file for each in self._held())
        proven = tuple((each.value, each.constituent) for each in _proven(self.store))
        return held, proven, tuple(every(self.store, Collection)), promises.removals(self.store)

    def exposed(self, at: datetime) -> None:
        """Saves what is found, with the notices and deliveries that follow, in one; then letters to people."""
        files = [Exposed.open(self.place.path(each)) for each in self._held()]
        collections = {each.number: each for each in every(self.store, Collection)}
        removed = promises.removals(self.store)
        names = dict.fromkeys(each.value for each in _proven(self.store))
        domains = pa.Table.from_pydict({"domain": self._tags(names), "name": list(names)}, schema.MAIL_DOMAINS)
        rows = _rows(files, collections, domains["domain"].to_pylist(), removed)
        met = life.findings(
            self.detect(pa.RecordBatchReader.from_batches(schema.CREDENTIALS, rows), domains), source="", at=at
        )
        until_saved(self.store, lambda: self._told(met, collections.values(), names, at))
        until_saved(
            self.store,
            lambda: self._wished(files, collections, removed, at),
            gone=lambda: [each for each in every(self.store, Wish) if each.until <= at.date()],
        )

    def _held(self) -> Sequence[Holding]:
        return [each for each in every(self.store, Holding) if epoch_of(each.id)]

    def _tags(self, names: Iterable[str]) -> list[bytes]:
        """The keyed tags of mail domains."""
        spelled = [each.encode() for each in names]
        ends = np.cumsum([0, *map(len, spelled)], dtype=np.int64)
        values = np.frombuffer(b"".join(spelled), np.uint8)
        return [bytes(each) for each in siphash(values, ends[:-1], ends[1:], self.place.keyed(DOMAIN), file.DOMAIN)]

    def _told(
        self, met: Sequence[Finding], collections: Iterable[Collection], names: Container[str], at: datetime
    ) -> Sequence[Record]:
        """Findings that are new, back, counted anew or over; and what follows for constituents."""
        ids = {each.id for each in met}
        kept = self.store.load(Finding, *ids)
        found = [_again(kept[each.id], each, at) if each.id in kept else each for each in met]
        stands = tuple(state for state, act in life.MOVES if act == life.LOSE)
        over = [
            life.move(finding, life.LOSE, by=life.KHIEN, at=at)
            for each in collections
            for finding in [*every(self.store, Finding, claim=each.id, state=stands)]
            if finding.id not in ids and (each.gone or finding.subject in names)
        ]
        return _news(self.store, self.triage.again(self.store, [*found, *over], at))

    def _wished(
        self,
        files: Sequence[Exposed],
        collections: Mapping[int, Collection],
        removed: frozenset[bytes],
        at: datetime,
    ) -> Sequence[Record]:
        """Letters to those who wished for one, of what was taken in since."""
        taken = dict[str, datetime]()
        for each in every(self.store, Intake):
            if each.done:
                taken[each.collection] = max(each.done, taken.get(each.collection, each.done))
        fresh = {number: taken.get(each.id) for number, each in collections.items() if not each.gone}
        due = dict[str, Delivery]()
        for wish in every(self.store, Wish):
            if wish.until <= at.date():
                continue
            account = bytes.fromhex(wish.id)
            numbers = () if account in removed else (number for held in files for number in held.collections(account))
            due |= {
                each.id: each
                for each in (_letter(wish, number, at) for number in numbers if _since(fresh.get(number), wish.at))
            }
        there = self.store.load(Delivery, *due)
        return [each for each in due.values() if each.id not in there]


def watch(look: Look, clock: Callable[[], datetime], stop: Event, last: Event) -> None:
    """Looks at the start, and whenever there is something to look at, until stop is set, or last is."""
    before, seen = None, None
    while not stop.is_set():
        ending, at = last.is_set(), clock()
        now = look.store.version(), at.date()  # wishes end on a day
        if now != before and seen != (there := (*look.seen(), at.date())):
            _try(look, at)
            seen = there
        before = now
        if ending:
            return
        end = _BEAT
        while end > 0 and not last.is_set() and not stop.wait(0.1):
            end -= 0.1


def _try(look: Look, at: datetime) -> None:
    """A look; a file that is damaged, or was replaced meanwhile, keeps nothing else from its work."""
    try:
        look.exposed(at)
    except CustodyError as error:
        _log.error("%s", error)


def _again(kept: Finding, met: Finding, at: datetime) -> Finding:
    joined = life.revise(kept, met)
    return life.move(joined, life.SEE, by=life.KHIEN, at=at) if joined.state == "gone" else joined


def _since(taken: datetime | None, at: datetime) -> bool:
    return taken is not None and taken > at


def _letter(wish: Wish, number: int, at: datetime) -> Delivery:
    """The letter to somebody because of a collection; who reads the outbox does not learn which."""
    return Delivery(
        id=schema.delivery_id(wish.id, number, WISHES, ""),
        about=wish.id,
        revision=1,
        channel=WISHES,
        address=wish.id,  # so that each goes its own way: the address itself is sealed
        language=wish.language,
        due=at,
    )


def _proven(store: Store) -> Iterator[Asset]:
    """Mail domains that are a constituent's, and proven."""
    return (each for each in every(store, Asset, kind="mail-domain") if each.proof and each.left is None)


def _rows(
    files: Sequence[Exposed], collections: Mapping[int, Collection], tags: Sequence[bytes], removed: frozenset[bytes]
) -> Iterator[pa.RecordBatch]:
    """schema.CREDENTIALS of mail domains with these tags, of collections that are there."""
    there = {number: each for number, each in sorted(collections.items()) if each.gone is None}
    numbers, asked = np.array([*there], np.uint32), np.array([*tags], f"S{file.DOMAIN}")
    ids = pa.array([each.id for each in there.values()], pa.string())
    sensitive = pa.array([bool(each.sensitive) for each in there.values()], pa.bool_())
    for block in (file.left(each, removed, ()) for held in files for each in held.blocks()):
        met = _as(block[:, file.ACCOUNT + file.DOMAIN :], ">u4")
        theirs = np.isin(_as(block[:, file.ACCOUNT : file.ACCOUNT + file.DOMAIN], f"S{file.DOMAIN}"), asked)
        theirs &= np.isin(met, numbers)
        if theirs.any():
            rows, places = block[theirs], pa.array(np.searchsorted(numbers, met[theirs]))
            accounts, domains = rows[:, : file.ACCOUNT], rows[:, file.ACCOUNT : file.ACCOUNT + file.DOMAIN]
            columns = [_binary(accounts), _binary(domains), ids.take(places), sensitive.take(places)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema.CREDENTIALS)


def _binary(columns: npt.NDArray[np.uint8]) -> pa.Array:
    """Octets of each row as Arrow has them."""
    rows, width = columns.shape
    return pa.Array.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(columns.tobytes())])


def _as(columns: npt.NDArray[np.uint8], kind: str) -> npt.NDArray[Any]:
    """Octets of each row as one number, or one text, whose NULs at the end do not count: all are of one length."""
    return np.ascontiguousarray(columns).view(kind).ravel()


def _news(store: Store, records: Sequence[Record]) -> list[Record]:
    """Those that are not kept as they are."""
    return [each for each in records if store.load(type(each), _id(each)).get(_id(each)) != each]


def _id(record: Record) -> str:
    return record.id  # pyright: ignore[reportAttributeAccessIssue] # what is kept has one
