"""Notices by HTTP: a JSON document posted to the constituent's own server, signed as Standard Webhooks asks.

standardwebhooks.com, version 1.0.0: who receives checks the signature over id, time and document, and keeps the id, so
that what comes again is taken once. Names are not defanged: programs read this.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
import msgspec

from khien import words
from khien.errors import FormatError, InputError, RefusedError, UnavailableError
from khien.model import Delivery, Notice, Record
from khien.outward import http
from khien.outward.pace import Pace
from khien.packed import secret
from khien.triage import tokens
from khien.triage.advice import advice, reason

VERSION = 1  # of the document; grows when a field goes or changes its meaning, not when one is added

_FIELDS = (  # of a notice that stand in the document as they are
    *("id", "revision", "constituent", "label", "campaign", "detector", "own", "severity", "score", "state"),
    *("subjects", "measures", "first_sign", "raised", "revised"),
)
_PREFIX = "whsec_"
_LEAST_SECRET = 24  # octets, as the standard asks
_GONE = 410  # who answers so wants no more, RFC 9110 section 15.5.11

_pace = Pace(rate=100, burst=100)  # of each server, however many channels; it keeps what Retry-After asks


@dataclass(frozen=True)
class Webhook:
    """Notices as signed JSON, posted to the constituent's own server.

    clock: what time it is, for the signature. agent: who we are, with a contact. allow: networks that are reached
    although they are private, for servers in the house; only these may be without TLS. authorities_file: PEM of those
    whose certificates are trusted instead of the usual ones. site, key_file: as for mail, for the link.
    """

    name: ClassVar[str] = "webhook"
    carries: ClassVar[type[Record]] = Notice
    repeatable: ClassVar[bool] = True

    clock: Callable[[], datetime]
    agent: str = "Khien"
    allow: tuple[str, ...] = ()
    ports: tuple[int, ...] = http.PORTS
    authorities_file: str = ""
    site: str = ""
    key_file: str = ""
    seconds: float = 20

    def send(self, record: Notice, to: Delivery, commit: Callable[[], None], /) -> str:
        """contracts.Channel"""
        plain = urlsplit(to.address).scheme != "https"
        if plain and not self.allow:
            raise InputError("a webhook has an https URL: others could read what is sent")
        server = urlsplit(to.address).netloc.rpartition("@")[2]
        if wait := _pace.take(server, monotonic()):
            raise UnavailableError(f"{server}: is asked again in {wait:.0f} s")
        body = self._document(record, to)
        commit()
        client = _client(self.agent, self.allow, self.ports, self.authorities_file, plain)
        try:
            answer = http.post(client, to.address, body, headers=self._headers(to, body), seconds=self.seconds)
        except RefusedError as error:
            raise InputError(str(error)) from None
        except FormatError as error:
            raise UnavailableError(str(error)) from None
        if 200 <= answer.status < 300:
            return str(answer.status)
        if answer.status == _GONE:
            raise InputError(f"{server}: answers {answer.status}: it wants no more of this")
        if wait := http.retry_after(answer.headers):
            _pace.hold(server, monotonic() + wait)
        raise UnavailableError(f"{server}: answers {answer.status}")

    def _document(self, notice: Notice, to: Delivery) -> bytes:
        site, key = self.site.rstrip("/"), secret(self.key_file) if self.site and self.key_file else b""
        link = site + tokens.notice_path(key, to.language, notice.id) if key else ""
        return msgspec.json.encode(document(notice, link))

    def _headers(self, to: Delivery, body: bytes) -> dict[str, str]:
        at = int(self.clock().timestamp())
        return {
            "Content-Type": "application/json",
            "webhook-id": to.id,
            "webhook-timestamp": str(at),
            "webhook-signature": f"v1,{signature(_key(to.secret_file), to.id, at, body)}",
        }


def document(notice: Notice, link: str) -> dict[str, Any]:
    """What is posted of a notice; docs/notices.md describes it."""
    told = {language: advice(notice, language, UTC) for language in words.LANGUAGES}
    reasons = [
        {"code": each.code, "params": each.params, **{language: reason(each, language) for language in words.LANGUAGES}}
        for each in notice.reasons
    ]
    return {
        "version": VERSION,
        "type": "notice",
        "timestamp": notice.revised,
        "data": {
            **{name: getattr(notice, name) for name in _FIELDS},
            "headline": {language: each.headline for language, each in told.items()},
            "do": {language: each.do for language, each in told.items()},
            "reasons": reasons,
            "link": link,
        },
    }


def signature(key: bytes, id: str, at: int, body: bytes) -> str:
    """The signature of a document that is sent under an id at a Unix time."""
    return b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")).decode("ascii")


def _key(path: str) -> bytes:
    """A secret as the standard writes it: ``whsec_`` and base64. UnavailableError: it is none, put one there."""
    if not path:
        raise UnavailableError("the constituent's hearing names no secret_file: a webhook is signed")
    written = secret(path).decode("ascii", "replace").strip()
    try:
        key = b64decode(written.removeprefix(_PREFIX), validate=True)
    except (Base64Error, ValueError):
        key = b""
    if not written.startswith(_PREFIX) or len(key) < _LEAST_SECRET:
        raise UnavailableError(
            f"{path}: is no secret of a webhook: write {_PREFIX} and base64 of {_LEAST_SECRET} octets"
        )
    return key


@cache
def _client(agent: str, allow: tuple[str, ...], ports: tuple[int, ...], authorities: str, plain: bool) -> httpx.Client:
    return http.client(agent, allow=allow, inside=plain, ports=ports, authorities=authorities)
