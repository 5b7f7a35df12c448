"""The lessons that come with Khiên: short, in both languages, each question with one right answer."""

import re
from collections.abc import Iterator

import pytest

from khien import words
from khien.app import lessons, registers
from khien.model import Text
from khien.web import quiz

LONGEST = 20  # words of a sentence
LESSONS = lessons.shipped()


def texts() -> Iterator[Text]:
    for lesson in LESSONS:
        yield from (lesson.title, lesson.lead, lesson.example, *lesson.signs, *lesson.steps)
        for question in lesson.question:
            yield from (question.text, question.why, *question.options)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_sentences_are_short_and_call_nothing_safe(language: str) -> None:
    for text in texts():
        said = text.said(language)
        assert said == said.strip() != ""
        assert not re.search(r"\bsafe\b|\bharmless\b|an toàn|vô hại", said, re.IGNORECASE)
        assert "http" not in said
        for sentence in re.split(r"[.:?!…]\s", said):
            assert len(sentence.split()) <= LONGEST, sentence


def test_lessons_name_pages_that_there_are() -> None:
    """On paper there is no “this site”, and a page is called what the site calls it."""
    there = {words.page(f"nav-{each}", language) for each in ("check", "help") for language in ("vi", "en")}
    for text in texts():
        for said in (text.vi, text.en):
            assert not re.search("tra cứu|this site|của trang này|the (help|check) page", said.lower())
            if re.search("trang Khiên|the Khiên site", said):
                assert there & set(re.findall("“([^”]+)”", said)), said


def test_both_languages_say_something_of_their_own() -> None:
    assert all(text.vi != text.en for text in texts())


def test_a_question_has_one_right_answer_and_an_id_of_its_own() -> None:
    questions = [each for lesson in LESSONS for each in lesson.question]
    assert len({each.id for each in questions}) == len(questions) >= quiz.OF_LESSONS
    for each in questions:
        assert re.fullmatch("[a-z-]{2,40}", each.id)
        assert 0 <= each.right < len(each.options) <= 9
        assert len({option.en for option in each.options}) == len(each.options)
    assert len({each.right for each in questions}) > 1  # who always takes the same does not win


def test_every_lesson_has_a_question_and_a_place_of_its_own() -> None:
    assert 6 <= len(LESSONS) <= 10
    assert len({each.id for each in LESSONS}) == len(LESSONS)
    for each in LESSONS:
        assert each.question
        assert re.fullmatch("[a-z]+", each.id)
        assert each.id not in ("quiz", "kit")  # pages beside them


def test_cases_are_of_sectors_that_there_are() -> None:
    sectors = {each.sector for each in registers.load(None).names}
    assert {sector for each in LESSONS for sector in each.sectors} <= sectors


def test_what_is_made_up_belongs_to_nobody() -> None:
    for text in texts():
        for said in (text.vi, text.en):
            assert all(name.endswith("[.]example") for name in re.findall(r"[\w.-]+\[\.\]\w+", said))
