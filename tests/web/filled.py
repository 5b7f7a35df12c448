"""A place with constituents who were told, sites on their way to be gone, and officers of every role."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from khien import officers, schema
from khien.contracts import Store
from khien.model import (
    ROLES,
    Asset,
    Constituent,
    Delivery,
    Evidence,
    Finding,
    Hearing,
    Notice,
    Officer,
    Pass,
    Proof,
    Quiet,
    Reason,
    Record,
    Report,
    SourceState,
    Step,
    Subject,
    Takedown,
)

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
READ = AT + timedelta(seconds=90)
LATER = datetime(9000, 1, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>{{7*7}}\"'&\u202e"
SUBJECT = "saothuybank-otp.example.top"


class Filled(NamedTuple):
    """Ids of what is there."""

    finding: str
    notice: str
    hostile: str
    citizen: str
    delivery: str
    takedown: str
    constituent: str
    unproven: str


def secret(role: str) -> str:
    """What lets an officer of a role in, as a session; with khien_ before it, as a token."""
    return f"secret-of-the-{role}"


def fill(store: Store) -> Filled:
    """Saves it all; answers the ids."""
    found = _finding(SUBJECT)
    proof = Proof(how="officer", at=AT, by="lan", why=HOSTILE)
    bank = Constituent(
        id="saothuy",
        label="Ngân hàng Sao Thủy",
        sector="bank",
        hears=(
            Hearing(channel="mail", address="soc@saothuybank.vn", quiet=Quiet(begin="22:00", end="06:00")),
            Hearing(
                channel="webhook",
                address="https://saothuybank.vn/khien",
                language="en",
                secret_file="webhook.secret",
                after=timedelta(hours=2),
            ),
        ),
    )
    person = Constituent(id="citizen-1", label="Bà Hoa", sector="citizen", note=HOSTILE)
    assets = (_asset("domain", "saothuybank.vn", proof), _asset("brand", "vietcombank", None))
    notice = _notice("saothuy", found, first_sign=AT - timedelta(seconds=3))
    hostile = _notice("gone-since", found, value=HOSTILE, state="acknowledged", steps=(_step("acknowledge", HOSTILE),))
    citizen = _notice("citizen-1", found)
    sent = _delivery(notice, "mail", "soc@saothuybank.vn", "sent", sent=AT - timedelta(seconds=1), answer="250 OK")
    takedown = Takedown(
        id=found.id,
        subject=SUBJECT,
        claim="vietcombank",
        due=AT + timedelta(days=1),
        up=AT - timedelta(hours=5),
        state="gone",
        spells=((AT - timedelta(hours=5), AT - timedelta(hours=2)),),
        reports=(Report(role="registrar", address="abuse@registrar.example", at=AT),),
        steps=(_step("begin", "lan"), _step("report", "khien"), _step("lose", "khien")),
    )
    records: list[Record] = [found, bank, person, *assets, notice, hostile, citizen, sent, takedown]
    since = AT - timedelta(days=1)
    records.append(_delivery(notice, "webhook", "https://saothuybank.vn/khien", "due", due=since, why=HOSTILE))
    records.append(_delivery(notice, "abuse", "abuse@registrar.example", "sent", about=takedown.id, sent=AT))
    records += [_evidence(*each) for each in STATED]
    records.append(SourceState(id="ct", rows=12_000_000, skipped=3, findings=7, newest=AT, behind=140, read_at=READ))
    records.append(SourceState(id=HOSTILE, table="names", trouble=HOSTILE))
    for role in ROLES:
        records.append(Officer(id=role, label=role.title(), role=role))
        records += [_pass(role, "session", secret(role)), _pass(role, "token", f"{officers.TOKEN}{secret(role)}")]
    store.save(*records)
    return Filled(found.id, notice.id, hostile.id, citizen.id, sent.id, takedown.id, bank.id, assets[1].id)


STATED = (
    ("certificate", "certified", {"name": SUBJECT, "issuer": "Let's Encrypt R11", "serial": "03", "not_before": "x",
                                  "not_after": "x", "log": "Argon", "index": "7"}),
    ("resolution", "resolves", {"addresses": "203.0.113.9", "canonical": SUBJECT}),
    ("registration", "registered", {"domain": "example.top", "created": "2026-11-20T00:00:00+00:00", "abuse": "",
                                    "registrar": "Registrar", "expires": "", "status": ""}),
    ("network", "hosted", {"address": "203.0.113.9", "network": "EXAMPLE", "country": "VN", "abuse": "", "handle": ""}),
    ("page", "answers", {"status": "200", "title": HOSTILE, "url": f"https://{SUBJECT}/"}),
    ("list/openphish", "listed", {"list": "openphish", "url": f"https://{SUBJECT}/", "harm": "phishing"}),
    ("mail", "no-mail", {}),
    ("report", "reported", {"count": "3", "channel": "mail"}),
)  # fmt: skip


def _finding(subject: str) -> Finding:
    return Finding(
        id=schema.finding_id("lookalike", "domain", subject, "vietcombank").hex(),
        detector="lookalike",
        kind="domain",
        subject=subject,
        claim="vietcombank",
        score=0.97,
        techniques=("combosquat",),
        reasons=(Reason(code="combosquat", params={"brand": "Vietcombank", "word": "vietcombank"}),),
        raised=AT,
    )


def _asset(kind: str, value: str, proof: Proof | None) -> Asset:
    known = schema.asset_id(kind, value, "saothuy")
    return Asset(id=known, kind=kind, value=value, constituent="saothuy", proof=proof)  # type: ignore[arg-type]


def _notice(constituent: str, found: Finding, value: str = SUBJECT, **fields: object) -> Notice:
    given: dict[str, object] = {
        "id": schema.notice_id(constituent, found.id),
        "constituent": constituent,
        "detector": "lookalike",
        "severity": "high",
        "score": 0.97,
        "subjects": (Subject(finding=found.id, value=value, claim="vietcombank"),),
        "reasons": found.reasons,
        "raised": AT,
        "revised": AT,
        "label": constituent,
        "sector": "citizen" if constituent.startswith("citizen") else "bank",
    }
    return Notice(**(given | fields))  # type: ignore[arg-type]


def _delivery(notice: Notice, channel: str, address: str, state: str, about: str = "", **fields: object) -> Delivery:
    about = about or notice.id
    known = schema.delivery_id(about, 1, channel, address)
    given = {
        "id": known,
        "about": about,
        "revision": 1,
        "channel": channel,
        "address": address,
        "due": AT,
        "state": state,
    }
    return Delivery(**(given | fields))  # type: ignore[arg-type]


def _evidence(topic: str, code: str, params: dict[str, str]) -> Evidence:
    known = schema.evidence_id(SUBJECT, topic, "test")
    since = AT - timedelta(days=2)
    return Evidence(id=known, subject=SUBJECT, topic=topic, code=code, source="test", since=since, at=AT, params=params)


def _step(act: str, by: str) -> Step:
    return Step(at=AT, act=act, by=by, why=HOSTILE)


def _pass(role: str, kind: str, shown: str) -> Pass:
    return Pass(id=officers.digest(shown), officer=role, kind=kind, role=role, made=AT, until=LATER)  # type: ignore[arg-type]
