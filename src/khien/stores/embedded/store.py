"""The store in one directory: rows in Parquet, records in SQLite, blobs as files."""

import hashlib
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, ClassVar, TypeVar

import apsw
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from khien import schema
from khien.contracts import Landed
from khien.errors import ConflictError, ContractError, CustodyError, InputError
from khien.model import Expiry, Record
from khien.stores.embedded import health, parts, records, upkeep
from khien.stores.embedded.database import Database, rows_of, value_of
from khien.stores.embedded.disk import Disk, Local, translated

R = TypeVar("R", bound=Record)

_TABLE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class _Staged:
    """What landed under an id; file: None where just this was visible already."""

    file: parts.File | None
    rows: int
    digest: bytes


@dataclass(frozen=True)
class Embedded:
    """A store on a disk; the time it is comes from clock.

    grace: how long a file that was replaced stays for those who are reading it. large: bytes in Arrow from which on a
    file is not merged with others. One process at a time may land, expire and sweep (lock.Lock); any may do the rest.
    """

    name: ClassVar[str] = "embedded"

    disk: Disk
    clock: Callable[[], datetime]
    grace: timedelta = timedelta(minutes=10)
    large: int = 32 << 20
    _database: Database = field(init=False, repr=False, compare=False)
    _staged: dict[tuple[str, str], _Staged] = field(default_factory=dict, init=False, repr=False, compare=False)
    _files: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_database", Database(self.disk))

    @classmethod
    def at(cls, directory: Path, clock: Callable[[], datetime]) -> "Embedded":
        """The store in a directory, which is made when first used."""
        return cls(Local(directory), clock)

    def __enter__(self) -> "Embedded":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @translated
    def close(self) -> None:
        """Lets go of the files; they are opened again when used again."""
        self._database.close()

    @translated
    def land(self, table: str, rows: pa.RecordBatch, /, *, id: str) -> Landed:
        """contracts.Store.land; on the way it does a bounded piece of upkeep."""
        self._admit(table, rows.schema)
        with self._files:
            now = parts.micros(self.clock())
            upkeep.compact(self._database, self.disk, table, self.large, now)
            upkeep.clear(self._database, self.disk, now - self.grace // timedelta(microseconds=1), self._staged_paths())
            whole = pa.table(rows)
            content = parts.encoded(whole)
            file = parts.described(table, id, whole, content)
            with self._database.reading() as connection:
                known = value_of(connection, "SELECT digest FROM _parts WHERE tbl = ? AND id = ?", table, id)
            if known == file.sha256:
                self._staged[table, id] = _Staged(None, rows.num_rows, file.sha256)
            else:
                parts.write(self.disk, file, content, whole)
                self._staged[table, id] = _Staged(file, rows.num_rows, file.sha256)
        return Landed(table, id, rows.num_rows)

    def _admit(self, table: str, columns: pa.Schema) -> None:
        """Makes a table known, and its folder, before anything is in it."""
        if not _TABLE.fullmatch(table):
            raise ContractError(f"{table!r} is no name of a table: small letters, digits, - and _, at most 64")
        if schema.secret(columns):
            raise ContractError(f"what lands in table {table} is marked secret: fold it first, nothing keeps it")
        with self._database.reading() as connection:
            kept = value_of(connection, "SELECT schema FROM _tables WHERE name = ?", table)
        known = None if kept is None else pa.ipc.read_schema(pa.py_buffer(kept))
        if known is not None and known.equals(columns):
            return
        if known is not None and not all(each in columns for each in known):
            raise ContractError(f"table {table} has the columns {known.names}; what lands has {columns.names}")
        self.disk.make_folder(parts.folder(table))
        self.disk.sync_folder("tables")
        self.disk.sync_folder("")
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO _tables VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET schema = excluded.schema",
                (table, columns.serialize().to_pybytes()),
            )

    def _staged_paths(self) -> set[str]:
        return {path for each in self._staged.values() if each.file for path in each.file.paths}

    @translated
    def save(
        self,
        *kept: Record,
        landed: Sequence[Landed] = (),
        gone: Sequence[Record] = (),
        cursor: tuple[str, bytes] | None = None,
        expect: int | None = None,
    ) -> int:
        """contracts.Store.save"""
        ids = list(dict.fromkeys((each.table, each.id) for each in landed))
        if missing := [f"{table} {id_}" for table, id_ in ids if (table, id_) not in self._staged]:
            raise ContractError(f"{missing[0]} is not staged: land it before it is saved, and save it once")
        staged = {each: self._staged[each] for each in ids}
        with self._files, self._saving(expect) as connection:
            for table in dict.fromkeys(table for table, _ in ids):
                self._show(connection, table, {id_: each for (of, id_), each in staged.items() if of == table})
            for kind in dict.fromkeys(type(record) for record in (*kept, *gone)):
                ready = records.kind_of(kind)
                records.prepare(connection, ready)
                records.put(connection, ready, [record for record in kept if type(record) is kind])
                records.remove(connection, ready, [record for record in gone if type(record) is kind])
            if cursor is not None:
                connection.execute("INSERT OR REPLACE INTO _cursors VALUES (?, ?)", cursor)
            version: int = value_of(connection, "UPDATE _place SET version = version + 1 RETURNING version")
        for each in ids:
            self._staged.pop(each, None)
        return version

    @contextmanager
    def _saving(self, expect: int | None) -> Generator[apsw.Connection]:
        with self._database.writing() as connection:
            met = value_of(connection, "SELECT version FROM _place")
            if expect not in (None, met):
                raise ConflictError(f"{self.disk} moved from version {expect} to {met}: read again, decide again")
            yield connection

    def _show(self, connection: apsw.Connection, table: str, staged: Mapping[str, _Staged]) -> None:
        """Inside a transaction: what is staged is visible, and what it replaces is not."""
        now = parts.micros(self.clock())
        replaced: dict[int, set[str]] = {}
        known = "SELECT file, digest FROM _parts WHERE tbl = ? AND id = ?"
        for id_, each in staged.items():
            row = next(iter(rows_of(connection, known, table, id_)), None)
            if each.file is None and (row is None or row[1] != each.digest):
                raise ConflictError(f"{table} {id_} was there when it landed and is no longer: land it again")
            if each.file is not None and row is not None:
                replaced.setdefault(row[0], set()).add(id_)
        for file in parts.in_use(connection, table, "file IN (SELECT value FROM json_each(?))", _json(replaced)):
            columns = parts.schema_of(connection, table)
            mine = parts.parts_in(connection, [file])
            assert columns is not None  # it has files
            without = frozenset(replaced[file.file or 0])
            parts.swapped(connection, parts.rewritten(self.disk, columns, [file], mine, without=without), now)
        for id_, each in staged.items():
            if each.file is not None:
                file = parts.enter(connection, each.file)
                parts.place(connection, table, [parts.Part(id_, file, 0, each.rows, each.digest)])

    @translated
    def version(self) -> int:
        """contracts.Store.version"""
        with self._database.reading() as connection:
            return value_of(connection, "SELECT version FROM _place")

    @translated
    def cursor(self, source: str, /) -> bytes | None:
        """contracts.Store.cursor"""
        with self._database.reading() as connection:
            return value_of(connection, "SELECT cursor FROM _cursors WHERE source = ?", source)

    @translated
    def scan(self, table: str, /, *, since: datetime | None = None) -> ds.Dataset:
        """contracts.Store.scan; what was there when it answered can be read for as long as grace."""
        columns, files = self._visible(table, since)
        return parts.dataset(self.disk, columns, files)

    def _visible(self, table: str, since: datetime | None = None) -> tuple[pa.Schema, list[parts.File]]:
        with self._database.reading() as connection:
            columns = parts.schema_of(connection, table)
            if columns is None:
                raise ContractError(f"there is no table {table!r} in {self.disk}")
            if since is None:
                return columns, parts.in_use(connection, table)
            return columns, parts.in_use(connection, table, "(newest IS NULL OR newest >= ?)", parts.micros(since))

    @translated
    def lookup(self, table: str, column: str, values: pa.Array, /) -> pa.Table:
        """contracts.Store.lookup; in large files by index, small ones are read."""
        columns, files = self._visible(table)
        if column not in columns.names:
            raise ContractError(f"table {table} has no column {column!r}, only {', '.join(columns.names)}")
        try:
            wanted = values.cast(columns.field(column).type).unique().drop_null()
        except pa.ArrowException as error:
            raise ContractError(f"{column} of {table} cannot be looked up by {values.type}: {error}") from error
        indexed = [file for file in files if file.looked_up == column]
        others = parts.dataset(self.disk, columns, [file for file in files if file.looked_up != column])
        tables = [parts.taken(self.disk, columns, file, wanted) for file in indexed]
        return pa.concat_tables([*tables, others.to_table(filter=pc.field(column).isin(wanted))])

    @translated
    def load(self, kind: type[R], /, *ids: str) -> Mapping[str, R]:
        """contracts.Store.load"""
        with self._asking(kind) as connection:
            return records.load(connection, kind, ids) if connection else {}

    @translated
    def find(
        self, kind: type[R], /, *, order: str = "id", after: str = "", limit: int = 100, **equal: Any
    ) -> Sequence[R]:
        """contracts.Store.find"""
        with self._asking(kind) as connection:
            return records.find(connection, kind, order, after, limit, equal) if connection else []

    @translated
    def count(self, kind: type[Record], /, *by: str, **equal: Any) -> Mapping[tuple[Any, ...], int]:
        """contracts.Store.count; of what the kind is counted by, from numbers that are kept."""
        with self._asking(kind) as connection:
            if connection is None:
                return {} if by else {(): 0}
            return records.count(connection, kind, by, equal)

    @contextmanager
    def _asking(self, kind: type[Record]) -> Generator[apsw.Connection | None]:
        """None: nothing of that kind was ever saved, and nothing is made for it."""
        ready = records.kind_of(kind)
        with self._database.reading() as connection:
            prepared = records.is_prepared(connection, ready)
            if prepared is False:
                with self._database.writing():
                    records.prepare(connection, ready)
            yield connection if prepared is not None else None

    @translated
    def put(self, blob: bytes, /) -> str:
        """contracts.Store.put; a blob is known once it is durable, so one half written is never met."""
        digest = hashlib.sha256(blob).hexdigest()
        if self._knows(digest):
            return digest
        path = _blob(digest)
        folder = path.rpartition("/")[0]
        with self._database.writing() as connection:
            beside = "SELECT 1 FROM _blobs WHERE digest BETWEEN ? AND ? LIMIT 1"
            made = not rows_of(connection, beside, digest[:2], digest[:2] + "g")
            self.disk.make_folder(folder)
            self.disk.write(path, blob)
            self.disk.sync(path)
            for each in (folder, "blobs", "") if made else (folder,):
                self.disk.sync_folder(each)
            connection.execute("INSERT OR IGNORE INTO _blobs VALUES (?, ?)", (digest, len(blob)))
        return digest

    @translated
    def get(self, digest: str, /) -> bytes:
        """contracts.Store.get"""
        if not _DIGEST.fullmatch(digest) or not self._knows(digest):
            raise InputError(f"there is no blob {digest[:64]!r} in {self.disk}")
        try:
            blob = self.disk.read(_blob(digest))
        except FileNotFoundError as error:
            raise CustodyError(f"{self.disk}/{_blob(digest)} is gone, though it was kept") from error
        if hashlib.sha256(blob).hexdigest() != digest:
            raise CustodyError(f"{self.disk}/{_blob(digest)} is not what it was when it was kept")
        return blob

    def _knows(self, digest: str) -> bool:
        with self._database.reading() as connection:
            return value_of(connection, "SELECT 1 FROM _blobs WHERE digest = ?", digest) is not None

    @translated
    def expire(self, table: str, before: datetime, /) -> Expiry:
        """contracts.Store.expire"""
        with self._files:
            return upkeep.expire(self._database, self.disk, table, before, self._staged_paths())

    @translated
    def forget(self) -> None:
        """contracts.Store.forget"""
        upkeep.forget(self._database)

    @translated
    def sweep(self) -> int:
        """Removes what a crash left behind, and answers how many files that were: for who has just taken the lock."""
        with self._files:
            upkeep.clear(self._database, self.disk, parts.EXPIRED + 1, set())
            with self._database.reading() as connection:
                tables = list(parts.tables(connection))
            return sum(upkeep.sweep(self._database, self.disk, table, self._staged_paths()) for table in tables)

    @translated
    def check(self, *, deep: bool = False) -> list[health.Problem]:
        """What is wrong here; deep: every file is read and held against its digest."""
        with self._database.reading() as connection:
            return list(health.problems(connection, self.disk, deep=deep))

    @translated
    def usage(self) -> Mapping[str, int]:
        """Bytes by what they are for: each table, ``records``, ``blobs``, and ``replaced`` files that wait to go."""
        with self._database.reading() as connection:
            return health.usage(connection, self.disk)


def _blob(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


def _json(numbers: Mapping[int, object]) -> str:
    return str(list(numbers))
