"""What the store does to its own files: small ones become large ones, old rows and files nobody needs go away."""

import hashlib
from collections.abc import Set
from contextlib import suppress
from datetime import datetime
from functools import partial

import apsw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from khien import schema
from khien.errors import ConflictError, ContractError
from khien.model import Expiry
from khien.stores.embedded import parts, records
from khien.stores.embedded.database import Database, rows_of
from khien.stores.embedded.disk import Disk

WIDTH = 8  # files of about one size that become one
_TIER = 3  # bits: files are of about one size when they are of the same power of eight


def compact(database: Database, disk: Disk, table: str, enough: int, at: int) -> None:
    """Merges one group of small files of a table, if there is one; what is merged has less than twice enough bytes.

    Files merge with others of about their size, so that a row is written a few times, however small it came. Another
    who changes the parts meanwhile wins: then what was merged stays unused until it is swept away.
    """
    with database.reading() as connection:
        small = parts.in_use(connection, table, "memory < ?", enough)
        files = _group(small, enough)
        if not files:
            return
        columns = parts.schema_of(connection, table)
        known = parts.parts_in(connection, files)
    assert columns is not None  # it has files
    rewrite = parts.rewritten(disk, columns, files, known)
    with database.writing() as connection:
        parts.swapped(connection, rewrite, at)


def _group(files: list[parts.File], enough: int) -> list[parts.File]:
    sizes: dict[int, list[parts.File]] = {}
    for file in files:
        group = sizes.setdefault(file.memory.bit_length() // _TIER, [])
        group.append(file)
        if len(group) == WIDTH or sum(each.memory for each in group) >= enough:
            return group
    return []


def clear(database: Database, disk: Disk, until: int, staged: Set[str]) -> None:
    """Removes files that no part has been in since before a time, but not those that are staged again."""
    with database.reading() as connection:
        if not rows_of(connection, "SELECT 1 FROM _files WHERE gone < ? LIMIT 1", until):
            return
    with database.writing() as connection:
        gone = rows_of(connection, "DELETE FROM _files WHERE gone < ? RETURNING path, looked_up", until)
    for path, looked_up in gone:
        if path not in staged:
            disk.remove(path)
            if looked_up:
                disk.remove(f"{path}.{looked_up}")


def sweep(database: Database, disk: Disk, table: str, staged: Set[str]) -> int:
    """Removes the files of a table that nothing refers to, and answers how many; what is gone does not come back.

    What refers to a file is read in a transaction that writes. A process that was killed in the middle of a commit may
    have left whole frames in the log which nobody sees while another process keeps the log's index, and which count
    again when that index is made anew: what is written here takes their place.
    """
    folder = parts.folder(table)
    with database.writing() as connection:
        if table not in parts.tables(connection):
            return 0
        connection.execute("UPDATE _place SET version = version + 1")  # the same value would write nothing
        paths = rows_of(connection, "SELECT path, looked_up FROM _files WHERE tbl = ?", table)
    known = {path for path, _ in paths} | {f"{path}.{column}" for path, column in paths if column} | staged
    ours = (name for name in disk.list(folder) if parts.NAME.fullmatch(name))  # what others put here stays
    strays = [path for name in ours if (path := f"{folder}/{name}") not in known]
    for path in strays:
        disk.remove(path)
    disk.sync_folder(folder)
    return len(strays)


def expire(database: Database, disk: Disk, table: str, before: datetime, staged: Set[str]) -> Expiry:
    """contracts.Store.expire; what is cut off in the middle ends with the next ``clear`` and ``sweep``."""
    until = parts.micros(before)
    with database.reading() as connection:
        columns = parts.schema_of(connection, table) or schema.TABLES.get(table)
        column = None if columns is None else parts.time_of(columns)
        if columns is None or column is None:
            raise ContractError(f"table {table} cannot expire: it has no column of times, or was never landed")
        old = parts.in_use(connection, table, "oldest < ?", until)
        known = [parts.parts_in(connection, [file]) for file in old]
    keep = partial(_younger, column, before)
    rewrites = [
        parts.rewritten(disk, columns, [file], mine, without=_all_older(file, mine, until), keep=keep)
        for file, mine in zip(old, known, strict=True)
    ]
    expiry = _expiry(table, before, rewrites)
    with database.writing() as connection:
        if not all(parts.swapped(connection, rewrite, parts.EXPIRED) for rewrite in rewrites):
            raise ConflictError(f"table {table} was changed meanwhile: expire it again")
        connection.execute(
            "UPDATE _files SET gone = ? WHERE tbl = ? AND gone NOT NULL AND oldest < ?", (parts.EXPIRED, table, until)
        )
        records.prepare(connection, records.kind_of(Expiry))
        records.put(connection, records.kind_of(Expiry), [expiry])
        connection.execute("UPDATE _place SET version = version + 1")
    clear(database, disk, parts.EXPIRED + 1, staged)
    sweep(database, disk, table, staged)
    forget(database)  # who reads keeps the log: no row is in it, only names
    return expiry


def forget(database: Database) -> None:
    """Empties SQLite's log, where what was replaced still stands, unless somebody reads it just now."""
    with database.reading() as connection, suppress(apsw.BusyError):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _all_older(file: parts.File, mine: list[parts.Part], until: int) -> frozenset[str]:
    """The ids of a file that need not be read to know that all of it goes."""
    return frozenset(part.id for part in mine if file.newest is not None and file.newest < until)


def _younger(column: str, before: datetime, rows: pa.Table) -> np.ndarray:
    kept = pc.call_function("greater_equal", [rows.column(column), pa.scalar(before, schema.TIME)])
    return pc.fill_null(kept, True).to_numpy()


def _expiry(table: str, before: datetime, rewrites: list[parts.Rewrite]) -> Expiry:
    removed = tuple((file.path, file.sha256.hex()) for rewrite in rewrites for file in rewrite.old)
    rows = sum(rewrite.lost for rewrite in rewrites)
    told = "\0".join((table, before.isoformat(), str(rows), *(name + digest for name, digest in removed)))
    return Expiry(id=hashlib.sha256(told.encode()).hexdigest(), table=table, before=before, rows=rows, removed=removed)
