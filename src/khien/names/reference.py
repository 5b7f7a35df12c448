"""What the matcher finds, said plainly and slowly: every word against every window of every name.

The scan (scan.py) looks for pieces of words and examines only what stands around them; here are no pieces, keys or
bits, only the definitions of match.py. Tests hold the scan to this on names made to be hard, `bench/exactness.py` on
real ones: both must find the same. Functions over arrays run interpreted or compiled, as elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from khien.compiled import inner, kernel
from khien.names import match, search, shape, text
from khien.names.search import find_pieces, find_words, read_names
from khien.names.text import is_separator
from khien.names.words import LONGEST, Tables, Word

MOST = text.LONGEST - 8  # bytes of a name, and letters of it, that are read
SIDE = LONGEST + 3  # of the table of distances: a window is at most two letters longer than its word
NONE = match.NO_MATCH * 8

# Letters and digits that are drawn alike, as one of them each; and pairs of letters drawn like a single one.
DRAWN = np.frombuffer(bytes.maketrans(b"i1023456789", b"llozeasbtbg"), np.uint8)
C, D, L, M, N, R, V, W = b"cdlmnrvw"


class Letter(NamedTuple):
    """A folded letter, the characters of the name it stands for, and their kind (text.PLAIN ...)."""

    letter: str
    first: int
    behind: int
    kind: int


def unpack(fold: bytes) -> dict[int, tuple[str, int]]:
    """data/fold.bin as code point -> letters and kind."""
    rows = np.frombuffer(fold, "<u4").reshape(-1, 2)
    letters = [int(packed & 0xFFFFFF).to_bytes(3, "little").rstrip(b"\0").decode() for packed in rows[:, 1]]
    return {int(row[0]): (each, int(row[1]) >> 24) for row, each in zip(rows, letters, strict=True)}


def read(name: bytes, folds: Mapping[int, tuple[str, int]]) -> list[Letter]:
    """The folded name, letter by letter; nothing of a name of more than MOST bytes. name: UTF-8, in any form."""
    name = name.removesuffix(b".")
    read: list[Letter] = []
    if len(name) > MOST:
        return read
    for first, behind, point in _points(name.decode(errors="replace")):
        if len(read) >= MOST:
            break
        letters, kind = folds.get(point, ("~", text.UNKNOWN))
        if point < 128:
            letter = chr(point).lower()
            letters, kind = letter if letter.isprintable() and letter not in " *" else "~", text.PLAIN
        read += (Letter(letter, first, behind, kind) for letter in letters)
    return read


def _points(name: str) -> Iterator[tuple[int, int, int]]:
    """(first character, the one behind the last, code point), A-labels decoded, other dots made dots."""
    at = 2 if name.startswith("*.") and len(name) > 2 else 0
    label_begins = True
    while at < len(name):
        label = name[at:].partition(".")[0] if label_begins else ""
        decoded = _decoded(label)
        for point in decoded:
            yield at, at + len(label), ord(point)
        if decoded:
            at += len(label)
            label_begins = False
            continue
        character = "." if name[at] in "\u3002\uff0e\uff61" else name[at]
        yield at, at + 1, ord(character)
        label_begins = character == "."
        at += 1


def _decoded(label: str) -> str:
    """What an A-label stands for; nothing where it is none."""
    if label[:4].lower() != "xn--" or len(label) > 4 + 63:
        return ""
    try:
        return label[4:].lower().encode("ascii").decode("punycode")
    except UnicodeError:
        return ""


@inner
def is_digit(c):
    """0 to 9."""
    return 48 <= c <= 57


@inner
def pair_like(whole, one, other, drawn):
    """Whether two letters side by side look like this one: rn m, vv w, cl d."""
    if whole == M:
        return drawn[one] == R and drawn[other] == N
    if whole == W:
        return drawn[one] == V and drawn[other] == V
    return whole == D and drawn[one] == C and drawn[other] == L


@inner
def alike(letters, start, until, word, first, behind, drawn):
    """The word from start on, but for look-alikes and separators between its letters: ``end * 8 + change``, or -1.

    A digit of the word is itself only. A pair that looks like one letter stays together.
    """
    at = start
    i = first
    changed = False
    hyphens = False
    dots = False
    while i < behind:
        if at >= until:
            return -1
        c = letters[at]
        w = word[i]
        if is_separator(c):
            if at == start:
                return -1
            dots = dots or c == text.DOT
            hyphens = True
            at += 1
            continue
        changed = changed or c != w
        if c != w and is_digit(w):
            return -1
        if drawn[c] == drawn[w]:
            at += 1
            i += 1
        elif at + 1 < until and pair_like(w, c, letters[at + 1], drawn):
            at += 2
            i += 1
        elif i + 1 < behind and not is_digit(word[i + 1]) and pair_like(c, w, word[i + 1], drawn):
            at += 1
            i += 2
        else:
            return -1
    n = behind - first
    if dots:
        change = match.ALIKE_DOTTED if changed else match.DOTTED
        return at * 8 + change if n >= match.DOT_LEAST else -1
    if hyphens:
        change = match.ALIKE_HYPHENATED if changed else match.HYPHENATED
        return at * 8 + change if n >= match.HYPHEN_LEAST else -1
    if changed:
        return at * 8 + match.ALIKE if n >= match.ALIKE_LEAST else -1
    return at * 8 + match.EXACT


@inner
def distance(letters, start, length, word, first, n, table):
    """Optimal string alignment: the fewest insertions, omissions, substitutions and transpositions of neighbours from
    word[first:first + n] to letters[start:start + length], no letter edited twice. table: SIDE rows of SIDE numbers.
    """
    for i in range(length + 1):
        table[SIDE * i] = i
    for j in range(n + 1):
        table[j] = j
    for i in range(1, length + 1):
        for j in range(1, n + 1):
            differs = letters[start + i - 1] != word[first + j - 1]
            here = min(table[SIDE * (i - 1) + j] + 1, table[SIDE * i + j - 1] + 1)
            here = min(here, table[SIDE * (i - 1) + j - 1] + differs)
            if i > 1 and j > 1:
                if letters[start + i - 1] == word[first + j - 2] and letters[start + i - 2] == word[first + j - 1]:
                    here = min(here, table[SIDE * (i - 2) + j - 2] + 1)
            table[SIDE * i + j] = here
    return table[SIDE * length + n]


@inner
def one_edit(letters, start, length, word, first, n, table):
    """The form (match.TRANSPOSED ...) of the one edit between a window and the word, or -1."""
    shared = 0
    while shared < min(length, n) and letters[start + shared] == word[first + shared]:
        shared += 1
    ends = 0
    while ends < min(length, n) and letters[start + length - 1 - ends] == word[first + n - 1 - ends]:
        ends += 1
    if shared + ends < max(length, n) - 2:  # more than two neighbours differ
        return -1
    if distance(letters, start, length, word, first, n, table) != 1:
        return -1
    if length > n:
        return match.INSERTED
    if length < n:
        return match.OMITTED
    return match.SUBSTITUTED if shared + ends == n - 1 else match.TRANSPOSED


@inner
def edited(letters, start, until, word, first, behind, table):
    """The best edited form of the word that begins at start, inside letters[:until]: ``end * 64 + rank``, or -1."""
    n = behind - first
    best = -1
    lowest = NONE
    for length in range(n - 1, n + 2):
        if n >= match.ONE_LEAST and start + length <= until:
            form = one_edit(letters, start, length, word, first, n, table)
            if form >= 0 and match.ONE_EDIT * 8 + form < lowest:
                lowest = match.ONE_EDIT * 8 + form
                best = (start + length) * 64 + lowest
    for length in range(n - 2, n + 3):
        rank = match.TWO_EDITS * 8 + abs(length - n)
        if (
            n >= match.TWO_LEAST
            and start + length <= until
            and letters[start] == word[first]
            and letters[start + length - 1] == word[behind - 1]
            and rank < lowest
            and distance(letters, start, length, word, first, n, table) <= 2
        ):
            lowest = rank
            best = (start + length) * 64 + lowest
    return best


@inner
def short_here(letters, start, until, word, first, behind):
    """Whether a short word stands at start, with a label's edge, a separator, a digit or a sign at one side."""
    end = start + behind - first
    if end > until:
        return False
    for i in range(first, behind):
        if letters[start + i - first] != word[i]:
            return False
    return start == 0 or end == until or letters[start - 1] < 97 or letters[end] < 97


@inner
def best_match(letters, n, since, word, first, behind, short, plain, drawn, table, best):
    """Writes start, end and rank of the word's best place in the name; answers whether there is one."""
    best[2] = NONE
    stretch = since  # where the letters from start on end, at a separator
    for start in range(since, n):
        end = -1
        rank = NONE
        if short:
            if short_here(letters, start, n, word, first, behind):
                end = start + behind - first
                rank = match.EXACT * 8
        else:
            found = alike(letters, start, n, word, first, behind, drawn)
            if found >= 0:
                end = found // 8
                rank = found % 8 * 8
            elif not plain:
                if stretch <= start:
                    stretch = start
                    while stretch < n and not is_separator(letters[stretch]):
                        stretch += 1
                found = edited(letters, start, stretch, word, first, behind, table)
                if found >= 0:
                    end = found // 64
                    rank = found % 64
        if rank < best[2]:
            best[0] = start
            best[1] = end
            best[2] = rank
    return best[2] != NONE


@inner
def silent(letters, n):
    """How many letters at the beginning are passed over: a first label ``www`` of more than a bare domain."""
    if n > 8 and letters[0] == W and letters[1] == W and letters[2] == W and letters[3] == text.DOT:
        return 4
    return 0


@kernel("i8", "i8", "i4*", "u1*", "i8", "i4*", "u1*", "u1*", "u1*", "u1*", "u1*", "i4*", "i4*", "i4*", "i8")
def best_matches(
    n_names, offsets, letters, n_words, first, word, short, plain, drawn, one, table, best, found, capacity
):  # fmt: skip
    """Rows of found: name, word, start, behind the end, rank; by name, then word. Answers how many."""
    count = 0
    for name in range(n_names):
        n = offsets[name + 1] - offsets[name]
        for i in range(n):
            one[i] = letters[offsets[name] + i]
        since = silent(one, n)
        for each in range(n_words):
            if not best_match(
                one, n, since, word, first[each], first[each + 1], short[each], plain[each], drawn, table, best
            ):
                continue
            if count == capacity:
                return count
            found[5 * count] = name
            found[5 * count + 1] = each
            for i in range(3):
                found[5 * count + 2 + i] = best[i]
            count += 1
    return count


def matches(names: Sequence[str], words: Sequence[Word], interpreted: bool = False) -> np.ndarray:
    """All words in folded names, each at its best place: i4[n, 5], rows as ``best_matches`` says."""
    texts = [word.text for word in words]
    found = np.zeros((1024 + len(names) * min(len(words), 64), 5), np.int32)
    count = (best_matches.plain if interpreted else best_matches)(
        len(names), _offsets(names), np.frombuffer("".join(names).encode() + b"\0", np.uint8),
        len(words), _offsets(texts), np.frombuffer("".join(texts).encode(), np.uint8),
        np.array([word.short for word in words], np.uint8), np.array([word.plain for word in words], np.uint8),
        DRAWN, np.zeros(text.LONGEST, np.uint8), np.zeros(SIDE * SIDE, np.int32), np.zeros(3, np.int32),
        found.reshape(-1), len(found),
    )  # fmt: skip
    return found[:count]


@kernel("i8", "i8", "i4*", "u1*", "i8*", "i8", *search.TABLES, *search.ROOM, "i4*", "i8")
def candidates(
    n_rows, offsets, row, folds, n_folds,
    classes, bits, ranks, groups, entries, letters, first, shapes, shape_first,
    text, kind, texts, codes, place, until, points, begins, rows, matches, keys, hits,
    found, capacity,
):  # fmt: skip
    """Only the matches, unjudged: rows of found are (row, word, start, behind the end, rank) in the folded text.

    Answers how many rows of found there are; at ``capacity`` it stops.
    """
    total = 0
    for since in range(0, n_rows, search.TOGETHER):
        behind = min(since + search.TOGETHER, n_rows)
        n_codes = read_names(
            row, offsets, since, behind, texts, codes, begins,
            text, kind, place, until, points, folds, n_folds, classes,
        )  # fmt: skip
        kept = find_pieces(codes, n_codes, keys, hits, bits, ranks, groups, entries)
        h = 0
        for each in range(since, behind):
            count, h = find_words(
                h, kept, each - since, begins, texts, codes, hits, rows, matches,
                groups, entries, letters, first, shapes, shape_first,
            )  # fmt: skip
            begin = begins[2 * (each - since)]
            for i in range(count):
                if total == capacity:
                    return total
                found[5 * total] = each
                found[5 * total + 1] = matches[search.FIELDS * i]
                found[5 * total + 2] = matches[search.FIELDS * i + 1] - begin
                found[5 * total + 3] = matches[search.FIELDS * i + 2] - begin
                found[5 * total + 4] = matches[search.FIELDS * i + 3]
                total += 1
    return total


def scanned(names: Sequence[bytes], tables: Tables, folds: np.ndarray, most: int = search.MOST_MATCHES) -> np.ndarray:
    """The same of names as met, said by the scan, to be held against; most: how many words a name has on average.

    tables: of the words; folds: fold.bin as the scan takes it, i8.
    """
    found = np.zeros((most * len(names), 5), np.int32)
    count = candidates(
        len(names), _offsets(names), np.frombuffer(b"".join(names) + b"\0", np.uint8), folds, len(folds) // 2,
        shape.CLASSES, *(each.reshape(-1) for each in tables), *search.Room.make(), found.reshape(-1), len(found),
    )  # fmt: skip
    return found[:count]


def _offsets(texts: Sequence[str] | Sequence[bytes]) -> np.ndarray:
    return np.cumsum([0, *map(len, texts)]).astype(np.int32)
