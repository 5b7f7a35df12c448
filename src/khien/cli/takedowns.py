"""``khien takedown``: harmful sites on their way to be gone, and for how many hours each was up."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from khien import words
from khien.app import machine
from khien.cli import findings
from khien.cli.acting import acting
from khien.cli.notices import deliveries, steps
from khien.cli.terminal import shown
from khien.contracts import Store
from khien.errors import InputError
from khien.model import Takedown, TakedownState
from khien.pipeline import standing
from khien.pipeline.steering import Steering
from khien.words import printable


def listed(data: Path | None, state: TakedownState | None, limit: int, format: str, language: str) -> int:
    """Takedowns; answers the exit status: 1 where there is one."""
    with machine.store(machine.place(data)) as store:
        found = standing.takedowns(store, state or "", limit=limit).takedowns
    for each in found:
        click.echo(_json(each) if format == "jsonl" else _line(each, language))
    if not found and format == "text":
        click.echo(words.page("takedowns-none", language), err=True)
    return 1 if found else 0


def tell(data: Path | None, reference: str, format: str, language: str) -> int:
    """One takedown whole: when the site was up, to whom it was reported."""
    with machine.store(machine.place(data)) as store:
        pursued = standing.takedown(store, one(store, reference).id)
    assert pursued is not None  # it was there a moment ago, and takedowns stay
    click.echo(_json(pursued) if format == "jsonl" else "\n".join(_story(pursued, language)))
    return 0


def begin(data: Path | None, reference: str, by: str | None, language: str) -> int:
    """Begins to have taken down what a finding is about."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        name = acting(store, by)
        begun = Steering(store, machine.audit(directory)).begin(findings.one(store, reference).id, by=name)
    return _moved(begun, language)


def close(data: Path | None, reference: str, by: str | None, why: str, language: str) -> int:
    """Ends a takedown."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        name = acting(store, by)
        closed = Steering(store, machine.audit(directory)).close(one(store, reference).id, by=name, why=why)
    return _moved(closed, language)


def one(store: Store, reference: str) -> Takedown:
    """The takedown of a finding's id, or the only one of a host. InputError: there is none, or more than one."""
    if reference in (met := store.load(Takedown, reference)):
        return met[reference]
    found = store.find(Takedown, subject=reference.replace("[.]", ".").lower(), limit=2)
    if len(found) == 1:
        return found[0]
    many = "more than one takedown is" if found else "no takedown is"
    raise InputError(f"{many} of {reference}: khien takedown list --format jsonl has their ids")


def _moved(takedown: Takedown, language: str) -> int:
    state = words.page(f"takedown-{takedown.state}", language)
    click.echo(words.phrase("moved", language, domain=shown(takedown.subject), state=state))
    return 0


def _line(takedown: Takedown, language: str) -> str:
    hours = words.page("hours", language, hours=words.short(takedown.hours_up(machine.clock()), language))
    state = words.page(f"takedown-{takedown.state}", language)
    return f"{hours:>10}  {takedown.up:%Y-%m-%d %H:%M}  {shown(takedown.subject)}  ({state})"


def _story(pursued: standing.Pursued, language: str) -> Iterator[str]:
    takedown = pursued.takedown
    yield _line(takedown, language)
    unit, site = (words.page(f"{what}-{getattr(takedown, what)}", language) for what in ("unit", "site"))
    yield f"  {unit}, {site}"
    if pursued.ours:
        yield words.page("takedown-ours", language)
    yield words.page("takedown-spells", language)
    for up, gone in takedown.spells:
        until = f"{gone:%Y-%m-%d %H:%M} UTC" if gone else words.page("takedown-still", language)
        yield f"  {up:%Y-%m-%d %H:%M} UTC - {until}"
    yield words.page("takedown-reports", language)
    for each in takedown.reports:
        role = words.page(f"contact-{each.role}", language)
        yield f"  {each.at:%Y-%m-%d %H:%M} UTC  {role}, {printable(each.address)}"
    if why := _waits(takedown):
        yield words.page(why, language, at=f"{takedown.due:%Y-%m-%d %H:%M}")
    yield from deliveries(pursued.deliveries, language)
    yield from steps(takedown.steps, language)
    yield f"  {takedown.id}"


def _waits(takedown: Takedown) -> str:
    """The phrase for what a takedown waits for; empty where it does not."""
    if takedown.state == "reported":
        return "takedown-again"
    if takedown.state not in ("asked", "back"):
        return ""
    return "takedown-nobody" if takedown.due > takedown.steps[-1].at else "takedown-unasked"


def _json(told: msgspec.Struct) -> str:
    return msgspec.json.encode(told).decode()
