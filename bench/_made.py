"""What the bench of the store is filled with: findings in plausible shares, and names repeated under new subdomains."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count, islice
from random import Random
from typing import Any

import pyarrow as pa

from khien import schema
from khien.model import Finding, Reason, State

START = datetime(2026, 1, 1, tzinfo=UTC)
STATES: tuple[State, ...] = ("new", "confirmed", "dismissed", "acted-on", "gone")
SHARES = (80, 2, 8, 2, 8)
BRANDS = 300
REASONS = (
    Reason(code="combosquat", params={"brand": "Vietcombank", "word": "vietcombank"}),
    Reason(code="lure", params={"lures": "login"}),
)


def identity(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def finding(number: int, chance: Random) -> Finding:
    """A few brands have most; what is old was looked at; ten thousand come a day."""
    at = START + timedelta(days=number / 10_000)
    return Finding(
        id=identity(number),
        detector="lookalike",
        kind="domain",
        subject=f"{identity(number)[:8]}-login.example",
        claim=f"brand-{int(BRANDS * chance.random() ** 3)}",
        score=chance.random(),
        start=at,
        end=at,
        techniques=("combosquat",),
        span=(0, 8),
        suppressed=chance.random() < 0.2,
        reasons=REASONS,
        source="bench",
        raised=at,
        state=chance.choices(STATES, SHARES)[0],
    )


def filters(chance: Random) -> dict[str, Any]:
    """What a person filters by."""
    possible: dict[str, Any] = {
        "state": chance.choice((*STATES, ("new", "confirmed", "back"))),
        "suppressed": chance.random() < 0.2,
        "claim": f"brand-{chance.randrange(BRANDS)}",
        "subject": f"{identity(chance.randrange(10_000))[:8]}-login.example",
    }
    shares = {"state": 0.5, "suppressed": 0.7, "claim": 0.3, "subject": 0.05}
    return {name: value for name, value in possible.items() if chance.random() < shares[name]}


def names(once: Sequence[str], rows: int) -> Iterator[str]:
    """So many names, none twice."""
    return islice((f"r{round_}.{name}" for round_ in count() for name in once), rows)


def batches(once: Sequence[str], rows: int, size: int) -> Iterator[list[str]]:
    """The same, so many at a time."""
    source = names(once, rows)
    while texts := list(islice(source, size)):
        yield texts


def rows(texts: Sequence[str], at: timedelta) -> pa.RecordBatch:
    """schema.NAMES of a day, from a time on, a microsecond apart."""
    first = int((START + at).timestamp() * 1_000_000)
    times = pa.array(range(first, first + len(texts)), pa.int64()).cast(schema.TIME)
    return pa.RecordBatch.from_arrays([pa.array(texts, pa.string()), times], schema=schema.NAMES)
