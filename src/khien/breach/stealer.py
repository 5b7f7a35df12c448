"""What programs that steal log-ins write down: blocks of lines, a label and a value each.

    URL: https://example.vn/login
    Username: lan@example.vn
    Password: secret

A block ends at an empty line, at a line of strokes, or where a label comes again. Labels are those of some ten
languages, in one log of several, too; others (Soft, Application, Storage) and text between blocks are passed over.
"""

import re

import pyarrow as pa

from khien.breach.columns import ACCOUNTS, labelled
from khien.breach.leaked import EMPTY, NUL, TOO_LONG, Broken, Read, batch

LONGEST = 4096  # octets of a line
LONGEST_BLOCK = 1 << 16  # of a block that does not end: what it holds so far is a row

_ENDS = re.compile(rb"[ \t=*_#~+-]*")
_NOTHING = re.compile(rb"unknown|n/?a|null|none|empty|\[?not[ _]saved\]?", re.IGNORECASE)


class _Block:
    """A block while it is read: where it began, and what it holds so far."""

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


def blocks(block: bytes, ended: bool, hashed: bool = False) -> Read:
    """Reads the blocks of text that are whole; ended: the last one is, too. hashed: as in leaked.batch."""
    rows: list[tuple[bytes, bytes]] = []
    broken = Broken()
    lines = block.split(b"\n")
    rest = b"" if ended else lines.pop()
    open_, at = _Block(0), 0
    for line in lines:
        behind = at + len(line) + 1
        text = line.rstrip(b"\r")
        if len(text) > LONGEST or b"\0" in text:
            broken.add(at, len(text), TOO_LONG if len(text) > LONGEST else NUL)
        elif _ENDS.fullmatch(text) or at - open_.start > LONGEST_BLOCK:
            _close(open_, at, rows, broken)
            open_ = _Block(behind)
        elif met := labelled(text):
            kind, value = met
            if open_.has(kind):
                _close(open_, at, rows, broken)
                open_ = _Block(at)
            _take(open_, kind, value)
        at = behind
    if ended:
        _close(open_, len(block), rows, broken)
    used = len(block) if ended else open_.start
    if not used and len(rest) <= len(block) - LONGEST_BLOCK:  # a block without end: given up at its last whole line
        used = len(block) - len(rest)
        _close(open_, used, rows, broken)
    accounts, secrets = (pa.array([row[n] for row in rows], pa.binary()) for n in (0, 1))
    return broken.read(batch(accounts, secrets, hashed), used)


def _take(open_: _Block, kind: str, value: bytes) -> None:
    if _NOTHING.fullmatch(value.strip()):
        value = b""
    if kind == "secret":
        open_.secret = value
    elif kind in ACCOUNTS:
        open_.account = value.strip()


def _close(open_: _Block, end: int, rows: list[tuple[bytes, bytes]], broken: Broken) -> None:
    if open_.account or open_.secret:
        rows.append((open_.account or b"", open_.secret or b""))
    elif open_.has("url"):
        broken.add(open_.start, end - open_.start, EMPTY)
