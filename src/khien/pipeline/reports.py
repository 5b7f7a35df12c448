"""Reports that can be held to what they were made from: files, and a signed note that names the digest of each."""

import hashlib
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import ledger
from khien.errors import CustodyError, FormatError
from khien.ledger import Signer
from khien.pipeline.figures import Figures

KEY = "reports"  # the key that reports are signed with
FIGURES, NOTE = "figures.json", "manifest.note"
LARGEST = 1 << 20  # octets of figures


def signer(key: Ed25519PrivateKey) -> Signer:
    """Who signs reports."""
    return Signer("reports", key)


def manifest(files: Mapping[str, bytes], key: Ed25519PrivateKey) -> bytes:
    """A signed note (C2SP signed-note): a line for each file, its SHA-256 in hex, two blanks, its name."""
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items()))
    return signer(key).sign(lines)


def held(path: str, content: bytes, note: bytes, verifier: str) -> None:
    """Holds a file of a report to its note. CustodyError: it is not what was signed with the verifier's key."""
    parsed = ledger.parse_note(note)
    ledger.verify_note(parsed, *ledger.parse_verifier(verifier))
    if f"{hashlib.sha256(content).hexdigest()}  {path}" not in parsed.text.splitlines():
        raise CustodyError(f"{path} is not what was signed: get the report anew from who made it")


def parse(document: bytes) -> Figures:
    """The figures of a report. FormatError: it holds none."""
    if len(document) > LARGEST:
        raise FormatError(f"figures of a report have {LARGEST} octets at most")
    try:
        return msgspec.json.decode(document, type=Figures)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"holds no figures of a report: {error}") from error


def encode(figures: Figures) -> bytes:
    """Figures as a file of a report."""
    return msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n"
