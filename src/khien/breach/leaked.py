"""What forms of dumps have in common: spans of a block of text become rows of schema.LEAKED, broken rows are counted.

Nothing of a row is told but where it stood and why it is broken: NO_SEPARATOR, EMPTY (neither account nor secret),
TOO_LONG, NUL (text has none), BROKEN (quotes or braces that do not close).
"""

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow.compute import MatchSubstringOptions, call_function

from khien import schema
from khien.compiled import inner, kernel

REASONS = ("row-no-separator", "row-empty", "row-too-long", "row-nul", "row-broken")
NO_SEPARATOR, EMPTY, TOO_LONG, NUL, BROKEN = range(len(REASONS))

_HEX = re.compile(rb"\$HEX\[((?:[0-9A-Fa-f]{2})*)\]")
_HEX_FRONT = rb"$HEX["
# Hex as long as digests are, maybe with a salt behind; crypt(3)'s $6$, LDAP's {SSHA}.
_DIGEST = (
    r"(?s)^(?:(?:\*|0x)?(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{56}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{96}"
    r"|[0-9A-Fa-f]{128})(?:[:$].*)?|\$[0-9A-Za-z-]{1,16}\$.*|\{[0-9A-Za-z-]{1,16}\}.+)$"
)


class Read(NamedTuple):
    """What a block holds: rows (schema.LEAKED), how many octets of it are done with, and what is broken: offsets and
    lengths (i8), and the reason of each."""

    rows: pa.RecordBatch
    used: int
    offsets: Any
    lengths: Any
    reasons: list[str]


class Spans(NamedTuple):
    """What a reader finds, up to done[0] rows, done[1] broken ones, done[2] octets that are done with.

    rows: begin and end of an account and of a secret, four numbers a row; broken: begin, length and reason, three.
    """

    rows: Any  # i4
    broken: Any  # i4
    done: Any  # i8

    @classmethod
    def make(cls, most: int) -> "Spans":
        """Room for so many rows, and as many broken ones."""
        return cls(np.empty(4 * most, np.int32), np.empty(3 * most, np.int32), np.zeros(3, np.int64))


CHUNK = 16
SPANS = ("i4*", "i4*", "i8*")  # as a kernel takes them


@inner
def add(rows, done, account, account_end, secret, secret_end):
    """Notes a row; whether there is anything in it."""
    at = 4 * done[0]
    rows[at] = account
    rows[at + 1] = account_end
    rows[at + 2] = secret
    rows[at + 3] = secret_end
    found = account_end > account or secret_end > secret
    done[0] += 1 if found else 0
    return found


@inner
def refuse(broken, done, start, end, reason):
    """Notes a broken row."""
    at = 3 * done[1]
    broken[at] = start
    broken[at + 1] = end - start
    broken[at + 2] = reason
    done[1] += 1


@kernel("i8", "u1*", "i8", "i4*", "i8", "i8", "u1*", "i4*")
def gather(block, size, rows, first, count, out, offsets):
    """Copies one of the two spans of each row, one behind the other; answers how many octets were copied.

    By CHUNK octets, those behind the span written over by the next: out has room for as many more.
    """
    done = 0
    for i in range(count):
        offsets[i] = done
        at = np.int64(rows[4 * i + first])
        end = np.int64(rows[4 * i + first + 1])
        to = done
        while at < end and at + CHUNK <= size:
            for k in range(CHUNK):
                out[to + k] = block[at + k]
            at += CHUNK
            to += CHUNK
        for k in range(at, end):
            out[to + k - at] = block[k]
        done += end - rows[4 * i + first]
    offsets[count] = done
    return done


def read(block: Any, spans: Spans, hashed: bool) -> Read:
    """The rows at these spans of a block (u1)."""
    count, wrong, used = spans.done.tolist()
    rows = batch(_column(block, spans.rows, 0, count), _column(block, spans.rows, 2, count), hashed)
    broken = spans.broken[: 3 * wrong].reshape(-1, 3)
    return Read(rows, used, broken[:, 0], broken[:, 1], [REASONS[each] for each in broken[:, 2].tolist()])


def batch(accounts: pa.Array, secrets: pa.Array, hashed: bool) -> pa.RecordBatch:
    """Rows of accounts and secrets as met, the latter decoded.

    hashed: those that look like digests are no passwords, and left out.
    """
    coded = call_function("starts_with", [secrets], MatchSubstringOptions(_HEX_FRONT))
    if call_function("any", [coded]).as_py():
        decoded = [decode(each) for each in secrets.filter(coded).to_pylist()]
        secrets = call_function("replace_with_mask", [secrets, coded, pa.array(decoded, pa.binary())])
    if hashed:
        digests = call_function("match_substring_regex", [secrets], MatchSubstringOptions(_DIGEST))
        secrets = call_function("if_else", [digests, pa.scalar(b"", pa.binary()), secrets])
    return pa.RecordBatch.from_arrays([accounts, secrets], schema=schema.LEAKED)


def decode(secret: bytes) -> bytes:
    """A secret that hashcat wrote as ``$HEX[...]``, because it has a colon or is no UTF-8; any other as it is."""
    met = _HEX.fullmatch(secret)
    return bytes.fromhex(met[1].decode()) if met else secret


def _column(block: Any, rows: Any, first: int, count: int) -> pa.Array:
    spans = rows[: 4 * count].reshape(-1, 4)
    values = np.empty(int((spans[:, first + 1] - spans[:, first]).sum()) + CHUNK, np.uint8)
    offsets = np.empty(count + 1, np.int32)
    gather(block, len(block), rows, first, count, values, offsets)
    return pa.BinaryArray.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(values)])
