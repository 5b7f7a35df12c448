"""A detector, held to its contract."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa

from khien import schema
from khien.contracts import Detector, Engine
from khien.testing.engine import Tables, through
from khien.testing.hold import as_set, hold, hold_part, hold_same, hold_same_schema, shuffled
from khien.testing.purity import forbidden_inside


def check_detector(
    detector: Detector, rows: pa.RecordBatch, beside: Tables, *, engine: Engine | None = None, seed: int = 0
) -> None:
    """A detector is pure, and finds the same however its rows are batched; with an engine, also through that.

    rows conform to ``detector.reads``, beside to ``detector.beside``; some rows must be worth a finding.
    """
    whose = f"detector {detector.name}"
    hold_part(detector, "name", "reads", "by", "beside")
    hold_same_schema(whose, "the rows to try it with", rows.schema, detector.reads)
    hold(set(detector.by) <= set(detector.reads.names), f"{whose} does not read all columns of by {detector.by}")
    hold(set(beside) == set(detector.beside), f"{whose} takes beside {sorted(detector.beside)}, got {sorted(beside)}")
    for name, table in beside.items():
        hold_same_schema(whose, f"the table {name} to try it with", table.schema, detector.beside[name])
        for key in set(detector.by) & set(table.schema.names):
            same = table.schema.field(key).type == detector.reads.field(key).type
            hold(same, f"{whose}: the key {key} of {name} is of another type than that of its rows")

    before = _digest(rows, beside)
    found = _purely(detector, rows, beside)
    hold(_digest(rows, beside) == before, f"{whose} changed its input")
    hold(found.num_rows > 0, f"{whose} finds nothing in the rows to try it with: that would prove nothing")
    _hold_findings(detector, found)
    whole = as_set(found)

    for how, batches in _arrangements(detector, rows, beside, seed):
        parts = [as_set(_purely(detector, batch, tables)) for batch, tables in batches]
        hold_same(whose, how, frozenset[str]().union(*parts), whole)
    hold_same(whose, "when run once more", as_set(_purely(detector, rows, beside)), whole)
    copy = pickle.loads(pickle.dumps(detector))
    hold_same(whose, "as its own pickled copy", as_set(_purely(copy, rows, beside)), whole)
    hold_same(whose, "in a fresh thread", _in_thread(lambda: as_set(_purely(detector, rows, beside))), whole)
    if engine is not None:
        hold_same(whose, f"on {engine.name}", through(engine, detector, rows, beside), whole)


def _purely(detector: Detector, rows: pa.RecordBatch, beside: Tables) -> pa.RecordBatch:
    with forbidden_inside():
        return detector(rows, **beside)


def _hold_findings(detector: Detector, findings: pa.RecordBatch) -> None:
    whose = f"detector {detector.name}"
    hold_same_schema(whose, "its findings", findings.schema, schema.FINDINGS)
    findings.validate(full=True)
    optional = {"episode", "start", "end", "span", "measures"}
    for finding in findings.to_pylist():
        absent = [name for name, value in finding.items() if value is None and name not in optional]
        hold(not absent, f"{whose} leaves {absent} empty in {finding}")
        hold(finding["detector"] == detector.name, f"{whose} signs as {finding['detector']}")
        episode = finding["episode"].isoformat() if finding["episode"] else ""
        identity = schema.finding_id(detector.name, finding["kind"], finding["subject"], finding["claim"], episode)
        hold(finding["id"] == identity, f"{whose} gives an id that is not finding_id of its parts in {finding}")
        hold(0 <= finding["score"] <= 1, f"{whose} scores outside [0, 1] in {finding}")
        if finding["start"] and finding["end"]:
            hold(finding["start"] <= finding["end"], f"{whose} ends before it starts in {finding}")
        if finding["span"]:
            first, behind = finding["span"]
            inside = 0 <= first < behind <= len(finding["subject"])
            hold(inside, f"{whose} gives a span outside of the subject in {finding}")
        named = all(reason and reason["code"] for reason in finding["reasons"])
        hold(named, f"{whose} gives an empty reason in {finding}")


def _in_thread(run: Callable[[], Any]) -> Any:
    answers: list[Any] = []
    failures: list[BaseException] = []

    def kept() -> None:
        try:
            answers.append(run())
        except BaseException as error:
            failures.append(error)

    thread = Thread(target=kept)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return answers[0]


def _arrangements(
    detector: Detector, rows: pa.RecordBatch, beside: Tables, seed: int
) -> Iterator[tuple[str, list[tuple[pa.RecordBatch, Tables]]]]:
    """Ways to hand over the same rows, each with what stands beside each batch, and its name for the sentence."""
    keys = _keys(rows, detector.by) if detector.by else range(rows.num_rows)
    groups: dict[Any, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    order = shuffled(len(groups), seed)
    members = list(groups.values())

    def taken(chosen: Sequence[int]) -> pa.RecordBatch:
        return rows.take(pa.array([row for group in chosen for row in members[group]], pa.int64()))

    def split(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Tables]:
        return batch, {name: _beside_of(detector, batch, table) for name, table in beside.items()}

    yield "with one key or row at a time", [split(taken([group])) for group in order]
    for pieces in (2, 3, 7):
        parts = [taken(part.tolist()) for part in np.array_split(np.array(order, np.int64), pieces)]
        yield f"in {pieces} batches", [split(part) for part in parts]
        yield f"in {pieces} batches beside whole tables", [(part, beside) for part in parts]
    yield "with its rows in another order", [(rows.take(pa.array(shuffled(rows.num_rows, seed), pa.int64())), beside)]
    empty = rows.slice(0, 0)
    yield "between empty batches", [(empty, beside), (rows, beside), (empty, beside)]
    padded = pa.concat_batches([rows, rows, rows])
    yield "from a slice of a larger batch", [(padded.slice(rows.num_rows, rows.num_rows), beside)]


def _beside_of(detector: Detector, batch: pa.RecordBatch, table: pa.Table) -> pa.Table:
    if not detector.by or not set(detector.by) <= set(table.schema.names):
        return table
    keys = set(_keys(batch, detector.by))
    return table.filter(pa.array([key in keys for key in _keys(table, detector.by)], pa.bool_()))


def _keys(rows: pa.RecordBatch | pa.Table, by: Sequence[str]) -> list[str]:
    return [repr(row) for row in rows.select(list(by)).to_pylist()]


def _digest(rows: pa.RecordBatch, beside: Tables) -> str:
    digest = sha256()
    for table in (rows, *beside.values()):
        for column in table.columns:
            for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
                for buffer in chunk.buffers():
                    digest.update(buffer or b"")
    return digest.hexdigest()
