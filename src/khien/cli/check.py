"""``khien check``: what is answered to a question, as the site answers it."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from khien import words
from khien.app import machine, registers
from khien.messages import question
from khien.pipeline import asked, telling
from khien.pipeline.asked import Asked
from khien.pipeline.linked import Judges
from khien.pipeline.telling import Told, shown


class Settings(NamedTuple):
    """The options of the command."""

    sender: str
    about: question.About | None
    data: Path | None
    protect: Path | None
    format: str
    language: str


def check(text: str, settings: Settings) -> int:
    """Answers the exit status. ObservableError: there is nothing to ask about in text."""
    if text == "-":
        text = sys.stdin.buffer.read(4 * question.LONGEST + 1).decode(errors="replace")
    judges = _judges(settings.protect)
    place = machine.named(settings.data)
    with ExitStack() as stack:
        store = stack.enter_context(machine.store(place)) if machine.is_place(place) else None
        given = Asked(text, settings.sender, settings.about or "")
        told = telling.told(asked.answer(given, judges, store, machine.clock()))
    if settings.format == "text":
        click.echo("\n".join(_lines(told, settings.language)))
    else:
        click.echo(msgspec.json.encode(told))
    return 1 if told.verdict.endswith("harmful") else 0


def _judges(protect: Path | None) -> Judges:
    names = registers.lookalike(protect)
    lure = registers.lure(names.register)
    return Judges(names, lure, {each.id: each for each in names.register.names}, lure.used)


def _lines(told: Told, language: str) -> Iterator[str]:
    """For people. A name in which nothing was found may still do harm, and is never called safe."""
    headline, certainty = told.said[language]
    yield f"{headline}: {shown(told.subject)}" if told.subject else headline
    yield from (f"  - {each}" for each in told.reasons[language])
    if told.verdict == "nothing":
        yield words.phrase("asked-nothing-is", language)
    yield certainty
    yield f"{words.phrase('asked-do', language)}:"
    yield from (f"  - {each}" for each in told.advice[language])
