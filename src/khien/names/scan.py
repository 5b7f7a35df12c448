"""The scan: rows of names in, matches out. One pass, no allocation; see match.py and words.py for what is looked for.

Working room is handed in by the caller (``room``: i4, ``bytes_room``: u1), cut into the arrays below.
"""

from typing import NamedTuple

import numpy as np

from khien.compiled import inner, kernel
from khien.names import judge, place, shape, words
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
from khien.names.judge import N_TERMS, label_of, terms, weigh
from khien.names.place import look
from khien.names.tables import ABSENT, BASIS, find, mix
from khien.names.text import ALIKE, DOT, HYPHEN, LONGEST, MARKED, PLAIN, is_separator, prepare

MOST_MATCHES = 48  # words kept in one name; a name of 253 octets has no room for more that tell anything
FIELDS = 4  # of a match: word, start, behind the end, rank


class Room(NamedTuple):
    """Working room of a scan; kernels allocate nothing. Sizes follow text.LONGEST: each letter has at most two codes."""

    text: np.ndarray  # u1: the folded name
    kind: np.ndarray  # u1: kinds of its characters
    codes: np.ndarray  # u1: its shape
    place: np.ndarray  # i4: first character of the input each stands for
    until: np.ndarray  # i4: the one behind
    letter: np.ndarray  # i4: which character each code belongs to
    hits: np.ndarray  # i4: code at which a piece ends << 10 | label
    labels: np.ndarray  # i4: begin << 16 | end, letters as bits
    points: np.ndarray  # i4: code points of a label
    rows: np.ndarray  # i4: three rows of an edit table
    matches: np.ndarray  # i4: FIELDS each

    @classmethod
    def make(cls) -> "Room":
        """A room of one's own: one for each thread."""
        sizes = [400, 400, 800, 400, 400, 800, 800, 800, 80, 192, FIELDS * MOST_MATCHES]
        return cls(*(np.zeros(size, np.uint8 if index < 3 else np.int32) for index, size in enumerate(sizes)))


class JudgeRoom(NamedTuple):
    """More of it, for judging what was matched."""

    costs: np.ndarray  # i4: of reading a label's parts
    steps: np.ndarray  # i4
    parts: np.ndarray  # i4
    found: np.ndarray  # i4: what the parts are
    at: np.ndarray  # i4: place.SUFFIX ...
    terms: np.ndarray  # f8

    @classmethod
    def make(cls) -> "JudgeRoom":
        """A room of one's own: one for each thread."""
        sizes = (400, 400, 400, judge.FOUND, 16)
        return cls(*(np.zeros(size, np.int32) for size in sizes), np.zeros(N_TERMS))


ROOM = ("u1*",) * 3 + ("i4*",) * 8
JUDGE_ROOM = ("i4*",) * 5 + ("f8*",)
TABLES = ("i4*", "i8*", "i4*", "i4*", "i4*", "u1*", "i4*", "u1*", "i4*")  # shape.CLASSES, words.Tables
HASHED = ("u1*", "i8*", "i4*", "i8") * 5  # domains, estate, lexicon, owned lures, official domains

# A finding's numbers. Places are characters of the name as met, ABSENT where there is none; LURES: begin and end of
# three at most; ORDINARY: begin and end of an ordinary word that may be all there is to it.
(
    ROW, WORD, START, END, RANK, ESTATE, ESTATE_AT, POPULAR_AT, POPULAR_LIST, SUFFIX_AT, REGISTRABLE_AT, HOSTING, TOP,
    OFFICIAL_END, SCRIPTS, DIGITS, OTHERS, WHOLE, BENEATH, CAMPAIGN, N_LURES, OWN_LURES, ORDINARY, LURES,
) = (*range(23), 24)  # fmt: skip
WIDTH = LURES + 6
HAS_ALIKE, HAS_MARKED, HAS_MIXED = 1, 2, 4  # bits of SCRIPTS


@inner
def is_www(row, start):
    """Whether ``www`` stands here: such a first label imitates nothing, and many names have it."""
    return (row[start] | 32) == 119 and (row[start + 1] | 32) == 119 and (row[start + 2] | 32) == 119


@inner
def read_ascii(row, start, end, text, codes, letter, hits, labels, classes, bits):
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
            codes[n_codes] = code
            letter[n_codes] = i
            hits[n_hits] = n_codes << 10 | label
            n_hits += bits[key >> 6] >> (key & 63) & 1
            n_codes += 1
            code = found >> shape.SECOND & 0xFF
            if code:
                key = (key << 5 | code) & 0xFFFFF
                codes[n_codes] = code
                letter[n_codes] = i
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
    codes[n_codes] = shape.END
    letter[n_codes] = n
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
    row, start, end, text, kind, codes, place, until, letter, hits, labels, points, folds, n_folds, classes, bits
):  # fmt: skip
    """Reads a name of any form; answers (length, codes, hits, whether places were written)."""
    if end > start and row[end - 1] == DOT:
        end -= 1
    if end - start > LONGEST - 8:
        return 0, 0, 0, False
    n, n_codes, n_hits, odd = read_ascii(row, start, end, text, codes, letter, hits, labels, classes, bits)
    if odd:
        n = prepare(row, start, end, text, place, until, kind, points, folds, n_folds)
        n, n_codes, n_hits, _ = read_ascii(text, 0, n, text, codes, letter, hits, labels, classes, bits)
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
def find_words(
    n, n_codes, n_hits, text, codes, letter, hits, labels, rows, matches,
    bits, ranks, starts, entries, letters, first, shapes, shape_first,
):  # fmt: skip
    """All words in text[:n], each at its best place; answers how many."""
    count = 0
    for h in range(n_hits):
        at = (hits[h] >> 10) - 3
        label = 2 * (hits[h] & 0x3FF)
        here = letter[at]
        since = labels[label] >> 16
        until = labels[label] & 0xFFFF
        inside = here >= since and until - since >= ONE_LEAST - 1
        absent = ~labels[label + 1] if inside else -1
        key = codes[at] << 15 | codes[at + 1] << 10 | codes[at + 2] << 5 | codes[at + 3]
        group = group_of(key, bits, ranks)
        for entry in range(4 * starts[group], 4 * starts[group + 1], 4):
            checks = entries[entry + 1] & 0xFF
            lacking = entries[entry] & absent  # letters an edit would have had to remove: one at most, or two
            lacking &= lacking - 1
            if lacking and (not checks & words.TWO or lacking & (lacking - 1)):
                continue
            word = entries[entry + 1] >> 8
            near = here - entries[entry + 2]
            begin = first[word]
            length = first[word + 1] - begin
            if checks & words.SHAPE:
                code_at = at - entries[entry + 3]
                n_shape = shape_first[word + 1] - shape_first[word]
                packed = shape_at(
                    text, codes, letter, n_codes, code_at, shapes, shape_first[word], n_shape, letters, begin, length
                )
                if packed >= 0:
                    count = keep_match(matches, count, word, letter[code_at], packed >> 8, (packed & 255) * 8)
            if checks & words.SHORT and near >= 0 and same(text, near, letters, begin, length):
                if near + length <= n and touches_boundary(text, near, near + length, n):
                    count = keep_match(matches, count, word, near, near + length, EXACT * 8)
            offset = entries[entry + 2]
            if checks & words.ONE and inside:
                far = (
                    2
                    if not checks & words.INTACT
                    or fits_beside(text, here, since, until, letters, begin, offset, length)
                    else -2
                )
                for start in range(max(since, near - 1), near + far):
                    found = edit_forward(text, start, until, letters, begin, length)
                    if found >= 0:
                        end = start + length + found % 4 - 1
                        count = keep_match(matches, count, word, start, end, ONE_EDIT * 8 + found // 4)
            if (
                checks & words.TWO
                and inside
                and (not checks & words.INTACT or same(text, here, letters, begin + offset, 4))
            ):
                found = two_edits(text, since, until, near, letters, begin, length, rows)
                if found >= 0:
                    start = found % 4096 // 8
                    end = start + length + found % 8 - 2
                    count = keep_match(matches, count, word, start, end, TWO_EDITS * 8 + found // 4096)
    return count


@kernel("i8", "i8", "i4*", "u1*", "i8*", "i8", *TABLES, *ROOM, "i4*", "i8")
def candidates(
    n_rows, offsets, row, folds, n_folds,
    classes, bits, ranks, starts, entries, letters, first, shapes, shape_first,
    text, kind, codes, place, until, letter, hits, labels, points, rows, matches,
    found, capacity,
):  # fmt: skip
    """Only the matches, unjudged: rows of found are (row, word, start, behind the end, rank) in the folded text.

    Answers how many rows of found there are; at ``capacity`` it stops.
    """
    total = 0
    for each in range(n_rows):
        n, n_codes, n_hits, _ = read_name(
            row, offsets[each], offsets[each + 1], text, kind, codes, place, until, letter, hits, labels, points,
            folds, n_folds, classes, bits,
        )  # fmt: skip
        count = find_words(
            n, n_codes, n_hits, text, codes, letter, hits, labels, rows, matches,
            bits, ranks, starts, entries, letters, first, shapes, shape_first,
        )  # fmt: skip
        for i in range(count):
            if total == capacity:
                return total
            found[5 * total] = each
            for j in range(FIELDS):
                found[5 * total + 1 + j] = matches[FIELDS * i + j]
            total += 1
    return total


@inner
def settle(out, scores, first, count):
    """Where findings of one name overlap, keeps the better: higher score, then the first. Answers how many stay."""
    kept = first
    for _ in range(first, count):
        best = kept
        for i in range(kept + 1, count):
            if scores[i] > scores[best]:
                best = i
        swap(out, scores, kept, best)
        overlaps = False
        for i in range(first, kept):
            overlaps = overlaps or (
                out[WIDTH * i + START] < out[WIDTH * kept + END] and out[WIDTH * kept + START] < out[WIDTH * i + END]
            )
        if overlaps:
            count -= 1
            swap(out, scores, kept, count)
        else:
            kept += 1
        if kept >= count:
            break
    return kept


@inner
def swap(out, scores, i, j):
    """Exchanges two findings."""
    if i != j:
        for k in range(WIDTH):
            out[WIDTH * i + k], out[WIDTH * j + k] = out[WIDTH * j + k], out[WIDTH * i + k]
        scores[i], scores[j] = scores[j], scores[i]


@inner
def where(i, n, folded, place_of, until):
    """The character of the name as met at which text[i] stands; ABSENT stays."""
    if not folded or i < 0:
        return i
    return place_of[i] if i < n else until[n - 1]


@inner
def scripts(text, kind, folded, n, start, end):
    """Which foreign letters the match holds, and whether its labels mix them with ASCII letters."""
    seen = 0
    if not folded:
        return seen
    for i in range(start, end):
        seen |= HAS_ALIKE if kind[i] == ALIKE else HAS_MARKED if kind[i] == MARKED else 0
    begin, behind = label_of(text, n, start, end)
    for i in range(begin, behind):
        if seen & HAS_ALIKE and kind[i] == PLAIN and text[i] >= 97:
            seen |= HAS_MIXED
    return seen


@inner
def official_at(text, n, start, owner, marks, keys, values, size):
    """Where an official domain of the owner's that begins at start ends, its dots written as dots or hyphens.

    ABSENT where there is none, or where it is the end of the name itself.
    """
    if start > 0 and not is_separator(text[start - 1]):
        return ABSENT
    state = BASIS
    end = ABSENT
    for i in range(start, n):
        c = text[i]
        if is_separator(c):
            if find(state, marks, keys, values, size) == owner:
                end = i
            c = DOT
        state = mix(state, c)
    return end


@kernel(
    "i8", "i8", "i4*", "u1*", "i8*", "i8", *TABLES, *HASHED, "i4*", "f4*", "i4*", "f8*", "f8", "i8", *ROOM, *JUDGE_ROOM,
    "i4*", "f8*", "f8*", "i8", "i8*",
)  # fmt: skip
def scan(
    n_rows, offsets, row, folds, n_folds,
    classes, bits, ranks, starts, entries, letters, first, shapes, shape_first,
    domain_marks, domain_keys, domain_values, n_domains, estate_marks, estate_keys, estate_values, n_estate,
    lexicon_marks, lexicon_keys, lexicon_values, n_lexicon, owned_marks, owned_keys, owned_values, n_owned, official_marks, official_keys, official_values, n_official,
    owners, commons, families, weights, least, keep_terms,
    text, kind, codes, place_of, until, letter, hits, labels, points, rows, matches,
    costs, steps, parts, found, at, x,
    out, scores, kept_terms, capacity, done,
):  # fmt: skip
    """Findings of rows: out gets WIDTH numbers each, scores the weighted sum, where that is ``least`` at least.

    Answers how many. Near ``capacity`` it stops; done[0] is how many rows were scanned.
    """
    total = 0
    for each in range(n_rows):
        n, n_codes, n_hits, folded = read_name(
            row, offsets[each], offsets[each + 1], text, kind, codes, place_of, until, letter, hits, labels, points,
            folds, n_folds, classes, bits,
        )  # fmt: skip
        count = find_words(
            n, n_codes, n_hits, text, codes, letter, hits, labels, rows, matches,
            bits, ranks, starts, entries, letters, first, shapes, shape_first,
        )  # fmt: skip
        if count == 0:
            continue
        if total + MOST_MATCHES > capacity:
            done[0] = each
            return total
        before = total
        look(
            text,
            kind,
            folded,
            n,
            domain_marks,
            domain_keys,
            domain_values,
            n_domains,
            estate_marks,
            estate_keys,
            estate_values,
            n_estate,
            at,
        )
        for i in range(count):
            word = matches[FIELDS * i]
            start = matches[FIELDS * i + 1]
            end = matches[FIELDS * i + 2]
            rank = matches[FIELDS * i + 3]
            owner = owners[word] >> 1
            others = 0
            for j in range(count):
                beside = matches[FIELDS * j + 2] <= start or matches[FIELDS * j + 1] >= end
                others += (
                    beside and matches[FIELDS * j + 3] < ONE_EDIT * 8 and owners[matches[FIELDS * j]] >> 1 != owner
                )
            official = official_at(text, n, start, owner, official_marks, official_keys, official_values, n_official)
            terms(
                text, kind, folded, n, start, end, rank, letters, first[word], first[word + 1] - first[word],
                owners[word] & 1, commons[2 * word], commons[2 * word + 1], families[word], owner, others, official,
                lexicon_marks, lexicon_keys, lexicon_values, n_lexicon, owned_marks, owned_keys, owned_values, n_owned,
                costs, steps, parts, found, at, x,
            )  # fmt: skip
            score = weigh(x, weights)
            if score < least:
                continue
            if keep_terms:
                for j in range(N_TERMS):
                    kept_terms[N_TERMS * total + j] = x[j]
            put = WIDTH * total
            out[put + ROW] = each
            out[put + WORD] = word
            out[put + START] = where(start, n, folded, place_of, until)
            out[put + END] = until[end - 1] if folded else end
            out[put + RANK] = rank
            out[put + ESTATE] = at[place.ESTATE]
            out[put + ESTATE_AT] = where(at[place.ESTATE_AT], n, folded, place_of, until)
            in_popular = start >= at[place.POPULAR_AT]
            out[put + POPULAR_AT] = where(at[place.POPULAR_AT], n, folded, place_of, until) if in_popular else ABSENT
            out[put + POPULAR_LIST] = at[place.POPULAR_LIST]
            out[put + SUFFIX_AT] = where(at[place.SUFFIX], n, folded, place_of, until)
            out[put + REGISTRABLE_AT] = where(at[place.REGISTRABLE], n, folded, place_of, until)
            out[put + HOSTING] = at[place.HOSTING]
            out[put + TOP] = at[place.TOP_FLAGS]
            out[put + OFFICIAL_END] = where(official, n, folded, place_of, until)
            out[put + SCRIPTS] = scripts(text, kind, folded, n, start, end)
            out[put + DIGITS] = found[1]
            out[put + OTHERS] = others
            out[put + WHOLE] = x[judge.WHOLE] != 0
            out[put + BENEATH] = x[judge.BENEATH] != 0
            out[put + CAMPAIGN] = x[judge.CAMPAIGN] > 0.2
            out[put + N_LURES] = found[5]
            out[put + OWN_LURES] = found[6]
            out[put + ORDINARY] = where(found[13], n, folded, place_of, until)
            out[put + ORDINARY + 1] = where(found[14], n, folded, place_of, until)
            for j in range(6):
                out[put + LURES + j] = where(found[7 + j], n, folded, place_of, until)
            scores[total] = score
            total += 1
        total = total if keep_terms else settle(out, scores, before, total)
    done[0] = n_rows
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
