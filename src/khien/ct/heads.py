"""Tree heads, as logs sign them: signed tree heads (RFC 6962) and checkpoints (static-ct-api)."""

import struct
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from khien.ct.loglist import Log, public_key
from khien.errors import CustodyError, FormatError
from khien.ledger import HASH, key_id, parse_checkpoint, parse_note

NOTE_TYPE = b"\x05"  # of a signature by a log's own key in a note, c2sp.org/signed-note
MOST_LEAVES = 1 << 62

_AHEAD = 5  # minutes that a log's clock may be ahead of ours
_MERGED = 24  # hours in which a log takes in what it was given: a head is never older, RFC 6962 section 3.5

_SHA256, _RSA, _ECDSA = 4, 1, 3  # RFC 5246 section 7.4.1.4.1
_TREE_HEAD = struct.Struct(">BBQQ32s")  # RFC 6962 section 3.5


class Head(NamedTuple):
    """A verified head of a log. at: milliseconds since 1970, as the log says."""

    size: int
    root: bytes
    at: int


class _Answer(msgspec.Struct):
    tree_size: Annotated[int, msgspec.Meta(ge=0, lt=MOST_LEAVES)]
    timestamp: Annotated[int, msgspec.Meta(ge=0, lt=MOST_LEAVES)]
    sha256_root_hash: bytes
    tree_head_signature: bytes


def of_answer(document: bytes, log: Log) -> Head:
    """What get-sth answered. FormatError: it is no tree head. CustodyError: it is, and is wrongly signed."""
    try:
        given = msgspec.json.decode(document, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"get-sth answered what is no tree head: {str(error)[:200]}") from error
    head = Head(given.tree_size, given.sha256_root_hash, given.timestamp)
    _verify(head, given.tree_head_signature, log)
    return head


def of_checkpoint(document: bytes, log: Log) -> Head:
    """The head in a checkpoint. FormatError: it is none. CustodyError: it is another log's, or wrongly signed."""
    note = parse_note(document)
    given = parse_checkpoint(note.text)
    if given.origin != log.origin:
        raise CustodyError(f"the checkpoint is that of {given.origin[:80]!r}, not of {log.origin!r}")
    identity = key_id(log.origin, NOTE_TYPE, sha256(log.key).digest())
    signed = [each.signature for each in note.signatures if (each.name, each.key_id) == (log.origin, identity)]
    if len(signed) != 1:
        raise CustodyError(f"the checkpoint of {given.size} leaves is not signed by the log's key")
    if len(signed[0]) < 8 or given.size >= MOST_LEAVES:
        raise FormatError("the signature on the checkpoint breaks off")
    head = Head(given.size, given.root, int.from_bytes(signed[0][:8]))
    _verify(head, signed[0][8:], log)
    return head


def _verify(head: Head, signature: bytes, log: Log) -> None:
    """Holds a head to the log's key: signature is a DigitallySigned struct (RFC 5246 section 4.7)."""
    if len(head.root) != HASH or len(signature) < 4:
        raise FormatError("a tree head has a SHA-256 and a signature")
    if int.from_bytes(signature[2:4]) != len(signature) - 4:
        raise FormatError("the signature of the tree head breaks off or goes on")
    message = _TREE_HEAD.pack(0, 1, head.at, head.size, head.root)
    key = public_key(log)
    try:
        if isinstance(key, EllipticCurvePublicKey):
            fits = signature[:2] == bytes((_SHA256, _ECDSA))
            key.verify(signature[4:], message, ECDSA(SHA256()))
        else:
            fits = signature[:2] == bytes((_SHA256, _RSA))
            key.verify(signature[4:], message, PKCS1v15(), SHA256())
    except InvalidSignature:
        fits = False
    if not fits:
        raise CustodyError(f"the signature on the tree head of {head.size} leaves is not the log's")


def expect_past(head: Head, now: datetime) -> None:
    """FormatError: a head is of the future: beside it each later one would look old."""
    if head.at > 1000 * (now + timedelta(minutes=_AHEAD)).timestamp():
        raise FormatError(f"its head is dated more than {_AHEAD} minutes ahead of the clock here: one of them is wrong")


def aged(at: int, now: datetime) -> str:
    """What is wrong with a log whose newest head is of then, in milliseconds; empty: nothing, it is new enough."""
    if at >= 1000 * (now - timedelta(hours=_MERGED)).timestamp():
        return ""
    return f"its newest head is more than {_MERGED} hours old: it stands still, or we are shown an old one"


class _Consistency(msgspec.Struct):
    consistency: Annotated[list[bytes], msgspec.Meta(max_length=128)]


def proof_of_answer(document: bytes) -> list[bytes]:
    """What get-sth-consistency answered. FormatError: it is no proof."""
    try:
        return msgspec.json.decode(document, type=_Consistency).consistency
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"get-sth-consistency answered what is no proof: {str(error)[:200]}") from error
