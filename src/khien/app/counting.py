"""What a data directory comes to in numbers, once its logs hold."""

from datetime import date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import audit
from khien.app import machine
from khien.contracts import Store
from khien.errors import InputError
from khien.pipeline import figures, held, reports
from khien.pipeline.figures import Figures, Period


def counted(directory: Path, store: Store, period: Period, at: datetime) -> Figures:
    """All figures of a period. CustodyError: the audit or the log of listings is not what was signed with its key."""
    audit.verify_kept(store, machine.audit(directory).verifier)
    held.verify(store, machine.log(directory).verifier)
    return figures.figures(store, period, at)


def half(name: str, today: date) -> Period:
    """The half-year of a name such as 2026-2. InputError: the name is of none, or it has not begun by today."""
    year, _, number = name.partition("-")
    if not (len(year) == 4 and year.isascii() and year.isdigit() and int(year) and number in ("1", "2")):
        raise InputError(f"{name!r} is no half of a year: write 2026-1 for January to June, 2026-2 for the rest")
    period = Period.half(int(year), int(number))
    if period.first and today < period.first:
        raise InputError(f"{name} begins on {period.first}, and today is {today}: ask for a half that has begun")
    return period


def signer(directory: Path) -> Ed25519PrivateKey:
    """Who signs the reports of a data directory."""
    return Ed25519PrivateKey.from_private_bytes(machine.key(directory, reports.KEY))
