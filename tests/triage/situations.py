"""Findings, facts and constituents as the tests of triage use them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from khien import schema
from khien.model import Asset, Constituent, Delivery, Evidence, Finding, Hearing, Notice, Proof, ProtectedName, Reason
from khien.triage import decide, evidence

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MAIL = Hearing(channel="mail", address="soc@bank.example", language="vi", least="medium")
BANK = Constituent(id="bank", label="Bank", sector="bank", hears=(MAIL,))
BRAND = ProtectedName(id="vietcombank", label="Vietcombank", sector="bank", words=("vietcombank",), short=("vcb",))
SOURCES = {"registration": "rdap", "page": "site", "certificate": "ct"}


def finding(subject: str = "vietcombank-login.top", score: float = 0.99, **more: Any) -> Finding:
    """A name that imitates the bank."""
    claim = more.pop("claim", BRAND.id)
    reasons = more.pop("reasons", (Reason(code="lure", params={"lures": "login"}),))
    return Finding(
        id=schema.finding_id("lookalike", "domain", subject, claim).hex(),
        detector="lookalike",
        kind="domain",
        subject=subject,
        claim=claim,
        score=score,
        techniques=more.pop("techniques", ("combosquat",)),
        reasons=reasons,
        raised=NOON,
        start=NOON - timedelta(minutes=1),
        **more,
    )


def flood(subject: str = "203.0.113.7", score: float = 0.9, **more: Any) -> Finding:
    """A flood of an address."""
    episode = more.pop("episode", NOON)
    return Finding(
        id=schema.finding_id("flood", "address", subject, "flood", episode.isoformat()).hex(),
        detector="flood",
        kind="address",
        subject=subject,
        claim="flood",
        score=score,
        raised=NOON,
        end=more.pop("end", NOON),
        episode=episode,
        measures=more.pop("measures", {"bits": 5e8}),
        **more,
    )


def said(topic: str, code: str, subject: str = "vietcombank-login.top", at: datetime = NOON, **params: str) -> Evidence:
    """A fact, its other parameters empty."""
    source = SOURCES.get(topic, "resolver")
    known = dict.fromkeys(evidence.parameters(topic, code) or (), "")
    return Evidence(
        id=schema.evidence_id(subject, topic, source),
        subject=subject,
        topic=topic,
        code=code,
        source=source,
        since=at,
        at=at,
        params=known | params,
    )


def titled(subject: str = "vietcombank-login.top", at: datetime = NOON) -> Evidence:
    """A page there that calls itself by the bank's name."""
    return said(
        "page", "answers", subject, at, status="200", title="Vietcombank | Đăng nhập", url=f"https://{subject}/"
    )


def listed(subject: str = "vietcombank-login.top", at: datetime = NOON, **params: str) -> Evidence:
    """A list that names it."""
    return said("list/openphish", "listed", subject, at, list="openphish", harm="fraud", **params)


def registered(days: int, subject: str = "vietcombank-login.top", **params: str) -> Evidence:
    """A registration so many days old."""
    created = (NOON - timedelta(days=days)).isoformat()
    return said("registration", "registered", subject, domain=subject, created=created, **params)


class Desk:
    """What a constituent was told so far: each decision is taken on what the ones before left."""

    def __init__(self, *owners: Constituent, kind: str = "brand") -> None:
        self.owners = owners or (BANK,)
        self.notices: dict[str, Notice] = {}
        self.deliveries: dict[str, Delivery] = {}
        proof = Proof(how="officer", at=NOON)
        self.assets = tuple(
            Asset(id=each.id, kind=kind, value="-", constituent=each.id, proof=proof)  # pyright: ignore[reportArgumentType]
            for each in self.owners
        )

    def decide(self, found: Finding, *facts: Evidence, at: datetime = NOON) -> tuple[Notice | Delivery, ...]:
        """What is new or changed; taken in."""
        situation = decide.Situation(
            finding=found,
            evidence=facts,
            owners=self.owners,
            notices=tuple(self.notices.values()),
            deliveries=tuple(self.deliveries.values()),
            protected=BRAND,
            assets=self.assets,
        )
        return self.take(decide.decide(situation, at))

    def take(self, records: tuple[Notice | Delivery, ...]) -> tuple[Notice | Delivery, ...]:
        """Keeps records as a store would."""
        for each in records:
            if isinstance(each, Notice):
                self.notices[each.id] = each
            else:
                self.deliveries[each.id] = each
        return records

    def send(self, at: datetime = NOON) -> list[Delivery]:
        """What is due goes out."""
        due = [each for each in self.deliveries.values() if each.state == "due" and each.due <= at]
        for each in due:
            self.deliveries[each.id] = msgspec.structs.replace(each, state="sent", sent=at)
        return due

    def notice(self) -> Notice:
        """The one notice there is."""
        (notice,) = self.notices.values()
        return notice
