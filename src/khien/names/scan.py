"""The scan: rows of names in, findings as numbers out. Searches each name, then judges what was found in it.

Working room is handed in by the caller (``search.Room``, ``JudgeRoom``); nothing is allocated.
"""

from typing import NamedTuple

import numpy as np

from khien.compiled import inner, kernel
from khien.names import judge, place
from khien.names import parts as parts_of
from khien.names.judge import N_TERMS, label_of, terms, unsupported, weigh
from khien.names.match import ONE_EDIT
from khien.names.place import look
from khien.names.search import (
    FIELDS,
    MOST_MATCHES,
    ROOM,
    TABLES,
    TOGETHER,
    find_pieces,
    find_words,
    read_name,
    read_names,
)
from khien.names.tables import ABSENT, BASIS, find, mix
from khien.names.text import ALIKE, DOT, MARKED, PLAIN, is_separator


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
        costs, steps, parts, found, at = (np.zeros(size, np.int32) for size in (400, 400, 400, judge.FOUND, 16))
        return cls(costs, steps, parts, found, at, np.zeros(N_TERMS))


JUDGE_ROOM = ("i4*",) * 5 + ("f8*",)
HASHED = ("u1*", "i8*", "i4*", "i8") * 5  # domains, estate, lexicon, owned lures, official domains

# A finding's numbers. Places are characters of the name as met, ABSENT where there is none; LURES: begin and end of
# three at most; LABEL: of the labels that hold the match; ORDINARY: of an ordinary word that may be all there is to it.
(
    ROW, WORD, START, END, RANK, ESTATE, ESTATE_AT, POPULAR_AT, POPULAR_LIST, SUFFIX_AT, REGISTRABLE_AT, HOSTING, TOP,
    OFFICIAL_END, SCRIPTS, DIGITS, WHOLE, BENEATH, CAMPAIGN, N_LURES, OWN_LURES, LABEL, ORDINARY, LURES,
) = (*range(22), 23, 25)  # fmt: skip
WIDTH = LURES + 6
HAS_ALIKE, HAS_MARKED, HAS_MIXED = 1, 2, 4  # bits of SCRIPTS
A_LETTER = 0.4  # log-odds a letter of the match adds where matches overlap: vneid explains more than vne


@inner
def settle(out, scores, first, count):
    """Where findings of one name overlap, keeps the better (``claim``); answers how many there are then."""
    kept = first
    for _ in range(first, count):
        best = kept
        for i in range(kept + 1, count):
            if claim(out, scores, i) > claim(out, scores, best):
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
def claim(out, scores, i):
    """How well a finding explains its letters: a word inside a longer one is the longer one's."""
    return scores[i] + A_LETTER * (out[WIDTH * i + END] - out[WIDTH * i + START])


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
def end_where(i, folded, until):
    """The character of the name as met behind text[:i]; what is no place stays."""
    return until[i - 1] if folded and i > 0 else i


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
    classes, bits, ranks, groups, entries, letters, first, shapes, shape_first,
    domain_marks, domain_keys, domain_values, n_domains, estate_marks, estate_keys, estate_values, n_estate,
    lexicon_marks, lexicon_keys, lexicon_values, n_lexicon, owned_marks, owned_keys, owned_values, n_owned,
    official_marks, official_keys, official_values, n_official,
    owners, commons, families, weights, least, keep_terms,
    text, kind, texts, codes, place_of, until, points, begins, rows, matches, keys, hits,
    costs, steps, parts, found, at, x,
    out, scores, kept_terms, capacity, done,
):  # fmt: skip
    """Findings of rows: out gets WIDTH numbers each, scores the weighted sum, where that is ``least`` at least
    without what the register claims.

    Answers how many. Near ``capacity`` it stops; done[0] is how many rows were scanned.
    """
    total = 0
    for since in range(0, n_rows, TOGETHER):
        behind = min(since + TOGETHER, n_rows)
        n_codes = read_names(
            row, offsets, since, behind, texts, codes, begins,
            text, kind, place_of, until, points, folds, n_folds, classes,
        )  # fmt: skip
        kept = find_pieces(codes, n_codes, keys, hits, bits, ranks, groups, entries)
        h = 0
        for each in range(since, behind):
            count, h = find_words(
                h, kept, each - since, begins, texts, codes, hits, rows, matches,
                groups, entries, letters, first, shapes, shape_first,
            )  # fmt: skip
            if count == 0:
                continue
            if total + MOST_MATCHES > capacity:
                done[0] = each
                return total
            begin = begins[2 * (each - since)]
            for i in range(count):
                matches[FIELDS * i + 1] -= begin
                matches[FIELDS * i + 2] -= begin
            n, _, folded = read_name(
                row, offsets[each], offsets[each + 1], text, 0, codes, n_codes + 2,
                text, kind, place_of, until, points, folds, n_folds, classes,
            )  # fmt: skip
            before = total
            look(
                text, kind, place_of, until, folded, n, domain_marks, domain_keys, domain_values, n_domains,
                estate_marks, estate_keys, estate_values, n_estate, at,
            )  # fmt: skip
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
                official = official_at(
                    text, n, start, owner, official_marks, official_keys, official_values, n_official
                )
                terms(
                    text, kind, folded, n, start, end, rank, letters, first[word], first[word + 1] - first[word],
                    owners[word] & 1, commons[2 * word], commons[2 * word + 1], families[word], owner, others,
                    official, lexicon_marks, lexicon_keys, lexicon_values, n_lexicon,
                    owned_marks, owned_keys, owned_values, n_owned, costs, steps, parts, found, at, x,
                )  # fmt: skip
                score = weigh(x, weights)
                unclaimed = (
                    score - x[judge.CLAIMED] * weights[judge.CLAIMED]
                )  # a claim may lower a finding, never hide it
                if unclaimed < least or unsupported(x):
                    continue
                if keep_terms:
                    for j in range(N_TERMS):
                        kept_terms[N_TERMS * total + j] = x[j]
                put = WIDTH * total
                out[put + ROW] = each
                out[put + WORD] = word
                out[put + START] = where(start, n, folded, place_of, until)
                out[put + END] = end_where(end, folded, until)
                out[put + RANK] = rank
                out[put + ESTATE] = at[place.ESTATE]
                out[put + ESTATE_AT] = where(at[place.ESTATE_AT], n, folded, place_of, until)
                in_popular = start >= at[place.POPULAR_AT]
                out[put + POPULAR_AT] = (
                    where(at[place.POPULAR_AT], n, folded, place_of, until) if in_popular else ABSENT
                )
                out[put + POPULAR_LIST] = at[place.POPULAR_LIST]
                out[put + SUFFIX_AT] = where(at[place.SUFFIX], n, folded, place_of, until)
                out[put + REGISTRABLE_AT] = where(at[place.REGISTRABLE], n, folded, place_of, until)
                out[put + HOSTING] = at[place.HOSTING]
                out[put + TOP] = at[place.TOP_FLAGS]
                out[put + OFFICIAL_END] = end_where(official, folded, until)
                out[put + SCRIPTS] = scripts(text, kind, folded, n, start, end)
                out[put + DIGITS] = found[parts_of.DIGITS]
                out[put + WHOLE] = x[judge.WHOLE] != 0
                out[put + BENEATH] = x[judge.BENEATH] != 0
                out[put + CAMPAIGN] = x[judge.CAMPAIGN] > 0.2
                out[put + N_LURES] = found[parts_of.N_LURES]
                out[put + OWN_LURES] = found[parts_of.OWN_LURES]
                label, label_end = label_of(text, n, start, end)
                out[put + LABEL] = where(label, n, folded, place_of, until)
                out[put + LABEL + 1] = end_where(label_end, folded, until)
                out[put + ORDINARY] = where(found[judge.ORDINARY], n, folded, place_of, until)
                out[put + ORDINARY + 1] = end_where(found[judge.ORDINARY + 1], folded, until)
                for j in range(0, 6, 2):
                    out[put + LURES + j] = where(found[parts_of.LURES + j], n, folded, place_of, until)
                    out[put + LURES + j + 1] = end_where(found[parts_of.LURES + j + 1], folded, until)
                scores[total] = score
                total += 1
            total = total if keep_terms else settle(out, scores, before, total)
    done[0] = n_rows
    return total
