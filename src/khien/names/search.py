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
    TWO_EDITS,
    edit_forward,
    fits_beside,
    same,
    shape_at,
    touches_boundary,
    two_edits,
)
from khien.names.text import DOT, LONGEST, is_separator, prepare

MOST_MATCHES = 48  # words kept in one name; a name of 253 octets has no room for more that tell anything
FIELDS = 4  # of a match: word, start, behind the end, rank


class Room(NamedTuple):
    """Working room; kernels allocate nothing. Sizes follow text.LONGEST: a letter has at most two codes."""

    text: np.ndarray  # u1: the folded name
    kind: np.ndarray  # u1: kinds of its characters
    codes: np.ndarray  # u1: its shape, from codes[1] on
    place: np.ndarray  # i4: first character of the input each stands for
    until: np.ndarray  # i4: the one behind
    letter: np.ndarray  # i4: the character of the text each code belongs to
    hits: np.ndarray  # i4: code at which a piece begins << 20 | its key, later its group
    points: np.ndarray  # i4: code points of a label
    rows: np.ndarray  # i4: three rows of an edit table
    matches: np.ndarray  # i4: FIELDS each

    @classmethod
    def make(cls) -> "Room":
        """A room of one's own: one for each thread."""
        sizes = [400, 400, 800, 400, 400, 800, 800, 80, 192, FIELDS * MOST_MATCHES]
        return cls(*(np.zeros(size, np.uint8 if index < 3 else np.int32) for index, size in enumerate(sizes)))


ROOM = ("u1*",) * 3 + ("i4*",) * 7
TABLES = ("i4*", "i8*", "i4*", "i4*", "i4*", "u1*", "i4*", "u1*", "i4*")  # shape.CLASSES, words.Tables


@inner
def is_www(row, start):
    """Whether ``www`` stands here: such a first label imitates nothing, and many names have it."""
    return (row[start] | 32) == 119 and (row[start + 1] | 32) == 119 and (row[start + 2] | 32) == 119


@inner
def read_ascii(row, start, end, text, codes, letter, classes):
    """Reads a name: text, shape, and the letter each code belongs to.

    Answers (length, behind the last code, whether it needs the longer way: not ASCII, a wildcard, perhaps an A-label).
    Without branches: what is not wanted is overwritten by the next. Code 0 stands at both ends, which no word has.
    """
    n_codes = 1
    odd = 0
    before = 0
    n = end - start
    silent = 4 if n > 8 and row[start + 3] == DOT and is_www(row, start) else 0
    for i in range(silent):
        text[i] = row[start + i] | 32  # a dot stays one
    for i in range(silent, n):
        found = classes[row[start + i]]
        odd |= found | (found & before) << 1  # "--"
        before = found
        text[i] = found & 0xFF
        codes[n_codes] = found >> shape.FIRST & 0xFF
        codes[n_codes + 1] = found >> shape.SECOND & 0xFF
        letter[n_codes] = i
        letter[n_codes + 1] = i
        n_codes += found >> shape.COUNT
    codes[n_codes] = shape.END
    codes[n_codes + 1] = 0
    letter[n_codes] = n
    return n, n_codes + 1, odd & shape.ODD != 0


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
def find_pieces(codes, n_codes, hits, bits, ranks, groups):
    """Where a piece of a word stands between codes that some change of the word leaves beside it; answers how many.

    hits: code at which it begins << 20 | its group. Both loops write each hit and count the ones that are kept: whether
    the next letter betrays a word no processor foretells, and a branch would cost more than the loop.
    """
    n_hits = 0
    codes_read = 0
    for i in range(1, n_codes):
        codes_read = codes_read << 5 | codes[i]  # the oldest fall out at the top
        key = codes_read & 0xFFFFF
        hits[n_hits] = (i - 3) << 20 | key
        n_hits += bits[key >> 6] >> (key & 63) & 1
    kept = 0
    for h in range(n_hits):
        at = hits[h] >> 20
        group = group_of(hits[h] & 0xFFFFF, bits, ranks)
        hits[kept] = at << 20 | group
        kept += groups[3 * group + 1] >> codes[at - 1] & groups[3 * group + 2] >> codes[at + 4] & 1
    return kept


@inner
def read_name(row, start, end, text, kind, place, until, codes, letter, points, folds, n_folds, classes):
    """Reads a name of any form; answers (length, behind the last code, whether places were written)."""
    if end > start and row[end - 1] == DOT:
        end -= 1
    if end - start > LONGEST - 8:
        return 0, 0, False
    n, n_codes, odd = read_ascii(row, start, end, text, codes, letter, classes)
    if odd:
        n = prepare(row, start, end, text, place, until, kind, points, folds, n_folds)
        n, n_codes, _ = read_ascii(text, 0, n, text, codes, letter, classes)
    return n, n_codes, odd


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
    at, n, n_codes, text, codes, letter, rows, matches, count,
    needed, word, checks, offset, code, letters, first, shapes, shape_first,
):  # fmt: skip
    """Does the checks of one entry where its piece stands at codes[at]; answers how many matches there are then."""
    near = letter[at] - offset  # where the word would begin
    begin = first[word]
    length = first[word + 1] - begin
    if checks & words.SHAPE:
        code_at = at - code
        n_shape = shape_first[word + 1] - shape_first[word]
        packed = shape_at(
            text, codes, letter, n_codes, code_at, shapes, shape_first[word], n_shape, letters, begin, length
        )
        if packed >= 0:
            count = keep_match(matches, count, word, letter[code_at], packed >> 8, (packed & 255) * 8)
    if checks & words.SHORT and near >= 0 and near + length <= n and same(text, near, letters, begin, length):
        if touches_boundary(text, near, near + length, n):
            count = keep_match(matches, count, word, near, near + length, EXACT * 8)
    if checks & (words.ONE | words.TWO):
        count = check_edits(
            at, n, text, letter, rows, matches, count, needed, word, checks, offset, near, letters, begin, length
        )
    return count


@inner
def check_edits(
    at, n, text, letter, rows, matches, count, needed, word, checks, offset, near, letters, begin, length
):  # fmt: skip
    """The same for edits, which keep to the stretch between separators in which the piece ends."""
    here = letter[at]
    since = letter[at + 3]
    until = since
    present = 0
    while since > max(near - 2, 0) and not is_separator(text[since - 1]):
        since -= 1
        present |= 1 << (text[since] & 31)
    if here < since:
        return count
    while until < min(near + length + 4, n) and not is_separator(text[until]):
        present |= 1 << (text[until] & 31)
        until += 1
    if too_many_lack(needed & ~present, checks & words.TWO):
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
    n, n_codes, text, codes, letter, hits, rows, matches,
    bits, ranks, groups, entries, letters, first, shapes, shape_first,
):  # fmt: skip
    """All words in text[:n], each at its best place; answers how many."""
    count = 0
    for h in range(find_pieces(codes, n_codes, hits, bits, ranks, groups)):
        at = hits[h] >> 20
        group = 3 * (hits[h] & 0xFFFFF)
        for entry in range(6 * groups[group], 6 * groups[group + 3], 6):
            if entries[entry] >> codes[at - 1] & entries[entry + 1] >> codes[at + 4] & 1:
                count = check_entry(
                    at, n, n_codes, text, codes, letter, rows, matches, count,
                    entries[entry + 2], entries[entry + 3] >> 8, entries[entry + 3] & 0xFF, entries[entry + 4],
                    entries[entry + 5], letters, first, shapes, shape_first,
                )  # fmt: skip
    return count


@kernel("i8", "i8", "i4*", "u1*", "i8*", "i8", *TABLES, *ROOM, "i4*", "i8")
def candidates(
    n_rows, offsets, row, folds, n_folds,
    classes, bits, ranks, groups, entries, letters, first, shapes, shape_first,
    text, kind, codes, place, until, letter, hits, points, rows, matches,
    found, capacity,
):  # fmt: skip
    """Only the matches, unjudged: rows of found are (row, word, start, behind the end, rank) in the folded text.

    Answers how many rows of found there are; at ``capacity`` it stops.
    """
    total = 0
    for each in range(n_rows):
        n, n_codes, _ = read_name(
            row, offsets[each], offsets[each + 1], text, kind, place, until, codes, letter, points,
            folds, n_folds, classes,
        )  # fmt: skip
        count = find_words(
            n, n_codes, text, codes, letter, hits, rows, matches,
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
