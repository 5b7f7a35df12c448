"""What stands listed, as programs take it that block: JSON, plain names, a hosts file, AdBlock rules, a zone of RPZ.

Each says its version, date and count, under what terms it is had, and where one objects. What a listing covers is what
listing.within says: no format may block more, so that where one cannot say a unit exactly, it leaves that out.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import ClassVar, NamedTuple

import msgspec

from khien import canon, words
from khien.model import Listing, Reason

LICENCE = "CC0-1.0: take it, use it, pass it on"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_OWNER = 180  # octets of a name in a zone: a longer one, "*." and the zone's own name might not fit in 253
_TRIGGER = re.compile(r"(?:^|\.)rpz-[^.]*$")  # behind such a label a zone has no name, but addresses or name servers
_SPECIAL = re.compile(r"[*$^|]")  # what means something else in an AdBlock rule
_TTL, _REFRESH, _RETRY, _EXPIRE = 60, 60, 60, 86_400  # seconds: what is removed is gone from resolvers in two minutes


class Edition(NamedTuple):
    """Which list this is. version: the size of the log of listings it is made from; home: the site's public address."""

    version: int = 0
    at: datetime = _EPOCH
    home: str = ""

    def page(self, listing: Listing) -> str:
        """Where people read why it is listed, and object."""
        return f"{self.home}/vi/listings/{listing.id}"

    def remarks(self, count: int) -> tuple[str, ...]:
        """What each list says of itself, line by line."""
        return (
            "Khiên: sites that do harm / các trang gây hại",
            f"version: {self.version}",
            f"date: {self.at:%Y-%m-%dT%H:%M:%SZ}",
            f"count: {count}",
            f"licence: {LICENCE}",
            f"appeal / khiếu nại: {self.home}/vi/listings",
        )


_NONE = Edition()


@dataclass(frozen=True)
class Json:
    """An encoder: everything that is public about each listing."""

    name: ClassVar[str] = "listings-json"
    media_type: ClassVar[str] = "application/json"
    carries: ClassVar[type] = Listing
    edition: Edition = _NONE

    def encode(self, records: Iterable[Listing], /) -> bytes:
        """UTF-8 text of one object."""
        told = [self._told(each) for each in records]
        whole = {
            "version": self.edition.version,
            "date": self.edition.at,
            "count": len(told),
            "licence": LICENCE,
            "appeal": f"{self.edition.home}/vi/listings",
            "listings": told,
        }
        return msgspec.json.encode(whole) + b"\n"

    def _told(self, each: Listing) -> dict[str, object]:
        notes = {"vi": each.note.vi, "en": each.note.en}
        reasons = {language: [_sentence(reason, language) for reason in each.reasons] for language in ("vi", "en")}
        return {
            "id": each.id,
            "unit": each.unit,
            "value": each.value,
            "harm": each.harm,
            "conduct": each.conduct,
            "reason": {name: [*filter(None, (notes[name],)), *reasons[name]] for name in notes},
            "evidence": each.evidence,
            "since": each.since,
            "until": each.until,
            "contested": each.state == "contested",
            "page": self.edition.page(each),
            "leaf": each.leaves[-1] if each.leaves else None,
        }


def _sentence(reason: Reason, language: str) -> str:
    shown = {name: canon.defang(value) if name in words.NAMES else value for name, value in reason.params.items()}
    return words.printable(words.reason(reason.code, shown, language))


@dataclass(frozen=True)
class Plain:
    """An encoder: a domain or host a line; of URLs and addresses nothing."""

    name: ClassVar[str] = "listings-plain"
    media_type: ClassVar[str] = "text/plain"
    carries: ClassVar[type] = Listing
    edition: Edition = _NONE

    def encode(self, records: Iterable[Listing], /) -> bytes:
        """UTF-8 text."""
        return _lines(self.edition, "#", [each.value for each in records if _names(each)])


@dataclass(frozen=True)
class Hosts:
    """An encoder: a hosts file, which knows no wildcard: of a domain it has the name itself and ``www.``."""

    name: ClassVar[str] = "listings-hosts"
    media_type: ClassVar[str] = "text/plain"
    carries: ClassVar[type] = Listing
    edition: Edition = _NONE

    def encode(self, records: Iterable[Listing], /) -> bytes:
        """UTF-8 text."""
        named = (name for each in records for name in _names(each))
        return _lines(self.edition, "#", [f"0.0.0.0 {name}" for name in dict.fromkeys(named)])


@dataclass(frozen=True)
class AdBlock:
    """An encoder: rules for blockers in browsers (the syntax of Adblock Plus), of URLs too."""

    name: ClassVar[str] = "listings-adblock"
    media_type: ClassVar[str] = "text/plain"
    carries: ClassVar[type] = Listing
    edition: Edition = _NONE

    def encode(self, records: Iterable[Listing], /) -> bytes:
        """UTF-8 text."""
        rules = list(dict.fromkeys(rule for each in records for rule in _rules(each)))
        return b"[Adblock Plus 2.0]\n! Title: Khi\xc3\xaan\n! Expires: 1 hours\n" + _lines(self.edition, "!", rules)


@dataclass(frozen=True)
class Rpz:
    """An encoder: a zone with which resolvers answer that a name does not exist (draft-vixie-dnsop-dns-rpz-00, section
    3.1); of URLs and addresses nothing. The zone is called as whoever loads it wishes, in at most 64 characters."""

    name: ClassVar[str] = "listings-rpz"
    media_type: ClassVar[str] = "text/dns"
    carries: ClassVar[type] = Listing
    edition: Edition = _NONE

    def encode(self, records: Iterable[Listing], /) -> bytes:
        """A master file (RFC 1035 section 5) of names relative to the zone; its serial is the version."""
        owners = [owner for each in records for owner in _owners(each)]
        serial = self.edition.version % (1 << 32) or 1
        head = [
            f"$TTL {_TTL}",
            f"@ SOA localhost. root.localhost. {serial} {_REFRESH} {_RETRY} {_EXPIRE} {_TTL}",
            "@ NS localhost.",
        ]
        return _lines(self.edition, ";", [f"{owner} CNAME ." for owner in dict.fromkeys(owners)], head)


def _lines(edition: Edition, mark: str, entries: Sequence[str], head: Sequence[str] = ()) -> bytes:
    remarks = (f"{mark} {each}" for each in edition.remarks(len(entries)))
    return "".join(f"{line}\n" for line in chain(remarks, head, entries)).encode()


def _names(each: Listing) -> tuple[str, ...]:
    """The names that a listing of a domain or host covers for certain; of an address or a URL none."""
    host = each.value
    if each.unit == "url" or canon.is_address(host):
        return ()
    return (host, f"www.{host}")


def _owners(each: Listing) -> tuple[str, ...]:
    named = _names(each)
    if not named or len(each.value) > _LONGEST_OWNER or _TRIGGER.search(each.value):
        return ()
    return (each.value, f"*.{each.value}") if each.unit == "domain" else named


def _rules(each: Listing) -> Iterator[str]:
    """As narrow as the unit: ``||`` would take every host below one, and ``^`` whatever follows a path."""
    if each.unit == "domain":
        yield f"||{each.value}^"
        return
    if each.unit == "host":
        named = _names(each) or (f"[{each.value}]" if ":" in each.value else each.value,)
        yield from (f"|{scheme}://{name}^" for name in named for scheme in ("https", "http"))
        return
    place = each.value.partition("://")[2]
    below = place.count("/") > 1 and place.endswith("/")  # with all that is below it, as listing.within has it
    for scheme in ("https", "http"):
        if _SPECIAL.search(place):  # only an expression says these
            escaped = re.sub(r"([^\w%-])", r"\\\1", f"{scheme}://{place}")
            yield f"/^{escaped}/" if below else rf"/^{escaped}(\?|$)/"
        elif below:
            yield f"|{scheme}://{place}"
        else:
            yield from (f"|{scheme}://{place}|", f"|{scheme}://{place}?")
