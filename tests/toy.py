"""Toy parts that keep the contracts: small enough to be read at a glance, real enough to prove the frame."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from khien import schema
from khien.contracts import Landed, Page, R
from khien.errors import ConflictError, ContractError, FormatError, InputError
from khien.model import Expiry, ProtectedName, Record

SEEN = pa.schema({"seen_at": schema.TIME, "host": pa.string(), "n": pa.int64()})
COUNTS = pa.schema({"bin": schema.TIME, "host": pa.string(), "n": pa.int64()})
BASELINE = pa.schema({"host": pa.string(), "usual": pa.float64()})
OPEN = pa.schema({"host": pa.string(), "episode": schema.TIME})


@dataclass(frozen=True)
class Lengthy:
    """A row detector: names longer than ``limit``."""

    name: ClassVar[str] = "lengthy"
    reads: ClassVar[pa.Schema] = schema.NAMES
    by: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, pa.Schema]] = {}

    limit: int = 20

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch:
        long = [row for row in batch.to_pylist() if row["name"] and len(row["name"]) > self.limit]
        return findings(
            finding(self.name, "domain", row["name"], "length", 1 - self.limit / len(row["name"]), row["seen_at"])
            for row in long
        )


@dataclass(frozen=True)
class Burst:
    """A keyed detector: hosts counted at more than ``times`` their baseline.

    The episode is the bin in which a host was first raised. That is for the open findings to say; where there is none,
    it is the first bin above the line.
    """

    name: ClassVar[str] = "burst"
    reads: ClassVar[pa.Schema] = COUNTS
    by: ClassVar[tuple[str, ...]] = ("host",)
    beside: ClassVar[Mapping[str, pa.Schema]] = {"baseline": BASELINE, "open": OPEN}

    times: float = 5.0

    def __call__(self, batch: pa.RecordBatch, /, baseline: pa.Table, open: pa.Table) -> pa.RecordBatch:
        usual = {row["host"]: row["usual"] for row in baseline.to_pylist()}
        raised = {row["host"]: row["episode"] for row in open.to_pylist()}
        above: dict[str, list[tuple[datetime, int]]] = {}
        for row in batch.to_pylist():
            if row["n"] > self.times * usual.get(row["host"], float("inf")):
                above.setdefault(row["host"], []).append((row["bin"], row["n"]))
        return findings(self._finding(host, bins, usual[host], raised.get(host)) for host, bins in above.items())

    def _finding(
        self, host: str, bins: Sequence[tuple[datetime, int]], usual: float, raised: datetime | None
    ) -> dict[str, Any]:
        first, last = min(bins)[0], max(bins)[0]
        score = 1 - self.times * usual / max(n for _, n in bins)
        return finding(self.name, "host", host, "burst", score, first, last, episode=raised or first)


@dataclass(frozen=True)
class PerSecond:
    """A fold: rows into counts per second and host."""

    name: ClassVar[str] = "persecond"
    reads: ClassVar[pa.Schema] = SEEN
    by: ClassVar[tuple[str, ...]] = ("bin", "host")
    yields: ClassVar[pa.Schema] = COUNTS

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch:
        second = pa.scalar(1_000_000, pa.int64())
        whole = pc.multiply(pc.divide(batch.column("seen_at").cast(pa.int64()), second), second)
        bins = whole.cast(schema.TIME)
        return self.merge(pa.RecordBatch.from_arrays([bins, batch.column("host"), batch.column("n")], schema=COUNTS))

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        summed: dict[tuple[datetime, str], int] = {}
        for row in partials.to_pylist():
            key = row["bin"], row["host"]
            summed[key] = summed.get(key, 0) + row["n"]
        return counts(summed)


@dataclass(frozen=True)
class Recorded:
    """A source of rows it was given, so many a page; its cursor is the number of rows that are behind it."""

    name: ClassVar[str] = "recorded"
    yields: ClassVar[pa.Schema] = SEEN
    replayable: ClassVar[bool] = True

    rows: tuple[tuple[datetime, str, int], ...]
    page: int = 2

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        for start in range(int(cursor or b"0"), len(self.rows), self.page):
            some = self.rows[start : start + self.page]
            batch = pa.RecordBatch.from_pylist([dict(zip(SEEN.names, row, strict=True)) for row in some], SEEN)
            yield Page(batch, str(start + len(some)).encode())


@dataclass(frozen=True)
class Lines:
    """Encoder and decoder of protected names, one JSON object a line."""

    media_type: ClassVar[str] = "application/x-ndjson"
    carries: ClassVar[type] = ProtectedName

    def encode(self, records: Iterable[Record], /) -> bytes:
        return msgspec.json.Encoder().encode_lines(records)

    def decode(self, document: bytes, /) -> Iterator[Record]:
        for number, line in enumerate(document.splitlines(), 1):
            try:
                yield msgspec.json.decode(line, type=ProtectedName)
            except ValueError as error:  # of JSON, of UTF-8, or of the record
                raise FormatError(f"line {number}: {error}") from error


@dataclass
class Place:
    """Where a Memory store keeps things: it outlives the store, as a disk does."""

    tables: dict[str, dict[str, pa.RecordBatch]] = field(default_factory=dict)
    records: dict[tuple[type, str], Any] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    cursors: dict[str, bytes] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True)
class Memory:
    """A store in this process."""

    name: ClassVar[str] = "memory"

    place: Place
    staged: dict[tuple[str, str], pa.RecordBatch] = field(default_factory=dict)

    def land(self, table: str, rows: pa.RecordBatch, /, *, id: str) -> Landed:
        if schema.secret(rows.schema):
            raise ContractError(f"what lands in table {table} is marked secret")
        self.staged[table, id] = rows
        return Landed(table, id, rows.num_rows)

    def save(
        self,
        *records: Record,
        landed: Sequence[Landed] = (),
        gone: Sequence[Record] = (),
        cursor: tuple[str, bytes] | None = None,
        expect: int | None = None,
    ) -> int:
        if expect not in (None, self.place.version):
            raise ConflictError(f"the store moved from version {expect} to {self.place.version}")
        for table, id_, _ in landed:
            self.place.tables.setdefault(table, {})[id_] = self.staged.pop((table, id_))
        for record in records:
            self.place.records[type(record), _id(record)] = record
        for record in gone:
            self.place.records.pop((type(record), _id(record)), None)
        self.place.cursors.update([cursor] if cursor else [])
        self.place.version += 1
        return self.place.version

    def version(self) -> int:
        return self.place.version

    def cursor(self, source: str, /) -> bytes | None:
        return self.place.cursors.get(source)

    def scan(self, table: str, /, *, since: datetime | None = None) -> ds.Dataset:  # noqa: ARG002 - may hold more
        if table not in self.place.tables:
            if table not in schema.TABLES:
                raise ContractError(f"nothing has landed in a table {table}")
            return ds.dataset(schema.TABLES[table].empty_table())
        return ds.dataset(pa.Table.from_batches(self.place.tables[table].values()))

    def lookup(self, table: str, column: str, values: pa.Array, /) -> pa.Table:
        return self.scan(table).to_table(filter=pc.field(column).isin(values))

    def load(self, kind: type[R], /, *ids: str) -> dict[str, R]:
        return {id_: self.place.records[kind, id_] for id_ in ids if (kind, id_) in self.place.records}

    def find(
        self, kind: type[R], /, *, order: str = "id", after: str = "", limit: int = 100, **equal: Any
    ) -> Sequence[R]:
        by, reverse = order.removeprefix("-"), order.startswith("-")
        _hold_indexed(kind, by, *equal)

        def place(record: Record) -> tuple[bool, Any, str]:
            return getattr(record, by) is not None, getattr(record, by), _id(record)

        found = sorted((record for record in self._of(kind) if _equals(record, equal)), key=place, reverse=reverse)
        if after:  # which may have changed since, and not be among them any more
            last = place(self.place.records[kind, after])
            found = [each for each in found if (place(each) < last if reverse else place(each) > last)]
        return found[:limit]

    def count(self, kind: type[Record], /, *by: str, **equal: Any) -> Mapping[tuple[Any, ...], int]:
        _hold_indexed(kind, *by, *equal)
        counted = Counter(
            tuple(getattr(record, name) for name in by) for record in self._of(kind) if _equals(record, equal)
        )
        return counted if by else {(): sum(counted.values())}

    def _of(self, kind: type[R]) -> list[R]:
        return [record for (met, _), record in self.place.records.items() if met is kind]

    def put(self, blob: bytes, /) -> str:
        digest = sha256(blob).hexdigest()
        self.place.blobs[digest] = blob
        return digest

    def get(self, digest: str, /) -> bytes:
        if digest not in self.place.blobs:
            raise InputError(f"there is no blob {digest}")
        return self.place.blobs[digest]

    def expire(self, table: str, before: datetime, /) -> Expiry:
        gone = 0
        for id_, rows in self.place.tables.get(table, {}).items():
            times = next(column for column in rows.columns if column.type == schema.TIME)
            kept = rows.filter(pc.fill_null(pc.greater_equal(times, pa.scalar(before, schema.TIME)), True))
            gone += rows.num_rows - kept.num_rows
            self.place.tables[table][id_] = kept
        proof = Expiry(id=f"{table} {before.isoformat()} {self.place.version}", table=table, before=before, rows=gone)
        self.save(proof)
        return proof

    def forget(self) -> None:
        """Nothing is in a file."""


def _id(record: Record) -> str:
    return getattr(record, "id")  # noqa: B009 - a kind that is kept has one


def _equals(record: Record, equal: Mapping[str, Any]) -> bool:
    return all(
        getattr(record, name) in (wanted if isinstance(wanted, tuple) else (wanted,)) for name, wanted in equal.items()
    )


def _hold_indexed(kind: type[Record], *names: str) -> None:
    if unknown := set(names) - {*kind.indexed, *kind.counted, "id"}:
        raise ContractError(f"{kind.__name__} is not indexed by {', '.join(sorted(unknown))}")


def finding(
    detector: str,
    kind: str,
    subject: str,
    claim: str,
    score: float,
    start: datetime | None,
    end: datetime | None = None,
    episode: datetime | None = None,
) -> dict[str, Any]:
    identity = schema.finding_id(detector, kind, subject, claim, episode.isoformat() if episode else "")
    return {
        "id": identity,
        "detector": detector,
        "kind": kind,
        "subject": subject,
        "claim": claim,
        "episode": episode,
        "score": score,
        "start": start,
        "end": end or start,
        "techniques": [claim],
        "suppressed": False,
        "reasons": [{"code": claim, "params": []}],
    }


def counts(of: Mapping[tuple[datetime, str], int]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"bin": bin_, "host": host, "n": n} for (bin_, host), n in of.items()], COUNTS)


def findings(rows: Iterable[Mapping[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema.FINDINGS)
