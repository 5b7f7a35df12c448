"""Numbers under keys, as Python keeps them and kernels find them: tables with open addressing."""

from typing import Any

import numpy as np

from khien.compiled import inner

Array = np.ndarray[Any, Any]

TABLE = ("i8*", "i8*", "i8")  # keys, values, how many there is room for
EMPTY, GONE = -1, -2  # keys of no entry


@inner
def first_place(key, size):
    """Where a key is looked for first."""
    return (((key & 0x7FFFFFFF) * 0x9E3779B1) ^ ((key >> 31) * 0x85EBCA6B)) >> 20 & (size - 1)


@inner
def find(keys, values, size, key):
    """What stands under a key in an open table of size (a power of 2) entries; -1 for nothing."""
    place = first_place(key, size)
    for _ in range(size):
        if keys[place] == key:
            return values[place]
        if keys[place] == EMPTY:
            break
        place = (place + 1) & (size - 1)
    return -1


class Table:
    """What stands under keys, of which there are at most so many (a power of 2)."""

    def __init__(self, most: int) -> None:
        self.keys = np.full(4 * most, EMPTY, np.int64)
        self.values = np.zeros(4 * most, np.int64)
        self._places: dict[int, int] = {}
        self._gone = 0

    def __len__(self) -> int:
        return len(self._places)

    @property
    def arrays(self) -> tuple[Array, Array, int]:
        """As kernels take them."""
        return self.keys, self.values, len(self.keys)

    def put(self, key: int, value: int) -> None:
        """Under a key stands one value."""
        place = self._places.get(key)
        if place is None:
            place = first_place(key, len(self.keys))
            while self.keys[place] != EMPTY:
                place = (place + 1) & (len(self.keys) - 1)
            self.keys[place] = key
            self._places[key] = place
        self.values[place] = value

    def remove(self, key: int) -> None:
        """A key that is not there is no error."""
        place = self._places.pop(key, None)
        if place is None:
            return
        self.keys[place] = GONE
        self._gone += 1
        if self._gone > len(self.keys) // 4:
            kept = [(key, int(self.values[place])) for key, place in self._places.items()]
            self.keys[:] = EMPTY
            self._places, self._gone = {}, 0
            for key, value in kept:
                self.put(key, value)
