"""What people do changes what goes out, once and for all, and stands in the audit under their name."""

from typing import Any

import msgspec
import pytest

from khien import audit, officers, schema
from khien.errors import InputError
from khien.model import Asset, Constituent, Evidence, Finding, Hearing, Notice, Officer, Pass, Proof, ProtectedName
from khien.pipeline import enrol
from khien.pipeline.steering import Enrolling, Staffing, Steering
from khien.pipeline.warn import Triage
from khien.triage import life
from khien.triage.assets import Known
from tests.pipeline.told import (
    AUDIT,
    BANK,
    FOUND,
    HEARING,
    HOUR,
    NOON,
    REPORT,
    REPORTED,
    SENT,
    TOLD,
    delivery,
    outbox,
    place,
)

CHIEF = "chief@bank.example"
NAME = ProtectedName(id="bigbank", label="Big Bank", sector="bank", words=("bigbank",))


def acts(store: Any) -> list[tuple[str, str]]:
    return [(each.by, each.act) for each in audit.read(store)]


@pytest.mark.parametrize(
    ("act", "reminder", "first"),
    [("acknowledge", "withdrawn", "due"), ("own", "withdrawn", "withdrawn"), ("withdraw", "withdrawn", "withdrawn")],
)
def test_who_answered_is_not_reminded_and_who_was_never_told_still_is_of_what_is_in_hand(
    act: str, reminder: str, first: str
) -> None:
    """A reminder that waits for the end of quiet hours is not sent to who acknowledged meanwhile."""
    store = place(BANK, FOUND, TOLD, SENT, delivery(TOLD.id, 2), delivery(TOLD.id, 1, CHIEF))
    Steering(store, AUDIT).answer(TOLD.id, act, by="bank")
    assert outbox(store, TOLD.id) == {(HEARING.address, 1): "sent", (HEARING.address, 2): reminder, (CHIEF, 1): first}


def test_of_a_takedown_that_is_closed_no_report_goes_out() -> None:
    store = place(FOUND, REPORTED, REPORT)
    assert Steering(store, AUDIT).close(FOUND.id, by="Lan", why="enough").state == "closed"
    assert outbox(store, FOUND.id) == {(REPORT.address, 1): "withdrawn"}
    assert acts(store) == [("Lan", "takedown-closed")]


def test_what_was_dismissed_and_is_reopened_is_told_as_if_it_were_new() -> None:
    """The register that a page is weighed against counts: without it nobody would hear."""
    dismissed = life.move(FOUND, life.DISMISS, by="Hoa", at=NOON)
    proof = Proof(how="officer", at=NOON, by="Lan", why="called back")
    brand = Asset(id="brand", kind="brand", value="bigbank", constituent="bank", proof=proof)
    page = Evidence(
        id=schema.evidence_id(FOUND.subject, "page", "site"),
        subject=FOUND.subject,
        topic="page",
        source="site",
        code="answers",
        params={"status": "200", "title": "Big Bank - sign in", "url": f"https://{FOUND.subject}/"},
        at=NOON,
        since=NOON,
    )
    store = place(BANK, brand, dismissed, page)
    moved = Steering(store, AUDIT, Triage(protected={"bigbank": NAME})).move(FOUND.id, "reopen", by="Lan")
    (told,) = store.find(Notice)
    assert (moved.state, told.constituent, told.subjects[0].finding) == ("new", "bank", FOUND.id)
    assert outbox(store, told.id) == {(HEARING.address, 1): "due"}


@pytest.mark.parametrize(
    "act",
    [
        lambda steering: steering.move("0" * 64, "confirm", by="Lan"),
        lambda steering: steering.answer("0" * 64, "acknowledge", by="Lan"),
        lambda steering: steering.begin("0" * 64, by="Lan"),
        lambda steering: steering.close("0" * 64, by="Lan"),
    ],
)
def test_what_is_not_there_is_not_steered(act: Any) -> None:
    store = place()
    with pytest.raises(InputError, match=r"there is no (finding|notice|takedown)"):
        act(Steering(store, AUDIT))
    assert acts(store) == []


@pytest.fixture
def enrolling() -> Enrolling:
    store = place(BANK, FOUND, TOLD, SENT)
    return Enrolling(store, AUDIT, {"bigbank": NAME}, Known({"bigbank"}, lambda _: False))


def theirs(enrolling: Enrolling) -> dict[str, str | None]:
    found = enrol.one(enrolling.store, "bank")
    assert found
    return {each.value: each.proof.how if each.proof else None for each in found.current}


def test_what_is_claimed_is_vouched_for(enrolling: Enrolling) -> None:
    (claimed,) = enrolling.claim("bank", "domain", "BigBank.example.", by="Lan")
    assert (claimed.act, claimed.name) == ("add", "bigbank.example")
    assert enrolling.claim("bank", "domain", "bigbank.example", by="Lan") == []
    enrolling.vouch("bank", schema.asset_id("domain", "bigbank.example", "bank"), by="Lan", why="called back")
    assert theirs(enrolling) == {"bigbank.example": "officer"}
    enrolling.enter("bank", {"sector": "bank"}, by="Lan")
    assert theirs(enrolling) == {"bigbank.example": "officer"}
    with pytest.raises(InputError, match="has no asset"):
        enrolling.vouch("bank", "another", by="Lan", why="called back")


def test_who_is_new_has_a_label(enrolling: Enrolling) -> None:
    with pytest.raises(InputError, match="no constituent yet"):
        enrolling.claim("shop", "domain", "shop.example", by="Lan")
    with pytest.raises(InputError, match="there is no constituent"):
        enrolling.hear("shop", HEARING, by="Lan")
    enrolling.enter("shop", {"label": "Shop"}, by="Lan")
    assert enrolling.store.load(Constituent, "shop")["shop"].label == "Shop"


def test_a_way_to_hear_is_one_for_each_address(enrolling: Enrolling) -> None:
    quieter = msgspec.structs.replace(HEARING, least="high")
    other = Hearing(channel="mail", address=CHIEF, after=2 * HOUR)
    enrolling.hear("bank", quieter, by="Lan")
    enrolling.hear("bank", other, by="Lan")
    assert enrolling.store.load(Constituent, "bank")["bank"].hears == (quieter, other)
    enrolling.stop("bank", "mail", CHIEF, by="Lan")
    with pytest.raises(InputError, match="does not hear by mail"):
        enrolling.stop("bank", "mail", CHIEF, by="Lan")
    enrolling.unsubscribe(SENT.id, by="bank")
    enrolling.unsubscribe(SENT.id, by="bank")  # said twice is said once
    assert enrolling.store.load(Constituent, "bank")["bank"].hears == ()
    assert acts(enrolling.store)[-1] == ("bank", "constituent-changed")


def test_officers_come_change_and_leave() -> None:
    store = place()
    staffing = Staffing(store, AUDIT)
    code = staffing.invite("lan", by="root", role="officer", label="Lan")
    assert officers.expect_invited(store.load(Officer, "lan")["lan"], code, NOON).role == "officer"
    assert code not in str([each.params for each in audit.read(store)])
    staffing.grant("lan", "approver", by="root")
    let = officers.session(store.load(Officer, "lan")["lan"], "secret", NOON)
    other = msgspec.structs.replace(let, id="another")
    store.save(let, other)
    staffing.revoke(let, by="root")
    assert [each.id for each in officers.passes(store, "lan", NOON)] == ["another"]
    staffing.leave("lan", by="root")
    assert store.load(Officer, "lan")["lan"].role == "approver"
    assert store.load(Officer, "lan")["lan"].left == NOON
    assert store.load(Pass, "another")["another"].until == NOON
    assert acts(store) == [
        ("root", each) for each in ("officer-invited", "officer-changed", "pass-revoked", "officer-left")
    ]
    with pytest.raises(InputError, match="no officer"):
        staffing.grant("lan", "viewer", by="root")


def test_nothing_is_done_that_the_audit_could_not_tell() -> None:
    store = place(FOUND)
    Steering(store, AUDIT).move(FOUND.id, "confirm", by="Lan", why="its page")
    (entry,) = audit.read(store)
    assert (entry.what, entry.params) == (FOUND.id, {"act": "confirm", "why": "its page"})
    assert store.load(Finding, FOUND.id)[FOUND.id].state == "confirmed"
