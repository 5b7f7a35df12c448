"""The platform on one page: every other file keeps one of these contracts or uses one.

Parts have no base class: a part is a frozen dataclass whose fields are its configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

import pyarrow as pa

from khien import model

if TYPE_CHECKING:  # as long to load as all the rest, and few use it
    import pyarrow.dataset as ds

R = TypeVar("R", bound=model.Record)


class Page(NamedTuple):
    """Rows, where to resume once they are safely stored, and what was set aside on the way (schema.SKIPPED)."""

    rows: pa.RecordBatch
    cursor: bytes
    skipped: pa.RecordBatch | None = None


class Source(Protocol):
    """Yields observables."""

    name: ClassVar[str]
    yields: ClassVar[pa.Schema]
    replayable: ClassVar[bool]  # False: a listener; it spools, only what may be stored, before it yields

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """What cursor does not cover, in the source's own order; may repeat rows, never skips one.

        A live source yields at least every 0.25 s (an empty page counts). May be abandoned at any page.
        """
        ...


class Fold(Protocol):
    """Many rows in, fewer out, before they land: for volume or privacy."""

    name: ClassVar[str]
    reads: ClassVar[pa.Schema]
    by: ClassVar[tuple[str, ...]]
    yields: ClassVar[pa.Schema]

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch: ...

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        """Commutative and associative: partials in any order and grouping give the same rows."""
        ...


class Detector(Protocol):
    """A pure function from a batch to findings: no clock, network, disk, chance or memory of earlier batches.

    Splitting or merging batches never changes its findings, as long as rows that share ``by`` stay together.
    """

    name: ClassVar[str]
    reads: ClassVar[pa.Schema]
    by: ClassVar[tuple[str, ...]]  # () = row by row
    beside: ClassVar[Mapping[str, pa.Schema]]  # further tables: split by the same key where they have it, else whole

    def __call__(self, batch: pa.RecordBatch, /, **beside: pa.Table) -> pa.RecordBatch:
        """schema.FINDINGS"""
        ...


class Seen(NamedTuple):
    """What came of rows that are not themselves kept: batches of schema.FINDINGS, and rows to land, by table."""

    findings: tuple[pa.RecordBatch, ...] = ()
    tables: Mapping[str, pa.RecordBatch] = {}


class Watch(Protocol):
    """The memory that a keyed detector may not have, for rows that do not land: it holds their trailing horizon, folded
    and bounded, and runs the detector over what changed, beside what is usual and what is open."""

    def take(self, rows: pa.RecordBatch, /) -> Seen:
        """Takes rows as they come, and answers what is found by now. What lands of them is of findings, or of many."""
        ...

    def finish(self, *, over: bool = True) -> Seen:
        """Answers what is found when nothing more will come; over: False: when others will watch on, later."""
        ...

    def idle(self, now: datetime, /) -> Seen:
        """Answers what is over, when nothing has come for long."""
        ...

    def anew(self) -> Watch:
        """A watch that has taken nothing, and knows what this one has found: for a source that tells again."""
        ...


class Asks(Protocol):
    """What findings ask of a source of evidence: subjects to look into that are due, the longest due first."""

    def __call__(self, source: str, limit: int, /) -> Sequence[str]: ...


class Channel(Protocol):
    """Delivers what it carries: a notice, or a takedown as a report of abuse."""

    name: ClassVar[str]
    carries: ClassVar[type[model.Record]]
    repeatable: ClassVar[bool]  # the other side takes the same id once: what is uncertain may be sent again

    def send(self, record: Any, to: model.Delivery, commit: Callable[[], None], /) -> str:
        """Hands a record over, once for each delivery id; answers what the other side said.

        commit is called once, before the first moment from which on the other side may have taken it, and no sooner
        than it must be: what it raises goes through, and nothing was handed over then.

        UnavailableError: not taken, try later. InputError: never taken in this form. UncertainError: it may have been
        taken, and the other side did not say so.
        """
        ...


class Engine(Protocol):
    """Runs a detector over data it holds by reference; findings come home by value."""

    name: ClassVar[str]

    def run(
        self, detector: Detector, data: ds.Dataset | pa.RecordBatchReader, /, **beside: ds.Dataset | pa.Table
    ) -> Iterator[pa.RecordBatch]: ...


class Landed(NamedTuple):
    """Rows that are staged under an id, not yet visible."""

    table: str
    id: str
    rows: int


class Store(Protocol):
    """Bulk tables by reference, records by value. What it has answered survives a crash."""

    name: ClassVar[str]

    def land(self, table: str, rows: pa.RecordBatch, /, *, id: str) -> Landed:
        """Stages rows; the same id replaces itself. Who lands is the one process that holds the place's lock.

        ContractError: the rows are for memory alone (schema.secret).
        """
        ...

    def save(
        self,
        *records: model.Record,
        landed: Sequence[Landed] = (),
        gone: Sequence[model.Record] = (),
        cursor: tuple[str, bytes] | None = None,
        expect: int | None = None,
    ) -> int:
        """Rows, records and cursor become visible in one transaction, or none do; answers the new version.

        gone: records that, in the same transaction, are there no more; such as are not there anyway are passed over.
        Moved meanwhile (``expect`` is not the version met): ConflictError, and what is landed stays staged.
        """
        ...

    def version(self) -> int:
        """How often something was saved here, by whatever process: read it before what ``expect`` is to protect."""
        ...

    def cursor(self, source: str, /) -> bytes | None: ...

    def scan(self, table: str, /, *, since: datetime | None = None) -> ds.Dataset:
        """Rows of a table; since leaves out what is wholly older by its first column of schema.TIME.

        Nothing landed yet: no rows, where schema.TABLES knows the table, ContractError where it does not.
        """
        ...

    def lookup(self, table: str, column: str, values: pa.Array, /) -> pa.Table: ...

    def load(self, kind: type[R], /, *ids: str) -> Mapping[str, R]:
        """The records of these ids that are there."""
        ...

    def find(
        self, kind: type[R], /, *, order: str = "id", after: str = "", limit: int = 100, **equal: Any
    ) -> Sequence[R]:
        """Records whose indexed fields equal what is given (a tuple: one of it), by order and then by id.

        order: an indexed field or ``id``, with ``-`` before it from the greatest down. after: the id of the record a
        page ends with, wherever that now stands. ContractError: a field the kind does not index.
        """
        ...

    def count(self, kind: type[model.Record], /, *by: str, **equal: Any) -> Mapping[tuple[Any, ...], int]:
        """How many records there are for each combination of the fields ``by``; of none: ``{(): n}``."""
        ...

    def put(self, blob: bytes, /) -> str:
        """Keeps a blob; answers its SHA-256 in hex."""
        ...

    def get(self, digest: str, /) -> bytes:
        """InputError: there is no such blob. CustodyError: it is not what its digest says any more."""
        ...

    def expire(self, table: str, before: datetime, /) -> model.Expiry:
        """Rows older by the first column of schema.TIME are gone from every file when this answers; null is kept."""
        ...

    def forget(self) -> None:
        """What records said before they were replaced or gone is in no file any more when this answers, unless somebody
        reads just now."""
        ...


class Encoder(Protocol):
    """Carries what we share into a document."""

    media_type: ClassVar[str]
    carries: ClassVar[type]

    def encode(self, records: Iterable[model.Record], /) -> bytes: ...


class Decoder(Protocol):
    """Reads a document: records, or FormatError and nothing else, bounded in time and memory."""

    media_type: ClassVar[str]
    carries: ClassVar[type]

    def decode(self, document: bytes, /) -> Iterator[model.Record]: ...
