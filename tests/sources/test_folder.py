"""A folder that is watched, by the source of files."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from khien.contracts import Page
from khien.errors import ConfigError, UnavailableError
from khien.sources import files
from khien.sources.files import Files

NAMES = [f"n{number}.example" for number in range(40)]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_QUIET", 0.0)
    monkeypatch.setattr(files, "_PACE", 0.0)


def names(page: Page) -> list[str]:
    return page.rows.column(0).to_pylist()


def looked(source: Files, cursor: bytes | None = None, empty: int = 3) -> tuple[list[str], bytes, list[str]]:
    """Names until nothing has come for some looks, the last cursor, and the reasons of what was set aside."""
    found, reasons, still, last = list[str](), list[str](), 0, cursor or b""
    for page in source.read(cursor):
        found += names(page)
        reasons += page.skipped.column("reason").to_pylist() if page.skipped else []
        still = 0 if page.rows.num_rows else still + 1
        last = page.cursor
        if still > empty:
            break
    return found, last, reasons


def put(folder: Path, name: str, content: bytes) -> None:
    """As who moves a file in whole."""
    half = folder / f".{name}"
    half.write_bytes(content)
    half.rename(folder / name)


def test_what_appears_is_read_once(tmp_path: Path) -> None:
    source = Files(watch_folder=str(tmp_path))
    assert looked(source)[0] == []
    put(tmp_path, "a.txt", b"a.example\n")
    first, cursor, _ = looked(source)
    put(tmp_path, "b.csv", b"domain,seen\nb.example,1\n")
    second, cursor, _ = looked(source, cursor)
    assert (first, second) == (["a.example"], ["b.example"])
    assert looked(source, cursor)[0] == []
    put(tmp_path, "a.txt", b"a.example\nc.example\n")
    assert looked(source, cursor)[0] == ["a.example", "c.example"]


def test_what_is_no_file_of_names_is_passed_over(tmp_path: Path) -> None:
    for name in (".hidden", "x.part", "x.tmp", "x~"):
        (tmp_path / name).write_text("never.example\n")
    (tmp_path / "link").symlink_to(tmp_path / ".hidden")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\0\1\2")
    (tmp_path / "good").write_text("good.example\n")
    found, cursor, reasons = looked(Files(watch_folder=str(tmp_path)))
    assert (found, reasons) == (["good.example"], ["no-file"])
    assert looked(Files(watch_folder=str(tmp_path)), cursor)[2] == []


def test_resumes_at_any_page(tmp_path: Path) -> None:
    put(tmp_path, "one", "\n".join(NAMES[:20]).encode())
    put(tmp_path, "two", "\n".join(NAMES[20:]).encode())
    source = Files(page_bytes=30, watch_folder=str(tmp_path))
    before = list[str]()
    for page in islice(source.read(None), 60):
        before += names(page)
        assert {*before, *looked(source, page.cursor, empty=0)[0]} >= {*NAMES} or not page.rows.num_rows
    assert before == NAMES


def test_what_has_left_is_forgotten(tmp_path: Path) -> None:
    put(tmp_path, "a", b"a.example\n")
    source = Files(watch_folder=str(tmp_path))
    _, cursor, _ = looked(source)
    (tmp_path / "a").unlink()
    assert len(looked(source, cursor)[1]) < len(cursor)


def test_yields_while_a_file_is_not_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_QUIET", 3600.0)
    (tmp_path / "growing").write_text("a.example\n")
    pages: Iterator[Page] = Files(watch_folder=str(tmp_path)).read(None)
    assert all(page.rows.num_rows == 0 for page in islice(pages, 5))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be watched"):
        next(Files(watch_folder=str(tmp_path / "none")).read(None))
    with pytest.raises(ConfigError, match="one of them"):
        Files(("a",), watch_folder="b")
