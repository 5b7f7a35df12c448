"""``khien breach match`` and ``remove``: an organisation looks its own people up blind; an account is taken out."""

import csv
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from khien import words
from khien.app import breach, machine
from khien.app import owners as app
from khien.app.configuration import CONFIG
from khien.audit import Act
from khien.breach.accounts import VIET_NAM, canonical
from khien.cli.acting import acting
from khien.cli.output import keep
from khien.cli.pinned import expecting
from khien.cli.unseen import typed
from khien.errors import ConflictError, FormatError, InputError
from khien.model import Constituent
from khien.packed import advice, secret
from khien.pipeline.asking import opened
from khien.pipeline.saving import audited
from khien.triage import tokens
from khien.words import number

AT_ONCE = 8_192  # rows that are asked about before they are written

_REQUESTS = 4  # on their way at a time
_SAID = 5.0  # seconds between two lines that say how far it is
_LARGEST_FIELD = 1 << 16  # characters
_LONGEST_HEAD = 1 << 20
_HEAD = ("row", "collections")
_DELIMITERS = ",;\t"  # of a roster, as its first row has them; spreadsheets write what the country they run in does

Found = Callable[[Sequence[bytes]], Sequence[Sequence[str]]]  # of ACCOUNT INPUT each, the collections of each


class _Far(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a match is; of: the roster's size and time, and what was asked of it. No row of it stands here."""

    of: tuple[str, ...]
    rows: int = 0
    met: int = 0
    skipped: int = 0
    written: int = 0  # octets


class Wanted(NamedTuple):
    """column: of the roster, which holds addresses or numbers; beside: a column that is written with what is found;
    out: where to; country: the calling code of numbers that are written as at home."""

    roster: Path
    column: str
    beside: str | None
    out: Path
    country: str = VIET_NAM


def match(
    wanted: Wanted,
    url: str,
    token_file: Path | None,
    holders: Sequence[tuple[str, Path]],
    keys: Path | None,
    language: str,
) -> int:
    """Matches a roster with what a site knows, which learns none of it; answers the exit status: 1 where one is met."""
    machine.without_core()
    given = [*holders, *([("", token_file)] if token_file else [])]
    shown = {of.rstrip("/"): secret(str(path)).decode("utf-8", "replace").strip() for of, path in given}
    url = url.rstrip("/")
    wanted = wanted._replace(country=breach.settings().country)
    with opened(url, secrets.token_bytes, expecting(keys), tokens=shown, at_once=_REQUESTS) as asking:
        far = matched(wanted, url, asking.found, language)
    figures = {name: number(getattr(far, name), language) for name in ("rows", "met", "skipped")}
    click.echo(words.phrase("matched", language, path=str(wanted.out), **figures), err=True)
    return int(far.met > 0)


def matched(wanted: Wanted, url: str, found: Found, language: str) -> _Far:
    """Goes on where it was, and writes what is met; every so many rows are safe before the next are asked about."""
    state = wanted.out.with_name(f"{wanted.out.name}.state")
    try:
        with open(wanted.roster, encoding="utf-8-sig", errors="replace", newline="") as roster:
            far = _begun(wanted, url, state, os.stat(roster.fileno()))
            if far.rows:
                click.echo(words.phrase("match-resumed", language, path=str(wanted.out), rows=str(far.rows)), err=True)
            with open(os.open(wanted.out, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as out:
                out.truncate(far.written)
                out.seek(far.written)
                if not far.written:
                    _append(out, [(*_HEAD, *_beside(wanted, wanted.beside))])
                    far = msgspec.structs.replace(far, written=out.tell())
                said = _Said(far.rows, os.stat(roster.fileno()).st_size, language)
                rows = islice(_rows(roster, wanted), far.rows, None)
                while some := list(islice(rows, AT_ONCE)):
                    far = _kept(far, some, found, out, wanted)
                    _save(state, far)
                    said(far.rows, roster)
        state.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{error.filename or wanted.out}: {advice(error)}") from error
    return far


def _begun(wanted: Wanted, url: str, state: Path, roster: os.stat_result) -> _Far:
    """Where an earlier run was, or the start. ConflictError: the output is there and not of this."""
    of = (str(roster.st_size), str(roster.st_mtime_ns), wanted.column, wanted.beside or "", url, wanted.country)
    far = None
    with suppress(OSError, msgspec.DecodeError):
        far = msgspec.json.decode(state.read_bytes(), type=_Far)
    if far is not None and far.of == of and wanted.out.exists() and wanted.out.stat().st_size >= far.written:
        return far
    if wanted.out.exists():
        raise ConflictError(
            f"{wanted.out}: is there, and not of this roster as it is now: take it away, or name another"
        )
    return _Far(of)


def _rows(roster: Any, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Of each row what is asked about, and what is written beside it."""
    csv.field_size_limit(_LARGEST_FIELD)
    first, row = roster.readline(_LONGEST_HEAD), 0
    delimiter = max(_DELIMITERS, key=first.count)
    lines = csv.reader(roster, delimiter=delimiter)
    try:
        head = [each.strip() for each in next(csv.reader([first], delimiter=delimiter), [])]
        places = [_place(head, each) for each in (wanted.column, wanted.beside) if each is not None]
        for row, cells in enumerate(lines, 1):  # noqa: B007 # told where it is no CSV
            each = [cells[place] if place < len(cells) else "" for place in places]
            yield each[0], each[-1]
    except csv.Error:  # what it says may hold a row
        raise FormatError(f"{wanted.roster}: row {row + 1} is no CSV: quote what holds quotes or line ends") from None


def _place(head: Sequence[str], column: str) -> int:
    if column not in head:
        known = ", ".join(each[:40] for each in head[:20])
        raise InputError(f"the roster has no column {column!r}: its first row names {known or 'none'}: give --column")
    return head.index(column)


def _kept(far: _Far, some: Sequence[tuple[str, str]], found: Found, out: Any, wanted: Wanted) -> _Far:
    """Asks about rows, and writes those that are met."""
    spelled = [canonical(asked.encode("utf-8", "replace"), wanted.country) for asked, _ in some]
    known = [at for at, each in enumerate(spelled) if each is not None]
    collections = found([each for each in spelled if each is not None])
    met = [(at, names) for at, names in zip(known, collections, strict=True) if names]
    _append(out, [(far.rows + at + 1, " ".join(names), *_beside(wanted, some[at][1])) for at, names in met])
    rows, skipped = far.rows + len(some), far.skipped + len(some) - len(known)
    return _Far(far.of, rows, far.met + len(met), skipped, out.tell())


def _beside(wanted: Wanted, value: str | None) -> list[str | None]:
    return [] if wanted.beside is None else [value]


def _append(out: Any, table: Sequence[Sequence[object]]) -> None:
    text = TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    csv.writer(text).writerows(table)
    text.detach()
    out.flush()
    os.fsync(out.fileno())


def _save(state: Path, far: _Far) -> None:
    beside = state.with_name(f".{state.name}")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(far))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(state)


class _Said:
    """Lines on standard error, now and then: rows, their rate, and the time that is left."""

    def __init__(self, rows: int, size: int, language: str) -> None:
        self._rows, self._size, self._language = rows, max(size, 1), language
        self._started = self._last = time.monotonic()

    def __call__(self, rows: int, roster: TextIOWrapper) -> None:
        now = time.monotonic()
        if now - self._last < _SAID:
            return
        self._last = now
        rate = (rows - self._rows) / (now - self._started)
        read = max(os.lseek(roster.fileno(), 0, os.SEEK_CUR), 1)
        left = rows * (self._size - read) / read / max(rate, 1e-9)
        figures = {"rows": rows, "rate": rate, "left": max(left, 0.0)}
        said = {name: number(value, self._language) for name, value in figures.items()}
        click.echo(words.phrase("matching", self._language, **said), err=True)


def token(id: str, data: Path | None, out: Path, by: str | None, language: str) -> int:
    """Writes the token by which a constituent, or whoever is admitted, matches a roster; it ends when they leave."""
    directory = machine.place(data)
    with machine.store(directory) as store:
        name = acting(store, by)
        known = store.load(Constituent, id).get(id)
        if (known is None or known.left) and id not in breach.settings().admitted:
            raise InputError(
                f"there is no constituent {id[:64]!r} (khien constituents list names them), nor is it among [breach]"
                f" admitted in {CONFIG}"
            )
        made = tokens.token(machine.key(directory, machine.NOTICES), tokens.MATCH, id)
        keep(out, f"{id}.{made}")
        audited(store, machine.audit(directory), tuple, Act(name, "match-token-given", id))
    click.echo(words.phrase("match-token", language, id=id, path=str(out)))
    return 0


def remove(data: Path | None, by: str | None, why: str, language: str) -> int:
    """Takes the account out whose address or number is typed unseen, or is a line of standard input."""
    machine.without_core()
    directory = machine.place(data)
    with machine.store(directory) as store:
        name = acting(store, by)
        if not why.strip():
            raise InputError("the audit keeps why an account is taken out: give --why")
        settings = breach.settings()
        spelled = canonical(_typed(language), settings.country)
        if spelled is None:
            raise InputError(
                "what was typed is neither an address nor a number: write name@example.org or +84912345678"
            )
        audit = machine.audit(directory)
        owners = app.owners(store, directory, settings)
        entry = Act(name, "account-removed", "", {"why": why})
        owners.remove(spelled, by=name, at=machine.clock(), beside=lambda: audit.entries(store, entry))
        place = breach.place(directory)
        with suppress(ConflictError):  # who takes in does it, when they merge
            breach.deleting(store, place).take_out(name)
        breach.look(store, place).exposed(machine.clock())
    click.echo(words.phrase("account-removed", language))
    return 0


def _typed(language: str) -> bytes:
    if sys.stdin is not None and not sys.stdin.isatty():
        return sys.stdin.buffer.readline()
    return typed("account-prompt", language)
