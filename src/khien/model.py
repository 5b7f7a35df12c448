"""The nouns people read and sign: frozen, strict records.

Construction does no input or output. Times are UTC and timezone-aware. Collections are tuples.
"""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every record has in common: its fields are all it is.

    A kind that a store keeps has a field ``id``. indexed: the fields or properties by which it is found and ordered;
    counted: those of them by whose combinations it is counted often, so that a store keeps the counts ready.
    """

    indexed: ClassVar[tuple[str, ...]] = ()
    counted: ClassVar[tuple[str, ...]] = ()


class Domain(Record, frozen=True, kw_only=True):
    """One domain of a protected name's estate, or a pattern over domains, and who says so.

    domain: ``example.vn`` covers itself and every name below it; ``example.{vn,com}`` and ``example-*.vn`` are
    patterns (``*`` within one label). verified: a source confirmed it, and source names it; only then does it suppress.
    """

    domain: str
    verified: bool
    source: str = ""
    note: str = ""


class ProtectedName(Record, frozen=True, kw_only=True):
    """A brand or service whose imitation we look for. A person enters only by their own wish.

    words match anywhere and at one edit; short words need a boundary and a supporting sign beside them.
    Words and lures are written as people write them; diacritics, case, blanks and hyphens do not matter.
    """

    indexed: ClassVar[tuple[str, ...]] = ("sector",)

    id: str
    label: str
    sector: str
    words: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    lures: tuple[str, ...] = ()
    official: tuple[Domain, ...] = ()
    suppliers: tuple[Domain, ...] = ()
    contacts: tuple[str, ...] = ()


class Register(Record, frozen=True, kw_only=True):
    """The protected names of one country or house, and the suffixes only the state can register under."""

    names: tuple[ProtectedName, ...]
    reserved_suffixes: tuple[Domain, ...] = ()


State = Literal["new", "confirmed", "dismissed", "acted-on", "gone", "back"]


class Reason(Record, frozen=True, kw_only=True):
    """Why, as a code with parameters; words.reason says it in both languages."""

    code: str
    params: dict[str, str] = {}


class Step(Record, frozen=True, kw_only=True):
    """One step in the life of a finding: what was done, when, by whom, and why. triage.MOVES has the acts."""

    at: datetime
    act: str
    by: str
    why: str = ""


class Finding(Record, frozen=True, kw_only=True):
    """What a detector asserts about an observable, and what became of it.

    id: schema.finding_id in hex. span: first and behind the last character of subject that matched. start, end: when
    sources saw it first and last, null where they do not say; raised: when Khiên first said so. source: where it was
    first met. suppressed: known good, kept and shown on request, never warned about. steps: its life so far.
    """

    indexed: ClassVar[tuple[str, ...]] = ("score", "day", "subject", "claim", "state", "suppressed")
    counted: ClassVar[tuple[str, ...]] = ("detector", "day", "state", "suppressed")

    id: str
    detector: str
    kind: str
    subject: str
    claim: str
    episode: datetime | None = None
    score: float
    start: datetime | None = None
    end: datetime | None = None
    techniques: tuple[str, ...] = ()
    span: tuple[int, int] | None = None
    suppressed: bool = False
    reasons: tuple[Reason, ...] = ()
    measures: dict[str, float] = {}
    source: str = ""
    raised: datetime
    state: State = "new"
    steps: tuple[Step, ...] = ()

    @property
    def day(self) -> date:
        """The day (UTC) it was first seen, as far as is known."""
        return (self.start or self.raised).date()


class SourceState(Record, frozen=True, kw_only=True):
    """How far a source was read: rows read, set aside and findings so far; trouble: why it stands still.

    table: where its rows land, or what comes of them; empty where it never brought any.
    """

    id: str
    table: str = ""
    rows: int = 0
    skipped: int = 0
    findings: int = 0
    read_at: datetime | None = None
    ended: bool = False
    trouble: str = ""


class Expiry(Record, frozen=True, kw_only=True):
    """Proof of an expiry: rows of a table older than before, gone with the files (name and SHA-256) that held them."""

    indexed: ClassVar[tuple[str, ...]] = ("table",)

    id: str
    table: str
    before: datetime
    rows: int
    removed: tuple[tuple[str, str], ...] = ()
