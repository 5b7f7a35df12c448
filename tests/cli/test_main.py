"""The program as a whole: help, versions, completion, exit status, and one line for whatever is wrong."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from khien.cli import main
from khien.cli.commands import findings, root
from khien.model import State
from khien.triage import life
from tests.cli.conftest import COMMAND, Khien


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from walk(each, (*path, name))


@pytest.mark.parametrize("path", list(walk(root.khien)), ids=" ".join)
def test_every_command_shows_how_it_is_used(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(root.khien, [*path, "--help"], prog_name="khien")
    assert done.exit_code == 0
    assert "Example" in done.output
    assert f"    {' '.join(('khien', *path))}" in done.output


def test_version(khien: Khien) -> None:
    done = khien("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("khien")


def test_little_is_loaded_before_it_is_needed() -> None:
    heavy = "pyarrow", "numpy", "rich", "numba", "idna", "publicsuffixlist", "importlib.metadata"
    said = f"import sys, khien.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(khien: Khien, shell: str) -> None:
    done = khien("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "_KHIEN_COMPLETE" in done.stdout
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


def test_completion_completes(khien: Khien) -> None:
    done = khien(_KHIEN_COMPLETE="bash_complete", COMP_WORDS="khien scan na", COMP_CWORD="2")
    assert done.stdout.strip() == "plain,names"


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (["scan", "names"], "see khien scan names --help"),
        (["scan", "names", "--min-score", "2", "x"], "see khien scan names --help"),
        (["scan", "names", "--min-score", "nan", "x"], "nan is no number"),
        (["unheard-of"], "see khien --help"),
        (["scan", "names", "missing.txt"], "there is no such file: check the path"),
        (["scan", "names", "-", "missing.txt"], "there is no such file: check the path"),
        (["scan", "names", "."], "is a directory"),
        (["scan", "names", "-", "-o", "missing/found.jsonl"], "cannot be written"),
        (["scan", "names", "-", "--protect", "missing.toml"], "there is no such file: check the path"),
        (["scan", "names", "-", "--column", "nowhere"], "has no column"),
        (["check", "://"], "nothing to look at"),
        (["check", "a" * 5001], "at most 5000 characters"),
        (["check", "a..b", "--about", "link"], "no name in it"),
        (["check", "00020101021"], "breaks off"),
        (["protect", "check", "missing.toml"], "there is no such file"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_one_line(khien: Khien, arguments: list[str], cure: str) -> None:
    done = khien(*arguments, stdin="example.org\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("khien: ")
    assert done.stderr.count("\n") == 1
    assert cure in done.stderr
    assert "\x1b" not in done.stderr


def test_a_group_alone_shows_its_help(khien: Khien) -> None:
    done = khien("scan")
    assert done.returncode == 2
    assert "names" in done.stderr


def test_interrupted(protect: str) -> None:
    command = [*COMMAND, "scan", "names", "-", "--protect", protect]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"saothuybank-dang-nhap.example.top\n")
        process.stdin.flush()
        assert process.stdout.readline()  # reads on, and waits for more
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read().strip() == b"khien: interrupted"
        assert process.wait(60) == 130


def test_a_stop_takes_half_a_file_away(protect: str, tmp_path: Path) -> None:
    command = [*COMMAND, "scan", "names", "-", "--protect", protect, "-o", str(tmp_path / "found.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        while not list(tmp_path.glob(".found.jsonl.*.part")) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert not list(tmp_path.glob(".*part"))
    assert not (tmp_path / "found.jsonl").exists()


def test_bounds_of_a_message(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wrong = tmp_path / "ours.toml"
    wrong.write_text("[[names]]\nx = 1\n")
    assert main.run(["check", "example.org", "--protect", str(wrong)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "and 3 more" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(
    "arguments", [["check", "example.org"], ["scan", "names", "-"], ["protect", "check", "ours.toml"]], ids=" ".join
)
def test_a_full_disk(arguments: list[str], protect: str) -> None:
    if arguments[0] != "protect":
        arguments = [*arguments, "--protect", protect]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=b"saothuybank-dang-nhap.example.top\n",
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=Path(protect).parent,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"khien: ")
    assert done.stderr.count(b"\n") == 1


def test_commands_offer_what_the_rules_allow() -> None:
    """They repeat it, so that help and completion load nothing."""
    assert get_args(State) == findings.STATES
    assert set(findings.ACTS) == {act for _, act in life.MOVES} - {life.SEE}
