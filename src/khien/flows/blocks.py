"""Blocks packed with LZO1X or LZ4, unpacked without ever leaving the room they are given.

Both formats are runs of literal bytes and matches (copies of what was unpacked before, at a distance): LZO as the Linux
kernel's Documentation/staging/lzo.rst tells it, LZ4 as its block format description does. Neither says how long the
result is, and neither ends by itself where the input is hostile: every step checks both ends.
"""

import numpy as np

from khien.compiled import inner, kernel
from khien.errors import FormatError

_END = 16384  # a distance that no LZO match has: the end of the stream


@inner
def literals(source, size, at, out, done, room, length):
    """Copies length literal bytes; how much is done then, or -1."""
    if length > size - at or length > room - done:
        return -1
    for i in range(length):
        out[done + i] = source[at + i]
    return done + length


@inner
def match(out, done, room, distance, length):
    """Copies what lies distance before; it may overlap what it makes. How much is done then, or -1."""
    if distance < 1 or distance > done or length > room - done:
        return -1
    for i in range(length):
        out[done + i] = out[done + i - distance]
    return done + length


@inner
def zeros(source, size, at):
    """How many zero bytes stand at ``at``: each makes a length 255 greater."""
    count = 0
    while at + count < size and source[at + count] == 0:
        count += 1
    return count


@kernel("i8", "u1*", "i8", "u1*", "i8")
def lzo(source, size, out, room):
    """Unpacks LZO1X; answers how many bytes it made, or -1 where it is damaged or there is no room."""
    at = 0
    done = 0
    after = 0  # literals that followed the match before: 0 ... 3, or 4 behind a run of them
    if size > 0 and source[0] > 17:
        length = source[0] - 17
        at = 1
        done = literals(source, size, at, out, done, room, length)
        at += length
        after = min(length, 4)
    while done >= 0 and at < size:
        code = 0 + source[at]  # as a signed number: a shift of an unsigned byte mixes with nothing
        at += 1
        length = 0
        distance = 0
        if code < 64:  # these may go on in bytes of length, and then in one or two of distance
            mask = 31 if code >= 32 else (7 if code >= 16 else 15)
            if code >= 16 or after == 0:
                length = code & mask
                if length == 0:
                    more = zeros(source, size, at)
                    at += more + 1
                    if at > size:
                        return -1
                    length = mask + 255 * more + source[at - 1]
        if code < 16 and after == 0:
            length += 3
            done = literals(source, size, at, out, done, room, length)
            at += length
            after = 4
            continue
        wide = 2 if 16 <= code < 64 else 1
        if wide > size - at:
            return -1
        low = 0 + source[at] if wide == 1 else source[at] + 256 * source[at + 1]
        at += wide
        if code >= 64:
            length = (code >> 5) + 1
            distance = (low << 3) + (code >> 2 & 7) + 1
        elif code >= 32:
            length += 2
            distance = (low >> 2) + 1
        elif code >= 16:
            length += 2
            distance = _END + ((code & 8) << 11) + (low >> 2)
            if distance == _END:
                return done
        else:
            length = 3 if after == 4 else 2
            distance = (low << 2) + (code >> 2) + (2049 if after == 4 else 1)
        done = match(out, done, room, distance, length)
        after = code & 3 if wide == 1 else low & 3
        if done >= 0:
            done = literals(source, size, at, out, done, room, after)
            at += after
    return -1


@kernel("i8", "u1*", "i8", "u1*", "i8")
def lz4(source, size, out, room):
    """Unpacks an LZ4 block; answers how many bytes it made, or -1 where it is damaged or there is no room."""
    at = 0
    done = 0
    while done >= 0 and at < size:
        token = 0 + source[at]
        at += 1
        length = token >> 4
        if length == 15:
            length, at = longer(source, size, at, length)
        done = literals(source, size, at, out, done, room, length)
        at += length
        if done < 0 or at == size:  # the last sequence is literals alone
            return done
        if size - at < 2:
            return -1
        distance = source[at] + 256 * source[at + 1]
        at += 2
        length = token & 15
        if length == 15:
            length, at = longer(source, size, at, length)
        done = match(out, done, room, distance, length + 4)
    return -1


@inner
def longer(source, size, at, length):
    """A length that goes on in further bytes, the last of them below 255; and what comes behind it."""
    while at < size:
        at += 1
        length += source[at - 1]
        if source[at - 1] != 255:
            break
    return length, at


def unpacked(packing: str, block: bytes, most: int) -> bytes:
    """What is in a block packed with ``lzo`` or ``lz4``. FormatError: it is damaged, or longer than most bytes."""
    out = np.empty(most, np.uint8)
    made = (lzo if packing == "lzo" else lz4)(np.frombuffer(block, np.uint8), len(block), out, most)
    if made < 0:
        raise FormatError(f"a block of {packing} is damaged, or longer than {most:,} bytes: fetch the file again")
    return out[:made].tobytes()
