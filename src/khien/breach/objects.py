"""JSON objects, a line each (JSONL; also the lines of an array, and one object within another)."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from khien.breach.columns import ACCOUNTS, holds
from khien.breach.leaked import BROKEN, EMPTY, TOO_LONG, Broken, Read, batch

LONGEST = 1 << 16  # octets of a line
DEEPEST = 3  # objects within objects, as exports of search engines have them

_AROUND = b"[], \t\r\xef\xbb\xbf"


def objects(block: bytes, ended: bool, hashed: bool = False) -> Read:
    """Reads the lines of a block that are whole; ended: its last one is, too. hashed: as in leaked.batch.

    An object with several accounts gives a row for each, the first of them with the secret.
    """
    rows: list[tuple[bytes, bytes]] = []
    broken = Broken()
    lines = block.split(b"\n")
    rest = b"" if ended else lines.pop()
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    at = 0
    for line in lines:
        text = line.strip(_AROUND)
        if len(text) > LONGEST:
            broken.add(at, len(line), TOO_LONG)
        elif text:
            try:
                found = _rows(decode(text))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                broken.add(at, len(line), BROKEN)
            else:
                rows += found
                if not found:
                    broken.add(at, len(line), EMPTY)
        at += len(line) + 1
    accounts, secrets = (pa.array([row[n] for row in rows], pa.binary()) for n in (0, 1))
    return broken.read(batch(accounts, secrets, hashed), len(block) - len(rest))


def _rows(found: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    accounts: dict[str, list[bytes]] = {"mail": [], "phone": [], "name": [], "secret": []}
    for kind, value in _fields(found, DEEPEST):
        accounts[kind].append(value.encode("utf-8", "replace"))
    secret = next(iter(accounts["secret"]), b"")
    known = accounts["mail"] + accounts["phone"] or accounts["name"][:1] or [b""]
    return [(known[0], secret), *((each, b"") for each in known[1:])] if known[0] or secret else []


def _fields(found: Mapping[str, Any], depth: int) -> Iterator[tuple[str, str]]:
    """What is known by its key, and not empty."""
    for key, value in found.items():
        if isinstance(value, dict):
            if depth > 1:
                yield from _fields(value, depth - 1)
            continue
        kind = holds(key)
        if kind not in (*ACCOUNTS, "secret"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and each:
                yield kind, each
            elif isinstance(each, int) and not isinstance(each, bool):
                yield kind, str(each)
