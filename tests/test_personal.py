"""Each field about a person has a type, a purpose and an expiry: DESIGN.md, section 8. New ones do not creep in."""

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_type_hints

import msgspec
import pyarrow as pa

import khien
from khien import schema
from khien.model import Personal, Record

# Words in the names of fields under which something about a person would stand.
_WORDS = r"""address(es)?|e?mails?|phones?|tel|contacts?|names?|labels?|notes?|persons?|people|officers?|users?|by
|owners?|logins?|clients?|senders?|recipients?|reporters?|authors?|callers?|born|birth|gender|citizens?|accounts?"""
OF_RECORDS = re.compile(rf"(?:.*_)?(?:{_WORDS})(?:_.*)?", re.VERBOSE)
OF_TABLES = re.compile(rf"(?:.*_)?(?:{_WORDS}|sources?|targets?|devices|subject)(?:_.*)?", re.VERBOSE)

RECORDS = {  # fields that sound so and are about no person, and why
    "khien.app.configuration.Config.people": "settings of pages",
    "khien.app.configuration.People.contacts": "a path: of offices and helplines",
    "khien.app.configuration.People.contacts_key": "the public key of who signs them",
    "khien.app.configuration.Serving.people": "settings of pages",
    "khien.app.configuration.Site.contact": "of the house that runs Khiên, as it wishes to be written to",
    "khien.channels.mail.post.Post.sender": "the house's own address",
    "khien.channels.mail.post.Post.user": "the house's own account at its mail server",
    "khien.cli.listings.Proposal.note": "a document's, while it is read: kept as Listing.note",
    "khien.formats.constituents._Table.label": "a document's, while it is read: kept as Constituent.label",
    "khien.formats.constituents._Table.note": "a document's, while it is read: kept as Constituent.note",
    "khien.formats.constituents._Table.mail_domains": "domains",
    "khien.formats.guide.records.Blank.label": "what is asked for in a letter; what is filled in stays in the browser",
    "khien.formats.guide.records.Blank.name": "of a blank in a letter",
    "khien.formats.guide.records.Contact.label": "of an office or helpline",
    "khien.formats.guide.records.Contact.note": "about an office or helpline",
    "khien.formats.guide.records.Contact.phone": "of an office or helpline, as it publishes it",
    "khien.formats.guide.records.Contacts.contact": "offices and helplines",
    "khien.formats.guide.records.Letter.label": "of a letter that readers fill in",
    "khien.model.Collection.label": "of what leaked: a service, not a person",
    "khien.model.Constituent.note": "of officers, about an organisation; forgotten when it leaves",
    "khien.model.Domain.note": "about a domain",
    "khien.model.Intake.accounts": "how many",
    "khien.model.Listing.note": "of officers, about what a site does, for everybody",
    "khien.model.Pass.label": "what a token is for",
    "khien.model.Passkey.label": "what an officer calls a thing of theirs",
    "khien.model.ProtectedName.contacts": "where the public reaches an organisation",
    "khien.model.ProtectedName.label": "of a brand or service; a person enters only by their own wish",
    "khien.model.Register.names": "protected names",
}
TABLES = {
    "NAMES.name": "of a domain, as certificates and registries publish it",
    "CERTIFIED.name": "of a domain, as certificates publish it",
    "EVIDENCE.subject": "a host, or the address of one that serves others",
    "FINDINGS.subject": "a host, an attacked address, or the SHA-256 of a masked message",
    "FLOWS.source": "never lands: folded into counts while it is read",
    "FLOWS.source_port": "never lands",
    "FLOWS.target": "never lands",
    "FLOWS.target_port": "never lands",
    "HASHED.account": "never lands: keyed; found again by who has the key and the address",
    "LEAKED.account": "never lands: read, hashed and forgotten",
    "CREDENTIALS.account": "never lands in a table: the VOPRF output, in files of accounts until the collection's day",
    "MAIL_DOMAINS.name": "never lands: a domain",
    "MESSAGES.sender": "never lands: a number is masked, and a name is what the sender says of itself",
    "SENDERS.source": "never lands: of an open attack, its heaviest senders, named in the finding",
    "SENDERS.devices": "never lands: of our own networks, those that take part in an attack",
}


def records() -> list[type[Record]]:
    """Every record there is."""
    for module in pkgutil.walk_packages(khien.__path__, "khien."):
        importlib.import_module(module.name)
    return [each for each in below(Record) if each.__module__.startswith("khien.")]


def below(kind: type[Record]) -> Iterator[type[Record]]:
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


def undeclared(kinds: Iterable[type[Record]]) -> set[str]:
    """Fields that sound as if they were about a person, and do not say what for and until when."""
    found = set[str]()
    for kind in kinds:
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            told = getattr(hints[field.name], "__metadata__", ())
            if OF_RECORDS.fullmatch(field.name) and not any(says(each) for each in told):
                found.add(f"{kind.__module__}.{kind.__qualname__}.{field.name}")
    return found


def says(annotation: object) -> bool:
    return isinstance(annotation, Personal) and bool(annotation.purpose.strip() and annotation.until.strip())


def columns(name: str, kind: Any) -> Iterator[str]:
    """The columns of a table, those inside others among them, as ``TABLE.column``."""
    for field in kind:
        yield f"{name}.{field.name}"
        inner = field.type
        while pa.types.is_list(inner) or pa.types.is_fixed_size_list(inner):
            inner = inner.value_type
        if pa.types.is_struct(inner):
            yield from columns(name, inner)


def suspicious(tables: dict[str, Any]) -> set[str]:
    every = (each for name, kind in tables.items() for each in columns(name, kind))
    return {each for each in every if OF_TABLES.fullmatch(each.partition(".")[2])}


def test_each_field_of_a_record_that_is_about_a_person_says_what_for_and_until_when() -> None:
    assert undeclared(records()) == set(RECORDS)


def test_no_column_of_a_table_is_about_a_person() -> None:
    tables = {name: each for name, each in vars(schema).items() if isinstance(each, pa.Schema)}
    assert suspicious(tables) == set(TABLES)
    landing = {name for name, each in tables.items() if any(each is kept for kept in schema.TABLES.values())}
    assert not {each for each, why in TABLES.items() if "never lands" in why and each.partition(".")[0] in landing}


def test_one_that_creeps_in_is_seen() -> None:
    class Planted(Record, frozen=True, kw_only=True):
        reporter_phone: str = ""
        address: str = ""
        colour: str = ""

    assert {each.rpartition(".")[2] for each in undeclared([Planted])} == {"reporter_phone", "address"}
    planted = pa.schema({"packets": pa.list_(pa.struct({"client": pa.binary(16)})), "account": pa.string()})
    assert suspicious({"PLANTED": planted}) == {"PLANTED.client", "PLANTED.account"}
