"""The search: names in, the places of protected words out. One pass over each name, no allocation.

See match.py for what is looked for and words.py for how. Working room is handed in by the caller (``Room``).
"""

from typing import NamedTuple

import numpy as np

from khien.compiled import inner, kernel
from khien.names import shape, words
from khien.names.match import (
    EXACT,
    ONE_EDIT,
    ONE_LEAST,
    TWO_EDITS,
    edit_forward,
    fits_beside,
    same,
    shape_at,
    touches_boundary,
    two_edits,
)
from khien.names.text import DOT, LONGEST, prepare

MOST_MATCHES = 48  # words kept in one name; a name of 253 octets has no room for more that tell anything
FIELDS = 4  # of a match: word, start, behind the end, rank


class Room(NamedTuple):
    """Working room; kernels allocate nothing. Sizes follow text.LONGEST: a letter has at most two codes."""

    text: np.ndarray  # u1: the folded name
    kind: np.ndarray  # u1: kinds of its characters
    place: np.ndarray  # i4: first character of the input each stands for
    until: np.ndarray  # i4: the one behind
    codes: np.ndarray  # i4: its shape: character << 8 | code
    hits: np.ndarray  # i4: code at which a piece ends << 10 | label
    labels: np.ndarray  # i4: begin << 16 | end, letters as bits
    points: np.ndarray  # i4: code points of a label
    rows: np.ndarray  # i4: three rows of an edit table
    matches: np.ndarray  # i4: FIELDS each

    @classmethod
    def make(cls) -> "Room":
        """A room of one's own: one for each thread."""
        sizes = [400, 400, 400, 400, 800, 800, 800, 80, 192, FIELDS * MOST_MATCHES]
        return cls(*(np.zeros(size, np.uint8 if index < 2 else np.int32) for index, size in enumerate(sizes)))


ROOM = ("u1*",) * 2 + ("i4*",) * 8
TABLES = ("i4*", "i8*", "i4*", "i4*", "i4*", "u1*", "i4*", "u1*", "i4*")  # shape.CLASSES, words.Tables


@inner
def is_www(row, start):
    """Whether ``www`` stands here: such a first label imitates nothing, and many names have it."""
    return (row[start] | 32) == 119 and (row[start + 1] | 32) == 119 and (row[start + 2] | 32) == 119


@inner
def read_ascii(row, start, end, text, codes, hits, labels, classes, bits):
    """Reads a name in one pass: text, shape, labels, and the codes at which a piece of a word ends.

    Answers (length, codes, hits, whether it needs the longer way: not ASCII, a wildcard, perhaps an A-label). Written
    with few branches: what is not wanted is overwritten by the next. hits: code and label; labels: (begin and end,
    letters as bits) of each stretch between separators.
    """
    n_codes = 0
    n_hits = 0
    key = 0
    label = 0
    mask = 0
    begin = 0
    odd = 0
    n = end - start
    silent = 4 if n > 8 and row[start + 3] == DOT and is_www(row, start) else 0
    for i in range(n):
        found = classes[row[start + i]]
        odd |= found
        text[i] = found & 0xFF
        mask |= 1 << (found & 31)
        code = found >> shape.FIRST & 0xFF
        if code and i >= silent:
            key = (key << 5 | code) & 0xFFFFF
            codes[n_codes] = i << 8 | code
            hits[n_hits] = n_codes << 10 | label
            n_hits += bits[key >> 6] >> (key & 63) & 1
            n_codes += 1
            code = found >> shape.SECOND & 0xFF
            if code:
                key = (key << 5 | code) & 0xFFFFF
                codes[n_codes] = i << 8 | code
                hits[n_hits] = n_codes << 10 | label
                n_hits += bits[key >> 6] >> (key & 63) & 1
                n_codes += 1
        elif not code:
            odd |= shape.ODD if begin == i and i else 0  # "--"
            labels[2 * label] = begin << 16 | i
            labels[2 * label + 1] = mask
            label += 1
            begin = i + 1
            mask = 0
    labels[2 * label] = begin << 16 | n
    labels[2 * label + 1] = mask
    key = (key << 5 | shape.END) & 0xFFFFF
    codes[n_codes] = n << 8 | shape.END
    hits[n_hits] = n_codes << 10 | label
    n_hits += bits[key >> 6] >> (key & 63) & 1
    return n, n_codes + 1, n_hits, odd & shape.ODD != 0


@inner
def group_of(key, bits, ranks):
    """The group of a key that is known to have one: how many keys before it have."""
    rest = bits[key >> 6] & ((1 << (key & 63)) - 1)
    count = ranks[key >> 6]
    while rest:  # the compiler makes one instruction of this
        rest &= rest - 1
        count += 1
    return count


@inner
def read_name(
    row, start, end, text, kind, place, until, codes, hits, labels, points, folds, n_folds, classes, bits
):  # fmt: skip
    """Reads a name of any form; answers (length, codes, hits, whether places were written)."""
    if end > start and row[end - 1] == DOT:
        end -= 1
    if end - start > LONGEST - 8:
        return 0, 0, 0, False
    n, n_codes, n_hits, odd = read_ascii(row, start, end, text, codes, hits, labels, classes, bits)
    if odd:
        n = prepare(row, start, end, text, place, until, kind, points, folds, n_folds)
        n, n_codes, n_hits, _ = read_ascii(text, 0, n, text, codes, hits, labels, classes, bits)
    return n, n_codes, n_hits, odd


@inner
def keep_match(matches, count, word, start, end, rank):
    """Keeps the best match of a word: the lowest rank, then the first; answers how many words there are."""
    for i in range(count):
        if matches[FIELDS * i] == word:
            if rank < matches[FIELDS * i + 3] or (rank == matches[FIELDS * i + 3] and start < matches[FIELDS * i + 1]):
                matches[FIELDS * i + 1] = start
                matches[FIELDS * i + 2] = end
                matches[FIELDS * i + 3] = rank
            return count
    if count < MOST_MATCHES:
        matches[FIELDS * count] = word
        matches[FIELDS * count + 1] = start
        matches[FIELDS * count + 2] = end
        matches[FIELDS * count + 3] = rank
        count += 1
    return count


@inner
def too_many_lack(lacking, two):
    """Whether more letters lack than edits could have removed: one, or two."""
    lacking &= lacking - 1
    return lacking & (lacking - 1 if two else -1) != 0


@inner
def check_entry(
    entry, at, n, n_codes, inside, since, until, text, codes, rows, matches, count,
    entries, letters, first, shapes, shape_first,
):  # fmt: skip
    """Does the checks of one entry where its piece stands at codes[at]; answers how many matches there are then."""
    word = entries[entry + 1] >> 8
    checks = entries[entry + 1] & 0xFF
    offset = entries[entry + 2]
    here = codes[at] >> 8
    near = here - offset  # where the word would begin
    begin = first[word]
    length = first[word + 1] - begin
    if checks & words.SHAPE:
        code_at = at - entries[entry + 3]
        n_shape = shape_first[word + 1] - shape_first[word]
        packed = shape_at(text, codes, n_codes, code_at, shapes, shape_first[word], n_shape, letters, begin, length)
        if packed >= 0:
            count = keep_match(matches, count, word, codes[code_at] >> 8, packed >> 8, (packed & 255) * 8)
    if checks & words.SHORT and near >= 0 and near + length <= n and same(text, near, letters, begin, length):
        if touches_boundary(text, near, near + length, n):
            count = keep_match(matches, count, word, near, near + length, EXACT * 8)
    if not inside:
        return count
    intact = checks & words.INTACT
    if checks & words.ONE and (not intact or fits_beside(text, here, since, until, letters, begin, offset, length)):
        for start in range(max(since, near - 1), near + 2):
            found = edit_forward(text, start, until, letters, begin, length)
            if found >= 0:
                end = start + length + found % 4 - 1
                count = keep_match(matches, count, word, start, end, ONE_EDIT * 8 + found // 4)
    if checks & words.TWO and (not intact or same(text, here, letters, begin + offset, 4)):
        found = two_edits(text, since, until, near, letters, begin, length, rows)
        if found >= 0:
            start = found % 4096 // 8
            end = start + length + found % 8 - 2
            count = keep_match(matches, count, word, start, end, TWO_EDITS * 8 + found // 4096)
    return count


@inner
def find_words(
    n, n_codes, n_hits, text, codes, hits, labels, rows, matches,
    bits, ranks, groups, entries, letters, first, shapes, shape_first,
):  # fmt: skip
    """All words in text[:n], each at its best place; answers how many."""
    count = 0
    for h in range(n_hits):
        at = (hits[h] >> 10) - 3
        label = 2 * (hits[h] & 0x3FF)
        since = labels[label] >> 16
        until = labels[label] & 0xFFFF
        inside = codes[at] >> 8 >= since and until - since >= ONE_LEAST - 1
        absent = ~labels[label + 1] & ~1 if inside else ~1
        key = (codes[at] & 31) << 15 | (codes[at + 1] & 31) << 10 | (codes[at + 2] & 31) << 5 | codes[at + 3] & 31
        group = 2 * group_of(key, bits, ranks)
        needed = groups[group + 1]
        if too_many_lack(needed & absent, needed & 1):
            continue
        for entry in range(4 * groups[group], 4 * groups[group + 2], 4):
            if not too_many_lack(entries[entry] & absent, entries[entry + 1] & words.TWO):
                count = check_entry(
                    entry, at, n, n_codes, inside, since, until, text, codes, rows, matches, count,
                    entries, letters, first, shapes, shape_first,
                )  # fmt: skip
    return count


@kernel("i8", "i8", "i4*", "u1*", "i8*", "i8", *TABLES, *ROOM, "i4*", "i8")
def candidates(
    n_rows, offsets, row, folds, n_folds,
    classes, bits, ranks, groups, entries, letters, first, shapes, shape_first,
    text, kind, place, until, codes, hits, labels, points, rows, matches,
    found, capacity,
):  # fmt: skip
    """Only the matches, unjudged: rows of found are (row, word, start, behind the end, rank) in the folded text.

    Answers how many rows of found there are; at ``capacity`` it stops.
    """
    total = 0
    for each in range(n_rows):
        n, n_codes, n_hits, _ = read_name(
            row, offsets[each], offsets[each + 1], text, kind, place, until, codes, hits, labels, points,
            folds, n_folds, classes, bits,
        )  # fmt: skip
        count = find_words(
            n, n_codes, n_hits, text, codes, hits, labels, rows, matches,
            bits, ranks, groups, entries, letters, first, shapes, shape_first,
        )  # fmt: skip
        for i in range(count):
            if total == capacity:
                return total
            found[5 * total] = each
            for j in range(FIELDS):
                found[5 * total + 1 + j] = matches[FIELDS * i + j]
            total += 1
    return total


@kernel("i8", "u1*", "i8", "i4*", "f4*")
def count_keys(row, length, classes, counts):
    """Counts the keys of names, one a line; what follows a tab is passed over. Answers how many lines."""
    lines = 0
    key = 0
    over = False
    for i in range(length):
        if row[i] == 10:
            counts[(key << 5 | shape.END) & 0xFFFFF] += 1
            lines += 1
            key = 0
            over = False
        elif row[i] == 9:
            over = True
        elif not over:
            found = classes[row[i]]
            code = found >> shape.FIRST & 0xFF
            if code:
                key = (key << 5 | code) & 0xFFFFF
                counts[key] += 1
                code = found >> shape.SECOND & 0xFF
                if code:
                    key = (key << 5 | code) & 0xFFFFF
                    counts[key] += 1
    return lines
