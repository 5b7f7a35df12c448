"""The words to look for, as the tables the scan reads: which four-letter pieces betray them.

However a word is changed, at least one of its pieces here is still there. The pieces are not chosen by hand: for each
word length every change is written out with the places of the letters only (a substituted letter is any letter), and a
greedy weighted set cover picks pieces until each change leaves one, the rarer in ordinary names the better. A piece is
four codes of shape space (shape.py), so letters that look alike and separators between letters change nothing about it.

What is picked is more than a piece, a *site*: the piece and the places before and behind it. A change that leaves the
piece leaves certain letters beside it too, and where others stand, the piece means nothing.
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
EVERY = -1  # bits of codes: any may stand there, or none
LOOK = 4  # how much dearer a look at the words behind a piece is than one at the letters beside it; 2 to 6 do as well
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
    groups: np.ndarray  # i4[groups + 1, 3]: first entry; codes that may stand before the piece, and behind it (bits)
    # i4[n, 6]: codes before and behind (bits), letters that must be near (bits), word << 8 | checks, place of the piece
    # in the word, index of its first code there or -1
    entries: np.ndarray
    letters: np.ndarray  # u1: all words
    first: np.ndarray  # i4[words + 1]
    shapes: np.ndarray  # u1: all shapes
    shape_first: np.ndarray  # i4[words + 1]


def tables(words: Sequence[Word], frequency: np.ndarray) -> Tables:
    """Builds the tables of words. frequency: how often each key is met in ordinary names, f4[32, 32, 32, 32]."""
    rarity = Rarity.of(frequency)
    found: dict[int, dict[tuple[int, int, int], list[int]]] = {}
    for number, word in enumerate(words):
        for key, checks, letter, code, (before, behind) in _pieces(word, rarity):
            entry = found.setdefault(key, {}).setdefault((number, letter, code), [0, 0, 0])
            for index, bits in enumerate((before, behind, checks)):
                entry[index] |= bits
    bits = np.zeros(1 << 14, np.uint64)
    for key in found:
        bits[key >> 6] |= np.uint64(1 << (key & 63))
    groups = [found[key] for key in sorted(found)]
    masks = [_mask(word.text) for word in words]
    entries = [
        (before, behind, masks[number], number << 8 | checks, letter, code)
        for group in groups
        for (number, letter, code), (before, behind, checks) in group.items()
    ]
    shapes = [bytes(code for code, _, _ in shape.codes(word.text)) for word in words]
    return Tables(
        bits=bits.view(np.int64),
        ranks=_offsets([int(word).bit_count() for word in bits])[:-1],
        groups=np.array([*_summaries(groups), (len(entries), 0, 0)], np.int32),
        entries=np.array(entries, np.int32).reshape(-1, 6),
        letters=np.frombuffer("".join(word.text for word in words).encode() + b"\0", np.uint8),
        first=_offsets([len(word.text) for word in words]),
        shapes=np.frombuffer(b"".join(shapes) + b"\0", np.uint8),
        shape_first=_offsets([len(each) for each in shapes]),
    )


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _summaries(groups: list[dict[tuple[int, int, int], list[int]]]) -> Iterator[tuple[int, int, int]]:
    """A group's first entry, and what may stand beside the piece of any."""
    first = 0
    for group in groups:
        before = behind = 0
        for one, other, _ in group.values():
            before |= one
            behind |= other
        yield first, before, behind
        first += len(group)


def _mask(word: str) -> int:
    """The characters as bits; a digit shares its bit with a letter, which can only let more through."""
    return sum({1 << (ord(letter) & 31) for letter in word})


class Rarity(NamedTuple):
    """What pieces cost. met: how often a key is met in ordinary names, f4[32, 32, 32, 32]; at OPEN, the sum of all."""

    met: np.ndarray

    @classmethod
    def of(cls, frequency: np.ndarray) -> "Rarity":
        """frequency: f4[32, 32, 32, 32]; one is added, so that a key never met still costs something."""
        met = frequency + np.float32(1)
        for axis in range(GRAM):
            sums = np.moveaxis(met, axis, 0)
            sums[OPEN] = 0
            sums[OPEN] = sums.sum(axis=0)
        return cls(met)

    def costs(self, word: str, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of sites (i8[n, 6], places in the word): how often the piece is met, and how often between those letters.

        The second is what it would be if a letter depended on the three beside it only.
        """
        bytes_ = np.frombuffer(word.encode() + b"\0", np.uint8)
        both = np.stack([shape.CLASSES[bytes_] >> shift & 0xFF for shift in (shape.FIRST, shape.SECOND)], axis=1)
        both[-1] = OPEN, 0  # where ANY points
        codes = both[sites[:, 1:]].reshape(len(sites), 2 * GRAM + 2)
        codes = np.take_along_axis(codes, np.argsort(codes == 0, axis=1, kind="stable"), axis=1)
        one, two, three, four, behind = codes.T[: GRAM + 1]
        before = np.where(both[sites[:, 0], 1], both[sites[:, 0], 1], both[sites[:, 0], 0])
        met = self.met[one, two, three, four]
        fits_before = self.met[before, one, two, three] / self.met[OPEN, one, two, three]
        fits_behind = self.met[two, three, four, behind] / self.met[two, three, four, OPEN]
        return met, met * fits_before * fits_behind


def _pieces(word: Word, rarity: Rarity) -> Iterator[tuple[int, int, int, int, tuple[int, int]]]:
    """(key, checks, place in the word of the piece's first letter, index of its first code or -1, codes beside it)."""
    n = len(word.text)
    if word.short or n == GRAM or word.plain:
        before, *places, behind = _rarest(word.text, rarity)
        code = len(shape.codes(word.text[: places[0]]))
        for key, beside in _keys(word.text, places, {(before, behind)}):
            yield key, SHORT if word.short else SHAPE, places[0], code, beside
        return
    for places, (checks, around) in _cover(word.text, rarity).items():
        at = next(i for i, place in enumerate(places) if place != ANY)
        intact = ANY not in places and places == tuple(range(places[0], places[0] + GRAM))
        code = len(shape.codes(word.text[: places[0]])) if intact else -1
        for key, beside in _keys(word.text, places, around):
            yield key, checks | INTACT * intact, places[at] - at, code, beside


def _rarest(word: str, rarity: Rarity) -> tuple[int, ...]:
    """The rarest site of a word that nobody changed; of three letters, the one with an open place behind."""
    n = len(word)
    sites = list(_sites((*range(n), *(ANY,) * (GRAM - n))))
    return sites[int(np.argmin(_price(*rarity.costs(word, np.array(sites)))))]


def _price(met: np.ndarray, fitting: np.ndarray) -> np.ndarray:
    """What sites cost the scan: each place where the piece is met, and more where it is met between those letters."""
    return met + LOOK * fitting


def _keys(word: str, places: Sequence[int], around: set[tuple[int, int]]) -> Iterator[tuple[int, tuple[int, int]]]:
    """The keys of a piece, one, or one for each code a place for any letter may hold; with each, the codes (bits) that
    may stand before and behind it. around: the places that do.
    """

    def codes_of(place: int) -> list[int]:
        return [code for code, _, _ in shape.codes(word[place])]

    before = behind = 0
    for one, other in around:
        before |= EVERY if one == ANY else 1 << codes_of(one)[-1]
        behind |= EVERY if other == ANY else 1 << codes_of(other)[0]
    options = shape.ANY_LETTER if ANY in places else [[]]
    for option in options:
        codes: list[int] = []
        for place in places:
            codes += option if place == ANY else codes_of(place)
        yield shape.key(codes[:GRAM]), (before, 1 << codes[GRAM] if len(codes) > GRAM else behind)


class Changes(NamedTuple):
    """What may become of a word of one length."""

    sites: np.ndarray  # i8[s, 6]: all sites left by any change
    left: np.ndarray  # i8[c, w]: those each change leaves; filled up with s


@cache
def _changes(n: int, edits: int) -> Changes:
    """Every change of a word of n letters by so many edits, and the sites it leaves."""
    once = _changed(tuple(range(n)), 0)
    if edits == 1:
        texts = sorted(once)
    else:  # the first and the last letter of a window stay what they were (match.two_edits)
        inner = _changed(tuple(range(n)), 1)
        texts = sorted({each for text in inner for each in _changed(text, 1)})
    sites: dict[tuple[int, ...], int] = {}
    numbers = [[sites.setdefault(site, len(sites)) for site in _sites(text)] for text in texts]
    most = max(map(len, numbers))
    left = [row + [len(sites)] * (most - len(row)) for row in numbers]
    return Changes(np.array(list(sites)), np.array(left))


def _sites(text: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The pieces of a changed word with at most one open place, each between the places before it and behind it;
    beyond the word may be any letter, or none.
    """
    around = (ANY, *text, ANY)
    for at in range(len(text) - GRAM + 1):
        if text[at : at + GRAM].count(ANY) <= 1:
            yield around[at : at + GRAM + 2]


def _changed(text: tuple[int, ...], kept: int) -> set[tuple[int, ...]]:
    """Every result of one edit, by places, that leaves so many letters at both ends."""
    end = len(text) - kept
    return {
        *(text[:i] + text[i + 1 :] for i in range(kept, end)),
        *((*text[:i], ANY, *text[i + 1 :]) for i in range(kept, end)),
        *((*text[:i], ANY, *text[i:]) for i in range(kept, end + 1)),
        *((*text[:i], text[i + 1], text[i], *text[i + 2 :]) for i in range(kept, end - 1)),
    }


def _cover(word: str, rarity: Rarity) -> dict[tuple[int, ...], tuple[int, set[tuple[int, int]]]]:
    """Pieces such that every change of the word leaves one of them, with what to check at each, and the places before
    and behind it wherever it is the one counted on.
    """
    n = len(word)
    before, *places, behind = _rarest(word, rarity)
    chosen = {tuple(places): (SHAPE, {(before, behind)})}
    for checks, least, edits in ((ONE, match.ONE_LEAST, 1), (TWO, match.TWO_LEAST, 2)):
        if n < least:
            continue
        sites, left = _changes(n, edits)
        met, fitting = rarity.costs(word, sites)
        price = _price(met, fitting)
        for piece in chosen:
            _paid(piece, sites, price, fitting)
        hits = np.bincount(left.ravel(), minlength=len(sites) + 1)
        todo = np.ones(len(left), bool)
        while todo.any():
            best = int(np.argmax(hits[:-1] / price))
            counted = todo & (left == best).any(axis=1)
            hits -= np.bincount(left[counted].ravel(), minlength=len(sites) + 1)
            todo &= ~counted
            before, *places, behind = (int(place) for place in sites[best])
            known, around = chosen.get(tuple(places), (0, set()))
            chosen[tuple(places)] = known | checks, around | {(before, behind)}
            _paid(tuple(places), sites, price, fitting)
    return chosen


def _paid(piece: tuple[int, ...], sites: np.ndarray, price: np.ndarray, fitting: np.ndarray) -> None:
    """Lowers the price of other sites of a piece that was taken: it is met whether they are taken or not."""
    same = (sites[:, 1:-1] == piece).all(axis=1)
    price[same] = _price(np.zeros(1), fitting[same])
