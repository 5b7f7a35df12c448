"""What pages show, before it is markup."""

import re
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import words
from khien.model import Holding
from khien.web import pages, views

BENCH = Path(__file__).parents[2] / "docs/bench-names.md"


def test_the_figures_of_our_errors_are_the_measured_ones() -> None:
    row = re.compile(
        r"recall, vn_hand_labelled\.tsv, at .*?\| (\d+)/(\d+) = [\d.]+% \[([\d.]+)%, ([\d.]+)%\] .*?"
        r"\| (?:score ≥ ([\d.]+)|any score), ([\d,]+) findings in ([\d,]+) of benign"
    )
    text = BENCH.read_text(encoding="utf-8")
    rows = row.findall(text)
    assert [
        (float(score or 0), int(found), int(wrong.replace(",", ""))) for found, _, _, _, score, wrong, _ in rows
    ] == [(grade.score, grade.found, grade.wrong) for grade in views.GRADES]
    assert {(int(read), int(ordinary.replace(",", ""))) for _, read, _, _, _, _, ordinary in rows} == {
        (views.READ, views.ORDINARY)
    }
    assert round(views.ORDINARY / views.USUAL.wrong, -1) == views.ONE_IN
    usual = rows[views.GRADES.index(views.USUAL)]
    assert pytest.approx((float(usual[2]) / 100, float(usual[3]) / 100)) == views.INTERVAL
    assert f"- date: {views.MEASURED_ON}" in text


@pytest.mark.parametrize(("score", "code"), [(1, "strongest"), (0.9835, "strongest"), (0.5, "fair"), (0, "weak")])
def test_a_score_has_a_grade(score: float, code: str) -> None:
    assert views.grade(score).code == code


@pytest.mark.parametrize(
    ("subject", "span", "marked"),
    [
        ("momo-vip.example", (0, 4), [("momo", True), ("-vip[.]example", False)]),
        ("a.momo", (2, 6), [("a[.]", False), ("momo", True)]),
        ("a.example", None, [("a[.]example", False)]),
        ("a.example", (3, 999), [("a[.]e", False), ("xample", True)]),
        ("a\u202eb.example", None, [("a\\u202eb[.]example", False)]),
    ],
)
def test_parts(subject: str, span: tuple[int, int] | None, marked: list[tuple[str, bool]]) -> None:
    assert [tuple(part) for part in views.parts(subject, span)] == marked


@given(st.text(max_size=20), st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda span: span[0] <= span[1]))
def test_parts_hold_the_whole_name(subject: str, span: tuple[int, int]) -> None:
    assert "".join(part.text for part in views.parts(subject, span)) == views.shown(subject)


@pytest.mark.parametrize(
    ("subject", "other"),
    [
        ("momo.example", ""),
        ("xn--mmo-gna.example", "mómo[.]example"),
        ("mómo.example", "xn--mmo-gna[.]example"),
        ("xn--\u0111.example", ""),
        ("xn--999999999.example", ""),
    ],
)
def test_the_other_spelling(subject: str, other: str) -> None:
    assert views.spelt_otherwise(subject) == other


days = st.dictionaries(st.dates(), st.integers(1, 9), max_size=40)


@given(days)
def test_bins_count_everything_once_and_leave_no_gap(counts: dict[date, int]) -> None:
    bins = views.bins(counts)
    assert sum(each.findings for each in bins) == sum(counts.values())
    assert len(bins) <= views.MOST_BINS
    assert all((after.start - before.end).days == 1 for before, after in pairwise(bins))


def test_bins_are_as_fine_as_fits() -> None:
    assert [each.findings for each in views.bins({date(2024, 1, 1): 2, date(2024, 1, 3): 1})] == [2, 0, 1]
    assert views.bins({date(2024, 1, 9): 1, date(2024, 12, 9): 1})[1].start == date(2024, 2, 1)
    assert views.bins({date(1999, 1, 9): 1, date(2024, 12, 9): 1})[1].start == date(2000, 1, 1)


def test_a_picture_counts_what_people_decided() -> None:
    seen = views.picture(
        9,
        {
            ("lookalike", date(2024, 1, 1), "new", False): 3,
            ("lookalike", date(2024, 1, 2), "dismissed", False): 1,
            ("lookalike", date(2024, 1, 2), "acted-on", False): 2,
            ("lookalike", date(2024, 1, 5), "new", True): 4,
            ("flood", date(2024, 1, 9), "dismissed", False): 5,
            ("flood", date(2024, 1, 9), "new", False): 8,
        },
        {("flood", "dismissed"): 5, ("flood", "new"): 7, ("flood-source", "new"): 1},
        [],
    )
    assert (seen.floods.findings, seen.floods.looked_at, seen.floods.dismissed) == (12, 5, 5)
    assert (seen.names, seen.findings, seen.known, seen.looked_at, seen.dismissed) == (9, 6, 4, 3, 1)
    assert (seen.first, seen.last) == (date(2024, 1, 1), date(2024, 1, 2))
    empty = views.picture(0, {}, {}, [])
    assert (empty.findings, empty.bins, empty.first) == (0, (), None)


@pytest.mark.parametrize(
    ("score", "suppressed", "phrase"),
    [(0.5, False, "imitates"), (0.49, False, "resembles"), (0.9, True, "known-good")],
)
def test_what_a_finding_comes_to(score: float, suppressed: bool, phrase: str) -> None:
    assert words.verdict(score, suppressed) == phrase


def test_numbers_and_days_are_written_as_people_do() -> None:
    assert (words.number(1234.5, "vi", 1), words.number(1234.5, "en", 1)) == ("1.234,5", "1,234.5")
    assert (views.day(date(2024, 9, 5), language="vi"), views.day(date(2024, 9, 5), language="en")) == (
        "5/9/2024",
        "5 Sep 2024",
    )


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "vi"),
        ("*", "vi"),
        ("fr-FR,fr;q=0.9", "vi"),
        ("en", "en"),
        ("en-GB,en;q=0.9,vi;q=0.8", "en"),
        ("vi-VN, en;q=0.9", "vi"),
        ("en;q=0, vi;q=0.1", "vi"),
        ("en;q=0.1,vi;q=0.2", "vi"),
        ("fr, EN;Q=0.5", "en"),
        ("," * 100_000 + "en", "vi"),
    ],
)
def test_the_readers_language(accepted: str, language: str) -> None:
    assert pages.preferred(accepted) == language


@pytest.mark.parametrize(("held", "accounts"), [(0, 0), (1, None), (9, None), (10, 10), (8_500_000, 8_500_000)])
def test_of_few_people_no_number_is_said(held: int, accounts: int | None) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    entries = {"sha1": 5, "accounts-1": held + 70, "accounts-2": 0, "known-1": 77}
    holdings = [Holding(id=name, file=name, entries=count, at=at) for name, count in entries.items()]
    holdings[1] = msgspec.structs.replace(holdings[1], met={"1": held, "3": 70})  # who may hear of 3 has proven it
    told = views.leaks(holdings, {"1", "2"}, [60.0, 90.0, 300.0])
    assert told == views.Leaks(passwords=5, accounts=accounts, collections=2, seconds=90.0, of=3)


def test_accounts_of_a_mail_domain_are_no_names() -> None:
    day = date(2026, 11, 22)
    seen = views.picture(7, {("lookalike", day, "new", False): 2, ("exposure", day, "new", False): 5}, {}, [])
    assert (seen.findings, seen.leaks) == (2, views.NOTHING_HELD)
