"""A run that can be stopped and killed, what stands beside it, and what people do with what was found."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from khien import words
from khien.cli.run import stopping
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
    assert "(dismissed)" in khien("findings", "show", "https://user@saothuybank-login[.]top/x").stdout
    assert "No finding matches" in khien("findings", "--brand", "nobody").stderr
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
        (
            "protec = 1\n",
            "khien.toml:1: protec: there is no setting 'protec': there is data, protect, source, channel,",
        ),
        ("data = 3\n", "khien.toml:1: data: Expected `str`, got `int`"),
        ("[[source]]\nname = 'a'\npath = ['b']\n", "khien.toml:3: source 'a' has no setting path: files takes paths,"),
        ("[[source]]\nname = 'a'\nkind = 'b'\n", "khien.toml:3: no 'b' among the sources: there is captures,"),
        ("[[source]]\npaths = ['b']\n", "khien.toml:1: a source has a name"),
        ("[site]\nlisten = 'here'\n", "khien.toml:2: site: listen is 'here': give address:port"),
        ("[keep]\nskipped = 1\n", "khien.toml:2: keep: 'skipped' is no table of what has a time: there is names"),
        ("[keep]\nnames = 0\n", "khien.toml:1: keep: Expected `int` >= 1"),
        ("[[source]]\nname = 'a'\nkind = ['files']\n", "khien.toml:3: source 'a': kind is ['files']: give one of"),
        (
            "[[source]]\nname = 'a'\n\nkind = 'ctlog'\nlist = 'a'\nstates = ['usble']\n",
            "khien.toml:6: states: there is no",
        ),
        ("[site]\n\npublic = 'khien.example'\n", "khien.toml:3: site: public is 'khien.example': give https://"),
        ("[site]\npublic = 'http://khien.example/sub/'\n", "khien.toml:2: site: public is"),
        ("[site]\npublic = 'https://khien.example/sub'\n", "without a path"),
        ("= 1", "khien.toml:1: no valid TOML"),
        ("a" + ".a" * 100_000 + " = 1", "khien.toml:1: more than 8 parts"),
        ("data = ''\n", "khien.toml:1: data is no directory"),
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


def test_what_is_kept_for_days_is_gone_after_them(place: Path, khien: Khien) -> None:
    (place / "names.txt").write_text("name,seen_at\nlong.ago.example,2020-01-01\nnew.example,2999-01-01\n", "utf-8")
    assert khien("run", "--once").returncode == 0
    (place / "khien.toml").write_text("keep = { names = 30 }\n" + CONFIG, encoding="utf-8")
    assert "names: 1 rows have expired" in khien("run", "--once").stderr
    kept = [each.read_bytes() for each in (place / "khien-data").rglob("*") if each.is_file()]
    assert not any(b"long.ago" in each for each in kept)
    assert any(b"new.example" in each for each in kept)


def test_looking_makes_no_data_directory(place: Path, khien: Khien) -> None:
    (place / "empty").mkdir()
    for command in ("status", "findings"):
        done = khien(command, "--data", "empty")
        assert done.returncode == 2
        assert "there is no such data directory" in done.stderr
    (place / "khien.toml").write_text("= 1", encoding="utf-8")
    assert "khien.toml:1: no valid TOML" in khien("findings").stderr
    assert not list((place / "empty").iterdir())


def test_doctor_tells_of_a_damaged_place(place: Path, khien: Khien) -> None:
    khien("run", "--once")
    (place / "khien-data" / "records.sqlite").write_bytes(b"nothing of ours" * 1000)
    done = khien("doctor")
    assert done.returncode == 1
    assert "records.sqlite" in done.stdout or "damaged" in done.stdout


def test_without_its_records_a_place_is_not_begun_anew(place: Path, khien: Khien) -> None:
    khien("run", "--once")
    for each in (place / "khien-data").glob("records.sqlite*"):
        each.unlink()
    for command in (("run", "--once"), ("findings",), ("doctor",)):
        done = khien(*command)
        assert "restore it from the last backup" in done.stdout + done.stderr
        assert done.returncode == (1 if command == ("doctor",) else 2)
    assert not (place / "khien-data" / "records.sqlite").exists()


def test_a_run_asks_for_a_configuration(tmp_path: Path, khien: Khien) -> None:
    done = khien("run")
    assert done.returncode == 2
    assert "there is no khien.toml here" in done.stderr
    assert not list(tmp_path.iterdir())


def test_paths_that_were_read_may_not_change_places(place: Path, khien: Khien) -> None:
    khien("run", "--once")
    (place / "more.txt").write_text("saothuybank-vay.site\n", encoding="utf-8")
    (place / "khien.toml").write_text(CONFIG.replace('"names.txt"', '"more.txt", "names.txt"'), encoding="utf-8")
    done = khien("run", "--once")
    assert done.returncode == 2
    assert "the paths that were read have changed: add new ones behind them" in done.stderr


def test_dated_names_and_real_ones_are_never_mixed(place: Path, khien: Khien) -> None:
    khien("run", "--once")
    mixed = khien("replay", "--data", "khien-data", "--report", "report")
    assert mixed.returncode == 2
    assert "holds findings of real sources" in mixed.stderr
    assert khien("replay", "--data", "dated", "--report", "report").returncode == 0
    assert "holds the dated sample" in khien("run", "--once", "--data", "dated").stderr
    assert (place / "report" / "index.html").exists()


def test_many_sources_at_once_find_what_one_finds(place: Path, khien: Khien) -> None:
    """Each loads the same kernels in a thread of its own."""
    tables = [f'[[source]]\nname = "{n}"\npaths = ["names.txt"]\npage_bytes = 40\n' for n in range(6)]
    (place / "khien.toml").write_text('protect = "ours.toml"\n' + "".join(tables), encoding="utf-8")
    for n in range(3):
        assert khien("run", "--once", "--data", f"place-{n}").returncode == 0
        assert json.loads(khien("status", "--data", f"place-{n}", "--format", "json").stdout)["findings"] == {"new": 2}


def test_modules_in_the_current_directory_are_not_ours(place: Path) -> None:
    for name in ("granian", "jinja2", "msgspec", "litestar"):
        (place / f"{name}.py").write_text("open('ran', 'w')", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "khien.cli.main", "replay", "--report", "report"]  # as the script is run
    assert subprocess.run(command, cwd=place, capture_output=True).returncode == 0
    assert not (place / "ran").exists()


def test_a_port_in_use_is_not_shared(place: Path, khien: Khien) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = CONFIG.replace("site = false\n", "") + f'[site]\nlisten = "{address}"\n'
        (place / "khien.toml").write_text(config, encoding="utf-8")
        done = khien("run")
    assert done.returncode == 2
    assert f"cannot listen on {address}" in done.stderr


def test_a_source_in_trouble_is_told_and_kept(place: Path, khien: Khien) -> None:
    (place / "names.txt").unlink()
    done = khien("run", "--once")
    assert done.returncode == 2
    assert "names: names.txt: there is no such file: check the path" in done.stderr
    assert "there is no such file" in khien("status").stdout


def test_the_sample_is_replayed_and_says_that_it_is_dated(tmp_path: Path, khien: Khien) -> None:
    done = khien("replay", "--report", "report", "--data", "kept")
    assert done.returncode == 0, done.stderr
    assert "replay of dated data, not current accusations" in done.stderr
    assert (tmp_path / "report" / "index.html").exists()
    assert len(lines(khien("findings", "--data", "kept", "--format", "jsonl", "--limit", "9").stdout)) == 9
    for asked, met in (("lan@example.com", 1), ("+44 7700 900001", 1), ("nobody@example.com", 0)):
        assert khien("breach", "check", "--stdin", "--data", "kept", stdin=asked).returncode == met
    picture = (tmp_path / "report" / "en" / "index.html").read_text(encoding="utf-8")
    assert words.page("replay-leak", "en") in picture
    assert words.page("accounts-none", "en") not in picture


def test_a_replay_says_at_once_that_it_cannot_be_served(khien: Khien) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for listen, said in (
            ("nowhere", "--listen is 'nowhere': give address:port"),
            (address, f"cannot listen on {address} (Address already in use): give another --listen"),
        ):
            done = khien("replay", "--listen", listen, "--data", "kept")
            assert done.returncode == 2
            assert said in done.stderr
            assert "[site]" not in done.stderr
            assert "replay of dated data" not in done.stderr


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
        _, said = running.communicate(timeout=20)  # the end of what it said: the site, too, has gone
    assert f"the site is at http://{address}/" in said


def test_signals_stop_a_run_whatever_they_interrupt(tmp_path: Path) -> None:
    script = """
import time
from khien.cli.run import stopping
with stopping() as stop:
    print(flush=True)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        stop.wait(0)
    print(stop.is_set(), flush=True)
"""
    running = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        assert running.stdout
        running.stdout.read(1)
        end = time.monotonic() + 30
        while running.poll() is None and time.monotonic() < end:
            running.terminate()  # the last of them when nobody waits for it any more
        running.kill()
        assert running.stdout.read() == b"True\n"
    finally:
        running.kill()
        running.communicate(timeout=20)


def test_a_second_ctrl_c_interrupts_however_soon_it_comes() -> None:
    with stopping() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(20)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with stopping():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


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
