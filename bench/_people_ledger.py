"""The row `ledger`: the log of a million listings grown, proven and held, in a store as `khien run` keeps it.

Grown is what of a listing must be in one save for it to be public and provable: its leaf with text and salt, the
tiles, the signed checkpoint. Beside it, as figures without a bar: the same with every rule judged, the listing's own
record and the audit, as `khien listings import` does it; a look-up as each check makes one; and the whole log held to
its key.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median, quantiles

from _rows import Bar, Row

from khien.app import machine
from khien.contracts import Store
from khien.listing import Known, propose
from khien.model import Leaf, Listing, Text
from khien.pipeline import held, listed
from khien.pipeline.listed import Said
from khien.pipeline.listings import Listings, covering

BATCH = 10_000
APPEND = Bar(50_000, "listings/s")
PROOF = Bar(1, "ms", under=True)
ASKED = 500
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
NOBODY = Known(lambda _: "", lambda _: "")


def ledger(quick: bool = False) -> Iterator[Row]:
    """Rows over a log of a million leaves, of a fiftieth where it is quick."""
    count = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch, machine.store(Path(scratch)) as store:
        listings = machine.listings(Path(scratch), store, NOBODY)
        yield _grown(listings, count)
        yield _proven(store, count)
        yield _held(listings, count)
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch, machine.store(Path(scratch)) as store:
        yield from _records(machine.listings(Path(scratch), store, NOBODY), count // 50)


def _listing(number: int) -> Listing:
    note = Text(vi="Trang hỏi mật khẩu và mã OTP.", en="The page asks for a password and a one-time code.")
    more = {"harm": "fraud", "conduct": ("form",), "evidence": "ab" * 32, "note": note}
    return propose("url", f"https://bank{number}-otp.example/login", at=AT, until=AT + timedelta(days=90), **more)


def _grown(listings: Listings, count: int) -> Row:
    """What is to be said is made beforehand, a batch at a time; only what makes it public is timed."""
    took = cpu = 0.0
    said = (Said(act="listed", at=AT, listing=_listing(number)) for number in range(count))
    while some := list(islice(said, BATCH)):
        begun, worked = time.perf_counter(), time.process_time()
        listings.store.save(*listings.log.grown(listings.store, some)[1])
        took, cpu = took + time.perf_counter() - begun, cpu + time.process_time() - worked
    rate = count / took
    how = f"{count:,} in saves of {BATCH:,}, each durable; {count / cpu:,.0f} a second of the CPU, one thread"
    return Row("the log of listings grown", APPEND, rate, f"{rate:,.0f} listings/s", how)


def _proven(store: Store, count: int) -> Row:
    asked, worked = range(0, count, count // ASKED), time.process_time()
    times = [_milliseconds(lambda at=at: listed.proof(store, at)) for at in asked]
    cpu = 1000 * (time.process_time() - worked) / len(asked)
    counted = f"{len(asked)} leaves of {count:,}, each from the store, rows over the same hashes made once"
    how = f"{counted}; {cpu:.2f} ms of the CPU, median {median(times):.2f} ms"
    return Row("an inclusion proof, 95th percentile", PROOF, _slow(times), f"{_slow(times):.2f} ms", how)


def _held(listings: Listings, count: int) -> Row:
    """Every leaf against its commitment, every tile, the root."""
    store, head = listings.store, listed.read_head(listings.store)
    begun = time.perf_counter()
    held.verify_leaves(
        listed.leaves(store), listed.tiles(store), head.checkpoint.encode(), listings.verifier, held.State()
    )
    rate = count / (time.perf_counter() - begun)
    size = store.count(Leaf)[()]
    return Row("the whole log held to its key", None, rate, f"{rate:,.0f} leaves/s", f"{size:,} leaves, one thread")


def _records(listings: Listings, count: int) -> Iterator[Row]:
    """With judgement, record and audit; then look-ups among them."""
    many = [_listing(number) for number in range(count)]
    begun = time.perf_counter()
    done = listings.import_(many, by="bench")
    rate = done.listed / (time.perf_counter() - begun)
    how = f"{done.listed:,} judged, listed, logged and audited, as khien listings import does"
    yield Row("listings imported", None, rate, f"{rate:,.0f} listings/s", how)
    asked = [f"https://bank{number}-otp.example/login?x={number}" for number in range(0, 2 * count, 2 * count // ASKED)]
    times = [_milliseconds(lambda url=url: covering(listings.store, url, AT)) for url in asked]
    said = f"{_slow(times):.2f} ms"
    yield Row("what covers a page, 95th percentile", None, _slow(times), said, f"among {count:,}; half of them listed")


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def _slow(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]
