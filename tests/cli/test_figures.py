"""Figures at the command line, reports that are held to them, and what trainers take along."""

import csv
import http.client
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import time
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from khien import words
from khien.app import counting, machine
from khien.errors import InputError
from khien.model import Entry
from khien.pipeline import figures
from khien.web import halfyear, views
from khien.words import LANGUAGES
from tests.cli.conftest import COMMAND, REGISTER, Khien

CONFIG = 'protect = "ours.toml"\nsite = false\n[[source]]\nname = "names"\npaths = ["names.txt"]\n'
NAME = "saothuybank-login.top"
HALF = "2026-2"
OUT_OF_TIME = 60  # seconds


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which names were read, and one was confirmed."""
    place = tmp_path_factory.mktemp("once")
    files = {"ours.toml": REGISTER, "khien.toml": CONFIG, "names.txt": f"{NAME}\nwww.saothuybank-otp.xyz\na.example\n"}
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    for asked in (("run", "--once"), ("findings", "confirm", NAME, "--why", "seen")):
        subprocess.run([*COMMAND, *asked], cwd=place, check=True)
    return place


@pytest.fixture
def ran(once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    return tmp_path


def told(khien: Khien, *asked: str) -> dict[tuple[str, str], object]:
    done = khien("figures", "--format", "jsonl", *asked)
    assert done.returncode == 0, done.stderr
    read = map(json.loads, done.stdout.splitlines())
    return {(each["code"], each["part"]): each["value"] for each in read}


@pytest.mark.usefixtures("ran")
def test_every_number_is_counted_and_says_how(khien: Khien) -> None:
    counted = told(khien)
    assert counted["names-read", ""] == 3
    assert (counted["names-found", ""], counted["names-decided", ""], counted["decisions", ""]) == (2, 1, 1)
    assert told(khien, "--to", "2020-01-01")["names-found", ""] == 0
    rows = [*csv.DictReader(io.StringIO(khien("figures", "--format", "csv").stdout))]
    assert {(each["code"], each["part"]) for each in rows} == counted.keys()
    assert all(each["counted_vi"] and each["counted_en"] for each in rows)
    for language in LANGUAGES:
        said = khien("figures", "--lang", language).stdout
        assert len(said.splitlines()) > len(figures.GROUPS) + len({code for code, _ in counted})


@pytest.mark.usefixtures("ran")
def test_a_report_holds_until_something_was_decided_otherwise(khien: Khien, tmp_path: Path) -> None:
    done = khien("figures", "report", "--half", HALF, "-o", "report")
    assert done.returncode == 0, done.stderr
    key = done.stdout.split()[-1]
    folder = tmp_path / "report"
    assert {each.name for each in folder.iterdir()} == {
        *("figures.json", "manifest.note", "report-en.html", "report-vi.html", "report.pdf", "style.css")
    }
    for language in LANGUAGES:
        page = (folder / f"report-{language}.html").read_text(encoding="utf-8")
        assert f'lang="{language}"' in page
        assert "khien-reports-" in page  # who signs it
        assert "http" not in page.replace('href="report', "")  # it is whole, and asks nobody for anything
    verify = ("figures", "--verify", "report/figures.json", "--lang", "en")
    assert khien(*verify).returncode == 0
    assert khien(*verify, "--verifier", key).returncode == 0
    assert khien("findings", "dismiss", NAME, "--why", "it is their own").returncode == 0
    done = khien(*verify)
    assert done.returncode == 1
    assert "and dismissed: we were wrong: the report says 0, counted now: 1" in done.stdout
    assert "Corrections: the report says 0, counted now: 1" in done.stdout


@pytest.mark.usefixtures("ran")
def test_a_report_that_was_changed_is_found(khien: Khien, tmp_path: Path) -> None:
    assert khien("figures", "report", "--half", HALF, "-o", "report").returncode == 0
    path = tmp_path / "report" / "figures.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"value": 2', b'"value": 1', 1))
    done = khien("figures", "--verify", "report/figures.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "figures.json is not what was signed" in done.stderr
    path.write_bytes(whole)
    other = "khien-reports-00000000+00000000+AAAA"
    assert khien("figures", "--verify", "report/figures.json", "--verifier", other).returncode == 2
    (tmp_path / "report" / "manifest.note").unlink()
    assert "manifest.note" in khien("figures", "--verify", "report/figures.json").stderr


@pytest.mark.parametrize("half", ["2026-3", "2026", "26-1", "0000-1", "²026-1", ""])
def test_a_half_that_is_none(half: str) -> None:
    with pytest.raises(InputError, match="2026-1"):
        counting.half(half, date(2026, 11, 22))


def test_a_half_that_has_not_begun() -> None:
    with pytest.raises(InputError, match="begins on 2030-01-01"):
        counting.half("2030-1", date(2029, 12, 31))
    assert counting.half("2030-1", date(2030, 1, 1)).last == date(2030, 6, 30)


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize("half", ["abc", "9999-1"])
def test_a_half_of_which_there_is_no_report_is_one_line(khien: Khien, tmp_path: Path, half: str) -> None:
    done = khien("figures", "report", "--half", half, "-o", "rep")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert half in done.stderr
    assert not (tmp_path / "rep").exists()


@pytest.mark.parametrize(("last", "upto"), [(date(2026, 11, 21), None), (date(2026, 11, 22), date(2026, 11, 22))])
def test_a_report_says_where_its_half_is_not_over(last: date, upto: date | None) -> None:
    at = datetime(2026, 11, 22, 9, tzinfo=UTC)
    counted = figures.Figures(first=date(2026, 7, 1), last=last, at=at, figures=())
    files = halfyear.files(counted, "khien-reports-0", replay=False)
    for language in LANGUAGES:
        page = files[f"report-{language}.html"].decode()
        said = words.page("halfyear-open", language, day=views.day(at.date(), language=language))
        assert (said in page) is (upto is not None)
        assert words.page("halfyear-by", language, key="khien-reports-0") in page


@pytest.mark.usefixtures("ran")
def test_who_changes_the_audit_gets_no_figures(khien: Khien, tmp_path: Path) -> None:
    with machine.store(tmp_path / "khien-data") as store:
        (entry,) = store.find(Entry)
        store.save(msgspec.structs.replace(entry, by="nobody"))
    done = khien("figures")
    assert done.returncode == 2
    assert "was changed" in done.stderr


@pytest.mark.usefixtures("ran")
def test_the_wrong_way_round(khien: Khien) -> None:
    done = khien("figures", "--from", "2026-02-01", "--to", "2026-01-01")
    assert done.returncode == 2
    assert "before it begins" in done.stderr


@pytest.mark.usefixtures("ran")
def test_a_kit_for_trainers(khien: Khien, tmp_path: Path) -> None:
    done = khien("kit", "-o", "kit", "--protect", "ours.toml", "--site", "https://khien.example")
    assert done.returncode == 0, done.stderr
    for language in LANGUAGES:
        for name in ("slides", "posters"):
            assert (tmp_path / "kit" / language / f"{name}.pdf").read_bytes().startswith(b"%PDF-")
            page = (tmp_path / "kit" / language / f"{name}.html").read_text(encoding="utf-8")
            assert 'href="../style.css"' in page
            assert {"khien.example", "113", "111"} <= set(re.findall(r"[\w.]*\w", page))
            assert "saothuybank" in page  # it was confirmed
            assert "saothuybank-otp" not in page  # nobody looked at it
    assert khien("kit", "-o", "kit", "--site", "khien.example").returncode == 2
    (tmp_path / "file").write_text("")
    assert khien("kit", "-o", "file/kit").returncode == 2


def test_the_site_alone(ran: Path, khien: Khien) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    asked = (*COMMAND, "web", "--data", "khien-data", "--listen", f"127.0.0.1:{port}")
    with subprocess.Popen(asked, cwd=ran, stderr=subprocess.PIPE) as process:
        try:
            page = _answer(port, "/vi/figures")
            assert "saothuybank" not in page
            assert told(khien)["names-found", ""] == 2  # others may ask the store beside it
            assert khien("run", "--once").returncode == 0
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(OUT_OF_TIME) == 0
    done = khien("web", "--data", "nowhere")
    assert (done.returncode, "no such data directory" in done.stderr) == (2, True)


def _answer(port: int, path: str) -> str:
    until = time.monotonic() + OUT_OF_TIME
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=OUT_OF_TIME)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.1)
        finally:
            connection.close()


def test_groups_tell_every_figure_once() -> None:
    codes = [code for codes in figures.GROUPS.values() for code in codes]
    assert len(codes) == len(set(codes))
