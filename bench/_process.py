"""What a process costs: memory of an endless scan, time to start, setting up from nothing."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from select import select
from statistics import median

from _children import FOUND_OR_NOT, POLL, environment, khien, peak, run, start
from _lists import ROOT, repeat, stream
from _rows import Bar, Row, skipped

MEMORY = Bar(500, "MiB", under=True)
VERSION = Bar(0.2, "s", under=True)
FIRST = Bar(2, "s", under=True)
SETUP = Bar(120, "s", under=True)
SIZE = Bar(650, "MB", under=True)
ROWS, FEW = 50_000_000, 2_000_000
IMITATION = b"vietcombank.example.top\n"  # a reserved name: nobody owns it
CACHES = ("XDG_CACHE_HOME", "PIP_CACHE_DIR", "KHIEN_CACHE")
PATIENCE = 60  # seconds for a first finding


def memory(folder: Path, quick: bool) -> Iterator[Row]:
    """Rows from standard input, made while they are read, and never stored."""
    rows = FEW if quick else ROWS
    once = stream(folder)
    run([*khien(), "check", "example.org"], fine=FOUND_OR_NOT)
    started = time.perf_counter()
    process = start([*khien(), "scan", "names", "-", "--format", "jsonl", "-o", os.devnull])
    assert process.stdin is not None
    most = 0
    for text in repeat(once, rows):
        process.stdin.write(text)
        most = max(most, peak(process))
    process.stdin.close()
    while process.poll() is None:
        most = max(most, peak(process))
        time.sleep(POLL)
    seconds = time.perf_counter() - started
    if process.returncode not in FOUND_OR_NOT:
        raise RuntimeError(f"the scan of standard input answered {process.returncode}")
    how = f"VmHWM of the process; {rows:,} rows from standard input at {rows / seconds / 1e6:.2f} M names/s, one CPU"
    yield Row(f"memory, {rows:,} rows", MEMORY, most / 2**20, f"{most / 2**20:.0f} MiB", how)


def starting(quick: bool) -> Iterator[Row]:
    """``khien --version``, and the first finding of a scan that goes on."""
    command = [*khien(), "--version"]
    run(command)
    seconds = [run(command).wall for _ in range(10)]
    said = f"{median(seconds):.3f} s (best {min(seconds):.3f})"
    yield Row("khien --version", VERSION, median(seconds), said, "process from start to exit, median of 10, warm")
    run([*khien(), "check", "example.org"], fine=FOUND_OR_NOT)
    seconds = [_first_finding() for _ in range(3 if quick else 5)]
    said = f"{median(seconds):.2f} s (best {min(seconds):.2f})"
    how = f"one name written to standard input, the pipe kept open, until its line is out; median of {len(seconds)}"
    yield Row("first finding", FIRST, median(seconds), said, how)


def _first_finding() -> float:
    started = time.perf_counter()
    with start([*khien(), "scan", "names", "-", "--format", "jsonl"], subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(IMITATION)
        process.stdin.flush()
        ready, _, _ = select([process.stdout], [], [], PATIENCE)
        if not ready or not process.stdout.readline():
            process.kill()
            raise RuntimeError(f"no finding within {PATIENCE} s")
        seconds = time.perf_counter() - started
        process.stdin.close()
    return seconds


def setting_up(scratch: Path, quick: bool) -> Iterator[Row]:
    """A clone of what is committed, set up with an empty home and empty caches; and how large its environment is."""
    names = ("set-up from nothing", SETUP), ("run-time environment", SIZE)
    if quick:
        yield from (skipped(name, bar, "left out by --quick") for name, bar in names)
        return
    clone, home = scratch / "clone", scratch / "home"
    home.mkdir()
    fresh = {name: value for name, value in environment(HOME=str(home)).items() if name not in CACHES}
    base = getattr(sys, "_base_executable", sys.executable)  # not the one of this environment
    started = time.perf_counter()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], env=fresh, check=True)
    subprocess.run([base, "dev", "setup"], cwd=clone, env=fresh, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    how = "git clone, then python3 dev setup: packages fetched from this machine's index, kernels compiled"
    yield Row(*names[0], seconds, f"{seconds:.0f} s", how)
    size = disk_use(clone / ".venv") / 1e6
    yield Row(*names[1], size, f"{size:.0f} MB", "blocks on disk of the .venv that was set up, bytecode with it")
    shutil.rmtree(clone)


def disk_use(folder: Path) -> int:
    """Bytes of the blocks that the files in a folder take; a file with two names counts once."""
    files = {(each.st_dev, each.st_ino): each for path in folder.rglob("*") for each in [path.lstat()]}
    return sum(each.st_blocks * 512 for each in files.values())
