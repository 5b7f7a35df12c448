"""XARF 4: every report keeps the schema, and its letter asks who reads it for what they can do."""

import hashlib
import json
from base64 import b64decode
from datetime import UTC, timedelta
from typing import Any

import jsonschema_rs
import pytest

from khien import words
from khien.formats.xarf import Reporter, complaint, subject, text, xarf
from khien.model import Report, Step, Takedown
from tests.channels import samples

BY = Reporter("Trung tâm CSIRT", "abuse-desk@csirt.example", "csirt.example")
ID = "0123456789abcdef" * 4
TEXT = {"type": "string", "minLength": 1}
CONTACT = {
    "type": "object",
    "required": ["org", "contact", "domain"],
    "additionalProperties": False,
    "properties": {
        "org": {**TEXT, "maxLength": 200},
        "contact": {"type": "string", "format": "email"},
        "domain": {"type": "string", "format": "hostname"},
    },
}
SCHEMA = jsonschema_rs.Draft202012Validator(  # of xarf-core, content-base and the two types, as far as we write them
    {
        "type": "object",
        "required": "xarf_version report_id timestamp reporter sender source_identifier category type url".split(),
        "properties": {
            "xarf_version": {"pattern": r"^4\.[0-9]+\.[0-9]+$"},
            "report_id": {"format": "uuid", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]"},
            "timestamp": {"format": "date-time"},
            "first_seen": {"format": "date-time"},
            "reporter": CONTACT,
            "sender": CONTACT,
            "source_identifier": TEXT,
            "category": {"const": "content"},
            "type": {"enum": ["phishing", "remote_compromise"]},
            "url": {"format": "uri"},
            "domain": {"format": "hostname"},
            "country_code": {"pattern": "^[A-Z]{2}$"},
            "verification_method": {
                "enum": ["manual", "automated_crawler", "user_report", "honeypot", "threat_intelligence"]
            },
            "description": {"type": "string", "maxLength": 1000},
            "evidence": {
                "maxItems": 50,
                "items": {
                    "required": ["content_type", "payload"],
                    "additionalProperties": False,
                    "properties": {
                        "content_type": TEXT,
                        "description": {"type": "string", "maxLength": 500},
                        "payload": {"type": "string", "contentEncoding": "base64"},
                        "hash": {"pattern": "^(md5|sha1|sha256|sha512):[a-fA-F0-9]+$"},
                        "size": {"type": "integer", "minimum": 0, "maximum": 5242880},
                    },
                },
            },
        },
        "if": {"properties": {"type": {"const": "remote_compromise"}}},
        "then": {"required": ["compromise_type"], "properties": {"compromise_type": {"enum": ["phishing_kit"]}}},
    },
    validate_formats=True,
)


def told(takedown: Takedown, address: str = "abuse@host.example") -> Any:
    found = complaint(takedown, address)
    assert found is not None
    return found


def report(takedown: Takedown) -> dict[str, Any]:
    written = json.loads(xarf(told(takedown), BY, ID))
    SCHEMA.validate(written)
    return written


def by(role: str, **changed: Any) -> Takedown:
    return samples.takedown(reports=(Report(role=role, address="abuse@host.example", at=samples.NOON),), **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "takedown",
    [
        samples.takedown(),
        samples.takedown(facts={}),
        samples.takedown(facts={"country": "Nirgendwo", "title": "\0\ud7ff" * 400, "brand": "B"}),
        samples.takedown(subject="shop.example", url="https://shop.example/vcb", unit="url", site="hacked"),
        by("registrar"),
    ],
)
def test_every_report_keeps_the_schema(takedown: Takedown) -> None:
    written = report(takedown)
    assert xarf(told(takedown), BY, ID) == xarf(told(takedown), BY, ID)
    [evidence] = written["evidence"]
    proof = b64decode(evidence["payload"])
    assert evidence["hash"] == f"sha256:{hashlib.sha256(proof).hexdigest()}"
    assert evidence["size"] == len(proof)


def test_the_schema_of_the_test_refuses_what_xarf_does() -> None:
    good = report(samples.takedown())
    for changed in ({"report_id": "1"}, {"url": "no url"}, {"category": "phishing"}, {"reporter": {"org": "x"}}):
        assert not SCHEMA.is_valid({**good, **changed})


def test_a_program_is_told_where_and_what() -> None:
    written = report(samples.takedown())
    assert (written["category"], written["type"]) == ("content", "phishing")
    assert written["url"] == "https://vietc0mbank-login.top/dang-nhap"
    assert (written["source_identifier"], written["target_brand"]) == ("198.51.100.7", "Vietcombank")
    assert report(by("registrar"))["source_identifier"] == "vietc0mbank-login.top"
    hacked = report(samples.takedown(site="hacked"))
    assert (hacked["type"], hacked["compromise_type"]) == ("remote_compromise", "phishing_kit")


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("role", ["registrar", "host", "cdn", "owner"])
def test_who_reads_it_is_asked_for_what_they_can_do(role: str, language: str) -> None:
    letter = text(told(by(role)), language, UTC, "CSIRT\n+84 24 0000")
    assert words.abuse(f"ask-{role}", language) in letter
    assert "hxxps://vietc0mbank-login[.]top/dang-nhap" in letter
    assert "http" not in letter
    assert letter.endswith("CSIRT\n+84 24 0000\n")


def test_the_owner_of_a_hacked_site_is_not_accused() -> None:
    letter = text(told(by("owner", site="hacked")), "en", UTC, "CSIRT")
    assert "We think that intruders put it there, and not you." in letter
    assert "do not punish them" in text(told(by("host", site="hacked")), "en", UTC, "CSIRT")


def test_who_was_asked_before_is_told_that_it_is_still_up_or_back() -> None:
    first = samples.takedown().reports[0]
    again = Report(role="host", address=first.address, at=samples.NOON + timedelta(days=1))
    still = samples.takedown(reports=(first, again))
    assert subject(told(samples.takedown()), "en").startswith("Abuse report: ")
    assert subject(told(still), "en").startswith("Still up: ")
    assert "We wrote to you of this before, on 05:00 2026-11-22" in text(told(still), "en", UTC, "CSIRT")
    seen = Step(at=samples.NOON + timedelta(hours=20), act="see", by="khien")
    back = samples.takedown(reports=(first, again), steps=(*still.steps, seen))
    assert subject(told(back), "vi").startswith("Đã quay lại: ")
    assert complaint(still, "else@host.example") is None
