"""The words to look for, as the tables the scan reads: which four-letter pieces betray them.

However a word is changed, at least one of its pieces here is still there. The pieces are not chosen by hand: for each
word length every change is written out with the places of the letters only (a substituted letter is any letter), and a
greedy weighted set cover picks pieces until each change leaves one, the rarer in ordinary names the better. A piece is
four codes of shape space (shape.py), so letters that look alike and separators between letters change nothing about it.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from khien.names import match, shape

SHAPE, ONE, TWO, SHORT = 1, 2, 4, 8  # what to check where a piece is met: bits
INTACT = 16  # beside ONE and TWO: the piece is four letters of the word as they stand in it
SHORTEST, LONGEST = 3, 48  # letters of a word
GRAM = 4
ANY = -1  # a place of a changed word that may hold any letter
OPEN = 31  # the same as a code, while costs are weighed


class Word(NamedTuple):
    """A folded word ([a-z0-9]) and the protected name it belongs to.

    short: it needs a boundary and a sign. plain: no edits of it are looked for (a short word and a common one joined).
    """

    text: str
    owner: int
    short: bool = False
    plain: bool = False


class Tables(NamedTuple):
    """Arrays the scan reads. The n-th bit set in ``bits`` is the key of the n-th group of entries."""

    bits: np.ndarray  # i8[16384]: which of the 2**20 keys are pieces
    ranks: np.ndarray  # i4[16384]: how many bits are set before
    groups: np.ndarray  # i4[groups + 1, 2]: first entry, and letters that all its entries need; bit 0: at two edits
    entries: (
        np.ndarray
    )  # i4[n, 4]: letters that must be near (bits), word << 8 | checks, place of the piece in the word, code
    letters: np.ndarray  # u1: all words
    first: np.ndarray  # i4[words + 1]
    shapes: np.ndarray  # u1: all shapes
    shape_first: np.ndarray  # i4[words + 1]


def tables(words: Sequence[Word], frequency: np.ndarray) -> Tables:
    """Builds the tables of words. frequency: how often each key is met in ordinary names, f4[32, 32, 32, 32]."""
    rarity = Rarity.of(frequency)
    found: dict[int, dict[tuple[int, int, int], int]] = {}
    for number, word in enumerate(words):
        for key, checks, letter, code in _pieces(word, rarity):
            group = found.setdefault(key, {})
            group[number, letter, code] = group.get((number, letter, code), 0) | checks
    bits = np.zeros(1 << 14, np.uint64)
    for key in found:
        bits[key >> 6] |= np.uint64(1 << (key & 63))
    groups = [found[key] for key in sorted(found)]
    masks = [_mask(word.text) for word in words]
    entries = [
        (0 if checks & (SHAPE | SHORT) else masks[number], number << 8 | checks, letter, code)
        for group in groups
        for (number, letter, code), checks in group.items()
    ]
    shapes = [bytes(code for code, _, _ in shape.codes(word.text)) for word in words]
    return Tables(
        bits=bits.view(np.int64),
        ranks=_offsets([int(word).bit_count() for word in bits])[:-1],
        groups=np.array([*_summaries(groups, masks), (len(entries), 0)], np.int32),
        entries=np.array(entries, np.int32).reshape(-1, 4),
        letters=np.frombuffer("".join(word.text for word in words).encode() + b"\0", np.uint8),
        first=_offsets([len(word.text) for word in words]),
        shapes=np.frombuffer(b"".join(shapes) + b"\0", np.uint8),
        shape_first=_offsets([len(each) for each in shapes]),
    )


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _summaries(groups: list[dict[tuple[int, int, int], int]], masks: list[int]) -> Iterator[tuple[int, int]]:
    """A group's first entry and what lets most hits pass it by without a look at its entries."""
    first = 0
    for group in groups:
        needed = -1
        for (number, _, _), checks in group.items():
            needed &= 0 if checks & (SHAPE | SHORT) else masks[number]
        yield first, needed | any(checks & TWO for checks in group.values())
        first += len(group)


def _mask(word: str) -> int:
    """The characters as bits; a digit shares its bit with a letter, which can only let more through."""
    return sum({1 << (ord(letter) & 31) for letter in word})


class Rarity(NamedTuple):
    """What a piece costs: how often its keys are met. ``open[i]`` is the sum over place i, where any letter may be."""

    whole: np.ndarray
    open: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, frequency: np.ndarray) -> "Rarity":
        """frequency: f4[32, 32, 32, 32]; one is added, so that a key never met still costs something."""
        whole = frequency + np.float32(1)
        return cls(whole, tuple(whole.sum(axis=axis) for axis in range(GRAM)))

    def costs(self, word: str, pieces: np.ndarray) -> np.ndarray:
        """Of pieces (i8[n, 4], places in the word), one each."""
        bytes_ = np.frombuffer(word.encode() + b"\0", np.uint8)
        both = np.stack([shape.CLASSES[bytes_] >> shift & 0xFF for shift in (shape.FIRST, shape.SECOND)], axis=1)
        both[-1] = OPEN, 0  # where ANY points
        codes = both[pieces].reshape(len(pieces), 2 * GRAM)
        codes = np.take_along_axis(codes, np.argsort(codes == 0, axis=1, kind="stable"), axis=1)[:, :GRAM]
        costs = self.whole[tuple(codes.T)]
        for axis in range(GRAM):
            rows = codes[:, axis] == OPEN
            costs[rows] = self.open[axis][tuple(np.delete(codes[rows], axis, axis=1).T)]
        return costs


def _pieces(word: Word, rarity: Rarity) -> Iterator[tuple[int, int, int, int]]:
    """(key, checks, place in the word of the piece's first letter, index of its first code or -1)."""
    n = len(word.text)
    if word.short or n == GRAM or word.plain:
        places = _rarest(word.text, rarity)
        code = len(shape.codes(word.text[: places[0]]))
        for key in _keys(word.text, places):
            yield key, SHORT if word.short else SHAPE, places[0], code
        return
    for places, checks in _cover(word.text, rarity):
        at = next(i for i, place in enumerate(places) if place != ANY)
        intact = ANY not in places and places == tuple(range(places[0], places[0] + GRAM))
        code = len(shape.codes(word.text[: places[0]])) if intact else -1
        for key in _keys(word.text, places):
            yield key, checks | INTACT * intact, places[at] - at, code


def _rarest(word: str, rarity: Rarity) -> tuple[int, ...]:
    """The rarest piece of a word that nobody changed; of three letters, the one with an open place behind."""
    n = len(word)
    if n < GRAM:
        return *range(n), *(ANY,) * (GRAM - n)
    windows = np.arange(GRAM) + np.arange(n - GRAM + 1)[:, None]
    return tuple(int(place) for place in windows[np.argmin(rarity.costs(word, windows))])


def _keys(word: str, places: tuple[int, ...]) -> Iterator[int]:
    """The keys of a piece: one, or one for each code a place for any letter may hold."""
    options = shape.ANY_LETTER if ANY in places else [[]]
    for option in options:
        codes: list[int] = []
        for place in places:
            codes += option if place == ANY else [code for code, _, _ in shape.codes(word[place])]
        yield shape.key(codes[:GRAM])


class Changes(NamedTuple):
    """What may become of a word of one length: pieces (i8[p, 4]), and which change leaves which (bool[p, c])."""

    pieces: np.ndarray
    left: np.ndarray


@cache
def _changes(n: int, edits: int) -> Changes:
    """Every change of a word of n letters by so many edits, and the pieces with at most one open place it leaves."""
    once = _changed(tuple(range(n)), 0)
    if edits == 1:
        texts = sorted(once)
    else:  # the first and the last letter of a window stay what they were (match.two_edits)
        inner = _changed(tuple(range(n)), 1)
        texts = sorted({each for text in inner for each in _changed(text, 1)})
    grams = [{g for g in zip(*(text[i:] for i in range(GRAM)), strict=False) if g.count(ANY) <= 1} for text in texts]
    pieces = sorted(set().union(*grams))
    return Changes(np.array(pieces), np.array([[piece in each for each in grams] for piece in pieces]))


def _changed(text: tuple[int, ...], kept: int) -> set[tuple[int, ...]]:
    """Every result of one edit, by places, that leaves so many letters at both ends."""
    end = len(text) - kept
    return {
        *(text[:i] + text[i + 1 :] for i in range(kept, end)),
        *((*text[:i], ANY, *text[i + 1 :]) for i in range(kept, end)),
        *((*text[:i], ANY, *text[i:]) for i in range(kept, end + 1)),
        *((*text[:i], text[i + 1], text[i], *text[i + 2 :]) for i in range(kept, end - 1)),
    }


def _cover(word: str, rarity: Rarity) -> Iterator[tuple[tuple[int, ...], int]]:
    """Pieces, with what to check at each, such that every change of the word leaves one of them."""
    n = len(word)
    chosen = {_rarest(word, rarity): SHAPE}
    for checks, least, edits in ((ONE, match.ONE_LEAST, 1), (TWO, match.TWO_LEAST, 2)):
        if n < least:
            continue
        pieces, left = _changes(n, edits)
        costs = rarity.costs(word, pieces)
        hits = left.sum(axis=1)
        todo = np.ones(left.shape[1], bool)
        while todo.any():
            best = int(np.argmax(hits / costs))
            hits -= left[:, todo & left[best]].sum(axis=1)
            todo &= ~left[best]
            piece = tuple(int(place) for place in pieces[best])
            chosen[piece] = chosen.get(piece, 0) | checks
    yield from chosen.items()
