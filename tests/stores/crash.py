"""A process that lands, saves, compacts, expires and rebuilds until it is killed, and whoever checks what is left.

What it does follows from how far it is, so that what must be there follows from what it answered: page ``n`` has rows
of day ``n``; every seventh page also replaces the page three before it; every fortieth is followed by an expiry of what
is more than thirty days older; each page has two records, revised by the page after it, and a blob.

    python -m tests.stores.crash DIRECTORY SEED     # says "ready", then a line for each answer; goes on for ever
"""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from khien import schema
from khien.model import Expiry, Record
from khien.stores.embedded.disk import Local
from khien.stores.embedded.lock import Lock
from khien.stores.embedded.store import Embedded

START = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
AGAIN, BACK, EXPIRES, KEPT = 7, 3, 40, 30
FIELDS = (("weight", "subject"), ("weight", "seen_at", "state"))  # what the kind is indexed by, in turns


class Seen(Record, frozen=True):
    """A record whose index changes each time the process starts: its table is made anew."""

    counted = ("state",)

    id: str
    subject: str
    weight: float
    seen_at: datetime
    state: str = "new"


def page(number: int, version: int) -> pa.RecordBatch:
    """The rows of a page as they were when page ``version`` had landed."""
    count = 20 + number * 37 % 400
    names = [f"{number}-{version}-{row}.example" for row in range(count)]
    seen_at = [START + timedelta(days=number, seconds=row) for row in range(count)]
    return pa.RecordBatch.from_arrays([pa.array(names), pa.array(seen_at, schema.TIME)], schema=schema.NAMES)


def seen(number: int, state: str) -> list[Seen]:
    """The records of a page."""
    at = START + timedelta(days=number)
    return [
        Seen(id=f"{number}-{each}", subject=f"{number}", weight=number % 10 / 10, seen_at=at, state=state)
        for each in range(2)
    ]


def opened(directory: Path, at: int) -> Embedded:
    """Small files become large ones early, and what is replaced goes after ten steps."""
    return Embedded(Local(directory), lambda: START + timedelta(minutes=at), grace=timedelta(minutes=10), large=100_000)


def main(directory: Path, seed: int) -> None:
    Seen.indexed = FIELDS[seed % 2]
    print("ready", flush=True)
    with Lock(directory):
        store = opened(directory, 0)
        store.sweep()
        number = int(store.cursor("feed") or 0)
        _expire(store, number)
        while True:
            store = opened(directory, number) if number % 11 == 0 else store
            _step(store, number)
            number += 1
            print(number, flush=True)
            _expire(store, number)


def _step(store: Embedded, number: int) -> None:
    landed = [store.land("names", page(number, number), id=str(number))]
    if number % AGAIN == 0 and number >= BACK:
        landed.append(store.land("names", page(number - BACK, number), id=str(number - BACK)))
    version = store.version()
    store.put(b"blob %d" % number)
    store.save(
        *seen(number, "new"),
        *seen(number - 1, "old"),
        landed=landed,
        cursor=("feed", b"%d" % (number + 1)),
        expect=version,
    )


def _expire(store: Embedded, number: int) -> None:
    due = number // EXPIRES * EXPIRES
    if due and number - due <= 1:
        store.expire("names", START + timedelta(days=due - KEPT))
        print(f"expired {due}", flush=True)


class Answered(NamedTuple):
    """The pages that were saved, and the last expiry that was answered."""

    pages: int = 0
    expired: int = 0


def killed(directory: Path, seed: int, before: Answered) -> Answered:
    """Runs the process, kills it at a moment that follows from the seed, and answers what it said until then."""
    command = [sys.executable, "-m", "tests.stores.crash", str(directory), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            process.wait(random.Random(seed).uniform(0, 0.8))
        except subprocess.TimeoutExpired:
            process.kill()
        said = process.stdout.read().splitlines()
    assert process.returncode == -9, f"the process ended by itself with {process.returncode}"
    lines = [line.split() for line in said]
    pages = [int(line[0]) for line in lines if len(line) == 1]
    expired = [int(line[1]) for line in lines if len(line) == 2]
    return Answered(max([before.pages, *pages]), max([before.expired, *expired]))


def problems(directory: Path, answered: Answered) -> Iterator[str]:
    """What is not as it must be after a process that answered this was killed."""
    with opened(directory, 0) as store:
        saved = int(store.cursor("feed") or 0)
        if saved < answered.pages:
            yield f"{answered.pages} pages were answered, the cursor is at {saved}"
        met = Counter(store.scan("names").to_table().column("name").to_pylist())
        if twice := [name for name, count in met.items() if count > 1]:
            yield f"{len(twice)} rows are there twice, for example {twice[0]}"
        due = max(saved // EXPIRES * EXPIRES, EXPIRES)
        expected = {each: set(page(each, _version(each, saved)).column("name").to_pylist()) for each in range(saved)}
        for number, names in expected.items():
            here = {name for name in names if name in met}
            whole = here == names and number >= answered.expired - KEPT
            gone = not here and number < due - KEPT
            if not whole and not gone:
                yield f"page {number} of {saved} has {len(here)} of {len(names)} rows"
        if strange := met.keys() - set().union(*expected.values()):
            yield f"{len(strange)} rows nobody saved, for example {min(strange)}"
        kept = store.find(Seen, limit=10 * saved + 10)
        wanted = [each for n in range(saved) for each in seen(n, "old" if n < saved - 1 else "new")]
        wanted += seen(-1, "old") if saved else []
        if sorted(kept, key=lambda each: each.id) != sorted(wanted, key=lambda each: each.id):
            yield f"{len(kept)} records instead of {len(wanted)}"
        if store.count(Seen, "state") != Counter((each.state,) for each in wanted):
            yield f"counts {store.count(Seen, 'state')}"
        proofs = {proof.before for proof in store.find(Expiry)}
        if answered.expired and START + timedelta(days=answered.expired - KEPT) not in proofs:
            yield f"no proof of expiry {answered.expired}"
        lost = [each for each in store.check(deep=True) if "nothing refers to" not in each.what]
        yield from (f"{each.place} {each.what}" for each in lost if each.place)


def _version(number: int, saved: int) -> int:
    again = number + BACK
    return again if again % AGAIN == 0 and again < saved else number


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
