"""``khien officers``: who works here, and what lets them in."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from khien import officers, words
from khien.app import machine
from khien.cli.acting import acting
from khien.model import Officer, Role
from khien.pipeline.steering import Staffing
from khien.words import printable


def show(data: Path | None, format: str, language: str) -> int:
    """Lists the officers; answers the exit status."""
    with machine.store(machine.place(data)) as store:
        found = officers.every(store)
    for each in found:
        click.echo(_line(each) if format == "jsonl" else _told(each, language))
    if not found and format == "text":
        click.echo(words.phrase("officer-none", language), err=True)
    return 0


def invite(data: Path | None, id: str, role: Role | None, label: str, anew: bool, by: str | None, language: str) -> int:
    """Invites somebody, and prints the code this once."""
    with _staffing(data, by) as (staffing, name):
        code = staffing.invite(id, by=name, label=label, role=role, anew=anew)
    click.echo(words.phrase("officer-invited", language, name=id, secret=code, lang=language))
    return 0


def grant(data: Path | None, id: str, role: Role, by: str | None, language: str) -> int:
    """Gives an officer another role."""
    with _staffing(data, by) as (staffing, name):
        staffing.grant(id, role, by=name)
    click.echo(words.phrase("officer-changed", language, name=id, role=words.page(f"role-{role}", language)))
    return 0


def leave(data: Path | None, id: str, by: str | None, language: str) -> int:
    """Lets an officer go."""
    with _staffing(data, by) as (staffing, name):
        staffing.leave(id, by=name)
    click.echo(words.phrase("officer-left", language, name=id))
    return 0


@contextmanager
def _staffing(data: Path | None, by: str | None) -> Generator[tuple[Staffing, str], None, None]:
    """What changes officers, and under whose name."""
    directory = machine.place(data)
    audit = machine.audit(directory)
    with machine.store(directory) as store:
        yield Staffing(store, audit), acting(store, by)


def _line(officer: Officer) -> str:
    """An officer as JSON, without what lets them in."""
    told = {"id": officer.id, "label": officer.label, "role": officer.role, "passkeys": len(officer.passkeys)}
    return msgspec.json.encode(told | {"invited_until": officer.invited_until, "left": officer.left}).decode()


def _told(officer: Officer, language: str) -> str:
    line = words.phrase(
        *("officer-line", language),
        id=officer.id, role=words.page(f"role-{officer.role}", language),
        passkeys=str(len(officer.passkeys)), label=printable(officer.label),
    )  # fmt: skip
    if officer.left:
        return f"{line}  {words.phrase('officer-gone', language, at=f'{officer.left:%Y-%m-%d %H:%M}')}"
    if officer.invited_until:
        return f"{line}  {words.phrase('officer-waits', language, until=f'{officer.invited_until:%Y-%m-%d %H:%M}')}"
    return line
