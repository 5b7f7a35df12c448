"""``khien scan names``: rows in their order, in every format, wherever they go."""

import csv
import io
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, Khien

NAMES = """\
example.org
SaoThuyBank-dang-nhap.example.top.
www.saothuybank.vn
login.saothuybank.example.xyz
"""
FOUND = ["saothuybank-dang-nhap.example.top", "login.saothuybank.example.xyz"]


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_lines_of_json(khien: Khien, protect: str) -> None:
    done = khien("scan", "names", "-", "--protect", protect, stdin=NAMES)
    assert (done.returncode, done.stderr) == (1, "")
    found = rows(done.stdout)
    assert [row["domain"] for row in found] == FOUND
    for row in found:
        assert list(row) == ["domain", "brand", "techniques", "score", "span", "reasons"]
        assert row["brand"] == "saothuy"
        assert row["techniques"]
        assert isinstance(row["score"], float)
        assert row["score"] == round(row["score"], 4)
        begin, end = row["span"]  # type: ignore[misc]
        assert str(row["domain"])[begin:end] == "saothuybank"
        reasons = row["reasons"]
        assert isinstance(reasons, dict)
        assert list(reasons) == ["en", "vi"]
        assert len(reasons["en"]) == len(reasons["vi"]) > 0
        assert any("Sao Thủy" in sentence for sentence in reasons["vi"])


def test_nothing_found(khien: Khien, protect: str, tmp_path: Path) -> None:
    for name in ("found.jsonl", "found.csv"):
        done = khien("scan", "names", "-", "--protect", protect, "-o", name, stdin="example.org\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert (tmp_path / name).read_bytes() == b""


def test_known_good_is_shown_on_request(khien: Khien, protect: str) -> None:
    done = khien("scan", "names", "-", "--protect", protect, "--suppressed", "--verbose", stdin=NAMES)
    by_name = {row["domain"]: row for row in rows(done.stdout)}
    assert list(by_name) == [FOUND[0], "www.saothuybank.vn", FOUND[1]]
    assert by_name["www.saothuybank.vn"]["suppressed"] is True
    assert all("suppressed" not in by_name[name] for name in FOUND)
    assert "names read: 4 in" in done.stderr
    assert "their own 1" in done.stderr
    alone = khien("scan", "names", "-", "--protect", protect, "--suppressed", stdin="www.saothuybank.vn\n")
    assert alone.returncode == 0
    assert len(rows(alone.stdout)) == 1


def test_the_score_decides(khien: Khien, protect: str) -> None:
    scores = [row["score"] for row in rows(khien("scan", "names", "-", "--protect", protect, stdin=NAMES).stdout)]
    best = max(scores)  # type: ignore[type-var]
    done = khien("scan", "names", "-", "--protect", protect, "--min-score", str(best), stdin=NAMES)
    assert (done.returncode, len(rows(done.stdout))) == (1, scores.count(best))
    done = khien("scan", "names", "-", "--protect", protect, "--min-score", "1", stdin=NAMES)
    assert done.returncode == (1 if best == 1 else 0)


def test_a_sheet(khien: Khien, protect: str, tmp_path: Path) -> None:
    arguments = ["scan", "names", "-", "--protect", protect, "--suppressed", "-o", "found.csv"]
    assert khien(*arguments, stdin=NAMES + "-saothuybank.example\n").returncode == 1
    table = list(csv.DictReader(io.StringIO((tmp_path / "found.csv").read_text(encoding="utf-8"))))
    assert [row["domain"] for row in table] == [FOUND[0], "www.saothuybank.vn", FOUND[1], "'-saothuybank.example"]
    assert [row["suppressed"] for row in table] == ["false", "true", "false", "false"]
    assert all(row["reasons_en"] and row["reasons_vi"] and row["techniques"] for row in table[:1])
    assert "; " in table[0]["span"]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_table(khien: Khien, protect: str, language: str) -> None:
    done = khien(
        "scan",
        "names",
        "-",
        "--protect",
        protect,
        "--format",
        "table",
        stdin=NAMES,
        LC_ALL=f"{language}_VN.UTF-8",
        COLUMNS="160",
    )
    assert done.returncode == 1
    text = done.stdout
    assert ("Giống" in text) == (language == "vi")
    assert "→saothuybank←-dang-nhap[.]example[.]top" in text.replace("\n", "")
    assert "example.top" not in text
    assert max(map(len, text.splitlines())) <= 160


def test_a_terminal_gets_a_table(protect: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text(NAMES)
    above, below = pty.openpty()
    command = [*COMMAND, "scan", "names", str(tmp_path / "names.txt"), "--protect", protect]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(command, stdout=below, stderr=below, stdin=subprocess.DEVNULL, env=environment)
    os.close(below)
    said = b""
    while True:
        try:
            more = os.read(above, 1 << 16)
        except OSError:  # Linux says so when the other end is closed
            break
        if not more:
            break
        said += more
    os.close(above)
    assert process.wait(60) == 1
    text = said.decode()
    assert "Resembles" in text
    assert "\x1b[1;31msaothuybank\x1b[0m" in text
    assert "names read: 4 in" in text


def test_skipped_rows_are_summed_up(khien: Khien, protect: str) -> None:
    broken = "nodot\n10.0.0.1\n" + "a..b\n" * 5
    done = khien("scan", "names", "-", "--protect", protect, "--input-format", "plain", stdin=broken + NAMES)
    assert done.returncode == 1
    assert len(rows(done.stdout)) == 2
    lines = done.stderr.splitlines()
    assert lines[0] == "rows skipped: 7"
    assert lines[1].startswith("  5: two dots in a row (-:3, -:4, -:5, …)")
    assert len(lines) == 4


def test_the_output_is_whole_or_not_there(khien: Khien, protect: str, tmp_path: Path) -> None:
    (tmp_path / "found.jsonl").write_text("before")
    (tmp_path / "names.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    done = khien("scan", "names", "names.gz", "--protect", protect, "-o", "found.jsonl")
    assert done.returncode == 2
    assert "names.gz: the gzip archive is cut short or damaged" in done.stderr
    assert (tmp_path / "found.jsonl").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.jsonl", "names.gz", "ours.toml"]


def test_output_through_a_link_and_to_a_device(khien: Khien, protect: str, tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to("target.jsonl")
    assert khien("scan", "names", "-", "--protect", protect, "-o", "link.jsonl", stdin=NAMES).returncode == 1
    assert (tmp_path / "link.jsonl").is_symlink()
    assert len(rows((tmp_path / "target.jsonl").read_text(encoding="utf-8"))) == 2
    assert khien("scan", "names", "-", "--protect", protect, "-o", os.devnull, stdin=NAMES).returncode == 1
    assert Path(os.devnull).is_char_device()


def test_rows_come_as_they_are_found(protect: str) -> None:
    command = [*COMMAND, "scan", "names", "-", "--protect", protect]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in FOUND:
            process.stdin.write(f"{name}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["domain"] == name
        process.stdin.close()
        assert process.wait(60) == 1


def test_a_reader_that_has_had_enough(protect: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text(NAMES * 20_000)
    command = [*COMMAND, "scan", "names", str(tmp_path / "names.txt"), "--protect", protect]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
