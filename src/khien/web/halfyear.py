"""The report of half a year, from the same numbers as the picture: HTML and PDF in both languages, signed.

KHIEN_SITE=settings.json python -m khien.web.halfyear FOLDER 2026-2
"""

import sys
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import words
from khien.app import counting, machine
from khien.pipeline import reports, tables
from khien.pipeline.figures import Figures
from khien.web import paper, views
from khien.web.render import FOLDER, Frame
from khien.web.written import asked_for


def files(counted: Figures, signed: str, *, replay: bool) -> dict[str, bytes]:
    """The report, by name of file. signed: the name of the key that signs it."""
    frame = Frame({}, link, live=False, contact="", replay=replay, days=lambda: None)
    view = {"counted": counted, "upto": upto(counted), "signed": signed}
    made = {
        f"report-{language}.html": frame.render(language, "halfyear", {}, **view).encode()
        for language in words.LANGUAGES
    }
    said = {"parts": [_said(counted, signed, language, replay) for language in ("vi", "en")]}
    return {
        **made,
        "report.pdf": paper.pdf("report", said, counted.at),
        reports.FIGURES: reports.encode(counted),
        "style.css": (FOLDER / "static" / "style.css").read_bytes(),
    }


def upto(counted: Figures) -> date | None:
    """The day of counting where the period was not over by then; None where it was."""
    day = counted.at.date()
    return day if counted.last and day <= counted.last else None


def _said(counted: Figures, signed: str, language: str, replay: bool) -> dict[str, Any]:
    """What the PDF says in a language."""
    first, last = (each and views.day(each, language=language) for each in (counted.first, counted.last))
    day = upto(counted)
    return {
        "language": language,
        "title": words.page("halfyear-title", language, first=first or "", last=last or ""),
        "made": words.page("halfyear-made", language, at=views.moment(counted.at, language=language)),
        "by": words.page("halfyear-by", language, key=signed),
        "open": words.page("halfyear-open", language, day=views.day(day, language=language)) if day else "",
        "dated": f"{words.page('replay', language)} {words.page('figures-dated', language)}" if replay else "",
        "intro": [words.page("figures-intro", language), words.page("figures-people", language)],
        "head": [words.page(code, language) for code in ("figures-figure", "figures-value", "figures-counted")],
        "groups": [
            {"title": words.phrase(f"figures-{group}", language), "rows": rows}
            for group, rows in tables.rows(counted, language).items()
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
        counted = counting.counted(data, store, counting.half(half, at.date()), at)
    key = counting.signer(data)
    write(files(counted, reports.signer(key).name, replay=replay), folder, key)


def main() -> None:
    """Writes the report that the settings ask for."""
    with asked_for() as asked:
        folder, half = sys.argv[1:3]
        report(Path(asked.data), Path(folder), half, machine.clock().replace(microsecond=0), replay=asked.replay)


if __name__ == "__main__":
    main()
