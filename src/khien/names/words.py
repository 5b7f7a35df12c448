"""The words to look for, as the tables the scan reads: which four-letter pieces betray them.

However a word is changed, at least one of its pieces here is still there. The pieces are not chosen by hand: for each
word length every change is written out with the places of the letters only (a substituted letter is any letter), and a
greedy weighted set cover picks pieces until each change leaves one, the rarer in ordinary names the better. A piece is
four codes of shape space (shape.py), so letters that look alike and separators between letters change nothing about it.

What is picked is more than a piece, a *site*: the piece and the places before and behind it. A change that leaves the
piece leaves certain letters beside it too, two on either side, and where others stand, the piece means nothing.
"""

from collections.abc import Iterator, Sequence
from functools import cache, reduce
from operator import or_
from typing import NamedTuple

import numpy as np

from khien.names import match, shape

SHAPE, ONE, TWO, SHORT = 1, 2, 4, 8  # what to check where a piece is met: bits
INTACT = 16  # beside ONE and TWO: the piece is four letters of the word as they stand in it
SHORTEST, LONGEST = 3, 48  # letters of a word
GRAM = 4
ANY = -1  # a place of a changed word that may hold any letter
EVERY = -1  # bits of codes: any may stand there, or none
BESIDE = 2  # places on either side of a piece that are looked at
LOOK = 4  # how much dearer a look at the words behind a piece is than one at the letters beside it; 2 to 6 do as well
OPEN = 31  # the same as a code, while costs are weighed


Places = tuple[int, ...]  # of letters in a word
Bits = tuple[int, ...]  # codes as bits, for each place beside a piece


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
    groups: np.ndarray  # i4[groups + 1, 5]: first entry; codes (bits) as below
    # i4[n, 8]: codes (bits) that may stand two before the piece, before it, behind it, two behind it; letters that must
    # be near (bits), word << 8 | checks, place of the piece in the word, index of its first code there or -1
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
        for key, checks, letter, code, beside in _pieces(word, rarity):
            entry = found.setdefault(key, {}).setdefault((number, letter, code), [0] * (2 * BESIDE + 1))
            for index, bits in enumerate((*beside, checks)):
                entry[index] |= bits
    bits = np.zeros(1 << 14, np.uint64)
    for key in found:
        bits[key >> 6] |= np.uint64(1 << (key & 63))
    groups = [found[key] for key in sorted(found)]
    masks = [_mask(word.text) for word in words]
    entries = [
        (*beside, masks[number], number << 8 | checks, letter, code)
        for group in groups
        for (number, letter, code), (*beside, checks) in group.items()
    ]
    shapes = [bytes(code for code, _, _ in shape.codes(word.text)) for word in words]
    return Tables(
        bits=bits.view(np.int64),
        ranks=_offsets([int(word).bit_count() for word in bits])[:-1],
        groups=np.array([*_summaries(groups), (len(entries), *(0,) * 2 * BESIDE)], np.int32),
        entries=np.array(entries, np.int32).reshape(-1, 2 * BESIDE + 4),
        letters=np.frombuffer("".join(word.text for word in words).encode() + b"\0", np.uint8),
        first=_offsets([len(word.text) for word in words]),
        shapes=np.frombuffer(b"".join(shapes) + b"\0", np.uint8),
        shape_first=_offsets([len(each) for each in shapes]),
    )


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _summaries(groups: list[dict[tuple[int, int, int], list[int]]]) -> Iterator[tuple[int, ...]]:
    """A group's first entry, and what may stand beside the piece of any."""
    first = 0
    for group in groups:
        *beside, _ = (reduce(or_, bits) for bits in zip(*group.values(), strict=True))
        yield first, *beside
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
        both = np.stack([shape.CLASSES[bytes_] >> shift & shape.CODE for shift in (shape.FIRST, shape.SECOND)], axis=1)
        both[-1] = OPEN, 0  # where ANY points
        codes = both[sites[:, 1:]].reshape(len(sites), 2 * GRAM + 2)
        codes = np.take_along_axis(codes, np.argsort(codes == 0, axis=1, kind="stable"), axis=1)
        one, two, three, four, behind = codes.T[: GRAM + 1]
        before = np.where(both[sites[:, 0], 1], both[sites[:, 0], 1], both[sites[:, 0], 0])
        met = self.met[one, two, three, four]
        fits_before = self.met[before, one, two, three] / self.met[OPEN, one, two, three]
        fits_behind = self.met[two, three, four, behind] / self.met[two, three, four, OPEN]
        return met, met * fits_before * fits_behind


def _pieces(word: Word, rarity: Rarity) -> Iterator[tuple[int, int, int, int, Bits]]:
    """(key, checks, place in the word of the piece's first letter, index of its first code or -1, codes beside it)."""
    n = len(word.text)
    if word.short or n == GRAM or word.plain:
        places, beside = _parted(_rarest(word.text, rarity))
        code = len(shape.codes(word.text[: places[0]]))
        for key, bits in _keys(word.text, places, {beside}):
            yield key, SHORT if word.short else SHAPE, places[0], code, bits
        return
    for places, (checks, around) in _cover(word.text, rarity).items():
        at = next(i for i, place in enumerate(places) if place != ANY)
        intact = ANY not in places and places == tuple(range(places[0], places[0] + GRAM))
        code = len(shape.codes(word.text[: places[0]])) if intact else -1
        for key, bits in _keys(word.text, places, around):
            yield key, checks | INTACT * intact, places[at] - at, code, bits


def _rarest(word: str, rarity: Rarity) -> Places:
    """The rarest site of a word that nobody changed; of three letters, the one with an open place behind."""
    n = len(word)
    sites = list(_sites((*range(n), *(ANY,) * (GRAM - n))))
    return sites[int(np.argmin(_price(*rarity.costs(word, np.array(sites)[:, BESIDE - 1 : 1 - BESIDE]))))]


def _parted(site: Places) -> tuple[Places, Places]:
    """The piece of a site, and the places beside it."""
    return site[BESIDE:-BESIDE], site[:BESIDE] + site[-BESIDE:]


def _price(met: np.ndarray, fitting: np.ndarray) -> np.ndarray:
    """What sites cost the scan: each place where the piece is met, and more where it is met between those letters."""
    return met + LOOK * fitting


def _keys(word: str, places: Places, around: set[Places]) -> Iterator[tuple[int, Bits]]:
    """The keys of a piece, one, or one for each code a place for any letter may hold; with each, the codes (bits) that
    may stand beside it. around: the places that do.
    """
    beside = [
        (*_reach(word, before, two, -1)[::-1], *_reach(word, behind, far, 1)) for two, before, behind, far in around
    ]
    two, before, behind, far = (reduce(or_, bits) for bits in zip(*beside, strict=True))
    options = shape.ANY_LETTER if ANY in places else [[]]
    for option in options:
        codes: list[int] = []
        for place in places:
            codes += option if place == ANY else _codes(word[place])
        over = [1 << code for code in codes[GRAM:]]
        yield shape.key(codes[:GRAM]), (two, before, *(*over, behind, far)[:BESIDE])


def _reach(word: str, near: int, far: int, way: int) -> tuple[int, int]:
    """The codes (bits) that may stand one and two codes from a piece where these places do; way: behind it, or -1.

    A letter of two codes fills both. What is at ANY may be such a letter; beyond the word, both places are ANY.
    """
    if near == ANY:
        return EVERY, EVERY if far == ANY else _SECONDS[way] | 1 << _codes(word[far])[::way][0]
    one, *rest = _codes(word[near])[::way]
    return 1 << one, 1 << rest[0] if rest else EVERY if far == ANY else 1 << _codes(word[far])[::way][0]


def _codes(letter: str) -> list[int]:
    return [code for code, _, _ in shape.codes(letter)]


_SECONDS = {  # the codes (bits) that a letter of two has away from where it is met
    way: reduce(or_, (1 << codes[::way][1] for codes in shape.ANY_LETTER if len(codes) > 1)) for way in (1, -1)
}


class Changes(NamedTuple):
    """What may become of a word of one length."""

    sites: np.ndarray  # i8[s, 6]: all sites left by any change, with one place on either side
    left: np.ndarray  # i8[c, w]: those each change leaves; filled up with s
    wide: np.ndarray  # i8[c, w]: the same sites with all places that are looked at
    parted: list[tuple[Places, Places]]  # each of these: the piece, the places beside it


@cache
def _changes(n: int, edits: int) -> Changes:
    """Every change of a word of n letters by so many edits, and the sites it leaves."""
    once = _changed(tuple(range(n)), 0)
    if edits == 1:
        texts = sorted(once)
    else:  # the first and the last letter of a window stay what they were (match.two_edits)
        inner = _changed(tuple(range(n)), 1)
        texts = sorted({each for text in inner for each in _changed(text, 1)})
    wide: dict[Places, int] = {}
    sites: dict[Places, int] = {}
    rows = [[wide.setdefault(site, len(wide)) for site in _sites(text)] for text in texts]
    narrow = [sites.setdefault(site[BESIDE - 1 : 1 - BESIDE], len(sites)) for site in wide]
    filled = np.full((len(rows), max(map(len, rows))), len(wide))
    for row, numbers in zip(filled, rows, strict=True):
        row[: len(numbers)] = numbers
    left = np.array([*narrow, len(sites)])[filled]
    return Changes(np.array(list(sites)), left, filled, [_parted(site) for site in wide])


def _sites(text: Places) -> Iterator[Places]:
    """The pieces of a changed word with at most one open place, each between the places before it and behind it;
    beyond the word may be any letter, or none.
    """
    around = (*(ANY,) * BESIDE, *text, *(ANY,) * BESIDE)
    for at in range(len(text) - GRAM + 1):
        if text[at : at + GRAM].count(ANY) <= 1:
            yield around[at : at + GRAM + 2 * BESIDE]


def _changed(text: Places, kept: int) -> set[Places]:
    """Every result of one edit, by places, that leaves so many letters at both ends."""
    end = len(text) - kept
    return {
        *(text[:i] + text[i + 1 :] for i in range(kept, end)),
        *((*text[:i], ANY, *text[i + 1 :]) for i in range(kept, end)),
        *((*text[:i], ANY, *text[i:]) for i in range(kept, end + 1)),
        *((*text[:i], text[i + 1], text[i], *text[i + 2 :]) for i in range(kept, end - 1)),
    }


def _cover(word: str, rarity: Rarity) -> dict[Places, tuple[int, set[Places]]]:
    """Pieces such that every change of the word leaves one of them, with what to check at each, and the places beside
    it wherever it is the one counted on.
    """
    n = len(word)
    places, beside = _parted(_rarest(word, rarity))
    chosen = {places: (SHAPE, {beside})}
    for checks, least, edits in ((ONE, match.ONE_LEAST, 1), (TWO, match.TWO_LEAST, 2)):
        if n < least:
            continue
        sites, left, wide, parted = _changes(n, edits)
        met, fitting = rarity.costs(word, sites)
        price = _price(met, fitting)
        for piece in chosen:
            _paid(piece, sites, price, fitting)
        hits = np.bincount(left.ravel(), minlength=len(sites) + 1)
        todo = np.ones(len(left), bool)
        while todo.any():
            best = int(np.argmax(hits[:-1] / price))
            there = left == best
            counted = todo & there.any(axis=1)
            hits -= np.bincount(left[counted].ravel(), minlength=len(sites) + 1)
            todo &= ~counted
            found = [parted[each] for each in np.unique(wide[there & counted[:, None]])]
            places, _ = found[0]
            known, around = chosen.get(places, (0, set()))
            chosen[places] = known | checks, around | {beside for _, beside in found}
            _paid(places, sites, price, fitting)
    return chosen


def _paid(piece: Places, sites: np.ndarray, price: np.ndarray, fitting: np.ndarray) -> None:
    """Lowers the price of other sites of a piece that was taken: it is met whether they are taken or not."""
    same = (sites[:, 1:-1] == piece).all(axis=1)
    price[same] = _price(np.zeros(1), fitting[same])
