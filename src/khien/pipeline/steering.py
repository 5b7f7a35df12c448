"""Steer: what people do with findings, notices, takedowns and assets. Each act stands in the audit with its change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from khien.audit import Act, Audit
from khien.contracts import Store
from khien.errors import InputError
from khien.model import (
    Asset,
    AssetKind,
    Constituent,
    Delivery,
    Evidence,
    Finding,
    Notice,
    ProtectedName,
    Record,
    Takedown,
)
from khien.pipeline import enrol
from khien.pipeline.saving import until_saved
from khien.pipeline.warn import Triage, above
from khien.triage import answers, life, proofs, takedown
from khien.triage.assets import Known
from khien.triage.enrolment import Enrolment

R = TypeVar("R", bound=Record)

_MOST = 500  # records of one notice or subject that are looked at
_ANSWERED = {  # as the audit calls it
    answers.ACKNOWLEDGE: "notice-acknowledged",
    answers.OWN: "notice-ours",
    answers.WITHDRAW: "notice-withdrawn",
}


@dataclass(frozen=True)
class Steering:
    """A store, and the audit in which everything is written that is done with it here; by: under whose name.

    triage: decides whom a finding concerns that was moved. InputError, of every act: there is no such record.
    TransitionError: in its state this cannot be done.
    """

    store: Store
    audit: Audit
    triage: Triage = field(default_factory=Triage)

    def move(self, id: str, act: str, *, by: str, why: str = "") -> Finding:
        """Takes a step with a finding, as life.MOVES has it; what is right is told at once, what is wrong no more."""

        def moved() -> Sequence[Record]:
            at = self.audit.clock()
            return self.triage.again(
                self.store, life.move(_one(self.store, Finding, id), act, by=by, at=at, why=why), at
            )

        self._do(moved, Act(by, "finding-moved", id, {"act": act, "why": why}))
        return _one(self.store, Finding, id)

    def answer(self, id: str, act: str, *, by: str, why: str = "") -> Notice:
        """Answers a notice, as answers.MOVES has it; of one that is ours or withdrawn nothing more goes out."""

        def moved() -> Sequence[Record]:
            notice = answers.move(_one(self.store, Notice, id), act, by=by, at=self.audit.clock(), why=why)
            over = () if act == answers.ACKNOWLEDGE else self.store.find(Delivery, limit=_MOST, about=id)
            return [notice, *answers.withdrawn(over)]

        self._do(moved, Act(by, _ANSWERED[act], id, {"why": why} if why else {}))
        return _one(self.store, Notice, id)

    def begin(self, finding: str, *, by: str) -> Takedown:
        """Begins to have taken down what a finding is about."""

        def moved() -> Sequence[Record]:
            found = _one(self.store, Finding, finding)
            said = self.store.find(Evidence, limit=_MOST, subject=tuple(above(found.subject)))
            kept = self.store.load(Takedown, finding).get(finding)
            if kept is not None:  # that was closed
                return [takedown.move(kept, takedown.BEGIN, by=by, at=self.audit.clock())]
            return [takedown.begin(found, said, by=by, at=self.audit.clock())]

        self._do(moved, Act(by, "takedown-begun", finding))
        return _one(self.store, Takedown, finding)

    def close(self, id: str, *, by: str, why: str = "") -> Takedown:
        """Ends a takedown: nobody is written to about it any more."""

        def moved() -> Sequence[Record]:
            open_ = _one(self.store, Takedown, id)
            closed = takedown.move(open_, takedown.CLOSE, by=by, at=self.audit.clock(), why=why)
            return [closed, *answers.withdrawn(self.store.find(Delivery, limit=_MOST, about=id))]

        self._do(moved, Act(by, "takedown-closed", id, {"why": why} if why else {}))
        return _one(self.store, Takedown, id)

    def _do(self, moved: Callable[[], Sequence[Record]], act: Act) -> None:
        until_saved(self.store, lambda: [*moved(), *self.audit.entries(self.store, act)])


@dataclass(frozen=True)
class Enrolling:
    """Changes to constituents, likewise. names: what is protected, by id; known: what assets are held to."""

    store: Store
    audit: Audit
    names: Mapping[str, ProtectedName]
    known: Known

    def unsubscribe(self, delivery: str, *, by: str) -> None:
        """Ends the hearing that a delivery of a notice went to."""
        sent = _one(self.store, Delivery, delivery)

        def silent(one: Constituent, assets: Sequence[Asset]) -> Enrolment:
            hears = tuple(each for each in one.hears if (each.channel, each.address) != (sent.channel, sent.address))
            return Enrolment(constituent=msgspec.structs.replace(one, hears=hears), assets=tuple(assets))

        self._amend(_one(self.store, Notice, sent.about).constituent, silent, by, "unsubscribed")

    def claim(self, constituent: str, kind: AssetKind, value: str, *, by: str) -> None:
        """Adds what is said to be a constituent's. InputError: it is no such asset, and why."""
        asset = self.known.asset(constituent, kind, value)

        def claimed(one: Constituent, assets: Sequence[Asset]) -> Enrolment:
            there = any(each.id == asset.id and each.left is None for each in assets)
            rest = (each for each in assets if each.id != asset.id)
            return Enrolment(constituent=one, assets=tuple(assets) if there else (*rest, asset))

        self._amend(constituent, claimed, by, "")

    def vouch(self, constituent: str, asset: str, *, by: str, why: str) -> None:
        """Gives an officer's word that an asset is a constituent's. InputError: no such asset, or no reason."""
        proof = proofs.by_word(by, why, self.audit.clock())

        def proven(one: Constituent, assets: Sequence[Asset]) -> Enrolment:
            if asset not in {each.id for each in assets if each.left is None}:
                raise InputError(f"{constituent[:64]} has no asset {asset[:64]!r}")
            shown = (msgspec.structs.replace(each, proof=proof) if each.id == asset else each for each in assets)
            return Enrolment(constituent=one, assets=tuple(shown))

        self._amend(constituent, proven, by, why)

    def _amend(
        self, constituent: str, change: Callable[[Constituent, Sequence[Asset]], Enrolment], by: str, why: str
    ) -> None:
        def decide(kept: Mapping[str, Enrolment]) -> Sequence[Enrolment]:
            if constituent not in kept or kept[constituent].constituent.left:
                raise InputError(f"there is no constituent {constituent[:64]!r}")
            return [change(kept[constituent].constituent, kept[constituent].assets)]

        enrol.amend(self.store, self.audit, [constituent], decide, self.names, by=by, why=why)


def _one(store: Store, kind: type[R], id: str) -> R:
    found = store.load(kind, id).get(id)
    if found is None:
        raise InputError(f"there is no {kind.__name__.lower()} {id[:64]!r}")
    return found
