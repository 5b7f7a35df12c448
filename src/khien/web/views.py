"""What a page shows, made from records: rules without input, output or markup."""

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import NamedTuple, get_args

import msgspec

from khien import canon, words
from khien.breach.ranges import PUBLIC
from khien.errors import ObservableError
from khien.model import Evidence, Finding, Holding, State
from khien.pipeline import standing
from khien.pipeline.few import FEWEST as FEWEST  # for templates
from khien.pipeline.few import few
from khien.pipeline.telling import sentence as sentence  # for templates
from khien.pipeline.telling import shown
from khien.triage import decide
from khien.web import floods

MOST_BINS = 60  # bars of a chart: more are too thin to see on a telephone

STATES: tuple[State, ...] = get_args(State)

_NAMED = ("name", "addresses", "hosts", "domain", "address", "network", "url")  # parameters of evidence that are names
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Grade(NamedTuple):
    """What a score means, as measured: of READ imitations so many reach it, of ORDINARY names so many wrongly do."""

    code: str
    score: float
    found: int
    wrong: int


READ = 119  # imitations that a person had read
ORDINARY = 477_711  # names taken for ordinary: errors.html says how far that holds
MEASURED_ON = date(2026, 11, 22)
GRADES = (  # docs/bench-names.md, recall of vn_hand_labelled.tsv; the development halves
    Grade("strongest", 0.9835, 53, 4),
    Grade("strong", 0.9313, 74, 23),
    Grade("fair", 0.1860, 112, 477),
    Grade("weak", 0.0, 116, 1503),
)
USUAL = GRADES[2]  # the setting we tell our errors by: 1,000 findings a million ordinary names
ONE_IN = 1_000  # ordinary names, one is wrongly found at that setting
INTERVAL = (0.884, 0.971)  # of its recall: Wilson's, 95 %


def grade(score: float) -> Grade:
    """The strongest grade that a score reaches."""
    return next(each for each in GRADES if score >= each.score)


class Part(NamedTuple):
    """A piece of a name, defanged; marked: it is what imitates."""

    text: str
    marked: bool


def parts(subject: str, span: tuple[int, int] | None) -> tuple[Part, ...]:
    """A name in pieces, of which one may be marked; a span that does not fit marks what of it does."""
    begin, end = span or (0, 0)
    pieces = (Part(subject[:begin], False), Part(subject[begin:end], True), Part(subject[end:], False))
    return tuple(Part(shown(text), marked) for text, marked in pieces if text)


def spelt_otherwise(subject: str) -> str:
    """A name's letters where it has A-labels, its A-labels where it has letters; empty where both are one."""
    if not subject.isascii():
        try:
            return shown(canon.domain(subject))
        except ObservableError:
            return ""
    letters = canon.letters(subject)
    return "" if letters.isascii() else shown(letters)


def day(at: date, *, language: str) -> str:
    """A day as the language writes it: 25 Sep 2024 or 25/9/2024."""
    return f"{at.day}/{at.month}/{at.year}" if language == "vi" else f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def moment(at: datetime, *, language: str) -> str:
    """A second as the language writes it, UTC."""
    return f"{day(at, language=language)} {at.astimezone(UTC):%H:%M:%S} UTC"


def stated(evidence: Evidence) -> dict[str, str]:
    """The parameters of a fact as people may read them: names defanged, of a time its day."""
    params = {key: shown(text) if key in _NAMED else words.printable(text) for key, text in evidence.params.items()}
    if "created" in params:
        params["created"] = params["created"][:10]
    return params


class Bin(msgspec.Struct, frozen=True):
    """Findings first seen from a day to another, both included."""

    start: date
    end: date
    findings: int


def bins(days: Mapping[date, int]) -> tuple[Bin, ...]:
    """Findings by day, by month or by year: the finest that gives at most MOST_BINS bars without a gap.

    Whoever names a day may name any: what lies further back than MOST_BINS years joins the first of them.
    """
    if not days:
        return ()
    last = max(days)
    first = max(min(days), date(max(last.year - MOST_BINS + 1, 1), 1, 1))
    edges = next(each for each in map(list, _edges(first, last)) if len(each) <= MOST_BINS)
    counts = dict.fromkeys(edges, 0)
    for at, count in days.items():
        counts[edges[max(bisect(edges, at) - 1, 0)]] += count
    ends = [each - timedelta(1) for each in edges[1:]] + [last]
    return tuple(Bin(edge, end, counts[edge]) for edge, end in zip(edges, ends, strict=True))


def _edges(first: date, last: date) -> Iterator[Iterator[date]]:
    """First days of days, of months, of years."""
    span = (last - first).days + 1
    yield (first + timedelta(n) for n in range(min(span, MOST_BINS + 1)))
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    yield (date(n // 12, n % 12 + 1, 1) for n in months)
    yield (date(year, 1, 1) for year in range(first.year, last.year + 1))


NOBODY_TOLD = standing.Told()


class Leaks(msgspec.Struct, frozen=True):
    """What is held of what leaked.

    passwords: distinct ones, at least: ours and those that others publish overlap; accounts: once for each collection
    they are in, null for some but fewer than FEWEST; collections: those whose day of deletion has not come. Sensitive
    ones do not show, nor who is in them. seconds: the median from the first sign of a constituent's accounts until a
    channel had the notice, null where there is none lately; of: so many notices.
    """

    passwords: int = 0
    accounts: int | None = 0
    collections: int = 0
    seconds: float | None = None
    of: int = 0


NOTHING_HELD = Leaks()


def leaks(held: Sequence[Holding], told: Set[str], waited: Sequence[float]) -> Leaks:
    """told: the numbers of collections that anybody may hear of; waited: seconds until each of the latest notices was
    out."""
    accounts = sum(count for each in held for number, count in each.met.items() if number in told)
    return Leaks(
        passwords=max((each.entries for each in held if each.id in ("sha1", PUBLIC.format("sha1"))), default=0),
        accounts=None if few(accounts) else accounts,
        collections=len(told),
        seconds=median(waited) if waited else None,
        of=len(waited),
    )


class Picture(msgspec.Struct, frozen=True):
    """What was seen so far; of floods in floods, all else of names alone.

    names: looked at; findings, known: raised, and raised but known good; looked_at, dismissed: findings a person
    decided about, and found to be none; first, last: days they were first seen on; told: how soon and rightly.
    leaks: what is held of what leaked.
    """

    names: int
    findings: int
    known: int
    looked_at: int
    dismissed: int
    states: dict[State, int]
    bins: tuple[Bin, ...]
    first: date | None
    last: date | None
    floods: floods.Tile
    told: standing.Told
    leaks: Leaks


def picture(
    names: int,
    counts: Mapping[tuple[str, date, State, bool], int],
    flooded: Mapping[tuple[str, State], int],
    latest: Sequence[Finding],
    told: standing.Told = NOBODY_TOLD,
    leaks: Leaks = NOTHING_HELD,
) -> Picture:
    """counts: findings by detector, day, state and whether they are suppressed, as Store.count gives them; flooded,
    latest: as floods.tile takes them; told: as standing.told has it; leaks: as the function of that name makes it."""
    days: dict[date, int] = {}
    states: dict[State, int] = dict.fromkeys(STATES, 0)
    known = 0
    for (detector, at, state, suppressed), count in counts.items():
        if detector in (floods.DETECTOR, decide.EXPOSURE):
            continue
        if suppressed:
            known += count
            continue
        days[at] = days.get(at, 0) + count
        states[state] += count
    return Picture(
        names=names,
        findings=sum(states.values()),
        known=known,
        looked_at=sum(states[each] for each in floods.DECIDED),
        dismissed=states["dismissed"],
        states=states,
        bins=bins(days),
        first=min(days, default=None),
        last=max(days, default=None),
        floods=floods.tile(flooded, latest),
        told=told,
        leaks=leaks,
    )
