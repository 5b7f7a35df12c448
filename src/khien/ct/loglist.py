"""Lists of logs, in the JSON form of version 3 that makers of browsers publish: which there are, and which to read."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from khien.errors import FormatError

LARGEST = 8 << 20  # bytes of a list
STATES = ("pending", "qualified", "usable", "readonly", "retired", "rejected")
LIVE = ("qualified", "usable")  # states of logs that take certificates in, and may be held to their promises

_MOST = 2000  # logs
_KEY_BITS = 2048, 8192

Kind = Literal["rfc6962", "static"]


class Log(NamedTuple):
    """A log. name: its description; id: of its key (RFC 6962 section 3.2), in base64; url: of what is read, with a
    slash behind; origin: what a checkpoint of a static log begins with; until: no certificate that is valid beyond it
    is taken in."""

    name: str
    operator: str
    kind: Kind
    id: str
    key: bytes
    url: str
    origin: str
    state: str
    until: datetime | None


class _Interval(msgspec.Struct):
    end_exclusive: datetime


class _Log(msgspec.Struct):
    log_id: bytes
    key: bytes
    description: str = ""
    url: str = ""
    submission_url: str = ""
    monitoring_url: str = ""
    state: dict[str, msgspec.Raw] = {}
    temporal_interval: _Interval | None = None


class _Operator(msgspec.Struct):
    name: str
    logs: Annotated[list[_Log], msgspec.Meta(max_length=_MOST)] = []
    tiled_logs: Annotated[list[_Log], msgspec.Meta(max_length=_MOST)] = []


class _List(msgspec.Struct):
    operators: Annotated[list[_Operator], msgspec.Meta(max_length=_MOST)]
    log_list_timestamp: datetime | None = None


def parse(document: bytes) -> tuple[Log, ...]:
    """The logs of a list that are not over by the time the list was made. FormatError: it does not keep its form."""
    if len(document) > LARGEST:
        raise FormatError(f"a list of logs has {LARGEST:,} bytes at most")
    try:
        given = msgspec.json.decode(document, type=_List)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"is no list of logs in JSON of version 3: {str(error)[:200]}") from error
    logs = tuple(_logs(given))
    for attribute in ("id", "name"):
        if len({getattr(each, attribute) for each in logs}) < len(logs):
            raise FormatError(f"names two logs with one {'key' if attribute == 'id' else 'description'}")
    made = given.log_list_timestamp
    return tuple(each for each in logs if not (made and each.until and each.until <= made))


def _logs(given: _List) -> Iterator[Log]:
    for operator in given.operators:
        for each in operator.logs:
            yield _log(each, operator.name, "rfc6962", each.url, each.url)
        for each in operator.tiled_logs:
            yield _log(each, operator.name, "static", each.monitoring_url, each.submission_url)


def _log(given: _Log, operator: str, kind: Kind, url: str, submission: str) -> Log:
    name = given.description or b64encode(given.log_id).decode()
    if not url.startswith(("https://", "http://")) or not url.isascii() or not url.isprintable():
        raise FormatError(f"{name}: {url[:80]!r} is no http or https URL")
    if sha256(given.key).digest() != given.log_id:
        raise FormatError(f"{name}: its log_id is not that of its key")
    origin = submission.partition("://")[2].rstrip("/")
    state = next((each for each in STATES if each in given.state), "")
    until = given.temporal_interval and given.temporal_interval.end_exclusive
    if until and until.tzinfo is None:
        raise FormatError(f"{name}: end_exclusive says no time zone")
    identity = b64encode(given.log_id).decode()
    return Log(name, operator, kind, identity, given.key, url.rstrip("/") + "/", origin, state, until)


def chosen(logs: Sequence[Log], operators: Sequence[str], states: Sequence[str]) -> tuple[Log, ...]:
    """The logs in one of these states, and of one of these operators where any are given."""
    return tuple(each for each in logs if each.state in states and (not operators or each.operator in operators))


def public_key(log: Log) -> EllipticCurvePublicKey | RSAPublicKey:
    """The key a log signs with (RFC 6962 section 2.1.4). FormatError: it is none of the kinds logs may have."""
    try:
        key = load_der_public_key(log.key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FormatError(f"{log.name}: its key cannot be read: {error}") from error
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    if isinstance(key, RSAPublicKey) and _KEY_BITS[0] <= key.key_size <= _KEY_BITS[1]:
        return key
    raise FormatError(f"{log.name}: its key is neither ECDSA over P-256 nor RSA of 2048 bits and more")
