"""The site and the report as child processes: what answers HTTP never holds what writes."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import msgspec

from khien.app import machine
from khien.app.configuration import SERVING, SHIPPED, Breach, People, Serving, Site
from khien.breach import wishes
from khien.errors import UnavailableError

_PATIENCE = 60.0  # seconds in which the site must answer
_GLANCE = 0.05
_MOST = 8_192  # connections at a time; who comes after them waits in the kernel's queue
_FILES = 256  # that the site may have open beside connections
_HEADERS = 16 << 10  # bytes of a request's first line and headers
_HEADERS_IN = 10_000  # milliseconds
_NO_OTHERS = Breach()
_OURS = People()
PACKAGE = Path(__file__).resolve().parents[2]  # the folder that holds khien


class Served(NamedTuple):
    """A site that answers. address: as a browser takes it."""

    address: str
    child: subprocess.Popen[bytes]

    def wait(self, stop: Event) -> None:
        """Until told to stop. UnavailableError: the site has ended by itself."""
        while not stop.wait(1):
            if self.child.poll() is not None:
                raise UnavailableError(
                    f"the site at {self.address} has ended (status {self.child.returncode}): run again"
                )


@contextlib.contextmanager
def site(
    data: Path,
    protect: Path | None,
    site: Site,
    *,
    replay: bool,
    breach: Breach = _NO_OTHERS,
    letters: Mapping[str, Any] | None = None,
    people: People = _OURS,
) -> Generator[Served]:
    """Serves the site until the end of the block. UnavailableError: it does not come up.

    letters: the settings of the mail server by which people are written to, if there is one.
    """
    place = str(data.resolve())
    sealed_to = wishes.public_of(machine.key(data, wishes.KEY)).hex() if letters else ""
    told = Serving(data=place, protect=_absolute(protect), site=site, breach=breach, replay=replay, people=people)
    told = msgspec.structs.replace(told, letters=dict(letters or {}), wishes=sealed_to)
    with _served(told, "khien.web.site:serve") as served:
        yield served


@contextlib.contextmanager
def holder(data: Path, site: Site, breach: Breach) -> Generator[Served]:
    """Serves what the holder of a share answers, and nothing else, until the end of the block."""
    with _served(Serving(data=str(data.resolve()), site=site, breach=breach), "khien.web.hold:serve") as served:
        yield served


@contextlib.contextmanager
def _served(serving: Serving, made: str) -> Generator[Served]:
    host, port = serving.site.address
    expect_free(host, port)
    told = _tell(serving)
    listen = ("--host", host, "--port", str(port), "--working-dir", str(PACKAGE), "--workers", "1")
    served = ("granian", "--interface", "asgi", *listen, "--no-ws", "--log-level", "warning", "--factory")
    child = _start((*served, *_bounds(), made), told)
    try:
        _expect_answer(child, host, port)
        yield Served(f"http://{f'[{host}]' if ':' in host else host}:{port}/", child)
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        told.unlink(missing_ok=True)


def _bounds() -> tuple[str, ...]:
    """What clients may take of the site, as options of granian; its backpressure counts connections, not requests."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = _MOST if files == resource.RLIM_INFINITY else max(1, min(_MOST, files - _FILES))
    headers = ("--http", "1", "--http1-buffer-size", str(_HEADERS), "--http1-header-read-timeout", str(_HEADERS_IN))
    return (*headers, "--backlog", str(_MOST), "--backpressure", str(most))


def write(
    page: str, folder: Path, *asked: str, data: Path, protect: Path | None, replay: bool, public: str = ""
) -> None:
    """Has what a module of the site writes as files written into a folder: report, halfyear, handout. public: the
    address of the site, to be printed in them.

    UnavailableError: that did not succeed; what the child said is shown.
    """
    told = _tell(Serving(data=str(data.resolve()), protect=_absolute(protect), site=Site(public=public), replay=replay))
    try:
        child = _start((f"khien.web.{page}", str(folder.absolute()), *asked), told)
        if child.wait():
            raise UnavailableError(f"{folder}: the {page} could not be written")
    finally:
        told.unlink(missing_ok=True)


def _tell(serving: Serving) -> Path:
    path = Path(serving.data) / f"site-{os.getpid()}.json"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(serving))
    return path


def _absolute(protect: Path | None) -> str:
    return "" if protect is None else str(protect) if str(protect) in SHIPPED else str(protect.resolve())


def _start(module: Sequence[str], told: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *module],  # -P: what lies in the current directory is no module of ours
        env=os.environ | {SERVING: str(told)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us: the site goes when we let it go, with its workers
        preexec_fn=partial(_prepare, os.getpid()),
    )


def _prepare(parent: int) -> None:
    """What a child does before it is one: it goes with us, and may have as many files open as it can be allowed."""
    machine.end_with_parent(parent)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


def expect_free(host: str, port: int, other: str = "another [site] listen, or --listen") -> None:
    """UnavailableError: somebody listens there already, whom granian would share the port with.

    other: what to give instead, as the error says it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            said = f"the site cannot listen on {host}:{port} ({error.strerror}): give {other}"
            raise UnavailableError(said) from error


def _expect_answer(child: subprocess.Popen[bytes], host: str, port: int) -> None:
    """Waits until the child answers: it listens before it has made its pages ready."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if child.poll() is not None:
            raise UnavailableError(f"the site cannot listen on {host}:{port}: is it in use? give another [site] listen")
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1) as probe:
            probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if probe.recv(1):
                return
        time.sleep(_GLANCE)
    raise UnavailableError(f"the site does not answer on {host}:{port} after {_PATIENCE:.0f} s")
