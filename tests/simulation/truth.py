"""What must be true: the promises of store and pipeline, kept by a model so plain that it can be read in full.

A Truth is what can be seen of a place: the rows of each table, the cursors, the records. Each step of a world says what
it makes of the truth; what a store shows is a Truth as well, and the two must be equal.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from khien.contracts import Store
from khien.model import Finding, SourceState
from khien.pipeline.collect import SKIPPED, Halt, Work
from khien.triage import life

Row = tuple[Any, ...]
Tables = Mapping[str, Counter[Row]]


@dataclass(frozen=True)
class Truth:
    """Rows by table, times in a column of that name; records by id."""

    tables: Tables = field(default_factory=dict)
    cursors: Mapping[str, bytes] = field(default_factory=dict)
    findings: Mapping[str, Finding] = field(default_factory=dict)
    states: Mapping[str, SourceState] = field(default_factory=dict)

    def after_save(self, work: Work, at: datetime) -> "Truth":
        """A page's rows, findings and cursor are there, once."""
        name = work.feed.name
        landed = {work.feed.table: work.rows, SKIPPED: work.skipped}
        tables = dict(self.tables)
        for table, rows in landed.items():
            if rows is not None and rows.num_rows:
                tables[table] = tables.get(table, Counter()) + counted(rows)
        known = self.states.get(name, SourceState(id=name))
        times = [said for row in work.rows.to_pylist() for said in row.values() if isinstance(said, datetime)]
        found = self.after_detect((batch for batch in work.findings), name, at)
        state = msgspec.structs.replace(
            known,
            table=work.feed.table,
            rows=known.rows + work.read,
            skipped=known.skipped + (work.skipped.num_rows if work.skipped else 0),
            findings=known.findings + len(found.findings) - len(self.findings),
            newest=max([*times, *filter(None, (known.newest,))], default=None),
            read_at=at,
            ended=False,
            trouble="",
        )
        cursors = {**self.cursors, name: work.cursor}
        return replace(found, tables=tables, cursors=cursors, states={**self.states, name: state})

    def after_detect(self, batches: Iterable[pa.RecordBatch], source: str, at: datetime) -> "Truth":
        """One finding for each id, whatever people did to it still done."""
        findings = dict(self.findings)
        for batch in batches:
            for each in life.findings([batch], source=source, at=at):
                findings[each.id] = life.revise(findings[each.id], each) if each.id in findings else each
        return replace(self, findings=findings)

    def after_act(self, id: str, act: str, by: str, at: datetime) -> "Truth":
        """An officer's act is done, to the finding as it was."""
        return replace(self, findings={**self.findings, id: life.move(self.findings[id], act, by=by, at=at)})

    def after_halt(self, halt: Halt) -> "Truth":
        """The source is known to have ended, or why it has not."""
        known = self.states.get(halt.feed.name, SourceState(id=halt.feed.name))
        state = msgspec.structs.replace(known, ended=not halt.trouble, trouble=halt.trouble)
        return replace(self, states={**self.states, halt.feed.name: state})

    def after_expiry(self, table: str, time: int, before: datetime) -> "Truth":
        """Rows older by the column with this number are gone, those without a time stay."""
        kept = {row: n for row, n in self.tables.get(table, Counter()).items() if not _older(row[time], before)}
        return replace(self, tables={**self.tables, table: Counter(kept)})

    def difference(self, other: "Truth") -> str:
        """Where another truth departs from this one; empty where it does not."""
        said: list[str] = []
        for name in sorted(self.tables.keys() | other.tables):
            mine, theirs = self.tables.get(name, Counter()), other.tables.get(name, Counter())
            said += [f"table {name} lacks {row}" for row in (mine - theirs).elements()]
            said += [f"table {name} has too much {row}" for row in (theirs - mine).elements()]
        for what in ("cursors", "findings", "states"):
            mine, theirs = getattr(self, what), getattr(other, what)
            for key in sorted(mine.keys() | theirs):
                if mine.get(key) != theirs.get(key):
                    said.append(f"{what}: {key} is {theirs.get(key)}, not {mine.get(key)}")
        return "\n".join(said)


def _older(time: datetime | None, before: datetime) -> bool:
    return time is not None and time < before


def counted(rows: pa.RecordBatch | pa.Table) -> Counter[Row]:
    """How often each row is there."""
    return Counter(tuple(row.values()) for row in rows.to_pylist())


def shown(store: Store, tables: Tables, sources: Sequence[str]) -> Truth:
    """What a store shows of a place, beside the rows of its tables."""
    cursors = {name: store.cursor(name) for name in sources}
    return Truth(
        tables,
        {name: cursor for name, cursor in cursors.items() if cursor is not None},
        {each.id: each for each in everything(store)},
        store.load(SourceState, *sources),
    )


def everything(store: Store, order: str = "id", limit: int = 5) -> list[Finding]:
    """All findings, page by page."""
    met: list[Finding] = []
    while page := store.find(Finding, order=order, after=met[-1].id if met else "", limit=limit):
        met += page
    return met
