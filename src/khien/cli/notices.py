"""``khien notices``: what constituents were told, and what became of it."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from khien import words
from khien.app import machine
from khien.cli.acting import acting
from khien.cli.terminal import shown
from khien.contracts import Store
from khien.errors import InputError
from khien.model import Delivery, Notice, NoticeState, Severity, Step
from khien.pipeline import standing
from khien.pipeline.standing import Asked
from khien.pipeline.steering import Steering
from khien.triage.advice import advice
from khien.triage.decide import is_digest, named
from khien.words import number, printable

SHORTEST = 6  # characters of an id that name a notice


def listed(
    data: Path | None,
    state: NoticeState | None,
    severity: Severity | None,
    constituent: str,
    limit: int,
    format: str,
    language: str,
) -> int:
    """Notices, the newest first; answers the exit status: 1 where there is one."""
    left, found = limit, False
    with machine.store(machine.place(data)) as store:
        asked = Asked(state or "", severity or "", constituent)
        while left:
            page = standing.notices(store, asked, min(left, standing.MOST))
            for each in page.notices:
                found = True
                click.echo(_json(each) if format == "jsonl" else _line(each, page.labels, language))
            left -= len(page.notices)
            if not page.after:
                break
            asked = msgspec.structs.replace(asked, after=page.after)
    if not found and format == "text":
        click.echo(words.page("notices-none", language), err=True)
    return 1 if found else 0


def tell(data: Path | None, reference: str, format: str, language: str) -> int:
    """One notice whole: what it says, where it went, what became of it."""
    with machine.store(machine.place(data)) as store:
        whole = standing.notice(store, one(store, reference).id)
    assert whole is not None  # it was there a moment ago, and notices stay
    click.echo(_json(whole) if format == "jsonl" else "\n".join(_story(whole, language)))
    return 0


def act(data: Path | None, reference: str, act: str, by: str | None, why: str, language: str) -> int:
    """Answers a notice under somebody's name; answers the exit status once it is safely kept."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        name = acting(store, by)
        moved = Steering(store, machine.audit(directory)).answer(one(store, reference).id, act, by=name, why=why)
    state = words.page(f"notice-{moved.state}", language)
    click.echo(words.phrase("notice-moved", language, id=moved.id[:12], state=state))
    return 0


def one(store: Store, reference: str) -> Notice:
    """The notice of an id, or of how its id begins. InputError: there is none, or more than one."""
    if len(reference) < SHORTEST:
        raise InputError(f"{reference!r} is too short: give at least {SHORTEST} characters of the notice's id")
    begins = store.find(Notice, after=reference, limit=2)
    met = [*store.load(Notice, reference).values(), *(each for each in begins if each.id.startswith(reference))]
    if len(met) == 1:
        return met[0]
    many = "more than one notice begins" if met else "no notice begins"
    raise InputError(f"{many} with {reference!r}: khien notices list --format jsonl has whole ids")


def steps(taken: tuple[Step, ...], language: str) -> Iterator[str]:
    """What became of something, a line for each step."""
    for step in taken:
        said = words.page(f"did-{step.act}", language, by=printable(step.by))
        why = "" if step.act in standing.OF_FINDINGS else printable(step.why)
        yield f"  {step.at:%Y-%m-%d %H:%M} UTC  {said} {why}".rstrip()


def deliveries(sent: tuple[Delivery, ...], language: str) -> Iterator[str]:
    """Where something went, a line for each address."""
    for each in sent:
        state = words.page(f"delivery-{each.state}", language)
        said = printable(each.why or each.answer)
        at = f"{each.sent or each.due:%Y-%m-%d %H:%M} UTC"
        yield f"  {at}  {printable(each.channel)} {printable(each.address)}: {state}{f': {said}' if said else ''}"


def _line(notice: Notice, labels: dict[str, str], language: str) -> str:
    severity = words.notice(f"severity-{notice.severity}", language)
    first, *more = map(shown, named(notice))
    about = first if not more else f"{first} {words.page('desk-more', language, count=number(len(more), language))}"
    if is_digest(notice):
        about = f"{words.page('notice-digest', language)}: {about}"
    state = words.page(f"notice-{notice.state}", language)
    label = printable(labels[notice.constituent])
    return f"{notice.id[:12]}  {notice.raised:%Y-%m-%d %H:%M}  {severity:<12}  {label}: {about}  ({state})"


def _story(whole: standing.Whole, language: str) -> Iterator[str]:
    notice = whole.notice
    told = advice(notice, language, standing.ZONE)
    yield _line(notice, {notice.constituent: whole.of.label if whole.of else notice.constituent}, language)
    yield told.headline
    for code, sentences in (("title-seen", told.seen), ("title-why", told.why), ("title-do", told.do)):
        if sentences:
            yield words.notice(code, language)
            yield from (f"  - {printable(each)}" for each in sentences)
    yield words.page("deliveries" if whole.deliveries else "deliveries-gathered", language)
    yield from deliveries(whole.deliveries, language)
    yield from steps(notice.steps, language)
    yield f"  {notice.id}"


def _json(told: msgspec.Struct) -> str:
    return msgspec.json.encode(told).decode()
