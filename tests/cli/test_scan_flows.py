"""``khien scan flows``: captures in, floods out, in every format, wherever they go."""

import json
import lzma
import os
import struct
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from khien import words
from tests.cli.conftest import COMMAND, Khien
from tests.flows import wire
from tests.flows.rows import SECOND, START, flood

VICTIM, OTHER = "198.51.100.7", "203.0.113.99"
MEMBERS = [
    *("victim", "prefix", "vectors", "start", "peak", "end", "pps", "bps", "sources", "rule", "score", "reasons"),
]
BOOT = START - 1000  # seconds since 1970


def exported(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A capture of NetFlow v5 datagrams, 30 flows each, sent when the last of their flows has ended."""
    ordered = sorted(rows, key=lambda row: row["last"])
    frames = []
    for number in range(0, len(ordered), 30):
        some = ordered[number : number + 30]
        now = some[-1]["last"] + 1000
        uptime = (now - BOOT * SECOND) // 1000
        head = struct.pack(">HHIIIIBBH", 5, len(some), uptime, now // SECOND, now % SECOND * 1000, number, 0, 0, 0)
        payload = head + b"".join(map(v5_record, some))
        frames.append((now, wire.ethernet(0x800, wire.ipv4(17, wire.udp(4000, 2055, payload)))))
    return wire.pcap(frames)


def v5_record(row: Mapping[str, Any]) -> bytes:
    first, last = ((row[each] - BOOT * SECOND) // 1000 for each in ("first", "last"))
    ends = row["source"][12:] + row["target"][12:] + bytes(4)
    counted = struct.pack(">HHIIIIHH", 1, 2, row["packets"], row["bytes"], first, last,
                          row["source_port"], row["target_port"])  # fmt: skip
    return ends + counted + struct.pack(">BBBBHHBBH", 0, row["flags"], row["protocol"], 0, 0, 0, 0, 0, 0)


def attack(begin: int = 5, target: str = VICTIM, vector: str = "syn") -> list[dict[str, Any]]:
    return flood(target, vector, begin=begin, seconds=6, rate=12_000, senders=60)


def ordinary(seconds: int = 20) -> list[dict[str, Any]]:
    return flood(OTHER, "ack", seconds=seconds, rate=50, senders=5)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    (tmp_path / "router.pcap").write_bytes(exported(attack() + ordinary()))
    return "router.pcap"


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_lines_of_json(khien: Khien, capture: str) -> None:
    done = khien("scan", "flows", capture)
    assert (done.returncode, done.stderr) == (1, "")
    (row,) = rows(done.stdout)
    assert list(row) == MEMBERS
    assert (row["victim"], row["prefix"], row["vectors"]) == (VICTIM, f"{VICTIM}/32", ["syn"])
    assert (row["start"], row["end"]) == ("2026-01-01T00:00:05Z", "2026-01-01T00:00:10Z")
    assert row["start"] <= row["peak"] <= row["end"]
    assert row["pps"] == pytest.approx(12_000, rel=0.02)
    assert row["bps"] == pytest.approx(12_000 * 480, rel=0.02)
    assert row["sources"] == pytest.approx(60, rel=0.05)
    assert row["rule"] == "packets"
    assert 0.5 < row["score"] <= 1
    assert list(row["reasons"]) == list(words.LANGUAGES)
    assert len(row["reasons"]["en"]) == len(row["reasons"]["vi"]) >= 2
    assert all(isinstance(sentence, str) and sentence for each in row["reasons"].values() for sentence in each)


def test_a_prefix_in_carpet_bombing(khien: Khien, tmp_path: Path) -> None:
    spread = [row for host in range(40) for row in flood(f"198.51.100.{host}", begin=3, rate=400, senders=20)]
    (tmp_path / "carpet.pcap").write_bytes(exported(spread + ordinary()))
    (row,) = rows(khien("scan", "flows", "carpet.pcap").stdout)
    assert row["victim"] == row["prefix"] == "198.51.100.0/24"


def test_nothing_found(khien: Khien, tmp_path: Path) -> None:
    (tmp_path / "quiet.pcap").write_bytes(exported(ordinary()))
    done = khien("scan", "flows", "quiet.pcap", "-o", "floods.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "floods.jsonl").read_bytes() == b""


def test_what_it_came_to_is_told_when_asked(khien: Khien, capture: str) -> None:
    said = khien("scan", "flows", capture, "--verbose", "--lang", "en").stderr
    assert f"{len(attack() + ordinary())} in" in said
    assert khien("scan", "flows", capture, "--verbose", "--lang", "vi").stderr != said


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_table(khien: Khien, capture: str, language: str) -> None:
    done = khien("scan", "flows", capture, "--format", "table", "--lang", language)
    assert done.returncode == 1
    head, line = done.stdout.splitlines()
    assert head.startswith(words.phrase("column-victim", language))
    assert line.startswith(VICTIM)
    assert words.technique("syn", language) in line
    assert "2026-01-01 00:00:05" in line
    assert words.number(12_000, language)[:4] in line or words.number(11_999, language) in line


def test_written_to_a_file(khien: Khien, capture: str, tmp_path: Path) -> None:
    done = khien("scan", "flows", capture, "-o", "floods.jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    assert [row["victim"] for row in rows((tmp_path / "floods.jsonl").read_text())] == [VICTIM]
    assert khien("scan", "flows", capture, "-o", capture).returncode == 2


def test_files_one_after_the_other_and_out_of_order(khien: Khien, tmp_path: Path) -> None:
    """Parts of one stream are watched as one; what is hours apart is not, whichever comes first."""
    whole = attack(5) + ordinary(12)
    first = [row for row in whole if row["last"] < (START + 8) * SECOND]
    rest = [row for row in whole if row not in first]
    (tmp_path / "a.pcap").write_bytes(exported(first))
    (tmp_path / "b.pcap").write_bytes(exported(rest))
    (tmp_path / "later.pcap").write_bytes(exported(attack(20_000, OTHER)))
    (found,) = rows(khien("scan", "flows", "a.pcap", "b.pcap").stdout)
    assert (found["start"], found["end"]) == ("2026-01-01T00:00:05Z", "2026-01-01T00:00:10Z")
    for order in (("a.pcap", "b.pcap", "later.pcap"), ("later.pcap", "a.pcap", "b.pcap")):
        found = rows(khien("scan", "flows", *order).stdout)
        assert [(row["victim"], row["start"]) for row in found] == [
            (VICTIM, "2026-01-01T00:00:05Z"),
            (OTHER, "2026-01-01T05:33:20Z"),
        ]


def test_standard_input_packed_or_not(capture: str, tmp_path: Path) -> None:
    content = (tmp_path / capture).read_bytes()
    for given in (content, lzma.compress(content)):
        done = subprocess.run(
            [*COMMAND, "scan", "flows", "-"], input=given, capture_output=True, check=False, timeout=120, cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (1, b"")
        assert [row["victim"] for row in rows(done.stdout.decode())] == [VICTIM]


def test_raw_traffic(khien: Khien, tmp_path: Path) -> None:
    """A capture of a third of a second: packets are flows of their own."""
    packets = [
        (START * SECOND + n * 50,
         wire.ethernet(0x800, wire.ipv4(6, wire.tcp(1000 + n, 80), source=f"203.0.{n % 7}.{n % 250}", target=VICTIM)))
        for n in range(7000)
    ]  # fmt: skip
    (tmp_path / "traffic.pcap").write_bytes(wire.pcap(packets))
    done = khien("scan", "flows", "traffic.pcap")
    assert done.returncode == 1
    (row,) = rows(done.stdout)
    assert (row["victim"], row["vectors"]) == (VICTIM, ["syn"])
    assert row["pps"] == pytest.approx(20_000, rel=0.05)


def test_an_empty_file_holds_nothing(khien: Khien, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    done = khien("scan", "flows", "empty")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"\x00\x01garbage" * 100, "name the format"),
        (b"\x1f\x8b\x08\x00cut", "cut short or damaged"),
    ],
)
def test_what_cannot_be_read(khien: Khien, tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "strange").write_bytes(content)
    done = khien("scan", "flows", "strange", "-o", "floods.jsonl")
    assert done.returncode == 2
    assert said in done.stderr
    assert "strange" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "floods.jsonl").exists()


def test_a_customer_that_is_no_prefix(khien: Khien, capture: str) -> None:
    done = khien("scan", "flows", capture, "--customer", "198.51.100.7/25")
    assert done.returncode == 2
    assert "203.0.113.0/24" in done.stderr, "an example of one"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(khien: Khien, capture: str, tmp_path: Path) -> None:
    (tmp_path / capture).chmod(0)
    done = khien("scan", "flows", capture)
    assert done.returncode == 2
    assert "may not be read" in done.stderr
