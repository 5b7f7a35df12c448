"""The rules of a combination list, plainly: what the kernel in khien.breach.lines is held to."""

import re

from khien.breach.leaked import EMPTY, NO_SEPARATOR, NUL, TOO_LONG
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
