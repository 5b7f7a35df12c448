"""Hash tables that kernels read: words from the left, domains from the right, to small numbers.

A key is a 46-bit multiplicative hash in the manner of FNV-1a, small enough for products to fit 63 bits (compiled signed
arithmetic must not overflow); tables are open-addressed and at most half full. A text that is not in a table of 300,000
is taken for one that is once in 200 million look-ups.
"""

from typing import NamedTuple

import numpy as np

from khien.compiled import inner, kernel

BASIS, PRIME, BITS = 0x2BF29CE48423, 0x1A2B5, (1 << 46) - 1
ABSENT = -1
MARKS = 4  # marks a slot
PREFIX, PREFIX_SALT = 4, 0x155555555555  # letters that begin a longer key are marked too, under another hash


@inner
def mix(state, byte):
    """One step of the hash."""
    return ((state ^ byte) * PRIME) & BITS


@inner
def is_marked(hashed, marks, size):
    """Whether a hash may be in the table."""
    mark = (hashed >> 8) & (size * MARKS - 1)
    return marks[mark >> 3] >> (mark & 7) & 1


@inner
def set_mark(hashed, marks, size):
    """Says that a hash may be in the table."""
    mark = (hashed >> 8) & (size * MARKS - 1)
    marks[mark >> 3] |= 1 << (mark & 7)


@inner
def find(hashed, marks, keys, values, size):
    """The value kept for a hash, or ABSENT. size is a power of two.

    Most hashes asked for are absent; marks, a bit for each of a few bits of the hash, fit a near cache and say so.
    """
    if not is_marked(hashed, marks, size):
        return ABSENT
    at = (hashed >> 20) & (size - 1)
    while keys[at] != 0:
        if keys[at] == hashed:
            return values[at]
        at = (at + 1) & (size - 1)
    return ABSENT


FORWARD, BACKWARD, OWNED = 0, 1, 2  # how a row's key is hashed; OWNED: the number is its owner's, and goes in first


@inner
def hash_row(rows, at, end, number, how):
    """The hash of rows[at:end]."""
    state = mix(BASIS, number) if how == OWNED else BASIS
    for i in range(at, end):
        state = mix(state, rows[end - 1 - i + at] if how == BACKWARD else rows[i])
    return state


@kernel("i8", "u1*", "i8", "i8", "u1*", "i8*", "i4*", "i8")
def fill(rows, length, how, marks, keys, values, size):
    """Enters rows ``key TAB number LF`` into a table; a later row replaces an earlier. Answers how many rows."""
    count = 0
    at = 0
    while at < length:
        end = at
        while rows[end] != 9:
            end += 1
        number = 0
        behind = end + 1
        while rows[behind] != 10:
            number = number * 10 + rows[behind] - 48
            behind += 1
        hashed = hash_row(rows, at, end, number, how)
        set_mark(hashed, marks, size)
        if how == FORWARD and end - at > PREFIX:
            set_mark(hash_row(rows, at, at + PREFIX, number, how) ^ PREFIX_SALT, marks, size)
        slot = (hashed >> 20) & (size - 1)
        while keys[slot] != 0 and keys[slot] != hashed:
            slot = (slot + 1) & (size - 1)
        keys[slot] = hashed
        values[slot] = number
        count += 1
        at = behind + 1
    return count


class Table(NamedTuple):
    """marks u1[size * MARKS / 8], keys i8[size], values i4[size]."""

    marks: np.ndarray
    keys: np.ndarray
    values: np.ndarray

    @property
    def arguments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """As kernels take it."""
        return self.marks, self.keys, self.values, len(self.keys)


def table(rows: bytes, how: int = FORWARD) -> Table:
    """A table of rows ``key TAB number LF``."""
    size = 1 << max(4, (2 * rows.count(b"\n")).bit_length())
    made = Table(np.zeros(size * MARKS // 8, np.uint8), np.zeros(size, np.int64), np.zeros(size, np.int32))
    fill(np.frombuffer(rows or b"\0", np.uint8), len(rows), how, *made.arguments)
    return made
