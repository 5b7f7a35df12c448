"""What the documentation shows is what happens: its commands and its Python run here, and the site builds."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from khien.triage import life

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Block(NamedTuple):
    """A fenced block and the line of its page that it starts on."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "fence" and token.map:
            yield Block(token.info.strip(), token.content, token.map[0] + 1)


def examples(page: Path) -> list[Block]:
    """Python, and consoles in which khien is called; the others are not ours to run."""
    return [
        block
        for block in blocks(page)
        if block.language == "python"
        or (block.language == "console" and re.search(r"^\$ (?:.*\| )?khien ", block.text, re.MULTILINE))
    ]


def steps(console: str) -> Iterator[tuple[str, str]]:
    """Each command, with the output shown below it."""
    for step in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, shown = step.partition("\n")
        yield command, shown.rstrip()


def shows(shown: str, said: str) -> bool:
    """Whether said is what is shown; a line `...` stands for any lines, ` ...` at the end of one for any rest of it."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.sub(r"(?<=\\ )\\\.\\\.\\\.$", ".*", re.escape(line)) + r"\n"
        for line in shown.splitlines()
    ]
    return re.fullmatch("".join(lines), said.rstrip() + "\n" * bool(said.strip())) is not None


def in_shell(command: str, folder: Path) -> str:
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLUMNS": "100", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.exists() and examples(page)], ids=lambda page: page.name
)
def test_examples_on_a_page_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for block in examples(page):
        if block.language == "python":
            blank_lines = "\n" * block.line  # so that a traceback names the line of the page
            exec(compile(blank_lines + block.text, page.name, "exec"), names)
            continue
        for command, shown in steps(block.text):
            said = in_shell(command, tmp_path)
            assert shows(shown, said), f"{page.name}:{block.line}: $ {command}\n{said}"


@pytest.mark.parametrize(
    ("shown", "said", "same"),
    [
        ("a b", "a b\n", True),
        ("", "", True),
        ("a", "b\n", False),
        ("...", "", True),
        ("a\n...\nd", "a\nb\nc\nd\n", True),
        ("a\n...\nd", "a\nd\n", True),
        ("a\n...", "a\nb\n", True),
        ("a\n...\nd", "a\nb\n", False),
        ("a.c [x]", "abc x\n", False),
        ("a...", "abcd\n", False),
        ("a ...", "a bcd\n", True),
        ("a ...", "abcd\n", False),
    ],
)
def test_shown_output_is_compared_line_by_line(shown: str, said: str, same: bool) -> None:
    assert shows(shown, said) is same


def build(site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "docs" / "build.py"), str(site)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_site_builds_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    built = build(tmp_path / "site")
    assert built.returncode == 0, built.stderr
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert all((tmp_path / "site" / name).exists() for name in re.findall(r'href="([^":#]+)"', index))
    assert "<svg" in (tmp_path / "site" / "architecture.svg").read_text(encoding="utf-8")


def test_the_page_of_findings_says_what_the_code_does() -> None:
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|[^|]*\| (.*) \|$", page, re.MULTILINE))
    told = {(state, act) for state, acts in rows.items() for act in re.findall(r"`(\w+)`", acts)}
    assert told == {move for move in life.MOVES if move[1] != life.SEE}


def test_nothing_on_the_site_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    build(tmp_path / "site")
    for path in (tmp_path / "site").rglob("*.html"):
        assert (
            re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="https?:[^"]*"', path.read_text(encoding="utf-8")) == []
        )


def test_every_locked_package_is_on_the_page_of_dependencies() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    stated = set(re.findall(r"([a-z][\w-]+)\s(?:\| )?(\d[\w.]*)(?:, (\d[\w.]*))?", page))
    versions = {(name, version) for name, *some in stated for version in some}
    for path in (ROOT / "requirements").glob("*.txt"):
        locked = set(re.findall(r"^([\w-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert locked <= versions, path.name
