"""The rows `accounts` and `timing`: what a holder of a key evaluates, and whether its answers' times tell anything.

What is evaluated in process is counted by seconds of the CPU. Over HTTP the site runs as `khien run` starts it, on one
CPU, and the CPU that it takes is counted; who asks sends prepared requests from another process.
"""

import http.client
import json
import math
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import mean, median, variance
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
from _children import one_cpu
from _rows import Bar, Row
from _surroundings import free_port

from khien.app import breach, machine
from khien.app.configuration import Breach, Site
from khien.app.epochs import Epochs
from khien.breach import exposed, sorting, voprf
from khien.cli import serve
from khien.model import Collection, Holding

BATCH = 64
RUNS = 5
BARS = {True: Bar(2500, "accounts/s"), False: Bar(6000, "accounts/s")}
HTTP = {True: Bar(1500, "accounts/s"), False: Bar(4000, "accounts/s")}
PEER = "MIGP (Cloudflare) takes in 16 accounts/s"
PER_BUCKET = 20  # accounts, of those that are made up
KNOWN = 4_000  # accounts that are really in
EQUAL = Bar(3.29, "standard errors", under=True)  # two-sided, one in a thousand
SURE, POWER = 3.29, 1.28  # of the normal distribution: one in a thousand; nine in ten
NAMES = {True: "with proof, in batches of 64", False: "without proof"}


def accounts(quick: bool = False) -> Iterator[Row]:
    """In process and over HTTP, with proof and without."""
    key = voprf.derive(secrets.token_bytes(32), b"bench")
    public, count = voprf.public_of(key), 4 if quick else 20
    elements = blinded(BATCH * count)
    batches = [elements[at : at + BATCH] for at in range(0, len(elements), BATCH)]

    def evaluated(proof: bool) -> Callable[[], None]:
        def run() -> None:
            for each in batches:
                made = voprf.evaluate(key, each)
                if proof:
                    voprf.prove(key, public, each, made, voprf.scalar(secrets.token_bytes(64)))

        return run

    for proof, name in NAMES.items():
        rate, how = measured(evaluated(proof), len(elements))
        yield Row(f"evaluated in process, {name}", BARS[proof], rate, f"{rate:,.0f} accounts/s", how)
    with site() as (address, _):
        for proof, name in NAMES.items():
            yield over_http(address, proof, name, batches, 2 if quick else 6)


def measured(run: Callable[[], None], of: int) -> tuple[float, str]:
    """So many of something in a second of one CPU, the median of some runs; how."""
    rates: list[float] = []
    for _ in range(RUNS):
        begun = time.process_time()
        run()
        rates.append(of / (time.process_time() - begun))
    return median(rates), f"{of:,} a run, by CPU seconds; {RUNS} runs: {min(rates):,.0f} to {max(rates):,.0f}; {PEER}"


def blinded(count: int) -> list[bytes]:
    scalars = [voprf.scalar(secrets.token_bytes(64)) for _ in range(count)]
    return voprf.blind([b"mail:%d@example.vn" % n for n in range(count)], scalars)


def over_http(address: tuple[str, int], proof: bool, name: str, batches: Sequence[Sequence[bytes]], rounds: int) -> Row:
    """Requests of 64 on two connections, one of which always waits."""
    bodies = [question(each, proof) for each in batches]
    before, begun = used(), time.perf_counter()
    asking = [Thread(target=ask_all, args=(address, bodies * rounds)) for _ in range(2)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    wall, cpu = time.perf_counter() - begun, used() - before
    count = 2 * rounds * sum(map(len, batches))
    rate = count / cpu
    how = (
        f"{count:,} accounts in requests of {BATCH}; by CPU seconds of the site's worker; on the wall of a machine with"
    )
    how += f" a load of {os.getloadavg()[0]:.1f}: {count / wall:,.0f} accounts/s"
    return Row(f"evaluated over HTTP, {name}", HTTP[proof], rate, f"{rate:,.0f} accounts/s", how)


def question(elements: Sequence[bytes], proof: bool) -> bytes:
    return json.dumps({"epoch": 1, "elements": [each.hex() for each in elements], "proof": proof}).encode()


def ask_all(address: tuple[str, int], bodies: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection(*address)
    for body in bodies:
        connection.request("POST", "/breach/evaluate", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"the site answers {answer.status}: {answer.read()[:200]!r}")
        answer.read()
    connection.close()


def used() -> float:
    """Seconds of the CPU that children which still run, and theirs, have taken."""
    taken, ticks = 0, os.sysconf("SC_CLK_TCK")
    ours = {os.getpid()}
    for status in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parent.name)):
        try:
            fields = status.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) in ours:
            ours.add(int(status.parent.name))
            taken += int(fields[11]) + int(fields[12])
    return taken / ticks


class Held(NamedTuple):
    """Outputs of accounts that are in the file, and of some that are not."""

    known: list[bytes]
    unknown: list[bytes]
    file: exposed.Exposed


@contextmanager
def site() -> Generator[tuple[tuple[str, int], Held]]:
    """A site on one CPU over accounts that are mostly made up; whom it knows really, and whom not."""
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        data, settings = Path(scratch) / "data", Breach(evaluations=1_000_000_000)
        held = fill(data, settings)
        port = free_port()
        with ExitStack() as stack:
            with one_cpu():  # which its worker stays on
                listen = Site(listen=f"127.0.0.1:{port}")
                stack.enter_context(serve.site(data, None, listen, replay=False, breach=settings))
            yield ("127.0.0.1", port), held


def fill(data: Path, settings: Breach) -> Held:
    place = breach.place(data)
    key = Epochs(data, settings).secret(1)
    known, unknown = (
        voprf.direct(key, [b"mail:%s-%d@example.vn" % (what, n) for n in range(KNOWN)]) for what in (b"in", b"out")
    )
    made = np.frombuffer(os.urandom(exposed.BUCKETS * PER_BUCKET * 16), np.uint8).reshape(-1, 16)
    there = np.array([np.frombuffer(each[:16], np.uint8) for each in known])
    every = np.concatenate([made, there])
    sorting.write_run(place.folder / "run", exposed.rows(every, np.zeros((len(every), 8), np.uint8), 1))
    merged = sorting.merged([place.folder / "run"], exposed.ROW, scratch=place.folder)
    path = exposed.build(place.folder, "accounts-1", 1, merged)
    with machine.store(data) as store:
        now = machine.clock()
        held: dict[str, Any] = {
            "at": now,
            "given_by": "bench",
            "basis": "none",
            "purpose": "bench",
            "until": now.date(),
        }
        store.save(
            Holding(id="accounts-1", file=path.name, entries=len(every), at=now),
            Collection(id="made-up", number=1, label="Made up", **held),
        )
    return Held(known, unknown, exposed.Exposed.open(path))


def timing(quick: bool = False) -> Iterator[Row]:
    """Whether somebody who hears how long answers take can tell known accounts from unknown ones.

    A pair is a known and an unknown account whose buckets have as many rows; each is evaluated with proof, then its
    bucket asked for, in random order. What is compared is the time of both answers together.
    """
    count = 500 if quick else 20_000
    with site() as (address, held):
        pairs = paired(held)
        connection = http.client.HTTPConnection(*address)
        took: tuple[list[float], list[float]] = ([], [])
        bodies = [question([each], True) for each in blinded(min(count, 2_000) * 2)]
        for n in range(count + 50):
            two = pairs[n % len(pairs)]
            for which in (0, 1) if secrets.randbits(1) else (1, 0):
                spent = answered(connection, bodies[(2 * n + which) % len(bodies)], two[which])
                if n >= 50:  # the first warm up
                    took[which].append(spent)
        connection.close()
    # other processes come in between, for both alike: the slower half is cut off, as dudect does (Reparaz et al. 2017)
    bound = median(took[0] + took[1])
    known, unknown = ([each for each in some if each <= bound] for some in took)
    error = math.sqrt(variance(known) / len(known) + variance(unknown) / len(unknown))
    t = abs(mean(known) - mean(unknown)) / error
    least = (SURE + POWER) * error
    how = f"Welch's t of {len(known):,} and {len(unknown):,} answers of {mean(known) * 1e6:,.0f} µs (the slower"
    how += f" half left out): a difference of {least * 1e6:.1f} µs would have been seen nine times in ten, one of"
    how += f" {abs(mean(known) - mean(unknown)) * 1e6:.1f} µs was met, and is taken for one from {EQUAL.value} on"
    yield Row("time of answers, known against unknown", EQUAL, t, f"t = {t:.2f}", how)


def paired(held: Held) -> list[tuple[str, str]]:
    """Buckets of known and unknown accounts, in pairs of as many rows."""
    by_size: dict[int, list[str]] = {}
    for output in held.unknown:
        by_size.setdefault(len(held.file.rows(int.from_bytes(output[:2], "big"))), []).append(output[:2].hex())
    pairs: list[tuple[str, str]] = []
    for output in held.known:
        others = by_size.get(len(held.file.rows(int.from_bytes(output[:2], "big"))))
        if others:
            pairs.append((output[:2].hex(), others.pop()))
    return pairs


def answered(connection: http.client.HTTPConnection, body: bytes, bucket: str) -> float:
    begun = time.perf_counter()
    connection.request("POST", "/breach/evaluate", body, {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.request("GET", f"/breach/accounts/1/{bucket}")
    connection.getresponse().read()
    return time.perf_counter() - begun
