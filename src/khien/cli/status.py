"""``khien status`` and ``khien doctor``: how a data directory stands, and what is wrong with it."""

from pathlib import Path

import click
import msgspec

from khien import app, words
from khien.cli.sources import line
from khien.errors import CustodyError, Error
from khien.model import Finding, Notice, SourceState
from khien.pipeline.collect import Feed
from khien.sources.files import STANDARD_INPUT, Files
from khien.words import number, printable


def status(asked: Path | None, format: str, language: str) -> int:
    """How far sources are, how many findings there are, what it takes; answers the exit status."""
    data = app.place(asked)
    with app.store(data) as store:
        sources = store.find(SourceState, limit=10_000)
        states = {state: count for (state,), count in store.count(Finding, "state", suppressed=False).items()}
        known = sum(store.count(Finding, suppressed=True).values())
        notices = {state: count for (state,), count in store.count(Notice, "state").items()}
        usage = store.usage()
    running = app.running(data)
    if format == "json":
        told = {
            "data": str(data), "running": running, "sources": sources,
            "findings": states, "suppressed": known, "notices": notices, "bytes": usage,
        }  # fmt: skip
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
        return 0
    pid = words.phrase("running", language, pid=str(running)) if running else words.phrase("not-running", language)
    click.echo(f"{printable(str(data))}: {pid}")
    for each in sources:
        click.echo(f"  {line(each, language)}")
    named = (f"{words.phrase(f'state-{state}', language)} {number(n, language)}" for state, n in sorted(states.items()))
    total, hidden = number(sum(states.values()), language), number(known, language)
    click.echo("  " + words.phrase("findings-state", language, count=total, states=", ".join(named), known=hidden))
    if notices:
        told = (
            f"{words.page(f'notice-{state}', language)} {number(n, language)}" for state, n in sorted(notices.items())
        )
        every = number(sum(notices.values()), language)
        click.echo("  " + words.phrase("notices-state", language, count=every, states=", ".join(told)))
    for what, size in sorted(usage.items()):
        click.echo(f"  {printable(what)}: {number(size / 1e6, language, 1)} MB")
    return 0


def doctor(config: Path | None, data: Path | None, deep: bool, language: str) -> int:
    """Checks a configuration and its data directory; a line for all that is wrong, with its cure; 1 if anything is."""
    place, problems = data, list[str]()
    try:
        made = app.load_config(config)
        place = data or made.data
        problems += [f"{feed.name}: {path}: there is no such file" for feed in made.feeds for path in _missing(feed)]
        if config is None and not app.CONFIG.exists():
            click.echo(words.phrase("no-config", language))
        else:
            click.echo(words.phrase("config-good", language, count=number(len(made.feeds), language)))
    except Error as error:
        problems += str(error).splitlines()
    if place is not None and app.is_place(place):
        problems += _wrong(place, deep)
    elif place is not None:
        click.echo(words.phrase("no-place", language, path=printable(str(place))))
    for each in problems:
        click.echo(printable(each))
    if problems:
        click.echo(words.phrase("doctor-wrong", language, count=number(len(problems), language)))
    elif place is not None and app.is_place(place):
        click.echo(words.phrase("doctor-well", language))
    return 1 if problems else 0


def _missing(feed: Feed) -> list[str]:
    """The files of a source that are not there."""
    if not isinstance(feed.source, Files):
        return []
    return [path for path in feed.source.paths if path != STANDARD_INPUT and not Path(path).exists()]


def _wrong(place: Path, deep: bool) -> list[str]:
    """What is wrong with a data directory, each with its cure."""
    try:
        with app.store(place) as store:
            standing = [f"{each.id}: {each.trouble}" for each in store.find(SourceState, limit=10_000) if each.trouble]
            return [*standing, *(f"{each.place}: {each.what}: {each.cure}" for each in store.check(deep=deep))]
    except CustodyError as error:
        return [str(error)]
