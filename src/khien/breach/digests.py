"""Digests of many short texts at once: SHA-1, NTLM and SipHash-2-4.

A text is a span of a buffer: values (u1), and where each begins and ends (i8).
"""

import hmac
from typing import Any

import numpy as np

from khien.breach import rounds
from khien.breach import siphash as siphash_kernel
from khien.compiled import inner, kernel


def sha1(values: Any, starts: Any, ends: Any) -> Any:
    """SHA-1 of each span: u1 (n, 20)."""
    out = np.empty((len(starts), 20), np.uint8)
    rounds.sha1_of(values, len(values), starts, ends, len(starts), np.empty(rounds.ROOM, np.uint32), out)
    return out


def ntlm(values: Any, starts: Any, ends: Any) -> Any:
    """MD4 of the UTF-16LE of each span, which is UTF-8, else ISO 8859-1: u1 (n, 16)."""
    count = len(starts)
    wide = np.empty(2 * int((ends - starts).sum()), np.uint8)
    offsets = np.zeros(count + 1, np.int64)
    widen(values, starts, ends, count, wide, offsets)
    out = np.empty((count, 16), np.uint8)
    rounds.md4_of(wide, len(wide), offsets[:-1], offsets[1:], count, np.empty(rounds.ROOM, np.uint32), out)
    return out


def siphash(values: Any, starts: Any, ends: Any, key: bytes, octets: int, padded: bool = False) -> Any:
    """SipHash-2-4 of each span under a key of 16 octets: u1 (n, octets), octets 8 or 16.

    padded: behind each span are 1 to 8 zeros, so that it is a multiple of eight octets with them, and done faster.
    """
    count = len(starts)
    out, room = np.empty((count, octets), np.uint8), np.empty(siphash_kernel.ROOM, np.uint64)
    keys = np.frombuffer(key, "<u8").astype(np.uint64)
    siphash_kernel.siphash_of(values, len(values), starts, ends, count, padded, keys, octets, room, out)
    return out


def pairs(accounts: Any, secrets: Any, key: bytes) -> Any:
    """SipHash-2-4 (u8) of each account and secret, as their hashes (u1: n, 16 and n, 20) stand for them, under a key of
    16 octets."""
    count = len(accounts)
    out, room = np.empty(count, np.uint64), np.empty(siphash_kernel.ROOM, np.uint64)
    keys = np.frombuffer(key, "<u8").astype(np.uint64)
    siphash_kernel.pairs_of(accounts.view(np.uint64).reshape(-1), secrets, count, keys, room, out)
    return out


def derived(key: bytes, label: bytes) -> bytes:
    """The 16 octets that a keyed hash of this label is made with."""
    return hmac.digest(key, label, "sha256")[:16]


@inner
def character(values, at, end):
    """The code point of UTF-8 (RFC 3629 section 4) at a place and how many octets it takes; -1 where there is none."""
    c = 0 + values[at]
    if c < 0x80:
        return c, 1
    size = 2 if 0xC2 <= c < 0xE0 else 3 if 0xE0 <= c < 0xF0 else 4 if 0xF0 <= c < 0xF5 else 0
    if size == 0 or at + size > end:
        return -1, 1
    point = c & (0x7F >> size)
    for k in range(1, size):
        c = 0 + values[at + k]
        if c >> 6 != 2:
            return -1, 1
        point = point << 6 | (c & 0x3F)
    wrong = point < (0x800 if size == 3 else 0x10000 if size == 4 else 0x80)
    if wrong or point > 0x10FFFF or 0xD800 <= point < 0xE000:
        return -1, 1
    return point, size


@inner
def widen_one(values, start, end, utf8, out, done):
    """Writes a text as UTF-16LE behind what is done; -1 where it is not UTF-8, as which it is read."""
    at = start
    while at < end:
        point, size = 0 + values[at], 1
        if utf8 and point >= 0x80:
            point, size = character(values, at, end)
            if point < 0:
                return -1
        at += size
        if point >= 0x10000:
            high = 0xD800 + ((point - 0x10000) >> 10)
            out[done] = high & 255
            out[done + 1] = high >> 8
            done += 2
            point = 0xDC00 + (point & 0x3FF)
        out[done] = point & 255
        out[done + 1] = point >> 8
        done += 2
    return done


@kernel("i8", "u1*", "i8*", "i8*", "i8", "u1*", "i8*")
def widen(values, starts, ends, count, out, offsets):
    """UTF-8 texts as UTF-16LE, one behind the other (out: two octets for each of theirs); what is no UTF-8 is read as
    ISO 8859-1. Answers how many octets it made."""
    done = 0
    for i in range(count):
        made = widen_one(values, starts[i], ends[i], True, out, done)
        done = made if made >= 0 else widen_one(values, starts[i], ends[i], False, out, done)
        offsets[i + 1] = done
    return done
