"""What this machine has: a data directory with its store, lock, keys and log of who did what; an engine; a clock."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import resource
import secrets
import signal
import stat
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from khien import registry
from khien.app.configuration import CONFIG, Config, document
from khien.contracts import Engine
from khien.errors import CustodyError, InputError, UnavailableError
from khien.packed import advice
from khien.stores.embedded import database
from khien.stores.embedded.lock import Lock, holder

if TYPE_CHECKING:
    from khien.audit import Audit
    from khien.contracts import Store
    from khien.listing import Known
    from khien.pipeline.listed import Log
    from khien.pipeline.listings import Listings
    from khien.stores.embedded.store import Embedded

_KEYS = "keys"  # below the data directory
NOTICES = "notices"  # the key from which links and codes of notices follow
PADDING = "padding"  # the key from which rows follow that pad an answer
_KEY = 32  # octets
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4  # prctl(2)


def store(directory: Path) -> Embedded:
    """The store in a directory, made where there is none. CustodyError: what says what its files are is gone."""
    if is_place(directory) and not (directory / database.FILE).exists():
        raise CustodyError(
            f"{directory / database.FILE} is gone and what it kept is there: restore it from the last backup, or move"
            f" {directory} away"
        )
    return registry.load("stores", "embedded").at(directory, clock)


def named(asked: Path | None) -> Path:
    """The data directory asked for, else that of khien.toml, else the default; store makes one where there is none."""
    if asked is not None:
        return asked
    given = document(CONFIG)[1].get("data") if CONFIG.exists() else None
    return Path(given if isinstance(given, str) else Config().data)


def place(asked: Path | None) -> Path:
    """The data directory that is named. InputError: there is none yet."""
    directory = named(asked)
    if not is_place(directory):
        raise InputError(f"{directory}: there is no such data directory: khien run makes one, --data names another")
    return directory


def is_place(directory: Path) -> bool:
    """Whether something was ever kept in a directory: to look into one should not make it one."""
    return any((directory / each).exists() for each in (database.FILE, "tables", "blobs"))


def lock(directory: Path) -> Lock:
    """Makes this the one process that lands rows in a directory. ConflictError: another is, and how to go on."""
    return Lock(directory)


def running(directory: Path) -> int | None:
    """The process that lands rows in a directory; None where none does."""
    return holder(directory)


def engine() -> Engine:
    """What runs detectors in this process."""
    return registry.load("engines", "embedded")()


def audit(directory: Path) -> Audit:
    """Who writes down what officers do, in the log of a data directory."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from khien.audit import LEDGER, Audit

    return Audit(Ed25519PrivateKey.from_private_bytes(key(directory, LEDGER)), clock, secrets.token_bytes)


def log(directory: Path) -> Log:
    """Who writes the log of listings of a data directory."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from khien.pipeline.listed import LOG, Log

    return Log(Ed25519PrivateKey.from_private_bytes(key(directory, LOG)), secrets.token_bytes)


def listings(directory: Path, store: Store, known: Known, decide_within: timedelta = timedelta(hours=72)) -> Listings:
    """What is listed in a data directory. known: registers.known; decide_within: as in Listings."""
    from khien.pipeline.listings import Listings

    return Listings(store, audit(directory), log(directory).key, known, decide_within)


def key(directory: Path, name: str) -> bytes:
    """A key of the house, made where there is none. CustodyError: others may read it, or it is no key."""
    path = key_file(directory, name)
    try:
        if not path.exists():
            _make_key(path)
    except OSError as error:
        raise UnavailableError(f"{path}: {advice(error)}") from error
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise CustodyError(f"{path}: may be read by others: make a new one, chmod 600, and tell whom it concerns")
        found = file.read(_KEY + 1)
    if len(found) != _KEY:
        raise CustodyError(f"{path}: is no key of {_KEY} octets: restore it from the last backup")
    return found


def key_file(directory: Path, name: str) -> Path:
    """Where a key of the house is: 32 random bytes, made when first needed, for its owner alone."""
    return directory / _KEYS / f"{name}.key"


def _make_key(path: Path) -> None:
    """Makes a key whole or not at all; one that is there meanwhile stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:  # mode 0600
        file.write(secrets.token_bytes(_KEY))
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def clock() -> datetime:
    """The time it is, UTC."""
    return datetime.now(UTC)


def run_long() -> None:
    """Lets this process give back what memory it no longer needs: Arrow's own allocators keep it for the next time."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def without_core() -> None:
    """Sees to it that this process leaves no image of its memory, however it ends; nobody else may look into it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # which asks a program that takes cores from a pipe whatever the limit says
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def end_with_parent(parent: int | None = None) -> None:
    """Asks that this process is killed when the one that started it has ended, however it did; only Linux has a way.

    parent: its number, which what Python's multiprocessing started knows itself. Not asked to end: each thread of a
    killed parent that goes sends the signal anew, and a handler of Python's that another interrupts may wait for ever.
    """
    if sys.platform == "linux":
        started = multiprocessing.parent_process()
        expected = parent or (started.pid if started else os.getppid())
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != expected:  # it had ended before we asked
            os.kill(os.getpid(), signal.SIGKILL)
