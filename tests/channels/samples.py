"""Records that channels and formats are tried with."""

from datetime import UTC, datetime, timedelta
from typing import Any

from khien import schema
from khien.model import Delivery, Notice, Reason, Report, Step, Subject, Takedown, Wish

NOON = datetime(2026, 11, 22, 5, tzinfo=UTC)
OVER = Reason(code="flood-packets", params={"vector": "syn", "rate": "1200000", "line": "5000", "times": "240"})
LOOKS = Reason(code="ascii-lookalike", params={"brand": "Vietcombank", "word": "vietcombank", "part": "vietc0mbank"})


def commit() -> None:
    """Nothing stands against handing over."""


def notice(*names: str, **changed: Any) -> Notice:
    made: dict[str, Any] = {
        "id": schema.notice_id("bank", "finding"),
        "constituent": "bank",
        "label": "Ngân hàng Sao Thủy",
        "detector": "lookalike",
        "severity": "high",
        "score": 0.97,
        "subjects": tuple(
            Subject(finding=f"{number:064x}", value=name, claim="vietcombank")
            for number, name in enumerate(names or ("vietc0mbank-login.top",), 1)
        ),
        "reasons": (LOOKS,),
        "first_sign": NOON - timedelta(minutes=3),
        "raised": NOON,
        "revised": NOON,
    }
    return Notice(**{**made, **changed})


def flood(claim: str = "flood", **changed: Any) -> Notice:
    return notice(
        subjects=(Subject(finding="f" * 64, value="203.0.113.9", claim=claim, unit="host"),),
        detector="flood",
        severity="critical",
        reasons=(OVER,),
        measures={"packets": 1.2e6, "bits": 9.6e9, "syn.packets": 1e6, "ntp.packets": 2e5, "syn.port.443": 0.9},
        **changed,
    )


def wish(sealed: str) -> Wish:
    return Wish(id="ab" * 16, epoch=1, sealed=sealed, at=NOON, until=NOON.date() + timedelta(days=700))


def to(record: Notice | Takedown | Wish, address: str, **changed: Any) -> Delivery:
    channel = "mail" if isinstance(record, Notice) else "abuse"
    revision = 1 if isinstance(record, Wish) else record.revision
    made: dict[str, Any] = {
        "id": schema.delivery_id(record.id, revision, channel, address),
        "about": record.id,
        "revision": revision,
        "channel": channel,
        "address": address,
        "due": NOON,
    }
    return Delivery(**{**made, **changed})


def takedown(address: str = "abuse@host.example", **changed: Any) -> Takedown:
    made: dict[str, Any] = {
        "id": f"{1:064x}",
        "subject": "vietc0mbank-login.top",
        "site": "registered-for-harm",
        "claim": "vietcombank",
        "state": "reported",
        "due": NOON + timedelta(days=1),
        "up": NOON - timedelta(hours=2),
        "spells": ((NOON - timedelta(hours=2), None),),
        "facts": {
            "brand": "Vietcombank",
            "address": "198.51.100.7",
            "network": "EXAMPLE-NET",
            "country": "NL",
            "registrar": "Registrar of Example",
            "created": "2026-11-20T01:02:03Z",
            "title": "Đăng nhập <b>VCB</b> http://evil.example/",
            "url": "https://vietc0mbank-login.top/dang-nhap",
        },
        "reports": (Report(role="host", address=address, at=NOON),),
        "steps": (Step(at=NOON, act="begin", by="Lan"), Step(at=NOON, act="report", by="khien")),
    }
    return Takedown(**{**made, **changed})
