"""Who does not answer is told again, twice at most; others are when they agreed to be; what is over is closed."""

from datetime import timedelta

import msgspec

from khien.model import Finding
from khien.triage import answers, life
from khien.triage.chase import FLOOD_OVER, MOST_REMINDERS, Pursuit, chase
from tests.triage.situations import BANK, MAIL, NOON, Desk, finding, flood, listed

HOUR = timedelta(hours=1)
CHIEF = msgspec.structs.replace(MAIL, address="chief@bank.example", after=2 * HOUR)
PATIENT = msgspec.structs.replace(BANK, hears=(MAIL, CHIEF), patience=4 * HOUR)


def chased(desk: Desk, *findings: Finding, at: timedelta) -> int:
    """Chases each notice, and sends what is due; answers how much went out."""
    for notice in list(desk.notices.values()):
        deliveries = tuple(each for each in desk.deliveries.values() if each.about == notice.id)
        desk.take(chase(Pursuit(desk.owners[0], notice, findings, deliveries), NOON + at))
    return len(desk.send(NOON + at))


def warned() -> Desk:
    desk = Desk(PATIENT)
    desk.decide(finding(), listed())
    desk.send()
    return desk


def test_a_notice_that_nobody_acknowledges_is_told_again_and_to_who_waits() -> None:
    desk = warned()
    sent = {hour: chased(desk, finding(), at=hour * HOUR) for hour in range(1, 100)}
    assert {hour: count for hour, count in sent.items() if count} == {2: 1, 6: 2, 10: 2}
    assert sum(each.act == "remind" for each in desk.notice().steps) == MOST_REMINDERS


def test_whoever_acknowledges_is_left_in_peace() -> None:
    desk = warned()
    desk.take((answers.move(desk.notice(), answers.ACKNOWLEDGE, by="bank", at=NOON + HOUR),))
    assert sum(chased(desk, finding(), at=hour * HOUR) for hour in range(1, 50)) == 0


def test_what_has_not_gone_out_is_not_reminded_of() -> None:
    desk = Desk(PATIENT)
    desk.decide(finding(), listed())
    deliveries = tuple(desk.deliveries.values())
    reminded = chase(Pursuit(PATIENT, desk.notice(), (finding(),), deliveries), NOON + HOUR)
    assert reminded == ()


def test_what_is_gone_is_closed() -> None:
    desk = warned()
    gone = life.move(finding(), life.LOSE, by=life.KHIEN, at=NOON + HOUR)
    assert chased(desk, gone, at=HOUR) == 0
    assert desk.notice().state == "closed"
    assert chased(desk, gone, at=9 * HOUR) == 0


def test_a_flood_that_has_ended_is_closed_and_one_that_goes_on_is_not() -> None:
    desk = Desk(kind="prefix")
    desk.decide(flood())
    chased(desk, flood(), at=FLOOD_OVER)
    assert desk.notice().state == "open"
    chased(desk, flood(), at=FLOOD_OVER + timedelta(seconds=1))
    assert desk.notice().state == "closed"


def test_a_digest_is_done_when_it_has_gone_out_and_is_not_reminded_of() -> None:
    desk = Desk(msgspec.structs.replace(PATIENT, hears=(msgspec.structs.replace(MAIL, digest="hourly"),)))
    desk.decide(finding(), listed())
    sent = [chased(desk, finding(), at=minutes * timedelta(minutes=30)) for minutes in range(60)]
    assert sum(sent) == 1
    assert sorted(each.state for each in desk.notices.values()) == ["closed", "open"]
