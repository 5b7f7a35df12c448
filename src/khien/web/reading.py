"""What each page asks of the store; nothing here decides what is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec
import pyarrow as pa

from khien.breach.accounts import VIET_NAM
from khien.contracts import Store
from khien.model import Collection, Finding, Holding, ProtectedName, SourceState, State
from khien.pipeline import standing
from khien.pipeline.asking import Key
from khien.pipeline.linked import Judges
from khien.pipeline.steering import Enrolling, Staffing, Steering
from khien.triage import decide
from khien.web import floods, views
from khien.web.doors import Doors
from khien.web.render import Frame

PAGE = 50  # findings on a page
MOST_READ = 20  # pages that are read to fill one, where a score is asked for that the order does not bring first
LATEST = 200  # floods that nobody took back, whose figures the picture sums up
BESIDE = 5  # known good names that a story shows, of the first
KNOWN_READ = 50
_HOLDINGS, _COLLECTIONS = 1_000, 10_000  # more than there are

_ORDERS = {"strong": "-score", "new": "-day"}
_OPEN: tuple[State, ...] = ("new", "confirmed", "acted-on", "back")

T = TypeVar("T")


class Query(msgspec.Struct, frozen=True):
    """Which findings a list shows. state, brand: empty for any; known: the suppressed ones instead; least: score."""

    state: State | Literal[""] = ""
    brand: str = ""
    known: bool = False
    least: float = 0.0
    order: Literal["strong", "new"] = "strong"
    after: str = ""

    def address(self, after: str = "") -> dict[str, str]:
        """The query as parameters of an address, from another finding on; what nobody asked for is left out."""
        asked = {name: getattr(self, name) for name in self.__struct_fields__ if name != "after"} | {"after": after}
        return {name: str(value).lower() if value is True else str(value) for name, value in asked.items() if value}


class Listing(msgspec.Struct, frozen=True):
    """A page of findings; after: where the next one begins, empty on the last."""

    findings: tuple[Finding, ...]
    after: str


class AtVersion(Generic[T]):
    """What follows from a store alone, worked out once for each version of it."""

    def __init__(self, store: Store, make: Callable[[], T]) -> None:
        self._store, self._make = store, make
        self._made: tuple[int, T] | None = None

    def __call__(self) -> T:
        version, made = self._store.version(), self._made
        if made is None or made[0] != version:
            made = self._made = (version, self._make())
        return made[1]


class Leaking(NamedTuple):
    """What is held of what leaked, and who holds the keys that accounts are looked for under: files of keys come and go
    with what the store says is kept under them."""

    held: views.Leaks
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Site:
    """What every route answers from. key: from which the links and codes of notices follow; public: the address under
    which others reach the site, empty where nobody said; leaking: what is held of what leaked, None where nothing is
    answered about that; country: the calling code of numbers that are written as at home."""

    store: Store
    judges: Judges
    frame: Frame
    doors: Doors
    steering: Steering
    enrolling: Enrolling
    staffing: Staffing
    key: bytes = field(repr=False)
    public: str = ""
    leaking: Callable[[], Leaking] | None = None
    country: str = VIET_NAM


def days(store: Store) -> tuple[date, date] | None:
    """The first and the last day that a finding was first seen on; None before there is one."""
    first, last = (next(iter(store.find(Finding, order=order, limit=1)), None) for order in ("day", "-day"))
    return (first.day, last.day) if first and last else None


def picture(store: Store, now: datetime) -> views.Picture:
    """Counts of everything that was seen."""
    names = sum(each.rows for each in store.find(SourceState, limit=1000) if each.table == "names")
    latest = store.find(Finding, order="-day", limit=LATEST, claim=floods.FLOOD, state=(*_OPEN, "gone"))
    return views.picture(
        names,
        store.count(Finding, "detector", "day", "state", "suppressed"),
        store.count(Finding, "claim", "state", claim=(floods.FLOOD, floods.TAKES_PART)),
        latest,
        standing.told(store, now),
        leaks(store),
    )


def leaks(store: Store) -> views.Leaks:
    """What is held of what leaked."""
    held = store.find(Holding, limit=_HOLDINGS)
    there = store.find(Collection, limit=_COLLECTIONS)
    told = {str(each.number) for each in there if each.gone is None and not each.sensitive}
    return views.leaks(held, told, standing.waits(store, standing.LATELY, decide.EXPOSURE))


def strongest(store: Store) -> Finding | None:
    """The finding with the highest score that nobody took back.

    Of the highest few one is chosen beside which something known good can be shown, so that its story tells both.
    """
    strong = store.find(Finding, order="-score", limit=PAGE, suppressed=False, state=_OPEN)
    found = [each for each in strong if each.detector != decide.EXPOSURE]
    known = {each.claim for each in store.find(Finding, order="-score", limit=PAGE, suppressed=True)}
    return next((each for each in found if each.claim in known), found[0] if found else None)


def listing(store: Store, query: Query) -> Listing:
    """One page of findings, by keyset."""
    equal: dict[str, object] = {"suppressed": query.known}
    if query.state:
        equal["state"] = query.state
    if query.brand:
        equal["claim"] = query.brand
    kept: list[Finding] = []
    after = query.after
    for _ in range(MOST_READ):
        read = store.find(Finding, order=_ORDERS[query.order], after=after, limit=PAGE + 1, **equal)
        for each in read:
            if each.score < query.least or each.detector == decide.EXPOSURE:  # told to whom they concern alone
                continue
            if len(kept) == PAGE:
                return Listing(tuple(kept), kept[-1].id)
            kept.append(each)
        if len(read) <= PAGE or (query.order == "strong" and read[-1].score < query.least):
            return Listing(tuple(kept), "")
        after = read[-1].id
    return Listing(tuple(kept), after)


class Story(msgspec.Struct, frozen=True):
    """One finding.

    known: of a name, what was stated about it. beside: what matches too but is known good, the same protected name's
    first. rates, consists_of: of a flood, over time and at its peak, as far as that is kept.
    """

    finding: Finding
    known: standing.Known = standing.Known()
    beside: tuple[Finding, ...] = ()
    rates: floods.Rates | None = None
    consists_of: floods.Attack | None = None


def filters(story: Story, made: datetime) -> dict[str, str]:
    """What routers can be told against the flood that a story tells of; empty of all else."""
    return floods.filters(story.consists_of, made) if story.consists_of else {}


def story(store: Store, id: str, now: datetime, names: Mapping[str, ProtectedName]) -> Story | None:
    """None: there is no such finding. names: what is protected, by id."""
    finding = store.load(Finding, id).get(id)
    if finding is None:
        return None
    if floods.claim(finding):
        rates = floods.rates(store.lookup("flood_rates", "finding", pa.array([id])))
        return Story(finding, rates=rates, consists_of=floods.consists_of(finding))
    if finding.detector == decide.EXPOSURE:
        return Story(finding)
    like = store.find(Finding, order="-score", limit=KNOWN_READ, claim=finding.claim, suppressed=True)
    other = store.find(Finding, order="-score", limit=KNOWN_READ, suppressed=True)
    beside: dict[tuple[str, ...], Finding] = {}  # one for each protected name and why: more would say nothing new
    for each in (*like, *other):
        if each.id != id:
            beside.setdefault((each.claim, *(reason.code for reason in each.reasons)), each)
    known = standing.known(store, finding, names.get(finding.claim), now)
    return Story(finding, known, tuple(beside.values())[:BESIDE])
