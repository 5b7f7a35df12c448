"""``khien contacts``: whom the help pages send people to, and what they are told to do."""

from pathlib import Path

import click
import msgspec

from khien import words
from khien.app import guides, machine
from khien.app.configuration import CONFIG, People, document
from khien.errors import ConfigError
from khien.formats.guide.records import Contact, Contacts
from khien.words import printable


def show(format: str, language: str) -> int:
    """Lists the contacts in use; answers the exit status: 1 where some are to be checked."""
    contacts = guides.load(_configured()).contacts
    for each in contacts.contact:
        click.echo(_line(each, contacts) if format == "jsonl" else _told(each, contacts, language))
    return _doubtful(contacts)


def check(file: Path, plans: bool, language: str) -> int:
    """Reads a file as the site would; answers the exit status, 1 where contacts are to be checked. FormatError: it
    does not keep its form."""
    draft = guides.draft(file, plans)
    if plans:
        counts = {"count": str(len(draft.plans.plan)), "letters": str(len(draft.plans.letter))}
        click.echo(words.phrase("plans-good", language, path=printable(str(file)), **counts))
        return 0
    click.echo(
        words.phrase("contacts-good", language, path=printable(str(file)), count=str(len(draft.contacts.contact)))
    )
    for each in draft.contacts.contact:
        if _standing(each, draft.contacts) in ("stale", "unconfirmed"):
            click.echo(_told(each, draft.contacts, language))
    return _doubtful(draft.contacts)


def sign(file: Path, plans: bool, data: Path | None, language: str) -> int:
    """Signs a file that keeps its form; prints the key to hold it to."""
    directory = machine.named(data)
    note, verifier = guides.sign(file, plans, machine.key(directory, guides.KEY))
    click.echo(words.phrase("contacts-signed", language, path=printable(str(note))), err=True)
    click.echo(verifier)
    return 0


def _configured() -> People:
    """What khien.toml says of the pages for people, with its paths as seen from here."""
    given = document(CONFIG)[1].get("people", {}) if CONFIG.exists() else {}
    try:
        return msgspec.convert(given, People)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{CONFIG}: people: {error}: khien doctor says where") from error


def _standing(contact: Contact, contacts: Contacts) -> str:
    return contacts.standing(contact, machine.clock().date())


def _doubtful(contacts: Contacts) -> int:
    return int(any(_standing(each, contacts) in ("stale", "unconfirmed") for each in contacts.contact))


def _line(contact: Contact, contacts: Contacts) -> str:
    return msgspec.json.encode({**msgspec.to_builtins(contact), "standing": _standing(contact, contacts)}).decode()


def _told(contact: Contact, contacts: Contacts, language: str) -> str:
    day = words.day(str(contact.checked or ""), language)
    standing = words.phrase(f"contact-{_standing(contact, contacts)}", language, day=day)
    reached = contact.phone or contact.url or "-"
    return f"{contact.id:<16}  {printable(reached):<40}  {standing:<24}  {printable(contact.label.said(language))}"
