"""The embedded store: what it reaches against its bars with a million findings there, and a peer beside it.

    python3 dev bench store [--quick] [--only ROW,...] [--lists FOLDER]

Names are those of ../shared, repeated under ever new subdomains; findings that are there before are made up. Figures
are this machine's, at this moment. Exit status 0 when all was measured, whether bars hold or not.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event

import _lists
import _made
import numpy as np
import pyarrow as pa
from _command import parser, show
from _rows import Bar, Row, skipped

from khien import schema
from khien.app import parts, registers
from khien.app.machine import clock, engine
from khien.model import Finding
from khien.pipeline import collect
from khien.stores.embedded.store import Embedded

ROWS = ("pages", "counts", "pipeline", "day", "peers")
PIPELINE = Bar(200_000, "names/s")
PAGES = Bar(50, "ms", under=True)
COUNTS = Bar(20, "ms", under=True)
DAY = Bar(2.0, "GB", under=True)
FINDINGS, NAMES, A_DAY, FEW = 1_000_000, 3_000_000, 12_000_000, 50_000
PAGE = 50  # findings a person sees at once
BATCH = 131_072


def main() -> int:
    line = parser("store", __doc__, ROWS)
    line.add_argument("--lists", type=Path, default=_lists.LISTS, help="folder of the lists")
    asked = line.parse_args()
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        return show(measure(asked, Path(scratch)))


def measure(asked: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    """The rows asked for, one after the other, so that none runs beside another."""
    findings = FEW if asked.quick else FINDINGS
    with Embedded.at(scratch / "findings", clock) as store:
        if {"pages", "counts", "pipeline"} & set(asked.only):
            yield filled(store, findings)
        if "pages" in asked.only:
            yield pages(store, findings)
        if "counts" in asked.only:
            yield counts(store, findings)
        once = _lists.stream(asked.lists) if asked.lists.exists() else []
        makers: dict[str, Callable[[], Iterator[Row]]] = {
            "pipeline": lambda: through(store, once, FEW if asked.quick else NAMES, scratch),
            "day": lambda: day(once, 10 * FEW if asked.quick else A_DAY, scratch / "day"),
            "peers": lambda: peers(once, FEW if asked.quick else NAMES // 3, scratch),
        }
        for name, make in makers.items():
            if name in asked.only and once:
                yield from make()
            elif name in asked.only:
                yield skipped(name, None, "the lists to measure on are in ../shared, which is not here")


def filled(store: Embedded, findings: int) -> Row:
    """Made findings, saved a thousand at a time."""
    chance = Random(1)
    seconds = 0.0
    for first in range(0, findings, 1000):
        some = [_made.finding(number, chance) for number in range(first, first + 1000)]
        started = time.perf_counter()
        store.save(*some)
        seconds += time.perf_counter() - started
    size = store.usage()["records"] / 1e6
    how = f"a thousand a save, until there are {findings:,}; {size:,.0f} MB then"
    return Row("findings saved", None, findings / seconds, f"{findings / seconds:,.0f} a second", how)


def pages(store: Embedded, findings: int) -> Row:
    """Pages as people ask for them: an order, filters or none, at the beginning or deep inside."""
    chance = Random(2)
    took: list[float] = []
    slowest = (0.0, "")
    for _ in range(400):
        equal = _made.filters(chance)
        order = chance.choice(("-score", "-day"))
        after = _made.identity(chance.randrange(findings)) if chance.random() < 0.5 else ""
        started = time.perf_counter()
        store.find(Finding, order=order, after=after, limit=PAGE, **equal)
        took.append(1000 * (time.perf_counter() - started))
        slowest = max(slowest, (took[-1], f"{order} {', '.join(equal) or 'all'}{' deep' if after else ''}"))
    p50, p95 = np.percentile(took, (50, 95))
    how = f"400 pages of {PAGE}, half of them from a random place; median {p50:.1f} ms, slowest {slowest[0]:.0f} ms"
    return Row(f"page of findings, {findings:,} there, p95", PAGES, p95, f"{p95:.1f} ms", f"{how} ({slowest[1]})")


def counts(store: Embedded, findings: int) -> Row:
    took: list[float] = []
    for _ in range(50):
        started = time.perf_counter()
        found = store.count(Finding, "day", "state", "suppressed")
        took.append(1000 * (time.perf_counter() - started))
    p95 = float(np.percentile(took, 95))
    how = f"by day, state and suppressed, 50 times: {len(found):,} combinations"
    return Row(f"counts, {findings:,} findings there, p95", COUNTS, p95, f"{p95:.1f} ms", how)


def through(store: Embedded, once: Sequence[str], names: int, scratch: Path) -> Iterator[Row]:
    """A file of names through source, detector and store, as khien run has them."""
    path = scratch / "names.txt"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in _made.names(once, names))
    feed = collect.Feed("bench", parts.names([str(path)]), "names", None, (registers.lookalike(),))
    feed.detectors[0](pa.RecordBatch.from_pylist([{"name": once[0]}], schema.NAMES))  # kernels and tables are loaded
    before = sum(store.count(Finding).values())
    started = time.perf_counter()
    collect.run((feed,), engine(), store, clock, Event())
    seconds = time.perf_counter() - started
    path.unlink()
    landed, found = store.scan("names").count_rows(), sum(store.count(Finding).values()) - before
    how = f"{landed:,} names of a file, {found:,} findings new beside {before:,}; collect.run in this process"
    yield Row("landed, detected, saved", PIPELINE, landed / seconds, f"{landed / seconds:,.0f} names/s", how)


def day(once: Sequence[str], names: int, directory: Path) -> Iterator[Row]:
    """Names of a day land in batches; then some are looked up."""
    with Embedded.at(directory, clock) as store:
        seconds = 0.0
        for number, texts in enumerate(_made.batches(once, names, BATCH)):
            batch = _made.rows(texts, timedelta(seconds=86_400 * number * BATCH / names))
            started = time.perf_counter()
            store.save(landed=[store.land("names", batch, id=f"{number}")])
            seconds += time.perf_counter() - started
        usage = store.usage()
        size = (usage["names"] + usage["records"]) / 1e9
        waiting = usage["replaced"] / 1e9
        how = f"{names / seconds / 1e6:.2f} M names/s landed in batches of {BATCH:,}, files merged on the way"
        how += f"; not counted: {waiting:.2f} GB of replaced files that go within ten minutes"
        yield Row(f"a day of {names:,} names", DAY, size, f"{size:.2f} GB", how)
        yield lookups(store, once)


def lookups(store: Embedded, once: Sequence[str]) -> Row:
    chance = Random(3)
    took: list[float] = []
    for _ in range(100):
        value = pa.array([f"r{chance.randrange(3)}.{chance.choice(once)}"])
        started = time.perf_counter()
        store.lookup("names", "name", value)
        took.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.percentile(took, (50, 95))
    how = f"one name, 100 times; median {p50:.1f} ms"
    return Row("look-up of a name in that day, p95", None, p95, f"{p95:.1f} ms", how)


def peers(once: Sequence[str], names: int, scratch: Path) -> Iterator[Row]:
    """The same batches as rows of SQLite, by the standard library, with an index on the name; and landed here."""
    batches = list(_made.batches(once, names, BATCH))
    peer = sqlite3.connect(scratch / "peer.sqlite")
    peer.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE names (name TEXT, seen_at INTEGER);"
        "CREATE INDEX by_name ON names (name)"
    )
    started = time.perf_counter()
    for texts in batches:
        with peer:
            peer.executemany("INSERT INTO names VALUES (?, 0)", ((text,) for text in texts))
    seconds = time.perf_counter() - started
    peer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    peer.close()
    size = (scratch / "peer.sqlite").stat().st_size / 1e6
    yield Row(
        "peer: rows of SQLite", None, names / seconds, f"{names / seconds:,.0f} names/s", f"{names:,}; {size:,.0f} MB"
    )
    with Embedded.at(scratch / "peer", clock) as store:
        started = time.perf_counter()
        for number, texts in enumerate(batches):
            store.save(landed=[store.land("names", _made.rows(texts, timedelta(0)), id=f"{number}")])
        seconds = time.perf_counter() - started
        size = store.usage()["names"] / 1e6
    yield Row("beside it: landed", None, names / seconds, f"{names / seconds:,.0f} names/s", f"same; {size:,.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
