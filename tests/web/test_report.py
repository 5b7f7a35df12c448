"""The report is whole in itself: every link leads to a file of it, and nothing in it runs."""

import os
import stat
from pathlib import Path
from urllib.parse import unquote

import pytest

from khien import words
from khien.errors import UnavailableError
from khien.web import report
from tests.web.conftest import Place
from tests.web.test_pages import Shape


@pytest.fixture(scope="module")
def written(place: Place, labels: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report").resolve() / "a" / "b"
    report.write(place.store, labels, folder, replay=True)
    return folder


def test_every_link_leads_to_a_file_of_the_report(written: Path) -> None:
    shapes = {page: Shape(page.read_text(encoding="utf-8")) for page in written.rglob("*.html")}
    for page, shape in shapes.items():
        for link in shape.links:
            path, _, place = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.is_file(), f"{page}: {link}"
            assert target.is_relative_to(written)
            if place:
                assert place in shapes[target].ids


def test_both_languages_have_the_same_pages(written: Path, place: Place) -> None:
    vietnamese, english = ({path.name for path in (written / language).iterdir()} for language in ("vi", "en"))
    assert vietnamese == english
    assert {"index.html", "findings.html", "check.html", "errors.html"} < vietnamese
    assert f"finding-{place.ids.strongest}.html" in vietnamese
    assert f"finding-{place.ids.known}.html" in vietnamese
    assert f"finding-{place.ids.flood}.html" in vietnamese


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_nothing_runs_and_no_form_leads_nowhere(written: Path, language: str) -> None:
    for page in (written / language).iterdir():
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "<form" not in text
        assert words.page("replay", language) in text


def test_an_earlier_report_is_replaced_and_the_rest_stays(place: Place, labels: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "vi").mkdir()
    for name in ("vi/finding-0.html", "vi/mine.html", "finding-0.html", "other/finding-0.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    report.write(place.store, labels, tmp_path, replay=False)
    assert [(tmp_path / name).exists() for name in ("vi/finding-0.html", "vi/mine.html", "finding-0.html")] == [
        False,
        True,
        True,
    ]
    assert (tmp_path / "other/finding-0.html").exists()
    assert words.page("replay", "vi") not in (tmp_path / "vi/index.html").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written(place: Place, labels: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="give a folder"):
        report.write(place.store, labels, tmp_path / "file", replay=False)


def test_the_process_that_writes_it(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "site.json"
    told.write_text(f'{{"data":"{place.directory}","replay":true}}', encoding="utf-8")
    told.chmod(stat.S_IRUSR)
    monkeypatch.setenv("KHIEN_SITE", str(told))
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path / "report")])
    report.main()
    assert os.path.exists(tmp_path / "report/en/index.html")
    monkeypatch.setenv("KHIEN_SITE", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit, match="khien: KHIEN_SITE"):
        report.main()
