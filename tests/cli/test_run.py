"""A run that can be stopped and killed, what stands beside it, and what people do with what was found."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, REGISTER, Khien

CONFIG = """\
protect = "ours.toml"
site = false

[[source]]
name = "names"
paths = ["names.txt"]
"""
NAMES = "saothuybank-login.top\nordinary.example\nsaothuybank.vn\nwww.saothuybank-otp.xyz\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a register, a configuration and names."""
    for name, text in {"ours.toml": REGISTER, "khien.toml": CONFIG, "names.txt": NAMES}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_keeps_what_it_finds_and_going_on_adds_only_what_is_new(place: Path, khien: Khien) -> None:
    assert khien("run", "--once").returncode == 0
    listed = khien("findings", "--format", "jsonl")
    assert listed.returncode == 1
    found = lines(listed.stdout)
    assert {each["subject"] for each in found} == {"saothuybank-login.top", "www.saothuybank-otp.xyz"}
    assert all(each["state"] == "new" and each["source"] == "names" for each in found)
    assert khien("run", "--once").returncode == 0
    assert lines(khien("findings", "--format", "jsonl").stdout) == found
    (place / "more.txt").write_text("saothuybank-vay.site\n", encoding="utf-8")
    (place / "khien.toml").write_text(CONFIG.replace('"names.txt"', '"names.txt", "more.txt"'), encoding="utf-8")
    khien("run", "--once")
    told = json.loads(khien("status", "--format", "json").stdout)
    assert (told["findings"], told["suppressed"], told["running"]) == ({"new": 3}, 1, None)
    [source] = told["sources"]
    assert (source["rows"], source["findings"], source["ended"]) == (5, 4, True)


@pytest.mark.usefixtures("place")
def test_people_decide_under_their_name(khien: Khien) -> None:
    khien("run", "--once")
    moved = khien("findings", "dismiss", "saothuybank-login[.]top", "--why", "a test", "--by", "Lan", "--lang", "vi")
    assert (moved.returncode, moved.stdout) == (0, "saothuybank-login[.]top nay ở trạng thái: đã bác bỏ.\n")
    told = khien("findings", "show", "saothuybank-login.top").stdout
    assert "(dismissed)" in told
    assert "dismissed, Lan: a test" in told
    again = khien("findings", "act", "saothuybank-login.top")
    assert again.returncode == 2
    assert "is dismissed: it takes reopen, not act" in again.stderr
    nothing = khien("findings", "show", "nobody.example")
    assert nothing.returncode == 2
    assert "no finding has the id or the name nobody.example" in nothing.stderr
    [kept] = lines(khien("findings", "--state", "new", "--format", "jsonl").stdout)
    assert kept["subject"] == "www.saothuybank-otp.xyz"
    assert kept["sentences"]["vi"]  # type: ignore[index]


def test_one_runs_at_a_time_and_everything_else_works_beside_it(place: Path, khien: Khien) -> None:
    os.mkfifo(place / "pipe")
    (place / "khien.toml").write_text(CONFIG.replace("names.txt", "pipe"), encoding="utf-8")
    running = subprocess.Popen([*COMMAND, "run"], cwd=place, stderr=subprocess.PIPE, text=True)
    try:
        with (place / "pipe").open("w", encoding="utf-8") as pipe:  # opens once it is read
            pipe.write(NAMES)
            pipe.flush()
            assert until(lambda: "saothuybank-login" in khien("findings").stdout)
            second = khien("run")
            assert second.returncode == 2
            assert str(running.pid) in second.stderr
            assert json.loads(khien("status", "--format", "json").stdout)["running"] == running.pid
            assert khien("findings", "confirm", "saothuybank-login.top").returncode == 0
            assert khien("doctor", "--deep").returncode == 0
            running.send_signal(signal.SIGTERM)
            assert running.wait(20) == 0
    finally:
        running.kill()
        running.communicate()
    assert "(confirmed)" in khien("findings", "show", "saothuybank-login.top").stdout


def test_killed_in_the_middle_it_goes_on_where_it_was(place: Path, khien: Khien) -> None:
    names = [f"{n}-saothuybank.top" for n in range(3000)]
    (place / "names.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    (place / "khien.toml").write_text(CONFIG + "page_bytes = 2000\n", encoding="utf-8")
    for _ in range(3):
        running = subprocess.Popen([*COMMAND, "run", "--once"], cwd=place, stderr=subprocess.DEVNULL)
        time.sleep(0.9)
        running.kill()
        running.wait()
    assert khien("run", "--once").returncode == 0
    told = json.loads(khien("status", "--format", "json").stdout)
    assert told["sources"][0]["rows"] == 3000
    assert told["findings"] == {"new": 3000}
    assert khien("doctor", "--deep").returncode == 0


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("protec = 1\n", "khien.toml:1: protec: there is no setting 'protec': there is data, protect, source, site"),
        ("data = 3\n", "khien.toml:1: data: Expected `str`, got `int`"),
        ("[[source]]\nname = 'a'\npath = ['b']\n", "khien.toml:1: source 'a' has no setting path: files takes paths,"),
        ("[[source]]\nname = 'a'\nkind = 'b'\n", "khien.toml:1: no 'b' among the sources: there is files"),
        ("[[source]]\npaths = ['b']\n", "khien.toml:1: a source has a name"),
        ("[site]\nlisten = 'here'\n", "site: listen is 'here': give host:port"),
        ("= 1", "khien.toml: Invalid"),
    ],
)
def test_a_wrong_configuration_is_told_with_file_line_and_cure(
    place: Path, khien: Khien, config: str, said: str
) -> None:
    (place / "khien.toml").write_text(config, encoding="utf-8")
    done = khien("run")
    assert done.returncode == 2
    assert said in done.stderr
    assert not done.stdout


def test_a_source_in_trouble_is_told_and_kept(place: Path, khien: Khien) -> None:
    (place / "names.txt").unlink()
    done = khien("run", "--once")
    assert "names: names.txt: there is no such file: check the path" in done.stderr
    assert "there is no such file" in khien("status").stdout


def test_the_sample_is_replayed_and_says_that_it_is_dated(tmp_path: Path, khien: Khien) -> None:
    done = khien("replay", "--report", "report", "--data", "kept")
    assert done.returncode == 0, done.stderr
    assert "replay of dated data, not current accusations" in done.stderr
    assert (tmp_path / "report" / "index.html").exists()
    assert len(lines(khien("findings", "--data", "kept", "--format", "jsonl", "--limit", "9").stdout)) == 9


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_site_is_served_beside_the_run_and_goes_with_it(place: Path, end: signal.Signals) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = CONFIG.replace("site = false\n", "") + f'[site]\nlisten = "{address}"\n'
    (place / "khien.toml").write_text(config, encoding="utf-8")
    running = subprocess.Popen([*COMMAND, "run"], cwd=place, stderr=subprocess.PIPE, text=True)
    try:
        assert until(lambda: "</mark>-login" in fetched(address, "/en/findings"))
        assert fetched("127.0.0.1:1", "/") == ""
        assert [each.stat().st_mode & 0o777 for each in (place / "khien-data").glob("site-*.json")] == [0o600]
        running.send_signal(end)
        assert running.wait(20) == (0 if end == signal.SIGTERM else -signal.SIGKILL)
        assert until(lambda: fetched(address, "/en/") == "")
        assert end == signal.SIGKILL or not list((place / "khien-data").glob("site-*.json"))
    finally:
        running.kill()
        _, said = running.communicate()
    assert f"the site is at http://{address}/" in said


def fetched(address: str, path: str) -> str:
    """A page, or nothing where nobody answers."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        connection.close()


def until(holds: object, seconds: float = 20) -> bool:
    """Whether it comes to hold."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():  # type: ignore[operator]
            return True
        time.sleep(0.2)
    return False
