"""Steer: what people do with findings, notices, takedowns, constituents and officers, each act with its audit entry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from khien import officers
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
    Hearing,
    Notice,
    Pass,
    Proof,
    ProtectedName,
    Record,
    Role,
    Takedown,
)
from khien.pipeline import enrol
from khien.pipeline.saving import audited
from khien.pipeline.warn import Triage
from khien.triage import answers, enrolment, life, proofs, takedown
from khien.triage.assets import Known
from khien.triage.enrolment import Change, Enrolment
from khien.triage.site import above

R = TypeVar("R", bound=Record)

_MOST = 500  # records of one notice or subject that are looked at
_TOLD = ("due", "sent", "uncertain")  # deliveries by which an answer knows what is moot
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

        def decided() -> Sequence[Record]:
            at = self.audit.clock()
            moved = life.move(_one(self.store, Finding, id), act, by=by, at=at, why=why)
            return self.triage.again(self.store, [moved], at)

        audited(self.store, self.audit, decided, Act(by, "finding-moved", id, {"act": act, "why": why}))
        return _one(self.store, Finding, id)

    def answer(self, id: str, act: str, *, by: str, why: str = "") -> Notice:
        """Answers a notice, as answers.MOVES has it; of one that is ours or withdrawn nothing more goes out."""

        def moved() -> Sequence[Record]:
            notice = answers.move(_one(self.store, Notice, id), act, by=by, at=self.audit.clock(), why=why)
            sent = self.store.find(Delivery, limit=_MOST, about=id, state=_TOLD)
            return [notice, *answers.moot(act, sent)]

        audited(self.store, self.audit, moved, Act(by, _ANSWERED[act], id, {"why": why} if why else {}))
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

        audited(self.store, self.audit, moved, Act(by, "takedown-begun", finding))
        return _one(self.store, Takedown, finding)

    def close(self, id: str, *, by: str, why: str = "") -> Takedown:
        """Ends a takedown: nobody is written to about it any more."""

        def moved() -> Sequence[Record]:
            open_ = _one(self.store, Takedown, id)
            closed = takedown.move(open_, takedown.CLOSE, by=by, at=self.audit.clock(), why=why)
            return [closed, *answers.withdrawn(self.store.find(Delivery, limit=_MOST, about=id, state="due"))]

        audited(self.store, self.audit, moved, Act(by, "takedown-closed", id, {"why": why} if why else {}))
        return _one(self.store, Takedown, id)


@dataclass(frozen=True)
class Enrolling:
    """Changes to constituents, likewise. names: what is protected, by id; known: what assets are held to."""

    store: Store
    audit: Audit
    names: Mapping[str, ProtectedName]
    known: Known

    def enter(
        self, id: str, own: Mapping[str, Any], assets: Sequence[Asset] = (), *, by: str, why: str = ""
    ) -> list[Change]:
        """Enters a constituent, or adds to what is known of one; answers what changed.

        own: fields, of somebody new their label at least.
        """

        def decide(kept: Mapping[str, Enrolment]) -> Sequence[Enrolment]:
            before = kept.get(id)
            if before and before.constituent.left is None:
                one = msgspec.structs.replace(before.constituent, **own)
            elif "label" in own:
                one = Constituent(id=id, **own)
            else:
                raise InputError(f"{id[:64]} is no constituent yet: give --label, what people call them")
            whole = {each.id: each for each in (*assets, *(before.current if before else ()))}
            wanted = Enrolment(constituent=one, assets=tuple(whole.values()))
            return [enrolment.replace(before, wanted, self.audit.clock())]

        return enrol.amend(self.store, self.audit, [id], decide, self.names, by=by, why=why)

    def claim(self, id: str, kind: AssetKind, value: str, *, by: str) -> list[Change]:
        """Adds what is said to be a constituent's. InputError: it is no such asset, and why."""
        return self.enter(id, {}, [self.known.asset(id, kind, value)], by=by)

    def prove(self, id: str, asset: str, proof: Proof, *, by: str, why: str = "") -> list[Change]:
        """Keeps how an asset is proven. InputError: they have no such asset."""

        def proven(before: Enrolment) -> Enrolment:
            if asset not in {each.id for each in before.current}:
                raise InputError(f"{id[:64]} has no asset {asset[:64]!r}")
            shown = (msgspec.structs.replace(each, proof=proof) if each.id == asset else each for each in before.assets)
            return msgspec.structs.replace(before, assets=tuple(shown))

        return self._amend(id, proven, by, why)

    def vouch(self, id: str, asset: str, *, by: str, why: str) -> list[Change]:
        """Gives an officer's word that an asset is a constituent's. InputError: no such asset, or no reason."""
        return self.prove(id, asset, proofs.by_word(by, why, self.audit.clock()), by=by, why=why)

    def hear(self, id: str, hearing: Hearing, *, by: str, why: str = "") -> list[Change]:
        """Adds a way to hear, or puts it in place of the one with its channel and address."""

        def heard(before: Enrolment) -> Enrolment:
            return _hearing(before, (*_others(before, hearing.channel, hearing.address), hearing))

        return self._amend(id, heard, by, why)

    def stop(self, id: str, channel: str, address: str, *, by: str, why: str = "") -> list[Change]:
        """Takes away the way to hear with a channel and address. InputError: there is none."""

        def stopped(before: Enrolment) -> Enrolment:
            others = _others(before, channel, address)
            if len(others) == len(before.constituent.hears):
                raise InputError(f"{id} does not hear by {channel} at {address!r}: khien constituents show")
            return _hearing(before, others)

        return self._amend(id, stopped, by, why)

    def unsubscribe(self, delivery: str, *, by: str) -> None:
        """Ends the hearing that a delivery of a notice went to, if it has not ended yet."""
        sent = _one(self.store, Delivery, delivery)

        def silent(before: Enrolment) -> Enrolment:
            return _hearing(before, _others(before, sent.channel, sent.address))

        self._amend(_one(self.store, Notice, sent.about).constituent, silent, by, "unsubscribed")

    def _amend(self, id: str, change: Callable[[Enrolment], Enrolment], by: str, why: str) -> list[Change]:
        def decide(kept: Mapping[str, Enrolment]) -> Sequence[Enrolment]:
            if id not in kept or kept[id].constituent.left:
                raise InputError(f"there is no constituent {id[:64]!r}: khien constituents list names them")
            return [change(kept[id])]

        return enrol.amend(self.store, self.audit, [id], decide, self.names, by=by, why=why)


def _others(enrolled: Enrolment, channel: str, address: str) -> tuple[Hearing, ...]:
    return tuple(each for each in enrolled.constituent.hears if (each.channel, each.address) != (channel, address))


def _hearing(enrolled: Enrolment, hears: tuple[Hearing, ...]) -> Enrolment:
    return msgspec.structs.replace(enrolled, constituent=msgspec.structs.replace(enrolled.constituent, hears=hears))


@dataclass(frozen=True)
class Staffing:
    """Officers come, change and leave, likewise."""

    store: Store
    audit: Audit

    def invite(self, id: str, *, by: str, label: str = "", role: Role | None = None, anew: bool = False) -> str:
        """Invites somebody, as officers.invite has it; answers the code, which is kept nowhere."""
        at, code = self.audit.clock(), officers.code(self.audit.chance)

        def invited() -> Sequence[Record]:
            return officers.invite(self.store, id, code, at, label=label, role=role, anew=anew)

        act = Act(by, "officer-invited", id, {"role": role or "", "anew": str(anew).lower()})
        audited(self.store, self.audit, invited, act)
        return code

    def grant(self, id: str, role: Role, *, by: str) -> None:
        """Gives an officer another role."""
        act = Act(by, "officer-changed", id, {"role": role})
        audited(self.store, self.audit, lambda: [officers.grant(officers.one(self.store, id), role)], act)

    def leave(self, id: str, *, by: str) -> None:
        """Lets an officer go."""
        at, act = self.audit.clock(), Act(by, "officer-left", id)
        audited(self.store, self.audit, lambda: officers.leave(self.store, officers.one(self.store, id), at), act)

    def revoke(self, let: Pass, *, by: str) -> None:
        """Ends a session or a token."""
        at = self.audit.clock()
        act = Act(by, "pass-revoked", let.id, {"officer": let.officer, "label": let.label})
        audited(self.store, self.audit, lambda: [officers.revoke(let, at)], act)


def _one(store: Store, kind: type[R], id: str) -> R:
    found = store.load(kind, id).get(id)
    if found is None:
        raise InputError(f"there is no {kind.__name__.lower()} {id[:64]!r}")
    return found
