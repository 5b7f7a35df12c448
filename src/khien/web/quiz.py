"""Questions to try oneself: some of the lessons, some made from a name and what imitates it. Nothing of an answer is
kept: a question is found again by its id."""

import hashlib
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from khien import words
from khien.app.lessons import Lesson
from khien.model import Finding, ProtectedName
from khien.names.owners import registrable
from khien.web import views

PAIRS, OF_LESSONS = 4, 6  # questions of each kind
LONGEST = 2_000  # characters of ids that are read

_PATTERN = frozenset("{*,")  # characters of what stands for several domains
_WORD = re.compile(r"[0-9]*|(?=.*[aeiouy])[a-z]{2,10}[0-9]*")  # may stand beside the name: digits, or it can be read
_SEEN = frozenset(
    "combosquat tld-swap omission insertion repetition substitution transposition hyphenation ascii-lookalike".split()
)
_UNSEEN = frozenset("two-edits short-word homoglyph mixed-script inside-word campaign bitsquat".split())
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
        """The ids of so many questions, of each kind, in an order; of names that are imitated one for each at most."""
        chance = random.Random(seed)
        of_lessons = [each.id for lesson in self.lessons for each in lesson.question]
        cases: dict[str, list[str]] = {}  # by the name that they imitate
        for each in self.cases:
            if _official(self.names.get(each.claim)) and _teaches(each):
                cases.setdefault(each.claim, []).append(f"{_CASE}{each.id}")
        imitated = chance.sample([*cases], min(len(cases), PAIRS))
        made = [each.id for each in self.names.values() if each.id not in imitated and _official(each)]
        pairs = [chance.choice(cases[each]) for each in imitated]
        pairs += [f"{_MADE}{each}" for each in chance.sample(made, min(len(made), PAIRS - len(pairs)))]
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
    """A domain that is theirs for sure and reads so: its label is their id or a word of theirs; empty where none is."""
    if name is None:
        return ""
    theirs = {_plain(each) for each in (name.id, *name.words, *name.short)}
    sure = (each.domain for each in name.official if each.verified and not _PATTERN & {*each.domain})
    return next((each for each in sure if each.isprintable() and _plain(_label(each)) in theirs), "")


def _label(name: str) -> str:
    """What its owner chose of a name."""
    return registrable(name).partition(".")[0]


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word.casefold()))


def _teaches(case: Finding) -> bool:
    """Whether one can see by looking how a name imitates: a word or another ending is added, or one letter is other."""
    codes = {*case.techniques, *(each.code for each in case.reasons)}
    label = _label(case.subject)
    begin, end = case.span or (0, 0)
    begin, end = (each - case.subject.find(label) for each in (begin, end))
    if not codes & _SEEN or codes & _UNSEEN or not label.isascii() or not 0 <= begin < end <= len(label):
        return False
    beside = f"{label[:begin]}-{label[end:]}"
    lures = {lure for each in case.reasons for lure in each.params.get("lures", "").split(", ") if lure}
    for lure in sorted(lures, key=len, reverse=True):
        beside = beside.replace(lure, "-")
    hung = {label[begin - 1 : begin], label[end : end + 1]}  # what stands at the name without a hyphen is no word
    whole = not any(each.isalpha() for each in hung) or not any(map(str.isalpha, beside))
    return whole and all(_WORD.fullmatch(each) for each in beside.split("-"))
