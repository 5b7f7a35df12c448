"""The embedded engine: what the shared tests cannot see from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import schema
from khien.engines.embedded import Embedded
from khien.errors import ConfigError, ContractError

READS = pa.schema({"a": pa.string(), "b": pa.binary(), "c": pa.int64(), "row": pa.int64()})
BESIDE = {
    "keyed": pa.schema({"b": pa.binary(), "a": pa.string(), "c": pa.int64()}),
    "whole": pa.schema({"c": pa.int64()}),
}
keys = st.tuples(
    st.none() | st.sampled_from(["", "x", "\0", "vài"]),
    st.none() | st.binary(max_size=1),
    st.none() | st.integers(-1, 1),
)


@dataclass(frozen=True)
class Witness:
    """Finds nothing and remembers what it was given: no detector may, but the engine is what is watched here."""

    name: ClassVar[str] = "witness"
    reads: ClassVar[pa.Schema] = READS
    beside: ClassVar[Mapping[str, pa.Schema]] = BESIDE

    by: tuple[str, ...] = ("a", "b", "c")
    met: list[tuple[pa.RecordBatch, dict[str, pa.Table]]] = field(default_factory=list)

    def __call__(self, batch: pa.RecordBatch, /, **beside: pa.Table) -> pa.RecordBatch:
        self.met.append((batch, beside))
        return pa.RecordBatch.from_pylist([], schema.FINDINGS)


def given_to(witness: Witness, engine: Embedded, rows: list[tuple[Any, ...]], besides: list[tuple[Any, ...]]) -> None:
    numbered = [{"a": a, "b": b, "c": c, "row": row} for row, (a, b, c) in enumerate(rows)]
    table = pa.Table.from_pylist(numbered, READS)
    keyed = pa.Table.from_pylist([{"a": a, "b": b, "c": c} for a, b, c in besides], BESIDE["keyed"])
    whole = pa.Table.from_pylist([{"c": 1}, {"c": 2}], BESIDE["whole"])
    reader = pa.RecordBatchReader.from_batches(READS, table.to_batches(max_chunksize=3))
    list(engine.run(witness, reader, keyed=ds.dataset(keyed), whole=whole))


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["a"], row["b"], row["c"]


@given(st.lists(keys, max_size=12), st.lists(keys, max_size=8), st.integers(1, 5))
def test_rows_that_share_a_key_meet_once_beside_their_own(
    rows: list[tuple[Any, ...]], besides: list[tuple[Any, ...]], partitions: int
) -> None:
    witness = Witness()
    given_to(witness, Embedded(partitions=partitions, rows=2), rows, besides)
    assert len(witness.met) <= partitions
    batches = [batch.to_pylist() for batch, _ in witness.met]
    assert sorted(row["row"] for batch in batches for row in batch) == list(range(len(rows)))
    homes = [{key_of(row) for row in batch} for batch in batches]
    assert sum(map(len, homes)) == len(set(rows))
    for batch, home, (_, beside) in zip(batches, homes, witness.met, strict=True):
        assert [row["row"] for row in batch] == sorted(row["row"] for row in batch)
        assert beside["whole"].num_rows == 2
        own = [key for key in besides if key in home]
        assert [key for row in beside["keyed"].to_pylist() if (key := key_of(row)) in home] == own


def test_partitions_are_the_same_each_time() -> None:
    rows = [(f"{number}.example", None, number % 3) for number in range(50)]
    first, second = Witness(), Witness()
    for witness in (first, second):
        given_to(witness, Embedded(partitions=4), rows, [])
    assert len(first.met) == 4
    assert [batch.to_pylist() for batch, _ in first.met] == [batch.to_pylist() for batch, _ in second.met]


def test_row_detectors_get_bounded_batches_beside_whole_tables() -> None:
    witness = Witness(by=())
    given_to(witness, Embedded(rows=2), [("x", b"", 1)] * 7, [("x", b"", 1), ("y", b"", 1)])
    assert max(batch.num_rows for batch, _ in witness.met) <= 2
    assert sum(batch.num_rows for batch, _ in witness.met) == 7
    assert {beside["keyed"].num_rows for _, beside in witness.met} == {2}


def test_no_rows_of_a_dataset() -> None:
    witness = Witness()
    nothing = {name: ds.dataset(wanted.empty_table()) for name, wanted in BESIDE.items()}
    assert list(Embedded().run(witness, ds.dataset(READS.empty_table()), **nothing)) == []
    assert witness.met == []


def test_a_wrong_table_is_told_before_the_first_row() -> None:
    tables = {name: wanted.empty_table() for name, wanted in BESIDE.items()}
    rows = READS.empty_table()
    twice = pa.table([*rows.columns, rows.column("a")], names=[*READS.names, "a"])
    for given_rows, beside, told in (
        (rows.drop_columns(["c"]), tables, r"reads the column c \(int64\), the table of rows lacks it"),
        (rows.set_column(2, "c", pa.array([], pa.int32())), tables, r"column c \(int64\), the table of rows has int32"),
        (twice, tables, r"column a \(string\), the table of rows has string, string"),
        (rows, {"keyed": tables["keyed"]}, "whole is missing or too much"),
        (rows, {**tables, "more": rows}, "more is missing or too much"),
        (rows, {**tables, "whole": tables["keyed"].drop_columns(["c"])}, r"column c \(int64\), whole lacks it"),
    ):
        with pytest.raises(ContractError, match=told):
            Embedded().run(Witness(), given_rows.to_reader(), **beside)


@pytest.mark.parametrize("settings", [{"rows": 0}, {"partitions": 0}])
def test_settings_start_at_one(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="start at 1"):
        Embedded(**settings)
