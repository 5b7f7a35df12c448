"""``khien ledger``: the log of listings held to its key, copied, proven."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
import httpx

from khien import words
from khien.app import machine, registers
from khien.cli.acting import acting
from khien.cli.listings import one
from khien.contracts import Store
from khien.errors import InputError, UnavailableError
from khien.ledger import LARGEST_NOTE, LARGEST_PROOF
from khien.outward import http
from khien.pipeline import held, listed
from khien.pipeline import mirror as mirrors
from khien.words import printable

AGENT = "Khien ledger mirror"


def verify(data: Path | None, folder: Path | None, verifier: str | None, against: Path | None, language: str) -> int:
    """Holds the log, or a copy of it, to its key and to a checkpoint that was kept; answers the exit status.

    CustodyError: it does not hold, and where.
    """
    kept = None if against is None else _bounded(against, LARGEST_NOTE)
    if folder is not None:
        found = mirrors.verify(folder, verifier or _own(data), kept)
    else:
        directory = machine.place(data)
        with machine.store(directory) as store:
            found = held.verify(store, verifier or machine.log(directory).verifier, kept)
    click.echo(words.phrase("ledger-holds", language, size=words.number(found.size, language), root=found.root.hex()))
    return 0


def mirror(
    data: Path | None,
    folder: Path,
    language: str,
    *,
    source: str | None,
    verifier: str | None,
    against: Path | None,
    allow: Sequence[str],
) -> int:
    """Copies the log of this house, or of another, and checks all of it."""
    kept = None if against is None else _bounded(against, LARGEST_NOTE)
    with ExitStack() as open_:
        if source is None:
            directory = machine.place(data)
            fetch = partial(listed.file, open_.enter_context(machine.store(directory)))
            verifier = verifier or machine.log(directory).verifier
        else:
            if verifier is None:
                raise InputError("give --key: khien ledger checkpoint --key prints it where the log is signed")
            fetch = _fetching(open_, source.rstrip("/"), allow)
        done = mirrors.Mirror(folder, fetch).copy(verifier, kept)
    size, files = (words.number(each, language) for each in (done.checkpoint.size, done.files))
    path = printable(str(folder))
    click.echo(words.phrase("ledger-mirrored", language, path=path, size=size, fresh=files))
    return 0


def _own(data: Path | None) -> str:
    """The key of this house, in a form that is held to. InputError: there is no log of its own here, give the key."""
    directory = machine.named(data)
    if not machine.is_place(directory):
        raise InputError(
            f"{printable(str(directory))}: no data directory is here, so give --key KEY: who signs the log prints it"
            " with khien ledger checkpoint --key, and the site shows it at /watch"
        )
    return machine.log(directory).verifier


def _fetching(open_: ExitStack, base: str, allow: Sequence[str]) -> Callable[[str], bytes]:
    try:
        port = httpx.URL(base).port
    except httpx.InvalidURL:
        raise InputError(f"{base[:100]} is no address: give one as https://khien.example/ledger") from None
    client = open_.enter_context(http.client(AGENT, allow=allow, ports=(*http.PORTS, *filter(None, (port,)))))

    def fetch(path: str) -> bytes:
        answer = http.get(client, f"{base}/{path}", mirrors.LARGEST)
        if answer.status != 200:
            raise UnavailableError(f"{base}/{path} is answered with {answer.status}: is this the ledger of a Khiên?")
        return answer.body

    return fetch


def prove(data: Path | None, reference: str) -> int:
    """Prints the proof of a leaf."""
    with machine.store(machine.place(data)) as store:
        click.echo(listed.prove(store, _index(store, reference)), nl=False)
    return 0


def check(data: Path | None, file: Path, verifier: str | None, language: str) -> int:
    """Holds a proof to a key. CustodyError: it does not hold."""
    document = _bounded(file, LARGEST_PROOF)
    leaf, log = held.check(document, verifier or _own(data))
    index = str(listed.index_of(leaf))
    size = words.number(log.size, language)
    click.echo(words.phrase("ledger-proven", language, index=index, size=size, name=log.origin))
    click.echo(printable(leaf.text) or words.phrase("ledger-redacted", language, index=index))
    return 0


def checkpoint(data: Path | None, key: bool) -> int:
    """Prints the checkpoint of the log, or the key it is signed with."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        note = listed.checkpoint(store)
    if not key and not note:
        raise InputError("nothing was listed yet: there is no checkpoint before the first listing")
    click.echo(machine.log(directory).verifier if key else note, nl=key)
    return 0


def redact(data: Path | None, reference: str, by: str | None, why: str, language: str) -> int:
    """Takes the text out of a leaf."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        name = acting(store, by)
        index, known = _index(store, reference), registers.known(registers.protected(None))
        machine.listings(directory, store, known).redact(index, by=name, why=why)
    click.echo(words.phrase("ledger-redacted", language, index=str(index)))
    return 0


def _index(store: Store, reference: str) -> int:
    """A leaf by its index, or the last one of a listing."""
    if reference.isascii() and reference.isdigit() and len(reference) <= 16:
        return int(reference)
    leaves = one(store, reference).leaves
    if not leaves:
        raise InputError(f"{printable(reference)} was never listed, only proposed: the log says nothing of it")
    return leaves[-1]


def _bounded(path: Path, most: int) -> bytes:
    """A file, as far as it may go."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    with path.open("rb") as file:
        return file.read(most + 1)
