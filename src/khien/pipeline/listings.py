"""What is listed: proposed, listed, changed, objected to, taken out, each act saved with its leaf and audit entry."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import canon
from khien.audit import Act, Audit
from khien.contracts import Store
from khien.errors import InputError, ListingError, ObservableError, TransitionError
from khien.listing import LONGEST, STANDS, Known, beside, judge, key, listing_id, owner, refusal, within
from khien.model import UNBLOCKED, Appeal, Finding, Leaf, Listing, ListingState, Officer, Record, Text
from khien.names.owners import registrable
from khien.pipeline.listed import Done, Log, Said, index_of, leaf, leaf_id, public, said
from khien.pipeline.paging import every
from khien.pipeline.saving import until_saved
from khien.triage.life import KHIEN

REMEMBERED = timedelta(days=365)  # after an owner objected, or that was decided: who listed it does not alone again
OWNER = "owner"  # under which name an objection is kept: who they are is not

_BATCH = 4000  # listings saved in one
_PAGE = 500
_CHANGES = frozenset({"site", "harm", "conduct", "reasons", "note", "evidence", "finding", "until"})


class Imported(NamedTuple):
    """What came of many proposals: how many are listed, how many wait for a second person, how many were refused by
    which rule ("value" where what they name is no page, host or domain; "listed-before" where they stand already)."""

    listed: int
    proposed: int
    refused: dict[str, int]


@dataclass(frozen=True)
class Listings:
    """A store with its log of listings and the audit. key: the log is signed with it; decide: within which time an
    objection is decided. Why something was done stands in the log alone, where it can be redacted, not in the audit.

    Of every act InputError: there is no such listing. TransitionError: in its state this cannot be done. ListingError:
    a rule forbids it. CustodyError: the log is not what was signed.
    """

    store: Store
    audit: Audit
    key: Ed25519PrivateKey = field(repr=False)
    known: Known
    decide_within: timedelta = timedelta(hours=72)

    @property
    def log(self) -> Log:
        """Who writes the log."""
        return Log(self.key, self.audit.chance)

    @property
    def verifier(self) -> str:
        """The key as others write it down, to hold the log to it."""
        return self.log.verifier

    def list_(self, proposal: Listing, *, by: str) -> Listing:
        """Lists what a rule allows; it is proposed, and not listed yet, while it needs a second person."""

        def decided() -> Sequence[Record]:
            at = self.audit.clock()
            ready = self._judged(proposal, by, at)
            ready = _again(ready, self.store.load(Listing, ready.id), at)
            ready = _beside(ready, _objections(self.store, at))
            what = {"harm": ready.harm, "unit": ready.unit, "value": ready.value}
            if ready.state == "proposed":
                return [ready, *self.audit.entries(self.store, Act(by, "listing-proposed", ready.id, what))]
            return self._said([ready], "listed", "", at, Act(by, "listing-listed", ready.id, what))

        until_saved(self.store, decided)
        return one(self.store, listing_id(proposal.unit, key(proposal.unit, proposal.value)))

    def judged(self, proposal: Listing, by: str, at: datetime) -> Listing:
        """What would come of a proposal: listed, or proposed while it needs a second person. Nothing is saved."""
        ready = self._judged(proposal, by, at)
        return _beside(_objected(ready, self.store.load(Listing, ready.id), at), _objections(self.store, at))

    def _judged(self, proposal: Listing, by: str, at: datetime) -> Listing:
        """The same, whatever its place had before."""
        if proposal.finding and not _tells_of(self.store, proposal):
            raise refusal(proposal, "no-finding")
        asked = msgspec.structs.replace(proposal, since=at, by=(by,), appeal=None, leaves=())
        return judge(asked, self.known, at)

    def approve(self, id: str, *, by: str) -> Listing:
        """A second person lists what one proposed: somebody who had no part in it, nor in what an owner objects to."""

        def decided(listing: Listing, at: datetime) -> Listing:
            _expect_state(listing, "proposed")
            listing = _beside(listing, _objections(self.store, at))
            if by in listing.by:
                raise refusal(listing, "needs-two")
            until = at + (listing.until - listing.since)
            return judge(msgspec.structs.replace(listing, by=(*listing.by, by), since=at, until=until), self.known, at)

        return self._move(id, decided, "listed", Act(by, "listing-approved", id), "")

    def change(self, id: str, *, by: str, why: str, **fields: Any) -> Listing:
        """Changes what a listing says: site, harm, conduct, reasons, note, evidence, finding, until. Another place is
        another listing. Nothing changes while its owner's objection is open; it takes somebody who had no part in it
        where one person could not list what comes of it, where it blocks from then on, or lasts over a year in all."""

        def decided(listing: Listing, at: datetime) -> Listing:
            return self._changed(listing, by, at, fields)[0]

        act = Act(by, "listing-changed", id, {"fields": ", ".join(sorted(fields))})
        return self._move(id, decided, "changed", act, why)

    def takes_two(self, id: str, *, by: str, **fields: Any) -> bool:
        """Whether a change takes somebody who had no part in the listing, which by then is. Errors as of change."""
        return self._changed(one(self.store, id), by, self.audit.clock(), fields)[1]

    def _changed(self, listing: Listing, by: str, at: datetime, fields: Mapping[str, Any]) -> tuple[Listing, bool]:
        """What comes of a change, and whether it takes two people."""
        if unknown := fields.keys() - _CHANGES:
            raise InputError(f"a listing changes in {', '.join(sorted(_CHANGES))}, not in {', '.join(sorted(unknown))}")
        _expect_state(listing, "listed")
        if listing.until <= at:
            raise TransitionError(f"{listing.value} was listed until {listing.until:%Y-%m-%d}: list it again")
        alone = judge(msgspec.structs.replace(listing, **fields, by=(by,)), self.known, at)
        blocks = alone.site not in UNBLOCKED and not listing.blocks
        two = alone.state == "proposed" or blocks or alone.until > listing.since + LONGEST
        if two and by in listing.by:
            raise refusal(listing, "needs-two")
        ready = msgspec.structs.replace(alone, by=tuple(dict.fromkeys((*listing.by, by))), state="listed")
        if "finding" in fields and ready.finding and not _tells_of(self.store, ready):
            raise refusal(listing, "no-finding")
        return ready, two

    def remove(self, id: str, *, by: str, why: str) -> Listing:
        """Takes a listing out, or a proposal back."""

        def decided(listing: Listing, at: datetime) -> Listing:
            _expect_state(listing, "proposed", *STANDS)
            if listing.state == "contested" and by in listing.by:
                raise TransitionError(f"{listing.value} is contested: khien listings decide {listing.id}")
            return _over(listing, "removed", at)

        return self._move(id, decided, "removed", Act(by, "listing-removed", id), why)

    def contest(self, id: str, *, how: Literal["dns", "file"], why: str) -> Listing:
        """The owner of what is listed, who proved that they are, objects."""

        def decided(listing: Listing, at: datetime) -> Listing:
            _expect_state(listing, "listed")
            appeal = Appeal(at=at, how=how, why=why, due=at + self.decide_within)
            return msgspec.structs.replace(listing, state="contested", appeal=appeal)

        return self._move(id, decided, "contested", Act(OWNER, "listing-contested", id, {"how": how}), "")

    def decide(self, id: str, keep: bool, *, by: str, why: str) -> Listing:
        """Decides on an objection; it takes somebody who did not list it to keep it."""

        def decided(listing: Listing, at: datetime) -> Listing:
            _expect_state(listing, "contested")
            if keep and by in listing.by:
                raise refusal(listing, "needs-two")
            return _over(listing, "listed" if keep else "removed", at)

        done: Done = "kept" if keep else "removed"
        return self._move(id, decided, done, Act(by, "listing-decided", id, {"outcome": done}), why)

    def expire(self) -> int:
        """Ends what stands, or waits, longer than it may, and what nobody decided on in time; answers how many."""
        ended = 0
        while some := self._expired():
            ended += some
        return ended

    def _expired(self) -> int:
        """A page of what is over."""
        ended: list[Listing] = []

        def decided() -> Sequence[Record]:
            at = self.audit.clock()
            first = self.store.find(Listing, order="until", limit=_PAGE, state=("proposed", *STANDS))
            undecided = every(self.store, Listing, state="contested")
            over = {each.id: each for each in (*first, *islice(undecided, _BATCH)) if ends(each) <= at}
            ended[:] = [_over(each, "expired", at) for each in over.values()]
            act = Act(KHIEN, "listings-expired", params={"count": str(len(ended))})
            return self._said(ended, "expired", "", at, act) if ended else []

        until_saved(self.store, decided)
        return len(ended)

    def redact(self, index: int, *, by: str, why: str) -> Leaf:
        """Takes text and salt out of a leaf, and of all with the same note about its listing; the log says so, and all
        its proofs still hold.

        InputError: there is no such leaf, or nothing is left to take out. TransitionError: what stands is held to it.
        """

        def decided() -> Sequence[Record]:
            found = leaf(self.store, index)
            told = found and said(found)
            if found is None or told is None or told.act == "redacted":
                raise InputError(f"leaf {index} of the log holds no text that could be redacted")
            at, listing = self.audit.clock(), one(self.store, told.listing.id) if told.listing else None
            together = self._same(found, told, listing)
            left = [msgspec.structs.replace(each, text="", salt="") for each in together]
            _, records = self.log.grown(self.store, [Said(act="redacted", at=at, why=why, left=each) for each in left])
            silent: list[Listing] = []
            if listing and leaf_id(listing.leaves[-1]) in {each.id for each in left}:  # its page would still say it
                silent = [msgspec.structs.replace(listing, note=Text(vi="", en=""))]
            acts = [Act(by, "listing-redacted", each.id) for each in left]
            return [*left, *silent, *records, *self.audit.entries(self.store, *acts)]

        until_saved(self.store, decided)
        self.store.forget()
        found = leaf(self.store, index)
        assert found is not None  # leaves stay
        return found

    def _same(self, found: Leaf, told: Said, listing: Listing | None) -> list[Leaf]:
        """A leaf and those of its listing with the same note. The last leaf of what stands is what that is held to."""
        if not listing or not told.listing:
            return [found]
        if listing.state in STANDS and listing.leaves[-1] == index_of(found):
            raise TransitionError(f"{listing.value} stands by this leaf: change or remove it first, then redact")
        note = told.listing.note
        if note == Text(vi="", en="") or (listing.state in STANDS and note == listing.note):
            return [found]
        there = self.store.load(Leaf, *map(leaf_id, listing.leaves)).values()
        same = [each for each in there if (says := said(each)) and says.listing and says.listing.note == note]
        return sorted(same, key=lambda each: each.id)

    def import_(self, many: Iterable[Listing], *, by: str) -> Imported:
        """Lists many at once; what a rule forbids is left out, and counted."""
        rest, listed, proposed, refused = iter(many), 0, 0, Counter[str]()
        while some := list(islice(rest, _BATCH)):
            come = self._imported(some, by)
            listed, proposed = listed + come.listed, proposed + come.proposed
            refused.update(come.refused)
        return Imported(listed, proposed, dict(refused))

    def _imported(self, some: Sequence[Listing], by: str) -> Imported:
        come = Imported(0, 0, {})

        def decided() -> Sequence[Record]:
            nonlocal come
            at, refused = self.audit.clock(), Counter[str]()
            ready = self._allowed(some, by, at, refused)
            new = [each for each in ready if each.state == "listed"]
            waiting = [each for each in ready if each.state == "proposed"]
            come = Imported(len(new), len(waiting), dict(refused))
            act = Act(by, "listings-imported", params={"listed": str(come.listed), "proposed": str(come.proposed)})
            return [*waiting, *self._said(new, "listed", "", at, act)] if ready else []

        until_saved(self.store, decided)
        return come

    def _allowed(self, some: Sequence[Listing], by: str, at: datetime, refused: Counter[str]) -> list[Listing]:
        judged: dict[str, Listing] = {}
        for each in some:
            try:
                ready = self._judged(each, by, at)
            except ListingError as error:
                refused[error.rule] += 1
            except ObservableError:
                refused["value"] += 1
            else:
                judged[ready.id] = ready
        kept = self.store.load(Listing, *judged)
        stand = {id_ for id_, each in kept.items() if _is_open(each, at)}
        if stand:
            refused["listed-before"] += len(stand)
        objections = _objections(self.store, at)
        return [_beside(_again(each, kept, at), objections) for id_, each in judged.items() if id_ not in stand]

    def _move(self, id: str, decide: Callable[[Listing, datetime], Listing], done: Done, act: Act, why: str) -> Listing:
        """Saves what is decided on a listing as it stands, with its leaf where it was ever listed, and with its act."""

        def decided() -> Sequence[Record]:
            at = self.audit.clock()
            return self._said([decide(one(self.store, id), at)], done, why, at, act)

        until_saved(self.store, decided)
        return one(self.store, id)

    def _said(self, now: Sequence[Listing], done: Done, why: str, at: datetime, act: Act) -> list[Record]:
        """Listings as they stand now, the leaves that say so, and the audit entry: to be saved in one."""
        told = [each for each in now if each.leaves or done == "listed"]  # what was never listed has no leaf
        roles = self._roles({name for each in told for name in each.by})
        texts = [
            Said(act=done, at=at, why=why, listing=public(each, [roles[name] for name in each.by])) for each in told
        ]
        leaves, records = self.log.grown(self.store, texts) if texts else ([], [])
        with_leaf = {
            each.id: msgspec.structs.replace(each, leaves=(*each.leaves, index_of(leaf)))
            for each, leaf in zip(told, leaves, strict=True)
        }
        return [*(with_leaf.get(each.id, each) for each in now), *records, *self.audit.entries(self.store, act)]

    def _roles(self, names: Iterable[str]) -> dict[str, str]:
        """What those who decided are here: who administers the machine need not be an officer."""
        officers = self.store.load(Officer, *names)
        return {name: officers[name].role if name in officers else "administrator" for name in names}


def one(store: Store, id: str) -> Listing:
    """A listing. InputError: there is none."""
    found = store.load(Listing, id).get(id)
    if found is None:
        raise InputError(f"there is no listing {id[:64]!r}: khien listings has them")
    return found


def stands(listing: Listing, at: datetime) -> bool:
    """Whether a listing is told to people at a time."""
    return listing.state in STANDS and at < ends(listing)


def ends(listing: Listing) -> datetime:
    """When a listing is over unless somebody acts: until, or when an objection to it should have been decided."""
    due = listing.appeal and listing.state == "contested" and listing.appeal.due
    return min(listing.until, due) if due else listing.until


def standing(store: Store, at: datetime) -> Iterator[Listing]:
    """What stands at a time, in the order of value."""
    return (each for each in every(store, Listing, order="value", state=STANDS) if stands(each, at))


def covering(store: Store, name_or_url: str, at: datetime) -> tuple[Listing, ...]:
    """The listings that stand and cover a page or a host, narrowest first. ObservableError: it is neither."""
    ids = [listing_id(unit, value) for unit, value in within(name_or_url)]
    found = store.load(Listing, *ids)
    return tuple(found[each] for each in dict.fromkeys(ids) if each in found and stands(found[each], at))


def _again(ready: Listing, kept: Mapping[str, Listing], at: datetime) -> Listing:
    """A listing with the leaves that its place has from earlier. kept: by id, what is there."""
    before = kept.get(ready.id)
    if before and before.state in STANDS and _is_open(before, at):
        raise TransitionError(f"{ready.value} is listed until {before.until:%Y-%m-%d}: change it, or remove it first")
    if before and _is_open(before, at):
        raise TransitionError(f"{ready.value} waits: khien listings approve {before.id}")
    return msgspec.structs.replace(_objected(ready, kept, at), leaves=before.leaves) if before else ready


def _objected(ready: Listing, kept: Mapping[str, Listing], at: datetime) -> Listing:
    """A listing to be; it waits for somebody who had no part in it where the owner objected to the last one of its
    place within REMEMBERED, whatever came of that. kept: by id, what is there."""
    before = kept.get(ready.id)
    if not before or not _is_remembered(before, at):
        return ready
    return msgspec.structs.replace(_waiting(ready, before), appeal=before.appeal)


def _objections(store: Store, at: datetime) -> dict[str, list[Listing]]:
    """Listings to which an owner objects, or objected within REMEMBERED and was not refused, by who owns the host."""
    found: dict[str, list[Listing]] = {}
    lost = every(store, Listing, outcome=("removed", "expired"))
    for each in (*every(store, Listing, state="contested"), *lost):
        if _is_remembered(each, at):
            found.setdefault(owner(each.host), []).append(each)
    return found


def _beside(ready: Listing, objections: Mapping[str, Sequence[Listing]]) -> Listing:
    """A listing to be; it waits where its owner objected to another one of the same site. objections: by owner."""
    for each in objections.get(owner(ready.host), ()):
        if each.id != ready.id and beside(ready, each):
            ready = _waiting(ready, each)
    return ready


def _waiting(ready: Listing, before: Listing) -> Listing:
    """A listing that waits for somebody who had no part in it, nor in an earlier one."""
    names = tuple(dict.fromkeys((*(name for name in before.by if name not in ready.by), *ready.by)))
    return msgspec.structs.replace(ready, state="proposed", by=names)


def _is_remembered(listing: Listing, at: datetime) -> bool:
    """Whether its owner objected, or that was decided, within REMEMBERED."""
    appeal = listing.appeal
    return appeal is not None and at < (appeal.decided or appeal.at) + REMEMBERED


def _is_open(listing: Listing, at: datetime) -> bool:
    """Whether a listing stands, is to be decided, or waits for a second person at a time."""
    return listing.state in ("proposed", *STANDS) and at < listing.until


def _tells_of(store: Store, listing: Listing) -> bool:
    """Whether the finding that a listing names is there, and about its host or a name of the same owner."""
    found = store.load(Finding, listing.finding).get(listing.finding)
    host = listing.host
    return found is not None and (
        found.subject == host or (not canon.is_address(host) and registrable(found.subject) == registrable(host))
    )


def _over(listing: Listing, state: ListingState, at: datetime) -> Listing:
    """A listing in another state; an objection to it is decided with that."""
    appeal = listing.appeal
    if appeal and not appeal.decided:
        appeal = msgspec.structs.replace(appeal, decided=at, outcome="kept" if state == "listed" else state)
    return msgspec.structs.replace(listing, state=state, appeal=appeal)


def _expect_state(listing: Listing, *states: ListingState) -> None:
    if listing.state not in states:
        raise TransitionError(f"{listing.value} is {listing.state}: this takes one that is {' or '.join(states)}")
