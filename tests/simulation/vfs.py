"""SQLite over the simulated disk: every byte it reads and writes is one of the medium's.

Locks and the shared memory that WAL keeps for its index are no part of what survives, and so they are the real ones, of
an empty file of the same name in a scratch folder: two processes of a world see one another as real ones do.
"""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from posixpath import dirname
from random import Random
from typing import Protocol

import apsw

from tests.simulation.medium import Medium, Node, Write

_NAME = "simulated"
_JOURNAL = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


class Process(Protocol):
    """Whose files they are."""

    medium: Medium
    scratch: str
    connection: type[apsw.Connection]

    def expect_alive(self) -> None: ...


class _File:
    """A file that SQLite has open."""

    def __init__(self, process: Process, path: str, node: Node, *, unsynced: bool) -> None:
        self.process, self.path, self.node = process, path, node
        self.unsynced = unsynced  # its entry: SQLite on Unix syncs the folder of a journal with the first sync

    def excepthook(self, etype: object, evalue: object, etraceback: object) -> bool:  # noqa: ARG002
        """What could not be told to SQLite is told by whoever killed the process."""
        return True

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self.process.expect_alive()
        return bytes(self.node.content[offset : offset + amount])

    def xWrite(self, data: bytes | bytearray | memoryview, offset: int) -> None:  # noqa: N802
        self.process.expect_alive()
        with _told(apsw.SQLITE_IOERR_WRITE):
            self.process.medium.write(self.path, self.node, Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self.process.expect_alive()
        with _told(apsw.SQLITE_IOERR_TRUNCATE):
            self.process.medium.cut(self.path, self.node, newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802
        self.process.expect_alive()
        with _told(apsw.SQLITE_IOERR_FSYNC):
            self.process.medium.sync(self.path, self.node, forgetful=False)
            if self.unsynced:
                self.process.medium.sync_folder(dirname(self.path))
                self.unsynced = False

    def xFileSize(self) -> int:  # noqa: N802
        return len(self.node.content)


class _Journal(_File):
    """A journal, WAL or temporary file: only its database is locked."""

    def xClose(self) -> None:  # noqa: N802
        pass

    def xLock(self, level: int) -> None:  # noqa: N802
        pass

    def xUnlock(self, level: int) -> None:  # noqa: N802
        pass

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: ARG002, N802
        return False


class _Database(_File, apsw.VFSFile):
    """A database: its locks and shared memory are those of the real file."""

    def __init__(self, process: Process, path: str, node: Node, flags: list[int]) -> None:
        _File.__init__(self, process, path, node, unsynced=False)
        apsw.VFSFile.__init__(self, "unix", os.path.join(process.scratch, path), [flags[0], 0])

    def xLock(self, level: int) -> None:  # noqa: N802
        self.process.expect_alive()
        super().xLock(level)

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: N802
        if op == apsw.SQLITE_FCNTL_MMAP_SIZE:  # the real file is empty
            return False
        return super().xFileControl(op, ptr)


class _Simulated(apsw.VFS):
    """Opens ``/PROCESS/PATH``."""

    def __init__(self) -> None:
        super().__init__(_NAME, "unix")
        self.processes: dict[str, Process] = {}
        self.chance = Random(0)

    def excepthook(self, etype: object, evalue: object, etraceback: object) -> bool:  # noqa: ARG002
        """What could not be told to SQLite is told by whoever killed the process."""
        return True

    def find(self, name: str) -> tuple[Process, str]:
        _, process, path = name.split("/", 2)
        return self.processes[process], path

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None:
            raise apsw.CantOpenError("a temporary file: the simulated disk keeps none (PRAGMA temp_store = memory)")
        process, path = self.find(name if isinstance(name, str) else name.filename())
        process.expect_alive()
        medium = process.medium
        flags[1] = flags[0]
        with _told(apsw.SQLITE_CANTOPEN):
            if path not in medium.entries:
                if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                    raise OSError(errno.ENOENT, "there is none", path)
                medium.enter((path, Node()))
            node = medium.node(path)
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return _Database(process, path, node, flags)
        return _Journal(process, path, node, unsynced=bool(flags[0] & _JOURNAL))  # type: ignore[return-value] # apsw asks for the methods

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: ARG002, N802
        process, path = self.find(pathname)
        return path in process.medium.entries

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        process, path = self.find(filename)
        process.expect_alive()
        if path not in process.medium.entries:
            raise _failed(apsw.SQLITE_IOERR_DELETE_NOENT, path)
        with _told(apsw.SQLITE_IOERR_DELETE):
            process.medium.enter((path, None))
            if syncdir:
                process.medium.sync_folder(dirname(path))

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name

    def xRandomness(self, numbytes: int) -> bytes:  # noqa: N802
        return self.chance.randbytes(numbytes)

    def xSleep(self, microseconds: int) -> int:  # noqa: N802
        for process in self.processes.values():
            process.medium.clock.advance(microseconds / 1e6)
        return microseconds

    def xCurrentTimeInt64(self) -> int:  # noqa: N802
        now = next(iter(self.processes.values())).medium.clock.now
        return int((now.timestamp() / 86400 + 2440587.5) * 86400000)  # Julian day, in milliseconds


_vfs = _Simulated()


def reseed(chance: Random) -> None:
    """SQLite's own dice, which are one for all connections, start from a seed; no process is left over."""
    _vfs.processes.clear()
    _vfs.chance = chance
    for name in ("unix", _NAME):  # the first, because it would throw the dice anew with the first file it opens
        apsw.set_default_vfs(name)
        apsw.randomness(0)
        apsw.randomness(1)  # asks the VFS that is the default now
    apsw.set_default_vfs("unix")


def connect(process: Process, path: str) -> apsw.Connection:
    """A connection of a process to a database on its disk."""
    name = next((name for name, met in _vfs.processes.items() if met is process), str(len(_vfs.processes)))
    _vfs.processes[name] = process
    return process.connection(f"/{name}/{path}", vfs=_NAME)


@contextmanager
def _told(code: int) -> Generator[None]:
    """An OSError, as SQLite's own way to files tells it."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise apsw.FullError(str(error)) from error
        raise _failed(code, str(error)) from error


def _failed(code: int, said: str) -> apsw.Error:
    error = (apsw.CantOpenError if code == apsw.SQLITE_CANTOPEN else apsw.IOError)(said)
    setattr(error, "extendedresult", code)  # noqa: B010 - apsw's stub knows it for errors that SQLite raised alone
    return error
