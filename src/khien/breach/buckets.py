"""Kernels of the digest table: a bit vector says how many digests begin with each 24 bits; rows hold what is behind.

Digests are sorted and counted from 0. Digest i, in bucket b (its first 24 bits as a number), is the bit i + b, set;
what is not set ends a bucket (Elias, Efficient storage and retrieval by content and address of static files, 1974;
Fano, 1971). ``bases`` has for each 16 buckets how many digests come before them, so that a look-up begins at a bit near
its bucket. A row is the rest of its digest behind 24 bits, and one octet: its count, or LARGE, and then its number and
its count are in ``large``, in order. Behind the last row there is as much as five rows that may be read.
"""

import numpy as np

from khien.breach.octets import eight, four, put_eight
from khien.breach.rows import COUNT, compared, number
from khien.compiled import Instruction, inner, kernel, prefetch, where

BUCKET = 3  # octets that say the bucket
BUCKETS = 1 << 24
GROUP = 16  # buckets for each base
GROUPS = BUCKETS // GROUP
LARGE = 255
SPARE = 8  # octets behind the last bit that a look-up may read
TOGETHER = 128  # queries of a batch that wait for memory at once
_WAITING = 4 * TOGETHER  # numbers that a batch keeps of queries: two of each, of one stage and of the next
ORDERED = 1 << 20  # queries of a batch that are put in order before

_SHIFT = 4  # of GROUP
_PART = 14  # bits of a bucket that do not say its part: those that are put in order
_PARTS = BUCKETS >> _PART
_QUERY = 4  # octets that say which query it is, behind its digest
_WINDOW = 56  # bits that are looked at together: no sum of them spoils a sign
_ALL = (1 << _WINDOW) - 1
_ONES = 0x01010101010101  # one in each of their octets
_HIGHS = 0x80808080808080
_SOME = 2  # rows of a bucket that are compared at once: one query in eight meets more
_FEW = 8  # rows of a bucket that are looked through; more are halved

_deposit = Instruction("llvm.x86.bmi.pdep.64", "bmi2", slow=("znver1", "znver2"))  # bits of one where another's are

PLACES = np.array(
    [[([n for n in range(8) if octet >> n & 1] + [0] * 8)[rank] for rank in range(8)] for octet in range(256)], np.uint8
)  # where an octet's set bits are, by rank


@inner
def _window(bits, at):
    """The bits from a place on, the first is the lowest."""
    octet = at >> 3
    return (
        (
            np.int64(bits[octet])
            | np.int64(bits[octet + 1]) << 8
            | np.int64(bits[octet + 2]) << 16
            | np.int64(bits[octet + 3]) << 24
            | np.int64(bits[octet + 4]) << 32
            | np.int64(bits[octet + 5]) << 40
            | np.int64(bits[octet + 6]) << 48
            | np.int64(bits[octet + 7]) << 56
        )
        >> (at & 7)
    ) & _ALL


@inner
def _set(window):
    """How many bits are set: a loop that the compiler knows, and makes one instruction of."""
    n = np.int64(0)
    while window != 0:
        window &= window - 1
        n += 1
    return n


@inner
def _place(window, rank, places):
    """Where the bit of a rank is among those set (Vigna, Broadword implementation of rank/select queries, 2008)."""
    sums = window - ((window >> 1) & 0x55555555555555)
    sums = (sums & 0x33333333333333) + ((sums >> 2) & 0x33333333333333)
    sums = (sums + (sums >> 4)) & 0x0F0F0F0F0F0F0F  # bits set in each octet
    sums += (sums << 8) & _ALL
    sums += (sums << 16) & _ALL
    sums = (sums + (sums << 32)) & _ALL  # up to the end of each octet
    skipped = _set((((rank * _ONES) | _HIGHS) - sums) & _HIGHS) << 3  # octets up to whose end no more than rank are set
    rank -= ((sums << 8) >> skipped) & 255
    return skipped + np.int64(places[((window >> skipped) & 255) * 8 + rank])


@where(_deposit, instead_of=_place)
def _place_deposited(window, rank, _places):
    """The same: the bit of this rank alone is deposited where it is set."""
    return _set(_deposit(np.int64(1) << rank, window) - 1)


@inner
def _far(bits, entries, at, left, places):
    """The bit behind so many ends from a place on, and how many bits are set from there to the next end."""
    limit = entries + BUCKETS
    while left > 0 and at < limit:
        ends = ~_window(bits, at) & _ALL
        there = _set(ends)
        if there < left:
            at += _WINDOW
            left -= there
        else:
            at += _place(ends, left - 1, places) + 1
            left = np.int64(0)
    end = at
    while end < limit and _window(bits, end) == _ALL:
        end += _WINDOW
    window = ~_window(bits, min(end, limit))
    return at, end - at + _set((window & -window) - 1)


@inner
def _near(bases, entries, bucket):
    """The bit from which on a bucket is looked for."""
    group = bucket >> _SHIFT
    return min(np.int64(bases[group]), entries) + (group << _SHIFT)


@inner
def _bounds(bits, places, entries, bucket, at):
    """How many digests come before a bucket that is looked for from a bit on, and how many are in it.

    What a damaged file says is bounded, so that no look-up leaves it.
    """
    left = bucket & (GROUP - 1)
    ends = ~_window(bits, at) & _ALL
    if _set(ends) > left:
        place = _place((ends << 1 | 1) & _ALL, left, places)  # the end before a group is as good as those in it
        at += place
        ends >>= place
        length = _set((ends & -ends) - 1)
    else:
        at, length = _far(bits, entries, at, left, places)
    begin = max(min(at - bucket, entries), 0)
    return begin, min(length, entries - begin)


@inner
def _differ(rows, at, digest, wanted, rest):
    """Nought if what is behind 8 octets is equal, of rest octets (16 > rest > 8, or 17): two words that overlap."""
    middle, last = min(8, rest - 8), rest - 8
    return (number(rows, at + middle) ^ number(digest, wanted + middle)) | (
        number(rows, at + last) ^ number(digest, wanted + last)
    )


@inner
def _same(rows, at, digest, wanted, rest):
    """Whether rest octets are equal."""
    return ((number(rows, at) ^ number(digest, wanted)) | _differ(rows, at, digest, wanted, rest)) == 0


@inner
def _among(rows, stride, low, length, wanted):
    """The row among the first of a bucket that begins with 8 octets, without a branch; -1: none does."""
    row = np.int64(-1)
    for each in range(_SOME):
        if (each < length) & (number(rows, (low + each) * stride) == wanted):
            row = low + each
    return row


@inner
def _within(rows, rest, low, length, digest, wanted):
    """The row that holds a digest's rest, among so many from low on; -1: none does."""
    stride = rest + 1
    while length > _FEW:
        half = length >> 1
        if compared(rows, (low + half) * stride, digest, wanted, rest) <= 0:
            low += half
            length -= half
        else:
            length = half
    found = np.int64(-1)
    for row in range(low, low + length):
        if _same(rows, row * stride, digest, wanted, rest):
            found = np.int64(row)
    return found


@inner
def _large(large, larger, row):
    """A large count."""
    low, high = np.int64(0), np.int64(larger)
    while low < high:
        middle = (low + high) >> 1
        if large[2 * middle] < row:
            low = middle + 1
        else:
            high = middle
    return np.int64(large[2 * low + 1]) if low < larger and large[2 * low] == row else np.int64(LARGE)


@inner
def counted(rows, rest, large, larger, row):
    """The count of a row."""
    count = np.int64(rows[row * (rest + 1) + rest])
    return _large(large, larger, row) if count == LARGE else count


@inner
def bucket_of(digest, at):
    return np.int64(digest[at]) << 16 | np.int64(digest[at + 1]) << 8 | np.int64(digest[at + 2])


@inner
def look_up(rows, entries, rest, bits, bases, places, large, larger, digest, at):
    """The count of the digest that stands there; 0: it is not in the table."""
    bucket = bucket_of(digest, at)
    begin, length = _bounds(bits, places, entries, bucket, _near(bases, entries, bucket))
    row = _within(rows, rest, begin, length, digest, at + BUCKET)
    return counted(rows, rest, large, larger, row) if row >= 0 else np.int64(0)


@kernel("i8", "u1*", "i8", "i8", "u1*", "u4*", "u1*", "i8*", "i8", "u1*")
def count(rows, entries, rest, bits, bases, places, large, larger, digest):
    """The count of one digest; 0: it is not in the table."""
    return look_up(rows, entries, rest, bits, bases, places, large, larger, digest, 0)


def room(n, width):
    """What ``counts`` works in for n queries: waiting, starts, ordered."""
    ordered = np.empty(min(n, ORDERED) * (width + _QUERY), np.uint8)
    return np.empty(_WAITING, np.int64), np.empty(_PARTS + 1, np.int64), ordered


@inner
def _order(digests, first, size, width, starts, ordered):
    """Copies queries in the order of the first bits of their digests, their numbers behind them: then the pages they
    need are neighbours, and what is asked lies side by side."""
    for each in range(_PARTS + 1):
        starts[each] = 0
    for each in range(first, first + size):
        starts[(bucket_of(digests, each * width) >> _PART) + 1] += 1
    for each in range(_PARTS):
        starts[each + 1] += starts[each]
    for each in range(size):
        at = (first + each) * width
        part = bucket_of(digests, at) >> _PART
        to = starts[part] * (width + _QUERY)
        starts[part] += 1
        for word in (0, min(8, width - 8), width - 8):  # the last two overlap, or are one
            put_eight(eight(digests, at + word), ordered, to + word)
        for octet in range(_QUERY):
            ordered[to + width + octet] = (each >> (8 * octet)) & 255


@inner
def _seek(entries, bits, bases, places, ordered, width, first, size, waiting, at):
    """How many digests come before the bucket of each of so many queries, from waiting[at] on, and how many are in it,
    TOGETHER places behind."""
    for each in range(size):
        bucket = bucket_of(ordered, (first + each) * width)
        waiting[at + each] = _near(bases, entries, bucket)
        waiting[at + TOGETHER + each] = bucket
        prefetch(bits, waiting[at + each] >> 3)
    for each in range(size):
        begin, length = _bounds(bits, places, entries, waiting[at + TOGETHER + each], waiting[at + each])
        waiting[at + each] = begin if length > 0 else 0
        waiting[at + TOGETHER + each] = length


@inner
def _meet(rows, rest, digests, at, low, length):
    """The row of a bucket that holds the digest whose rest stands at a place; -1: none does."""
    stride = rest + 1
    row = _among(rows, stride, low, length, number(digests, at))
    if (length > _SOME) | (row >= 0) & (_differ(rows, max(row, 0) * stride, digests, at, rest) != 0):
        row = _within(rows, rest, low, length, digests, at)
    return row


@kernel("i8", "u1*", "i8", "i8", "u1*", "u4*", "u1*", "i8*", "i8", "u1*", "i8", "i8*", "i8*", "u1*", "i8*")
def counts(rows, entries, rest, bits, bases, places, large, larger, digests, n, waiting, starts, ordered, out):
    """The counts of n digests, in stages: while one is compared, the rows of the next are on their way. They are asked
    for a query's at a time: a processor forgets what it is asked for all at once. waiting, starts, ordered: room(n).
    """
    width, stride = rest + BUCKET, rest + 1
    asked = width + _QUERY
    here, ahead = 0, 2 * TOGETHER  # where in waiting the queries stand that are compared, and those of the next stage
    for done in range(0, n, ORDERED):
        together = min(ORDERED, n - done)
        _order(digests, done, together, width, starts, ordered)
        ready = 0  # queries that are compared
        for first in range(0, together + TOGETHER, TOGETHER):
            size = max(0, min(TOGETHER, together - first))
            _seek(entries, bits, bases, places, ordered, asked, first, size, waiting, ahead)
            for each in range(max(ready, size)):
                if each < size:
                    begin, length = waiting[ahead + each], waiting[ahead + TOGETHER + each]
                    prefetch(rows, begin * stride)
                    prefetch(rows, (begin + length) * stride)
                if each < ready:
                    at = (first - TOGETHER + each) * asked + BUCKET
                    row = _meet(rows, rest, ordered, at, waiting[here + each], waiting[here + TOGETHER + each])
                    waiting[here + each] = row
                    waiting[here + TOGETHER + each] = rows[max(row, 0) * stride + rest]
            for each in range(ready):
                row = waiting[here + each]
                found = waiting[here + TOGETHER + each] & -np.int64(row >= 0)  # nobody foresees a branch
                to = done + four(ordered, (first - TOGETHER + each) * asked + width)
                out[to] = _large(large, larger, row) if found == LARGE else found
            here, ahead, ready = ahead, here, size
    return 0


@inner
def between(entries, bits, bases, places, first, last):
    """How many digests come before a bucket, and how many before the end of another."""
    begin, _ = _bounds(bits, places, entries, first, _near(bases, entries, first))
    end, length = _bounds(bits, places, entries, last, _near(bases, entries, last))
    return begin, max(begin, end + length)


@inner
def bucket_from(bits, entries, row, bucket):
    """The bucket of a row that is in this one or a later one."""
    while row + bucket < entries + BUCKETS and not (bits[(row + bucket) >> 3] >> ((row + bucket) & 7)) & 1:
        bucket += 1
    return bucket


@kernel("i8", "i8", "u1*", "u4*", "u1*", "i8", "i8", "i8*")
def span(entries, bits, bases, places, first, last, out):
    """out: how many digests come before a bucket, and how many before the end of another."""
    out[0], out[1] = between(entries, bits, bases, places, np.int64(first), np.int64(last))
    return 0


@kernel("i8", "u1*", "i8", "i8", "i8", "u1*", "i8", "i8*", "i8", "i8*", "u1*", "i8*")
def unfold(rows, first, n, rest, bits, entries, large, larger, bucket, digests, out):
    """n digests, of which the first is in rows, and their counts. first: how many come before them in the table;
    bucket[0]: that of the digest before, or an earlier one; afterwards that of the last.
    """
    now = bucket[0]
    for each in range(n):
        now = bucket_from(bits, entries, first + each, now)
        at = each * (rest + BUCKET)
        digests[at] = (now >> 16) & 255
        digests[at + 1] = (now >> 8) & 255
        digests[at + 2] = now & 255
        for octet in range(rest):
            digests[at + BUCKET + octet] = rows[each * (rest + 1) + octet]
        out[each] = np.int64(rows[each * (rest + 1) + rest])
        if out[each] == LARGE:
            out[each] = _large(large, larger, first + each)
    bucket[0] = now
    return 0


@kernel("i8", "u1*", "i8", "i8", "i8", "i8*", "u1*", "u1*", "u4*", "i8*")
def fold(entries, n, rest, first, group, rows, bits, bases, large):
    """Lays down n sorted entries (digest, count); answers how many of the counts are large.

    first: how many entries came before; group[0]: the first group whose base is not known yet.
    """
    larger = 0
    for each in range(n):
        at = each * (rest + BUCKET + COUNT)
        bucket = bucket_of(entries, at)
        bit = first + each + bucket
        bits[bit >> 3] |= 1 << (bit & 7)
        while group[0] <= bucket >> _SHIFT:
            bases[group[0]] = first + each
            group[0] += 1
        for octet in range(rest):
            rows[each * (rest + 1) + octet] = entries[at + BUCKET + octet]
        times = number(entries, at + BUCKET + rest)
        rows[each * (rest + 1) + rest] = min(times, LARGE)
        if times >= LARGE:
            large[2 * larger] = first + each
            large[2 * larger + 1] = times
            larger += 1
    return larger
