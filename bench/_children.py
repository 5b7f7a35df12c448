"""Processes to measure: started as a user starts them, on one CPU, their bytecode kept."""

import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import NamedTuple

NOTHING_FOUND, FOUND = 0, 1
FOUND_OR_NOT = (NOTHING_FOUND, FOUND)
POLL = 0.02  # seconds


def khien() -> list[str]:
    """The command of the environment this runs in."""
    return [str(Path(sys.executable).with_name("khien"))]


def environment(**more: str) -> Mapping[str, str]:
    """What children get: users keep bytecode, whatever whoever runs this does."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    return kept | more


def pin() -> None:
    """This process to one CPU: nothing it does runs beside itself."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


@contextmanager
def one_cpu() -> Generator[None]:
    """The same for a while."""
    before = os.sched_getaffinity(0)
    pin()
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(command: Sequence[str], output: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A child on one CPU that reads from a pipe."""
    return subprocess.Popen(
        command, env=environment(), preexec_fn=pin, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.DEVNULL
    )


class Took(NamedTuple):
    """Seconds on the wall, and of the CPU: on a quiet machine they are the same for one thread."""

    wall: float
    cpu: float


def run(command: Sequence[str], fine: Sequence[int] = (0,)) -> Took:
    """Runs a child on one CPU to its end. RuntimeError: its exit status is not fine."""
    before, started = getrusage(RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment(), preexec_fn=pin, stdin=subprocess.DEVNULL, capture_output=True)
    wall, after = time.perf_counter() - started, getrusage(RUSAGE_CHILDREN)
    if done.returncode not in fine:
        said = done.stderr.decode(errors="replace").strip()
        raise RuntimeError(f"{' '.join(command)} answered {done.returncode}: {said}")
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def peak(process: subprocess.Popen[bytes]) -> int:
    """The most memory a running process had resident, in bytes; 0 when it has ended.

    Linux's VmHWM: getrusage would count what the parent had before the child became another program.
    """
    status = Path(f"/proc/{process.pid}/status")
    try:
        found = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    except OSError:
        return 0
    return int(found[0].split()[1]) * 1024 if found else 0
