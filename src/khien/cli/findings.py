"""``khien findings``: what was found, and what people decide about it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from khien import canon, words
from khien.app import machine, registers
from khien.cli.acting import acting
from khien.cli.table import sentence
from khien.cli.terminal import shown
from khien.contracts import Store
from khien.errors import InputError, ObservableError
from khien.model import Finding, Reason
from khien.pipeline.steering import Steering
from khien.pipeline.warn import Triage
from khien.words import number, printable

_PAGE = 500  # findings read at a time


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which findings the command line asks for."""

    states: tuple[str, ...]
    brand: str | None
    min_score: float
    suppressed: bool
    newest: bool
    limit: int


def show(data: Path | None, wanted: Wanted, format: str, language: str) -> int:
    """Lists findings, the strongest or newest first; answers the exit status."""
    with machine.store(machine.place(data)) as store:
        found = False
        for finding in _matching(store, wanted):
            found = True
            click.echo(_line(finding) if format == "jsonl" else _told(finding, language))
        anything = found or any(store.count(Finding).values())
    if not found and format == "text":
        click.echo(words.phrase("no-match" if anything else "no-findings", language), err=True)
    return 1 if found else 0


def tell(data: Path | None, reference: str, format: str, language: str) -> int:
    """One finding whole."""
    with machine.store(machine.place(data)) as store:
        finding = one(store, reference)
    if format == "jsonl":
        click.echo(_line(finding))
    else:
        click.echo("\n".join(_story(finding, language)))
    return 0


def act(data: Path | None, reference: str, act: str, by: str | None, why: str, language: str) -> int:
    """Takes a step with a finding, under somebody's name; answers the exit status once it is safely kept."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        name = acting(store, by)
        names = {each.id: each for each in registers.protected(None).names}  # as the desk weighs it
        steering = Steering(store, machine.audit(directory), Triage(protected=names))
        moved = steering.move(one(store, reference).id, act, by=name, why=why)
    named = {"domain": shown(moved.subject), "state": words.phrase(f"state-{moved.state}", language)}
    click.echo(words.phrase("moved", language, **named))
    return 0


def _matching(store: Store, wanted: Wanted) -> Iterator[Finding]:
    equal: dict[str, Any] = {"claim": wanted.brand} if wanted.brand else {}
    if wanted.states:
        equal["state"] = wanted.states
    if not wanted.suppressed:
        equal["suppressed"] = False
    left, after = wanted.limit, ""
    while left:
        page = store.find(
            Finding, order="-day" if wanted.newest else "-score", after=after, limit=min(left, _PAGE), **equal
        )
        for finding in page:
            if finding.score >= wanted.min_score:
                yield finding
                left -= 1
            elif not wanted.newest:
                return
        if not page:
            return
        after = page[-1].id


def one(store: Store, reference: str) -> Finding:
    """The finding of an id, or the only one about a name. InputError: there is none, or more than one."""
    if reference in (met := store.load(Finding, reference)):
        return met[reference]
    about = store.find(Finding, subject=reference, limit=20)
    if not about:
        with suppress(ObservableError):  # as khien check takes it: a URL, a mail address, defanged
            reference = canon.host_of(reference)
        about = store.find(Finding, subject=reference.lower().removesuffix("."), limit=20)
    if len(about) == 1:
        return about[0]
    if not about:
        raise InputError(f"no finding has the id or the name {reference}: khien findings --format jsonl lists them")
    ids = ", ".join(f"{each.id} ({each.claim})" for each in about)
    raise InputError(f"{len(about)} findings are about {reference}, say which by its id: {ids}")


def _line(finding: Finding) -> str:
    """A finding as JSON, its reasons also as sentences."""
    said = {
        language: [words.reason(each.code, each.params, language) for each in finding.reasons]
        for language in words.LANGUAGES
    }
    return msgspec.json.encode(msgspec.to_builtins(finding) | {"sentences": said}).decode()


def _told(finding: Finding, language: str) -> str:
    day = f"{finding.day:%Y-%m-%d}"
    state = words.phrase(f"state-{finding.state}", language)
    known = f", {words.phrase('known', language)}" if finding.suppressed else ""
    score = number(finding.score, language, 2)
    line = f"{score}  {day}  {printable(finding.claim):<16}  {shown(finding.subject)}  ({state}{known})"
    if finding.start is None or "packets" not in finding.measures:
        return line
    vectors = ", ".join(words.technique(each, language) for each in finding.techniques)
    since, until = (f"{at:%H:%M:%S}" for at in (finding.start, finding.end or finding.start))
    rate = number(finding.measures["packets"], language)
    return f"{line}  {words.phrase('flood-told', language, vectors=vectors, rate=rate, since=since, until=until)}"


def _story(finding: Finding, language: str) -> Iterator[str]:
    yield _told(finding, language)
    yield from (f"  - {_said(each, language)}" for each in finding.reasons)
    for step in finding.steps:
        act = words.phrase(f"act-{step.act}", language)
        why = f": {printable(step.why)}" if step.why else ""
        yield f"  {step.at:%Y-%m-%d %H:%M} UTC  {act}, {printable(step.by)}{why}"
    yield f"  {finding.id}"


def _said(reason: Reason, language: str) -> str:
    return sentence((reason.code, tuple(reason.params.items())), language)
