"""``khien breach check``, ``rotate``, ``share``, ``hold``: ask whether something leaked; keys, and who has them."""

import hashlib
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from khien import words
from khien.app import breach, machine, owners
from khien.app.configuration import CONFIG, Breach, Config, Site, document
from khien.app.epochs import Epochs
from khien.audit import Act
from khien.breach import voprf
from khien.breach.accounts import canonical
from khien.breach.place import accounts_of
from khien.breach.table import Table
from khien.cli import serve
from khien.cli.acting import acting
from khien.cli.output import keep
from khien.cli.pinned import expecting
from khien.cli.run import stopping
from khien.cli.unseen import typed
from khien.errors import InputError
from khien.model import Holding
from khien.pipeline import promises
from khien.pipeline.asking import LIVE, Asking, Known, opened, reach
from khien.pipeline.saving import audited, until_saved
from khien.triage import tokens
from khien.words import number, printable

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

CANNOT = 2  # exit status
Met = Callable[[bytes], int]  # how often a password was met
Found = Callable[[bytes], Sequence[Known]]  # which collections an ACCOUNT INPUT is in


def check(data: Path | None, url: str | None, keys: Path | None, password: bool, stdin: bool, language: str) -> int:
    """Asks for a password, or an account, unseen, and whether it leaked; answers the exit status: 1 where it did, 2
    where a line is no account."""
    machine.without_core()
    asked = _typed("password-prompt" if password else "account-prompt", stdin, language)
    with ExitStack() as stack:
        if password:
            met = _counting(url, stack) if url else _here(data, stack)[0]
            counts = [met(each) for each in asked]
            for count in counts:
                said = "password-met-times" if count else "password-not-met"
                click.echo(words.phrase(said, language, count=number(count, language)))
            return int(any(counts))
        country = breach.settings().country
        spelled = [canonical(each, country) for each in asked]
        found = _site(url, keys, stack) if url else _here(data, stack)[1]
        collections = [None if each is None else found(each) for each in spelled]
    for line, each in enumerate(collections, 1):
        if each is None:
            click.echo(words.phrase("account-none", language, line=number(line, language)), err=True)
        else:
            click.echo("\n".join(_told(each, language)))
    return CANNOT if None in collections else int(any(collections))


def _typed(prompt: str, stdin: bool, language: str) -> list[bytes]:
    return [line.rstrip(b"\r\n") for line in sys.stdin.buffer] if stdin else [typed(prompt, language)]


def _counting(url: str, stack: ExitStack) -> Met:
    """What a site answers about passwords."""
    return Asking(stack.enter_context(reach([url])), url.rstrip("/"), secrets.token_bytes).count


def _site(url: str, keys: Path | None, stack: ExitStack) -> Found:
    """What a site answers about accounts, which is told nothing."""
    asking = stack.enter_context(opened(url.rstrip("/"), secrets.token_bytes, expecting(keys)))

    def found(spelled: bytes) -> Sequence[Known]:
        described = asking.collections().collections  # asked for whatever is found: else it would tell
        (ids,) = asking.found([spelled])
        return [each for each in described if each.id in ids]

    return found


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
        when = f" ({words.day(each.leaked, language)})" if each.leaked else ""
        lines.append(f"  {printable(each.label.said(language))}{when}: {kinds}")
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
        stands = promises.standing(store, current)
        for epoch in epochs.begun() if not epochs.settings.admitted else ():  # who was given a token may need its share
            if epoch < current and not held.get(accounts_of(epoch)) and epoch not in stands:
                given_up = Act(name, "key-given-up", str(epoch))
                until_saved(store, partial(audit.entries, store, given_up), gone=partial(promises.of, store, epoch))
                epochs.file(epoch).unlink()
                click.echo(words.phrase("epoch-given-up", language, epoch=str(epoch)))
        if newest == current or (current in breach.shared() and newest not in breach.shared()):
            _expect_whole(epochs.settings, current)
            _expect_room(epochs.live(store))
            newest += 1
            epochs.begin(newest)
            audited(store, audit, tuple, Act(name, "key-begun", str(newest)))
    click.echo(words.phrase("epoch-begun", language, epoch=str(newest), file=str(CONFIG)), err=True)
    click.echo(f"[breach]\nepoch = {newest}")
    return 0


def _expect_whole(settings: Breach, epoch: int) -> None:
    """InputError: two houses hold a share each of the key, so that neither begins an epoch by itself."""
    if settings.admitted or any(each.epoch == epoch for each in settings.holders):
        raise InputError(
            f"the key of epoch {epoch} stands in shares, and a new one made here would be whole: run khien breach share"
            f" --url URL --epoch {epoch + 1} in both houses, and put what it prints into {CONFIG} of each"
        )


def _expect_room(live: Sequence[int]) -> None:
    """InputError: who asks about an account tells a bucket under each key there is."""
    if len(live) == LIVE:
        raise InputError(
            f"accounts are kept under the keys of epochs {live[0]} and {live[1]}, and a third would make questions tell"
            f" more: what is kept under {live[0]} ends first (khien breach collections says when)"
        )


def share(other: str, data: Path | None, epoch: int, url: str, out: Path, by: str | None, language: str) -> int:
    """Makes this house's share of an epoch's key, and what another house needs to ask for it."""
    if not _NAME.fullmatch(other):
        raise InputError(f"{other!r} is no name for a house: write small letters, digits and hyphens")
    with reach([url]):
        pass
    directory = machine.named(data)
    with machine.store(directory) as store:
        name, audit = acting(store, by), machine.audit(directory)
        token = tokens.token(machine.key(directory, machine.NOTICES), tokens.MATCH, other)
        keep(out, f"{other}.{token}")
        public = voprf.public_of(Epochs(directory, breach.settings()).begin(epoch)).hex()
        audited(store, audit, tuple, Act(name, "key-begun", str(epoch), {"with": other}))
    told = {"name": other, "file": str(out), "config": str(CONFIG), "epoch": str(epoch)}
    click.echo(words.phrase("share-made", language, **told), err=True)
    lines = {"epoch": epoch, "url": url.rstrip("/"), "public": public, "token_file": out.name}
    click.echo("\n".join(["[[breach.holders]]", *(f"{key} = {_toml(value)}" for key, value in lines.items())]))
    return 0


def _toml(value: Any) -> str:
    return msgspec.json.encode(value).decode()  # of numbers and short texts JSON is TOML


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
