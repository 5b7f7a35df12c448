"""Lists of passwords at the command line, and the real KeePassXC over what comes out."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from khien.app import machine
from khien.cli.main import run

LEAKED, GOOD = "correct horse", "Tr0ub4dor&3"
PAST = [(LEAKED.encode(), 7), (b"123456", 42), (b"password", 10)]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    with machine.store(tmp_path / "data") as store:
        store.save()
    rows = sorted(f"{hashlib.sha1(each).hexdigest().upper()}:{count}" for each, count in PAST)
    (tmp_path / "list.txt").write_text("\r\n".join(rows) + "\r\n", newline="")
    place = ["--data", str(tmp_path / "data"), "--lang", "en"]
    assert run(["breach", "import-passwords", str(tmp_path / "list.txt"), *place]) == 0
    return place


def test_what_was_taken_in_is_said(data: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capsys.readouterr()
    assert run(["breach", "import-passwords", str(tmp_path / "list.txt"), *data]) == 0
    told = capsys.readouterr()
    assert told.out == "The list has 3 hashes now; 1,048,576 of 1,048,576 prefixes were replaced.\n"
    assert told.err == ""
    (tmp_path / "changed").mkdir()
    (tmp_path / "changed" / "21BD1.txt").write_text("0" * 35 + ":3")
    (tmp_path / "changed" / "21BD2.txt").write_text("<html>")
    assert run(["breach", "import-passwords", str(tmp_path / "changed"), *data[:2], "--lang", "vi"]) == 0
    told = capsys.readouterr()
    assert told.out == "Danh sách hiện có 4 mã băm; đã thay 1 trong 1.048.576 tiền tố.\n"
    assert told.err == "Số tệp chứa nội dung khác, tiền tố của chúng giữ nguyên như cũ: 1.\n"


def test_a_list_is_not_replaced_by_less_without_a_word(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, command = tmp_path / "list.txt", ["breach", "import-passwords", str(tmp_path / "list.txt"), *data]
    whole = path.read_text()
    for damaged in (whole + "broken", whole.replace(":42", ":x"), whole[:-5] + "\n" + whole):
        path.write_text(damaged)
        capsys.readouterr()
        assert run(command) == 2
        assert re.search(r"list.txt: line [1-4] is no HASH:COUNT of 40 hex digits: nothing", capsys.readouterr().err)
    path.write_text(whole.splitlines()[0] + "\n" + "0" * 40 + ":0\n")
    assert run(command) == 2
    assert "would have 1 hashes, and has 3: nothing was replaced: say --smaller" in capsys.readouterr().err
    assert len(list((tmp_path / "data" / "breach").glob("public-sha1-*"))) == 1
    assert run([*command, "--smaller"]) == 0
    assert run(["audit", "show", *data]) == 0
    assert "before=3  entries=1  prefixes=1048576" in capsys.readouterr().out


def test_keepassxc_finds_what_leaked(data: list[str], tmp_path: Path) -> None:
    if shutil.which("keepassxc-cli") is None and "CI" not in os.environ:
        pytest.skip("there is no keepassxc-cli here")
    out, vault = tmp_path / "passwords.txt", tmp_path / "vault.kdbx"
    assert run(["breach", "export", "keepassxc", str(out), *data]) == 0
    assert out.read_bytes().endswith(b"\r\n")

    def keepassxc(*arguments: str, said: str) -> str:
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["keepassxc-cli", *arguments], input=said, capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout

    keepassxc("db-create", "--set-password", str(vault), said="vault\nvault\n")
    for name, secret in (("leaked", LEAKED), ("good", GOOD)):
        keepassxc("add", "--password-prompt", str(vault), name, said=f"vault\n{secret}\n")
    found = keepassxc("analyze", "--hibp", str(out), str(vault), said="vault\n")
    assert "leaked" in found
    assert "7" in found
    assert "good" not in found


def test_ranges_of_a_beginning_are_written(data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prefix = hashlib.sha1(LEAKED.encode()).hexdigest()[:5].upper()
    out, command = tmp_path / "out", ["breach", "export", "ranges", str(tmp_path / "out"), "--only", prefix.lower()]
    capsys.readouterr()
    assert run([*command, *data]) == 0
    assert capsys.readouterr().out == "1 files written, 0 were there and the same.\n"
    assert sorted(each.name for each in out.iterdir()) == [prefix, f"{prefix}.gz"]
    assert run([*command[:-1], "xyz", *data]) == 2
    assert "no beginning of five hexadecimal digits" in capsys.readouterr().err


@pytest.mark.parametrize(("bits", "rate"), [("8", "256"), ("16", "65,536")])
def test_a_filter_says_how_often_it_is_wrong(
    bits: str, rate: str, data: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "filter"
    capsys.readouterr()
    assert run(["breach", "export", "filter", str(path), "--bits", bits, *data]) == 0
    assert f"once in {rate} times" in capsys.readouterr().out
    said = iter([LEAKED, GOOD])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(said))
    check = ["breach", "check-offline", str(path), "--lang", "en"]
    assert run(check) == 1
    assert f"one time in {rate}" in capsys.readouterr().out
    assert run(check) == 0
    told = capsys.readouterr()
    assert told.out == "This password is not among those that leaked.\n"
    assert GOOD not in told.err


def test_what_cannot_be_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with machine.store(tmp_path / "data") as store:
        store.save()
    place = ["--data", str(tmp_path / "data"), "--lang", "en"]
    for command in (
        ["import-passwords", str(tmp_path / "nothing"), *place],
        ["export", "keepassxc", str(tmp_path / "out"), *place],
        ["export", "ranges", str(tmp_path / "out"), *place],
        ["export", "filter", str(tmp_path / "none" / "filter"), *place],
        ["check-offline", str(tmp_path / "nothing"), "--lang", "en"],
    ):
        assert run(["breach", *command]) == 2, command
        told = capsys.readouterr().err
        assert told.startswith("khien: "), told
        assert "fault" not in told
    assert not (tmp_path / "out").exists()
