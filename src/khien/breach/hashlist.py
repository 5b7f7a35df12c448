"""Lists of hashes in hex, a line each, as kernels: digests and counts, and where lines lie that are none."""

from typing import Any, NamedTuple

import numpy as np

from khien.breach.octets import nibble
from khien.compiled import inner, kernel

REASONS = ("row-no-digest", "row-no-count")  # by number
_MOST = 1 << 62  # of a count

_LINE_END, _RETURN, _COLON, _ZERO = ord("\n"), ord("\r"), ord(":"), ord("0")


class Digests(NamedTuple):
    """digests: uint8[n, width]; counts: int64[n]; broken: int64[m, 3], offset, length and reason; used: octets."""

    digests: Any
    counts: Any
    broken: Any
    used: int


def read(block: bytes, width: int, ended: bool) -> Digests:
    """The lines ``HEX`` and ``HEX:COUNT`` of a block that begins where a line does; width: octets of a digest.

    What the block does not end, unless it has ended, is not used. Empty lines are passed over; a count of 0 is none.
    """
    text = np.frombuffer(block, np.uint8)
    digests = np.empty((len(block) // (2 * width) + 1, width), np.uint8)
    counts = np.empty(len(digests), np.int64)
    lines = int(np.count_nonzero(text == _LINE_END)) + 1
    broken, sums = np.empty((lines, 3), np.int64), np.zeros(2, np.int64)
    rows = _read(text, len(block), width, int(ended), digests, counts, broken, sums)
    return Digests(digests[:rows], counts[:rows], broken[: sums[1]], int(sums[0]))


@inner
def _count(text: Any, begin: int, end: int) -> int:
    """What stands behind the digest: 1 where nothing does; 0: no count that counts."""
    if begin == end:
        return 1
    if text[begin] != _COLON or begin + 1 == end:
        return 0
    count = 0
    for at in range(begin + 1, end):
        digit = int(text[at]) - _ZERO
        if digit < 0 or digit > 9 or count > _MOST // 10 - 1:
            return 0
        count = 10 * count + digit
    return count


@kernel("i8", "u1*", "i8", "i8", "i8", "u1*", "i8*", "i8*", "i8*")
def _read(text: Any, size: int, width: int, ended: int, digests: Any, counts: Any, broken: Any, sums: Any) -> int:
    """Answers how many rows there are; sums: octets used, lines broken."""
    rows = bad = begin = 0
    while begin < size:
        stop = begin
        while stop < size and text[stop] != _LINE_END:
            stop += 1
        if stop == size and not ended:
            break
        end = stop
        while end > begin and (text[end - 1] == _RETURN or text[end - 1] == 32):
            end -= 1
        reason = -1
        if end - begin < 2 * width:
            reason = 0
        else:
            for octet in range(width):
                high, low = nibble(text[begin + 2 * octet]), nibble(text[begin + 2 * octet + 1])
                if high == 16 or low == 16:
                    reason = 0
                    break
                digests[rows * width + octet] = 16 * high + low
            if reason < 0:
                counts[rows] = _count(text, begin + 2 * width, end)
                if counts[rows] == 0:
                    reason = 1
        if reason < 0:
            rows += 1
        elif end > begin:
            broken[3 * bad], broken[3 * bad + 1], broken[3 * bad + 2] = begin, end - begin, reason
            bad += 1
        begin = stop + 1
    sums[0] = min(begin, size)
    sums[1] = bad
    return rows
