"""Ranges of 800 rows over HTTP: from the site, one worker process; and as exported files from nginx, one worker.

wrk asks for ever other prefixes over 16 connections, on the same cores. Processor time is of the server alone.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import numpy as np
from _rows import Bar, Row, skipped

from khien.app import breach, machine
from khien.app.configuration import Site
from khien.breach import sorting, table
from khien.breach.ranges import PREFIXES, Ranges, opened
from khien.cli import serve
from khien.model import Holding
from khien.pipeline import exports

RANGE = Bar(8000, "requests/s")
STATIC = Bar(40_000, "requests/s per core")
ROWS, ASKED = 800, 4096  # of a bucket; buckets
ROUNDS, SECONDS, FEW = 3, 10, 2
CONNECTIONS = 16
DOCS = Path(__file__).resolve().parents[1] / "docs" / "passwords.md"
_WRK = """
local n, requests = 0, {}
init = function()
  for prefix = 0, 4095 do
    requests[prefix] = wrk.format("GET", string.format("/range/%05X", prefix), HEADERS)
  end
end
request = function()
  n = (n + 1103) % 4096
  return requests[n]
end
"""
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")


def measure(scratch: Path, quick: bool) -> Iterator[Row]:
    """Rows range and static."""
    missing = [each for each in ("wrk", "nginx") if shutil.which(each) is None]
    if missing:
        yield skipped("ranges", RANGE, f"there is no {' and no '.join(missing)} here")
        return
    held = filled(scratch / "data")
    yield from site(scratch, FEW if quick else SECONDS)
    yield from static(scratch, held, FEW if quick else SECONDS)


def filled(data: Path) -> Ranges:
    """A data directory whose first buckets hold 800 rows each: as many as all would of 839 million digests."""
    rng = np.random.default_rng(6)
    rows = np.zeros((ROWS * ASKED, table.SHA1 + 8), np.uint8)
    rows[:, 2 : table.SHA1] = rng.integers(0, 256, (len(rows), table.SHA1 - 2), np.uint8)
    buckets = np.repeat(np.arange(ASKED), ROWS)
    rows[:, 1], rows[:, 2] = buckets >> 4, (buckets & 15) << 4 | rows[:, 2] & 15
    counts = np.minimum(rng.zipf(1.7, len(rows)), 10**8)
    rows[:, table.SHA1 :] = counts.astype(">u8").view(np.uint8).reshape(-1, 8)
    with machine.store(data) as store:
        place = breach.place(data)
        run = data / "made.run"
        sorting.write_run(run, rows, counted=True)
        made = table.build(place.folder, "sha1", table.SHA1, [run])
        run.unlink()
        store.save(Holding(id="sha1", file=made.name, entries=len(rows), at=machine.clock()))
        return opened(place, store, "sha1", machine.key(data, machine.PADDING))


def site(scratch: Path, seconds: int) -> Iterator[Row]:
    """The site as `khien run` serves it."""
    listen = f"127.0.0.1:{free()}"
    with serve.site(scratch / "data", None, Site(listen=listen), replay=False) as served:
        urlopen(f"{served.address}range/00000", timeout=120).close()  # it listens before it has loaded
        for name, headers in (("range", {}), ("range, padded", {"Add-Padding": "true"})):
            rate, each, how = asked(scratch, served.address, headers, served.child.pid, seconds)
            bar = RANGE if name == "range" else None
            yield Row(f"{name} over HTTP", bar, rate, f"{rate:,.0f}/s, {each * 1e6:.0f} µs of the server each", how)


def static(scratch: Path, held: Ranges, seconds: int) -> Iterator[Row]:
    """The same as files, under nginx as docs/passwords.md sets it up."""
    began = time.perf_counter()
    written = exports.files(held, scratch / "srv" / "sha1" / "plain" / "range", only="00").written
    took = time.perf_counter() - began
    how = f"{written:,} prefixes of {ROWS} rows, each also packed; all {PREFIXES:,} extrapolated from them"
    rate = written / took
    yield Row("export of ranges", None, rate, f"{rate:,.0f} prefixes/s, all in {PREFIXES / rate / 60:.0f} min", how)
    with nginx(scratch, scratch / "srv") as (address, pid):
        for name, headers in (("static", {"Accept-Encoding": "gzip"}), ("static, not packed", {})):
            rate, each, how = asked(scratch, address, headers, pid, seconds)
            bar = STATIC if name == "static" else None
            said = f"{1 / each:,.0f}/s per core of nginx's time; {rate:,.0f}/s beside wrk"
            yield Row(f"{name} under nginx", bar, 1 / each, said, how)


def asked(scratch: Path, address: str, headers: dict[str, str], pid: int, seconds: int) -> tuple[float, float, str]:
    """Requests a second, and seconds of processor time of a server's processes for each; the median of rounds."""
    script = scratch / "wrk.lua"
    sent = ", ".join(f'["{name}"] = "{value}"' for name, value in headers.items())
    script.write_text(_WRK.replace("HEADERS", f"{{{sent}}}"))
    rates, costs = list[float](), list[float]()
    for each in range(ROUNDS + 1):
        before, began = processor(pid), time.perf_counter()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), address]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if "Non-2xx" in told or (match := _RATE.search(told)) is None:
            raise RuntimeError(told)
        if each:  # the first brings the file into memory
            rates.append(float(match[1]))
            costs.append((processor(pid) - before) / (rates[-1] * (time.perf_counter() - began)))
    how = f"wrk, {CONNECTIONS} connections, {len(os.sched_getaffinity(0))} cores for client and server;"
    return median(rates), median(costs), how + f" median of {ROUNDS} times {seconds} s"


def processor(pid: int) -> float:
    """Seconds of processor time of a process and those it started, which live."""
    ticks, below = 0, [pid]
    while below:
        each = below.pop()
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            below += map(int, children.read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def nginx(scratch: Path, root: Path) -> Generator[tuple[str, int]]:
    """nginx with one worker, as the documentation sets it up: its address, and its process."""
    port = free()
    match = re.search(r"```nginx\n(.*?)```", DOCS.read_text(), re.S)
    assert match
    shown = match[1].replace("listen 8461", f"listen 127.0.0.1:{port}").replace("/srv/khien", str(root))
    user = "user root;" if os.geteuid() == 0 else ""
    head = f"worker_processes 1; daemon off; pid {scratch}/nginx.pid; error_log stderr crit; {user}\nevents {{ }}\n"
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{each}_temp_path {scratch}/nginx-{each};\n" for each in places)
    path = scratch / "nginx.conf"
    path.write_text(f"{head}http {{\n{temporary}{shown}}}\n")
    child = subprocess.Popen(["nginx", "-e", "stderr", "-p", str(scratch), "-c", str(path)])
    try:
        until = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError("nginx does not come up")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/", child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()


def free() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="khien-bench-") as folder:
        for row in measure(Path(folder), "--quick" in sys.argv):
            print(row.name, "|", row.bar, "|", row.said, "|", row.holds, "|", row.how, flush=True)
