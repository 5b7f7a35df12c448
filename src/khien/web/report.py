"""The pages of the site as files: both languages, relative links, nothing to run; opens from a folder.

KHIEN_SITE=settings.json python -m khien.web.report FOLDER
"""

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from khien import words
from khien.app import machine, registers
from khien.contracts import Store
from khien.errors import UnavailableError
from khien.model import Finding
from khien.web import floods, reading
from khien.web.reading import Listing, Query
from khien.web.render import FOLDER, Frame
from khien.web.written import asked_for

MOST_FOUND = 200  # findings, the strongest, that have a page of their own
MOST_FLOODS = 50
MOST_KNOWN = 50

_STATIC = ("icon.svg", "mark.svg", "style.css")


def write(store: Store, labels: Mapping[str, str], folder: Path, *, replay: bool, contact: str = "") -> None:
    """The picture, the findings, their stories and the errors, in each language, below a folder.

    labels, replay, contact: as site.create takes them. Stories of an earlier report that are no longer told are
    removed; what else is in the folder stays. UnavailableError: the folder cannot be written.
    """
    days = reading.days(store)
    frame = Frame(labels=labels, link=link, live=False, contact=contact, replay=replay, days=lambda: days)
    try:
        told: set[str] = set()
        for path, text in _pages(store, frame):
            _put(folder / path, text)
            told.add(path)
        for name in _STATIC:
            _put(folder / name, (FOLDER / "static" / name).read_text(encoding="utf-8"))
        for path in folder.glob("*/finding-*.html"):
            if path.parent.name in words.LANGUAGES and str(path.relative_to(folder)) not in told:
                path.unlink()
    except OSError as error:
        raise UnavailableError(f"{folder}: {error.strerror or error}: give a folder that can be written") from error


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def link(language: str | None, page: str, /, **params: str) -> str:
    """Where a page of the report is, seen from any other but the first."""
    if language is None:
        return f"../{page}"
    match page:
        case "picture":
            return f"../{language}/index.html"
        case "finding":
            return f"../{language}/finding-{params['id']}.html"
        case "findings" if params:
            return f"../{language}/findings.html#{'known' if 'known' in params else 'floods'}"
        case _:
            return f"../{language}/{page}.html"


def _pages(store: Store, frame: Frame) -> Iterator[tuple[str, str]]:
    """Paths below the folder, and what they hold."""
    yield "index.html", frame.start()
    made = machine.clock()
    picture, strongest = reading.picture(store, made), reading.strongest(store)
    found = _listing(store, Query(), MOST_FOUND)
    known = _listing(store, Query(known=True), MOST_KNOWN)
    flooded = _listing(store, Query(brand=floods.FLOOD, order="new"), MOST_FLOODS)
    largest = picture.floods.largest
    shown = [*found.findings, *flooded.findings, *known.findings, *filter(None, (strongest, largest))]
    stories = _stories(store, shown, made)
    for language in words.LANGUAGES:
        pages: list[_Page] = [
            _Page("picture", {}, {"picture": picture, "finding": strongest}),
            _Page(
                "findings",
                {},
                {"listing": found, "query": Query(), "flooded": flooded.findings, "known": known.findings},
            ),
            _Page("check", {}, {"refused": False, "answer": None}),
            _Page("errors", {}, {"picture": picture}),
            *(_Page("finding", {"id": identity}, _told_of(story, made)) for identity, story in stories.items()),
        ]
        for name, params, view in pages:
            yield link(language, name, **params).removeprefix("../"), frame.render(language, name, params, **view)


def _told_of(story: reading.Story, made: datetime) -> dict[str, object]:
    return {"story": story, "filters": reading.filters(story, made), "officer": False}


class _Page(NamedTuple):
    name: str
    params: dict[str, str]
    view: dict[str, object]


def _listing(store: Store, query: Query, most: int) -> Listing:
    """The first findings of a list, whole pages of them."""
    read = reading.listing(store, query)
    findings = list(read.findings)
    while read.after and len(findings) < most:
        read = reading.listing(store, msgspec.structs.replace(query, after=read.after))
        findings += read.findings
    return Listing(tuple(findings), read.after)


def _stories(store: Store, findings: list[Finding], made: datetime) -> dict[str, reading.Story]:
    """The story of each finding, and of each that stands beside one, so that no link leads nowhere."""
    stories: dict[str, reading.Story] = {}
    ids = [finding.id for finding in findings]
    while ids:
        identity = ids.pop()
        if identity not in stories and (story := reading.story(store, identity, made, {})):
            stories[identity] = story
            ids += [each.id for each in story.beside]
    return stories


def main() -> None:
    """Writes the report that the settings ask for."""
    with asked_for() as asked:
        register = registers.load(Path(asked.protect) if asked.protect else None)
        labels = {each.id: each.label for each in register.names}
        with machine.store(Path(asked.data)) as store:
            write(store, labels, Path(sys.argv[1]), replay=asked.replay, contact=asked.site.contact)


if __name__ == "__main__":
    main()
