"""What is told in numbers, each counted anew from the store and the logs: the picture, and reports of a period.

A figure has a code, from which tables has the words for it. A period is of whole days, UTC. Acts are counted from the
signed logs, all else as records say it now; numbers of people are said as few.said has them. Nothing here holds the
logs to their keys: app.counting does, before it has them counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from math import ceil
from statistics import median
from typing import Literal, NamedTuple, get_args

from khien.breach.ranges import PUBLIC
from khien.contracts import Store
from khien.flows.judge import FLOOD, TAKES_PART
from khien.model import (
    Collection,
    Delivery,
    Entry,
    Finding,
    Holding,
    Leaf,
    Notice,
    Record,
    Removed,
    SourceState,
    State,
    Takedown,
    Tree,
    Wish,
)
from khien.pipeline import few, listed, standing
from khien.pipeline.paging import every, pages
from khien.triage import decide, life

Unit = Literal["count", "seconds", "hours"]
Source = Literal["store", "audit", "listings"]

DETECTORS: Mapping[str, str] = {"names": "lookalike", "floods": "flood", "accounts": decide.EXPOSURE}
DECIDED: tuple[State, ...] = ("confirmed", "acted-on", "dismissed")  # a person has looked
RANKS = ("median", "p90", "worst")  # p90: the 90th percentile, nearest rank

_LISTED = ("listed", "changed", "removed", "expired", "redacted", "contested", "appeal-removed", "appeal-kept")
GROUPS: Mapping[str, tuple[str, ...]] = {  # in the order in which they are told
    "soon": ("told", "told-names", "told-floods", "told-accounts", "floods-soon"),
    "wrong": (
        *("names-decided", "names-dismissed", "floods-decided", "floods-dismissed"),
        *("notices-right", "notices-wrong", "decisions", "corrections"),
    ),
    "seen": ("names-read", "names-found", "names-state", "names-known", "floods-found", "floods-home"),
    "listings": (*(f"listings-{act}" for act in _LISTED), "appeal-hours"),
    "takedowns": ("takedowns", "takedown-hours"),
    "leaks": ("accounts", "accounts-in", "collections", "passwords", "exposures", "accounts-removed", "wishes"),
}
_MOST = 10_000  # more than there are of sources, collections, holdings
_VERDICTS = (life.CONFIRM, life.ACT, life.DISMISS)
_BACK = (life.DISMISS, life.REOPEN)  # after a verdict: an officer takes back what an officer said


class Period(NamedTuple):
    """Whole days, UTC, the last included; None: from the first, until now."""

    first: date | None = None
    last: date | None = None

    @classmethod
    def half(cls, year: int, half: int) -> "Period":
        """Half a year: 1 or 2."""
        begin, end = (date(year, 1, 1), date(year, 6, 30)) if half == 1 else (date(year, 7, 1), date(year, 12, 31))
        return cls(begin, end)

    def has(self, day: date) -> bool:
        """Whether a day lies in it."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.has(at.astimezone(UTC).date())


class Figure(Record, frozen=True, kw_only=True):
    """One number. value: None where there is nothing to count yet, or where it is withheld: it is of few people, or
    would tell, beside others, how few.

    part: of which of several it is (a state, a collection), or which of RANKS; empty for all of them. of: how many
    values a rank is taken from.
    """

    code: str
    value: float | None
    unit: Unit = "count"
    source: Source = "store"
    withheld: Literal["", "few", "beside"] = ""
    part: str = ""
    of: int | None = None


class Figures(Record, frozen=True, kw_only=True):
    """All figures of a period. at: when they were counted; logs: the signed checkpoints of the logs they are of."""

    first: date | None
    last: date | None
    at: datetime
    figures: tuple[Figure, ...]
    logs: tuple[str, ...] = ()


def figures(store: Store, period: Period, at: datetime) -> Figures:
    """Counts everything anew, from the logs as the store has them."""
    counted = (
        *_seen(store, period),
        *_told(store, period),
        *_officers(store, period),
        *_takedowns(store, period, at),
        *of_listings(listed.leaves(store), period),
        *_held(store, period),
    )
    logs = tuple(each.checkpoint for each in every(store, Tree) if each.checkpoint)
    return Figures(first=period.first, last=period.last, at=at, figures=counted, logs=logs)


def differing(before: Figures, now: Figures) -> Iterator[tuple[Figure | None, Figure | None]]:
    """Figures that were told and are counted otherwise, were told and are none, or were not told, in order."""
    told, counted = ({(each.code, each.part): each for each in whole.figures} for whole in (before, now))
    for key in dict.fromkeys((*told, *counted)):
        if told.get(key) != counted.get(key):
            yield told.get(key), counted.get(key)


def _seen(store: Store, period: Period) -> Iterator[Figure]:
    """What was looked at and found, and what people decided about it since."""
    if period == Period():  # rows are counted as they are read, and not by day
        states = store.find(SourceState, limit=_MOST)
        yield Figure(code="names-read", value=sum(each.rows for each in states if each.table == "names"))
    names, known = Counter[State](), 0
    for (detector, day, state, suppressed), count in store.count(
        Finding, "detector", "day", "state", "suppressed"
    ).items():
        if period.has(day) and detector not in (DETECTORS["floods"], DETECTORS["accounts"]):
            names[state] += 0 if suppressed else count
            known += count if suppressed else 0
    yield from _decided("names", names)
    yield from (Figure(code="names-state", value=names[state], part=state) for state in get_args(State))
    yield Figure(code="names-known", value=known)
    yield from _floods(store, period)


def _floods(store: Store, period: Period) -> Iterator[Figure]:
    claims: dict[str, Counter[State]] = {FLOOD: Counter(), TAKES_PART: Counter()}
    for (claim, day, state), count in store.count(Finding, "claim", "day", "state", claim=(*claims,)).items():
        if period.has(day):
            claims[claim][state] += count
    yield from _decided("floods", claims[FLOOD])
    yield Figure(code="floods-home", value=claims[TAKES_PART].total())
    found = (each for each in every(store, Finding, claim=FLOOD) if each.state != "dismissed")
    told = [soon for each in found if period.has(each.day) and (soon := standing.soon(each))]
    live = any(each.live for each in told)
    yield from spread("floods-soon", [each.seconds for each in told if each.live == live], "seconds")


def _decided(threat: str, states: Counter[State]) -> Iterator[Figure]:
    yield Figure(code=f"{threat}-found", value=states.total())
    yield Figure(code=f"{threat}-decided", value=sum(states[each] for each in DECIDED))
    yield Figure(code=f"{threat}-dismissed", value=states["dismissed"])


def _told(store: Store, period: Period) -> Iterator[Figure]:
    """How soon and how rightly people were told."""
    waited: dict[str, float] = {}
    about: dict[str, str] = {}  # the detector of each notice
    right = Counter[State]()
    for page in pages(store, Delivery, state="sent"):
        sent = [each for each in page if each.sent and period.holds(each.sent)]
        notices = store.load(Notice, *{each.about for each in sent})
        for key, seconds in standing.first_told(sent, notices).items():
            waited[key] = min(seconds, waited.get(key, seconds))
            about[key] = notices[key].detector
    for page in pages(store, Notice):
        raised = [each for each in page if each.subjects and period.holds(each.raised)]
        findings = store.load(Finding, *(each.subjects[0].finding for each in raised))
        right.update(findings[first].state for each in raised if (first := each.subjects[0].finding) in findings)
    yield from spread("told", [*waited.values()], "seconds")
    for threat, detector in DETECTORS.items():
        of_threat = [seconds for key, seconds in waited.items() if about[key] == detector]
        yield from spread(f"told-{threat}", of_threat, "seconds")
    yield Figure(code="notices-right", value=right["confirmed"] + right["acted-on"])
    yield Figure(code="notices-wrong", value=right["dismissed"])


def spread(code: str, values: Sequence[float], unit: Unit, source: Source = "store") -> Iterator[Figure]:
    """RANKS of values, where there are any."""
    ranked, of = sorted(values), len(values)
    found = (median(ranked), ranked[ceil(of * 0.9) - 1], ranked[-1]) if ranked else (None, None, None)
    for part, value in zip(RANKS, found, strict=True):
        yield Figure(code=code, value=value, unit=unit, source=source, part=part, of=of)


def _officers(store: Store, period: Period) -> Iterator[Figure]:
    """What officers decided, and took back, by the audit."""
    said: dict[str, str] = {}  # of each finding, the last act of theirs
    decisions = corrections = 0
    for each in every(store, Entry):
        if each.act != "finding-moved":
            continue
        act, before = each.params.get("act", ""), said.get(each.what)
        counts = period.holds(each.at)
        decisions += counts and act in _VERDICTS
        corrections += counts and before in _VERDICTS and act in _BACK and act != before
        said[each.what] = act
    yield Figure(code="decisions", value=decisions, source="audit")
    yield Figure(code="corrections", value=corrections, source="audit")


def _takedowns(store: Store, period: Period, at: datetime) -> Iterator[Figure]:
    """What was to be taken down, and for how long it was up."""
    begun, hours = 0, list[float]()
    for each in every(store, Takedown):
        begun += period.holds(each.up)
        end = each.spells[-1][1] if each.spells else None
        if each.state in ("gone", "closed") and end and period.holds(end):
            hours.append(each.hours_up(at))
    yield Figure(code="takedowns", value=begun)
    yield from spread("takedown-hours", hours, "hours")


def of_listings(leaves: Iterable[Leaf], period: Period) -> Iterator[Figure]:
    """What was listed, changed and taken back, and how long appeals took, by the log of listings from its first leaf.

    Leaves are taken as they are: what was changed in them is found by holding the log to its key (held.verify).
    CustodyError: the text of one cannot be read.
    """
    acts, waited = Counter[str](), list[float]()
    contested: dict[str, datetime] = {}
    for leaf in leaves:
        act, since = listed.done(leaf, contested)  # of one that is gone, the leaf that says so is counted
        if not period.holds(leaf.at):
            continue
        acts[act] += 1
        if since:
            acts[f"appeal-{act}"] += 1
            waited.append((leaf.at - since).total_seconds() / 3600)
    yield from (Figure(code=f"listings-{act}", value=acts[act], source="listings") for act in _LISTED)
    yield from spread("appeal-hours", waited, "hours", "listings")


def _held(store: Store, period: Period) -> Iterator[Figure]:
    """What leaked, as it is held now, and what people asked about theirs."""
    held = store.find(Holding, limit=_MOST)
    there = [each for each in store.find(Collection, limit=_MOST) if each.gone is None and not each.sensitive]
    known = Counter[str]()
    for each in held:
        known.update(each.met)
    counts = {each.id: known[str(each.number)] for each in there}
    told = few.said(counts)
    passwords = max((each.entries for each in held if each.id in ("sha1", PUBLIC.format("sha1"))), default=0)
    yield Figure(code="passwords", value=passwords)
    yield Figure(code="collections", value=len(there))
    yield _of_people("accounts", sum(counts.values()), said=told.total is not None)
    for part, count in counts.items():
        yield _of_people("accounts-in", count, part, said=told.parts[part] is not None)
    exposed = store.count(Finding, "day", detector=DETECTORS["accounts"])
    yield Figure(code="exposures", value=sum(count for (day,), count in exposed.items() if period.has(day)))
    removed = sum(period.holds(each.at) for each in every(store, Removed) if not each.carried)
    wishes = store.count(Wish, carried=False).get((), 0)
    yield from (_of_people("accounts-removed", removed), _of_people("wishes", wishes))


def _of_people(code: str, count: int, part: str = "", *, said: bool = True) -> Figure:
    """said: False where it is withheld for what stands beside it."""
    withheld = "few" if few.few(count) else "" if said else "beside"
    return Figure(code=code, value=None if withheld else count, withheld=withheld, part=part)
