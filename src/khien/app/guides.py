"""What to do and whom to turn to: the files that come with Khiên, or those in their place that somebody signed."""

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien.app import machine
from khien.app.configuration import People
from khien.errors import ConfigError, Error, FormatError, UnavailableError
from khien.formats.guide import reading, signing
from khien.formats.guide.records import Contacts, Plans
from khien.ledger import LARGEST_NOTE, Signer
from khien.packed import advice, refusal

FOLDER = Path(__file__).parents[1] / "data"
CONTACTS, PLANS = FOLDER / "contacts-vn.toml", FOLDER / "help-vn.toml"
NOTE = ".note"  # behind the name of a file: what signs it
KEY = "contacts"  # the key of the house that signs, among those of a data directory


class Guide(NamedTuple):
    """What pages tell people. signer: whose key the contacts are signed with; empty for those that come with Khiên."""

    contacts: Contacts
    plans: Plans
    signer: str = ""


@cache
def shipped() -> Guide:
    """What comes with Khiên: held to its form by tests, and signed by whoever signs Khiên."""
    contacts = reading.parse_contacts(_read(CONTACTS), CONTACTS.name)
    return Guide(contacts, reading.parse_plans(_read(PLANS), PLANS.name, contacts))


def load(people: People) -> Guide:
    """What a configuration asks for. ConfigError: a file is not there, not signed with its key, or does not keep its
    form: with the cure."""
    ours = shipped()
    if not people.contacts and not people.plans:
        return ours
    key = people.contacts_key
    try:
        contacts, signer = ours.contacts, ""
        if people.contacts:
            contacts = reading.parse_contacts(_held(people.contacts, key), people.contacts, _latest())
            if not people.plans:
                contacts = reading.held(contacts, ours.plans, people.contacts)
            signer = key.partition("+")[0]
        document = _held(people.plans, key) if people.plans else _read(PLANS)
        plans = reading.parse_plans(document, people.plans or PLANS.name, contacts)
    except (FormatError, UnavailableError) as error:
        raise ConfigError(str(error)) from error
    return Guide(contacts, plans, signer)


def draft(file: Path, plans: bool) -> Guide:
    """What a file would say in the place of ours, signed or not. FormatError: all that is wrong with it."""
    return _drafted(file, _read(file), plans)


def _drafted(file: Path, document: bytes, plans: bool) -> Guide:
    ours = shipped()
    if plans:
        return ours._replace(plans=reading.parse_plans(document, str(file), ours.contacts))
    contacts = reading.parse_contacts(document, str(file), _latest())
    return ours._replace(contacts=reading.held(contacts, ours.plans, str(file)))


def sign(file: Path, plans: bool, key: bytes) -> tuple[Path, str]:
    """Signs a file that keeps its form (key: Ed25519, its private half); answers its note, and the key to hold it to.

    FormatError: as draft. UnavailableError: the note cannot be written.
    """
    document = _read(file)
    _drafted(file, document, plans)
    signer = Signer("contacts", Ed25519PrivateKey.from_private_bytes(key))
    note = file.with_name(file.name + NOTE)
    try:
        note.write_bytes(signing.sign(document, signer))
    except OSError as error:
        raise UnavailableError(f"{note}: {refusal(error)}") from error
    return note, signer.verifier


def _held(file: str, verifier: str) -> bytes:
    """What a file holds, if it is what its note signs."""
    path = Path(file)
    if not verifier:
        raise ConfigError(f"{path}: people.contacts_key is not set: give the key that khien contacts sign prints")
    document, note = _read(path), path.with_name(path.name + NOTE)
    try:
        signing.verify(document, _read(note, LARGEST_NOTE), verifier)
    except Error as error:
        cure = "put back what was signed, or sign it with khien contacts sign"
        raise ConfigError(f"{path}: {error}: {cure}") from error
    return document


def _latest() -> date:
    """The last day that has begun somewhere."""
    return machine.clock().date() + timedelta(days=1)


def _read(path: Path, most: int = reading.LARGEST) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{path}: {advice(error)}") from error
