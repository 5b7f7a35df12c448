"""Certificate transparency: entries of logs to findings, against their bars; and names as another program reads them.

    python3 dev bench ct [--quick] [--only ROW,...] [--tiles FOLDER]

A log on loopback, a process of its own, hands out made certificates (two names each, real ones of ../shared under ever
new labels; half precertificates; chains beside them) to one process that verifies, reads, detects and saves. Figures
are this machine's, at this moment. Exit status 0 when all was measured, whether bars hold or not.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _lists
import numpy as np
from _children import environment
from _command import parser, show
from _rows import Bar, Row, skipped

from khien.ct import entries

ROWS = ("oracle", "rfc6962", "static", "day")
TILES = _lists.ROOT.parent / "shared" / "data" / "ct" / "navigli2025h2" / "tile"
RATE = Bar(5000, "entries/s")
MEMORY = Bar(500, "MiB", under=True)
HOUR = Bar(3600, "s", under=True)
EQUAL = Bar(1, "share")
A_DAY, MANY, SOME, FEW = 12_000_000, 1_000_000, 200_000, 20_000
LOCAL = 4096  # entries: how far a page may be from its place and still be newest first: what is read together
SCRIPT = Path(__file__).with_name("_ctlog.py")


def main() -> int:
    line = parser("ct", __doc__, ROWS)
    line.add_argument("--tiles", type=Path, default=TILES, help="folder of a log's tiles, with the oracle's names")
    asked = line.parse_args()
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        return show(measure(asked, Path(scratch)))


def measure(asked: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    """The rows asked for, one after the other, so that none runs beside another."""
    makers: dict[str, Callable[[], Iterator[Row]]] = {
        "oracle": lambda: oracle(asked.tiles),
        "rfc6962": lambda: ingestion("rfc6962", FEW if asked.quick else SOME, scratch),
        "static": lambda: ingestion("static", FEW if asked.quick else SOME, scratch),
        "day": lambda: day(SOME if asked.quick else MANY, scratch),
    }
    for name, make in makers.items():
        if name in asked.only and (asked.tiles if name == "oracle" else _lists.LISTS).exists():
            yield from make()
        elif name in asked.only:
            yield skipped(name, None, "what it is measured on is in ../shared, which is not here")


def oracle(folder: Path) -> Iterator[Row]:
    """Every tile of a folder, partial ones too, against the names that lie beside it."""
    same = count = 0
    for path in sorted((folder / "data").rglob("*")):
        names = folder / "names" / path.relative_to(folder / "data")
        if not (path.is_file() and names.is_file()):
            continue
        expected = [set(json.loads(line).get("DNS") or ()) for line in unpacked(names).splitlines()]
        read = entries.of_tile(unpacked(path), 0, len(expected), 0)
        certified = entries.Certified(read)
        found: list[set[str]] = [set() for _ in expected]
        rows = certified.rows("log", np.ones(certified.names, bool))
        for name, index in zip(rows["name"].to_pylist(), rows["index"].to_pylist(), strict=True):
            found[index].add(name)
        same += sum(ours == theirs for ours, theirs in zip(found, expected, strict=True))
        count += len(expected)
    how = f"{count:,} entries of a real log: all their names, wildcards as met"
    yield Row("names equal to the oracle's", EQUAL, same / max(count, 1), f"{same:,} of {count:,}", how)


def unpacked(path: Path) -> bytes:
    contents = path.read_bytes()
    return gzip.decompress(contents) if contents.startswith(b"\x1f\x8b") else contents


def ingestion(kind: str, count: int, scratch: Path) -> Iterator[Row]:
    """From wire bytes to findings, saved; memory of that process."""
    told = caught_up(kind, count, scratch)
    seconds, names, found = told["pages"][-1][0], *(sum(page[n] for page in told["pages"]) for n in (2, 3))
    how = f"{count:,} entries, {names:,} names, {found:,} findings; heads, proofs and every entry's place verified;"
    how += f" one process, {told['cpu']:.1f} s of CPU with its start, another process is the log"
    yield Row(f"{kind} log to findings, saved", RATE, count / seconds, f"{count / seconds:,.0f} entries/s", how)
    peak = told["peak"] / 2**20
    yield Row(f"{kind} log, memory", MEMORY, peak, f"{peak:.0f} MiB", "VmHWM of that process")


def day(count: int, scratch: Path) -> Iterator[Row]:
    """Distinct entries after a gap; what a day of them would take follows from the rate, if that is steady."""
    told = caught_up("rfc6962", count, scratch)
    pages = told["pages"]
    seconds = pages[-1][0]
    tenth = count // 10
    at = [next(page[0] for page in pages if page[1] >= n * tenth) for n in range(1, 11)]
    rates = [tenth / (b - a) for a, b in zip([0.0, *at], at, strict=False)]
    how = f"extrapolated from {count:,} distinct entries in {seconds:.0f} s; by tenths {min(rates):,.0f} to"
    how += f" {max(rates):,.0f} entries/s, the last {rates[-1]:,.0f}; {told['peak'] / 2**20:.0f} MiB"
    a_day = seconds * A_DAY / count
    yield Row(f"a day of {A_DAY:,} entries caught up", HOUR, a_day, f"{a_day:,.0f} s", how)
    off = max(abs((count - page[1]) - page[4]) for page in pages if page[2])
    share = sum(abs((count - page[1]) - page[4]) <= LOCAL for page in pages if page[2]) / sum(
        1 for page in pages if page[2]
    )
    how = f"share of pages that hold the newest entries not yet read, {off:,} entries off at most"
    yield Row("newest first", EQUAL, share, f"{share:.3f}", how)


def caught_up(kind: str, count: int, scratch: Path) -> dict[str, Any]:
    """A process that reads all a log holds, beside one that is the log: what the reader says."""
    serve, read = ([sys.executable, str(SCRIPT), how] for how in ("serve", "read"))
    given = [str(count), str(scratch)]
    log = subprocess.Popen(
        [*serve, kind, *given], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert log.stdin
    assert log.stdout
    try:
        listed = log.stdout.readline().strip()
        told = subprocess.run([*read, listed, *given], env=environment(), check=True, capture_output=True, text=True)
    finally:
        log.stdin.close()
        log.wait()
    return json.loads(told.stdout)


if __name__ == "__main__":
    sys.exit(main())
