"""The live collector: what it takes from a socket without loss, and peers on the same datagrams beside it.

    python3 dev bench live [--quick] [--only ROW,...] [--seconds N] [--fold NAME] [--no-spool]

An exporter in a process of its own sends over the loopback at a steady rate; lost is what it sent and nobody decoded.
Figures are this machine's, at this moment. Exit status 0 when all was measured, whether bars hold or not.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import _children
from _rows import HEADER, Bar, Row, skipped, table
from names import BUSY, machine

from khien import registry
from khien.contracts import Page
from khien.sources.flows.source import Flows
from khien.sources.flows.tally import DROPPED

ROWS = ("v5", "v9", "peers")
NO_LOSS = Bar(0.0001, "% lost", under=True)
WARM = 0.2  # seconds that are sent before: kernels are compiled and loaded
QUIET = 1.0  # seconds without a row after which nothing more comes
EXPORTER = Path(__file__).with_name("_exporter.py")
FASTNETMON = """\
netflow = on
netflow_host = 127.0.0.1
netflow_port = {port}
networks_list_path = {folder}/networks
white_list_path = {folder}/allowed
enable_ban = off
"""


class Load(NamedTuple):
    """What is sent: a kind of datagram, its records, and records a second."""

    kind: str
    records: int
    rate: float

    def __str__(self) -> str:
        return f"{self.kind}, {self.records} a datagram, {self.rate / 1e6:g} M records/s"


LOADS = {"v5": Load("v5", 30, 1.5e6), "v9": Load("v9", 90, 4e6)}
PEERS = {"nfcapd": "nfcapd", "FastNetMon": "fastnetmon"}
FOR_PEERS = (Load("v5", 30, 436e3), *LOADS.values())


def main() -> int:
    asked = arguments(sys.argv[1:])
    print("\n".join(f"- {name}: {value}" for name, value in machine().items()))
    if os.getloadavg()[0] > BUSY:
        print(f"- WARNING: the machine is busy (load average above {BUSY}): figures are worse than its own")
    print(flush=True)
    rows: list[Row] = []
    for row in measure(asked):
        rows.append(row)
        print(f"bench: {row.name}: {row.said}", file=sys.stderr, flush=True)
    print(table(HEADER, [row.cells() for row in rows]), flush=True)
    return 0


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line; only: a tuple of ROWS."""
    parser = argparse.ArgumentParser(prog="python3 dev bench live", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two seconds of each: to see that it works")
    parser.add_argument("--only", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--seconds", type=float, default=20, help="how long is sent")
    parser.add_argument("--fold", help="what becomes of the rows, by its registered name. Default: they are counted")
    parser.add_argument("--no-spool", action="store_true", help="receive and decode alone")
    asked = parser.parse_args(given)
    asked.seconds = 2 if asked.quick else asked.seconds
    asked.only = tuple(asked.only.split(","))
    if unknown := [row for row in asked.only if row not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return asked


def measure(asked: argparse.Namespace) -> Iterator[Row]:
    """The rows asked for, one after the other, so that none runs beside another."""
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        for name, load in LOADS.items():
            if name in asked.only:
                fold = registry.load("folds", asked.fold)() if asked.fold else None
                yield ours(load, asked.seconds, fold, "" if asked.no_spool else f"{scratch}/spool")
        for name, program in PEERS.items() if "peers" in asked.only else ():
            for load in FOR_PEERS:
                yield peer(name, program, load, asked.seconds, Path(scratch))


def ours(load: Load, seconds: float, fold: Any, spool: str) -> Row:
    """Flows, read as the pipeline reads it: received, spooled, decoded, folded."""
    port = free_port()
    with closing(Flows(listen=(f"127.0.0.1:{port}",), spool=spool).read(None)) as pages:
        next(pages)
        taken(pages, exporting(load, WARM, port), fold)
        before, exporter = time.process_time(), exporting(load, seconds, port)
        decoded, dropped = taken(pages, exporter, fold)
        used = time.process_time() - before
    sent, took = sent_by(exporter)
    lost = 100 * (sent - decoded) / sent
    how = f"{decoded:,} of {sent:,} records decoded in {took:.0f} s at {sent / took / 1e6:.2f} M/s with"
    how += f" {100 * used / took:.0f} % of a CPU; {dropped:,} datagrams told to be dropped"
    what = f"spool {'on' if spool else 'off'}, {'folded' if fold else 'no fold'}"
    return Row(f"{load}; {what}", NO_LOSS, lost, f"{lost:.2f} % lost", how)


def taken(pages: Iterator[Page], exporter: subprocess.Popen[bytes], fold: Any) -> tuple[int, int]:
    """Rows that came of an exporter until it was quiet, and datagrams that were told to be dropped."""
    decoded = dropped = 0
    last = time.perf_counter()
    for page in pages:
        if page.rows.num_rows:
            decoded, last = decoded + page.rows.num_rows, time.perf_counter()
            _ = fold and fold(page.rows)
        if page.skipped is not None:
            told = page.skipped.to_pylist()
            dropped += sum(int(row["excerpt"]) for row in told if row["reason"] == DROPPED)
        if exporter.poll() is not None and time.perf_counter() - last > QUIET:
            break
    return decoded, dropped


def peer(name: str, program: str, load: Load, seconds: float, scratch: Path) -> Row:
    """Another collector; what it loses is what the kernel had to drop at its socket."""
    what = f"{name}: {load}"
    command = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if command is None:
        return skipped(what, None, f"{program} is not installed")
    port, folder = free_port(), scratch / program
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with running(program, command, port, folder) as process:
        try:
            wait_for(port)
            exporter = exporting(load, seconds, port)
            exporter.wait()
            time.sleep(QUIET)
            lost = drops(port) * load.records
        finally:
            process.terminate()
            process.wait()
    sent, took = sent_by(exporter)
    how = f"drops of its socket in /proc/net/udp, {sent:,} records sent in {took:.0f} s"
    return Row(what, None, 100 * lost / sent, f"{100 * lost / sent:.2f} % lost", how)


def running(program: str, command: str, port: int, folder: Path) -> subprocess.Popen[bytes]:
    """Starts a peer that listens at a port of the loopback and writes into a folder."""
    if program == "nfcapd":
        options = ["-b", "127.0.0.1", "-p", str(port), "-w", str(folder), "-B", str(Flows.receive_buffer)]
    else:
        (folder / "networks").write_text("198.18.0.0/16\n")
        (folder / "allowed").write_text("")
        (folder / "conf").write_text(FASTNETMON.format(port=port, folder=folder))
        options = [f"--configuration_file={folder}/conf", f"--log_file={folder}/log"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen([command, *options], cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)


def exporting(load: Load, seconds: float, port: int) -> subprocess.Popen[bytes]:
    """The exporter, at work."""
    given = [load.kind, str(load.records), str(load.rate), str(seconds), str(port)]
    command = [sys.executable, str(EXPORTER), *given]
    return subprocess.Popen(command, env=_children.environment(), stdout=subprocess.PIPE)


def sent_by(exporter: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Records it sent, and the seconds that took."""
    sent, took = exporter.communicate()[0].split()
    return int(sent), float(took)


def free_port() -> int:
    """A port of the loopback that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
        return asking.getsockname()[1]


def wait_for(port: int) -> None:
    """Until somebody listens at a port. RuntimeError: nobody does for long."""
    for _ in range(100):
        if _listeners(port):
            return
        time.sleep(0.1)
    raise RuntimeError(f"nobody listens at port {port}")


def drops(port: int) -> int:
    """Datagrams that the kernel dropped at a port."""
    return sum(int(fields[-1]) for fields in _listeners(port))


def _listeners(port: int) -> list[list[str]]:
    rows = [line.split() for each in ("udp", "udp6") for line in Path("/proc/net", each).read_text().splitlines()[1:]]
    return [fields for fields in rows if int(fields[1].rpartition(":")[2], 16) == port]


if __name__ == "__main__":
    sys.exit(main())
