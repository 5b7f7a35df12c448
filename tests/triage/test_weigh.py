"""A name alone never warns, nor what every new site has; what tells harm from others does, and says why."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien import words
from khien.model import Evidence, Finding, ProtectedName, Reason
from khien.triage import evidence
from khien.triage import weigh as rules
from khien.triage.weigh import Weighed, names, weigh
from tests.triage.situations import BRAND, NOON, finding, listed, registered, said, titled

PAGE = (Path(__file__).parents[2] / "docs" / "triage.md").read_text(encoding="utf-8")
NEW = (
    said("resolution", "resolves", addresses="192.0.2.1"),
    said("mail", "mail", hosts="mx.example"),
    registered(1),
    said("certificate", "certified", issuer="CA"),
)
TELLING = (
    listed(),
    titled(),
    said("report", "reported", count="1"),
    said("sighting", "sighted", partner="a CSIRT"),
)


def weighed(found: Finding, *facts: Evidence, after: timedelta = timedelta(0)) -> Weighed:
    return weigh(found, facts, BRAND, NOON + after)


def codes(reasons: tuple[Reason, ...]) -> set[str]:
    return {each.code for each in reasons}


@settings(deadline=None)
@given(st.floats(0, 1))
def test_a_name_and_what_every_new_site_has_never_warn(score: float) -> None:
    assert not weighed(finding(score=score)).warns
    assert not weighed(finding(score=score), *NEW).warns


@pytest.mark.parametrize("fact", TELLING, ids=lambda each: each.code)
def test_a_strong_name_and_one_thing_that_tells_warn(fact: Evidence) -> None:
    assert weighed(finding(score=0.99), fact).warns
    assert not weighed(finding(score=0.05), fact).warns


def test_a_weak_name_needs_more() -> None:
    weak = finding(score=0.2)
    assert not weighed(weak, titled()).warns
    assert not weighed(weak, listed(), registered(3_000)).warns
    assert weighed(weak, listed(), titled()).warns


def test_more_evidence_is_surer_and_what_cannot_be_reached_is_less_severe() -> None:
    severities = [weighed(finding(), *facts).severity for facts in ((titled(),), (listed(),), (listed(), titled()))]
    assert severities == ["medium", "critical", "critical"]
    unresolved = said("resolution", "unresolved", rcode="NXDOMAIN")
    assert weighed(finding(), listed(), titled(), unresolved).severity == "high"


@pytest.mark.parametrize(
    "fact",
    [registered(3_000), said("resolution", "unresolved"), said("page", "unanswered")],
    ids=lambda each: each.code,
)
def test_what_speaks_for_a_name(fact: Evidence) -> None:
    assert weighed(finding(), listed(), fact).odds < weighed(finding(), listed()).odds


def test_an_old_domain_speaks_for_a_name_only_where_it_imitates() -> None:
    host = "vietcombank.old-florist.example"
    hacked = finding(host, techniques=("subdomain",))
    facts = listed(host), registered(3_000, host)
    assert "evidence-old-name" not in codes(weighed(hacked, *facts).reasons)


def test_lists_copy_each_other() -> None:
    another = said("list/urlhaus", "listed", list="urlhaus")
    gain = weighed(finding(), listed(), another).odds - weighed(finding(), listed()).odds
    assert gain == pytest.approx(1)
    assert weighed(finding(), said("list/openphish", "delisted")).odds == weighed(finding()).odds


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200))
def test_evidence_fades(one: int, other: int) -> None:
    odds = [weighed(finding(), listed(), after=timedelta(days=each)).odds for each in sorted((one, other))]
    assert odds[0] >= odds[1]
    assert weighed(finding(), listed(), after=timedelta(days=90)).odds == weighed(finding()).odds


def test_an_officer_who_confirmed_it_warns() -> None:
    assert weighed(finding(state="confirmed")).warns


def test_what_may_be_the_brands_own_needs_more() -> None:
    claimed = Reason(code="unverified-estate", params={"brand": "Vietcombank", "domain": "vietcombank.top"})
    assert weighed(finding(reasons=(claimed,)), titled()).odds < weighed(finding(), titled()).odds


def test_what_is_said_of_a_domain_is_said_of_hosts_below_it_but_not_where_anybody_may_put_a_site() -> None:
    assert weighed(finding("a.vietcombank-login.top"), listed()).warns
    assert weighed(finding("www.vietcombank-login.top"), titled()).warns
    assert not weighed(finding("a.vietcombank-login.top"), titled()).warns  # the page of another host
    assert not weighed(finding("vietcombank.github.io"), listed("github.io")).warns
    assert not weighed(finding("vietcombank.weebly.com"), listed("weebly.com")).warns


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("Vietcombank | Đăng nhập", True),
        ("VIETCOM BANK digibank", True),
        ("Viét-Com-Bank", True),
        ("myvietcombankonline", True),
        ("VCB Digibank", True),
        ("Welcome to nginx!", False),
        ("avcbx", False),
        ("", False),
        ("bank " * 40, False),
    ],
)
def test_a_title_names_a_brand(title: str, named: bool) -> None:
    assert names(title, BRAND) == named


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_why_can_be_said(language: str) -> None:
    facts = (
        *TELLING,
        *NEW,
        said("page", "unanswered", "a.example"),
        said("resolution", "unresolved", at=NOON + timedelta(minutes=1)),
    )
    told = weighed(finding(state="confirmed"), *facts).reasons
    assert {"evidence-listed", "evidence-titled", "evidence-confirmed", "evidence-not-there"} <= codes(told)
    assert all(words.reason(each.code, each.params, language) for each in told)
    assert all(words.reason(each.code, each.params, language) for each in weighed(finding(), registered(999)).reasons)


def test_the_page_has_the_weights() -> None:
    table = PAGE.partition("## Weights")[2].partition("## Whose")[0]
    told = [
        [float(each) for each in cell.split(", ")] for cell in re.findall(r"\| (-?\d[\d., ]*) \|$", table, re.MULTILINE)
    ]
    assert told == [
        [rules.OF_A_DAY],
        [rules.LISTED, rules.LISTED_TOO],
        [rules.REPORTED, rules.REPORTED + rules.REPORTED_OFTEN],
        [rules.SIGHTED],
        [rules.TITLED],
        [rules.CONFIRMED],
        [rules.RESOLVES],
        [rules.MAIL],
        [rules.FRESH_NAME],
        [rules.FRESH_CERTIFICATE],
        [rules.CIRCUMSTANCES],
        [rules.OLD_NAME],
        [rules.NOT_THERE],
        [rules.SILENT],
        [rules.CLAIMED],
    ]


def test_the_page_has_the_topics() -> None:
    rows = re.findall(r"^\| `([\w/]+)`.*\| `([\w-]+)` \| (.*?) ?\|$", PAGE, re.MULTILINE)
    told = [(topic, code, tuple(filter(None, params.split(", ")))) for topic, code, params in rows]
    assert told == [(topic, *fact) for topic, facts in evidence.TOPICS.items() for fact in facts.items()]


def test_a_label_of_many_words_is_known_in_a_title() -> None:
    hospital = ProtectedName(id="h", label="Bệnh viện Trung ương Quân đội 108", sector="health", words=("benhvien108",))
    assert names("Bệnh viện Trung ương Quân đội 108 - Đặt lịch khám", hospital)
    assert not names("Bệnh viện Trung ương Quân đội", hospital)
