"""Messages of servers that speak certstream's protocol: what was certified, of whatever form the message is.

JSON: ``certificate_update`` (full, or lite without DER and chain) with the leaf's fields, ``dns_entries`` (domains
only) with bare names, ``heartbeat`` with nothing. https://github.com/CaliDog/certstream-server, certstream-server-go
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from khien import schema
from khien.errors import FormatError
from khien.names.reading import syntax

LARGEST = 1 << 20  # octets of a message: some certificates have thousands of names
_MOST_NAMES = 10_000  # of one certificate: no authority puts in more than a few thousand
_TEXT = 256  # characters of a field that is kept
_YEAR_10000 = 253_402_300_800  # seconds since 1970


class _Issuer(msgspec.Struct):
    O: str | None = None  # noqa: E741 - what the protocol calls it
    CN: str | None = None


class _Leaf(msgspec.Struct):
    all_domains: list[str] | None = None
    issuer: _Issuer | None = None
    serial_number: str | None = None
    not_before: float | None = None
    not_after: float | None = None


class _Log(msgspec.Struct):
    name: str | None = None


class _Update(msgspec.Struct):
    leaf_cert: _Leaf | None = None
    cert_index: int | None = None
    seen: float | None = None
    source: _Log | None = None


class _Message(msgspec.Struct):
    message_type: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class Certified(msgspec.Struct, frozen=True):
    """The good names of one message, what is known of their certificate (columns of schema.CERTIFIED but name), and the
    reasons for which other names are none."""

    names: tuple[str, ...]
    fields: tuple[datetime | str | int | None, ...]
    faults: tuple[str, ...] = ()


_NOTHING = Certified((), (None,) * (len(schema.CERTIFIED) - 1))
_message = msgspec.json.Decoder(_Message)
_names = msgspec.json.Decoder(list[str])
_update = msgspec.json.Decoder(_Update)


def decode(message: bytes | str) -> Certified:
    """What a message says was certified; nothing for a heartbeat and for kinds that are not known.

    FormatError: no JSON, fields of the wrong kind, more names than a certificate has.
    """
    if len(message) > LARGEST:
        raise FormatError(f"is longer than {LARGEST:,} octets: no message of certstream is")
    try:
        read = _message.decode(message)
        if read.message_type == "dns_entries":
            return _certified(_names.decode(read.data), _Update())
        if read.message_type != "certificate_update":
            return _NOTHING
        update = _update.decode(read.data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise FormatError(f"is no message of certstream ({error})") from error
    return _certified((update.leaf_cert and update.leaf_cert.all_domains) or [], update)


def batch(certified: Sequence[Certified]) -> pa.RecordBatch:
    """schema.CERTIFIED, a row for each name."""
    rows = [(name, *each.fields) for each in certified for name in each.names]
    columns = zip(*rows, strict=True) if rows else [()] * len(schema.CERTIFIED)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, schema.CERTIFIED, strict=True)],
        schema=schema.CERTIFIED,
    )


def _certified(names: Sequence[str], update: _Update) -> Certified:
    if len(names) > _MOST_NAMES:
        raise FormatError(f"has {len(names):,} names: no certificate has more than {_MOST_NAMES:,}")
    leaf = update.leaf_cert or _Leaf()
    issuer = leaf.issuer or _Issuer()
    judged = {name: syntax.fault(name) for name in names}
    index = update.cert_index
    return Certified(
        tuple(name for name, fault in judged.items() if fault == syntax.GOOD),
        (
            _time(update.seen),
            ", ".join(filter(None, (issuer.O, issuer.CN)))[:_TEXT] or None,
            _serial(leaf.serial_number or ""),
            _time(leaf.not_before),
            _time(leaf.not_after),
            ((update.source and update.source.name) or "")[:_TEXT] or None,
            index if index is not None and 0 <= index < 1 << 63 else None,
        ),
        tuple(syntax.REASONS[fault] for fault in judged.values() if fault != syntax.GOOD),
    )


def _serial(text: str) -> str | None:
    """Hex as the source ctlog writes it: whole octets, none of them a leading zero."""
    digits = text.lower().lstrip("0")[:_TEXT]
    return "0" * (len(digits) % 2) + digits or None


def _time(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 <= seconds < _YEAR_10000 else None
