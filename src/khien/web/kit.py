"""What trainers take along: slides and posters, as pages to print and as PDF, with the cases of the day."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any, NamedTuple

from khien import words
from khien.app import lessons
from khien.app.lessons import Lesson
from khien.contracts import Store
from khien.formats.guide.records import Contacts
from khien.model import Finding, ProtectedName
from khien.pipeline import cases
from khien.web import paper, views
from khien.web.render import Frame

PAPERS = ("slides", "posters")
CALLED = ("police", "child-helpline")  # whose numbers stand on them, by id in the contacts
MOST = 3  # cases of a lesson


class Told(NamedTuple):
    """A lesson, and what was found lately of what it tells of."""

    lesson: Lesson
    cases: tuple[Finding, ...]


class Made(NamedTuple):
    """What stands on every paper. public: the site's address, empty where nobody said; contacts: of the country."""

    day: date
    public: str
    contacts: Contacts

    @property
    def site(self) -> str:
        """The address as it is read from a wall."""
        return self.public.partition("://")[2].rstrip("/")

    def numbers(self, language: str) -> list[tuple[str, str]]:
        """Each number to call, and whose it is; none that nobody made sure of."""
        by_id = {each.id: each for each in self.contacts.contact}
        called = (by_id[each] for each in CALLED if each in by_id)
        return [(each.phone, each.label.said(language)) for each in called if each.phone and each.checked]


def told(store: Store, names: Mapping[str, ProtectedName], at: datetime, *, replay: bool) -> list[Told]:
    """All lessons with their cases."""
    found = cases.cases(store, at, replay=replay)
    return [
        Told(each, tuple(cases.fitting(found, names, each.sectors, each.lures, MOST))) for each in lessons.shipped()
    ]


def days(told: Sequence[Told]) -> tuple[date, date] | None:
    """The first and last day of the cases; None where there is none."""
    return cases.first_and_last([case for each in told for case in each.cases])


def pdf(template: str, told: Sequence[Told], frame: Frame, language: str, made: Made) -> bytes:
    """Slides or posters of a day."""
    say = partial(words.page, language=language)
    said: dict[str, Any] = {
        "language": language,
        "title": say(f"kit-{template}"),
        "headline": say("kit-headline"),
        "made": say("kit-made", day=views.day(made.day, language=language)),
        "dated": say("replay") if frame.replay else "",
        "signs": say("lesson-signs"),
        "steps": say("lesson-steps"),
        "cases": say("lesson-cases"),
        "example": say("lesson-made"),
        "foot": say("kit-foot"),
        "check": say("kit-check", site=made.site or say("kit-khien")),
        "numbers": made.numbers(language),
        "lessons": [_lesson(each, frame, language) for each in told],
    }
    return paper.pdf(template, said, datetime.combine(made.day, time(), UTC))


def _lesson(told: Told, frame: Frame, language: str) -> dict[str, Any]:
    lesson = told.lesson
    return {
        "title": lesson.title.said(language),
        "lead": lesson.lead.said(language),
        "signs": [each.said(language) for each in lesson.signs],
        "steps": [each.said(language) for each in lesson.steps],
        "example": "" if told.cases else lesson.example.said(language),
        "cases": [
            {
                "parts": views.parts(each.subject, each.span),
                "about": words.page(
                    "lesson-case", language, brand=frame.brand(each), day=views.day(each.day, language=language)
                ),
            }
            for each in told.cases
        ],
    }
