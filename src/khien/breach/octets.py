"""Octets of text eight at a time: what kernels load, look for and write as a word, the first octet lowest."""

import numpy as np

from khien.compiled import inner

LOWEST = 0x0101010101010101  # bits of each octet
HIGHEST, ASCII = 0x8080808080808080, 0x7F7F7F7F7F7F7F7F


@inner
def eight(values, at):
    """The eight octets at a place."""
    low = values[at] | values[at + 1] << 8 | values[at + 2] << 16 | values[at + 3] << 24
    high = values[at + 4] | values[at + 5] << 8 | values[at + 6] << 16 | values[at + 7] << 24
    return np.uint64(low) | np.uint64(high) << np.uint64(32)


@inner
def behind(count):
    """The bits of a word behind its first octets, 0 to 8."""
    half = np.uint64(4 * count)  # twice, as no shift by 64 is defined
    return ~np.uint64(0) << half << half


@inner
def up_to(values, size, at, end):
    """The eight octets at a place, 0 for those from end on; size: of values, of which nothing behind is read."""
    rest = min(max(end - at, 0), 8)
    word = np.uint64(0)
    if at + 8 <= size:
        word = eight(values, at) & ~behind(rest)
    else:
        for k in range(rest):
            word |= np.uint64(values[at + k]) << np.uint64(8 * k)
    return word


@inner
def put_eight(word, out, at):
    """Writes eight octets."""
    for k in range(8):
        out[at + k] = (word >> np.uint64(8 * k)) & np.uint64(255)


@inner
def from_on(word, code):
    """The highest bit of each octet of a word of ASCII: whether it is this or more. Other bits are anything."""
    return word + np.uint64(LOWEST) * np.uint64(0x80 - code)


@inner
def small(word):
    """The letters A to Z in a word made small."""
    ascii_ = word & np.uint64(ASCII)
    letters = from_on(ascii_, 65) & ~from_on(ascii_, 91) & ~word & np.uint64(HIGHEST)
    return word | letters >> np.uint64(2)


@inner
def place(highest):
    """Which octet it is of which alone the highest bit is set."""
    return np.int64(((highest >> np.uint64(7)) * np.uint64(0x0001020304050607)) >> np.uint64(56))


@inner
def find(block, at, end, code):
    """The next octet that is this, or end: by the trick for a zero in a word (Hacker's Delight)."""
    ones = np.uint64(LOWEST)
    many = ones * np.uint64(code)
    while at + 8 <= end:
        word = eight(block, at) ^ many
        met = (word - ones) & ~word & np.uint64(HIGHEST)
        if met:
            return at + place(met & (~met + np.uint64(1)))
        at += 8
    while at < end and block[at] != code:
        at += 1
    return at


@inner
def mixed(hashed, word):
    """One step of a hash, for tables of what is met again and again."""
    hashed = (hashed ^ word) * np.uint64(0x9E3779B97F4A7C15)
    return hashed ^ (hashed >> np.uint64(32))
