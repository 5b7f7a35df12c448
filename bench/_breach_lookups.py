"""The row `lookups`: how often a digest was met, one at a time and many at once, beside SQLite and a sorted file.

20 million entries, half of what is asked for is known, in random order, files in the page cache. One at a time is told
three ways: within a kernel, where each look-up waits for the answer of the one before; from Python, with all that a
call from there costs; and the same for peers, which are asked from Python.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _breach_store import ENTRIES, child
from _children import one_cpu
from _rows import Bar, Row

from khien.breach.buckets import BUCKET, look_up
from khien.breach.table import SHA1, Table
from khien.compiled import kernel

SINGLE, BATCH = Bar(1e6, "look-ups/s"), Bar(15e6, "look-ups/s")
ASKED, FEW, ROUNDS = 2_000_000, 100_000, 7
ROW = SHA1 + 4  # octets of the sorted file's rows: a digest and a count


def lookups(quick: bool = False) -> Iterator[Row]:
    """The table first, then its peers over the same digests."""
    entries = ENTRIES // 20 if quick else ENTRIES
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch, one_cpu():
        folder = Path(scratch)
        child("make", scratch, entries)
        child("build", scratch, entries)
        for run in folder.glob("*.run"):
            run.unlink()
        held = Table.open(next(folder.glob("sha1-*")))
        digests, expected = asked(held, ASKED // 20 if quick else ASKED)
        few = [bytes(each) for each in digests[:FEW]]
        yield from _ours(held, digests, expected, few)
        for name, rate, size in (_sqlite(folder, held, few), _sorted(folder, held, few)):
            said = f"{rate:,.0f} look-ups/s"
            yield Row(
                f"peer: {name}",
                None,
                rate,
                said,
                f"one at a time, from Python; {size / held.entries:.1f} bytes an entry",
            )


def asked(held: Table, n: int) -> tuple[Any, Any]:
    """Digests in random order, half of them known, and their counts."""
    chance = np.random.default_rng(7)
    share = n / 2 / held.entries
    parts = [
        (digests[picked], counts[picked])
        for digests, counts in held.batches()
        for picked in [chance.random(len(counts)) < share]
    ]
    digests, counts = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = chance.permutation(2 * len(counts))
    digests = np.concatenate([digests, chance.integers(0, 256, digests.shape, np.uint8)])[order]
    return digests, np.concatenate([counts, np.zeros_like(counts)])[order]


def _ours(held: Table, digests: Any, expected: Any, few: list[bytes]) -> Iterator[Row]:
    """Each way of asking gives the same answers."""
    n = len(digests)
    assert (held.counts(digests) == expected).all()
    assert [held.count(each) for each in few] == expected[: len(few)].tolist()
    assert one_by_one(*held.parts, digests, n) == expected.sum()
    rate, how = measured(lambda: one_by_one(*held.parts, digests, n), n)
    yield Row(
        "single look-ups, within a kernel", SINGLE, rate, f"{rate / 1e6:.2f} M/s", f"each waits for the last; {how}"
    )
    rate, how = measured(lambda: [held.count(each) for each in few], len(few))
    yield Row("single look-ups, from Python", None, rate, f"{rate / 1e6:.2f} M/s", f"{1e6 / rate:.1f} µs a call; {how}")
    rate, how = measured(lambda: held.counts(digests), n)
    yield Row("batches", BATCH, rate, f"{rate / 1e6:.1f} M/s", f"{n:,} digests a call; {how}")
    rate, how = measured(lambda: [held.range(prefix) for prefix in range(0, 1 << 20, 101)], (1 << 20) // 101 + 1)
    yield Row(
        "ranges of 20 bits", None, rate, f"{rate:,.0f}/s", f"{held.entries >> 20} digests each, from Python; {how}"
    )


@kernel("i8", "u1*", "i8", "i8", "u1*", "u4*", "u1*", "i8*", "i8", "u1*", "i8")
def one_by_one(rows, entries, rest, bits, bases, places, large, larger, digests, n):
    """The sum of n counts: where the next digest stands is known when the last count is, for no count is negative."""
    total = np.int64(0)
    count = np.int64(0)
    for each in range(n):
        at = (each + (count >> 63)) * (rest + BUCKET)
        count = look_up(rows, entries, rest, bits, bases, places, large, larger, digests, at)
        total += count
    return total


def measured(run: Callable[[], Any], of: int) -> tuple[float, str]:
    """So many of something in a second of one CPU, the median of some runs; how."""
    rates = list[float]()
    for _ in range(ROUNDS):
        begun = time.process_time()
        run()
        rates.append(of / (time.process_time() - begun))
    return median(rates), f"by CPU seconds, median of {ROUNDS}: {min(rates):,.0f} to {max(rates):,.0f}"


def _sqlite(folder: Path, held: Table, few: list[bytes]) -> tuple[str, float, int]:
    """A table without row ids, filled in order."""
    path = folder / "peer.sqlite"
    peer = sqlite3.connect(path)
    peer.execute("create table digests (digest blob primary key, count int) without rowid")
    for digests, counts in held.batches():
        rows = zip((bytes(each) for each in digests), counts.tolist(), strict=True)
        peer.executemany("insert into digests values (?, ?)", rows)
    peer.commit()
    ask = "select count from digests where digest = ?"
    rate, _ = measured(lambda: [peer.execute(ask, (each,)).fetchone() for each in few], len(few))
    peer.close()
    return "SQLite", rate, path.stat().st_size


def _sorted(folder: Path, held: Table, few: list[bytes]) -> tuple[str, float, int]:
    """A sorted file of digests and 32 bits of their counts, as oschonrock/hibp has it, and binary search."""
    path = folder / "peer.bin"
    with open(path, "wb") as file:
        for digests, counts in held.batches():
            file.write(np.hstack([digests, counts.astype(">u4").view(np.uint8).reshape(-1, 4)]).tobytes())
    with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as rows:
        rate, _ = measured(lambda: [_halved(rows, held.entries, each) for each in few], len(few))
    return "sorted rows of 24 bytes, binary search", rate, path.stat().st_size


def _halved(rows: mmap, entries: int, digest: bytes) -> int:
    low, high = 0, entries
    while low < high:
        middle = (low + high) >> 1
        if rows[middle * ROW : middle * ROW + SHA1] < digest:
            low = middle + 1
        else:
            high = middle
    at = low * ROW
    return int.from_bytes(rows[at + SHA1 : at + ROW], "big") if rows[at : at + SHA1] == digest else 0
