"""A run that listens to routers: a flood is found while it goes on, survives a kill, and nobody else is remembered."""

import json
import os
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import COMMAND, Khien

VICTIM = "203.0.113.9"
ATTACKERS = [f"192.0.2.{n}" for n in range(1, 201)]
OTHERS = [f"198.18.{n // 250}.{1 + n % 250}" for n in range(600)]  # who talk to each other as ever
SYN, ACK_PUSH = 2, 24
CONFIG = """\
site = false

[[source]]
name = "borders"
kind = "flows"
listen = ["127.0.0.1:{port}"]
"""


def v5(flows: Sequence[tuple[str, str, int, int]]) -> bytes:
    """A NetFlow v5 datagram of flows of this second: source, target, packets, TCP flags."""
    now = time.time()
    head = struct.pack(">HHIIIIBBH", 5, len(flows), 60_000, int(now), int(now % 1 * 1e9), 0, 0, 0, 0)
    return head + b"".join(
        ip_address(source).packed
        + ip_address(target).packed
        + struct.pack(
            ">IHHIIIIHHBBBBHHBBH",
            0,
            1,
            2,
            packets,
            60 * packets,
            59_000,
            59_900,
            4000,
            443,
            0,
            flags,
            6,
            0,
            0,
            0,
            0,
            0,
            0,
        )
        for source, target, packets, flags in flows
    )


@contextmanager
def traffic(port: int) -> Iterator[None]:
    """Sends ordinary flows, and a flood of 40,000 SYN a second, until it is left."""
    over = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            turn = 0
            while not over.wait(0.1):
                ordinary = [(OTHERS[(turn + n) % 600], OTHERS[(turn + n + 7) % 600], 9, ACK_PUSH) for n in range(20)]
                attack = [(ATTACKERS[(turn + n) % 200], VICTIM, 200, SYN) for n in range(20)]
                for flows in (ordinary, attack):
                    sending.sendto(v5(flows), ("127.0.0.1", port))
                turn += 20

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def port(tmp_path: Path) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
        number = int(asking.getsockname()[1])
    (tmp_path / "khien.toml").write_text(CONFIG.format(port=number), encoding="utf-8")
    return number


@contextmanager
def running(place: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, "run"], cwd=place, text=True, stderr=subprocess.PIPE, env=os.environ | {"LC_ALL": "C.UTF-8"}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def found(khien: Khien, wanted: int = 1) -> list[dict[str, object]]:
    """The findings, waited for."""
    for _ in range(150):
        listed = khien("findings", "--format", "jsonl")
        if listed.stdout.count("\n") >= wanted:
            return [json.loads(line) for line in listed.stdout.splitlines()]
        time.sleep(0.2)
    raise AssertionError(f"not found: {listed.stdout}{listed.stderr}")


def test_nobody_is_remembered_but_who_attacks(tmp_path: Path, port: int, khien: Khien) -> None:
    with running(tmp_path) as process:
        with traffic(port):
            [flood] = found(khien)
            spool = list((tmp_path / "khien-data" / "spool").rglob("*"))
            assert any(path.is_file() for path in spool)
            for path in spool:
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0
    assert (flood["subject"], flood["techniques"], flood["claim"]) == (VICTIM, ["syn"], "flood")
    codes = [reason["code"] for reason in flood["reasons"]]  # type: ignore[attr-defined]
    assert codes == ["flood-packets", "flood-sources", "flood-heaviest"]
    assert "tcp-flags" in khien("flows", "mitigate", VICTIM, "--router", "juniper").stdout
    kept = [path for path in (tmp_path / "khien-data").rglob("*") if path.is_file()]
    assert not [path for path in kept if "spool" in path.parts]
    [left] = found(khien)
    codes = [reason["code"] for reason in left["reasons"]]  # type: ignore[attr-defined]
    assert codes == ["flood-packets", "flood-sources"], "nobody watches any more: no single source is named"
    packed = [b"\xff\xff" + ip_address(each).packed for each in OTHERS]
    spellings = [*(each.encode() for each in OTHERS), *packed, *(repr(each)[2:-1].encode() for each in packed)]
    for path in kept:
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += repr(pq.read_table(path).to_pydict()).encode()
        assert not [form for form in spellings if form in content], path


def test_a_flood_goes_on_as_the_same_after_a_kill(tmp_path: Path, port: int, khien: Khien) -> None:
    with traffic(port):
        with running(tmp_path) as process:
            [before] = found(khien)
            process.kill()
            process.wait()
        with running(tmp_path):
            for _ in range(100):
                [after] = found(khien)
                if after["end"] != before["end"]:
                    break
                time.sleep(0.2)
    assert after["id"] == before["id"]
    assert str(after["end"]) > str(before["end"])
    assert after["start"] == before["start"]
