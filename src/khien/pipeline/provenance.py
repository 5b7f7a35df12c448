"""Collections: what leaked together, on what ground it is held, and until when; each act under somebody's name."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

import msgspec

from khien.audit import Act, Audit
from khien.contracts import Store
from khien.errors import InputError
from khien.model import Collection, Leaked, Record, Sensitive, Text
from khien.pipeline.paging import every
from khien.pipeline.saving import audited

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_OURS = ("number", "at", "gone")  # fields that nobody gives
_KNOWN = {"kinds": get_args(Leaked), "sensitive": tuple(filter(None, get_args(Sensitive)))}


def one(store: Store, id: str) -> Collection:
    """A collection. InputError: there is none such."""
    found = store.load(Collection, id).get(id)
    if found is None:
        raise InputError(f"there is no collection {id[:64]!r}: khien breach collections list names them")
    return found


def held(store: Store, id: str) -> Collection:
    """The same, of one that is not deleted."""
    found = one(store, id)
    if found.gone:
        raise InputError(f"{id} was deleted on {found.gone:%Y-%m-%d}")
    return found


def is_due(collection: Collection, at: datetime) -> bool:
    """Whether its day has come, and it is still there."""
    return collection.gone is None and collection.until <= at.date()


def due(store: Store, at: datetime) -> list[Collection]:
    """Those whose day has come."""
    return [each for each in every(store, Collection) if is_due(each, at)]


def read(given: Mapping[str, Any], at: datetime) -> Collection:
    """A collection as somebody describes it, not numbered yet. InputError: what is missing, unknown or wrong in it."""
    for field in _OURS:
        if field in given:
            raise InputError(f"{field}: is not for you to say: leave it out")
    try:
        made = msgspec.convert({**given, "number": 0, "at": at}, Collection)
    except msgspec.ValidationError as error:
        raise InputError(_wrong(str(error))) from None
    if not _ID.fullmatch(made.id):
        raise InputError("id: has small letters, digits and hyphens, 63 at most, and begins with no hyphen")
    for field in ("label", "given_by", "basis", "purpose"):
        text = Text.of(getattr(made, field))
        if not (text.vi.strip() and text.en.strip()):
            raise InputError(f"{field}: is empty: say it, nothing is held without")
    if made.until <= at.date():
        raise InputError(f"until: {made.until} has come already: give the day on which its accounts are deleted")
    return made


def _wrong(told: str) -> str:
    """What msgspec says, with the field in front."""
    what, _, where = told.partition(" - at `$.")
    if missing := re.search(r"required field `(.*)`", what):
        field = ".".join(filter(None, (where.rstrip("`"), missing[1])))
        return f"{field}: is missing: say it, nothing is held without"
    field = re.split(r"[.\[`]", where)[0]
    if unknown := re.search(r"unknown field `(.*)`", what):
        known = [each for each in Collection.__struct_fields__ if each not in _OURS]
        return f"{unknown[1]}: there is no such field: there are {', '.join(known)}"
    if field in _KNOWN and "enum" in what:
        return f"{field}: {what.removeprefix('Invalid enum value ')} is none of {', '.join(_KNOWN[field])}"
    return f"{field}: {what}"


def enter(store: Store, audit: Audit, given: Collection, *, by: str) -> Collection:
    """Enters a collection, or what is known of it now. InputError: it was deleted: another gets another id."""
    made = given

    def decide() -> list[Record]:
        nonlocal made
        kept = {each.id: each for each in every(store, Collection)}
        before = kept.get(given.id)
        if before and before.gone:
            raise InputError(f"{given.id} was deleted on {before.gone:%Y-%m-%d}: give what comes now another id")
        number = before.number if before else 1 + max((each.number for each in kept.values()), default=0)
        made = msgspec.structs.replace(given, number=number, at=before.at if before else given.at)
        return [made]

    said = {"basis": given.basis, "purpose": given.purpose, "until": f"{given.until}"}
    audited(store, audit, decide, Act(by, "collection-entered", given.id, said))
    return made
