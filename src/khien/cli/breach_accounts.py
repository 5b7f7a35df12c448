"""``khien breach check``, ``rotate``, ``share``, ``hold``: ask whether something leaked; keys, and who has them."""

import hashlib
import os
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from khien import words
from khien.app import breach, machine, owners
from khien.app.configuration import CONFIG, Config, Site, document
from khien.app.epochs import Epochs
from khien.audit import Act
from khien.breach import voprf
from khien.breach.accounts import canonical
from khien.breach.table import Table
from khien.cli import serve
from khien.cli.acting import acting
from khien.cli.run import stopping
from khien.errors import InputError
from khien.model import Holding
from khien.packed import advice
from khien.pipeline.asking import Asking, Known, reach
from khien.pipeline.saving import audited
from khien.triage import tokens
from khien.words import number, printable

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

Met = Callable[[bytes], int]  # how often a password was met
Found = Callable[[bytes], Sequence[Known]]  # which collections an ACCOUNT INPUT is in


def check(data: Path | None, url: str | None, password: bool, stdin: bool, language: str) -> int:
    """Asks for a password, or an account, unseen, and whether it leaked; answers the exit status: 1 where it did."""
    breach.without_core()
    asked = _typed("password-prompt" if password else "account-prompt", stdin, language)
    with ExitStack() as stack:
        met, found = _site(url, stack) if url else _here(data, stack)
        if password:
            counts = [met(each) for each in asked]
            for count in counts:
                said = "password-met-times" if count else "password-not-met"
                click.echo(words.phrase(said, language, count=number(count, language)))
            return int(any(counts))
        collections = [found(_spelled(each)) for each in asked]
    for each in collections:
        click.echo("\n".join(_told(each, language)))
    return int(any(collections))


def _typed(prompt: str, stdin: bool, language: str) -> list[bytes]:
    if stdin:
        return [line.rstrip(b"\r\n") for line in sys.stdin.buffer]
    return [click.prompt(words.phrase(prompt, language), hide_input=True, err=True).encode("utf-8", "replace")]


def _spelled(typed: bytes) -> bytes:
    spelled = canonical(typed)
    if spelled is None:
        raise InputError("what was typed is neither an address nor a number: write name@example.org or +84912345678")
    return spelled


def _site(url: str, stack: ExitStack) -> tuple[Met, Found]:
    """What a site answers, which is told nothing."""
    url = url.rstrip("/")
    asking = Asking(stack.enter_context(reach(url)), url, secrets.token_bytes)

    def found(spelled: bytes) -> Sequence[Known]:
        described = asking.collections().collections  # asked for whatever is found: else it would tell
        (ids,) = asking.found([spelled])
        return [each for each in described if each.id in ids]

    return asking.count, found


def _here(data: Path | None, stack: ExitStack) -> tuple[Met, Found]:
    """What this data directory holds."""
    directory = machine.place(data)
    store, place = stack.enter_context(machine.store(directory)), breach.place(directory)
    people = owners.owners(store, directory, breach.settings())

    def met(secret: bytes) -> int:
        held = place.holding(store, "sha1")
        return Table.open(place.path(held)).count(hashlib.sha1(secret).digest()) if held else 0

    def found(spelled: bytes) -> Sequence[Known]:
        return [Known.of(each) for each in people.collections(spelled) if not each.sensitive]

    return met, found


def _told(collections: Sequence[Known], language: str) -> list[str]:
    if not collections:
        return [words.phrase("account-not-met", language)]
    lines = [words.phrase("account-met", language, count=number(len(collections), language))]
    for each in collections:
        kinds = ", ".join(words.phrase(f"leaked-{kind}", language) for kind in each.kinds)
        when = f" ({each.leaked})" if each.leaked else ""
        lines.append(f"  {printable(each.label)}{when}: {kinds}")
    kinds = dict.fromkeys(kind for each in collections for kind in each.kinds)
    return [*lines, *(f"  - {words.phrase(f'advice-leaked-{kind}', language)}" for kind in kinds)]


def rotate(data: Path | None, by: str | None, language: str) -> int:
    """Begins an epoch with a key of its own, and gives up the keys of those that keep nothing any more."""
    directory = machine.place(data)
    epochs = Epochs(directory, breach.settings())
    current, newest = epochs.settings.epoch, max(epochs.begun())
    with machine.store(directory) as store:
        name, audit = acting(store, by), machine.audit(directory)
        held = {each.id: each.entries for each in store.find(Holding, limit=10_000)}
        for epoch in epochs.begun():
            if epoch < current and not held.get(f"accounts-{epoch}"):
                audited(store, audit, tuple, Act(name, "key-given-up", str(epoch)))
                epochs.file(epoch).unlink()
                click.echo(words.phrase("epoch-given-up", language, epoch=str(epoch)))
        if newest == current:
            newest += 1
            epochs.begin(newest)
            audited(store, audit, tuple, Act(name, "key-begun", str(newest)))
    click.echo(words.phrase("epoch-begun", language, epoch=str(newest), file=str(CONFIG)), err=True)
    click.echo(f"[breach]\nepoch = {newest}")
    return 0


def share(other: str, data: Path | None, epoch: int, url: str, out: Path, by: str | None, language: str) -> int:
    """Makes this house's share of an epoch's key, and what another house needs to ask for it."""
    if not _NAME.fullmatch(other):
        raise InputError(f"{other!r} is no name for a house: write small letters, digits and hyphens")
    with reach(url):
        pass
    directory = data or Path(_config().data)
    with machine.store(directory) as store:
        name, audit = acting(store, by), machine.audit(directory)
        token = tokens.token(machine.key(directory, machine.NOTICES), tokens.MATCH, other)
        _keep(out, f"{other}.{token}\n")
        public = voprf.public_of(Epochs(directory, breach.settings()).begin(epoch)).hex()
        audited(store, audit, tuple, Act(name, "key-begun", str(epoch), {"with": other}))
    told = {"name": other, "file": str(out), "config": str(CONFIG), "epoch": str(epoch)}
    click.echo(words.phrase("share-made", language, **told), err=True)
    lines = {"epoch": epoch, "url": url.rstrip("/"), "public": public, "token_file": out.name}
    click.echo("\n".join(["[[breach.holders]]", *(f"{key} = {_toml(value)}" for key, value in lines.items())]))
    return 0


def _toml(value: Any) -> str:
    return msgspec.json.encode(value).decode()  # of numbers and short texts JSON is TOML


def _keep(path: Path, secret: str) -> None:
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret)
    except OSError as error:
        raise InputError(f"{path}: {advice(error)}") from error


def hold(data: Path | None, listen: str | None, language: str) -> int:
    """Answers for a share of a key until told to stop; nothing else."""
    config = _config()
    site = config.site if isinstance(config.site, Site) else Site()
    site = msgspec.structs.replace(site, listen=listen) if listen else site
    with stopping() as stop, serve.holder(machine.place(data), site, config.breach) as served:
        click.echo(words.phrase("serving", language, address=served.address), err=True)
        served.wait(stop)
    return 0


def _config() -> Config:
    given = document(CONFIG)[1] if CONFIG.exists() else {}
    wanted = {key: value for key, value in given.items() if key in ("data", "site", "breach")}
    try:
        return msgspec.convert(wanted, Config)
    except msgspec.ValidationError as error:
        raise InputError(f"{CONFIG}: {error}") from error
