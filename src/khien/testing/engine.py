"""An engine, held to its contract."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.dataset as ds

from khien import schema
from khien.contracts import Detector, Engine
from khien.errors import ContractError
from khien.testing.hold import as_set, hold, hold_part, hold_same

Tables = Mapping[str, pa.Table]


def check_engine(engine: Engine, detector: Detector, rows: pa.RecordBatch, beside: Tables) -> None:
    """An engine finds what the detector finds, from either kind of input, and tells a wrong table from a right one."""
    whose = f"engine {engine.name}"
    hold_part(engine, "name")
    truth = as_set(detector(rows, **beside))
    hold_same(whose, "with batches of all sizes", through(engine, detector, rows, beside), truth)
    hold_same(whose, "run again", through(engine, detector, rows, beside), truth)
    wide = pa.table({"unread": pa.nulls(rows.num_rows), **{n: rows.column(n) for n in reversed(rows.schema.names)}})
    datasets = {name: ds.dataset(table) for name, table in beside.items()}
    found = _collected(engine.run(detector, ds.dataset(wide), **datasets))
    hold_same(whose, "with datasets and a column more", found, truth)
    for empty in (_reader(rows, []), _reader(rows, [rows.slice(0, 0)]), ds.dataset(pa.table(rows).slice(0, 0))):
        hold_same(whose, "without rows", _collected(engine.run(detector, empty, **beside)), frozenset())

    first = rows.schema.names[0]
    lacking = pa.table(rows).drop_columns([first])
    _hold_refused(whose, first, lambda: list(engine.run(detector, ds.dataset(lacking), **beside)))
    retyped = lacking.append_column(first, pa.nulls(rows.num_rows))
    _hold_refused(whose, first, lambda: list(engine.run(detector, ds.dataset(retyped), **beside)))
    for name in beside:
        others = {key: table for key, table in beside.items() if key != name}
        _hold_refused(whose, name, lambda others=others: list(engine.run(detector, _reader(rows, [rows]), **others)))
    crooked = _Scoreless()
    names = pa.RecordBatch.from_pylist([{"name": "a.example"}], schema.NAMES)
    _hold_refused(whose, crooked.name, lambda: list(engine.run(crooked, _reader(names, [names]))))


@dataclass(frozen=True)
class _Scoreless:
    """A detector that breaks its contract, to see the engine say so."""

    name: ClassVar[str] = "scoreless"
    reads: ClassVar[pa.Schema] = schema.NAMES
    by: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, pa.Schema]] = {}

    def __call__(self, batch: pa.RecordBatch, /, **beside: pa.Table) -> pa.RecordBatch:
        del batch, beside
        return pa.RecordBatch.from_pylist([], schema.FINDINGS).drop_columns(["score"])


def through(engine: Engine, detector: Detector, rows: pa.RecordBatch, beside: Tables) -> frozenset[str]:
    """The findings of an engine that gets the rows in batches of many sizes, one of them empty."""
    third = rows.num_rows // 3
    batches = [rows.slice(0, third), rows.slice(0, 0), rows.slice(third, 1), rows.slice(third + 1)]
    return _collected(engine.run(detector, _reader(rows, batches), **beside))


def _hold_refused(whose: str, named: str, run: Callable[[], object]) -> None:
    try:
        run()
    except ContractError as error:
        hold(named in str(error), f"{whose} refuses without naming {named}: {error}")
    else:
        raise AssertionError(f"{whose} should refuse with ContractError: {named} is not as the contract says")


def _reader(rows: pa.RecordBatch, batches: Sequence[pa.RecordBatch]) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(rows.schema, batches)


def _collected(found: Iterator[pa.RecordBatch]) -> frozenset[str]:
    return frozenset[str]().union(*map(as_set, found))
