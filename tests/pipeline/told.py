"""A constituent who was told of a site and has not answered, and the audit of who acts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import schema
from khien.audit import Audit
from khien.contracts import Store
from khien.model import Constituent, Delivery, Finding, Hearing, Notice, Quiet, Record, Report, Step, Subject, Takedown
from tests import toy

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)  # 19:00 in Hanoi
HOUR = timedelta(hours=1)
AUDIT = Audit(Ed25519PrivateKey.from_private_bytes(b"a" * 32), lambda: NOON, lambda size: b"s" * size)
HEARING = Hearing(channel="mail", address="soc@bank.example", quiet=Quiet(begin="22:00", end="06:00"))
BANK = Constituent(id="bank", label="Big Bank", hears=(HEARING,), patience=4 * HOUR)
SITE = "bigbank-login.example"
FOUND = Finding(
    id=schema.finding_id("lookalike", "domain", SITE, "bigbank").hex(),
    detector="lookalike",
    kind="domain",
    subject=SITE,
    claim="bigbank",
    score=0.97,
    techniques=(),
    reasons=(),
    raised=NOON,
)


def notice(constituent: str = "bank", finding: Finding = FOUND, **fields: Any) -> Notice:
    subject = Subject(finding=finding.id, value=finding.subject, claim=finding.claim)
    given: dict[str, Any] = {
        "id": schema.notice_id(constituent, finding.id),
        "constituent": constituent,
        "detector": "lookalike",
        "severity": "high",
        "score": 0.97,
        "subjects": (subject,),
        "raised": NOON,
        "revised": NOON,
    }
    return Notice(**(given | fields))


def delivery(about: str, revision: int = 1, address: str = HEARING.address, **fields: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": schema.delivery_id(about, revision, "mail", address),
        "about": about,
        "revision": revision,
        "channel": "mail",
        "address": address,
        "due": NOON,
    }
    return Delivery(**(given | fields))


TOLD = notice()
SENT = delivery(TOLD.id, state="sent", sent=NOON)
REPORTED = Takedown(
    id=FOUND.id,
    subject=SITE,
    claim="bigbank",
    state="reported",
    due=NOON + 24 * HOUR,
    up=NOON - HOUR,
    spells=((NOON - HOUR, None),),
    reports=(Report(role="host", address="abuse@host.example", at=NOON),),
    steps=(Step(at=NOON - HOUR, act="begin", by="Lan"), Step(at=NOON, act="report", by="khien")),
)
REPORT = msgspec.structs.replace(delivery(FOUND.id, address="abuse@host.example"), channel="abuse", due=NOON + HOUR)


def place(*records: Record) -> Store:
    store = toy.Memory(toy.Place())
    store.save(*records)
    return store


def outbox(store: Store, about: str) -> dict[tuple[str, int], str]:
    """The states of what goes out about something, by address and revision."""
    return {(each.address, each.revision): each.state for each in store.find(Delivery, about=about)}
