"""Round after round, what time brings about is saved: reminders, ends, and what goes out no more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event

import pytest

from khien import schema
from khien.contracts import Store
from khien.model import Evidence, Notice, Takedown
from khien.pipeline import chase
from tests.pipeline.told import BANK, FOUND, HEARING, HOUR, NOON, REPORT, REPORTED, SENT, TOLD, notice, outbox, place


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chase, "_BEAT", 0)


def chased(store: Store, at: datetime) -> None:
    last = Event()
    last.set()
    chase.chase(store, lambda: at, Event(), last)


def test_a_takedown_that_is_gone_takes_its_waiting_report_along() -> None:
    at = NOON + timedelta(minutes=10)
    gone = Evidence(
        id=schema.evidence_id(FOUND.subject, "resolution", "resolver"),
        subject=FOUND.subject,
        topic="resolution",
        source="resolver",
        code="unresolved",
        params={"rcode": "NXDOMAIN"},
        at=at,
        since=at,
    )
    store = place(FOUND, REPORTED, REPORT, gone)
    chased(store, at)
    assert store.load(Takedown, FOUND.id)[FOUND.id].state == "gone"
    assert outbox(store, FOUND.id) == {(REPORT.address, 1): "withdrawn"}


def test_a_takedown_that_is_up_keeps_its_waiting_report() -> None:
    store = place(FOUND, REPORTED, REPORT)
    chased(store, NOON)
    assert outbox(store, FOUND.id) == {(REPORT.address, 1): "due"}


def clock(last: Event, *times: datetime) -> Callable[[], datetime]:
    """One time a round; with the latest it is said that this was the last."""
    rest = list(times)

    def now() -> datetime:
        at = rest.pop(0) if rest else times[-1]
        if not rest:
            last.set()
        return at

    return now


def test_one_round_follows_another_until_it_is_said_to_end() -> None:
    store, last = place(BANK, FOUND, TOLD, SENT), Event()
    chase.chase(store, clock(last, NOON, NOON + BANK.patience), Event(), last)
    told = store.load(Notice, TOLD.id)[TOLD.id]
    assert [each.act for each in told.steps] == ["remind"]
    assert outbox(store, TOLD.id) == {(HEARING.address, 1): "sent", (HEARING.address, 2): "due"}


def test_what_is_reminded_of_waits_for_the_end_of_quiet_hours() -> None:
    store = place(BANK, FOUND, TOLD, SENT)
    chased(store, NOON + BANK.patience)  # 23:00 in Hanoi
    (again,) = (each for each in store.find(chase.Delivery, about=TOLD.id) if each.revision == 2)
    assert again.due == NOON + 11 * HOUR


def test_a_fault_in_one_keeps_no_other_from_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    other = notice("shop")
    store = place(BANK, FOUND, TOLD, SENT, other)
    pursued = chase.clockwork.chase

    def faulty(pursuit: chase.clockwork.Pursuit, at: datetime) -> object:
        if pursuit.notice.id == min(TOLD.id, other.id):
            raise ZeroDivisionError
        return pursued(pursuit, at)

    monkeypatch.setattr(chase.clockwork, "chase", faulty)
    store.save(chase.Constituent(id="shop", label="Shop"))
    chased(store, NOON + BANK.patience)
    reminded = store.load(Notice, TOLD.id)[TOLD.id].steps
    assert bool(reminded) is (min(TOLD.id, other.id) == other.id)
