"""What several commands take: their options, and how what is given is read."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from khien.cli.terminal import language
from khien.words import LANGUAGES

SEVERITIES = ("low", "medium", "high", "critical")  # model.Severity


def text(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
    """A callback: what is not UTF-8 can neither be kept nor shown."""
    try:
        (given or "").encode()
    except UnicodeEncodeError as error:
        raise click.BadParameter("is not UTF-8") from error
    return given


def texts(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The same for an option that may be repeated."""
    return tuple(text(context, parameter, each) or "" for each in given)


def number(_context: click.Context, _parameter: click.Parameter, score: float) -> float:
    """A callback: a range of click's lets nan through."""
    if score != score:  # lies in every range, and nothing is above it
        raise click.BadParameter("nan is no number")
    return score


class Span(click.ParamType[timedelta]):
    """A span of time as ISO 8601 writes it."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        import msgspec

        try:
            return msgspec.convert(value, timedelta)
        except msgspec.ValidationError:
            return self.fail(
                f"{value!r} is no span of time: write PT4H for four hours, PT30M for thirty minutes", param, ctx
            )


data = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Directory everything is kept in. Default: khien.toml's, else ./khien-data.",
)
protect = click.option(
    "--protect",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Register of protected names (TOML), or one that Khiên ships: vn (the default), world.",
)
by = click.option("--by", metavar="NAME", callback=text, help="Who decides. Default: who is logged in.")
why = click.option("--why", default="", callback=text, help="The reason; the audit keeps it.")
limit = click.option("--limit", type=click.IntRange(1), default=50, metavar="N", help="At most N. Default: 50.")
text_or_jsonl = click.option("--format", type=click.Choice(("text", "jsonl")), default="text", help="Default: text.")
lang = click.option(
    "--lang",
    "language",
    type=click.Choice(LANGUAGES),
    callback=lambda _context, _parameter, asked: language(asked),
    help="Language for people. Default: that of the environment.",
)
