"""How fast records are decoded, classified and folded on one CPU, and peers on the same records."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import numpy as np
from _children import one_cpu, run, start
from _encoded import A_DATAGRAM, KINDS, SAMPLES, part
from _inject import received
from _rows import Bar, Row, skipped
from _traffic import START, ipv4, made, select
from live import free_port, wait_for
from mitigation import BENIGN

from khien.flows.counts import SECOND
from khien.flows.datagrams import Datagrams
from khien.flows.decoder import Decoder
from khien.flows.records import Columns
from khien.folds.flowcounts import FlowCounts

Array = np.ndarray[Any, Any]

BARS = {"v5": Bar(40, "M records/s"), "v9": Bar(15, "M records/s"), "ipfix": Bar(15, "M records/s"), "sflow": None}
FOLD = Bar(20, "M records/s")
RECORDS, FEW = 3_000_000, 300_000
TARGETS = (22_000, 122_000)
RATES = (0.1, 4.0)  # million records a second: what a large network exports, and what the bench of live listening sends
_AT_ONCE = {0.1: 1 << 17, 4.0: 1 << 20}  # records that are decoded and folded at once: of the latter a page as it comes
DATAGRAMS, FEW_DATAGRAMS, A_SECOND = 40_000, 4_000, 20_000  # that peers are sent, and how many a second


def measured(folder: Path, scratch: Path, quick: bool) -> Iterator[Row]:
    """Rows of decoding, of all of it, and of peers."""
    records = FEW if quick else RECORDS
    turns = 2 if quick else 5
    loads = {
        f"{n // 1000}k targets, {each:g} M records/s": _made_up(records, n, each) for n in TARGETS for each in RATES
    }
    loads["22k targets, lives under a second, 4 M records/s"] = _made_up(records, TARGETS[0], 4.0, 0.05)
    if (folder / BENIGN).is_file():
        loads = {"the real export repeated": _real(folder / BENIGN, records), **loads}
    first = next(iter(loads))
    for kind, encode in KINDS.items():
        sent = encode(loads[first])
        rate, rows = _rate(sent, _each(kind), lambda decoder, datagrams: decoder.decode(datagrams).num_rows, turns)
        how = f"{rows:,} records, {len(sent.begins):,} datagrams in memory; {first}; best of {turns}, one CPU"
        yield Row(f"decode, {kind}", BARS[kind], rate, f"{rate:.1f} M records/s", how)
    fold = FlowCounts()
    for name, flows in loads.items():
        for kind in ("v5", "v9"):
            sent = KINDS[kind](flows)

            def whole(decoder: Decoder, datagrams: Datagrams) -> int:
                rows = decoder.decode(datagrams)
                fold(rows)
                return rows.num_rows

            at_once = _AT_ONCE[4.0 if name.endswith(" 4 M records/s") else 0.1]
            rate, rows = _rate(sent, _each(kind), whole, turns, at_once)
            how = f"{rows:,} records; {at_once:,} a call; best of {turns}, one CPU"
            yield Row(f"decode + classify + fold, {kind}, {name}", FOLD, rate, f"{rate:.1f} M records/s", how)
        if not quick or name == first:
            yield from _peers(name, flows, scratch, quick)


def _rate(
    sent: Datagrams, each: int, step: Callable[[Decoder, Datagrams], int], turns: int, at_once: int = _AT_ONCE[0.1]
) -> tuple[float, int]:
    """Million records a second of the best turn, and how many records there were."""
    size = at_once // each
    parts = [part(sent, slice(begin, begin + size)) for begin in range(0, len(sent.begins), size)]
    best, rows = float("inf"), 0
    with one_cpu():
        for _ in range(turns + 1):  # the first loads kernels
            decoder = Decoder()
            started = time.perf_counter()
            rows = sum(step(decoder, each) for each in parts)
            best = min(best, time.perf_counter() - started)
    return rows / best / 1e6, rows


def _real(path: Path, records: int) -> Columns:
    """The real export again and again, each time later."""
    benign = received(path)
    once = len(benign.received)
    flows = select(benign.flows, np.arange(records) % once)
    shift = np.arange(records) // once * int(benign.received[-1] - benign.received[0])
    return flows._replace(first=flows.first + shift, last=flows.last + shift)


def _made_up(records: int, targets: int, rate: float, life: float = 1.0) -> Columns:
    """Flows to so many targets, few of which have most, that end at a rate of so many million a second; life: mean."""
    chance = np.random.default_rng(1)
    at = START + (np.arange(records) / rate).astype(np.int64)
    of = (targets * chance.random(records) ** 3).astype(np.int64) * 7919 % (1 << 24)
    flows = made(
        *(at, ipv4(chance.integers(1 << 24, 224 << 24, records)), ipv4(0x0A000000 + of), 6, 500),
        source_port=chance.integers(1024, 65536, records),
        target_port=443,
        flags=0x1B,
        packets=chance.integers(1, 40, records),
    )
    return flows._replace(first=at - (chance.exponential(life, records) * SECOND).astype(np.int64))


def _peers(name: str, flows: Columns, scratch: Path, quick: bool) -> Iterator[Row]:
    """nfcapd hears datagrams, not so fast that it would lose any; nfdump makes the ten first targets of its file."""
    nfcapd, nfdump = (shutil.which(program) for program in ("nfcapd", "nfdump"))
    if nfcapd is None or nfdump is None:
        yield skipped(f"peer: nfcapd and nfdump, {name}", None, "not installed")
        return
    for kind in ("v5", "v9"):
        sent, folder = KINDS[kind](flows), scratch / "nfcapd"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        busy = _heard(nfcapd, part(sent, slice(0, FEW_DATAGRAMS if quick else DATAGRAMS)), folder)
        summed = min(run([nfdump, "-R", str(folder), "-q", "-s", "dstip/packets", "-n", "10"]).wall for _ in range(3))
        started = min(run([nfdump, "-V"]).wall for _ in range(3))
        said = subprocess.run([nfdump, "-R", str(folder), "-I"], capture_output=True, text=True, check=True).stdout
        rows = sum(map(int, re.findall(r"^Flows: (\d+)", said, re.MULTILINE)))
        rate = rows / busy / 1e6
        how = f"{rows:,} records over the loopback, by the CPU time of the process, its own of the system with it"
        yield Row(f"peer: nfcapd, {kind}, {name}", None, rate, f"{rate:.1f} M records/s", how)
        rate = rows / max(summed - started, 1e-3) / 1e6
        how = f"{rows:,} records of nfcapd's file, without the {started * 1000:.0f} ms of its start, best of 3, one CPU"
        yield Row(f"peer: nfdump -s dstip, {kind}, {name}", None, rate, f"{rate:.1f} M records/s", how)


def _heard(nfcapd: str, sent: Datagrams, folder: Path) -> float:
    """Sends datagrams to nfcapd; seconds of CPU that it took."""
    port = free_port()
    before = getrusage(RUSAGE_CHILDREN)
    with start([nfcapd, "-b", "127.0.0.1", "-p", str(port), "-w", str(folder), "-B", "2000000"]) as process:
        try:
            wait_for(port)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
                sending.connect(("127.0.0.1", port))
                begun = time.perf_counter()
                for number, (begin, end) in enumerate(zip(sent.begins, sent.ends, strict=True)):
                    sending.send(sent.octets[begin:end].tobytes())
                    if number % 64 == 0:
                        time.sleep(max(0.0, begun + number / A_SECOND - time.perf_counter()))
            time.sleep(0.5)
        finally:
            process.terminate()
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _each(kind: str) -> int:
    """Records of a datagram."""
    return SAMPLES if kind == "sflow" else A_DATAGRAM
