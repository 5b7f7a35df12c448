"""The outbox: each delivery goes out once, later when it cannot, and what a crash leaves open is not guessed at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, ClassVar

import msgspec
import pytest

from khien.contracts import Store
from khien.errors import InputError, UnavailableError, UncertainError
from khien.model import Constituent, Delivery, Hearing, Notice, NoticeState, Record, Subject
from khien.pipeline.deliver import MOST, PATIENCE, deliver, recover
from khien.schema import delivery_id
from tests import toy

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOLD = Notice(
    id="n1",
    constituent="bank",
    detector="lookalike",
    severity="high",
    score=0.9,
    subjects=(Subject(finding="f1", value="bank-login.example", claim="bank"),),
    raised=NOON,
    revised=NOON,
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khien.pipeline.deliver._GLANCE", 0.001)


def asked(address: str = "soc@bank.example", channel: str = "toy") -> Delivery:
    return Delivery(
        id=delivery_id(TOLD.id, 1, channel, address),
        about=TOLD.id,
        revision=1,
        channel=channel,
        address=address,
        due=NOON,
    )


@dataclass(frozen=True)
class Letterbox:
    """Takes what it is handed, or does as it is told."""

    name: ClassVar[str] = "letterbox"
    carries: ClassVar[type[Notice]] = Notice

    repeatable: bool = False
    does: Callable[[Delivery], str] = lambda _: "250 taken"
    early: bool = False  # whatever goes wrong does so before the point of no return
    taken: list[str] = field(default_factory=list[str])

    def send(self, record: Any, to: Delivery, commit: Callable[[], None], /) -> str:
        assert record.id == TOLD.id
        if not self.early:
            commit()
        self.taken.append(to.id)
        return self.does(to)


def store_with(*records: Record) -> Store:
    store = toy.Memory(toy.Place())
    store.save(*records)
    return store


def sent(store: Store, channel: Letterbox, now: datetime = NOON) -> Delivery:
    last = Event()
    last.set()
    deliver(store, {"toy": channel}, lambda: now, Event(), last)
    return store.load(Delivery, asked().id)[asked().id]


def refuse(error: Exception) -> Callable[[Delivery], str]:
    def does(_to: Delivery) -> str:
        raise error

    return does


def test_what_is_due_goes_out_once() -> None:
    store, box = store_with(TOLD, asked()), Letterbox()
    assert sent(store, box) == msgspec.structs.replace(asked(), state="sent", tries=1, sent=NOON, answer="250 taken")
    sent(store, box)
    assert box.taken == [asked().id]


def test_what_is_not_yet_due_waits() -> None:
    later = msgspec.structs.replace(asked(), due=NOON + timedelta(minutes=1))
    box = Letterbox()
    assert sent(store_with(TOLD, later), box) == later
    assert box.taken == []


def test_an_outage_is_waited_for_longer_and_longer_and_then_given_up() -> None:
    box = Letterbox(does=refuse(UnavailableError("nobody answers")))
    store, now, waits = store_with(TOLD, asked()), NOON, list[timedelta]()
    while (met := sent(store, box, now)).state == "due":
        waits.append(met.due - now)
        now = met.due
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == PATIENCE
    assert (met.state, len(box.taken)) == ("refused", MOST)
    assert timedelta(days=4) <= now - NOON < timedelta(days=5)
    assert "nobody answers" in met.why


@pytest.mark.parametrize(
    ("error", "repeatable", "state"),
    [
        (InputError("no such mailbox"), False, "refused"),
        (UncertainError("no answer after the last octet"), False, "uncertain"),
        (UncertainError("no answer after the last octet"), True, "due"),
        (ZeroDivisionError(), False, "uncertain"),  # a fault of ours behind the point of no return
    ],
)
def test_what_becomes_of_it_follows_from_the_error(error: Exception, repeatable: bool, state: str) -> None:
    met = sent(store_with(TOLD, asked()), Letterbox(repeatable, refuse(error)))
    assert met.state == state
    assert met.why


@pytest.mark.parametrize(("repeatable", "state", "sendings"), [(False, "uncertain", 0), (True, "sent", 1)])
def test_a_crash_between_sending_and_the_answer(repeatable: bool, state: str, sendings: int) -> None:
    """Killed while it was handed over: it is marked, and nobody knows."""
    store = store_with(TOLD, msgspec.structs.replace(asked(), state="sending", tries=1))
    box = Letterbox(repeatable)
    assert recover(store, {"toy": box}) == 1
    assert (sent(store, box).state, len(box.taken)) == (state, sendings)


def test_what_goes_wrong_before_the_point_of_no_return_was_never_marked() -> None:
    store = store_with(TOLD, asked())

    def looks(to: Delivery) -> str:
        assert store.load(Delivery, to.id)[to.id].state == "due"
        raise UnavailableError("nobody answers")

    assert sent(store, Letterbox(does=looks, early=True)).state == "due"


def test_a_fault_of_ours_before_the_point_of_no_return_is_no_doubt() -> None:
    box = Letterbox(does=refuse(ZeroDivisionError()), early=True)
    assert sent(store_with(TOLD, asked()), box).state == "refused"


def test_what_is_withdrawn_at_the_last_moment_is_not_handed_over() -> None:
    store = store_with(TOLD, asked())

    @dataclass(frozen=True)
    class Slow(Letterbox):
        def send(self, _record: Any, to: Delivery, commit: Callable[[], None], /) -> str:
            store.save(msgspec.structs.replace(to, state="withdrawn"))
            commit()
            raise AssertionError("it was handed over all the same")

    assert sent(store, Slow()).state == "withdrawn"


def test_it_is_marked_before_it_is_handed_over() -> None:
    store = store_with(TOLD, asked())

    def looks(to: Delivery) -> str:
        assert store.load(Delivery, to.id)[to.id].state == "sending"
        return "ok"

    assert sent(store, Letterbox(does=looks)).state == "sent"


def test_what_was_withdrawn_meanwhile_stays_withdrawn() -> None:
    store = store_with(TOLD, msgspec.structs.replace(asked(), state="withdrawn"))
    box = Letterbox()
    assert sent(store, box).state == "withdrawn"
    assert box.taken == []


def test_one_slow_address_keeps_no_other_waiting() -> None:
    slow, quick = Event(), asked("other@bank.example")
    store = store_with(TOLD, asked(), quick)

    def does(to: Delivery) -> str:
        if to.id == quick.id:
            slow.set()
        elif not slow.wait(10):
            raise AssertionError("the other one waited for this")
        return "ok"

    assert sent(store, Letterbox(does=does)).state == "sent"


def test_a_channel_that_is_not_configured_is_waited_for() -> None:
    met = store_with(TOLD, asked(channel="gone"))
    last = Event()
    last.set()
    deliver(met, {}, lambda: NOON, Event(), last)
    (waiting,) = met.load(Delivery, asked(channel="gone").id).values()
    assert waiting.state == "due"
    assert "gone" in waiting.why


HEARS = Hearing(channel="toy", address=asked().address)
BANK = Constituent(id="bank", label="Bank", hears=(HEARS,))
WAITS = msgspec.structs.replace(HEARS, after=timedelta(hours=2))


@pytest.mark.parametrize(
    ("told", "state", "ended"),
    [
        pytest.param(BANK, "open", "sent", id="still hears"),
        pytest.param(BANK, "acknowledged", "sent", id="was not told yet"),
        pytest.param(msgspec.structs.replace(BANK, hears=()), "open", "withdrawn", id="unsubscribed"),
        pytest.param(Constituent(id="bank", label="bank", left=NOON), "open", "withdrawn", id="left"),
        pytest.param(msgspec.structs.replace(BANK, hears=(WAITS,)), "open", "sent", id="its turn has come"),
        pytest.param(msgspec.structs.replace(BANK, hears=(WAITS,)), "acknowledged", "withdrawn", id="others have it"),
    ],
)
def test_what_waits_goes_to_who_still_wishes_to_hear(told: Constituent, state: NoticeState, ended: str) -> None:
    box = Letterbox()
    store = store_with(told, msgspec.structs.replace(TOLD, state=state), asked())
    assert sent(store, box).state == ended
    assert len(box.taken) == (ended == "sent")
