"""``khien breach import-passwords`` and ``khien breach export``: lists of passwords, in and out."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from khien import words
from khien.app import breach, machine
from khien.breach import digests
from khien.breach.fuse import Filter
from khien.breach.place import on_disk
from khien.breach.ranges import Ranges, opened
from khien.breach.sorting import Told
from khien.cli.acting import acting
from khien.cli.output import Output
from khien.cli.unseen import typed
from khien.errors import InputError
from khien.packed import advice
from khien.pipeline import exports
from khien.pipeline.passwords import Publishing
from khien.words import number

Mode = Literal["sha1", "ntlm"]


def take(path: Path, mode: Mode, smaller: bool, by: str | None, data: Path | None, language: str) -> int:
    """Takes in a list that others publish; answers the exit status."""
    directory = machine.named(data)
    with machine.store(directory) as store, _progress(language) as told:
        name = acting(store, by)
        where = breach.place(directory)
        try:
            with breach.lock(where):
                came = Publishing(store, where, machine.audit(directory), name).take(path, mode, told, smaller=smaller)
        except OSError as error:
            raise InputError(f"{path}: {advice(error)}") from error
    said = {"entries": number(came.holding.entries, language), "prefixes": number(came.prefixes, language)}
    click.echo(words.phrase("passwords-taken", language, **said))
    if came.aside:
        click.echo(words.phrase("passwords-files-aside", language, count=number(came.aside, language)), err=True)
    return 0


def ranges(folder: Path, mode: Mode, only: str, padding: bool, data: Path | None, language: str) -> int:
    """Writes a file for each prefix."""
    held = _held(data, mode)
    with _progress(language) as told, on_disk(folder):
        came = exports.files(held, folder, only=only, padded=padding, told=told)
    said = {"written": number(came.written, language), "same": number(came.same, language)}
    click.echo(words.phrase("ranges-written", language, **said))
    return 0


def keepassxc(path: str, data: Path | None, language: str) -> int:
    """Writes the file that KeePassXC reads."""
    held = _held(data, "sha1")
    with Output(path) as file, _progress(language) as told:
        exports.keepassxc(held, file, machine.place(data), told)
    return 0


def filtered(path: Path, mode: Mode, bits: Literal[8, 16], data: Path | None, language: str) -> int:
    """Writes a filter, and says how often it is wrong."""
    held = _held(data, mode)
    beside = path.with_name(f".{path.name}.part")
    with _progress(language) as told, on_disk(path):
        try:
            with beside.open("w+b") as file:
                head = exports.filtered(held, mode, bits, file, machine.place(data), told)
                size = file.seek(0, 2)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    said = {
        "entries": number(head.entries, language),
        "octets": number(size / max(head.entries, 1), language, 2),
        "one": number(1 << bits, language),
    }
    click.echo(words.phrase("filter-written", language, **said))
    return 0


def check(path: Path, language: str) -> int:
    """Asks for a password, unseen, and looks whether a filter has it; answers the exit status: 1 where it has."""
    try:
        found = Filter.open(path)
    except OSError as error:
        raise InputError(f"{path}: {advice(error)}") from error
    secret = typed("password-prompt", language)
    hashed = digests.sha1 if found.head.digest == "sha1" else digests.ntlm
    met = bool(found.met(hashed(np.frombuffer(secret, np.uint8), *np.array([[0], [len(secret)]], np.int64)))[0])
    one = number(1 << found.head.bits, language)
    click.echo(words.phrase("password-met" if met else "password-not-met", language, one=one))
    return int(met)


def _held(data: Path | None, mode: Mode) -> Ranges:
    """What goes out. InputError: there is nothing yet."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        found = opened(breach.place(directory), store, mode, machine.key(directory, machine.PADDING))
    if not found.tables:
        raise InputError(f"{directory}: no {mode} of passwords is held there yet: khien breach import-passwords FILE")
    return found


@contextmanager
def _progress(language: str) -> Generator[Told | None]:
    """A bar on a terminal; in a pipe, nothing."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words.phrase("breach-working", language), total=None)

        def told(done: int, of: int) -> Any:
            bar.update(task, completed=done, total=of)

        yield told
