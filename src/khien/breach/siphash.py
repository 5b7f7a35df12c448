"""SipHash-2-4 of many texts, sixteen side by side: a kernel of ``digests``.

From the paper by Aumasson and Bernstein, 2012; sixteen octets as their reference implementation makes them.
"""

import numpy as np

from khien.breach.octets import eight, put_eight, up_to
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
def sip_word(values, size, start, end, block, padded):
    """A word of a text; the last one has the text's length on top."""
    at = start + 8 * block
    length = (end - start) & 255 if end - at < 8 else 0
    word = eight(values, min(at, size - 8)) if padded else up_to(values, size, at, end)
    return word | np.uint64(length) << np.uint64(56)


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
        put_eight(room[4 * LANES + lane], out, width * (first + lane) + at)


@kernel("i8", "u1*", "i8", "i8*", "i8*", "i8", "i8", "u8*", "i8", "u8*", "u1*")
def siphash_of(values, size, starts, ends, count, padded, keys, octets, room, out):
    """SipHash-2-4 of count texts, 8 or 16 octets each. padded: behind each are 1 to 8 zeros, to a multiple of eight."""
    for first in range(0, count, LANES):
        sip_begin(keys, octets, room)
        most = 0
        for lane in range(LANES):
            i = min(first + lane, count - 1)
            most = max(most, ((ends[i] - starts[i]) >> 3) + 1)
        for block in range(most):
            for lane in range(LANES):
                i = min(first + lane, count - 1)
                room[4 * LANES + lane] = sip_word(values, size, starts[i], ends[i], block, padded)
                room[5 * LANES + lane] = np.uint64(0) - np.uint64(block <= (ends[i] - starts[i]) >> 3)
            sip_block(room)
        sip_end(room, 0, 0xEE if octets == 16 else 0xFF)
        sip_out(room, count, first, out, octets, 0)
        if octets == 16:
            sip_end(room, 0xDD, 0)
            sip_out(room, count, first, out, octets, 8)
    return count


@kernel("i8", "u8*", "u1*", "i8", "u8*", "u8*", "u8*")
def pairs_of(accounts, secrets, count, keys, room, out):
    """SipHash-2-4 of eight octets of an account's hash (16 octets, as two words) and fifteen of a secret's SHA-1, for
    count pairs: three words, beside those of the length."""
    for first in range(0, count, LANES):
        sip_begin(keys, 8, room)
        for lane in range(LANES):
            room[5 * LANES + lane] = ~np.uint64(0)
        for block in range(3):
            for lane in range(LANES):
                i = min(first + lane, count - 1)
                if block == 0:
                    word = accounts[2 * i]
                elif block == 1:
                    word = eight(secrets, 20 * i)
                else:
                    length = np.uint64(23) << np.uint64(56)
                    word = eight(secrets, 20 * i + 8) & ~(np.uint64(255) << np.uint64(56)) | length
                room[4 * LANES + lane] = word
            sip_block(room)
        sip_end(room, 0, 0xFF)
        for lane in range(min(LANES, count - first)):
            out[first + lane] = room[4 * LANES + lane]
    return count
