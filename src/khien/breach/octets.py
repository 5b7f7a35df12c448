"""Octets of text eight at a time: what kernels load, look for and write as a word, the first octet lowest."""

import re

import numpy as np

from khien.compiled import inner

LOWEST = 0x0101010101010101  # bits of each octet
HIGHEST, ASCII = 0x8080808080808080, 0x7F7F7F7F7F7F7F7F
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 by the golden ratio, odd


def classes(marks):
    """Of each octet what it may be, u1[256]: the bits of the patterns it matches. marks: a pattern for each bit."""
    found = np.zeros(256, np.uint8)
    for bit, pattern in marks.items():
        for code in range(256):
            found[code] |= bit if re.fullmatch(pattern, bytes([code])) else 0
    return found


@inner
def run(values, at, end, classes, bit):
    """Behind the octets from at on that may be this."""
    while at < end and classes[values[at]] & bit:
        at += 1
    return at


@inner
def nibble(octet):
    """Of a hexadecimal digit; 16 where it is none."""
    if 48 <= octet <= 57:
        return np.int64(octet) - 48
    lower = octet | 32
    if 97 <= lower <= 102:
        return np.int64(lower) - 87
    return np.int64(16)


@inner
def four(values, at):
    """The four octets at a place."""
    low = np.int64(values[at]) | np.int64(values[at + 1]) << 8
    return low | np.int64(values[at + 2]) << 16 | np.int64(values[at + 3]) << 24


@inner
def eight(values, at):
    """The eight octets at a place."""
    return np.uint64(four(values, at)) | np.uint64(four(values, at + 4)) << np.uint64(32)


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
def zeros(word):
    """The highest bit of each octet of a word that is 0, up to the first of them (Hacker's Delight)."""
    return (word - np.uint64(LOWEST)) & ~word & np.uint64(HIGHEST)


@inner
def first(met):
    """Which octet it is whose highest bit is the lowest that is set, of bits that are highest ones."""
    return place(met & (~met + np.uint64(1)))


@inner
def find(block, at, end, code):
    """The next octet that is this, or end."""
    many = np.uint64(LOWEST) * np.uint64(code)
    while at + 8 <= end:
        met = zeros(eight(block, at) ^ many)
        if met:
            return at + first(met)
        at += 8
    while at < end and block[at] != code:
        at += 1
    return at


@inner
def mixed(hashed, word):
    """One step of a hash, for tables of what is met again and again."""
    hashed = (hashed ^ word) * np.uint64(_GOLDEN)
    return hashed ^ (hashed >> np.uint64(32))
