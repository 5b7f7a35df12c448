"""What trainers take along, as files below a folder, in both languages.

KHIEN_SITE=settings.json python -m khien.web.handout FOLDER
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from khien import words
from khien.app import guides, machine, registers
from khien.web import kit
from khien.web.kit import Made, Told
from khien.web.render import FOLDER, Frame
from khien.web.written import asked_for


def write(told: Sequence[Told], frame: Frame, folder: Path, made: Made) -> None:
    """Slides and posters in both languages, HTML and PDF, below a folder. OSError: it cannot be written."""
    for language in words.LANGUAGES:
        (folder / language).mkdir(parents=True, exist_ok=True)
        for template in kit.PAPERS:
            page = frame.render(language, f"learn/{template}", {}, told=told, made=made)
            (folder / language / f"{template}.html").write_text(page, encoding="utf-8")
            (folder / language / f"{template}.pdf").write_bytes(kit.pdf(template, told, frame, language, made))
    (folder / "style.css").write_bytes((FOLDER / "static" / "style.css").read_bytes())


def link(language: str | None, page: str, /, **_params: str) -> str:
    """Where a page of a folder of papers is, seen from another."""
    return f"../{page}" if language is None else f"../{language}/{page.rpartition('/')[2]}.html"


def main() -> None:
    """Writes the kit that the settings ask for. The site's address is printed on it where one was given."""
    with asked_for() as asked:
        register = registers.load(Path(asked.protect) if asked.protect else None)
        names = {each.id: each for each in register.names}
        labels = {each.id: each.label for each in register.names}
        now, folder = machine.clock(), Path(sys.argv[1])
        with machine.store(Path(asked.data)) as store:
            found = kit.told(store, names, now, replay=asked.replay)
        frame = Frame(labels, link, live=False, contact="", replay=asked.replay, days=lambda: kit.days(found))
        write(found, frame, folder, Made(now.date(), asked.site.public, guides.load(asked.people).contacts))


if __name__ == "__main__":
    main()
