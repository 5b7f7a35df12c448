"""Every number, counted from what a test put there; and what it must not say."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from khien import words
from khien.app import counting, machine
from khien.audit import LEDGER
from khien.contracts import Store
from khien.errors import CustodyError
from khien.flows.judge import FLOOD, TAKES_PART
from khien.listing import Known
from khien.model import Collection, Finding, Holding, Leaf, Removed, SourceState, State, Tree, Wish
from khien.pipeline import figures, reports, tables
from khien.pipeline.figures import Figure, Figures, Period
from khien.pipeline.listings import Listings
from khien.pipeline.steering import Steering
from khien.stores.embedded.store import Embedded
from khien.triage import life
from khien.web import reading
from tests.listing import AT as LISTED_AT
from tests.listing import log, proposal
from tests.pipeline.told import AUDIT, FOUND, HOUR, NOON, REPORTED, delivery, notice, place

DAY = timedelta(days=1)
WHOLE = Period()


def found(number: int, state: State = "new", **fields: Any) -> Finding:
    given = {"id": f"{number:064x}", "subject": f"n{number}.example", "raised": NOON, "state": state}
    return msgspec.structs.replace(FOUND, **(given | fields))


def flood(number: int, claim: str = FLOOD, **fields: Any) -> Finding:
    start = NOON - timedelta(seconds=number)
    return found(number, detector="flood", kind="address", claim=claim, start=start, **fields)


def counted(store: Store, period: Period = WHOLE, at: datetime = NOON) -> Figures:
    return figures.figures(store, period, at)


def value(counted: Figures, code: str, part: str = "") -> float | None:
    return one(counted, code, part).value


def one(counted: Figures, code: str, part: str = "") -> Figure:
    (found,) = (each for each in counted.figures if (each.code, each.part) == (code, part))
    return found


@pytest.mark.parametrize(
    ("period", "inside", "outside"),
    [
        (Period.half(2026, 1), date(2026, 1, 1), date(2025, 12, 31)),
        (Period.half(2026, 1), date(2026, 6, 30), date(2026, 7, 1)),
        (Period.half(2026, 2), date(2026, 7, 1), date(2026, 6, 30)),
        (Period.half(2026, 2), date(2026, 12, 31), date(2027, 1, 1)),
        (Period(first=date(2026, 7, 1)), date.max, date(2026, 6, 30)),
    ],
)
def test_a_period_is_of_whole_days(period: Period, inside: date, outside: date) -> None:
    assert period.has(inside)
    assert not period.has(outside)


def test_names_and_floods_are_counted_by_the_day_they_were_first_seen_on() -> None:
    earlier = {"raised": NOON - 40 * DAY}
    store = place(
        *(found(n) for n in (1, 2, 3)),
        found(4, "confirmed"),
        found(5, "dismissed"),
        found(6, suppressed=True),
        found(7, "dismissed", **earlier),
        flood(10),
        flood(20, state="dismissed"),
        flood(30, claim=TAKES_PART),
        found(40, detector="exposure"),
        SourceState(id="a", table="names", rows=9),
        SourceState(id="b", table="flows", rows=9),
    )
    all_ = counted(store)
    lately = counted(store, Period(first=NOON.date()))
    for code, whole, part in (
        *(("names-found", 6, 5), ("names-decided", 3, 2), ("names-dismissed", 2, 1), ("names-known", 1, 1)),
        *(("floods-found", 2, 2), ("floods-decided", 1, 1), ("floods-dismissed", 1, 1), ("floods-home", 1, 1)),
        ("exposures", 1, 1),
    ):
        assert (value(all_, code), value(lately, code)) == (whole, part), code
    assert value(all_, "names-state", "dismissed") == 2
    assert value(all_, "names-read") == 9
    assert "names-read" not in {each.code for each in lately.figures}  # nobody knows on which day a row was read
    assert one(all_, "floods-soon", "worst") == Figure(
        code="floods-soon", value=10, unit="seconds", part="worst", of=1
    )  # of what was dismissed nobody was to be told soon


def test_who_waited_longest_counts() -> None:
    records = [
        record
        for n in range(1, 12)
        for told in [notice(finding=found(n), first_sign=NOON - n * HOUR)]
        for record in (told, delivery(told.id, state="sent", sent=NOON))
    ]
    seen = counted(place(*records))
    told = [value(seen, "told", part) for part in figures.RANKS]
    assert told == [6 * 3600, 10 * 3600, 11 * 3600]
    assert [value(seen, "told-names", part) for part in figures.RANKS] == told
    assert one(seen, "told-floods", "median") == Figure(
        code="told-floods", value=None, unit="seconds", part="median", of=0
    )
    earlier = counted(place(*records), Period(last=(NOON - DAY).date()))
    assert value(earlier, "told", "worst") is None


def test_notices_are_right_or_wrong_as_their_finding_is() -> None:
    right, wrong = found(1, "acted-on"), found(2, "dismissed")
    seen = counted(place(right, wrong, found(3), *(notice(finding=each) for each in (right, wrong, found(3)))))
    assert (value(seen, "notices-right"), value(seen, "notices-wrong")) == (1, 1)


def test_what_officers_took_back_is_counted_from_the_audit() -> None:
    store = place(found(1), found(2))
    steering = Steering(store, AUDIT)
    for number, act in ((1, life.CONFIRM), (1, life.DISMISS), (1, life.REOPEN), (2, life.DISMISS), (1, life.LOSE)):
        steering.move(f"{number:064x}", act, by="lan")
    seen = counted(store)
    assert (value(seen, "decisions"), value(seen, "corrections")) == (3, 2)
    assert value(counted(store, Period(last=(NOON - DAY).date())), "corrections") == 0
    assert seen.logs == (store.load(Tree, LEDGER)[LEDGER].checkpoint,)


def test_how_long_sites_were_up() -> None:
    gone = msgspec.structs.replace(REPORTED, id="b" * 64, state="gone", spells=((NOON - 3 * HOUR, NOON),))
    seen = counted(place(REPORTED, gone))
    assert (value(seen, "takedowns"), value(seen, "takedown-hours", "worst")) == (2, 3)


@pytest.fixture
def listings(tmp_path: Path) -> Iterator[Listings]:
    with machine.store(tmp_path) as store:
        yield log(store)


def at(listings: Listings, time: datetime) -> Listings:
    return replace(listings, audit=replace(listings.audit, clock=lambda: time))


def test_appeals_are_counted_from_the_log(listings: Listings) -> None:
    kept, wrong, hidden = (listings.list_(proposal("domain", f"{n}.example"), by="lan").id for n in "abc")
    for each in (kept, wrong):
        at(listings, LISTED_AT + HOUR).contest(each, how="dns", why="it is mine")
    at(listings, LISTED_AT + 3 * HOUR).decide(kept, True, by="mai", why="it asks for codes")
    at(listings, LISTED_AT + 5 * HOUR).decide(wrong, False, by="mai", why="it is theirs")
    at(listings, LISTED_AT + 3 * DAY).remove(hidden, by="mai", why="the host is empty")
    listings.redact(2, by="lan", why="it named a person")
    seen = counted(listings.store)
    counts = {each.code.removeprefix("listings-"): each.value for each in seen.figures if each.source == "listings"}
    assert {code: counts[code] for code in ("listed", "removed", "contested", "redacted")} == {
        "listed": 2,  # of what was redacted nothing but that is known
        "removed": 1,
        "contested": 2,
        "redacted": 2,  # its removal with it, which had the same note
    }
    assert (counts["appeal-removed"], counts["appeal-kept"]) == (1, 1)
    assert [value(seen, "appeal-hours", part) for part in figures.RANKS] == [3, 4, 4]
    day = LISTED_AT.date()
    assert value(counted(listings.store, Period(day, day + 2 * DAY)), "listings-removed") == 1
    assert value(counted(listings.store, Period(day + 2 * DAY, day + 4 * DAY)), "listings-removed") == 0


def test_an_objection_that_nobody_decided_is_decided_by_no_later_removal(listings: Listings) -> None:
    made = listings.list_(proposal("domain", "a.example"), by="lan").id
    listings.contest(made, how="dns", why="it is mine")
    at(listings, LISTED_AT + 4 * DAY).expire()
    later = at(listings, LISTED_AT + 5 * DAY)
    later.list_(proposal("domain", "a.example"), by="lan")
    later.approve(made, by="mai")
    later.remove(made, by="mai", why="the host is empty")
    seen = counted(listings.store)
    assert (value(seen, "listings-removed"), value(seen, "listings-appeal-removed")) == (1, 0)
    assert one(seen, "appeal-hours", "median").of == 0


@pytest.mark.parametrize("name", ["listings", LEDGER])
def test_nothing_is_counted_where_the_head_of_a_log_was_erased(tmp_path: Path, name: str) -> None:
    with machine.store(tmp_path) as store:
        known = Known(popular=lambda _: "", official=lambda _: "")
        machine.listings(tmp_path, store, known).list_(proposal("domain", "a.example"), by="lan")
        counting.counted(tmp_path, store, WHOLE, LISTED_AT)
        store.save(gone=[store.load(Tree, name)[name]])
        with pytest.raises(CustodyError):
            counting.counted(tmp_path, store, WHOLE, LISTED_AT)


def test_of_few_people_no_number_is_said() -> None:
    def collection(number: int) -> Collection:
        return Collection(
            id=f"c{number}", number=number, label="c", given_by="a", at=NOON, basis="b", purpose="p", until=date.max
        )

    sensitive = msgspec.structs.replace(collection(4), sensitive="health")
    held = Holding(id="accounts-1", file="f", entries=0, met={"1": 4, "2": 40, "3": 90, "4": 7}, at=NOON)
    removed = (Removed(id=f"{n}", epoch=1, at=NOON, by="khien") for n in range(3))
    carried = Removed(id="r", epoch=1, at=NOON, by="khien", carried=True)
    wish = Wish(id="w", epoch=1, sealed="", at=NOON, until=date.max)
    seen = counted(place(*map(collection, (1, 2, 3)), sensitive, held, *removed, carried, wish))
    assert one(seen, "accounts").value == 134  # of the sensitive one nothing
    assert [one(seen, "accounts-in", part).withheld for part in ("c1", "c2", "c3")] == ["few", "beside", ""]
    for code in ("accounts-removed", "wishes"):
        assert (one(seen, code).value, one(seen, code).withheld) == (None, "few")
        assert tables.written(one(seen, code), "en") == "under 10"
    for text in (reports.encode(seen).decode(), str(tables.rows(seen, "vi"))):
        assert not any(f" {few}," in text for few in (4, 40))
    assert "c4" not in str(seen)


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_figure_says_how_it_is_counted(language: str) -> None:
    seen = counted(place(FOUND))
    told = tables.rows(seen, language)
    ranks = sum(each.part in figures.RANKS for each in seen.figures)
    assert sum(map(len, told.values())) == len(seen.figures) - ranks * 2 // 3  # none is left out, ranks share a row
    assert {code for codes in figures.GROUPS.values() for code in codes} >= {each.code for each in seen.figures}
    for each in seen.figures:
        assert tables.counting(each, language).endswith(".")
    for rows in told.values():
        assert rows[0].counted


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.5, "0,5 giây"),
        (119, "119 giây"),
        (120, "2 phút"),
        (7200, "2 giờ"),
        (2 * 86_400 - 3600, "47 giờ"),
        (2 * 86_400, "2 ngày"),
        (700 * 86_400, "700 ngày"),
        (19_670 * 3600, "2,2 năm"),
    ],
)
def test_long_waits_are_told_in_days_and_years(seconds: float, said: str) -> None:
    assert tables.lasting(seconds, "vi") == said


def test_ranks_of_a_figure_share_a_row() -> None:
    hours = [1.0, 2.0, 3.0, 100.0]
    figures_of = {
        count: Figures(first=None, last=None, at=NOON, figures=(*figures.spread("told", hours[:count], "hours"),))
        for count in (0, 1, 4)
    }
    told = {count: tables.rows(each, "en")["soon"] for count, each in figures_of.items()}
    assert [[(row.label, row.value) for row in rows] for rows in told.values()] == [
        [("From first sign to notice", "none yet")],
        [("From first sign to notice", "60 min (the only one)")],
        [("From first sign to notice", "median 2.5 h; nine in ten within 4.2 days; the longest 4.2 days (of 4)")],
    ]
    assert tables.label(figures_of[4].figures[1], "vi").endswith("90% trường hợp không quá")


def test_a_changed_leaf_is_for_who_holds_the_log_to_its_key(tmp_path: Path) -> None:
    with machine.store(tmp_path) as store:
        known = Known(popular=lambda _: "", official=lambda _: "")
        machine.listings(tmp_path, store, known).list_(proposal("domain", "a.example"), by="lan")
        (leaf,) = store.find(Leaf)
        store.save(msgspec.structs.replace(leaf, listing="f" * 64))
        assert value(counted(store), "listings-listed") == 1  # as the site has it, which does not look
        with pytest.raises(CustodyError):
            counting.counted(tmp_path, store, WHOLE, LISTED_AT)
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    assert "not hold the logs to their keys each time" in page.replace("\n", " ")


def test_the_page_of_figures_says_how_each_is_counted() -> None:
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|[^|]*\| (.*) \|$", page, re.MULTILINE))
    codes = [code for codes in figures.GROUPS.values() for code in codes]
    assert rows == {code: words.phrase(f"counted-{code}", "en") for code in codes}


def test_the_picture_shows_the_same(store: Embedded) -> None:
    picture = reading.picture(store, NOON)
    seen = counted(store)
    pairs = {
        "names-read": picture.names,
        "names-found": picture.findings,
        "names-known": picture.known,
        "names-decided": picture.looked_at,
        "names-dismissed": picture.dismissed,
        "floods-found": picture.floods.findings,
        "floods-decided": picture.floods.looked_at,
        "floods-dismissed": picture.floods.dismissed,
        "floods-home": picture.floods.at_home,
        "collections": picture.leaks.collections,
        "passwords": picture.leaks.passwords,
    }
    assert {code: value(seen, code) for code in pairs} == pairs
    assert {state: value(seen, "names-state", state) for state in picture.states} == picture.states
    assert (value(seen, "told", "median"), value(seen, "told", "worst")) == (picture.told.seconds, picture.told.worst)
    assert value(seen, "takedown-hours", "median") == picture.told.hours


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    told = notice(first_sign=NOON - HOUR)
    gone = msgspec.structs.replace(REPORTED, state="gone", spells=((NOON - 3 * HOUR, NOON),))
    with machine.store(tmp_path) as store:
        store.save(
            *(found(1), found(2, "dismissed"), found(3, "acted-on"), found(4, suppressed=True), FOUND),
            *(flood(10), flood(20, state="dismissed"), flood(30, claim=TAKES_PART)),
            *(told, delivery(told.id, state="sent", sent=NOON), gone, SourceState(id="a", table="names", rows=9)),
        )
        yield store


def test_what_is_counted_otherwise_is_named() -> None:
    before = counted(place(found(1)))
    now = counted(place(found(1), found(2)))
    assert [*figures.differing(before, before)] == []
    assert [(told and told.code, told and told.value, again and again.value) for told, again in
            figures.differing(before, now)] == [("names-found", 1, 2), ("names-state", 1, 2)]  # fmt: skip
    less = msgspec.structs.replace(before, figures=before.figures[1:])
    assert [again for _, again in figures.differing(less, before)] == [before.figures[0]]
    assert [told for told, _ in figures.differing(before, less)] == [before.figures[0]]


def test_a_changed_leaf_is_no_number(listings: Listings) -> None:
    listings.list_(proposal("domain", "a.example"), by="lan")
    (leaf,) = listings.store.find(Leaf)
    listings.store.save(msgspec.structs.replace(leaf, text="{"))
    with pytest.raises(Exception, match="was changed"):
        counted(listings.store)
