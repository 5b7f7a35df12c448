"""Collect, fold, detect: each step may be cut off anywhere and run again, and leaves what one run would have left.

Rows land under an id that follows from where they came from, findings under their own, and a cursor moves in the same
save as the rows behind it: at least once is exactly once in effect.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds

from khien.contracts import Detector, Engine, Fold, Source, Store
from khien.errors import ContractError

FINDINGS = "findings"
SKIPPED = "skipped"


class Scanned(NamedTuple):
    """What one page of a source came to: rows read, what was found in them, what was set aside, where to resume."""

    rows: int
    findings: pa.RecordBatch
    skipped: pa.RecordBatch | None
    cursor: bytes


def collect(source: Source, store: Store, table: str, fold: Fold | None = None) -> int:
    """Lands what the source has and the store does not, folded if asked for, and answers how many rows that was.

    A page's rows, what it set aside (in the table ``skipped``) and its cursor become visible together. ContractError:
    rows came without a new cursor, so the next page would have replaced them.
    """
    rows = 0
    before = store.cursor(source.name)
    for page in source.read(before):
        if page.cursor == before:
            if page.rows.num_rows:
                raise ContractError(f"source {source.name} yields rows without moving its cursor {before!r}")
            continue
        under = page_id(source.name, before)
        batch = page.rows if fold is None else fold(page.rows)
        landed = [store.land(table, batch, id=under)] if batch.num_rows else []
        if page.skipped is not None and page.skipped.num_rows:
            landed.append(store.land(SKIPPED, page.skipped, id=under))
        store.save(landed=landed, cursor=(source.name, page.cursor))
        rows += batch.num_rows
        before = page.cursor
    return rows


def page_id(source: str, before: bytes | None) -> str:
    """The id a page lands under: the digest of its source and of the cursor before it (None: from the start)."""
    return sha256(source.encode() + (b"\0" if before is None else b"\1" + before)).hexdigest()


def detect(
    engine: Engine,
    detector: Detector,
    data: ds.Dataset | pa.RecordBatchReader,
    store: Store,
    /,
    **beside: ds.Dataset | pa.Table,
) -> int:
    """Finds, and lands each finding under its own id, so that a later run revises it; answers how many there are.

    Of revisions met in one run the one that ends last is kept, of those the one with the highest score.
    """
    latest: dict[bytes, tuple[tuple[str, float], pa.RecordBatch]] = {}
    for findings in engine.run(detector, data, **beside):
        ends = findings.column("end").cast(pa.string()).to_pylist()
        scores = findings.column("score").to_pylist()
        for number, identity in enumerate(findings.column("id").to_pylist()):
            rank = (ends[number] or "", scores[number])
            if identity not in latest or latest[identity][0] < rank:
                latest[identity] = (rank, findings.slice(number, 1))
    landed = [store.land(FINDINGS, finding, id=identity.hex()) for identity, (_, finding) in sorted(latest.items())]
    store.save(landed=landed)
    return len(landed)


def scan(source: Source, detector: Detector) -> Iterator[Scanned]:
    """Streams a source's pages straight through a row detector, without a store; memory is one page.

    ContractError, before the first page is read: the detector is keyed, or reads columns the source does not yield.
    """
    missing = [field.name for field in detector.reads if field not in source.yields]
    if missing:
        raise ContractError(
            f"detector {detector.name} reads {', '.join(missing)}, source {source.name} does not yield it"
        )
    if detector.by or detector.beside:
        raise ContractError(f"detector {detector.name} needs more than one row at a time: run it on an engine")
    return _scanned(source, detector, detector.reads.names)


def _scanned(source: Source, detector: Detector, columns: list[str]) -> Iterator[Scanned]:
    for page in source.read(None):
        findings = detector(page.rows.select(columns))
        yield Scanned(page.rows.num_rows, findings, page.skipped, page.cursor)
