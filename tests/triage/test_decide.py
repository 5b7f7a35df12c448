"""Who is told what, when: once, of a campaign together, and never louder than agreed."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.flows.judge import TAKES_PART
from khien.model import Constituent, Delivery, Evidence, Finding, Hearing, Notice, Quiet
from khien.triage import answers, campaign, decide, life
from tests.triage.situations import BANK, MAIL, NOON, Desk, finding, flood, listed, registered, said, titled

HOUR = timedelta(hours=1)
CALM = msgspec.structs.replace(MAIL, digest="daily", address="digest@bank.example")


def hears(*hearings: Hearing) -> Constituent:
    return msgspec.structs.replace(BANK, hears=hearings)


def told(name: str, claim: str = "vietcombank") -> tuple[Finding, Evidence]:
    """A name that warns, and that shares no mark with others."""
    return finding(name, claim=claim), listed(name)


def test_a_finding_that_warns_becomes_a_notice_on_its_way() -> None:
    desk = Desk()
    notice, delivery = desk.decide(finding(), listed(), registered(1))
    assert isinstance(notice, Notice)
    assert isinstance(delivery, Delivery)
    assert (notice.constituent, notice.label, notice.sector, notice.own) == ("bank", "Bank", "bank", False)
    assert (notice.severity, notice.revision, notice.state) == ("critical", 1, "open")
    assert notice.first_sign == NOON - timedelta(minutes=1)
    assert [each.code for each in notice.reasons][:2] == ["lure", "evidence-listed"]
    assert (notice.subjects[0].unit, notice.subjects[0].site) == ("domain", "registered-for-harm")
    assert (delivery.about, delivery.address, delivery.due) == (notice.id, MAIL.address, NOON)


def test_what_is_decided_again_changes_nothing() -> None:
    desk = Desk()
    facts = listed(), titled(), registered(1), said("resolution", "resolves", addresses="192.0.2.1")
    assert len(desk.decide(finding(), *facts)) == 2
    assert desk.decide(finding(), *facts) == ()
    assert desk.decide(finding(), *facts, at=NOON + timedelta(days=1)) == ()


@pytest.mark.parametrize(
    ("found", "facts"),
    [
        (finding(), ()),
        (finding(suppressed=True), (listed(),)),
        (life.move(finding(), life.DISMISS, by="an officer", at=NOON), (listed(),)),
    ],
    ids=("watched", "known good", "dismissed"),
)
def test_nobody_hears_of_what_is_watched_or_known_good(found: Finding, facts: tuple[Evidence, ...]) -> None:
    assert Desk().decide(found, *facts) == ()


def test_who_is_hit_by_several_assets_is_told_each_for_itself() -> None:
    florist = msgspec.structs.replace(BANK, id="florist", hears=())
    desk = Desk(BANK, florist)
    desk.assets = (desk.assets[0], msgspec.structs.replace(desk.assets[1], kind="domain"))
    desk.decide(finding(), listed())
    assert {each.constituent: each.own for each in desk.notices.values()} == {"bank": False, "florist": True}
    assert len(desk.deliveries) == 1


def test_what_is_less_severe_than_a_hearing_wishes_waits_until_it_is_worse() -> None:
    desk = Desk(hears(msgspec.structs.replace(MAIL, least="critical")))
    desk.decide(finding(), titled())
    assert desk.notice().severity == "medium"
    assert not desk.deliveries
    desk.decide(finding(), titled(), listed(), at=NOON + HOUR)
    assert [(each.revision, each.due) for each in desk.deliveries.values()] == [(2, NOON + HOUR)]


def test_what_is_learned_soon_after_is_told_together() -> None:
    desk = Desk()
    desk.decide(finding(), titled())
    desk.send()
    desk.decide(finding(), titled(), listed(), at=NOON + timedelta(seconds=5))
    desk.decide(finding(), titled(), listed(), said("report", "reported", count="1"), at=NOON + timedelta(seconds=9))
    later = [each.due for each in desk.deliveries.values() if each.state == "due"]
    assert later == [NOON + decide.SETTLES]
    assert desk.notice().revision == 3
    assert len({each.id for each in desk.deliveries.values()}) == 2


def test_what_is_still_waiting_brings_what_is_learned_meanwhile() -> None:
    desk = Desk()
    desk.decide(finding(), titled())
    desk.decide(finding(), titled(), listed(), at=NOON + timedelta(seconds=5))
    assert [each.state for each in desk.deliveries.values()] == ["due"]


def test_what_does_not_matter_revises_but_is_not_told() -> None:
    desk = Desk()
    desk.decide(finding(), listed())
    desk.send()
    desk.decide(finding(), listed(), said("mail", "mail", hosts="mx.example"), at=NOON + HOUR)
    assert desk.notice().revision == 2
    assert len(desk.deliveries) == 1


def test_quiet_hours_hold_for_all_but_the_worst() -> None:
    quiet = Quiet(begin="18:00", end="21:00")  # in Ha Noi it is 19:00
    desk = Desk(hears(msgspec.structs.replace(MAIL, quiet=quiet)))
    desk.decide(finding(), titled())
    assert [each.due for each in desk.deliveries.values()] == [NOON + 2 * HOUR]
    desk.decide(finding(), titled(), listed(), at=NOON + timedelta(minutes=30))  # critical now
    ways = {each.revision: (each.state, each.due) for each in desk.deliveries.values()}
    assert ways == {1: ("withdrawn", NOON + 2 * HOUR), 2: ("due", NOON + timedelta(minutes=30))}


def test_a_campaign_is_one_notice() -> None:
    desk = Desk()
    for place, name in enumerate(("vietcombank-a1.top", "vietcombank-a22.vip", "vietcombank-a3.top")):
        desk.decide(*told(name), at=NOON + place * timedelta(minutes=1))
        desk.send(NOON + place * timedelta(minutes=1))
    notice = desk.notice()
    assert [each.value for each in notice.subjects] == [
        "vietcombank-a1.top",
        "vietcombank-a22.vip",
        "vietcombank-a3.top",
    ]
    assert sorted(each.due for each in desk.deliveries.values()) == [NOON, NOON + HOUR]


@pytest.mark.parametrize(
    "mark",
    [
        {"topic": "resolution", "code": "resolves", "addresses": "192.0.2.9, 192.0.2.1"},
        {"topic": "nameservers", "code": "delegated", "hosts": "b.ns.example, a.ns.example"},
        {"topic": "registration", "code": "registered", "registrar": "R", "created": "2026-03-01T10:00:00Z"},
    ],
    ids=lambda each: each["topic"],
)
def test_marks_of_one_hand(mark: dict[str, str]) -> None:
    desk = Desk()
    for name in ("vietcombank-one.top", "secure-vietcombank.vip", "other.example"):
        facts = () if name == "other.example" else (said(subject=name, **mark),)
        desk.decide(finding(name), listed(name), *facts)
    assert sorted(len(each.subjects) for each in desk.notices.values()) == [1, 2]


@pytest.mark.parametrize(
    ("addresses", "network", "notices"),
    [("192.0.2.9", "Hoster", 1), ("192.0.2.9", "CLOUDFLARENET", 1), ("", "CLOUDFLARENET", 2)],
)
def test_what_strangers_share_is_no_mark_alone(addresses: str, network: str, notices: int) -> None:
    desk = Desk()
    for name in ("vietcombank-one.top", "secure-vietcombank.vip"):
        certified = said("certificate", "certified", name, issuer="C N", not_before="2026-03-02T11:20:00+00:00")
        resolves = said("resolution", "resolves", name, addresses=addresses)
        desk.decide(finding(name), listed(name), certified, resolves, said("network", "hosted", name, network=network))
    assert len(desk.notices) == notices


def test_a_front_of_many_is_no_mark_alone() -> None:
    desk = Desk()
    for name in ("vietcombank-one.top", "secure-vietcombank.vip"):
        resolves = said("resolution", "resolves", name, addresses="192.0.2.9")
        desk.decide(finding(name), listed(name), resolves, said("network", "hosted", name, network="CLOUDFLARENET"))
    assert len(desk.notices) == 2


def test_the_same_with_www_is_no_further_name() -> None:
    desk = Desk()
    desk.decide(*told("vietcombank-login.top"))
    desk.send()
    desk.decide(*told("www.vietcombank-login.top"), at=NOON + HOUR)
    assert len(desk.notice().subjects) == 2
    assert decide.named(desk.notice()) == ("vietcombank-login.top",)
    assert len(desk.deliveries) == 1


def test_an_earlier_campaign_is_another() -> None:
    desk = Desk()
    desk.decide(*told("vietcombank-1.top"))
    desk.decide(*told("vietcombank-2.top"), at=NOON + campaign.LASTS)
    assert len(desk.notices) == 1
    desk.decide(*told("vietcombank-3.top"), at=NOON + 2 * campaign.LASTS + HOUR)
    assert len(desk.notices) == 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9_999)), max_size=25, unique=True))
def test_three_names_bring_no_more_than_five_notices_a_day(names: list[tuple[int, int]]) -> None:
    desk = Desk()
    for brand, number in names:
        letters = "".join("abcdefghij"[int(each)] for each in str(number))
        desk.decide(*told(f"brand{brand}-{letters}.top", f"brand-{brand}"))
    assert len(desk.notices) <= 5
    assert sum(len(each.subjects) for each in desk.notices.values()) == len(names)
    assert {each.claim for notice in desk.notices.values() for each in notice.subjects} == {
        f"brand-{brand}" for brand, _ in names
    }


def test_what_they_say_is_theirs_never_warns_again() -> None:
    desk = Desk()
    desk.decide(finding(), titled())
    desk.take((answers.move(desk.notice(), answers.OWN, by="bank", at=NOON),))
    assert desk.decide(finding(), titled(), listed()) == ()
    assert desk.decide(*told("app.vietcombank-login.top")) == ()
    assert desk.decide(*told("vietcombank-login.vip")) != ()


def test_what_an_officer_took_back_does_not_rise_again() -> None:
    desk = Desk()
    desk.decide(finding(), titled())
    desk.take((answers.move(desk.notice(), answers.WITHDRAW, by="an officer", at=NOON),))
    assert desk.decide(finding(), titled(), listed()) == ()


def test_what_is_gone_closes_its_notice_and_what_comes_back_opens_it_again() -> None:
    desk = Desk()
    desk.decide(finding(), listed())
    gone = life.move(finding(), life.LOSE, by=life.KHIEN, at=NOON)
    desk.decide(gone, listed(), at=NOON + HOUR)
    assert desk.notice().state == "closed"
    assert {each.state for each in desk.deliveries.values()} == {"withdrawn"}
    assert desk.decide(gone, listed(), at=NOON + HOUR) == ()
    back = life.move(gone, life.SEE, by=life.KHIEN, at=NOON + 2 * HOUR)
    desk.decide(back, listed(), at=NOON + 2 * HOUR)
    assert desk.notice().state == "open"
    assert [each.due for each in desk.deliveries.values() if each.state == "due"] == [NOON + 2 * HOUR]


def test_a_campaign_is_closed_with_its_last() -> None:
    desk = Desk()
    one, other = finding("vietcombank-1.top"), finding("vietcombank-2.top")
    for each in (one, other):
        desk.decide(each, listed(each.subject))
    for each, state in ((one, "open"), (other, "closed")):
        desk.decide(life.move(each, life.DISMISS, by="an officer", at=NOON))
        assert desk.notice().state == state


def test_what_is_gathered_comes_once_in_a_window() -> None:
    desk = Desk(hears(CALM))
    desk.decide(*told("vietcombank-one.top"))
    desk.decide(*told("secure-vietcombank.vip"))
    desk.decide(*told("vietcombank-one.top"), at=NOON + HOUR)
    (delivery,) = desk.deliveries.values()
    digest = desk.notices[delivery.about]
    assert decide.is_digest(digest)
    assert [each.value for each in digest.subjects] == ["vietcombank-one.top", "secure-vietcombank.vip"]
    assert f"{delivery.due:%H:%M}" == "01:00"  # 08:00 in Ha Noi
    desk.send(delivery.due)
    desk.decide(*told("my-vietcombank.biz"), at=NOON + timedelta(days=1))
    assert len(desk.deliveries) == 2


def test_what_was_dismissed_leaves_the_digest() -> None:
    desk = Desk(hears(CALM))
    wrong, right = finding("vietcombank-one.top"), finding("secure-vietcombank.vip")
    for each in (wrong, right):
        desk.decide(each, listed(each.subject))
    (delivery,) = desk.deliveries.values()
    desk.decide(life.move(wrong, life.DISMISS, by="an officer", at=NOON))
    assert [each.finding for each in desk.notices[delivery.about].subjects] == [right.id]
    desk.decide(life.move(right, life.DISMISS, by="an officer", at=NOON))
    assert desk.deliveries[delivery.id].state == "withdrawn"
    desk.decide(*told("my-vietcombank.biz"))
    assert [each.state for each in desk.deliveries.values()] == ["due"]


def test_who_waits_is_not_told_at_once() -> None:
    desk = Desk(hears(MAIL, msgspec.structs.replace(MAIL, address="chief@bank.example", after=HOUR)))
    desk.decide(finding(), listed())
    assert [each.address for each in desk.deliveries.values()] == [MAIL.address]


@pytest.mark.parametrize(
    ("found", "severity"),
    [
        (flood(score=0.6, measures={"bits": 1e6}), "low"),
        (flood(score=0.8, measures={"bits": 1e6}), "medium"),
        (flood(score=0.6, measures={"bits": 2e9}), "high"),
        (flood(score=0.999), "critical"),
        (msgspec.structs.replace(flood(score=0.999), claim=TAKES_PART, measures={}), "medium"),
    ],
)
def test_a_flood_warns_as_found(found: Finding, severity: str) -> None:
    desk = Desk(kind="prefix")
    desk.decide(found)
    notice = desk.notice()
    assert (notice.severity, notice.measures, notice.subjects[0].unit) == (severity, found.measures, "host")


def test_a_flood_that_spreads_or_grows_is_one_notice() -> None:
    desk = Desk(kind="prefix")
    desk.decide(flood())
    desk.decide(flood(), at=NOON + timedelta(seconds=1))
    desk.decide(flood("203.0.113.0/24"), at=NOON + timedelta(seconds=1))
    assert desk.notice().revision == 2
    desk.decide(flood(score=0.95, measures={"bits": 9e8}), at=NOON + timedelta(seconds=2))
    assert (desk.notice().revision, desk.notice().measures) == (3, {"bits": 9e8})
