"""What is wrong with a place, and what it takes: for ``khien doctor`` and ``khien status``."""

import hashlib
import stat
from collections.abc import Iterator
from typing import NamedTuple

import apsw

from khien.stores.embedded import parts
from khien.stores.embedded.database import FILE, rows_of, value_of
from khien.stores.embedded.disk import Disk, Local

LEAST_FREE = 1 << 30  # bytes; below, a day of names may not fit


class Problem(NamedTuple):
    """Where something is wrong, what it is, and what to do about it."""

    place: str
    what: str
    cure: str


def problems(connection: apsw.Connection, disk: Disk, *, deep: bool) -> Iterator[Problem]:
    """deep: every file is read and held against its digest, which takes as long as reading them."""
    for (said,) in rows_of(connection, "PRAGMA integrity_check"):
        if said != "ok":
            yield Problem(FILE, said, "stop Khiên, keep a copy, restore the last backup")
    known: set[str] = set()
    for path, looked_up, rows, size, digest in rows_of(
        connection, "SELECT path, looked_up, rows, size, sha256 FROM _files"
    ):
        known |= {path, f"{path}.{looked_up}"} if looked_up else {path}
        yield from _file(disk, path, size, digest if deep else None)
        if looked_up:
            yield from _file(disk, f"{path}.{looked_up}", 12 * rows, None)
    for table in list(parts.tables(connection)):
        folder = parts.folder(table)
        strays = [name for name in disk.list(folder) if f"{folder}/{name}" not in known]
        if strays:
            yield Problem(folder, f"{len(strays)} files that nothing refers to", "the next khien run sweeps them away")
    for digest, size in rows_of(connection, "SELECT digest, size FROM _blobs"):
        yield from _file(disk, f"blobs/{digest[:2]}/{digest}", size, bytes.fromhex(digest) if deep else None)
    if isinstance(disk, Local) and (mode := stat.S_IMODE(disk.root.stat().st_mode)) & 0o077:
        yield Problem(str(disk), f"others on this machine may look inside (mode {mode:o})", f"chmod 700 {disk}")
    if disk.free() < LEAST_FREE:
        yield Problem(
            str(disk), f"{disk.free() >> 20} MiB are free", "make room, or let rows expire: [keep] in the configuration"
        )


def _file(disk: Disk, path: str, size: int, digest: bytes | None) -> Iterator[Problem]:
    cure = "restore it from the last backup"
    try:
        met = disk.size(path)
        content = disk.read(path) if digest else b""
    except FileNotFoundError:
        yield Problem(path, "is gone", cure)
        return
    if met != size:
        yield Problem(path, f"has {met} bytes instead of {size}", cure)
    elif digest and hashlib.sha256(content).digest() != digest:
        yield Problem(path, "is not what was written", cure)


def usage(connection: apsw.Connection, disk: Disk) -> dict[str, int]:
    """Bytes by what they are for."""
    taken: dict[str, int] = dict(
        rows_of(
            connection,
            "SELECT tbl, sum(size + (looked_up NOT NULL) * 12 * rows) FROM _files WHERE gone IS NULL GROUP BY tbl",
        )
    )
    taken["replaced"] = value_of(connection, "SELECT coalesce(sum(size), 0) FROM _files WHERE gone NOT NULL")
    taken["blobs"] = value_of(connection, "SELECT coalesce(sum(size), 0) FROM _blobs")
    taken["records"] = sum(disk.size(name) for name in disk.list("") if name.startswith(FILE))
    return taken
