"""The search: names in, the places of protected words out. One pass over some names at a time, no allocation.

See match.py for what is looked for and words.py for how. Working room is handed in by the caller (``Room``).
"""

from typing import NamedTuple

import numpy as np

from khien.compiled import inner, kernel, prefetch
from khien.names import shape, words
from khien.names.match import (
    EXACT,
    NO_MATCH,
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
GROUP, ENTRY = 5, 8  # numbers of one in words.Tables
BESIDE = words.BESIDE
NO_LETTER = 0xFFFF >> shape.LETTER
BOTH = shape.CODE << shape.SECOND | shape.CODE << shape.FIRST
LETTER_OF_BOTH = 1 << shape.SECOND + shape.LETTER | 1 << shape.FIRST + shape.LETTER
TOGETHER = 64  # names read before they are searched: loops that go on are foretold, those of one name end by surprise
FIELDS = 4  # of a match: word, start, behind the end, rank


class Room(NamedTuple):
    """Working room; kernels allocate nothing. Sizes follow text.LONGEST: a letter has at most two codes."""

    text: np.ndarray  # u1: a folded name
    kind: np.ndarray  # u1: kinds of its characters
    texts: np.ndarray  # u1: some folded names, one behind the other
    codes: np.ndarray  # u2: their shapes, see read_ascii
    place: np.ndarray  # i4: first character of the input each of text stands for
    until: np.ndarray  # i4: the one behind
    points: np.ndarray  # i4: code points of a label
    begins: np.ndarray  # i4: of each name, where it begins in texts, and in codes; then where the next would
    rows: np.ndarray  # i4: three rows of an edit table
    matches: np.ndarray  # i4: FIELDS each
    keys: np.ndarray  # i4: see find_pieces
    hits: np.ndarray  # i8: likewise

    @classmethod
    def make(cls) -> "Room":
        """A room of one's own: one for each thread."""
        kinds = [np.uint8] * 3 + [np.uint16] + [np.int32] * 7 + [np.int64]
        names = TOGETHER + 1
        sizes = [400, 400, 400 * names, 800 * names, 400, 400, 80, 2 * names, 192, FIELDS * MOST_MATCHES]
        sizes += [800 * names, 800 * names]
        return cls(*(np.zeros(size, kind) for size, kind in zip(sizes, kinds, strict=True)))


ROOM = ("u1*",) * 3 + ("u2*",) + ("i4*",) * 7 + ("i8*",)
TABLES = ("i4*", "i8*", "i4*", "i4*", "i4*", "u1*", "i4*", "u1*", "i4*")  # shape.CLASSES, words.Tables


@inner
def is_www(row, start):
    """Whether ``www`` stands here: such a first label imitates nothing, and many names have it."""
    return (row[start] | 32) == 119 and (row[start + 1] | 32) == 119 and (row[start + 2] | 32) == 119


@inner
def read_ascii(row, start, end, text, at, codes, n_codes, classes):
    """Reads a name: text from text[at] on, shape from codes[n_codes] on.

    codes holds the place in the name of the letter a code belongs to, and the code; behind the last stand an END and a
    code 0, which no word has. Answers (behind the text, behind the shape, whether it needs the longer way: not ASCII, a
    wildcard, perhaps an A-label). Without branches: what is not wanted is overwritten by the next.
    """
    odd = 0
    before = 0
    n = end - start
    silent = 4 if n > 8 and row[start + 3] == DOT and is_www(row, start) else 0
    for i in range(silent):
        text[at + i] = row[start + i] | 32  # a dot stays one
    for i in range(silent, n):
        found = classes[row[start + i]]
        odd |= found + before  # the sum of two separators, "--", is odd
        before = found
        text[at + i] = found >> shape.CHARACTER & 0xFF
        both = (found & BOTH) + i * LETTER_OF_BOTH
        codes[n_codes] = both & 0xFFFF
        codes[n_codes + 1] = both >> shape.SECOND
        n_codes += found >> shape.COUNT
    codes[n_codes] = n << shape.LETTER | shape.END
    codes[n_codes + 1] = NO_LETTER << shape.LETTER
    return at + n, n_codes + 2, odd & shape.ODD != 0


@inner
def read_name(row, start, end, into, at, codes, n_codes, text, kind, place, until, points, folds, n_folds, classes):
    """Reads a name of any form as read_ascii does; answers (behind the text, behind the shape, whether places were
    written). into: where to; may be text itself."""
    if end > start and row[end - 1] == DOT:
        end -= 1
    if end - start > LONGEST - 8:
        end = start
    behind, behind_codes, odd = read_ascii(row, start, end, into, at, codes, n_codes, classes)
    if odd:
        n = prepare(row, start, end, text, place, until, kind, points, folds, n_folds)
        behind, behind_codes, _ = read_ascii(text, 0, n, into, at, codes, n_codes, classes)
    return behind, behind_codes, odd


@inner
def read_names(
    row, offsets, first, behind, texts, codes, begins,
    text, kind, place, until, points, folds, n_folds, classes,
):  # fmt: skip
    """Reads some names; answers where the codes end."""
    at = 0
    n_codes = 1
    codes[0] = NO_LETTER << shape.LETTER
    for each in range(first, behind):
        begins[2 * (each - first)] = at
        begins[2 * (each - first) + 1] = n_codes
        at, n_codes, _ = read_name(
            row, offsets[each], offsets[each + 1], texts, at, codes, n_codes,
            text, kind, place, until, points, folds, n_folds, classes,
        )  # fmt: skip
    begins[2 * (behind - first)] = at
    begins[2 * (behind - first) + 1] = n_codes
    for i in range(BESIDE):
        codes[n_codes + i] = 0
    return n_codes


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
def fits_between(beside, at, read):
    """Whether two codes before a piece and two behind it are among those that may stand there; 0 or 1."""
    return (
        beside[at] >> (read >> 35 & 31)
        & beside[at + 1] >> (read >> 30 & 31)
        & beside[at + 2] >> (read >> 5 & 31)
        & beside[at + 3] >> (read & 31)
        & 1
    )


@inner
def find_pieces(codes, n_codes, keys, hits, bits, ranks, groups, entries):
    """Where a piece of a word stands between codes that some change of the word leaves beside it; answers how many.

    keys: of each code, the four that end with it. hits: where a piece ends; later, from the upper bits on, the code at
    which it begins (24), two codes before it (5 each), its group (20), and two behind. The last two loops write each
    and count the ones that are kept: whether the next letter betrays a word no processor foretells, and a branch would
    cost more than the loop.
    """
    keys[1] = keys[2] = 0  # no more is read of them than what stands before the first name
    for i in range(3, n_codes + BESIDE):  # a loop that the compiler makes one of vectors
        keys[i] = (
            (codes[i - 3] & shape.CODE) << 15
            | (codes[i - 2] & shape.CODE) << 10
            | (codes[i - 1] & shape.CODE) << 5
            | codes[i] & shape.CODE
        )
    n_hits = 0
    for i in range(3, n_codes):
        key = keys[i]
        hits[n_hits] = i
        n_hits += bits[key >> 6] >> (key & 63) & 1
    kept = 0
    for h in range(n_hits):
        i = hits[h]
        group = group_of(keys[i], bits, ranks)
        read = (i - 3) << 40 | (keys[i - BESIDE] >> 10) << 30 | group << 10 | keys[i + BESIDE] & 0x3FF
        hits[kept] = read
        kept += fits_between(groups, GROUP * group + 1, read)
    for h in range(kept):  # read soon, when what is met there decides what comes next
        prefetch(entries, ENTRY * groups[GROUP * (hits[h] >> 10 & 0xFFFFF)])
    return kept


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
    at, start, end, n_codes, text, codes, rows, matches, count,
    needed, word, checks, offset, code, letters, first, shapes, shape_first,
):  # fmt: skip
    """Does the checks of one entry where its piece stands at codes[at] of the name text[start:end]; answers how many
    matches there are then."""
    here = start + (codes[at] >> shape.LETTER)
    near = here - offset  # where the word would begin
    begin = first[word]
    length = first[word + 1] - begin
    if checks & words.SHAPE:
        n_shape = shape_first[word + 1] - shape_first[word]
        first_at, behind, change = shape_at(
            text, start, codes, n_codes, at - code, shapes, shape_first[word], n_shape, letters, begin, length
        )
        if change != NO_MATCH:
            count = keep_match(matches, count, word, first_at, behind, change * 8)
    if checks & words.SHORT and near >= start and near + length <= end and same(text, near, letters, begin, length):
        if touches_boundary(text, near, near + length, start, end):
            count = keep_match(matches, count, word, near, near + length, EXACT * 8)
    if checks & (words.ONE | words.TWO):
        tail = start + (codes[at + 3] >> shape.LETTER)
        count = check_edits(
            here,
            tail,
            start,
            end,
            text,
            rows,
            matches,
            count,
            needed,
            word,
            checks,
            offset,
            near,
            letters,
            begin,
            length,
        )
    return count


@inner
def check_edits(
    here, tail, start, end, text, rows, matches, count, needed, word, checks, offset, near, letters, begin, length
):  # fmt: skip
    """The same for edits, which keep to the stretch between separators in which the piece ends."""
    since = tail
    until = tail
    present = 0
    while since > max(near - 2, start) and not is_separator(text[since - 1]):
        since -= 1
        present |= 1 << (text[since] & 31)
    if here < since:
        return count
    while until < min(near + length + 4, end) and not is_separator(text[until]):
        present |= 1 << (text[until] & 31)
        until += 1
    if too_many_lack(needed & ~present, checks & words.TWO):
        return count
    intact = checks & words.INTACT
    if checks & words.ONE and (not intact or fits_beside(text, here, since, until, letters, begin, offset, length)):
        for first in range(max(since, near - 1), near + 2):
            found = edit_forward(text, first, until, letters, begin, length)
            if found >= 0:
                behind = first + length + found % 4 - 1
                count = keep_match(matches, count, word, first, behind, ONE_EDIT * 8 + found // 4)
    if checks & words.TWO and (not intact or same(text, here, letters, begin + offset, 4)):
        found = two_edits(text, since, until, near, letters, begin, length, rows)
        if found >= 0:
            first = near - 2 + found % 64 // 8
            behind = first + length + found % 8 - 2
            count = keep_match(matches, count, word, first, behind, TWO_EDITS * 8 + found // 64)
    return count


@inner
def find_words(
    h, kept, name, begins, texts, codes, hits, rows, matches,
    groups, entries, letters, first, shapes, shape_first,
):  # fmt: skip
    """All words in a name of those read, each at its best place in texts; answers how many, and the next name's first
    hit. h: this name's."""
    count = 0
    begin, end, n_codes = begins[2 * name], begins[2 * name + 2], begins[2 * name + 3]
    while h < kept and hits[h] >> 40 < n_codes:
        read = hits[h]
        group = GROUP * (read >> 10 & 0xFFFFF)
        for entry in range(ENTRY * groups[group], ENTRY * groups[group + GROUP], ENTRY):
            if fits_between(entries, entry, read):
                count = check_entry(
                    read >> 40, begin, end, n_codes, texts, codes, rows, matches, count,
                    entries[entry + 4], entries[entry + 5] >> 8, entries[entry + 5] & 0xFF, entries[entry + 6],
                    entries[entry + 7], letters, first, shapes, shape_first,
                )  # fmt: skip
        h += 1
    return count, h


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
            code = found >> shape.FIRST & shape.CODE
            if code:
                key = (key << 5 | code) & 0xFFFFF
                counts[key] += 1
                code = found >> shape.SECOND & shape.CODE
                if code:
                    key = (key << 5 | code) & 0xFFFFF
                    counts[key] += 1
    return lines
