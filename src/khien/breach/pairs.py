"""Which rows are one and the same: the first of each pair, by its keyed hash, which nobody outside can make collide."""

from typing import Any

import numpy as np

from khien.compiled import kernel


def distinct(pair: Any, wanted: Any) -> Any:
    """The places (i8, ascending) of the first row of each pair (u8), among the rows that are wanted (bool)."""
    size = 1 << (2 * len(pair) + 1).bit_length()
    rows = np.empty(len(pair), np.int64)
    slots = np.full(size, -1, np.int32)
    return rows[: distinct_of(pair, wanted.view(np.uint8), len(pair), slots, size - 1, rows)]


@kernel("i8", "u8*", "u1*", "i8", "i4*", "i8", "i8*")
def distinct_of(pair, wanted, count, slots, mask, rows):
    """Answers how many places it wrote; slots: -1 each, twice as many as rows at least."""
    done = 0
    for i in range(count):
        if not wanted[i]:
            continue
        slot = np.int64(pair[i] & np.uint64(mask))
        while slots[slot] >= 0 and pair[slots[slot]] != pair[i]:
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = i
            rows[done] = i
            done += 1
    return done
