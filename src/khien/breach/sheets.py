"""Sheets (RFC 4180): columns known by their names or told by their places, quoted fields with line ends in them."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from khien.breach import leaked
from khien.breach.columns import ACCOUNTS, Holds, holds, plain
from khien.breach.leaked import BROKEN, EMPTY, NUL, SPANS, TOO_LONG, Read, Spans, add, refuse
from khien.breach.octets import find
from khien.compiled import inner, kernel
from khien.errors import ConfigError

LONGEST = 1 << 16  # octets of a row
COLUMNS = 256  # that are looked at
_DELIMITERS = ",;\t|"
_NAME = re.compile(r"[^\W\d][^\W\d_]*(?:[ _()/-]+[^\W\d_]+)*[ _-]?[0-9]{0,2}")  # of a column, as people call it
_SHORT = 2  # octets of a row, at least; of one that gives two rows, twice as many
QUOTE, RETURN, NEWLINE = b'"\r\n'


class Layout(NamedTuple):
    """Where a sheet has what: its delimiter, columns of mail, phone, name and secret (-1: none), where rows begin."""

    delimiter: str
    mail: int = -1
    phone: int = -1
    name: int = -1
    secret: int = -1
    begin: int = 0


def columns(told: str) -> dict[str, Holds]:
    """Which columns hold what, by their names without case and marks, of ``account=NAME,account=NAME,secret=NAME``.
    ConfigError: it says something else."""
    pairs = [each.partition("=") for each in told.split(",") if told]
    what = Counter(each.strip() for each, _, name in pairs if plain(name))
    if what.total() < len(pairs) or what.keys() - {"account", "secret"} or what["account"] > 2 or what["secret"] > 1:
        raise ConfigError(f"columns {told!r}: write account=NAME,secret=NAME, for two accounts a row account= twice")
    accounts = iter(ACCOUNTS)
    return {plain(name): "secret" if each.strip() == "secret" else next(accounts) for each, _, name in pairs}


def layout(head: bytes, told: Mapping[str, Holds] = MappingProxyType({})) -> Layout | None:
    """The layout of a sheet that begins with its columns' names; None where they do not tell of accounts.

    told: which of them hold what (columns), where it should not be seen from their names.
    """
    for delimiter, names in _heads(head):
        kinds = [told.get(plain(name), "") if told else holds(name) for name in names]
        places = {kind: at for at, kind in reversed(list(enumerate(kinds)))}
        found = {kind: places[kind] for kind in (*ACCOUNTS, "secret") if kind in places}
        if len(found) == len(told) if told else found.keys() & {"mail", "phone"} or found.keys() >= {"name", "secret"}:
            return Layout(delimiter, **found, begin=min(head.find(b"\n") + 1 or len(head), len(head)))
    return None


class Names(NamedTuple):
    """What a sheet's columns are called that hold accounts, and secrets, and those that are not read."""

    accounts: list[str]
    secrets: list[str]
    unread: list[str]


def names(head: bytes, told: Layout) -> Names:
    """What the columns are called of a sheet of this layout; (3): the third, which is not called as columns are."""
    called = next(each for delimiter, each in _heads(head) if delimiter == told.delimiter)
    shown = [name.strip() if _NAME.fullmatch(name.strip()) else f"({at})" for at, name in enumerate(called, 1)]
    accounts = [at for at in (told.mail, told.phone, told.name) if at >= 0]
    unread = [name for at, name in enumerate(shown) if at not in (*accounts, told.secret)]
    return Names([shown[at] for at in accounts], shown[told.secret :][:1] if told.secret >= 0 else [], unread)


def _heads(head: bytes) -> Iterator[tuple[str, list[str]]]:
    """A sheet's first line by each delimiter."""
    line, _, _ = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    if len(line) > LONGEST or b"\0" in line:
        return
    text = line.decode("utf-8", "replace").rstrip("\r")
    for delimiter in _DELIMITERS:
        with suppress(csv.Error):
            yield delimiter, next(csv.reader([text], delimiter=delimiter), [])[:COLUMNS]


def sheet(block: bytes, ended: bool, told: Layout, hashed: bool = False) -> Read:
    """Reads the rows of a block that are whole; ended: its last one is, too. hashed: as in leaked.batch.

    A row with address and number gives one for each, the first of them with the secret.
    """
    octets = np.frombuffer(block, np.uint8).copy()  # in which doubled quotes are made one
    spans = Spans.make(len(block) // _SHORT + 1)
    columns = np.array([told.mail, told.phone, told.name, told.secret], np.int64)
    fields = np.empty(2 * COLUMNS, np.int64)
    read_rows(octets, len(block), ended, ord(told.delimiter), b"\0" in block, columns, fields, *spans)
    return leaked.read(octets, spans, hashed)


@inner
def quoted_end(block, at, size):
    """Where a quoted field ends, at its last quote; -1: not in this block."""
    while at < size:
        if block[at] == QUOTE:
            if at + 1 == size or block[at + 1] != QUOTE:
                return at
            at += 1
        at += 1
    return -1


@inner
def undoubled(block, begin, end):
    """Makes one of each two quotes in a quoted field; where it ends then."""
    if begin == 0 or block[begin - 1] != QUOTE:
        return end
    at = to = begin
    while at < end:
        block[to] = block[at]
        to += 1
        at += 2 if block[at] == QUOTE else 1
    return to


@inner
def row_end(block, start, size, delimiter, fields):
    """Notes the fields of a row; where it ends, and how many they are: -1 where quotes are wrong, -2 where it may go on
    behind the block."""
    count = 0
    at = start
    while True:
        begin = at
        if at < size and block[at] == QUOTE:
            begin = at + 1
            end = quoted_end(block, begin, size)
            if end < 0:
                return size, -2
            at = end + 1
            if at < size and block[at] == RETURN:
                at += 1
            if at < size and block[at] != delimiter and block[at] != NEWLINE:
                return at, -1
        else:
            while at < size and block[at] != delimiter and block[at] != NEWLINE:
                at += 1
            end = at - 1 if at > begin and block[at - 1] == RETURN and (at == size or block[at] == NEWLINE) else at
        if count < COLUMNS:
            fields[2 * count] = begin
            fields[2 * count + 1] = end
            count += 1
        if at == size or block[at] == NEWLINE:
            return at, count
        at += 1


@inner
def take(block, fields, count, columns, rows, done):
    """Notes the rows of a row's fields; how many those are: two, where it has an address and a number."""
    secret, secret_end = field(block, fields, count, columns[3])
    before = done[0]
    for k in range(2):
        account, end = field(block, fields, count, columns[k])
        if end > account:
            first = done[0] == before
            add(rows, done, account, end, secret, secret_end if first else secret)
    if done[0] == before:
        account, end = field(block, fields, count, columns[2])
        add(rows, done, account, end, secret, secret_end)
    return done[0] - before


@inner
def field(block, fields, count, column):
    """Where the field in a column begins and ends; nothing where a row has no such column."""
    if not 0 <= column < count:
        return 0, 0
    begin = fields[2 * column]
    return begin, undoubled(block, begin, fields[2 * column + 1])


@kernel("i8", "u1*", "i8", "i8", "i8", "i8", "i8*", "i8*", *SPANS)
def read_rows(block, size, ended, delimiter, nuls, columns, fields, rows, broken, done):
    """Notes the rows of a sheet that are whole. Where quotes are wrong, or do not end, only the first line is given up.
    Answers how many octets are done with."""
    start = 0
    while start < size:
        bound = min(size, start + LONGEST + 1)
        end, count = row_end(block, start, bound, delimiter, fields)
        if end == bound and (bound < size or (count == -2 and not ended)) and size - start > LONGEST:
            count = -1
        elif end == size and not ended:
            break
        if count < 0:
            end = find(block, start, size, NEWLINE)
            if end == size and not ended:
                break
            refuse(broken, done, start, end, TOO_LONG if end - start > LONGEST else BROKEN)
        elif nuls and find(block, start, end, 0) < end:
            refuse(broken, done, start, end, NUL)
        elif end > start + 1 or (end > start and block[start] != RETURN):
            if not take(block, fields, count, columns, rows, done):
                refuse(broken, done, start, end, EMPTY)
        start = min(end + 1, size)
    done[2] = start
    return start
