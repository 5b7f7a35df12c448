"""Which names were met lately: of certificate and precertificate, and of one certificate in many logs, one is enough.

A name is kept as 31 bits at a place that 31 others choose: two polynomials over its octets modulo 2^31 - 1, at points
that nobody else knows, since who could choose names that are taken for each other could hide one behind another. Two
generations bound time and memory: a name is remembered for as long as a generation lives, at most twice as long, and
less where more names come than fit. A new name is taken for a known one less than once in a hundred million times.
"""

from typing import Any

import numpy as np

from khien.compiled import inner, kernel

PRIME = (1 << 31) - 1
SLOTS = 1 << 24  # of a generation, 4 octets each: 64 MiB
FULL = 0.8  # of the slots: from there on a generation is full


@inner
def step(state, point, byte):
    """One step of a polynomial, by Horner's rule; not wholly reduced, below 2^32."""
    product = state * point + byte
    product = (product & PRIME) + (product >> 31)
    return (product & PRIME) + (product >> 31)


@inner
def keys_of(values, begin, end, point, other):
    """The two keys of a name, whatever the case of its letters and without a last dot; the second is never 0."""
    first = 1
    second = 1
    if end > begin and values[end - 1] == 46:
        end -= 1
    for i in range(begin, end):
        c = values[i]
        if 65 <= c <= 90:
            c += 32
        first = step(first, point, c)
        second = step(second, other, c)
    return first % PRIME, second % PRIME + 1


@inner
def slot_of(first, second, keys, mask):
    """Where a name lies, or the free slot where it would."""
    at = first & mask
    while keys[at] != 0 and keys[at] != second:
        at = (at + 1) & mask
    return at


@kernel("i8", "u1*", "i4*", "i8", "i8", "i8", "i4*", "i4*", "i8", "i8", "u1*")
def take(values, offsets, count, point, other, now, before, mask, room, new):
    """Says of each name whether it is new, and keeps it; answers how many were put into ``now``, room at most."""
    put = 0
    for row in range(count):
        first, second = keys_of(values, offsets[row], offsets[row + 1], point, other)
        at = slot_of(first, second, now, mask)
        known = now[at] == second
        if not known:
            known = before[slot_of(first, second, before, mask)] == second
            if not known and put < room:
                now[at] = second
                put += 1
        new[row] = not known
    return put


class Recent:
    """The names of the last while: at least ``seconds``, as long as there is room. chance: 16 octets nobody knows."""

    def __init__(self, chance: bytes, seconds: float = 48 * 3600, slots: int = SLOTS) -> None:
        """slots: of each of two generations, a power of two."""
        self._points = [2 + int.from_bytes(part) % (PRIME - 3) for part in (chance[:8], chance[8:])]
        self._seconds = seconds
        self._now, self._before = np.zeros(slots, np.int32), np.zeros(slots, np.int32)
        self._held = 0
        self._begun: float | None = None

    def take(self, values: Any, offsets: Any, count: int, now: float) -> Any:
        """Which of the names values[offsets[n]:offsets[n + 1]] are new (bool), in their order; now: seconds."""
        begun = now if self._begun is None else self._begun
        room = int(FULL * len(self._now)) - self._held
        if now - begun >= self._seconds or room < count:
            self._before, self._now = self._now, np.zeros(len(self._now), np.int32)
            self._held, begun, room = 0, now, int(FULL * len(self._now))
        self._begun = begun
        new = np.empty(count, np.uint8)
        self._held += take(
            values, offsets, count, *self._points, self._now, self._before, len(self._now) - 1, room, new
        )  # fmt: skip
        return new.view(bool)
