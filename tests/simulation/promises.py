"""The promises, held after each step: what a store shows against what must be true, and the files against both."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from khien.errors import ConflictError, ContractError
from khien.model import Finding
from khien.stores.embedded.store import Embedded
from khien.testing.hold import hold
from tests.simulation.medium import SPACE, Medium
from tests.simulation.truth import Row, Truth, counted, everything, shown

TABLES = {"names": 1, "counts": 0, "skipped": -1}  # the number of the column that says when a row expires
LONG = 20  # letters; names above are found, and stay in the records when their rows expire


class Promises:
    """What is true in a world, and how to tell.

    possible: what may be true instead, since a step ended without an answer; blobs: by digest, what was kept; expired:
    names that no file may hold; expiring: names that none may once an expiry that was cut off is finished.
    """

    def __init__(self, medium: Medium, sources: Sequence[str]) -> None:
        self.truth = Truth()
        self.possible: list[Truth] = []
        self.blobs: dict[str, bytes] = {}
        self.expired: set[str] = set()
        self.expiring: set[str] = set()
        self._medium = medium
        self._sources = sources
        self._version = 0
        self._read: dict[tuple[Any, ...], Counter[Row]] = {}

    def answered(self, act: Callable[[], Any], after: Callable[[Truth], Truth]) -> Any:
        """What an act is answered with; from then on what comes after is true, and until then it may be."""
        try:
            answer = act()
        except ConflictError:
            raise
        except BaseException:
            self.possible.append(after(self.truth))
            raise
        self.truth = after(self.truth)
        self.possible.clear()
        return answer

    def land(self, names: set[str]) -> None:
        """Names come, maybe a second time: what is expired of them is not what was."""
        self.expired -= names
        self.expiring -= names

    def resolve(self, store: Embedded) -> None:
        """What the store shows is true, or what may be true instead: then that is."""
        seen = shown(store, {table: self._rows(store, table) for table in TABLES}, self._sources)
        if self.truth.difference(seen):
            for number, truth in enumerate(self.possible):
                if not truth.difference(seen):
                    self.possible[number], self.truth = self.truth, truth
        difference = self.truth.difference(seen)
        hold(not difference, difference)

    def check_start(self, store: Embedded) -> None:
        """A process has just swept up after the last one: nothing is amiss, whatever happened to that."""
        self.resolve(store)
        problems = store.check(deep=True) if self._medium.space == SPACE else []
        hold(not problems, f"the store finds wrong with itself: {problems}")
        if not self.expiring & {row[0] for row in self.truth.tables.get("names", ())}:
            self.expired |= self.expiring
        self.expiring.clear()
        self._check_expired()

    def check(self, store: Embedded, chance: Random, *, thorough: bool) -> None:
        self.resolve(store)
        version = store.version()
        hold(version >= self._version, f"the version went from {self._version} back to {version}")
        if not self.possible:  # else it may be one that nobody was answered, and be lost again
            self._version = version
        findings = self.truth.findings.values()
        counts = store.count(Finding, "detector", "state")
        hold(counts == Counter((each.detector, each.state) for each in findings), f"findings are counted as {counts}")
        if thorough:
            self._check_asking(store, chance)
            self._check_expired()

    def _check_asking(self, store: Embedded, chance: Random) -> None:
        ranked = everything(store, "-score", 3)
        hold({each.id for each in ranked} == set(self.truth.findings), "by score, not all findings are found")
        for digest, blob in self.blobs.items():
            hold(store.get(digest) == blob, f"blob {digest} is another")
        if rows := self.truth.tables.get("names"):
            [name, _] = chance.choice(list(rows))
            met = counted(store.lookup("names", "name", pa.array([name, "nobody.example"])))
            hold(met == Counter({row: n for row, n in rows.items() if row[0] == name}), f"{name} is looked up as {met}")

    def _check_expired(self) -> None:
        """In no file of the disk, read as a table or byte by byte."""
        for path, node in self._medium.entries.items():
            content = bytes(node.content)
            if path.startswith("tables/names/"):
                with suppress(pa.ArrowException):  # one that was cut off holds what can be seen in its bytes
                    rows = pq.read_table(pa.BufferReader(content), use_threads=False)
                    content = "\n".join(rows.column("name").to_pylist()).encode()
            for name in sorted(self.expired):
                hold(name.encode() not in content, f"{name} has expired, and is in {path}")

    def _rows(self, store: Embedded, table: str) -> Counter[Row]:
        """The rows of a table: what was read of the same files with the same bytes is not read again."""
        try:
            rows = store.scan(table)
        except ContractError:  # nothing has landed there
            return Counter()
        key = (table, *((path, bytes(self._medium.node(path).content)) for path in rows.files))
        if key not in self._read:
            self._read[key] = counted(rows.to_table(use_threads=False))
        return self._read[key]
