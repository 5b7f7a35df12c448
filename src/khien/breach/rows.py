"""Kernels over sorted rows of fixed width, compared as octets from the left: ordering, combining, merging, finding.

A row's head is the first 62 bits of it as a number: most comparisons end there. A row's key is what tells it apart:
all of it, or all but the last 8 octets, which then are a number that is added up.
"""

from typing import Any

import numpy as np

from khien.compiled import inner, kernel

HEAD = 8  # octets a head is made from
COUNT = 8  # octets of a number at a row's end
MOST = 2**63 - 1  # of such a number; what is more stands as this
OVER = 1 << 62  # the head of a source that has no rows any more: above that of every row
FULL, ENDED, UNSORTED = -1, -2, -3  # why a merge pauses
BEGIN, GO_ON = -2, -1  # how a merge is taken up

_HEAD_MASK = OVER - 1
_DECIDED = 7  # octets that two equal heads have in common for certain

Array = np.ndarray[Any, Any]


@inner
def number(rows, at):
    """8 octets as a signed number, big-endian."""
    return (
        np.int64(rows[at]) << 56
        | np.int64(rows[at + 1]) << 48
        | np.int64(rows[at + 2]) << 40
        | np.int64(rows[at + 3]) << 32
        | np.int64(rows[at + 4]) << 24
        | np.int64(rows[at + 5]) << 16
        | np.int64(rows[at + 6]) << 8
        | np.int64(rows[at + 7])
    )


@inner
def head(rows, at):
    """The first 62 bits from an octet on."""
    return (number(rows, at) >> 2) & _HEAD_MASK


@inner
def compared(rows, a, others, b, size):
    """Below 0, 0 or above: how size octets of rows from a on stand to those of others from b on."""
    for each in range(size):
        difference = np.int64(rows[a + each]) - np.int64(others[b + each])
        if difference != 0:
            return difference
    return np.int64(0)


@inner
def _copy(rows, a, out, to, size):
    for each in range(size):
        out[to + each] = rows[a + each]


@inner
def _count(rows, at):
    """The number that is added up."""
    count = number(rows, at)
    return count if count >= 0 else np.int64(MOST)


@inner
def _put(count, out, to):
    for each in range(COUNT):
        out[to + each] = (count >> (56 - 8 * each)) & 255


@inner
def _add(rows, a, out, to):
    """Adds the number at a to the one at to."""
    more, count = _count(rows, a), _count(out, to)
    _put(np.int64(MOST) if count > MOST - more else count + more, out, to)


@inner
def _after(rows, width, a, b):
    """Whether row a comes after row b, whose head is the same."""
    at = a * width + _DECIDED
    return compared(rows, at, rows, b * width + _DECIDED, width - _DECIDED) > 0


@inner
def _sink(rows, width, order, begin, size, place):
    """Restores a heap, the last row on top, of which only the row at place may be too early."""
    while True:
        last, left = place, 2 * place + 1
        for child in range(left, min(left + 2, size)):
            if _after(rows, width, order[begin + child], order[begin + last]):
                last = child
        if last == place:
            return
        order[begin + place], order[begin + last] = order[begin + last], order[begin + place]
        place = last


@kernel("i8", "u1*", "i8", "i8", "i8*")
def heads(rows, n, width, out):
    """The head of each row."""
    for row in range(n):
        out[row] = head(rows, row * width)
    return 0


@kernel("i8", "u1*", "i8", "i8", "i8*", "i8*")
def settle(rows, n, width, heads, order):
    """Puts rows of equal heads in order, by heapsort: somebody may have made a million of them. order: by heads."""
    begin = 0
    while begin < n:
        end = begin + 1
        while end < n and heads[order[end]] == heads[order[begin]]:
            end += 1
        size = end - begin
        for place in range(size // 2 - 1, -1, -1):
            _sink(rows, width, order, begin, size, place)
        for left in range(size - 1, 0, -1):
            order[begin], order[begin + left] = order[begin + left], order[begin]
            _sink(rows, width, order, begin, left, 0)
        begin = end
    return 0


@kernel("i8", "u1*", "i8", "i8", "i8", "i8*", "u1*")
def combine(rows, n, width, key, order, out):
    """Copies rows in their order, those of one key as one; answers how many there are."""
    made = 0
    for each in range(n):
        at = order[each] * width
        if made > 0 and compared(rows, at, out, (made - 1) * width, key) == 0:
            if key < width:
                _add(rows, at + key, out, (made - 1) * width + key)
        else:
            _copy(rows, at, out, made * width, key)
            if key < width:
                _put(_count(rows, at + key), out, made * width + key)
            made += 1
    return made


@inner
def _earlier(rows, width, at, heads, a, b):
    """Whether the row of source a comes before that of source b; of equal ones the first source's."""
    if heads[a] != heads[b]:
        return heads[a] < heads[b]
    if heads[a] == OVER:
        return a < b
    difference = compared(rows, at[a] * width + _DECIDED, rows, at[b] * width + _DECIDED, width - _DECIDED)
    return difference < 0 or (difference == 0 and a < b)


@inner
def _replay(rows, width, at, heads, tree, sources, source):
    """Takes a source's new row up the tree of losers (Knuth, The Art of Computer Programming, volume 3, 5.4.1).

    At first, when -1 stands for the loser of a match, it waits there for the other side.
    """
    winner = np.int64(source)
    node = (source + sources) >> 1
    while node > 0:
        other = np.int64(tree[node])
        if other < 0:
            tree[node] = winner
            return
        if _earlier(rows, width, at, heads, other, winner):
            tree[node] = winner
            winner = other
        node >>= 1
    tree[0] = winner


@kernel("i8", "u1*", "i8", "i8", "i8", "i8*", "i8*", "i8*", "i8*", "i8", "u1*", "i8", "i8*")
def merge(rows, width, key, sources, at, end, heads, tree, taken_up, out, room, made):
    """Merges until a source's rows are used up (answers its number), out is full, all has ended, or order is broken.

    rows: those of each source from its ``at`` up to its ``end``; none: it has ended. tree: of losers, -1 at first.
    taken_up: BEGIN, GO_ON, or the source that has new rows or has ended. made[0]: rows in out, of which the last may
    still grow; there is room for one when it begins.
    """
    for source in range(sources if taken_up == BEGIN else 0):
        heads[source] = head(rows, at[source] * width) if at[source] < end[source] else OVER
        _replay(rows, width, at, heads, tree, sources, source)
    if taken_up >= 0:
        heads[taken_up] = head(rows, at[taken_up] * width) if at[taken_up] < end[taken_up] else OVER
        _replay(rows, width, at, heads, tree, sources, taken_up)
    n = made[0]
    last = head(out, (n - 1) * width) if n > 0 else np.int64(-1)
    while True:
        source = np.int64(tree[0])
        if heads[source] == OVER:
            made[0] = n
            return ENDED
        a, to = at[source] * width, n * width
        difference = np.int64(-1)
        if heads[source] == last:
            difference = compared(out, to - width + _DECIDED, rows, a + _DECIDED, key - _DECIDED)
        if heads[source] < last or difference > 0:
            return UNSORTED
        if difference < 0:
            if n == room:
                made[0] = n
                return FULL
            _copy(rows, a, out, to, width)
            last = heads[source]
            n += 1
        elif key < width:
            _add(rows, a + key, out, to - width + key)
        at[source] += 1
        if at[source] == end[source]:
            made[0] = n
            return source
        heads[source] = head(rows, a + width)
        _replay(rows, width, at, heads, tree, sources, source)


@kernel("i8", "u1*", "i8", "i8", "u1*", "i8", "i8", "i8*", "i8*")
def find(rows, n, width, keys, wanted, key, order, found):
    """Where the first row stands that begins with each key, -1 where none does; order: of the keys.

    From one key to the next it doubles its steps, and halves them again: sorted keys share their way.
    """
    begin = np.int64(0)
    for each in range(wanted):
        at = order[each] * key
        step = np.int64(1)
        while begin + step < n and compared(rows, (begin + step - 1) * width, keys, at, key) < 0:
            begin += step
            step *= 2
        low, high = begin, min(begin + step, n)
        while low < high:
            middle = (low + high) >> 1
            if compared(rows, middle * width, keys, at, key) < 0:
                low = middle + 1
            else:
                high = middle
        begin = low
        there = low < n and compared(rows, low * width, keys, at, key) == 0
        found[order[each]] = low if there else -1
    return 0
