"""Collections: what leaked together, on what ground it is held, and until when; each act under somebody's name."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from khien.audit import Act, Audit
from khien.contracts import Store
from khien.errors import InputError
from khien.model import Collection, Intake, Record
from khien.pipeline.saving import audited

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_OURS = ("number", "at", "gone")  # fields that nobody gives
_PAGE = 500  # records read at a time


def one(store: Store, id: str) -> Collection:
    """A collection. InputError: there is none such."""
    found = store.load(Collection, id).get(id)
    if found is None:
        raise InputError(f"there is no collection {id[:64]!r}: khien breach collections list names them")
    return found


def every(store: Store) -> Iterator[Collection]:
    """All of them, those that are deleted too, by id."""
    after = ""
    while page := store.find(Collection, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def intakes(store: Store, collection: str) -> Iterator[Intake]:
    """What was taken in of a collection, or is being."""
    after = ""
    while page := store.find(Intake, collection=collection, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def read(given: Mapping[str, Any], at: datetime) -> Collection:
    """A collection as somebody describes it, not numbered yet. InputError: what is missing, unknown or wrong in it."""
    for field in _OURS:
        if field in given:
            raise InputError(f"{field}: is not for you to say: leave it out")
    try:
        made = msgspec.convert({**given, "number": 0, "at": at}, Collection)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}") from None
    if not _ID.fullmatch(made.id):
        raise InputError("id: has small letters, digits and hyphens, 63 at most, and begins with no hyphen")
    for field in ("label", "given_by", "basis", "purpose"):
        if not getattr(made, field).strip():
            raise InputError(f"{field}: is empty: say it, nothing is held without")
    if made.until <= at.date():
        raise InputError(f"until: {made.until} has come already: give the day on which its accounts are deleted")
    return made


def enter(store: Store, audit: Audit, given: Collection, *, by: str) -> Collection:
    """Enters a collection, or what is known of it now. InputError: it was deleted: another gets another id."""
    made = given

    def decide() -> list[Record]:
        nonlocal made
        kept = {each.id: each for each in every(store)}
        before = kept.get(given.id)
        if before and before.gone:
            raise InputError(f"{given.id} was deleted on {before.gone:%Y-%m-%d}: give what comes now another id")
        number = before.number if before else 1 + max((each.number for each in kept.values()), default=0)
        made = msgspec.structs.replace(given, number=number, at=before.at if before else given.at)
        return [made]

    said = {"basis": given.basis, "purpose": given.purpose, "until": f"{given.until}"}
    audited(store, audit, decide, Act(by, "collection-entered", given.id, said))
    return made
