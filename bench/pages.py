"""Pages of the site: how long they take with a million findings there, how large the first is, how soon it is there.

    python3 dev bench pages [--quick]

The site is served as `khien run` serves it, and asked over one connection after the other, each page with ever other
parameters. Findings are made up. Beside them a file from the same server: what no page can be faster than. Figures are
this machine's, at this moment. Exit status 0 when all was measured, whether bars hold or not.
"""

import argparse
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import _made
import numpy as np
from _rows import HEADER, Bar, Row, table
from names import BUSY, machine

from khien.app.configuration import Site
from khien.app.machine import clock
from khien.cli import serve
from khien.model import SourceState
from khien.stores.embedded.store import Embedded

FINDINGS, FEW = 1_000_000, 20_000
BATCH = 20_000  # findings saved at a time
ASKED = 200  # times each page
SLOWEST = Bar(50, "ms", under=True)
FIRST_PAGE = Bar(100, "KB", under=True)
FIRST_MINUTE = Bar(10, "s", under=True)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Ask = tuple[str, str, str]  # method, path, body


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 dev bench pages", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer findings: to see that it works")
    findings = FEW if parser.parse_args().quick else FINDINGS
    print("\n".join(f"- {name}: {value}" for name, value in machine().items()))
    if os.getloadavg()[0] > BUSY:
        print(f"- WARNING: the machine is busy (load average above {BUSY}): times are longer than its own")
    print(flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        for row in measure(Path(scratch), findings):
            rows.append(row)
            print(f"bench: {row.name}: {row.said}", file=sys.stderr, flush=True)
    print(table(HEADER, [row.cells() for row in rows]), flush=True)
    return 0


def measure(scratch: Path, findings: int) -> Iterator[Row]:
    """The rows, one after the other, so that none runs beside another."""
    yield first_minute(scratch / "replay")
    place = scratch / "filled"
    with Embedded.at(place, clock) as store:
        fill(store, findings)
    listen = f"127.0.0.1:{free_port()}"
    with serve.site(place, None, Site(listen=listen), replay=False):
        yield first_page(listen)
        for name, ask in asks(findings).items():
            yield timed(listen, name, ask, findings)


def fill(store: Embedded, findings: int) -> None:
    """Made-up findings, and how many names they were found among."""
    chance = Random(1)
    for begin in range(0, findings, BATCH):
        store.save(*(_made.finding(number, chance) for number in range(begin, min(begin + BATCH, findings))))
    store.save(SourceState(id="made", rows=findings * 100, findings=findings))


def asks(findings: int) -> dict[str, Callable[[Random], Ask]]:
    """What is asked for, by the name of its row; chance chooses the parameters."""

    def listed(chance: Random) -> Ask:
        wanted = _made.filters(chance)
        query = {
            "state": wanted.get("state", "") if isinstance(wanted.get("state", ""), str) else "",
            "known": str(wanted.get("suppressed", False)).lower(),
            "brand": wanted.get("claim", ""),
            "order": chance.choice(("strong", "new")),
            "least": chance.choice(("0", "0", "0.5")),
            "after": chance.choice(("", _made.identity(chance.randrange(findings)))),
        }
        return "GET", f"/vi/findings?{urlencode(query)}", ""

    return {
        "a file of the static folder": lambda _: ("GET", "/static/mark.svg", ""),
        "the picture": lambda chance: ("GET", f"/{chance.choice(('vi', 'en'))}/", ""),
        "a list, filtered, from anywhere on": listed,
        "a story": lambda chance: ("GET", f"/en/findings/{_made.identity(chance.randrange(findings))}", ""),
        "the errors": lambda _: ("GET", "/vi/errors", ""),
        "an answer": lambda chance: ("POST", "/vi/check", f"text=vneid-{chance.randrange(1 << 30)}.example.top"),
    }


def timed(listen: str, name: str, ask: Callable[[Random], Ask], findings: int) -> Row:
    """One page asked for often; the first time is not counted."""
    chance, spent = Random(2), []
    for _ in range(ASKED + 1):
        method, path, body = ask(chance)
        started = time.perf_counter()
        status, _ = fetch(listen, method, path, body)
        spent.append((time.perf_counter() - started) * 1000)
        if status != 200:
            raise SystemExit(f"{method} {path}: {status}")
    median, slow = np.percentile(spent[1:], [50, 95])
    how = f"{ASKED} requests, one after the other, over loopback, with {findings:,} findings there"
    return Row(name, SLOWEST, slow, f"{slow:.1f} ms at the 95th percentile, median {median:.1f}", how)


def fetch(listen: str, method: str, path: str, body: str = "") -> tuple[int, bytes]:
    """Status and content, over a connection of its own."""
    connection = http.client.HTTPConnection(listen, timeout=30)
    try:
        connection.request(method, path, body or None, FORM if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def first_page(listen: str) -> Row:
    """All that a browser fetches for the picture, not packed."""
    sizes = [len(fetch(listen, "GET", path)[1]) for path in ("/vi/", "/static/style.css", "/static/mark.svg")]
    said = f"{sum(sizes) / 1000:.1f} KB"
    return Row("first page", FIRST_PAGE, sum(sizes) / 1000, said, "the picture, its style and its mark, not packed")


def first_minute(place: Path) -> Row:
    """From the command to the picture."""
    listen = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "khien.cli.main", "replay", "--listen", listen, "--data", str(place)]
    started = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not answers(listen):
            if process.poll() is not None:
                raise SystemExit(f"khien replay ended with status {process.returncode}")
            time.sleep(0.02)
        took = time.monotonic() - started
    finally:
        process.terminate()
        process.wait()
    how = "khien replay, from the command until /vi/ is read; kernels and tables warm"
    return Row("first minute", FIRST_MINUTE, took, f"{took:.1f} s", how)


def answers(listen: str) -> bool:
    """Whether the picture can be read."""
    try:
        return fetch(listen, "GET", "/vi/")[0] == 200
    except OSError:
        return False


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
