"""The lock of a place: one process at a time lands rows in it. Records anyone may save, SQLite sees to that."""

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from types import TracebackType

from khien.errors import ConfigError, ConflictError

FILE = "khien.lock"

_LOOKS, _GLANCE = 3, 0.05  # how often, and how many seconds apart, a lock is asked for


@dataclass
class Lock:
    """Held while the block runs, and by nobody once the process is gone, however it went."""

    directory: Path
    cure: str = "stop that, or name another directory"  # of another process that holds it
    _held: int | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> "Lock":
        """ConflictError: another process holds it. ConfigError: the directory cannot be written to."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self.directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigError(
                f"{self.directory} may not be written ({error.strerror}): give its owner the right to, or name another"
            ) from error
        for left in reversed(range(_LOOKS)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if left:
                    sleep(_GLANCE)  # who only asks for the holder is gone by then
                    continue
                holder = os.pread(file, 20, 0).decode("ascii", "replace").strip()
                os.close(file)
                raise ConflictError(
                    f"{self.directory} is in use by process {holder or 'unknown'}: {self.cure}"
                ) from error
            except OSError as error:
                os.close(file)
                raise ConfigError(
                    f"{self.directory} cannot be locked ({error.strerror}): name a directory on a disk of this machine"
                ) from error
        with suppress(OSError):  # who holds it is a help, no more
            os.truncate(file, 0)
            os.pwrite(file, b"%d\n" % os.getpid(), 0)
        self._held = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


def holder(directory: Path) -> int | None:
    """The process that holds the lock of a place; None where nobody does."""
    try:
        file = os.open(directory / FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        said = os.pread(file, 20, 0).strip()
        return int(said) if said.isdigit() else None
    else:
        return None
    finally:
        os.close(file)
