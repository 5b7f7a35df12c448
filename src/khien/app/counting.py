"""What a data directory comes to in numbers, once its logs hold."""

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import audit
from khien.app import machine
from khien.contracts import Store
from khien.pipeline import figures, held, listed, reports
from khien.pipeline.figures import Figures, Period


def counted(directory: Path, store: Store, period: Period, at: datetime) -> Figures:
    """All figures of a period. CustodyError: the audit or the log of listings is not what was signed with its key."""
    if audit.head(store).size:
        audit.verify_kept(store, machine.audit(directory).verifier)
    if listed.read_head(store).size:
        key = Ed25519PrivateKey.from_private_bytes(machine.key(directory, listed.LOG))
        held.verify(store, listed.Log(key, lambda _: b"").verifier)
    return figures.figures(store, period, at)


def signer(directory: Path) -> Ed25519PrivateKey:
    """Who signs the reports of a data directory."""
    return Ed25519PrivateKey.from_private_bytes(machine.key(directory, reports.KEY))
