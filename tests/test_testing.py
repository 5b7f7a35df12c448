"""The shared checks are seen to fail: one crooked part for every promise a contract makes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from khien import schema
from khien.contracts import Landed, Page
from khien.engines.embedded import Embedded
from khien.model import Expiry, ProtectedName, Record
from khien.testing.detector import check_detector
from khien.testing.engine import check_engine
from khien.testing.fold import check_fold
from khien.testing.format import check_decoder, check_encoder
from khien.testing.source import check_source
from khien.testing.store import check_store
from tests import toy

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMES = pa.RecordBatch.from_pylist([{"name": f"{letter}.example"} for letter in "abcdefgh"], schema.NAMES)
SEEN = tuple((NOON + timedelta(milliseconds=300 * n), f"{'abc'[n % 3]}.example", n) for n in range(12))
Change = Callable[[list[dict[str, Any]], list[str]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Crooked:
    """A row detector that finds every name, and then does something to what it found."""

    name: ClassVar[str] = "crooked"
    reads: ClassVar[pa.Schema] = schema.NAMES
    by: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, pa.Schema]] = {}

    change: Change
    wanted: pa.Schema = schema.FINDINGS

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch:
        names = batch.column("name").to_pylist()
        found = [toy.finding(self.name, "domain", name, "crooked", 0.5, NOON) for name in names]
        return pa.RecordBatch.from_pylist(self.change(found, names), self.wanted)


memory: list[str] = []


def remembers(found: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    fresh = [finding for finding in found if finding["subject"] not in memory]
    memory.extend(names)
    return fresh


def ranks_in_batch(found: list[dict[str, Any]], _: list[str]) -> list[dict[str, Any]]:
    return [finding | {"score": 1 / len(found)} for finding in found]


def only_the_first(found: list[dict[str, Any]], _: list[str]) -> list[dict[str, Any]]:
    return found[:1]


def sees_its_neighbour(found: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    return [finding | {"techniques": [names[-1]]} for finding in found]


def finds_in_nothing(found: list[dict[str, Any]], _: list[str]) -> list[dict[str, Any]]:
    return found or [toy.finding("crooked", "domain", "nothing", "crooked", 0.5, NOON)]


def finds_nothing(*_: object) -> list[dict[str, Any]]:
    return []


def with_field(found: list[dict[str, Any]], _: list[str], **named: Any) -> list[dict[str, Any]]:
    return [finding | named for finding in found]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (remembers, "gives something else with one key or row at a time"),
        (ranks_in_batch, "gives something else with one key or row at a time"),
        (only_the_first, "gives something else"),
        (sees_its_neighbour, "gives something else"),
        (finds_in_nothing, "gives something else"),
        (finds_nothing, "would prove nothing"),
        (partial(with_field, score=1.5), "scores outside"),
        (partial(with_field, score=float("nan")), "scores outside"),
        (partial(with_field, id=bytes(32)), "not finding_id of its parts"),
        (partial(with_field, episode=NOON), "not finding_id of its parts"),
        (partial(with_field, detector="other"), "signs as other"),
        (partial(with_field, claim=None), r"leaves \['claim'\] empty"),
        (partial(with_field, end=NOON - timedelta(1)), "ends before it starts"),
        (partial(with_field, span=[0, 999]), "span outside"),
        (partial(with_field, reasons=[None]), "empty reason"),
    ],
)
def test_a_crooked_detector(change: Change, told: str) -> None:
    memory.clear()
    with pytest.raises(AssertionError, match=told):
        check_detector(Crooked(change), NAMES, {})


def test_a_detector_of_other_columns() -> None:
    other = schema.FINDINGS.remove(schema.FINDINGS.get_field_index("score"))
    with pytest.raises(AssertionError, match="its findings has the columns"):
        check_detector(Crooked(ranks_in_batch, other), NAMES, {})


def test_a_detector_that_does_not_pickle() -> None:
    with pytest.raises((AttributeError, TypeError), match=r"[Pp]ickle"):
        check_detector(Crooked(lambda found, _: found), NAMES, {})


def test_a_detector_that_writes_into_its_rows() -> None:
    times = np.zeros(8, np.int64)
    seen_at = pa.Array.from_buffers(schema.TIME, 8, [None, pa.py_buffer(times)])

    def scribbles(found: list[dict[str, Any]], _: list[str]) -> list[dict[str, Any]]:
        times[0] += 1
        return found

    rows = pa.RecordBatch.from_arrays([NAMES.column("name"), seen_at], schema=schema.NAMES)
    with pytest.raises(AssertionError, match="changed its input"):
        check_detector(Crooked(scribbles), rows, {})


@dataclass(frozen=True)
class WithoutName:
    """A source whose name is a setting."""

    yields: ClassVar[pa.Schema] = toy.SEEN
    replayable: ClassVar[bool] = True

    name: str = "settled"

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        return toy.Recorded(SEEN).read(cursor)


@dataclass
class Thawed:
    """A source whose settings may change under way."""

    name: ClassVar[str] = "thawed"
    yields: ClassVar[pa.Schema] = toy.SEEN
    replayable: ClassVar[bool] = True

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        return toy.Recorded(SEEN).read(cursor)


@dataclass(frozen=True)
class Reread:
    """A source that reads as it is told to."""

    name: ClassVar[str] = "reread"
    yields: ClassVar[pa.Schema] = toy.SEEN
    replayable: ClassVar[bool] = True

    way: Callable[[bytes | None], Iterator[Page]]

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        return self.way(cursor)


def skips_a_page(cursor: bytes | None) -> Iterator[Page]:
    return toy.Recorded(SEEN).read(str(int(cursor) + 2).encode() if cursor else None)


def stands_still(cursor: bytes | None) -> Iterator[Page]:
    return (page._replace(cursor=b"0") for page in toy.Recorded(SEEN).read(cursor))


def other_columns(cursor: bytes | None) -> Iterator[Page]:
    return (page._replace(rows=page.rows.drop_columns(["n"])) for page in toy.Recorded(SEEN).read(cursor))


def text_cursor(cursor: bytes | None) -> Iterator[Page]:
    return (page._replace(cursor=page.cursor.decode()) for page in toy.Recorded(SEEN).read(cursor))  # type: ignore[arg-type]


class Once:
    """Reads everything the first time, and less each time it is asked again."""

    def __init__(self) -> None:
        self.left = len(SEEN)

    def __call__(self, cursor: bytes | None) -> Iterator[Page]:
        self.left -= cursor is None
        return toy.Recorded(SEEN[: self.left]).read(cursor)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (WithoutName(), "lacks the class variable name"),
        (Thawed(), "no frozen dataclass"),
        (Reread(skips_a_page), "skips .* after the cursor b'2'"),
        (Reread(stands_still), "without moving its cursor"),
        (Reread(other_columns), "a page has the columns"),
        (Reread(text_cursor), "not bytes"),
        (Reread(Once()), "does not give the same rows again|skips"),
    ],
)
def test_a_crooked_source(source: Any, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_source(source)


class Last(toy.PerSecond):
    """Keeps the last partial of a key: order decides."""

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        return toy.counts({(row["bin"], row["host"]): row["n"] for row in partials.to_pylist()})


class Average(toy.PerSecond):
    """The mean of means: grouping decides."""

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        met: dict[Any, list[int]] = {}
        for row in partials.to_pylist():
            met.setdefault((row["bin"], row["host"]), []).append(row["n"])
        return toy.counts({key: sum(values) * 1000 // len(values) for key, values in met.items()})


class Unmerged(toy.PerSecond):
    """Gives partials back as they came."""

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        return partials


@pytest.mark.parametrize("kind", [Last, Average, Unmerged])
def test_a_crooked_fold(kind: type[toy.PerSecond]) -> None:
    rows = pa.RecordBatch.from_pylist([dict(zip(toy.SEEN.names, row, strict=True)) for row in SEEN], toy.SEEN)
    with pytest.raises(AssertionError, match=r"gives something else when|two rows for one key"):
        check_fold(kind(), rows)


class ShowsAtOnce(toy.Memory):
    def land(self, table: str, rows: pa.RecordBatch, /, *, id: str) -> Landed:
        landed = super().land(table, rows, id=id)
        self.place.tables.setdefault(table, {})[id] = rows
        return landed


class AppendsTheSameId(toy.Memory):
    def save(self, *records: Record, landed: Sequence[Landed] = (), **named: Any) -> int:
        for each in landed:
            kept = self.place.tables.get(each.table, {}).get(each.id)
            if kept is not None:
                both = [kept, self.staged[each.table, each.id]]
                self.staged[each.table, each.id] = pa.concat_batches(both)
        return super().save(*records, landed=landed, **named)


class Overwrites(toy.Memory):
    def save(self, *records: Record, expect: int | None = None, **named: Any) -> int:
        del expect
        return super().save(*records, **named)


class ForgetsTheCursor(toy.Memory):
    def save(self, *records: Record, cursor: tuple[str, bytes] | None = None, **named: Any) -> int:
        del cursor
        return super().save(*records, **named)


class FailsHalfway(toy.Memory):
    def save(self, *records: Record, expect: int | None = None, **named: Any) -> int:
        if expect is not None and expect != self.place.version:
            super().save(*records)
        return super().save(*records, expect=expect, **named)


class KeepsWhatIsGone(toy.Memory):
    def save(self, *records: Record, gone: Sequence[Record] = (), **named: Any) -> int:
        del gone
        return super().save(*records, **named)


class FindsInAnyOrder(toy.Memory):
    def find(self, kind: type[Record], /, **named: Any) -> Sequence[Record]:
        return super().find(kind, **named)[::-1]


class NeverExpires(toy.Memory):
    def expire(self, table: str, before: datetime, /) -> Expiry:
        return Expiry(id="none", table=table, before=before, rows=0)


class StandsStill(toy.Memory):
    def version(self) -> int:
        return 0


class CountsTwice(toy.Memory):
    def count(self, kind: type[Record], /, *by: str, **equal: Any) -> Mapping[tuple[Any, ...], int]:
        return {key: 2 * n for key, n in super().count(kind, *by, **equal).items()}


class PagesFromTheStart(toy.Memory):
    def find(self, kind: type[Record], /, *, after: str = "", **named: Any) -> Sequence[Record]:
        found = super().find(kind, after=after, **named)
        return found if named.get("order", "id") == "id" or not after else found[1:]


class LandsSecrets(toy.Memory):
    def land(self, table: str, rows: pa.RecordBatch, /, *, id: str) -> Landed:
        return super().land(table, rows.replace_schema_metadata(None), id=id)


class LosesBlobs(toy.Memory):
    def get(self, digest: str, /) -> bytes:
        return self.place.blobs[digest][:2]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (ShowsAtOnce, "before a save"),
        (AppendsTheSameId, "after the same id was saved again"),
        (Overwrites, "ConflictError is due"),
        (ForgetsTheCursor, "does not move the cursor"),
        (FailsHalfway, "shows a record of a save that failed"),
        (FindsInAnyOrder, "finds"),
        (KeepsWhatIsGone, "when g is gone"),
        (NeverExpires, "expires 0 of 4 rows"),
        (StandsStill, "version"),
        (CountsTwice, "counts"),
        (PagesFromTheStart, "pages by"),
        (LandsSecrets, "lands what is secret"),
        (LosesBlobs, "other blobs"),
    ],
)
def test_a_crooked_store(kind: type[toy.Memory], told: str) -> None:
    place = toy.Place()
    with pytest.raises(AssertionError, match=told):
        check_store(lambda: kind(place))


def test_a_store_that_is_gone_when_opened_anew() -> None:
    with pytest.raises((AssertionError, KeyError)):
        check_store(lambda: toy.Memory(toy.Place()))


@dataclass(frozen=True)
class SplitsKeys:
    """An engine that never looks at the key."""

    name: ClassVar[str] = "splitskeys"

    def run(self, detector: Any, data: Any, /, **beside: Any) -> Iterator[pa.RecordBatch]:
        return Embedded(rows=1).run(Rowwise(detector), data, **beside)


@dataclass(frozen=True)
class Rowwise:
    """A detector, told not to be keyed."""

    detector: Any

    def __getattr__(self, name: str) -> Any:
        return () if name == "by" else getattr(self.detector, name)

    def __call__(self, batch: pa.RecordBatch, /, **beside: pa.Table) -> pa.RecordBatch:
        return self.detector(batch, **beside)


def test_a_crooked_engine() -> None:
    rows = [{"bin": NOON + timedelta(seconds=n), "host": "a.example", "n": 10 * n} for n in range(9)]
    batch = pa.RecordBatch.from_pylist(rows, toy.COUNTS)
    beside = {
        "baseline": pa.Table.from_pylist([{"host": "a.example", "usual": 2.0}], toy.BASELINE),
        "open": toy.OPEN.empty_table(),
    }
    check_engine(Embedded(), toy.Burst(), batch, beside)
    with pytest.raises(AssertionError, match="engine splitskeys gives something else"):
        check_engine(SplitsKeys(), toy.Burst(), batch, beside)


class Fragile(toy.Lines):
    def decode(self, document: bytes, /) -> Iterator[Record]:
        return (msgspec.json.decode(line, type=ProtectedName) for line in document.splitlines())


class Shouting(toy.Lines):
    def decode(self, document: bytes, /) -> Iterator[Record]:
        return (msgspec.structs.replace(record, label="!") for record in super().decode(document))


def test_crooked_formats() -> None:
    records = (ProtectedName(id="a", label="A", sector="bank"),)
    document = toy.Lines().encode(records)
    with pytest.raises(AssertionError, match="not with FormatError"):
        check_decoder(Fragile(), [document])
    with pytest.raises(AssertionError, match="do not come back as they were"):
        check_encoder(toy.Lines(), Shouting(), records)
