"""Which rows are one and the same: the first of each pair, by its keyed hash, which nobody outside can make collide."""

from typing import Any

import numpy as np

from khien.compiled import kernel


def distinct(pair: Any, known: Any, opened: Any, domains: Any, accounts: Any, secrets: Any) -> Any:
    """The places (i8, ascending) of the first row of each pair (u8), among those whose account is known or whose secret
    is opened (bool).

    What stood in these rows of all columns (domains: i8; accounts and secrets, hashes: u1, n, 16 and n, 20) then stands
    at their beginning.
    """
    size = 1 << (2 * len(pair) + 1).bit_length()
    rows = np.empty(len(pair), np.int64)
    slots = np.full(size, -1, np.int32)
    hashes = accounts.view(np.uint64).reshape(-1), secrets.view(np.uint32).reshape(-1)
    there = known.view(np.uint8), opened.view(np.uint8)
    return rows[: distinct_of(pair, *there, domains, *hashes, len(pair), slots, size - 1, rows)]


@kernel("i8", "u8*", "u1*", "u1*", "i8*", "u8*", "u4*", "i8", "i4*", "i8", "i8*")
def distinct_of(pair, known, opened, domains, accounts, secrets, count, slots, mask, rows):
    """Answers how many places it wrote; slots: -1 each, twice as many as rows at least."""
    done = 0
    for i in range(count):
        if not (known[i] | opened[i]):
            continue
        slot = np.int64(pair[i] & np.uint64(mask))
        while slots[slot] >= 0 and pair[slots[slot]] != pair[i]:
            slot = (slot + 1) & mask
        if slots[slot] >= 0:
            continue
        slots[slot] = done
        rows[done] = i
        pair[done] = pair[i]
        known[done] = known[i]
        opened[done] = opened[i]
        domains[done] = domains[i]
        for k in range(2):
            accounts[2 * done + k] = accounts[2 * i + k]
        for k in range(5):
            secrets[5 * done + k] = secrets[5 * i + k]
        done += 1
    return done
