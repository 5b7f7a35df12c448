"""Faults put in on purpose, one each, as a programmer might have made them: the simulator must find every one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname
from typing import Any

import apsw
import pyarrow as pa
import pyarrow.parquet as pq

from khien.contracts import Landed
from khien.model import Record
from khien.stores.embedded.store import Embedded
from khien.testing.hold import as_counts
from tests.simulation.disk import Simulated
from tests.simulation.world import Parts, play


@dataclass(frozen=True)
class _Wrong:
    """A store with a fault; all else is the real one."""

    store: Embedded

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class CursorFirst(_Wrong):
    """Moves the cursor before the rows behind it are saved."""

    def save(
        self,
        *records: Record,
        landed: Sequence[Landed] = (),
        cursor: tuple[str, bytes] | None = None,
        expect: int | None = None,
        **named: Any,
    ) -> int:
        if cursor is not None:
            expect = self.store.save(cursor=cursor, expect=expect)
        return self.store.save(*records, landed=landed, expect=expect, **named)


class RowsFirst(_Wrong):
    """Moves the cursor after the rows in front of it are saved, in another transaction."""

    def save(
        self,
        *records: Record,
        landed: Sequence[Landed] = (),
        cursor: tuple[str, bytes] | None = None,
        expect: int | None = None,
        **named: Any,
    ) -> int:
        version = self.store.save(*records, landed=landed, expect=expect, **named)
        return version if cursor is None else self.store.save(cursor=cursor)


class Regardless(_Wrong):
    """Saves whatever somebody else saved meanwhile."""

    def save(self, *records: Record, expect: int | None = None, **rest: Any) -> int:  # noqa: ARG002
        return self.store.save(*records, **rest)


class RowsUnsynced(Simulated):
    """Does not sync landed files."""

    def sync(self, path: str) -> None:
        if not path.startswith("tables/"):
            super().sync(path)


class RowsUnnamed(Simulated):
    """Does not sync the folders that landed files are in."""

    def sync_folder(self, path: str) -> None:
        if not path.startswith("tables/"):
            super().sync_folder(path)


class FolderUnnamed(Simulated):
    """Does not sync the folder that the tables' folders are in."""

    def sync_folder(self, path: str) -> None:
        if path != "tables":
            super().sync_folder(path)


class BlobsUnsynced(Simulated):
    """Does not sync blobs."""

    def sync(self, path: str) -> None:
        if not path.startswith("blobs/"):
            super().sync(path)


class BlobsRenamed(Simulated):
    """Gives blobs their names by a rename, and does not sync the folder."""

    def write(self, path: str, content: bytes) -> None:
        if not path.startswith("blobs/"):
            super().write(path, content)
            return
        super().write(f"{path}-new", content)
        super().sync(f"{path}-new")
        super().rename(f"{path}-new", path)

    def sync_folder(self, path: str) -> None:
        if not path.startswith("blobs/"):
            super().sync_folder(path)


class _Lax(apsw.Connection):
    def pragma(self, name: str, value: Any = None, **rest: Any) -> Any:
        if name == "synchronous":
            value = "normal"
        return super().pragma(name, *(() if value is None else (value,)), **rest)


class TransactionsUnsynced(Simulated):
    """Answers before a transaction is durable."""

    connection = _Lax


class NothingRemoved(Simulated):
    """Leaves the files of rows that have expired."""

    def remove(self, path: str) -> None:
        pass


class RemovedTooEarly(Simulated):
    """Removes what a file replaces before the transaction that says so."""

    def write(self, path: str, content: bytes) -> None:
        super().write(path, content)
        folder = dirname(path)
        if not folder.startswith("tables/"):
            return
        rows = self._rows(path)
        for name in self.list(folder):
            other = self._rows(f"{folder}/{name}")
            if other < rows:
                super().remove(f"{folder}/{name}")

    def _rows(self, path: str) -> Counter[str]:
        return as_counts(pq.read_table(pa.BufferReader(self.read(path)), use_threads=False))


PLANTED: dict[str, Parts] = {
    **{each.__name__: Parts(store=each) for each in (CursorFirst, RowsFirst, Regardless)},
    **{
        each.__name__: Parts(disk=each)
        for each in (
            RowsUnsynced,
            RowsUnnamed,
            FolderUnnamed,
            BlobsUnsynced,
            BlobsRenamed,
            TransactionsUnsynced,
            NothingRemoved,
            RemovedTooEarly,
        )
    },
}


def seeds_until_found(parts: Parts, scratch: Path, most: int) -> int:
    """How many worlds it takes, from seed 0 on, until a promise is broken; more than ``most`` when none is."""
    for seed in range(most):
        try:
            play(seed, scratch, parts)
        except AssertionError:
            return seed + 1
    return most + 1
