"""``khien status`` and ``khien doctor``: how a data directory stands, and what is wrong with it."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from khien import words
from khien.app import assembly, checks, configuration, machine
from khien.app.configuration import Site
from khien.cli.sources import line
from khien.contracts import Store
from khien.errors import CustodyError, Error
from khien.model import Finding, Notice, SourceState
from khien.packed import secret
from khien.pipeline import enrol, standing
from khien.triage.enrolment import Enrolment
from khien.words import number, printable


def status(asked: Path | None, format: str, language: str) -> int:
    """How far sources are, how many findings there are, what it takes; answers the exit status."""
    data = machine.place(asked)
    with machine.store(data) as store:
        sources = store.find(SourceState, limit=10_000)
        states = {state: count for (state,), count in store.count(Finding, "state", suppressed=False).items()}
        known = sum(store.count(Finding, suppressed=True).values())
        notices = {state: count for (state,), count in store.count(Notice, "state").items()}
        usage = store.usage()
        waits = _waits(store, language)
    running = machine.running(data)
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
    for each in waits:
        click.echo(f"  {printable(each)}")
    for what, size in sorted(usage.items()):
        click.echo(f"  {printable(what)}: {number(size / 1e6, language, 1)} MB")
    return 0


def doctor(config: Path | None, data: Path | None, deep: bool, language: str) -> int:
    """Checks a configuration and its data directory; a line for all that is wrong, with its cure; 1 if anything is."""
    place, site, problems = data, None, list[str]()
    try:
        made = assembly.load(config)
        place, site = data or made.data, made.site
        problems += checks.unusable(config)
        if config is None and not configuration.CONFIG.exists():
            click.echo(words.phrase("no-config", language))
        else:
            click.echo(words.phrase("config-good", language, count=number(len(made.feeds), language)))
    except Error as error:
        problems += str(error).splitlines()
    if place is not None and machine.is_place(place):
        problems += _wrong(place, site, deep, language)
    elif place is not None:
        click.echo(words.phrase("no-place", language, path=printable(str(place))))
    for each in problems:
        click.echo(printable(each))
    if problems:
        click.echo(words.phrase("doctor-wrong", language, count=number(len(problems), language)))
    elif place is not None and machine.is_place(place):
        click.echo(words.phrase("doctor-well", language))
    return 1 if problems else 0


def _waits(store: Store, language: str) -> list[str]:
    """A line where deliveries were tried and did not go out."""
    tried = [each for each in standing.waiting(store, machine.clock()) if each[0].tries]
    if not tried:
        return []
    why, since = tried[0][0].why, f"{tried[0][1]:%Y-%m-%d %H:%M}"
    return [words.phrase("deliveries-wait", language, count=number(len(tried), language), since=since, why=why)]


def _wrong(place: Path, site: Site | None, deep: bool, language: str) -> list[str]:
    """What is wrong with a data directory, each with its cure."""
    try:
        with machine.store(place) as store:
            troubles = [f"{each.id}: {each.trouble}" for each in store.find(SourceState, limit=10_000) if each.trouble]
            unsigned = [f"{each.constituent.id}: {why}" for each in enrol.everyone(store) for why in _unsigned(each)]
            damage = [f"{each.place}: {each.what}: {each.cure}" for each in store.check(deep=deep)]
            unreachable = checks.unreachable(site, store)
            return [*troubles, *_waits(store, language), *unsigned, *unreachable, *damage]
    except CustodyError as error:
        return [str(error)]


def _unsigned(enrolled: Enrolment) -> Iterator[str]:
    """What keeps notices to a constituent from being signed."""
    for path in sorted({each.secret_file for each in enrolled.constituent.hears if each.secret_file}):
        try:
            secret(path)
        except Error as error:
            yield f"secret_file: {error}"
