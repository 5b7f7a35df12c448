"""``khien audit``: what was done, and whether anybody rewrote it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
import msgspec

from khien import audit, words
from khien.app import machine
from khien.audit import Head
from khien.cli.output import Output
from khien.contracts import Store
from khien.errors import InputError
from khien.ledger import LARGEST_NOTE
from khien.model import Entry
from khien.words import printable

_LONGEST_LINE = audit.LONGEST_LINE + 2  # with its newline, and one more: whoever parses says that it is too long


def show(data: Path | None, limit: int, format: str, language: str) -> int:
    """Lists what was done, the latest first; answers the exit status."""
    with machine.store(machine.place(data)) as store:
        found = False
        for entry in islice(_latest(store), limit):
            found = True
            click.echo(msgspec.json.encode(entry).decode() if format == "jsonl" else _told(entry, language))
    if not found and format == "text":
        click.echo(words.page("audit-none", language), err=True)
    return 0


def _latest(store: Store) -> Iterator[Entry]:
    after = ""
    while page := store.find(Entry, order="-id", after=after, limit=500):
        yield from page
        after = page[-1].id


def _told(entry: Entry, language: str) -> str:
    index = int(entry.id.rpartition("/")[2])
    params = (f"{printable(name)}={printable(value)}" for name, value in entry.params.items() if value)
    said = words.audit(entry.act, language), printable(entry.what), *params
    return "  ".join((f"{index}  {entry.at:%Y-%m-%d %H:%M:%S} UTC", printable(entry.by) or "-", *filter(None, said)))


def verify(data: Path | None, export: Path | None, verifier: str | None, against: Path | None, language: str) -> int:
    """Holds the log, or an export of it, to its key and to a checkpoint that was kept; answers the exit status.

    CustodyError: it does not hold, and where.
    """
    kept = None if against is None else _bounded(against)
    if export is not None:
        with _opened(export).open("rb") as file:
            head, entries = audit.parse_export(iter(lambda: file.readline(_LONGEST_LINE), b""))
            held = audit.verify(entries, head.tree, verifier or head.verifier, kept)
    else:
        directory = machine.place(data)
        with machine.store(directory) as store:
            held = audit.verify_kept(store, verifier or machine.audit(directory).verifier, kept)
    click.echo(words.phrase("audit-holds", language, size=words.number(held.size, language), root=held.root.hex()))
    return 0


def write(data: Path | None, output: str | None, language: str) -> int:
    """Writes the whole log as JSON Lines."""
    directory = machine.place(data)
    with machine.store(directory) as store, Output(output) as out:
        tree = audit.head(store)
        first = Head(verifier=machine.audit(directory).verifier, tree=tree)
        for line in audit.export(islice(audit.read(store), tree.size), first):
            out.write(line)
    if output not in (None, "-"):
        size = words.number(tree.size, language)
        click.echo(words.phrase("audit-written", language, size=size, path=printable(str(output))), err=True)
    return 0


def checkpoint(data: Path | None, key: bool) -> int:
    """Prints the checkpoint of the log, or the key it is signed with."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        tree = audit.head(store)
    if not key and not tree.checkpoint:
        raise InputError("nothing was done yet: there is no checkpoint before the first act")
    click.echo(machine.audit(directory).verifier if key else tree.checkpoint, nl=key)
    return 0


def _opened(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file: khien audit export writes one")
    return path


def _bounded(path: Path) -> bytes:
    """A signed note, as far as one goes."""
    with _opened(path).open("rb") as file:
        return file.read(LARGEST_NOTE + 1)
