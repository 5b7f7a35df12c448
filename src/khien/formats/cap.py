"""A notice in the Common Alerting Protocol: CAP 1.2 (OASIS, 1 July 2010), one document, both languages.

A revision of a notice is an update that refers to the first message; a notice that is over, or that they say is theirs,
is cancelled. Element names and values are the standard's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from khien import words
from khien.flows.judge import FLOOD, TAKES_PART
from khien.model import Language, Notice, Severity
from khien.triage.advice import advice
from khien.triage.decide import EXPOSURE

MEDIA_TYPE = "application/cap+xml"

_NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
_SEVERITIES: Mapping[Severity, str] = {
    "low": "Minor",
    "medium": "Moderate",
    "high": "Severe",
    "critical": "Extreme",
}
_LANGUAGES: Mapping[Language, str] = {"vi": "vi-VN", "en": "en-US"}


class Sender(NamedTuple):
    """Who tells: id is a domain or address of ours, without blanks and commas; label and contact are for people."""

    id: str
    label: str = ""
    contact: str = ""


def cap(notice: Notice, by: Sender, *, web: Mapping[str, str] | None = None, replay: bool = False) -> bytes:
    """A notice as an XML document. web: by language, where more of it stands; replay: it is dated, and an exercise."""
    root = Element("alert", xmlns=_NAMESPACE)
    kind = _kind(notice)
    _put(root, "identifier", identifier(notice, notice.revision))
    _put(root, "sender", by.id)
    _put(root, "sent", _time(notice.revised))
    _put(root, "status", "Exercise" if replay else "Actual")
    _put(root, "msgType", kind)
    _put(root, "scope", "Private")
    _put(root, "addresses", notice.constituent)
    if kind != "Alert":
        _put(root, "references", f"{by.id},{identifier(notice, 1)},{_time(notice.raised)}")
    for language, tag in _LANGUAGES.items():
        _info(SubElement(root, "info"), notice, by, language, tag, (web or {}).get(language, ""))
    return tostring(root, encoding="utf-8", xml_declaration=True)


def identifier(notice: Notice, revision: int) -> str:
    """Of the message that tells a revision of a notice; it never changes."""
    return f"{notice.id}.{revision}"


def _kind(notice: Notice) -> str:
    if notice.state in ("closed", "ours"):
        return "Cancel"
    return "Alert" if notice.revision == 1 else "Update"


def _info(info: Element, notice: Notice, by: Sender, language: Language, tag: str, web: str) -> None:
    """One language; the order of the elements is the standard's."""
    told = advice(notice, language, UTC)
    flooded, exposed = notice.subjects[0].claim in (FLOOD, TAKES_PART), notice.detector == EXPOSURE
    kind = "kind-flood" if flooded else "kind-exposure" if exposed else "kind-imitation"
    over = notice.state == "closed"
    _put(info, "language", tag)
    _put(info, "category", "Infra" if flooded else "Security")
    _put(info, "event", words.notice(kind, language))
    _put(info, "urgency", "Past" if over else "Immediate")
    _put(info, "severity", _SEVERITIES[notice.severity])
    _put(info, "certainty", "Observed" if flooded or exposed else "Likely")
    if notice.first_sign is not None:
        _put(info, "onset", _time(notice.first_sign))
    _put(info, "senderName", by.label)
    _put(info, "headline", told.headline)
    _put(info, "description", " ".join((*told.seen, *told.why)))
    _put(info, "instruction", " ".join(told.do))
    _put(info, "web", web)
    _put(info, "contact", by.contact)
    for unit, value in dict.fromkeys((each.unit, each.value) for each in notice.subjects):
        parameter = SubElement(info, "parameter")
        _put(parameter, "valueName", unit)
        _put(parameter, "value", value)
    area = SubElement(info, "area")
    _put(area, "areaDesc", notice.label or notice.constituent)


def _put(parent: Element, name: str, text: str) -> None:
    """An element with text; without any it is left out."""
    if text:
        SubElement(parent, name).text = words.printable(text)


def _time(at: datetime) -> str:
    """A time as the standard writes it: no fraction, and of UTC -00:00 and not Z."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}-00:00"
