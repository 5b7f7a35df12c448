"""Reading RDAP answers (RFC 9083) of any server: what they hold in place, nothing of what they do not.

Bounded by the size of the document. Of contacts only the address that takes reports of abuse is read: people's names,
streets and numbers stay where they are.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from khien import canon
from khien.errors import FormatError, ObservableError

_DEPTH = 3  # of entities in entities: the registrar, its contact for abuse
_MOST = 50  # entities, events, states and fields of a card that are looked at, each
_LONGEST = 200  # characters of a text that is told
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


def domain(document: bytes) -> dict[str, str]:
    """Of a domain (section 5.3): created and expires in ISO 8601, UTC; registrar, abuse, status with commas between.

    What it does not say is empty. FormatError: it is no answer about a domain.
    """
    answer = _object(document, "domain")
    dates = {_text(each.get("eventAction")): _time(each.get("eventDate")) for each in _list(answer, "events")}
    registrars = [each for each in _list(answer, "entities") if "registrar" in _roles(each)]
    return {
        "created": dates.get("registration", ""),
        "expires": dates.get("expiration", ""),
        "registrar": next((_card(each, "fn") for each in registrars), ""),
        "abuse": next(filter(None, map(_abuse, registrars)), "") or _abuse(answer),
        "status": ",".join(_text(each) for each in _texts(answer, "status")),
    }


def network(document: bytes) -> dict[str, str]:
    """Of a network (section 5.4): network as a prefix or ``first-last``, handle, country in two letters, and abuse.

    What it does not say is empty. FormatError: it is no answer about a network.
    """
    answer = _object(document, "ip network")
    prefixes = [
        f"{prefix}/{each.get('length')}"
        for each in _list(answer, "cidr0_cidrs")
        if isinstance(prefix := each.get("v4prefix") or each.get("v6prefix"), str)
    ]
    ends = [_text(answer.get(each)) for each in ("startAddress", "endAddress")]
    country = _text(answer.get("country")).upper()
    return {
        "network": _text(prefixes[0]) if len(prefixes) == 1 else "-".join(ends) if all(ends) else "",
        "handle": _text(answer.get("handle")),
        "country": country if re.fullmatch("[A-Z]{2}", country) else "",
        "abuse": _abuse(answer),
    }


def _object(document: bytes, kind: str) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(document)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FormatError(f"RDAP: this is no JSON: {str(error)[:80]}") from None
    if not isinstance(answer, dict) or answer.get("objectClassName") != kind:
        raise FormatError(f"RDAP: this is no answer about a {kind}: its objectClassName says so")
    return answer


def _list(within: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    found = within.get(name)
    return (each for each in (found[:_MOST] if isinstance(found, list) else ()) if isinstance(each, dict))


def _texts(within: dict[str, Any], name: str) -> list[str]:
    found = within.get(name)
    return [each for each in found[:_MOST] if isinstance(each, str)] if isinstance(found, list) else []


def _roles(entity: dict[str, Any]) -> list[str]:
    return [each.lower() for each in _texts(entity, "roles")]


def _abuse(within: dict[str, Any], depth: int = 0) -> str:
    """The address of the nearest contact for abuse among the entities, empty where there is none."""
    entities = list(_list(within, "entities"))
    found = (_mail(_card(each, "email")) for each in entities if "abuse" in _roles(each))
    if (address := next(filter(None, found), "")) or depth == _DEPTH:
        return address
    return next(filter(None, (_abuse(each, depth + 1) for each in entities)), "")


def _card(entity: dict[str, Any], field: str) -> str:
    """The first value of a field of an entity's jCard (RFC 7095): ["vcard", [[name, parameters, type, value], ...]]."""
    card = entity.get("vcardArray")
    fields = card[1] if isinstance(card, list) and len(card) > 1 and isinstance(card[1], list) else []
    for each in fields[:_MOST]:
        if isinstance(each, list) and len(each) > 3 and each[0] == field and isinstance(each[3], str):
            return _text(each[3])
    return ""


def _mail(text: str) -> str:
    """An address of mail as we spell it, empty for what is none."""
    address = text.strip().removeprefix("mailto:")
    if not _MAIL.fullmatch(address):
        return ""
    local, _, host = address.rpartition("@")
    try:
        return f"{local}@{canon.domain(host)}"
    except ObservableError:
        return ""


def _time(text: object) -> str:
    """A time of RFC 3339 in UTC, to the second; empty for what is none."""
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return ""


def _text(value: object) -> str:
    """A text on one line, bounded, without what cannot be seen; empty for what is none. A comma would part two."""
    if not isinstance(value, str):
        return ""
    seen = "".join(each if each.isprintable() else " " for each in value[: 4 * _LONGEST])
    return " ".join(seen.replace(",", " ").split())[:_LONGEST]
