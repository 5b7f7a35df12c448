"""SipHash-2-4 of many texts, sixteen side by side: a kernel of ``digests``.

From the paper by Aumasson and Bernstein, 2012; sixteen octets as their reference implementation makes them.
"""

import numpy as np

from khien.compiled import inner, kernel

LANES = 16
ROOM = 6 * LANES  # the state of each lane, a word, a mask


@inner
def turned(x, n):
    """x (u8), turned left by n."""
    return (x << np.uint64(n)) | (x >> np.uint64(64 - n))


@inner
def sip_round(a, b, c, d):
    """SipRound."""
    a += b
    c += d
    b = turned(b, 13) ^ a
    d = turned(d, 16) ^ c
    a = turned(a, 32)
    c += b
    a += d
    b = turned(b, 17) ^ c
    d = turned(d, 21) ^ a
    return a, b, turned(c, 32), d


@inner
def sip_word(values, size, start, end, block):
    """A word of a text, the first octet lowest; the last word has the text's length on top."""
    at = start + 8 * block
    word = np.uint64(0)
    if at + 8 <= size:  # whole, whatever stands behind the text
        low = values[at] | values[at + 1] << 8 | values[at + 2] << 16 | values[at + 3] << 24
        high = values[at + 4] | values[at + 5] << 8 | values[at + 6] << 16 | values[at + 7] << 24
        word = np.uint64(low) | np.uint64(high) << np.uint64(32)
    else:
        for k in range(min(max(end - at, 0), 8)):
            word |= np.uint64(values[at + k]) << np.uint64(8 * k)
    if end - at >= 8:
        return word
    rest = np.uint64(8 * max(end - at, 0))
    return (word & ((np.uint64(1) << rest) - np.uint64(1))) | np.uint64((end - start) & 255) << np.uint64(56)


@inner
def sip_begin(keys, octets, room):
    """The state that each lane begins with."""
    for lane in range(LANES):
        room[lane] = keys[0] ^ np.uint64(0x736F6D6570736575)
        room[LANES + lane] = keys[1] ^ np.uint64(0x646F72616E646F83 if octets == 16 else 0x646F72616E646F6D)
        room[2 * LANES + lane] = keys[0] ^ np.uint64(0x6C7967656E657261)
        room[3 * LANES + lane] = keys[1] ^ np.uint64(0x7465646279746573)


@inner
def sip_block(room):
    """Takes a word into each lane, where its mask is set."""
    for lane in range(LANES):
        a, b, c, d = room[lane], room[LANES + lane], room[2 * LANES + lane], room[3 * LANES + lane]
        word, mask = room[4 * LANES + lane], room[5 * LANES + lane]
        e, f, g, h = sip_round(a, b, c, d ^ word)
        e, f, g, h = sip_round(e, f, g, h)
        room[lane] = a ^ ((a ^ e ^ word) & mask)
        room[LANES + lane] = b ^ ((b ^ f) & mask)
        room[2 * LANES + lane] = c ^ ((c ^ g) & mask)
        room[3 * LANES + lane] = d ^ ((d ^ h) & mask)


@inner
def sip_end(room, second, third):
    """Finishes each lane, behind what is mixed into its second or third word; the digest is where words were."""
    for lane in range(LANES):
        a, b = room[lane], room[LANES + lane] ^ np.uint64(second)
        c, d = room[2 * LANES + lane] ^ np.uint64(third), room[3 * LANES + lane]
        a, b, c, d = sip_round(a, b, c, d)
        a, b, c, d = sip_round(a, b, c, d)
        a, b, c, d = sip_round(a, b, c, d)
        a, b, c, d = sip_round(a, b, c, d)
        room[lane] = a
        room[LANES + lane] = b
        room[2 * LANES + lane] = c
        room[3 * LANES + lane] = d
        room[4 * LANES + lane] = a ^ b ^ c ^ d


@inner
def sip_out(room, count, first, out, width, at):
    """Writes eight octets of the digest of each text of a group."""
    for lane in range(min(LANES, count - first)):
        word = room[4 * LANES + lane]
        for k in range(8):
            out[width * (first + lane) + at + k] = (word >> np.uint64(8 * k)) & np.uint64(255)


@kernel("i8", "u1*", "i8", "i8*", "i8*", "i8", "u8*", "i8", "u8*", "u1*")
def siphash_of(values, size, starts, ends, count, keys, octets, room, out):
    """SipHash-2-4 of count texts, 8 or 16 octets each."""
    for first in range(0, count, LANES):
        sip_begin(keys, octets, room)
        most = 0
        for lane in range(LANES):
            i = min(first + lane, count - 1)
            most = max(most, ((ends[i] - starts[i]) >> 3) + 1)
        for block in range(most):
            for lane in range(LANES):
                i = min(first + lane, count - 1)
                room[4 * LANES + lane] = sip_word(values, size, starts[i], ends[i], block)
                room[5 * LANES + lane] = np.uint64(0) - np.uint64(block <= (ends[i] - starts[i]) >> 3)
            sip_block(room)
        sip_end(room, 0, 0xEE if octets == 16 else 0xFF)
        sip_out(room, count, first, out, octets, 0)
        if octets == 16:
            sip_end(room, 0xDD, 0)
            sip_out(room, count, first, out, octets, 8)
    return count
