"""What a pure part may not do, made impossible while it runs: ``with forbidden_inside(): detector(batch)``.

Files, sockets, processes, threads and foreign libraries are seen by CPython's audit hook (PEP 578). Clocks and chance
raise no audit event, so their functions are replaced while a block is open, and refuse in that block only. What neither
sees is banned by lint and by import contracts: ``datetime.now`` (C, immutable), a function bound by ``from time import
time`` before the block, and files that a C++ library opens by itself (``pyarrow.fs``, ``pyarrow.OSFile``).
"""

import inspect
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from importlib.machinery import all_suffixes
from pathlib import PurePath
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

from khien import compiled
from khien.errors import ContractError

# Families of audit events; all of a family is refused but what _importing tells apart.
# fmt: off
_FAMILIES = frozenset([
    "_thread", "_winapi", "fcntl", "ftplib", "glob", "http", "imaplib", "mmap", "msvcrt", "nntplib", "open", "os",
    "poplib", "pty", "shutil", "signal", "smtplib", "socket", "sqlite3", "subprocess", "syslog", "tempfile", "time",
    "urllib", "webbrowser", "winreg",
])
# fmt: on
_LISTING = ("os.listdir", "os.scandir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_UTC = ZoneInfo("UTC")  # kept, or pyarrow would open the zone's file when it makes a Python object of a time

_REPLACED = {
    "time": (
        "ctime gmtime localtime monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns sleep"
        " strftime thread_time thread_time_ns time time_ns"
    ),
    "os": "getrandom times urandom",
    "_thread": "start_joinable_thread start_new start_new_thread",  # Python 3.11 audits none of them
    "threading": "_start_joinable_thread _start_new_thread",
    "random": "_urandom",  # what random.SystemRandom, secrets and an unseeded NumPy generator draw from
}
_CHANCE = {"random": "Random", "numpy.random": "RandomState"}  # functions bound to the one generator all share


class _Watch:
    """One open block, and what was tried in it."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    def refuse(self, what: str) -> None:
        if not _compiling():
            self.tried.append(what)
            raise ContractError(f"a pure part may not touch the world: {what}")


_IMPORTER = "importlib._bootstrap_external"
_watch: ContextVar[_Watch | None] = ContextVar("_watch", default=None)
_lock = Lock()
_originals: list[tuple[Any, str, Any]] = []
_open_blocks = 0
_hooked = False


@contextmanager
def forbidden_inside() -> Generator[None]:
    """A block in which this thread can reach no disk, network, process, thread, clock or chance.

    ContractError names the audit event and the path, also when the code inside swallowed the refusal. Allowed stay
    importing modules, and ``khien.compiled`` with its cache of kernels.
    """
    watch = _Watch()
    _install()
    mark = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(mark)
        _uninstall()
    if watch.tried:
        raise ContractError(f"a pure part may not touch the world: {'; '.join(watch.tried[:3])}")


def _install() -> None:
    global _hooked, _open_blocks
    with _lock:
        if not _hooked:
            sys.addaudithook(_hook)  # for the life of the process: there is no way to take it off
            _hooked = True
        if not _open_blocks:
            for module, name in list(_clocks_and_chance()):  # all loaded before one is replaced
                original = getattr(module, name)
                _originals.append((module, name, original))
                setattr(module, name, _guarded(f"{module.__name__}.{name}", original))
        _open_blocks += 1


def _uninstall() -> None:
    global _open_blocks
    with _lock:
        _open_blocks -= 1
        if not _open_blocks:
            for module, name, original in _originals:
                setattr(module, name, original)
            _originals.clear()


def _clocks_and_chance() -> Iterator[tuple[Any, str]]:
    for module_name, names in _REPLACED.items():
        module = import_module(module_name)
        yield from ((module, name) for name in names.split() if hasattr(module, name))
    for module_name, generator in _CHANCE.items():
        module = import_module(module_name)
        for name, value in list(vars(module).items()):
            if type(getattr(value, "__self__", None)).__name__ == generator:
                yield module, name


def _guarded(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*arguments: Any, **named: Any) -> Any:
        watch = _watch.get()
        if watch is not None:
            watch.refuse(name)
        return original(*arguments, **named)

    return guarded


def _hook(name: str, arguments: tuple[Any, ...]) -> None:
    watch = _watch.get()
    if watch is None:
        return
    if name.partition(".")[0] not in _FAMILIES and name != "ctypes.dlopen":
        return
    subject = arguments[0] if arguments else None
    keeping = isinstance(subject, int) and _called_by(_IMPORTER)  # an import writes bytecode by its descriptor
    if not keeping and not _importing(name, _place(subject), arguments):
        watch.refuse(f"{name} {subject!r:.200}")


def _compiling() -> bool:
    """Whether a kernel is being loaded or compiled: the compiler looks at the processor and keeps its object code."""
    return _called_by(compiled.__name__)


def _called_by(module: str) -> bool:
    """Whether a function of a module is being run further up."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == module:
            return True
        frame = frame.f_back
    return False


def _importing(name: str, place: str | None, arguments: tuple[Any, ...]) -> bool:
    """Whether this is what an import does: list folders on sys.path, read code there, keep it compiled beside."""
    if place is None or not any(place == root or place.startswith(root + os.sep) for root in _import_roots()):
        return False
    path = PurePath(place)
    if name in _LISTING:
        return True
    if name == "os.mkdir":
        return path.name == "__pycache__"
    if name == "os.rename" or (name == "open" and _writes(arguments)):
        return path.parent.name == "__pycache__"
    return name in ("open", "ctypes.dlopen") and path.suffix in all_suffixes()


def _place(argument: Any) -> str | None:
    if isinstance(argument, bytes | str | os.PathLike):
        return os.path.abspath(os.fsdecode(argument))
    return None  # a descriptor, or no path at all


def _writes(arguments: tuple[Any, ...]) -> bool:
    """Of the audit event ``open``: path, mode, flags; low-level calls give no mode."""
    _, mode, flags = arguments
    return bool(set(mode or "") & set("wax+")) or bool((flags or 0) & _WRITING)


def _import_roots() -> list[str]:
    return [os.path.abspath(entry or os.curdir) for entry in sys.path]
