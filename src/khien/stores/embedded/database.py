"""The SQLite file: one connection, used by one thread at a time, and how its tables came to be as they are."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any

import apsw

from khien.errors import ConfigError
from khien.stores.embedded.disk import Disk

FILE = "records.sqlite"
APPLICATION = 0x4B68696E  # "Khin", in the header of the file
PATIENCE = 10_000  # milliseconds to wait for another process that writes
_PAGE = 8192  # bytes: of a small page, records of a kilobyte leave a quarter empty
_LONGEST = 8192  # pages that wait to be written to their place: indexes touch the same ones again and again

# A place is brought forward from where it stands, a migration a transaction; what has shipped is never edited.
# _place.version counts saves. Times are microseconds since 1970. Of a file: oldest and newest by its first column of
# schema.TIME, newest null unless every row has a time; memory: bytes in Arrow; gone: since when no part is in it.
MIGRATIONS = (
    """
    CREATE TABLE _place (version INTEGER NOT NULL) STRICT;
    INSERT INTO _place VALUES (0);
    CREATE TABLE _cursors (source TEXT PRIMARY KEY, cursor BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE _tables (name TEXT PRIMARY KEY, schema BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE _files (
        file INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, tbl TEXT NOT NULL REFERENCES _tables (name),
        rows INTEGER NOT NULL, size INTEGER NOT NULL, memory INTEGER NOT NULL, sha256 BLOB NOT NULL,
        oldest INTEGER, newest INTEGER, looked_up TEXT, gone INTEGER
    ) STRICT;
    CREATE INDEX _files_of ON _files (tbl, gone);
    CREATE TABLE _parts (
        tbl TEXT NOT NULL, id TEXT NOT NULL, file INTEGER NOT NULL REFERENCES _files (file),
        first INTEGER NOT NULL, rows INTEGER NOT NULL, digest BLOB, PRIMARY KEY (tbl, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _parts_in ON _parts (file);
    CREATE TABLE _blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE _kinds (name TEXT PRIMARY KEY, columns TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
)


class Database:
    """The SQLite file of a place, opened and brought forward when it is first used."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self._lock = RLock()
        self._connection: apsw.Connection | None = None

    @contextmanager
    def reading(self) -> Generator[apsw.Connection]:
        """The connection, for statements that each see one state."""
        with self._lock:
            if self._connection is None:
                self._connection = opened(self.disk, MIGRATIONS)
            yield self._connection

    @contextmanager
    def writing(self) -> Generator[apsw.Connection]:
        """A transaction that is durable once the block has ended, and never was if it raises."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._undo(connection)
                raise

    def _undo(self, connection: apsw.Connection) -> None:
        try:
            if connection.in_transaction:  # SQLite itself rolls back when a disk fails
                connection.execute("ROLLBACK")
        except (apsw.Error, OSError):  # it cannot say where it stands: the next one reads it from the disk
            with suppress(apsw.Error, OSError):
                connection.close(True)
            self._connection = None

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def rows_of(connection: apsw.Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """All rows of a statement's answer."""
    return connection.execute(statement, values).fetchall()


def value_of(connection: apsw.Connection, statement: str, *values: Any) -> Any:
    """The one value a statement answers; None where it answers no row."""
    return connection.execute(statement, values).get


def opened(disk: Disk, migrations: Sequence[str]) -> apsw.Connection:
    """A connection to the file, made where there is none. ConfigError: it is not Khiên's, or of a newer Khiên."""
    disk.make_folder("")
    connection = disk.connect(FILE)
    try:
        connection.set_busy_timeout(PATIENCE)
        connection.pragma("page_size", _PAGE)  # of a new file
        for pragma in ("trusted_schema = OFF", "foreign_keys = ON", "secure_delete = ON", "cache_size = -65536"):
            connection.pragma(*pragma.split(" = "))
        _migrate(connection, migrations, f"{disk}/{FILE}")
        disk.sync_folder("")  # the file has a name, even if nothing is ever saved
    except BaseException:
        with suppress(apsw.Error, OSError):
            connection.close(True)
        raise
    return connection


def _migrate(connection: apsw.Connection, migrations: Sequence[str], place: str) -> None:
    at = _standing(connection, migrations, place)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.wal_autocheckpoint(_LONGEST)
    while at < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        try:
            at = _standing(connection, migrations, place)  # another process may have been quicker
            if at < len(migrations):
                connection.execute(migrations[at])
                connection.pragma("application_id", APPLICATION)
                connection.pragma("user_version", at + 1)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _standing(connection: apsw.Connection, migrations: Sequence[str], place: str) -> int:
    """How many migrations the file has behind it."""
    application, at = connection.pragma("application_id"), connection.pragma("user_version")
    empty = not connection.pragma("schema_version")
    if application != APPLICATION and not empty:
        raise ConfigError(f"{place} is a database of something else: name another directory")
    if at > len(migrations):
        raise ConfigError(
            f"{place} was written by a newer Khiên (format {at}, this one knows {len(migrations)}): run that one"
        )
    return at
