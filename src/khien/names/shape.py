"""Shape space: letters that look alike are one letter, pairs are two, separators are nothing.

The mapping goes letter by letter, so that a word inside a text has its shape inside the text's shape, whatever of
these changes was made. Sources of the classes: UTS 39 confusables within ASCII (0/o, 1/l, rn/m, vv/w), and the digits
people read as letters (3/e, 4/a, 5/s, 6/b, 7/t, 8/b, 9/g, 2/z).
"""

from collections.abc import Sequence

import numpy as np

_CLASSES = {
    "i": "l",
    "1": "l",
    "0": "o",
    "2": "z",
    "3": "e",
    "4": "a",
    "5": "s",
    "6": "b",
    "7": "t",
    "8": "b",
    "9": "g",
}
_PAIRS = {"m": "rn", "w": "vv", "d": "cl"}
OTHER, END = 27, 28  # codes of a character that is no letter of any word, and of the end of a name


def _code(letter: str) -> int:
    return ord(letter) - 96


CODE, LETTER = 31, 5  # bits of a code; where it stands beside one, the shift of the place of its letter in the name
FIRST, CHARACTER, SECOND, COUNT = 0, 5, 16, 26  # where in a class: shifts of the codes, the character, how many codes
SEPARATOR, ODD = 1 << 24, 1 << 25  # and bits; the sum of two separators is odd, nothing below carries as far


def _classes() -> np.ndarray:
    classes = np.full(256, ord("~") << CHARACTER | OTHER << FIRST | ODD, np.int32)
    for byte in range(33, 127):
        character = chr(byte).lower()
        shape = _PAIRS.get(character, _CLASSES.get(character, character))
        if character in ".-_":
            classes[byte] = ord(character) << CHARACTER | SEPARATOR
        elif character.isalnum():
            classes[byte] = ord(character) << CHARACTER | sum(
                _code(c) << shift for c, shift in zip(shape, (FIRST, SECOND), strict=False)
            )
        elif character != "*":  # a wildcard at the beginning is not part of the name
            classes[byte] = ord(character) << CHARACTER | OTHER << FIRST
    count = (classes >> FIRST & CODE != 0) * 1 + (classes >> SECOND & CODE != 0)
    return classes | count.astype(np.int32) << COUNT


CLASSES = _classes()  # by byte: lower case, codes of its shape, whether it separates, whether a closer look is needed


def codes(word: str) -> list[tuple[int, int, bool]]:
    """The shape of a folded word: (code, index of the letter it belongs to, whether it is that letter's first)."""
    shape = []
    for index, letter in enumerate(word.encode()):
        both = (int(CLASSES[letter]) >> shift & CODE for shift in (FIRST, SECOND))
        shape += [(code, index, first) for code, first in zip(both, (True, False), strict=True) if code]
    return shape


def key(codes: Sequence[int]) -> int:
    """Four codes as one number below 2**20."""
    a, b, c, d = codes
    return a << 15 | b << 10 | c << 5 | d


# What any one letter, or the end of the name, may be in shape space.
ANY_LETTER = [[code] for code in range(1, END + 1)] + [[_code(a), _code(b)] for a, b in _PAIRS.values()]
