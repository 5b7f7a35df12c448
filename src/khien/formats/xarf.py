"""A takedown as a report of abuse: XARF 4 for programs (xarf.org, version 4.2.0), and a letter for people."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from khien import words
from khien.model import Report, Takedown
from khien.triage.advice import harmless, moment
from khien.triage.takedown import SEE

VERSION = "4.2.0"

_COUNTRY = re.compile(r"[A-Z]{2}")
_FIELDS = ("title", "address", "network", "registrar", "created")  # facts that the letter lists


class Reporter(NamedTuple):
    """Who reports: an organisation, its mail address and its domain."""

    org: str
    contact: str
    domain: str


class Complaint(NamedTuple):
    """A takedown as it is told to one contact: the report to it, and those it was sent before."""

    takedown: Takedown
    now: Report
    before: tuple[Report, ...] = ()


def complaint(takedown: Takedown, address: str) -> Complaint | None:
    """What is told to an address; None: nothing was decided to be."""
    reports = tuple(each for each in takedown.reports if each.address == address)
    return Complaint(takedown, reports[-1], reports[:-1]) if reports else None


def xarf(told: Complaint, by: Reporter, id: str) -> bytes:
    """A report as JSON: content/phishing, or content/remote_compromise where the site was broken into. id: in hex, of
    32 digits or more; the same id gives the same report."""
    takedown, facts = told.takedown, told.takedown.facts
    hacked = takedown.site == "hacked"
    proof = "\n".join(f"{name}: {text}" for name, text in sorted(facts.items())).encode()
    report: dict[str, Any] = {
        "xarf_version": VERSION,
        "report_id": str(UUID(hex=id[:32], version=4)),
        "timestamp": told.now.at.astimezone(UTC),
        "reporter": by._asdict(),
        "sender": by._asdict(),
        "source_identifier": takedown.subject
        if told.now.role == "registrar"
        else facts.get("address", takedown.subject),
        "category": "content",
        "type": "remote_compromise" if hacked else "phishing",
        "url": _url(takedown),
        "domain": takedown.subject,
        "target_brand": facts.get("brand", takedown.claim),
        "evidence_source": "automated_scan",
        "verification_method": "automated_crawler",
        "first_seen": takedown.up.astimezone(UTC),
        "description": " ".join(_what(told, "en")),
        "evidence": [
            {
                "content_type": "text/plain",
                "description": "What was found out about the site",
                "payload": b64encode(proof).decode("ascii"),
                "hash": f"sha256:{hashlib.sha256(proof).hexdigest()}",
                "size": len(proof),
            }
        ],
    }
    if hacked:
        report |= {"compromise_type": "phishing_kit", "malicious_activities": ["hosting_phishing"]}
    for name, fact in (("registrar", "registrar"), ("hosting_provider", "network"), ("country_code", "country")):
        if fact in facts and (fact != "country" or _COUNTRY.fullmatch(facts[fact])):
            report[name] = facts[fact]
    return msgspec.json.format(msgspec.json.encode(report), indent=2)


def subject(told: Complaint, language: str) -> str:
    """What the letter is about, on one line."""
    takedown = told.takedown
    came_back = max((each.at for each in takedown.steps if each.act == SEE), default=None)
    code = "subject"
    if told.before:
        code = "subject-back" if came_back and came_back > told.before[-1].at else "subject-again"
    return words.abuse(code, language, brand=_brand(takedown), name=harmless(takedown.subject), id=takedown.id[:12])


def text(told: Complaint, language: str, zone: tzinfo, signed: str) -> str:
    """The letter, with times as they are in a zone; signed: who writes, and how they are reached."""
    greeting = "greeting-owner" if told.now.role == "owner" else "greeting"
    parts = [
        words.abuse(greeting, language),
        "\n".join((*_what(told, language), words.abuse(f"ask-{told.now.role}", language))),
        "\n".join(_facts(told.takedown, language, zone)),
    ]
    if told.before:
        parts.append(words.abuse("again", language, time=moment(told.before[-1].at, zone, language)))
    parts.append(f"{words.abuse('answer', language)}\n{words.abuse('attached', language)}")
    return "\n\n".join((*parts, signed)) + "\n"


def _what(told: Complaint, language: str) -> Iterator[str]:
    owner = told.now.role == "owner"
    yield words.abuse("what-owner" if owner else "what", language, brand=_brand(told.takedown))
    if told.takedown.site == "hacked" and not owner:
        yield words.abuse("what-hacked", language)


def _facts(takedown: Takedown, language: str, zone: tzinfo) -> Iterator[str]:
    told = {"url": harmless(_url(takedown)), "domain": harmless(takedown.subject)}
    told |= {name: harmless(takedown.facts[name]) for name in _FIELDS if name in takedown.facts}
    if "created" in told:
        told["created"] = _moment(takedown.facts["created"], zone, language)
    told["up"] = moment(takedown.up, zone, language)
    for name, said in told.items():
        yield f"{words.abuse(f'field-{name}', language)}: {said}"


def _moment(written: str, zone: tzinfo, language: str) -> str:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return harmless(written)
    return moment(at if at.tzinfo else at.replace(tzinfo=UTC), zone, language)


def _url(takedown: Takedown) -> str:
    return takedown.url or takedown.facts.get("url") or f"http://{takedown.subject}/"


def _brand(takedown: Takedown) -> str:
    return harmless(takedown.facts.get("brand", takedown.claim))
