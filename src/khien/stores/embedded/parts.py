"""Rows of tables in Parquet files: which part of which file an id's rows are, and how files replace each other.

A part is the rows that landed under one id: a stretch of one file. A file is never changed: what replaces it is written
and synced first, then one transaction points the parts at it, and the old one is removed later. Rows that no part owns
are in no file that is in use.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import apsw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from khien import schema
from khien.stores.embedded import index
from khien.stores.embedded.database import rows_of, value_of
from khien.stores.embedded.disk import Disk

GROUP = 1 << 15  # rows read to get at one
EXPIRED = 0  # gone for longer than anybody may be reading
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "file, path, tbl, rows, size, memory, sha256, oldest, newest, looked_up"


class File(NamedTuple):
    """A Parquet file. size, memory: its bytes, on disk and in Arrow; oldest, newest: see database.MIGRATIONS."""

    file: int | None
    path: str
    table: str
    rows: int
    size: int
    memory: int
    sha256: bytes
    oldest: int | None
    newest: int | None
    looked_up: str | None

    @property
    def lookup(self) -> str:
        """The file that says where the values of the looked-up column stand."""
        return f"{self.path}.{self.looked_up}"

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, self.lookup) if self.looked_up else (self.path,)


class Part(NamedTuple):
    """The rows of an id: rows many from first in a file. digest: of what landed; None: rows of it have expired."""

    id: str
    file: int
    first: int
    rows: int
    digest: bytes | None


class Rewrite(NamedTuple):
    """Files that one file, or none, replaces; the parts as they were before and as they are then."""

    old: tuple[File, ...]
    parts: tuple[Part, ...]
    new: File | None
    moved: tuple[Part, ...]

    @property
    def lost(self) -> int:
        return sum(each.rows for each in self.parts) - sum(each.rows for each in self.moved)


def micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def time_of(columns: pa.Schema) -> str | None:
    """The column by which a table ages: its first of schema.TIME."""
    return next((field.name for field in columns if field.type == schema.TIME), None)


NAME = re.compile(r"[0-9a-f]{24}-[0-9a-f]{24}\.parquet(\.\w+)?")  # of a file of rows, and of what it is looked up by


def folder(table: str) -> str:
    return f"tables/{table}"


def encoded(rows: pa.Table) -> bytes:
    """The same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd", row_group_size=GROUP)
    return sink.getvalue().to_pybytes()


def described(table: str, name: str, rows: pa.Table, content: bytes) -> File:
    """A file to be, named after whose rows it holds and after its content."""
    digest = hashlib.sha256(content).digest()
    path = f"{folder(table)}/{hashlib.sha256(name.encode()).hexdigest()[:24]}-{digest.hex()[:24]}.parquet"
    looked_up = index.LOOKED_UP.get(table) if rows.num_rows > GROUP else None
    oldest = newest = None
    if (column := time_of(rows.schema)) and rows.num_rows:
        bounds = pc.call_function("min_max", [rows.column(column).cast(pa.int64())])
        oldest, newest = bounds["min"].as_py(), bounds["max"].as_py()
        newest = None if rows.column(column).null_count else newest
    return File(None, path, table, rows.num_rows, len(content), rows.nbytes, digest, oldest, newest, looked_up)


def write(disk: Disk, file: File, content: bytes, rows: pa.Table) -> None:
    """Durable when this answers; nothing refers to it yet."""
    contents = [content] if file.looked_up is None else [content, index.build(rows.column(file.looked_up))]
    for path, each in zip(file.paths, contents, strict=True):
        disk.write(path, each)
        disk.sync(path)
    disk.sync_folder(folder(file.table))


def enter(connection: apsw.Connection, file: File) -> int:
    """Inside a transaction: the file is in use; it may have been, before."""
    return value_of(
        connection,
        f"INSERT INTO _files ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (path) DO UPDATE SET gone = NULL RETURNING file",
        *file,
    )


def leave(connection: apsw.Connection, files: Sequence[int], at: int) -> None:
    """Inside a transaction: no part is in these files since then."""
    connection.executemany("UPDATE _files SET gone = ? WHERE file = ?", [(at, file) for file in files])


def in_use(connection: apsw.Connection, table: str, condition: str = "1", *values: object) -> list[File]:
    """The files of a table that hold its rows, as of one moment, in the order they came."""
    statement = f"SELECT {_COLUMNS} FROM _files WHERE tbl = ? AND gone IS NULL AND {condition} ORDER BY file"
    return [File(*row) for row in rows_of(connection, statement, table, *values)]


def parts_in(connection: apsw.Connection, files: Sequence[File]) -> list[Part]:
    """The parts in files, in the order of their rows."""
    statement = "SELECT id, file, first, rows, digest FROM _parts WHERE file = ? ORDER BY first, id"
    return [Part(*row) for file in files for row in rows_of(connection, statement, file.file)]


def place(connection: apsw.Connection, table: str, parts: Sequence[Part]) -> None:
    """Inside a transaction: this is where the rows of these ids are."""
    connection.executemany(
        "INSERT OR REPLACE INTO _parts (tbl, id, file, first, rows, digest) VALUES (?, ?, ?, ?, ?, ?)",
        [(table, *part) for part in parts],
    )


def dataset(disk: Disk, columns: pa.Schema, files: Sequence[File]) -> ds.Dataset:
    """The rows of files by reference; columns that a file does not have yet are null."""
    filesystem, parquet = disk.filesystem(), ds.ParquetFileFormat()
    fragments = [parquet.make_fragment(each.path, filesystem, file_size=each.size) for each in files if each.rows]
    return ds.FileSystemDataset(fragments, columns, parquet, filesystem)


def taken(disk: Disk, columns: pa.Schema, file: File, values: pa.Array) -> pa.Table:
    """The rows of a file whose looked-up column has one of the values."""
    filesystem = disk.filesystem()
    with filesystem.open_input_file(file.lookup) as hashes:
        rows = index.search(hashes.read_buffer(), values)
    if not len(rows):
        return columns.empty_table()
    groups, within = np.unique(rows // GROUP, return_inverse=True)
    fragment = ds.ParquetFileFormat().make_fragment(file.path, filesystem, file_size=file.size)
    met = fragment.subset(row_group_ids=groups.tolist()).to_table(schema=columns)
    met = met.take(pa.array(within * GROUP + rows % GROUP))
    return met.filter(pc.field(file.looked_up).isin(values))


def rewritten(
    disk: Disk,
    columns: pa.Schema,
    files: Sequence[File],
    parts: Sequence[Part],
    *,
    without: frozenset[str] = frozenset(),
    keep: Callable[[pa.Table], np.ndarray] | None = None,
) -> Rewrite:
    """Writes the rows of files into one, but for those of some ids, and those that keep (rows to booleans) leaves out.

    Nothing refers to it until ``swapped``. Ids of which nothing is left are gone, if they had rows.
    """
    if all(part.id in without for part in parts):
        return Rewrite(tuple(files), tuple(parts), None, ())
    tables: list[pa.Table] = []
    moved: list[Part] = []
    offset = 0
    for file in files:
        rows = dataset(disk, columns, [file]).to_table()
        mine = [part for part in parts if part.file == file.file]
        kept = np.ones(len(rows), bool) if keep is None else keep(rows)
        for part in mine:
            if part.id in without:
                kept[part.first : part.first + part.rows] = False
        before = np.concatenate([[0], np.cumsum(kept)]).tolist()
        for part in mine:
            first, left = before[part.first], before[part.first + part.rows] - before[part.first]
            if part.id not in without and (left or not part.rows):
                digest = part.digest if left == part.rows else None
                moved.append(part._replace(first=offset + first, rows=left, digest=digest))
        tables.append(rows if kept.all() else rows.filter(pa.array(kept)))
        offset += before[-1]
    return _written(disk, tuple(files), tuple(parts), pa.concat_tables(tables), moved)


def _written(
    disk: Disk, files: tuple[File, ...], parts: tuple[Part, ...], rows: pa.Table, moved: list[Part]
) -> Rewrite:
    if not moved:
        return Rewrite(files, parts, None, ())
    table = files[0].table
    content = encoded(rows)
    file = described(table, "\0".join(part.id for part in moved), rows, content)
    write(disk, file, content, rows)
    return Rewrite(files, parts, file, tuple(moved))


def swapped(connection: apsw.Connection, rewrite: Rewrite, at: int) -> bool:
    """Inside a transaction: what was rewritten takes the place of the old; False when the old has changed meanwhile."""
    if tuple(parts_in(connection, rewrite.old)) != rewrite.parts:
        return False
    table = rewrite.old[0].table
    file = rewrite.new and enter(connection, rewrite.new)
    place(connection, table, [part._replace(file=file or 0) for part in rewrite.moved])
    left = {part.id for part in rewrite.parts} - {part.id for part in rewrite.moved}
    connection.executemany("DELETE FROM _parts WHERE tbl = ? AND id = ?", [(table, id_) for id_ in left])
    leave(connection, [each.file for each in rewrite.old if each.file is not None], at)
    return True


def schema_of(connection: apsw.Connection, table: str) -> pa.Schema | None:
    """The columns of a table: as this Khiên knows them, or as they landed last; None where neither is so."""
    if table in schema.TABLES:
        return schema.TABLES[table]
    kept = value_of(connection, "SELECT schema FROM _tables WHERE name = ?", table)
    return None if kept is None else pa.ipc.read_schema(pa.py_buffer(kept))


def tables(connection: apsw.Connection) -> list[str]:
    """The tables that ever had rows landed, each with a folder of its own."""
    return [name for (name,) in rows_of(connection, "SELECT name FROM _tables ORDER BY name")]
