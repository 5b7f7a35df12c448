"""SHA-256 of the nodes of hash trees, sixteen side by side: the kernel of ``ledger`` (FIPS 180-4; RFC 9162 2.1).

Loops over lanes are what the compiler turns into vector instructions: what they do is written out without a branch. A
node is 65 octets, two blocks; the leaf of 32 octets is 33, one block.
"""

import numpy as np

from khien.compiled import inner, kernel

LANES = 16
HASH = 32  # octets

# A room is LANES wide: the words of a block, the state, the state before it.
_WORDS, _STATE, _BEFORE = 0, 16 * LANES, 24 * LANES
ROOM = 32 * LANES

# Of each round (FIPS 180-4, 4.2.2).
CONSTANTS = np.array(
    [
        0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
        0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
        0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
        0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
        0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
        0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
        0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
        0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
    ],
    np.uint32,
)  # fmt: skip


@inner
def _right(x, n):
    """x (u4), turned right by n."""
    return np.uint32((x >> np.uint32(n)) | (x << np.uint32(32 - n)))


@inner
def _round(a, b, c, d, e, f, g, h, word, constant):
    """d and h as they are behind a round."""
    first = _right(e, 6) ^ _right(e, 11) ^ _right(e, 25)
    mixed = np.uint32(h + first + ((e & f) ^ (~e & g)) + word + np.uint32(constant))
    second = _right(a, 2) ^ _right(a, 13) ^ _right(a, 22)
    return np.uint32(d + mixed), np.uint32(mixed + second + ((a & b) | (c & (a | b))))


@inner
def _eight(a, b, c, d, e, f, g, h, w0, w1, w2, w3, w4, w5, w6, w7, k0, k1, k2, k3, k4, k5, k6, k7):
    """Eight rounds, behind which each letter is in its place again."""
    d, h = _round(a, b, c, d, e, f, g, h, w0, k0)
    c, g = _round(h, a, b, c, d, e, f, g, w1, k1)
    b, f = _round(g, h, a, b, c, d, e, f, w2, k2)
    a, e = _round(f, g, h, a, b, c, d, e, w3, k3)
    h, d = _round(e, f, g, h, a, b, c, d, w4, k4)
    g, c = _round(d, e, f, g, h, a, b, c, w5, k5)
    f, b = _round(c, d, e, f, g, h, a, b, w6, k6)
    e, a = _round(b, c, d, e, f, g, h, a, w7, k7)
    return a, b, c, d, e, f, g, h


@inner
def _next(w0, w1, w9, w14):
    """The word of the schedule that follows sixteen."""
    low = _right(w1, 7) ^ _right(w1, 18) ^ (w1 >> np.uint32(3))
    high = _right(w14, 17) ^ _right(w14, 19) ^ (w14 >> np.uint32(10))
    return np.uint32(w0 + low + w9 + high)


@inner
def _sixteen(room, constants, first):
    """Sixteen rounds of each lane, with the constants from first on, and the words for the next sixteen."""
    k0, k1, k2, k3 = constants[first], constants[first + 1], constants[first + 2], constants[first + 3]
    k4, k5, k6, k7 = constants[first + 4], constants[first + 5], constants[first + 6], constants[first + 7]
    k8, k9, k10, k11 = constants[first + 8], constants[first + 9], constants[first + 10], constants[first + 11]
    k12, k13, k14, k15 = constants[first + 12], constants[first + 13], constants[first + 14], constants[first + 15]
    for lane in range(LANES):
        at, word = _STATE + lane, _WORDS + lane
        a, b, c, d = room[at], room[at + LANES], room[at + 2 * LANES], room[at + 3 * LANES]
        e, f, g, h = room[at + 4 * LANES], room[at + 5 * LANES], room[at + 6 * LANES], room[at + 7 * LANES]
        w0, w1, w2, w3 = room[word], room[word + LANES], room[word + 2 * LANES], room[word + 3 * LANES]
        w4, w5, w6 = room[word + 4 * LANES], room[word + 5 * LANES], room[word + 6 * LANES]
        w7, w8, w9 = room[word + 7 * LANES], room[word + 8 * LANES], room[word + 9 * LANES]
        w10, w11, w12 = room[word + 10 * LANES], room[word + 11 * LANES], room[word + 12 * LANES]
        w13, w14, w15 = room[word + 13 * LANES], room[word + 14 * LANES], room[word + 15 * LANES]
        a, b, c, d, e, f, g, h = _eight(
            a, b, c, d, e, f, g, h, w0, w1, w2, w3, w4, w5, w6, w7, k0, k1, k2, k3, k4, k5, k6, k7
        )
        a, b, c, d, e, f, g, h = _eight(
            a, b, c, d, e, f, g, h, w8, w9, w10, w11, w12, w13, w14, w15, k8, k9, k10, k11, k12, k13, k14, k15
        )
        w0, w1 = _next(w0, w1, w9, w14), _next(w1, w2, w10, w15)
        w2, w3 = _next(w2, w3, w11, w0), _next(w3, w4, w12, w1)
        w4, w5 = _next(w4, w5, w13, w2), _next(w5, w6, w14, w3)
        w6, w7 = _next(w6, w7, w15, w4), _next(w7, w8, w0, w5)
        w8, w9 = _next(w8, w9, w1, w6), _next(w9, w10, w2, w7)
        w10, w11 = _next(w10, w11, w3, w8), _next(w11, w12, w4, w9)
        w12, w13 = _next(w12, w13, w5, w10), _next(w13, w14, w6, w11)
        w14, w15 = _next(w14, w15, w7, w12), _next(w15, w0, w8, w13)
        room[at], room[at + LANES], room[at + 2 * LANES], room[at + 3 * LANES] = a, b, c, d
        room[at + 4 * LANES], room[at + 5 * LANES], room[at + 6 * LANES], room[at + 7 * LANES] = e, f, g, h
        room[word], room[word + LANES], room[word + 2 * LANES], room[word + 3 * LANES] = w0, w1, w2, w3
        room[word + 4 * LANES], room[word + 5 * LANES], room[word + 6 * LANES] = w4, w5, w6
        room[word + 7 * LANES], room[word + 8 * LANES], room[word + 9 * LANES] = w7, w8, w9
        room[word + 10 * LANES], room[word + 11 * LANES], room[word + 12 * LANES] = w10, w11, w12
        room[word + 13 * LANES], room[word + 14 * LANES], room[word + 15 * LANES] = w13, w14, w15


@inner
def _block(room, constants):
    """The state behind a block, of each lane."""
    for k in range(8 * LANES):
        room[_BEFORE + k] = room[_STATE + k]
    for sixteen in range(0, 64, 16):
        _sixteen(room, constants, sixteen)
    for k in range(8 * LANES):
        room[_STATE + k] = np.uint32(room[_STATE + k] + room[_BEFORE + k])


@inner
def _begin(room):
    """The state that SHA-256 begins with."""
    for lane in range(LANES):
        room[_STATE + lane] = 0x6A09E667
        room[_STATE + LANES + lane] = 0xBB67AE85
        room[_STATE + 2 * LANES + lane] = 0x3C6EF372
        room[_STATE + 3 * LANES + lane] = 0xA54FF53A
        room[_STATE + 4 * LANES + lane] = 0x510E527F
        room[_STATE + 5 * LANES + lane] = 0x9B05688C
        room[_STATE + 6 * LANES + lane] = 0x1F83D9AB
        room[_STATE + 7 * LANES + lane] = 0x5BE0CD19


@inner
def _lay(row, at, words, mark, room, lane):
    """Lays so many words of a lane: a mark and the octets from at on."""
    before = np.uint32(mark)
    for k in range(words):
        i = at + 4 * k
        word = (
            np.uint32(row[i]) << 24 | np.uint32(row[i + 1]) << 16 | np.uint32(row[i + 2]) << 8 | np.uint32(row[i + 3])
        )
        room[_WORDS + k * LANES + lane] = np.uint32(before << 24 | word >> 8)
        before = np.uint32(word & 255)


@inner
def _end(octet, words, bits, room, lane):
    """What is behind so many words of a lane: the last octet, what says that it is the last, and how many bits."""
    room[_WORDS + words * LANES + lane] = np.uint32(np.uint32(octet) << 24 | 0x800000)
    for k in range(words + 1, 15):
        room[_WORDS + k * LANES + lane] = 0
    room[_WORDS + 15 * LANES + lane] = bits


@inner
def _put(room, lane, out, at):
    """Writes the hash of a lane."""
    for k in range(8):
        word = room[_STATE + k * LANES + lane]
        for j in range(4):
            out[at + 4 * k + j] = word >> (24 - 8 * j) & 255


@kernel("i8", "u1*", "i8", "i8", "u4*", "u4*")
def grow(tree, count, leaves, room, constants):
    """Writes hashes behind so many at the beginning of tree: of each as a leaf, where leaves is 1; where it is 0, of
    nodes over two each, then of those over two of these, as long as there are two. A last one is passed over that has
    none beside it. Answers how many hashes there are then.

    The mark of a leaf is 0 and that of a node 1, so a word of the text holds three octets of one word and one of the
    word before: the last octet stands in a word, or a block, of its own.
    """
    size = HASH if leaves else 2 * HASH
    begin = 0
    texts = count if leaves else count >> 1
    while texts > 0:
        behind = begin + count
        for first in range(0, texts, LANES):
            _begin(room)
            for block in range(size // HASH):
                for lane in range(LANES):
                    at = HASH * begin + size * min(first + lane, texts - 1)
                    if block == 0:
                        _lay(tree, at, size >> 2, 1 - leaves, room, lane)
                    if block == size // HASH - 1:
                        _end(tree[at + size - 1], 8 * leaves, 8 * (1 + size), room, lane)
                _block(room, constants)
            for lane in range(min(LANES, texts - first)):
                _put(room, lane, tree, HASH * (behind + first + lane))
        begin, count = behind, texts
        texts = 0 if leaves else count >> 1
    return begin + count
