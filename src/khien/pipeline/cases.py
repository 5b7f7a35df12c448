"""Real cases to learn from: names that imitate, found lately and confirmed by a person."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from khien.contracts import Store
from khien.model import Finding, ProtectedName, State

LATELY = timedelta(days=183)
MOST = 500  # findings that are looked through, the strongest

_CONFIRMED: tuple[State, ...] = ("confirmed", "acted-on")
_DATED: tuple[State, ...] = (*_CONFIRMED, "new", "back", "gone")


def cases(store: Store, at: datetime, *, replay: bool) -> Sequence[Finding]:
    """The strongest names of late that a person confirmed: what nobody looked at is nobody's example.

    replay: what is there is dated, comes from public lists, and every page says so: then all but what was dismissed.
    """
    states = _DATED if replay else _CONFIRMED
    since = date.min if replay else (at - LATELY).date()
    found = store.find(Finding, order="-score", limit=MOST, suppressed=False, state=states)
    return [each for each in found if each.kind == "domain" and each.detector == "lookalike" and each.day >= since]


def fitting(
    found: Sequence[Finding],
    names: Mapping[str, ProtectedName],
    sectors: Sequence[str],
    lures: Sequence[str],
    most: int,
) -> Iterator[Finding]:
    """The strongest that imitate somebody of these sectors, or have one of these words beside the name; those with such
    a word first, and one for each name that is imitated."""
    met = set[str]()
    fits = [each for each in found if _lures(each).intersection(lures)]
    fits += [each for each in found if each.claim in names and names[each.claim].sector in sectors]
    for each in fits:
        if each.claim not in met and len(met) < most:
            met.add(each.claim)
            yield each


def _lures(finding: Finding) -> set[str]:
    said = (reason.params.get("lures", "") for reason in finding.reasons)
    return {lure for lures in said for lure in lures.split(", ")}


def first_and_last(found: Sequence[Finding]) -> tuple[date, date] | None:
    """The days of cases; None where there is none."""
    days = [each.day for each in found]
    return (min(days), max(days)) if days else None
