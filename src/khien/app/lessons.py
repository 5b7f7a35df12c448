"""The lessons that come with Khiên: what they say, what they ask, and which findings are their cases."""

from functools import cache
from pathlib import Path

import msgspec

from khien.errors import ContractError
from khien.model import Record, Text

FILE = Path(__file__).parents[1] / "data" / "lessons.toml"


class Question(Record, frozen=True, kw_only=True):
    """A question with options, of which one is right; why: that is so."""

    id: str
    text: Text
    options: tuple[Text, ...]
    right: int
    why: Text


class Lesson(Record, frozen=True, kw_only=True):
    """A short lesson. signs: what to look at; steps: what to do; example: made up, for when there is no case.

    sectors, lures: cases are names that imitate somebody of these sectors, or have such a word beside the name.
    """

    id: str
    title: Text
    lead: Text
    signs: tuple[Text, ...]
    steps: tuple[Text, ...]
    example: Text
    sectors: tuple[str, ...] = ()
    lures: tuple[str, ...] = ()
    question: tuple[Question, ...]


class _Lessons(Record, frozen=True, kw_only=True):
    lesson: tuple[Lesson, ...]


@cache
def shipped() -> tuple[Lesson, ...]:
    """All lessons, in the order in which they are told. ContractError: the file does not keep its form."""
    try:
        return msgspec.toml.decode(FILE.read_bytes(), type=_Lessons).lesson
    except msgspec.DecodeError as error:
        raise ContractError(f"{FILE.name}: {error}") from error
