"""Rows whose secret is an address or a number, and that have no account: no such thing is ever hashed as a password."""

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow.compute import call_function

from khien import schema
from khien.breach import accounts
from khien.breach.octets import find
from khien.compiled import kernel

_AT = ord("@")


def turned(rows: pa.RecordBatch, country: str, unnamed: bool) -> pa.RecordBatch:
    """Rows (schema.LEAKED) in which such a secret is the account.

    unnamed: what stands where has no name, as in lists with the password in front: what was the account of an address
    is its secret then. Of a number it is not, for people take theirs, or one like it, as a password. country: as in
    accounts.spell.
    """
    account, secret = rows.column("account"), rows.column("secret")
    places = _without_address(account)
    if not len(places):
        return rows
    known = _kinds(account.take(places), country) != accounts.NAME
    places = places[~known]
    kinds = _kinds(secret.take(places), country)
    met = np.zeros(len(rows), bool)
    met[places] = kinds != accounts.NAME
    if not met.any():
        return rows
    address = kinds[kinds != accounts.NAME] == accounts.MAIL
    mask, before = pa.array(met), account.filter(pa.array(met))
    left = call_function("if_else", [pa.array(address & unnamed), before, pa.scalar(b"", pa.binary())])
    pairs = (account, secret.filter(mask)), (secret, left)
    columns = [call_function("replace_with_mask", [column, mask, other]) for column, other in pairs]
    return pa.RecordBatch.from_arrays(columns, schema=schema.LEAKED)


def _without_address(column: pa.Array) -> pa.Array:
    """The places (i8) of what has no @."""
    octets, offsets = _buffers(column)
    out = np.empty(len(column), np.int64)
    return out[: without(octets, offsets, len(column), out)]


def _kinds(column: pa.Array, country: str) -> Any:
    octets, offsets = _buffers(column)
    places = offsets.astype(np.int64)
    return accounts.spell(octets, places[:-1], places[1:], country).kinds


def _buffers(column: pa.Array) -> tuple[Any, Any]:
    _, offsets, octets = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(octets or b"", np.uint8), places


@kernel("i8", "u1*", "i4*", "i8", "i8*")
def without(octets, offsets, count, out):
    """Notes the places of spans without @; answers how many those are."""
    done = 0
    for i in range(count):
        out[done] = i
        done += find(octets, offsets[i], offsets[i + 1], _AT) == offsets[i + 1]
    return done
