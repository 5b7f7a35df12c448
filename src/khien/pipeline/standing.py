"""How things stand: what those who steer ask of the store, on pages, on the command line and in figures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from statistics import median
from typing import Any, Literal, NamedTuple, TypeVar, get_args
from zoneinfo import ZoneInfo

import msgspec

from khien.contracts import Store
from khien.model import (
    Constituent,
    Delivery,
    Evidence,
    Finding,
    Notice,
    NoticeState,
    ProtectedName,
    Record,
    Severity,
    SourceState,
    Takedown,
    TakedownState,
)
from khien.names.owners import registrable
from khien.pipeline import enrol
from khien.triage import decide, tokens, weigh
from khien.triage.decide import DIGEST, OVER, RETURN
from khien.triage.enrolment import Enrolment
from khien.triage.site import above, bare

NOTICES: tuple[NoticeState, ...] = get_args(NoticeState)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
TAKEDOWNS: tuple[TakedownState, ...] = get_args(TakedownState)

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")  # of times that many may read; each says how far it is from UTC
PAGE = 50  # notices, constituents, takedowns on a page
MOST = 500  # records of one notice, constituent or subject that are looked at
CODES = 5_000  # notices whose codes are still known
LATELY = 200  # deliveries, notices, takedowns that the picture sums up, the newest
OF_FINDINGS = (*OVER, RETURN)  # steps of a notice whose reason is the id of a finding of it
_DUE = 10_000  # deliveries of which is seen for how long they wait
_ROWS = 100_000  # rows set aside of which the reasons are counted
_AT_ONCE = 90  # values that one search may ask for
_LIVE = timedelta(hours=1)  # records that are read later than that say nothing of how soon anybody was told
_RIGHT, _WRONG = ("confirmed", "acted-on"), ("dismissed",)  # what a person said of a finding

R = TypeVar("R", bound=Record)


class Source(msgspec.Struct, frozen=True):
    """A source; lag: seconds from what its newest row tells of until it was read, null where that is not known."""

    state: SourceState
    lag: float | None


class Sources(msgspec.Struct, frozen=True):
    """Every source, and for which reasons rows were set aside; whole: these are all of them, and not the first."""

    sources: tuple[Source, ...]
    aside: dict[str, int]
    whole: bool


def sources(store: Store) -> Sources:
    """How far the sources are."""
    states = store.find(SourceState, limit=10_000)
    reasons: Counter[str] = Counter()
    for batch in store.scan("skipped").to_batches(columns=["reason"]):
        reasons.update(batch["reason"].to_pylist())
        if reasons.total() >= _ROWS:
            break
    whole = reasons.total() >= sum(each.skipped for each in states)
    return Sources(tuple(Source(each, lag(each)) for each in states), dict(reasons.most_common()), whole)


def lag(state: SourceState) -> float | None:
    """Seconds from what the newest row of a source tells of until it was read."""
    if state.newest is None or state.read_at is None:
        return None
    return max(0.0, (state.read_at - state.newest).total_seconds())


class Asked(msgspec.Struct, frozen=True):
    """Which notices a list shows, the newest first; empty for any."""

    state: NoticeState | Literal[""] = "open"
    severity: Severity | Literal[""] = ""
    constituent: str = ""
    after: str = ""

    def address(self, after: str = "") -> dict[str, str]:
        """The query as parameters of an address, from another notice on."""
        asked = {"state": self.state, "severity": self.severity, "constituent": self.constituent, "after": after}
        return {name: value for name, value in asked.items() if value or name == "state"}


class Notices(msgspec.Struct, frozen=True):
    """A page of notices, and what their constituents are called; after: where the next begins, empty on the last."""

    notices: tuple[Notice, ...]
    labels: dict[str, str]
    after: str


def notices(store: Store, asked: Asked, limit: int = PAGE) -> Notices:
    """One page of notices."""
    equal: dict[str, Any] = {
        name: value for name in ("state", "severity", "constituent") if (value := getattr(asked, name))
    }
    found, after = _page(store, Notice, "-raised", asked.after, limit, equal)
    return Notices(found, labels(store, (each.constituent for each in found)), after)


def waiting(store: Store, now: datetime) -> list[tuple[Delivery, datetime]]:
    """Deliveries that should have gone out and did not, and since when each waits; who waits longest first."""
    due = store.find(Delivery, order="due", limit=_DUE, state="due")
    late = [each for each in due if each.tries or each.due <= now]
    about = [each.about for each in late]
    decided = {key: each.revised for key, each in store.load(Notice, *about).items()}
    for key, each in store.load(Takedown, *about).items():
        decided[key] = max((it.at for it in each.reports), default=each.up)
    since = [(each, min(decided.get(each.about, each.due), each.due) if each.tries else each.due) for each in late]
    return sorted(since, key=lambda each: (each[1], each[0].id))


def labels(store: Store, ids: Iterable[str]) -> dict[str, str]:
    """What constituents are called; of one that has left, its id."""
    wanted = tuple(dict.fromkeys(ids))
    known = store.load(Constituent, *wanted)
    return {each: known[each].label if each in known else each for each in wanted}


class Whole(msgspec.Struct, frozen=True):
    """A notice with all that belongs to it. of: its constituent, null where that has left."""

    notice: Notice
    of: Constituent | None
    deliveries: tuple[Delivery, ...]
    evidence: tuple[Evidence, ...]


def notice(store: Store, id: str) -> Whole | None:
    """None: there is no such notice."""
    found = store.load(Notice, id).get(id)
    if found is None:
        return None
    subjects = tuple(dict.fromkeys(each.value for each in found.subjects))
    of = store.load(Constituent, found.constituent).get(found.constituent)
    return Whole(
        found,
        None if of is None or of.left else of,
        tuple(store.find(Delivery, order="due", limit=MOST, about=id)),
        evidence(store, subjects[:_AT_ONCE]),
    )


def evidence(store: Store, subjects: tuple[str, ...]) -> tuple[Evidence, ...]:
    """What was stated about subjects, the newest first."""
    return tuple(store.find(Evidence, order="-at", limit=MOST, subject=subjects)) if subjects else ()


def by_code(store: Store, typed: str, key: bytes) -> Notice | None:
    """The notice to a citizen whose code was typed, of the newest; None: there is none."""
    newest = {each.id: each for each in store.find(Notice, order="-raised", limit=CODES, sector=tokens.CITIZEN)}
    return newest.get(tokens.whose(typed, key, newest) or "")


class Known(msgspec.Struct, frozen=True):
    """What was stated about the site of a finding, the newest first, and what it comes to; null of what is no site.

    ours: a constituent said that it is theirs.
    """

    evidence: tuple[Evidence, ...] = ()
    weighed: weigh.Weighed | None = None
    ours: bool = False


def known(store: Store, finding: Finding, protected: ProtectedName | None, now: datetime) -> Known:
    """What is known beside the finding itself."""
    if finding.kind != "domain" or finding.suppressed:
        return Known()
    said = evidence(store, tuple(above(finding.subject))[:_AT_ONCE])
    return Known(said, weigh.weigh(finding, said, protected, now), _is_ours(store, finding.id, finding.subject))


def _is_ours(store: Store, finding: str, subject: str) -> bool:
    """Whether a constituent said that a finding, or what else is of the same owner, is theirs."""
    said = store.find(Notice, order="-raised", limit=MOST, state="ours")
    return any(decide.is_ours(each, finding, registrable(bare(subject))) for each in said)


class Members(msgspec.Struct, frozen=True):
    """A page of constituents with what is theirs now; after: where the next begins, empty on the last."""

    members: tuple[Enrolment, ...]
    after: str


def constituents(store: Store, after: str = "", limit: int = PAGE) -> Members:
    """One page of those who are constituents now, by id."""
    found = tuple(_now(each) for each in islice(enrol.everyone(store, after), limit + 1))
    return Members(found[:limit], found[limit - 1].constituent.id if len(found) > limit else "")


class Member(Enrolment, frozen=True, kw_only=True):
    """A constituent with what is theirs now, and their newest notices."""

    notices: tuple[Notice, ...] = ()


def constituent(store: Store, id: str) -> Member | None:
    """None: there is no such constituent, or no more."""
    found = enrol.one(store, id)
    if found is None or found.constituent.left:
        return None
    latest = store.find(Notice, order="-raised", limit=PAGE, constituent=id)
    return Member(constituent=found.constituent, assets=found.current, notices=tuple(latest))


def _now(enrolled: Enrolment) -> Enrolment:
    return msgspec.structs.replace(enrolled, assets=enrolled.current)


class Takedowns(msgspec.Struct, frozen=True):
    """A page of takedowns; after: where the next begins, empty on the last."""

    takedowns: tuple[Takedown, ...]
    after: str


def takedowns(store: Store, state: TakedownState | Literal[""] = "", after: str = "", limit: int = PAGE) -> Takedowns:
    """One page of takedowns, what is due last first."""
    found, after = _page(store, Takedown, "-due", after, limit, {"state": state} if state else {})
    return Takedowns(found, after)


class Pursued(msgspec.Struct, frozen=True):
    """A takedown with the reports that were sent for it; ours: a constituent said that the site is theirs."""

    takedown: Takedown
    deliveries: tuple[Delivery, ...]
    ours: bool


def takedown(store: Store, id: str) -> Pursued | None:
    """None: there is no such takedown."""
    found = store.load(Takedown, id).get(id)
    if found is None:
        return None
    sent = tuple(store.find(Delivery, order="due", limit=MOST, about=id))
    return Pursued(found, sent, _is_ours(store, id, found.subject))


class Told(msgspec.Struct, frozen=True):
    """How soon and how rightly people were told, of the newest.

    seconds, worst: from the first sign until a channel had the notice, the median and the longest of so many notices
    (of); right, wrong: notices
    of findings that a person said are right, or wrong; hours: the median that sites were up until they were gone, and
    gone: of so many; null where there is none yet.
    """

    seconds: float | None = None
    worst: float | None = None
    of: int = 0
    right: int = 0
    wrong: int = 0
    hours: float | None = None
    gone: int = 0


def told(store: Store, now: datetime) -> Told:
    """How soon and how rightly people were told."""
    waited = waits(store, LATELY)
    latest = store.find(Notice, order="-raised", limit=LATELY)
    about = [each.subjects[0].finding for each in latest if each.subjects]
    states = Counter(each.state for each in store.load(Finding, *about).values())
    gone = [each.hours_up(now) for each in _over(store)]
    return Told(
        seconds=median(waited) if waited else None,
        worst=max(waited, default=None),
        of=len(waited),
        right=sum(states[each] for each in _RIGHT),
        wrong=sum(states[each] for each in _WRONG),
        hours=median(gone) if gone else None,
        gone=len(gone),
    )


def waits(store: Store, limit: int, detector: str = "") -> Sequence[float]:
    """Seconds from the first sign until a channel had the notice, of as many of the newest deliveries.

    detector: only of what it found; empty for any.
    """
    sent = store.find(Delivery, order="-due", limit=limit, state="sent")
    about = store.load(Notice, *(each.about for each in sent))
    found = {each.id: each for each in about.values() if detector in ("", each.detector)}
    return [*first_told(sent, found).values()]


def first_told(sent: Iterable[Delivery], about: Mapping[str, Notice]) -> dict[str, float]:
    """Seconds from the first sign of each notice until a channel had it; not of those that were agreed to wait."""
    first: dict[str, float] = {}
    for each in sent:
        known = about.get(each.about)
        if known is None or known.campaign == DIGEST or each.revision > 1:  # agreed to wait; tells of something new
            continue
        if known.first_sign and each.sent:
            waited = max(0.0, (each.sent - known.first_sign).total_seconds())
            first[known.id] = min(waited, first.get(known.id, waited))
    return first


class Soon(NamedTuple):
    """Seconds from a flood's start until it was found; live: by the clock, else at most, in the time of the records."""

    seconds: float
    live: bool


def soon(finding: Finding) -> Soon | None:
    """None: the finding does not say when the flood began."""
    if finding.start is None:
        return None
    waited = finding.raised - finding.start
    if timedelta() <= waited <= _LIVE:
        return Soon(waited.total_seconds(), True)
    if finding.episode is None:
        return None
    return Soon((finding.episode - finding.start).total_seconds() + 1, False)  # to the end of the second that raised it


def _over(store: Store) -> Sequence[Takedown]:
    found = store.find(Takedown, order="-due", limit=LATELY, state=("gone", "closed"))
    return [each for each in found if each.spells and each.spells[-1][1] is not None]


def _page(
    store: Store, kind: type[R], order: str, after: str, limit: int, equal: dict[str, Any]
) -> tuple[tuple[R, ...], str]:
    """As many records of a list, and behind which the next page begins; empty on the last."""
    found = tuple(store.find(kind, order=order, after=after, limit=limit + 1, **equal))
    kept = found[:limit]
    return kept, kept[-1].id if len(found) > limit else ""  # pyright: ignore[reportAttributeAccessIssue] # what is kept has one
