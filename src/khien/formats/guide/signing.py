"""Who stands behind a file of plans or contacts: a signed note beside it (ledger.sign) names the file's SHA-256."""

import hashlib

from khien import ledger
from khien.errors import CustodyError
from khien.ledger import Signer

_HEADER = "khien guide"


def sign(document: bytes, signer: Signer) -> bytes:
    """The note that goes beside a file."""
    return signer.sign(_text(document))


def verify(document: bytes, note: bytes, verifier: str) -> None:
    """Holds a file to the note beside it. CustodyError: it is not what was signed. FormatError: no note, no key."""
    name, key = ledger.parse_verifier(verifier)
    parsed = ledger.parse_note(note)
    ledger.verify_note(parsed, name, key)
    if parsed.text != _text(document):
        raise CustodyError("it is not the file that was signed")


def _text(document: bytes) -> str:
    return f"{_HEADER}\n{hashlib.sha256(document).hexdigest()}\n"
