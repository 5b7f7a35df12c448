"""The site and the report as child processes: what answers HTTP never holds what writes."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import msgspec

from khien.app import SERVING, Serving, Site
from khien.errors import ConfigError, UnavailableError

_PATIENCE = 60.0  # seconds in which the site must answer
_GLANCE = 0.05
_PR_SET_PDEATHSIG = 1  # prctl(2)


@contextlib.contextmanager
def site(data: Path, protect: Path | None, site: Site, *, replay: bool) -> Generator[str]:
    """Serves the site until the end of the block; yields its address. UnavailableError: it does not come up."""
    host, port = _address(site.listen)
    told = _tell(Serving(data=str(data), protect=str(protect or ""), site=site, replay=replay))
    command = ("granian", "--interface", "asgi", "--factory", "khien.web.site:serve", "--host", host, "--port", port)
    child = _start((*command, "--workers", "1", "--no-ws", "--log-level", "warning"), told)
    try:
        _expect_answer(child, host, int(port))
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        told.unlink(missing_ok=True)


def report(data: Path, protect: Path | None, folder: Path, *, replay: bool) -> None:
    """Writes the site's pages as files. UnavailableError: that did not succeed; what the child said is shown."""
    told = _tell(Serving(data=str(data), protect=str(protect or ""), site=Site(), replay=replay))
    try:
        child = _start(("khien.web.report", str(folder)), told)
        if child.wait():
            raise UnavailableError(f"{folder}: the report could not be written")
    finally:
        told.unlink(missing_ok=True)


def _address(listen: str) -> tuple[str, str]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"site: listen is {listen!r}: give host:port, for example 127.0.0.1:8460")
    return host.strip("[]") or "127.0.0.1", port


def _tell(serving: Serving) -> Path:
    path = Path(serving.data) / f"site-{os.getpid()}.json"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(serving))
    return path


def _start(module: Sequence[str], told: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *module],
        env=os.environ | {SERVING: str(told)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us: the site goes when we let it go, with its workers
        preexec_fn=_ends_with_parent(),
    )


def _ends_with_parent() -> Callable[[], object] | None:
    """What a child does first, so that it stops when its parent is killed; only Linux has a way."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _expect_answer(child: subprocess.Popen[bytes], host: str, port: int) -> None:
    """Waits until the child listens."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if child.poll() is not None:
            raise UnavailableError(f"the site cannot listen on {host}:{port}: is it in use? give another [site] listen")
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(_GLANCE)
    raise UnavailableError(f"the site does not answer on {host}:{port} after {_PATIENCE:.0f} s")
