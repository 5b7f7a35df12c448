"""Who stands behind a file of plans or contacts: a signed note beside it (ledger.sign) names the file's SHA-256."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import ledger
from khien.errors import CustodyError

_HEADER = "khien guide"


def sign(document: bytes, name: str, key: Ed25519PrivateKey) -> bytes:
    """The note that goes beside a file."""
    return ledger.sign(_text(document), name, key)


def verify(document: bytes, note: bytes, verifier: str) -> None:
    """Holds a file to the note beside it. CustodyError: it is not what was signed. FormatError: no note, no key."""
    name, key = ledger.parse_verifier(verifier)
    parsed = ledger.parse_note(note)
    ledger.verify_note(parsed, name, key)
    if parsed.text != _text(document):
        raise CustodyError("it is not the file that was signed")


def _text(document: bytes) -> str:
    return f"{_HEADER}\n{hashlib.sha256(document).hexdigest()}\n"
