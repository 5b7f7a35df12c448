"""SHA-1 and MD4 of many texts, sixteen side by side: kernels of ``digests``.

Loops over lanes are what the compiler turns into vector instructions: what they do is written out without a branch, and
calls only what is small enough to be inlined. Constants and rounds are those of FIPS 180-4 and RFC 1320.
"""

import numpy as np

from khien.breach.octets import up_to
from khien.compiled import inner, kernel

LANES = 16

# A room is LANES wide: the words of a block, the state, the state before it.
WORDS, STATE, BEFORE = 0, 16 * LANES, 21 * LANES
ROOM = 26 * LANES


@inner
def left(x, n):
    """x (u4), turned left by n."""
    return np.uint32((x << np.uint32(n)) | (x >> np.uint32(32 - n)))


@inner
def blocks(start, end):
    """How many blocks of 64 octets a text fills, with its padding."""
    return (end - start + 72) >> 6


@inner
def longest(starts, ends, count, first):
    """The octets of the longest text of a group. Lanes behind the last text repeat it."""
    most = 0
    for lane in range(LANES):
        i = min(first + lane, count - 1)
        most = max(most, ends[i] - starts[i])
    return most


@inner
def swapped(word):
    """A word (u4), its first octet highest."""
    return np.uint32((word << 24) | ((word & 0xFF00) << 8) | ((word >> 8) & 0xFF00) | (word >> 24))


@inner
def pack(values, size, start, end, block, words, lane, big, room):
    """Lays so many words of a block of a text, or of its padding, into a lane that is clear, and what ends the text."""
    at = start + 64 * block
    for k in range(0, words, 2):
        word = up_to(values, size, at + 4 * k, end)
        rest = end - at - 4 * k
        if 0 <= rest < 8:
            word |= np.uint64(0x80) << np.uint64(8 * rest)
        low, high = np.uint32(word & np.uint64(0xFFFFFFFF)), np.uint32(word >> np.uint64(32))
        room[WORDS + k * LANES + lane] = swapped(low) if big else low
        room[WORDS + (k + 1) * LANES + lane] = swapped(high) if big else high
    if block + 1 == blocks(start, end):
        bits = (end - start) << 3
        room[WORDS + (15 if big else 14) * LANES + lane] = bits & 0xFFFFFFFF
        room[WORDS + (14 if big else 15) * LANES + lane] = bits >> 32


@inner
def begin(room):
    """The state that SHA-1 begins with, and MD4 but for the last word."""
    for lane in range(LANES):
        room[STATE + lane] = 0x67452301
        room[STATE + LANES + lane] = 0xEFCDAB89
        room[STATE + 2 * LANES + lane] = 0x98BADCFE
        room[STATE + 3 * LANES + lane] = 0x10325476
        room[STATE + 4 * LANES + lane] = 0xC3D2E1F0


@inner
def clear(room):
    """Empties the words of all lanes."""
    for k in range(16 * LANES):
        room[WORDS + k] = 0


@inner
def keep(room):
    """Remembers the state before a block."""
    for k in range(5 * LANES):
        room[BEFORE + k] = room[STATE + k]


@inner
def add(room):
    """Adds it to the state behind the block."""
    for k in range(5 * LANES):
        room[STATE + k] = np.uint32(room[STATE + k] + room[BEFORE + k])


@inner
def unpack(room, lane, words, big, out, at):
    """Writes the state of a lane as octets."""
    for k in range(words):
        word = room[STATE + k * LANES + lane]
        for j in range(4):
            out[at + 4 * k + j] = word >> (24 - 8 * j if big else 8 * j) & 255


@inner
def step(a, b, e, mixed, word, constant):
    """A round of SHA-1: e and b as they are behind it."""
    return np.uint32(left(a, 5) + mixed + e + word + np.uint32(constant)), left(b, 30)


@inner
def choosing(a, b, c, d, e, w0, w1, w2, w3):
    """Four of rounds 0 to 19."""
    e, b = step(a, b, e, d ^ (b & (c ^ d)), w0, 0x5A827999)
    d, a = step(e, a, d, c ^ (a & (b ^ c)), w1, 0x5A827999)
    c, e = step(d, e, c, b ^ (e & (a ^ b)), w2, 0x5A827999)
    b, d = step(c, d, b, a ^ (d & (e ^ a)), w3, 0x5A827999)
    return b, c, d, e, a


@inner
def parity(a, b, c, d, e, w0, w1, w2, w3, constant):
    """Four of rounds 20 to 39 or 60 to 79."""
    e, b = step(a, b, e, b ^ c ^ d, w0, constant)
    d, a = step(e, a, d, a ^ b ^ c, w1, constant)
    c, e = step(d, e, c, e ^ a ^ b, w2, constant)
    b, d = step(c, d, b, d ^ e ^ a, w3, constant)
    return b, c, d, e, a


@inner
def majority(a, b, c, d, e, w0, w1, w2, w3):
    """Four of rounds 40 to 59."""
    e, b = step(a, b, e, (b & c) | (d & (b | c)), w0, 0x8F1BBCDC)
    d, a = step(e, a, d, (a & b) | (c & (a | b)), w1, 0x8F1BBCDC)
    c, e = step(d, e, c, (e & a) | (b & (e | a)), w2, 0x8F1BBCDC)
    b, d = step(c, d, b, (d & e) | (a & (d | e)), w3, 0x8F1BBCDC)
    return b, c, d, e, a


@inner
def onward(w0, w1, w2, w3, w4, w5, w8, w9, w10, w11, w13, w14, w15):
    """The four words that follow sixteen in SHA-1's schedule, and replace the first four."""
    w0 = left(w13 ^ w8 ^ w2 ^ w0, 1)
    w1 = left(w14 ^ w9 ^ w3 ^ w1, 1)
    w2 = left(w15 ^ w10 ^ w4 ^ w2, 1)
    return w0, w1, w2, left(w0 ^ w11 ^ w5 ^ w3, 1)


@inner
def sixteen(room, lane):
    """The words of a lane."""
    at = WORDS + lane
    return (
        room[at], room[at + LANES], room[at + 2 * LANES], room[at + 3 * LANES],
        room[at + 4 * LANES], room[at + 5 * LANES], room[at + 6 * LANES], room[at + 7 * LANES],
        room[at + 8 * LANES], room[at + 9 * LANES], room[at + 10 * LANES], room[at + 11 * LANES],
        room[at + 12 * LANES], room[at + 13 * LANES], room[at + 14 * LANES], room[at + 15 * LANES],
    )  # fmt: skip


@inner
def put_four(room, at, w0, w1, w2, w3):
    """Writes four words of a lane."""
    room[at] = w0
    room[at + LANES] = w1
    room[at + 2 * LANES] = w2
    room[at + 3 * LANES] = w3


@inner
def put_back(room, lane, a, b, c, d, e, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15):
    """Writes a lane after twenty rounds: its state, and the words that the next begin with."""
    put_four(room, STATE + lane, a, b, c, d)
    room[STATE + 4 * LANES + lane] = e
    put_four(room, WORDS + lane, w4, w5, w6, w7)
    put_four(room, WORDS + 4 * LANES + lane, w8, w9, w10, w11)
    put_four(room, WORDS + 8 * LANES + lane, w12, w13, w14, w15)
    put_four(room, WORDS + 12 * LANES + lane, w0, w1, w2, w3)


@inner
def five(room, lane):
    """The state of a lane."""
    at = STATE + lane
    return room[at], room[at + LANES], room[at + 2 * LANES], room[at + 3 * LANES], room[at + 4 * LANES]


@inner
def choosing_rounds(room):
    """Rounds 0 to 19."""
    for lane in range(LANES):
        a, b, c, d, e = five(room, lane)
        w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15 = sixteen(room, lane)
        a, b, c, d, e = choosing(a, b, c, d, e, w0, w1, w2, w3)
        w0, w1, w2, w3 = onward(w0, w1, w2, w3, w4, w5, w8, w9, w10, w11, w13, w14, w15)
        a, b, c, d, e = choosing(a, b, c, d, e, w4, w5, w6, w7)
        w4, w5, w6, w7 = onward(w4, w5, w6, w7, w8, w9, w12, w13, w14, w15, w1, w2, w3)
        a, b, c, d, e = choosing(a, b, c, d, e, w8, w9, w10, w11)
        w8, w9, w10, w11 = onward(w8, w9, w10, w11, w12, w13, w0, w1, w2, w3, w5, w6, w7)
        a, b, c, d, e = choosing(a, b, c, d, e, w12, w13, w14, w15)
        w12, w13, w14, w15 = onward(w12, w13, w14, w15, w0, w1, w4, w5, w6, w7, w9, w10, w11)
        a, b, c, d, e = choosing(a, b, c, d, e, w0, w1, w2, w3)
        w0, w1, w2, w3 = onward(w0, w1, w2, w3, w4, w5, w8, w9, w10, w11, w13, w14, w15)
        put_back(room, lane, a, b, c, d, e, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15)


@inner
def parity_rounds(room, constant):
    """Rounds 20 to 39, or 60 to 79."""
    for lane in range(LANES):
        a, b, c, d, e = five(room, lane)
        w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15 = sixteen(room, lane)
        a, b, c, d, e = parity(a, b, c, d, e, w0, w1, w2, w3, constant)
        w0, w1, w2, w3 = onward(w0, w1, w2, w3, w4, w5, w8, w9, w10, w11, w13, w14, w15)
        a, b, c, d, e = parity(a, b, c, d, e, w4, w5, w6, w7, constant)
        w4, w5, w6, w7 = onward(w4, w5, w6, w7, w8, w9, w12, w13, w14, w15, w1, w2, w3)
        a, b, c, d, e = parity(a, b, c, d, e, w8, w9, w10, w11, constant)
        w8, w9, w10, w11 = onward(w8, w9, w10, w11, w12, w13, w0, w1, w2, w3, w5, w6, w7)
        a, b, c, d, e = parity(a, b, c, d, e, w12, w13, w14, w15, constant)
        w12, w13, w14, w15 = onward(w12, w13, w14, w15, w0, w1, w4, w5, w6, w7, w9, w10, w11)
        a, b, c, d, e = parity(a, b, c, d, e, w0, w1, w2, w3, constant)
        w0, w1, w2, w3 = onward(w0, w1, w2, w3, w4, w5, w8, w9, w10, w11, w13, w14, w15)
        put_back(room, lane, a, b, c, d, e, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15)


@inner
def majority_rounds(room):
    """Rounds 40 to 59."""
    for lane in range(LANES):
        a, b, c, d, e = five(room, lane)
        w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15 = sixteen(room, lane)
        a, b, c, d, e = majority(a, b, c, d, e, w0, w1, w2, w3)
        w0, w1, w2, w3 = onward(w0, w1, w2, w3, w4, w5, w8, w9, w10, w11, w13, w14, w15)
        a, b, c, d, e = majority(a, b, c, d, e, w4, w5, w6, w7)
        w4, w5, w6, w7 = onward(w4, w5, w6, w7, w8, w9, w12, w13, w14, w15, w1, w2, w3)
        a, b, c, d, e = majority(a, b, c, d, e, w8, w9, w10, w11)
        w8, w9, w10, w11 = onward(w8, w9, w10, w11, w12, w13, w0, w1, w2, w3, w5, w6, w7)
        a, b, c, d, e = majority(a, b, c, d, e, w12, w13, w14, w15)
        w12, w13, w14, w15 = onward(w12, w13, w14, w15, w0, w1, w4, w5, w6, w7, w9, w10, w11)
        a, b, c, d, e = majority(a, b, c, d, e, w0, w1, w2, w3)
        w0, w1, w2, w3 = onward(w0, w1, w2, w3, w4, w5, w8, w9, w10, w11, w13, w14, w15)
        put_back(room, lane, a, b, c, d, e, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15)


@kernel("i8", "u1*", "i8", "i8*", "i8*", "i8", "u4*", "u1*")
def sha1_of(values, size, starts, ends, count, room, out):
    """SHA-1 of count texts, 20 octets each."""
    for first in range(0, count, LANES):
        begin(room)
        most = longest(starts, ends, count, first)
        for block in range(blocks(0, most)):
            clear(room)
            words = min(max(((most - 64 * block) >> 3) + 1, 0), 8) << 1
            for lane in range(LANES):
                i = min(first + lane, count - 1)
                pack(values, size, starts[i], ends[i], block, words, lane, True, room)
            keep(room)
            choosing_rounds(room)
            parity_rounds(room, 0x6ED9EBA1)
            majority_rounds(room)
            parity_rounds(room, 0xCA62C1D6)
            add(room)
            for lane in range(min(LANES, count - first)):
                i = first + lane
                if blocks(starts[i], ends[i]) == block + 1:
                    unpack(room, lane, 5, True, out, 20 * i)
    return count


@inner
def md4_choosing(a, b, c, d, w0, w1, w2, w3):
    """Four steps of MD4's first round."""
    a = left(np.uint32(a + (d ^ (b & (c ^ d))) + w0), 3)
    d = left(np.uint32(d + (c ^ (a & (b ^ c))) + w1), 7)
    c = left(np.uint32(c + (b ^ (d & (a ^ b))) + w2), 11)
    return a, left(np.uint32(b + (a ^ (c & (d ^ a))) + w3), 19), c, d


@inner
def md4_majority(a, b, c, d, w0, w1, w2, w3):
    """Four of its second."""
    k = np.uint32(0x5A827999)
    a = left(np.uint32(a + ((b & c) | (d & (b | c))) + w0 + k), 3)
    d = left(np.uint32(d + ((a & b) | (c & (a | b))) + w1 + k), 5)
    c = left(np.uint32(c + ((d & a) | (b & (d | a))) + w2 + k), 9)
    return a, left(np.uint32(b + ((c & d) | (a & (c | d))) + w3 + k), 13), c, d


@inner
def md4_parity(a, b, c, d, w0, w1, w2, w3):
    """Four of its third."""
    k = np.uint32(0x6ED9EBA1)
    a = left(np.uint32(a + (b ^ c ^ d) + w0 + k), 3)
    d = left(np.uint32(d + (a ^ b ^ c) + w1 + k), 9)
    c = left(np.uint32(c + (d ^ a ^ b) + w2 + k), 11)
    return a, left(np.uint32(b + (c ^ d ^ a) + w3 + k), 15), c, d


@inner
def md4_rounds(room):
    """The three rounds over a block."""
    for lane in range(LANES):
        a, b, c, d, _ = five(room, lane)
        w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15 = sixteen(room, lane)
        a, b, c, d = md4_choosing(a, b, c, d, w0, w1, w2, w3)
        a, b, c, d = md4_choosing(a, b, c, d, w4, w5, w6, w7)
        a, b, c, d = md4_choosing(a, b, c, d, w8, w9, w10, w11)
        a, b, c, d = md4_choosing(a, b, c, d, w12, w13, w14, w15)
        a, b, c, d = md4_majority(a, b, c, d, w0, w4, w8, w12)
        a, b, c, d = md4_majority(a, b, c, d, w1, w5, w9, w13)
        a, b, c, d = md4_majority(a, b, c, d, w2, w6, w10, w14)
        a, b, c, d = md4_majority(a, b, c, d, w3, w7, w11, w15)
        a, b, c, d = md4_parity(a, b, c, d, w0, w8, w4, w12)
        a, b, c, d = md4_parity(a, b, c, d, w2, w10, w6, w14)
        a, b, c, d = md4_parity(a, b, c, d, w1, w9, w5, w13)
        a, b, c, d = md4_parity(a, b, c, d, w3, w11, w7, w15)
        put_four(room, STATE + lane, a, b, c, d)


@kernel("i8", "u1*", "i8", "i8*", "i8*", "i8", "u4*", "u1*")
def md4_of(values, size, starts, ends, count, room, out):
    """MD4 of count texts, 16 octets each."""
    for first in range(0, count, LANES):
        begin(room)
        most = longest(starts, ends, count, first)
        for block in range(blocks(0, most)):
            clear(room)
            words = min(max(((most - 64 * block) >> 3) + 1, 0), 8) << 1
            for lane in range(LANES):
                i = min(first + lane, count - 1)
                pack(values, size, starts[i], ends[i], block, words, lane, False, room)
            keep(room)
            md4_rounds(room)
            add(room)
            for lane in range(min(LANES, count - first)):
                i = first + lane
                if blocks(starts[i], ends[i]) == block + 1:
                    unpack(room, lane, 4, False, out, 16 * i)
    return count
