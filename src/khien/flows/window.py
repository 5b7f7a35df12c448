"""The trailing horizon of what targets got, in memory and bounded: what a keyed detector of floods is run over.

Counts of flows come in any order and late; the window adds them up by key (target or prefix, and vector) and second,
and hands out the rates of those keys whose rate may lie over a line. Nothing of it is ever written down.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from khien.compiled import inner, kernel
from khien.flows.counts import PACKET, Counts, mixed
from khien.flows.records import HOST
from khien.flows.vectors import VECTORS

Array = np.ndarray[Any, Any]

_VECTORS = len(VECTORS)
_ROW = 10  # numbers of a row of counts
_SUMS = 7  # as in FLOW_COUNTS: of the second, a step, and flows
_CELL = 8
_KEY = 12  # numbers of a key, in this order:
_HIGH, _LOW, _SCOPE, _VECTOR, _CHANGED, _PACKETS, _BYTES, _UP, _UP_BYTES, _BASE, _BASE_BYTES, _BASE_NOISE = range(12)
# _CHANGED: since keys were asked for; _PACKETS, _BYTES: most in one second; _UP...: sum of the steps up; _BASE...: what
# flows that began before the horizon bring each second


@inner
def _key_of(high, low, scope, vector, slots, mask, keys):
    """The slot of a key, or the empty one where it belongs."""
    slot = np.int64(mixed(high, low, (scope << 8) | vector)) & mask
    while slots[slot] != 0:
        at = (np.int64(slots[slot]) - 1) * _KEY
        if (
            np.uint64(keys[at + _HIGH]) == high
            and np.uint64(keys[at + _LOW]) == low
            and keys[at + _SCOPE] == scope
            and keys[at + _VECTOR] == vector
        ):
            break
        slot = (slot + 1) & mask
    return slot


@inner
def _cell_of(key, second, slots, mask, cells):
    """The slot of a key's second, or the empty one where it belongs."""
    wanted = (key << 34) | second
    slot = (key * 0x9E3779B1 + second) & mask
    while slots[slot] != 0 and cells[(np.int64(slots[slot]) - 1) * _CELL] != wanted:
        slot = (slot + 1) & mask
    return slot


@kernel(
    "i8",
    *("i8*", "i8", "i8", "i8"),
    *("i4*", "i8", "i8*", "i8", "i4*", "i8", "i8*", "i8", "i4*", "i8*"),
)
def _take(
    rows, begin, n, oldest,
    key_slots, key_mask, keys, most_keys, cell_slots, cell_mask, cells, most_cells, changed, state,
):  # fmt: skip
    """Adds rows (as in Counts) begin to n; answers the first there is no room for. state: keys, cells, keys changed."""
    for i in range(begin, n):
        if state[0] >= most_keys or state[1] >= most_cells:
            return i
        row = i * _ROW
        second, scope, vector = rows[row + 2] >> 16, (rows[row + 2] >> 8) & 0xFF, rows[row + 2] & 0xFF
        slot = _key_of(np.uint64(rows[row]), np.uint64(rows[row + 1]), scope, vector, key_slots, key_mask, keys)
        if key_slots[slot] == 0:
            at = state[0] * _KEY
            for each in range(_KEY):
                keys[at + each] = 0
            keys[at + _HIGH] = rows[row]
            keys[at + _LOW] = rows[row + 1]
            keys[at + _SCOPE] = scope
            keys[at + _VECTOR] = vector
            state[0] += 1
            key_slots[slot] = state[0]
        key = np.int64(key_slots[slot]) - 1
        at = key * _KEY
        if keys[at + _CHANGED] == 0:
            keys[at + _CHANGED] = 1
            changed[state[2]] = key
            state[2] += 1
        row += _ROW - _SUMS
        if second < oldest:  # of what is older only this is left: the flows that go on
            keys[at + _BASE] += rows[row + 3]
            keys[at + _BASE_BYTES] += rows[row + 4]
            keys[at + _BASE_NOISE] += rows[row + 5]
        else:
            slot = _cell_of(key, second, cell_slots, cell_mask, cells)
            if cell_slots[slot] == 0:
                cell = state[1] * _CELL
                cells[cell] = (key << 34) | second
                for each in range(1, _CELL):
                    cells[cell + each] = 0
                state[1] += 1
                cell_slots[slot] = state[1]
            cell = (np.int64(cell_slots[slot]) - 1) * _CELL
            for each in range(_SUMS):
                cells[cell + 1 + each] += rows[row + each]
            keys[at + _PACKETS] = max(keys[at + _PACKETS], cells[cell + 1])
            keys[at + _BYTES] = max(keys[at + _BYTES], cells[cell + 2])
        keys[at + _UP] += max(rows[row + 3], 0)
        keys[at + _UP_BYTES] += max(rows[row + 4], 0)
    return n


@kernel("i8", "i8*", "i4*", "i8*", "f8*", "f8*", "u1*", "i4*")
def _over(keys, changed, state, packets, byte_counts, classes, chosen):
    """Chooses of the keys that changed those that may be over the line of their scope and vector; forgets the change.

    The most of one second and all steps up together are never less than the rate of any second.
    """
    n = 0
    for i in range(state[2]):
        key = np.int64(changed[i])
        at = key * _KEY
        keys[at + _CHANGED] = 0
        line = np.int64(classes[keys[at + _SCOPE]]) * _VECTORS + keys[at + _VECTOR]
        if (
            keys[at + _PACKETS] + keys[at + _UP] >= packets[line] * PACKET
            or keys[at + _BYTES] + keys[at + _UP_BYTES] >= byte_counts[line]
        ):
            chosen[n] = key
            n += 1
    state[2] = 0
    return n


@kernel("i8", "u8*", "u1*", "i8", "i8", "i8", "i8", "i4*", "i8", "i8*", "i4*", "i8", "i8*", "i8*")
def _series(prefix, scope, n, based, oldest, seconds, key_slots, key_mask, keys, cell_slots, cell_mask, cells, out):
    """What n targets got of each vector in each second; out: n x vectors x seconds x (packets, bytes, noise).

    based: the second before which steps are in the bases of keys; from there to the oldest they are still in cells.
    """
    for i in range(n):
        for vector in range(_VECTORS):
            slot = _key_of(prefix[2 * i], prefix[2 * i + 1], np.int64(scope[i]), vector, key_slots, key_mask, keys)
            if key_slots[slot] == 0:
                continue
            key = np.int64(key_slots[slot]) - 1
            going = keys[key * _KEY + _BASE]
            going_bytes = keys[key * _KEY + _BASE_BYTES]
            going_noise = keys[key * _KEY + _BASE_NOISE]
            for second in range(based - oldest, seconds):
                to = ((i * _VECTORS + vector) * seconds + max(second, 0)) * 3
                slot = _cell_of(key, oldest + second, cell_slots, cell_mask, cells)
                cell = (np.int64(cell_slots[slot]) - 1) * _CELL  # negative: there is none
                if cell >= 0:
                    going += cells[cell + 4]
                    going_bytes += cells[cell + 5]
                    going_noise += cells[cell + 6]
                if second < 0:
                    continue
                if cell >= 0:
                    out[to] = cells[cell + 1]
                    out[to + 1] = cells[cell + 2]
                    out[to + 2] = cells[cell + 3]
                out[to] += going
                out[to + 1] += going_bytes
                out[to + 2] += going_noise
    return 0


@kernel(
    "i8",
    *("i8*", "i8*", "i8*", "i8", "i8", "i8"),
    *("i4*", "i8", "i8*", "i4*", "i8", "i8*", "i4*", "i4*", "i8*"),
)
def _forget(
    old_keys, old_cells, old_state, oldest, keep, amid,
    key_slots, key_mask, keys, cell_slots, cell_mask, cells, changed, renamed, state,
):  # fmt: skip
    """Copies what is not older into empty tables; keys that nothing is left of are gone, and the first to come if more
    than ``keep`` would stay. amid: rows are still to come of flows whose beginning is in a base, so those stay too.
    renamed: room for a number of each old key.
    """
    for key in range(old_state[0]):
        at = key * _KEY
        base = (old_keys[at + _BASE] != 0) | (old_keys[at + _BASE_BYTES] != 0) | (old_keys[at + _BASE_NOISE] != 0)
        renamed[key] = 1 if amid != 0 and base else 0
    for cell in range(old_state[1]):  # which keys live on; what is older goes into their base
        at = cell * _CELL
        key = old_cells[at] >> 34
        if (old_cells[at] & 0x3FFFFFFFF) >= oldest:
            renamed[key] = 1
        else:
            old_keys[key * _KEY + _BASE] += old_cells[at + 4]
            old_keys[key * _KEY + _BASE_BYTES] += old_cells[at + 5]
            old_keys[key * _KEY + _BASE_NOISE] += old_cells[at + 6]
    live = 0
    for key in range(old_state[0]):
        live += renamed[key]
    surplus = max(live - keep, 0)
    for key in range(old_state[0]):
        if renamed[key] == 0:
            continue
        if surplus > 0:
            surplus -= 1
            renamed[key] = 0
            continue
        to, at = state[0] * _KEY, key * _KEY
        for each in range(_KEY):
            keys[to + each] = old_keys[at + each]
        keys[to + _PACKETS] = 0
        keys[to + _BYTES] = 0
        keys[to + _UP] = max(keys[to + _BASE], 0)
        keys[to + _UP_BYTES] = max(keys[to + _BASE_BYTES], 0)
        high, low = np.uint64(keys[to + _HIGH]), np.uint64(keys[to + _LOW])
        slot = _key_of(high, low, keys[to + _SCOPE], keys[to + _VECTOR], key_slots, key_mask, keys)
        if keys[to + _CHANGED] != 0:
            changed[state[2]] = state[0]
            state[2] += 1
        state[0] += 1
        key_slots[slot] = state[0]
        renamed[key] = state[0]
    for cell in range(old_state[1]):
        at = cell * _CELL
        second = old_cells[at] & 0x3FFFFFFFF
        key = np.int64(renamed[old_cells[at] >> 34]) - 1
        if key < 0 or second < oldest:
            continue
        to = state[1] * _CELL
        for each in range(_CELL):
            cells[to + each] = old_cells[at + each]
        cells[to] = (key << 34) | second
        slot = _cell_of(key, second, cell_slots, cell_mask, cells)
        state[1] += 1
        cell_slots[slot] = state[1]
        keys[key * _KEY + _PACKETS] = max(keys[key * _KEY + _PACKETS], cells[to + 1])
        keys[key * _KEY + _BYTES] = max(keys[key * _KEY + _BYTES], cells[to + 2])
        keys[key * _KEY + _UP] += max(cells[to + 4], 0)
        keys[key * _KEY + _UP_BYTES] += max(cells[to + 5], 0)
    return 0


class Lines(NamedTuple):
    """From which rate on a key is worth a look: packets and bytes a second, by class of scope and by vector.

    classes: the row of the two others for each scope (u1, 129); packets, bytes: classes x vectors (f8).
    """

    classes: Array
    packets: Array
    bytes: Array


class Series(NamedTuple):
    """What targets got: packets (in counts.PACKET), bytes and noise of each vector in each second.

    scope: u1; prefix: u8, targets x 2; oldest: the first second; amounts: i8, targets x vectors x seconds x 3.
    """

    scope: Array
    prefix: Array
    oldest: int
    amounts: Array


class Window:
    """Adds up counts over a horizon of seconds, for so many keys at most: of more that live, the oldest leave first."""

    def __init__(self, lines: Lines, horizon: int = 120, most_keys: int = 1 << 20) -> None:
        self.horizon = horizon
        self.newest = 0
        self.left = 0  # keys that had to leave before their time
        self._lines = lines
        self._most = most_keys
        self._tables = _Tables(1 << 14)
        self._forgotten = 0
        self._based = 0  # the oldest second when it was last forgotten

    @property
    def keys(self) -> int:
        """How many keys are live."""
        return int(self._tables.state[0])

    @property
    def oldest(self) -> int:
        """The first second of the horizon."""
        return max(self.newest - self.horizon + 1, 0)

    def take(self, counts: Counts, newest: int) -> None:
        """Adds counts; newest: the second it is, from which the horizon reaches back. It never goes back."""
        self.newest = max(self.newest, newest)
        if self.newest - self._forgotten >= self.horizon // 2:
            self._forget(self._tables.most, self._most)
        done, n = 0, len(counts.cells)
        while True:
            tables = self._tables
            done = _take(
                *(counts.cells, done, n, self.oldest),
                *tables.arguments, tables.most, tables.cell_slots, len(tables.cell_slots) - 1, tables.cells,
                *(len(tables.cells), tables.changed, tables.state),
            )  # fmt: skip
            if done == n:
                return
            if tables.most < self._most:
                self._forget(min(4 * tables.most, self._most), self._most, amid=True)
            else:
                self._forget(tables.most, min(tables.most, self.keys) // 2)  # few keys may fill all cells

    def over(self, most: int = 1 << 20) -> Sequence[tuple[int, bytes]]:
        """Scope and prefix of what changed since it was last asked for and may be over a line; of more, the most."""
        tables = self._tables
        chosen = np.empty(max(int(tables.state[2]), 1), np.int32)
        n = _over(
            *(tables.keys, tables.changed, tables.state, self._lines.packets, self._lines.bytes, self._lines.classes),
            chosen,
        )
        rows = tables.keys.reshape(-1, _KEY)[chosen[:n]]
        line = self._lines.classes[rows[:, _SCOPE]], rows[:, _VECTOR]
        times = np.maximum(
            (rows[:, _PACKETS] + rows[:, _UP]) / (self._lines.packets[line] * PACKET),
            (rows[:, _BYTES] + rows[:, _UP_BYTES]) / self._lines.bytes[line],
        )
        ranked = rows[np.argsort(-times, kind="stable")]
        targets = dict.fromkeys((int(row[_SCOPE]), row[:2].tobytes()) for row in ranked)
        return sorted(itertools.islice(targets, most))

    def wide(self, share: float) -> Sequence[tuple[int, bytes]]:
        """Scope and prefix of the prefixes, not hosts, that may have come to a share of a line."""
        rows = self._tables.keys[: self.keys * _KEY].reshape(-1, _KEY)
        rows = rows[rows[:, _SCOPE] < HOST]
        lines = self._lines.packets[self._lines.classes[rows[:, _SCOPE]], rows[:, _VECTOR]] * share
        rows = rows[rows[:, _PACKETS] + rows[:, _UP] >= lines * PACKET]
        return sorted({(int(row[_SCOPE]), row[:2].tobytes()) for row in rows})

    def series(self, targets: Sequence[tuple[int, bytes]]) -> Series:
        """What these targets (scope, prefix) got over the horizon."""
        scope = np.array([scope for scope, _ in targets], np.uint8)
        prefix = np.frombuffer(b"".join(prefix for _, prefix in targets), np.uint64)
        seconds = self.newest - self.oldest + 1
        amounts = np.zeros((len(targets), _VECTORS, seconds, 3), np.int64)
        tables = self._tables
        _series(
            *(prefix, scope, len(targets), self._based, self.oldest, seconds, *tables.arguments),
            *(tables.cell_slots, len(tables.cell_slots) - 1, tables.cells, amounts),
        )
        return Series(scope, prefix.reshape(-1, 2), self.oldest, amounts)

    def _forget(self, most: int, keep: int, *, amid: bool = False) -> None:
        """Makes room: what is older than the horizon goes, and the oldest keys if more than ``keep`` are left."""
        old, new = self._tables, _Tables(most)
        before = self.keys
        _forget(
            *(old.keys, old.cells, old.state, self.oldest, keep, int(amid), *new.arguments),
            *(new.cell_slots, len(new.cell_slots) - 1, new.cells, new.changed),
            *(np.empty(max(before, 1), np.int32), new.state),
        )
        self._tables = new
        self._forgotten, self._based = self.newest, self.oldest
        if keep < most:
            self.left += before - self.keys


class _Tables:
    """Keys and cells, each in a row of numbers found by a hash."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.keys = np.empty(most * _KEY, np.int64)
        self.key_slots = np.zeros(2 * most, np.int32)
        self.cells = np.empty((3 * most, _CELL), np.int64)
        self.cell_slots = np.zeros(8 * most, np.int32)
        self.changed = np.empty(most, np.int32)
        self.state = np.zeros(3, np.int64)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The keys, as kernels take them."""
        return self.key_slots, len(self.key_slots) - 1, self.keys


KERNELS = (_take, _over, _series, _forget)
