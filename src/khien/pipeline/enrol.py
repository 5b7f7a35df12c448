"""Constituents as they are kept: read whole, and changed under somebody's name, with the entry that says so."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from khien.audit import Act, Audit
from khien.contracts import Store
from khien.errors import InputError
from khien.model import Asset, Constituent, ProtectedName, Record
from khien.pipeline.paging import every
from khien.pipeline.saving import until_saved
from khien.triage import enrolment, proofs
from khien.triage.enrolment import Change, Enrolment

_PAGE = 500  # records read at a time
_TOLD = 20  # changes that an entry of the audit names


class Plan(NamedTuple):
    """What stands and what is to stand in place of it."""

    kept: Enrolment | None
    made: Enrolment

    @property
    def changes(self) -> list[Change]:
        """The differences, as people read them."""
        return list(enrolment.changes(self.kept, self.made))


Decide = Callable[[Mapping[str, Enrolment]], Sequence[Enrolment]]  # from those of the ids asked for that there are


def one(store: Store, id: str) -> Enrolment | None:
    """A constituent with what is or was theirs; None where there never was such."""
    constituent = store.load(Constituent, id).get(id)
    if constituent is None:
        return None
    return Enrolment(constituent=constituent, assets=tuple(every(store, Asset, constituent=id)))


def everyone(store: Store, after: str = "") -> Iterator[Enrolment]:
    """Those who are constituents now, by id; after: of another, from there on."""
    while page := store.find(Constituent, after=after, limit=_PAGE):
        enrolled = (one(store, each.id) for each in page if each.left is None)
        yield from (each for each in enrolled if each is not None)
        after = page[-1].id


def plan(store: Store, ids: Sequence[str], decide: Decide, names: Mapping[str, ProtectedName]) -> list[Plan]:
    """What a decision comes to on the store as it stands. names: protected, by id. InputError: it comes to
    nonsense; what was so before keeps nobody from changing the rest.
    """
    kept = {key: each for key in ids if (each := one(store, key))}
    made = [msgspec.structs.replace(each, assets=proofs.settle(each.assets, names)) for each in decide(kept)]
    for each in made:
        before = kept.get(each.constituent.id)
        known = {what for _, what in enrolment.faults(before)} if before else set[str]()
        if wrong := next((fault for fault in enrolment.faults(each) if fault[1] not in known), None):
            field = ".".join(map(str, wrong[0]))
            raise InputError(f"{each.constituent.id[:64]}: {field}: {wrong[1]}")
    return [Plan(kept.get(each.constituent.id), each) for each in made]


def amend(
    store: Store,
    audit: Audit,
    ids: Sequence[str],
    decide: Decide,
    names: Mapping[str, ProtectedName],
    *,
    by: str,
    why: str = "",
) -> list[Change]:
    """Makes a decision stand, with what the audit says of it, in one transaction; answers what changed."""
    plans = list[Plan]()

    def records() -> list[Record]:
        plans[:] = plan(store, ids, decide, names)
        moved = [record for each in plans for record in enrolment.records(each.kept, each.made)]
        acts = [act for each in plans for act in _acts(each, by, why)]
        return [*moved, *audit.entries(store, *acts)] if acts else moved

    until_saved(store, records)
    return [change for each in plans for change in each.changes]


def _acts(plan: Plan, by: str, why: str) -> Iterator[Act]:
    """What the audit says: which fields and assets changed, never where a person is reached."""
    kept, made = plan
    said = {"why": why} if why else {}
    if made.constituent.left:
        if kept and not kept.constituent.left:
            yield Act(by, "constituent-left", made.constituent.id, said)
        return
    known = {each.id: each.proof for each in kept.assets} if kept else {}
    given = set[tuple[str, str]]()
    for each in made.assets:
        if (proof := each.proof) and proof != known.get(each.id):
            given.add((each.kind, each.value))
            shown = {"kind": each.kind, "value": each.value, "how": proof.how, "why": proof.why}
            yield Act(by, "proof-given", made.constituent.id, shown)
    rest = [each for each in plan.changes if each.act != "change" or (each.field, each.name) not in given]
    told = [f"{each.act} {each.field} {'' if each.field == 'hears' else each.name}".rstrip() for each in rest]
    more = [f"and {len(told) - _TOLD} more"] if len(told) > _TOLD else []
    if told:
        yield Act(
            by, "constituent-changed", made.constituent.id, {"changed": ", ".join([*told[:_TOLD], *more]), **said}
        )
