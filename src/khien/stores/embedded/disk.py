"""The disk below the store: every file of its own goes through here, so that a failing disk can be put below it."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import apsw
import pyarrow as pa
import pyarrow.fs

from khien.errors import ConfigError, CustodyError, Error, UnavailableError


class Disk(Protocol):
    """A directory. Paths are relative to it, with ``/``; the empty path is the directory itself.

    What is written is there for this process at once, and after a crash only once it was synced: contents with
    ``sync``, the names of files with ``sync_folder`` of the folder they are in. All raise OSError.
    """

    def write(self, path: str, content: bytes, /) -> None:
        """Creates or replaces a file; not durable yet."""
        ...

    def read(self, path: str, /) -> bytes: ...

    def sync(self, path: str, /) -> None:
        """The content of a file is durable when this answers."""
        ...

    def sync_folder(self, path: str, /) -> None:
        """The files that a folder names are durable when this answers, their contents apart."""
        ...

    def remove(self, path: str, /) -> None:
        """A file that is not there is removed."""
        ...

    def make_folder(self, path: str, /) -> None:
        """With those above it; one that is there is fine."""
        ...

    def list(self, path: str, /) -> list[str]:
        """The names of the files in a folder, sorted; none where there is no such folder."""
        ...

    def size(self, path: str, /) -> int: ...

    def filesystem(self) -> pyarrow.fs.FileSystem:
        """The same files, as Arrow reads them."""
        ...

    def connect(self, path: str, /) -> apsw.Connection:
        """SQLite over the same disk; apsw's errors."""
        ...

    def free(self) -> int:
        """Bytes that can still be written."""
        ...


@dataclass(frozen=True)
class Local:
    """A directory of this machine. Files are for their owner alone (mode 0600, folders 0700)."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def write(self, path: str, content: bytes, /) -> None:
        with self._open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
            file.write(content)

    def read(self, path: str, /) -> bytes:
        return (self.root / path).read_bytes()

    def sync(self, path: str, /) -> None:
        with self._open(path, os.O_RDWR) as file:
            os.fsync(file.fileno())

    def sync_folder(self, path: str, /) -> None:
        _sync_folder(self.root / path)

    def remove(self, path: str, /) -> None:
        (self.root / path).unlink(missing_ok=True)

    def make_folder(self, path: str, /) -> None:
        folder = self.root / path
        for each in (*reversed(folder.parents), folder):  # pathlib gives parents another mode than asked for
            if not each.is_dir():
                each.mkdir(mode=0o700, exist_ok=True)
                _sync_folder(each.parent)

    def list(self, path: str, /) -> list[str]:
        folder = self.root / path
        return sorted(each.name for each in os.scandir(folder) if each.is_file()) if folder.is_dir() else []

    def size(self, path: str, /) -> int:
        return (self.root / path).stat().st_size

    def filesystem(self) -> pyarrow.fs.FileSystem:
        return pyarrow.fs.SubTreeFileSystem(str(self.root), pyarrow.fs.LocalFileSystem(use_mmap=True))

    def connect(self, path: str, /) -> apsw.Connection:
        self._open(path, os.O_RDWR | os.O_CREAT).close()  # SQLite gives its other files the mode of this one
        return apsw.Connection(str(self.root / path))

    def free(self) -> int:
        room = os.statvfs(self.root)
        return room.f_bavail * room.f_frsize

    def _open(self, path: str, flags: int):
        number = os.open(self.root / path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        return open(number, "wb" if flags & os.O_WRONLY else "rb")


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


_P = ParamSpec("_P")
_S = TypeVar("_S", bound="_OnDisk")
_A = TypeVar("_A")

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CRAMPED = 1 << 20  # bytes
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}


class _OnDisk(Protocol):
    @property
    def disk(self) -> Disk: ...


def translated(verb: Callable[Concatenate[_S, _P], _A]) -> Callable[Concatenate[_S, _P], _A]:
    """A verb of something on a disk, whose foreign errors come out as Khiên's."""

    @wraps(verb)
    def told(self: _S, *args: _P.args, **kwargs: _P.kwargs) -> _A:
        try:
            return verb(self, *args, **kwargs)
        except (OSError, apsw.Error, pa.ArrowException) as error:
            raise _ours(error, self.disk) from error

    return told


def _ours(error: Exception, disk: Disk) -> Error:
    place, number = str(disk), error.errno if isinstance(error, OSError) else None
    cramped = isinstance(error, apsw.IOError) and _free(disk) < _CRAMPED  # SQLite does not say why
    if number in _FULL or isinstance(error, apsw.FullError) or cramped:
        return UnavailableError(f"{place}: the disk is full: make room, then run again; nothing saved is lost")
    if number in _FORBIDDEN or isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError):
        return ConfigError(f"{place} may not be written: give its owner the right to, or name another directory")
    if isinstance(error, NotADirectoryError | FileExistsError):
        return ConfigError(f"{place} is no directory: name one, or a place where one can be made")
    if isinstance(error, apsw.CorruptError | apsw.NotADBError | FileNotFoundError | pa.ArrowInvalid):
        return CustodyError(f"{place} is damaged ({error}): stop Khiên, keep a copy, restore the last backup")
    if isinstance(error, apsw.CantOpenError):
        return UnavailableError(f"{place} cannot be opened: see that its disk is well and may be written, try again")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return UnavailableError(f"{place}: another process keeps writing: try again later")
    return UnavailableError(f"{place}: the disk fails ({error}): check it, then run again; nothing saved is lost")


def _free(disk: Disk) -> int:
    try:
        return disk.free()
    except OSError:
        return _CRAMPED
