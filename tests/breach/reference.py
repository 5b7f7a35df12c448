"""The rules of combination lists, logs of stealers and JSON objects, plainly: what kernels are held to."""

import json
import re
from collections.abc import Iterator
from typing import Any

from khien.breach import objects, stealer
from khien.breach.columns import ACCOUNTS, holds, labelled
from khien.breach.leaked import BROKEN, EMPTY, NO_SEPARATOR, NUL, TOO_LONG
from khien.breach.lines import LONGEST

Row = tuple[bytes, bytes]

_APART = re.compile(rb"[:;|\t]")
_ADDRESS = re.compile(rb"[A-Za-z0-9!#$%&'*+=?^_`{}~.\x80-\xff-]+@([A-Za-z0-9_.\x80-\xff-]+)")
_BEHIND_ADDRESS = re.compile(rb"(?P<blank> +)[:;|,\t] ?|[:;|,\t]| +|$")
_NUMBER = re.compile(rb"[0-9+ ().-]{8,}")
_SCHEME = re.compile(rb"[A-Za-z0-9+.-]+://")
_HOST_ENDS = re.compile(rb"[:;|\t /?#]|$")
_PORT = re.compile(rb":[0-9]{1,5}(?:(?=[/?#])|(?=[:;|\t].*[:;|\t]))", re.DOTALL)
_PART_OF_PATH = re.compile(rb"://|:[0-9]+/|;[^:;|\t]*=")
_BARE_HOST = re.compile(rb"[^:;|\t@ /]*\.[^:;|\t@ /]*(?P<path>/[^:;|\t@ ]*)?(?=[:;|\t])")
_URL_BEHIND = re.compile(rb"[:;|\t]https?://", re.IGNORECASE)


def combination(line: bytes) -> Row | int | None:
    """What a line (without its end) holds: account and secret, a reason why it is broken, or nothing."""
    line = line.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\r")
    if len(line) > LONGEST:
        return TOO_LONG
    if b"\0" in line:
        return NUL
    text = line.lstrip(b" \t")
    if not text:
        return None
    row = _split(text)
    return row if isinstance(row, int) or any(row) else EMPTY


def _split(text: bytes) -> Row | int:
    pair = _address_first(text)
    if pair:
        return pair[0], _without_url(pair[1])
    url = _url_end(text)
    if url is not None:
        text = text[url + 1 :].lstrip(b" ")
        pair = _address_first(text)
        if pair:
            return pair
    apart = _APART.search(text)
    if apart:
        secret = text[apart.end() :]
        return text[: apart.start()], secret if url is not None else _without_url(secret)
    return (text, b"") if url is None and _NUMBER.fullmatch(text) else NO_SEPARATOR


def _address_first(text: bytes) -> Row | None:
    """An address that the text begins with, and what is kept apart from it."""
    address = _met(text, 0)
    behind = address and _BEHIND_ADDRESS.match(text, address)
    return (text[:address], text[behind.end() :]) if address and behind else None


def _met(text: bytes, at: int) -> int:
    """Behind an address that begins there; 0 where none does."""
    address = _ADDRESS.match(text, at)
    return address.end() if address and b"." in address[1] else 0


def _followed(text: bytes, at: int) -> bool:
    """Whether an address begins there, and a separator follows it."""
    behind = _met(text, at)
    return bool(behind and _APART.match(text, behind))


def _url_end(text: bytes) -> int | None:
    """Where a URL ends that the text begins with, with a scheme, or without one before an address or behind a path."""
    scheme = _SCHEME.match(text)
    if not scheme:
        host = _BARE_HOST.match(text)
        if not host:
            return None
        further = host["path"] is not None and _APART.search(text, host.end() + 1)
        return host.end() if further or _followed(text, host.end() + 1) else None
    ends = _HOST_ENDS.search(text, scheme.end())
    at = ends.start() if ends else len(text)
    port = _PORT.match(text, at)
    at = port.end() if port else at
    return _path_end(text, at) if text[at : at + 1] in (b"/", b"?", b"#") else at


def _path_end(text: bytes, at: int) -> int:
    """At the separator before an address, else at the first that is not part of the path."""
    blank = text.find(b" ", at)
    apart = [
        found.start()
        for found in _APART.finditer(text, at, blank if blank >= 0 else len(text))
        if not _PART_OF_PATH.match(text, found.start())
    ]
    first = apart[0] if apart else blank if blank >= 0 else len(text)
    return next((each for each in apart if _followed(text, each + 1)), first)


def _without_url(secret: bytes) -> bytes:
    """What stands before a URL that follows it."""
    url = _URL_BEHIND.search(secret)
    return secret[: url.start()] if url else secret


_ENDS = re.compile(rb"[ \t=*_#~+-]*")
_NOTHING = re.compile(rb"unknown|n/?a|null|none|empty|\[?not[ _]saved\]?", re.IGNORECASE)


class _Block:
    """A block of a stealer's log while it is read: where it began, and what it holds so far."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.account: bytes | None = None
        self.secret: bytes | None = None

    def has(self, kind: str) -> bool:
        """Whether a label of this kind belongs to the next block."""
        account, secret = self.account is not None, self.secret is not None
        if kind == "url":
            return account or secret
        return secret if kind == "secret" else account and kind in ACCOUNTS

    def take(self, kind: str, value: bytes) -> None:
        if _NOTHING.fullmatch(value.strip()):
            value = b""
        if kind == "secret":
            self.secret = value
        elif kind in ACCOUNTS:
            self.account = value.strip()


class Log:
    """A stealer's log, read: its rows, where what is broken begins, its length and why, and how far it was read."""

    def __init__(self, block: bytes, ended: bool) -> None:
        self.rows: list[Row] = []
        self.broken: list[tuple[int, int, int]] = []
        open_, at = _Block(0), 0
        *lines, rest = block.split(b"\n")
        for line in [*lines, rest] if ended else lines:
            text = line.rstrip(b"\r")
            if at - open_.start > stealer.LONGEST_BLOCK:
                self._close(open_, at)
                open_ = _Block(at)
            if len(text) > stealer.LONGEST or b"\0" in text:
                self.broken.append((at, len(text), TOO_LONG if len(text) > stealer.LONGEST else NUL))
            elif _ENDS.fullmatch(text):
                self._close(open_, at)
                open_ = _Block(at + len(line) + 1)
            elif met := labelled(text):
                if open_.has(met[0]):
                    self._close(open_, at)
                    open_ = _Block(at)
                open_.take(*met)
            at += len(line) + 1
        at = min(at, len(block))
        self.used = at if ended or (not open_.start and at >= stealer.LONGEST_BLOCK) else open_.start
        if self.used == at:
            self._close(open_, at)
        self.broken = [each for each in self.broken if each[0] < self.used]  # others are read again

    def _close(self, open_: _Block, end: int) -> None:
        if open_.account or open_.secret:
            self.rows.append((open_.account or b"", open_.secret or b""))
        elif open_.has("url"):
            self.broken.append((open_.start, end - open_.start, EMPTY))


class _Pairs(list[Any]):
    """An object: pairs of key and value, as they are written."""


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are none of JSON's


def jsonl(line: bytes) -> list[Row] | int | None:
    """What a line (without its end) holds: rows, a reason why it is broken, or nothing."""
    text = line.strip(b"[], \t\r\xef\xbb\xbf")
    if not text or len(text) > objects.LONGEST:
        return TOO_LONG if text else None
    try:
        found = json.loads(
            text.decode(),
            object_pairs_hook=_Pairs,
            parse_int=str,
            parse_constant=_no_constant,
            parse_float=lambda _: None,
        )
        if not isinstance(found, _Pairs) or _deep(found) > objects.DEEPEST:
            return BROKEN
    except (ValueError, RecursionError):
        return BROKEN
    fields: dict[str, list[bytes]] = {"mail": [], "phone": [], "name": [], "secret": []}
    for kind, value in _fields(found, objects.NESTED):
        fields[kind].append(value.encode("utf-8", "replace"))
    secret = next(iter(fields["secret"]), b"")
    known = fields["mail"] + fields["phone"] or fields["name"][:1] or [b""]
    rows = [(known[0], secret), *((each, b"") for each in known[1:])]
    return rows if any(rows[0]) else EMPTY


def _deep(found: object) -> int:
    within = [value for _, value in found] if isinstance(found, _Pairs) else found if isinstance(found, list) else None
    return 0 if within is None else 1 + max(map(_deep, within), default=0)


def _fields(found: _Pairs, depth: int) -> Iterator[tuple[str, str]]:
    """What is known by its key, and not empty."""
    for key, value in found:
        if isinstance(value, _Pairs):
            yield from _fields(value, depth - 1) if depth > 1 else ()
        elif (kind := holds(key)) in (*ACCOUNTS, "secret"):
            values = value if isinstance(value, list) else [value]
            yield from ((kind, each) for each in values if isinstance(each, str) and each)
