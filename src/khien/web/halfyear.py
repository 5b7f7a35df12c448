"""The report of half a year, from the same numbers as the picture: HTML and PDF in both languages, signed.

KHIEN_SITE=settings.json python -m khien.web.halfyear FOLDER 2026-2
"""

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import words
from khien.app import counting, machine
from khien.errors import Error, InputError
from khien.pipeline import figures, reports
from khien.pipeline.figures import Figures, Period
from khien.web import paper, views
from khien.web.render import FOLDER, Frame
from khien.web.site import told as asked_for


def period(half: str) -> Period:
    """The period that a half-year's name stands for, as 2026-2. InputError: it is none."""
    year, _, number = half.partition("-")
    if not (len(year) == 4 and year.isascii() and year.isdigit() and int(year) and number in ("1", "2")):
        raise InputError(f"{half!r} is no half of a year: write 2026-1 for January to June, 2026-2 for the rest")
    return Period.half(int(year), int(number))


def files(counted: Figures, *, replay: bool) -> dict[str, bytes]:
    """The report, by name of file."""
    frame = Frame({}, link, live=False, contact="", replay=replay, days=lambda: None)
    made = {
        f"report-{language}.html": frame.render(language, "halfyear", {}, counted=counted).encode()
        for language in words.LANGUAGES
    }
    said = {"parts": [_said(counted, language, replay) for language in ("vi", "en")]}
    return {
        **made,
        "report.pdf": paper.pdf("report", said, counted.at),
        reports.FIGURES: reports.encode(counted),
        "style.css": (FOLDER / "static" / "style.css").read_bytes(),
    }


def _said(counted: Figures, language: str, replay: bool) -> dict[str, Any]:
    """What the PDF says in a language."""
    first, last = (each and views.day(each, language=language) for each in (counted.first, counted.last))
    return {
        "language": language,
        "title": words.page("halfyear-title", language, first=first or "", last=last or ""),
        "made": words.page("halfyear-made", language, at=views.moment(counted.at, language=language)),
        "dated": words.page("replay", language) if replay else "",
        "intro": [words.page("figures-intro", language), words.page("figures-people", language)],
        "head": [words.page(code, language) for code in ("figures-figure", "figures-value", "figures-counted")],
        "groups": [
            {"title": words.phrase(f"figures-{group}", language), "rows": rows}
            for group, rows in figures.rows(counted, language).items()
        ],
    }


def link(language: str | None, page: str, /, **_params: str) -> str:
    """Where a page of a report is: all of them lie beside each other."""
    return page if language is None else f"report-{language}.html"


def write(made: Mapping[str, bytes], folder: Path, key: Ed25519PrivateKey) -> None:
    """Writes a report and the note that signs it. OSError: the folder cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**made, reports.NOTE: reports.manifest(made, key)}.items():
        (folder / name).write_bytes(content)


def report(data: Path, folder: Path, half: str, at: datetime, *, replay: bool) -> None:
    """Counts a half-year anew and writes its report."""
    with machine.store(data) as store:
        counted = counting.counted(data, store, period(half), at)
    write(files(counted, replay=replay), folder, counting.signer(data))


def main() -> None:
    """Writes the report that the settings ask for."""
    try:
        asked = asked_for()
        folder, half = sys.argv[1:3]
        report(Path(asked.data), Path(folder), half, machine.clock().replace(microsecond=0), replay=asked.replay)
    except OSError as error:
        sys.exit(f"khien: {error.filename}: {error.strerror or error}: give a folder that can be written")
    except Error as error:
        sys.exit(f"khien: {error}")


if __name__ == "__main__":
    main()
