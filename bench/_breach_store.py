"""The row `store`: what a digest with its count takes, and what building a table takes that does not fit in memory."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _children import environment
from _rows import Bar, Row

from khien.breach import sealed, sorting, table
from khien.breach.table import SHA1

ENTRIES = 20_000_000
MANY, BILLION = 100_000_000, 1_000_000_000
PAGE = 262_144  # rows of a run
FLOOR, PEER = 17.15, 24  # bytes an entry, of 20 million: what 160 bits cannot go below; oschonrock/hibp
EXPONENT = 2.18  # of the counts: their tail is that of Pwned Passwords, 850 million digests up to 37 million times
SIZE, MEMORY = Bar(18.5, "bytes", under=True), Bar(1.5, "GiB", under=True)


def store(quick: bool = False) -> Iterator[Row]:
    """Two tables, each built by a process of its own, of rows that another one made."""
    for entries in (ENTRIES // 20, ENTRIES // 4) if quick else (ENTRIES, MANY):
        with tempfile.TemporaryDirectory(prefix="khien-bench-") as folder:
            made = child("make", folder, entries)
            built = child("build", folder, entries)
        yield from _said(entries, made, built)


def _said(entries: int, made: dict[str, Any], built: dict[str, Any]) -> Iterator[Row]:
    each, seconds, peak = built["size"] / entries, made["cpu"] + built["cpu"], built["peak"] / 2**30
    how = f"{built['large'] / entries:.2%} of counts above 254, Zipf {EXPONENT}; floor {FLOOR}, peer {PEER}, at 20 M"
    yield Row(
        f"{entries:,} SHA-1 with counts", SIZE if entries >= ENTRIES else None, each, f"{each:.2f} bytes an entry", how
    )
    how = f"{made['runs']:,} runs of {PAGE:,} rows merged in {built['passes']} pass(es); VmHWM with mapped files"
    yield Row(f"{entries:,} built, memory", MEMORY, peak, f"{peak:.2f} GiB", how)
    how = f"sorted into runs {made['cpu']:.0f} s (on the wall {made['wall']:.0f}), merged and laid down"
    how += f" {built['cpu']:.0f} s ({built['wall']:.0f}); one thread; disk beside the table {made['size'] / 1e9:.1f} GB"
    yield Row(f"{entries:,} built, CPU", None, seconds, f"{entries / seconds / 1e6:.1f} M rows/s", how)
    if entries > ENTRIES:
        yield _billion(entries, made, built)


def _billion(entries: int, made: dict[str, Any], built: dict[str, Any]) -> Row:
    """Ten times as many, in as many passes: each costs what it costs a row; only the bits grow in memory."""
    times = BILLION / entries
    minutes = times * (made["cpu"] + built["cpu"]) / 60
    peak = built["peak"] + 2 * times * entries / 8  # twice: while they grow
    how = f"extrapolated from {entries:,} in {built['passes']} passes: {times:.0f} times the rows; memory"
    how += f" {peak / 2**30:.1f} GiB, disk in between {built['passes'] * times * made['size'] / 1e9:.0f} GB"
    return Row(f"{BILLION:,} built, CPU", None, minutes, f"{minutes:.0f} minutes", how)


def child(what: str, folder: str, entries: int) -> dict[str, Any]:
    """What a process of its own says of making runs, or a table of them."""
    command = [sys.executable, __file__, what, folder, str(entries)]
    done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def make(folder: Path, entries: int) -> dict[str, Any]:
    """Counted runs of random digests."""
    chance, wall, cpu = np.random.default_rng(6), 0.0, 0.0
    for number, first in enumerate(range(0, entries, PAGE)):
        rows = chance.integers(0, 256, (min(PAGE, entries - first), SHA1 + 8), np.uint8)
        rows[:, SHA1:] = counts(chance, len(rows))
        begun, used = time.perf_counter(), time.process_time()
        sorting.write_run(folder / f"{number:06}.run", rows, counted=True)
        wall, cpu = wall + time.perf_counter() - begun, cpu + time.process_time() - used
    runs = list(folder.glob("*.run"))
    return {"wall": wall, "cpu": cpu, "runs": len(runs), "size": sum(run.stat().st_size for run in runs)}


def counts(chance: np.random.Generator, n: int) -> Any:
    """How often so many passwords were met, as the last octets of rows (n, 8)."""
    return np.minimum(chance.zipf(EXPONENT, n), 40_000_000).astype(">i8").view(np.uint8).reshape(n, 8)


def build(folder: Path) -> dict[str, Any]:
    """The table of all runs."""
    runs = sorted(folder.glob("*.run"))
    begun, used = time.perf_counter(), time.process_time()
    path = table.build(folder, "sha1", SHA1, runs)
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    large = sealed.read(path, b"khientab", 1).extra
    passes = 1 if len(runs) <= sorting.FAN else 2
    size = path.stat().st_size
    return {"wall": wall, "cpu": cpu, "peak": peak, "size": size, "large": large, "passes": passes}


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    where = Path(sys.argv[2])
    print(json.dumps(make(where, int(sys.argv[3])) if sys.argv[1] == "make" else build(where)))
