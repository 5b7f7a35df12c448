"""Questions to try oneself: some of the lessons, some made from a name and what imitates it. Nothing of an answer is
kept: a question is found again by its id."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from khien import words
from khien.app.lessons import Lesson
from khien.model import Finding, ProtectedName
from khien.web import views

PAIRS, OF_LESSONS = 4, 6  # questions of each kind
LONGEST = 2_000  # characters of ids that are read

_CASE, _MADE = "case-", "made-"  # ids of pairs: behind it a finding's id, a protected name's


class Question(NamedTuple):
    """A question as it is asked. right: the place of its right option; lesson: that tells of it; why: for people."""

    id: str
    text: str
    options: tuple[str, ...]
    right: int
    why: tuple[str, ...]
    lesson: str
    names: bool = False  # its options are names


class Marked(NamedTuple):
    """A question and which option somebody chose, None for none."""

    question: Question
    chosen: int | None

    @property
    def good(self) -> bool:
        """Whether that was right."""
        return self.chosen == self.question.right


@dataclass(frozen=True)
class Quiz:
    """What questions are drawn from. cases: findings that may be shown; names: what is protected, by id."""

    lessons: Sequence[Lesson]
    cases: Sequence[Finding]
    names: Mapping[str, ProtectedName]

    def draw(self, seed: int) -> list[str]:
        """The ids of so many questions, of each kind, in an order."""
        chance = random.Random(seed)
        of_lessons = [each.id for lesson in self.lessons for each in lesson.question]
        cases = [f"{_CASE}{each.id}" for each in self.cases if _official(self.names.get(each.claim))]
        made = [f"{_MADE}{each.id}" for each in self.names.values() if _official(each)]
        pairs = chance.sample(cases, min(len(cases), PAIRS))
        pairs += chance.sample(made, min(len(made), PAIRS - len(pairs)))
        drawn = [*pairs, *chance.sample(of_lessons, min(len(of_lessons), OF_LESSONS))]
        chance.shuffle(drawn)
        return drawn

    def ask(self, ids: Iterable[str], language: str) -> Iterator[Question]:
        """The questions of these ids that are there, each once."""
        of_lessons = {each.id: (each, lesson) for lesson in self.lessons for each in lesson.question}
        cases = {each.id: each for each in self.cases}
        for id_ in list(dict.fromkeys(ids))[: PAIRS + OF_LESSONS]:
            if id_ in of_lessons:
                asked, lesson = of_lessons[id_]
                said = tuple(each.said(language) for each in asked.options)
                yield Question(
                    id_, asked.text.said(language), said, asked.right, (asked.why.said(language),), lesson.id
                )
            elif id_.startswith(_CASE) and (case := cases.get(id_.removeprefix(_CASE))):
                if question := self._pair(id_, self.names.get(case.claim), case, language):
                    yield question
            elif id_.startswith(_MADE):
                if question := self._pair(id_, self.names.get(id_.removeprefix(_MADE)), None, language):
                    yield question

    def _pair(self, id_: str, name: ProtectedName | None, case: Finding | None, language: str) -> Question | None:
        """Which of two names is the real one. Without a case the other is made up, under .example (RFC 2606)."""
        official = _official(name)
        if name is None or not official:
            return None
        if case:
            other = case.subject
            day = views.day(case.day, language=language)
            why = (
                words.phrase("quiz-case", language, name=views.shown(other), day=day),
                *(views.sentence(each, language) for each in case.reasons),
            )
        else:
            other = f"{official.partition('.')[0]}-{words.phrase('quiz-word', language)}.example"
            why = (words.phrase("quiz-made", language, name=views.shown(other)),)
        first = hashlib.sha256(id_.encode()).digest()[0] % 2  # the same each time it is asked
        options = (views.shown(official), views.shown(other))
        said = words.phrase("quiz-pair", language, brand=words.printable(name.label))
        return Question(id_, said, options[:: -1 if first else 1], first, why, self.lessons[0].id, names=True)

    def mark(self, asked: str, given: Mapping[str, str], language: str) -> list[Marked]:
        """asked: ids of questions, with blanks between; given: by id, the place of the option that was chosen."""
        marked: list[Marked] = []
        for each in self.ask(asked[:LONGEST].split(), language):
            chosen = given.get(each.id, "")
            place = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) == 1 else None
            marked.append(Marked(each, place if place is not None and place < len(each.options) else None))
        return marked


def _official(name: ProtectedName | None) -> str:
    """A domain that is theirs for sure; empty where none is."""
    if name is None:
        return ""
    return next((each.domain for each in name.official if each.verified and each.domain.isprintable() and not
                 set("{*,") & set(each.domain)), "")  # fmt: skip
