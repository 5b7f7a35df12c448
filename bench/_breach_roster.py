"""The row `roster`: how long an organisation takes to match its own list, site and command on this machine.

The site is a process of its own, with one worker, as ``khien run`` starts it; it holds accounts of HELD strangers and
of every tenth row. The command is ``khien breach match``, with a token, proofs verified. Two sizes give what a roster
costs once (start, keys, the buckets) and what each row costs; the bar's million is the sum.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
from _children import environment, khien
from _rows import Bar, Row

from khien.app import breach, machine
from khien.app.configuration import Breach, Site
from khien.app.epochs import Epochs
from khien.breach import exposed, voprf
from khien.cli import serve
from khien.model import Collection, Constituent, Holding
from khien.triage import tokens

MILLION = 1_000_000
BAR = Bar(600, "s", under=True)
HELD = 8_500_000  # of half a year in one country
SIZES = 10_000, 50_000
ONE_IN = 10


def roster(quick: bool = False) -> Iterator[Row]:
    """One row, extrapolated from two sizes."""
    sizes, held = ((500, 2_000), 100_000) if quick else (SIZES, HELD)
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as folder:
        scratch = Path(folder)
        token = _filled(scratch / "data", max(sizes), held)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            site = Site(listen=f"127.0.0.1:{probe.getsockname()[1]}")
        with serve.site(scratch / "data", None, site, replay=False) as served:
            few, many = (_seconds(scratch, served.address.rstrip("/"), token, size) for size in sizes)
    each = (many - few) / (sizes[1] - sizes[0])
    once = max(few - each * sizes[0], 0.0)
    whole = once + each * MILLION
    said = f"{whole:,.0f} s: {once:.1f} s once, {1 / each:,.0f} rows/s"
    how = f"{sizes[0]:,} and {sizes[1]:,} rows, extrapolated; {held:,} accounts held, {os.cpu_count()} processors"
    yield Row("a roster of 1 M", BAR, whole, said, how)


def _address(number: int) -> str:
    return f"person.{number}@customers.example"


def _filled(data: Path, size: int, held: int) -> str:
    """A data directory with accounts; answers a constituent's token."""
    chance = np.random.default_rng(6)
    theirs = [f"mail:{_address(number)}".encode() for number in range(0, size, ONE_IN)]
    outputs = voprf.direct(Epochs(data, Breach()).secret(1), theirs)
    accounts = np.concatenate(
        [
            chance.integers(0, 256, (held, exposed.ACCOUNT), np.uint8),
            np.frombuffer(b"".join(each[: exposed.ACCOUNT] for each in outputs), np.uint8).reshape(-1, exposed.ACCOUNT),
        ]
    )
    heads = np.ascontiguousarray(accounts[:, :8]).view(">u8").ravel()
    accounts = accounts[np.argsort(heads, kind="stable")]
    rows = exposed.rows(accounts, np.zeros((len(accounts), exposed.DOMAIN), np.uint8), 1)
    path = exposed.build(breach.place(data).folder, "accounts-1", 1, [rows])
    collection = Collection(
        id="shop-2026",
        number=1,
        label="Shop",
        given_by="bench",
        at=machine.clock(),
        basis="bench",
        purpose="bench",
        until=date(2100, 1, 1),
    )
    with machine.store(data) as store:
        holding = Holding(id="accounts-1", file=path.name, entries=len(rows), at=machine.clock())
        store.save(holding, collection, Constituent(id="bank", label="Bank"))
    return f"bank.{tokens.token(machine.key(data, machine.NOTICES), tokens.MATCH, 'bank')}"


def _seconds(scratch: Path, url: str, token: str, size: int) -> float:
    """The whole command, from start to end."""
    (scratch / "token").write_text(token)
    (scratch / "token").chmod(0o600)
    roster = scratch / f"{size}.csv"
    roster.write_text("\n".join(["email", *map(_address, range(size))]))
    command = [*khien(), "breach", "match", str(roster), "--url", url, "--token-file", str(scratch / "token")]
    begun = time.perf_counter()
    ran = subprocess.run(
        [*command, "-o", str(scratch / f"{size}.out")], env=environment(), capture_output=True, check=False, text=True
    )
    took = time.perf_counter() - begun
    found = (scratch / f"{size}.out").read_text().count("shop-2026")
    if ran.returncode != 1 or found != -(-size // ONE_IN):
        raise SystemExit(f"a roster of {size} gave {found} rows: {ran.stderr[-500:]}")
    return took


if __name__ == "__main__":
    for row in roster("--quick" in sys.argv):
        print(row.said, "|", row.how)
