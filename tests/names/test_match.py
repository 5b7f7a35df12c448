"""Distances and shapes: the matcher's quick forms against the textbook's."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.names import match, reference
from khien.names.match import ALIKE, ALIKE_DOTTED, ALIKE_HYPHENATED, DOTTED, EXACT, HYPHENATED, NO_MATCH

few = st.text("abc", max_size=8)


def bytes_of(text: str) -> np.ndarray:
    return np.frombuffer(text.encode() + b"\0", np.uint8)


def recursive(a: str, b: str) -> int:
    """Optimal string alignment, from its definition."""

    @cache
    def between(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        ways = [between(i - 1, j) + 1, between(i, j - 1) + 1, between(i - 1, j - 1) + (a[i - 1] != b[j - 1])]
        if i > 1 and j > 1 and a[i - 2 : i] == b[j - 1] + b[j - 2]:
            ways.append(between(i - 2, j - 2) + 1)
        return min(ways)

    return between(len(a), len(b))


@settings(deadline=None)
@given(few, few)
def test_the_reference_measures_the_distance(a: str, b: str) -> None:
    table = np.zeros(reference.SIDE**2, np.int32)
    assert reference.distance(bytes_of(a), 0, len(a), bytes_of(b), 0, len(b), table) == recursive(a, b)


def test_no_letter_is_edited_twice() -> None:
    assert recursive("ca", "abc") == 3  # two, were it the unrestricted distance


@settings(deadline=None)
@given(st.text("abc", min_size=9, max_size=15), st.text("abc", min_size=11, max_size=13))
def test_two_edits_are_told_in_a_band(window: str, word: str) -> None:
    if abs(len(window) - len(word)) <= 2:
        told = match.within_two(bytes_of(window), 0, len(window), bytes_of(word), 0, len(word), np.zeros(192, np.int32))
        assert told == (recursive(window, word) <= 2)


@settings(deadline=None)
@given(st.text("ab", max_size=9), st.text("ab", min_size=5, max_size=7))
def test_one_edit_from_a_start(text: str, word: str) -> None:
    n = len(word)
    windows = {length: recursive(text[:length], word) for length in (n - 1, n, n + 1) if length <= len(text)}
    found = match.edit_forward(bytes_of(text), 0, len(text), bytes_of(word), 0, n)
    if text.startswith(word):
        assert found == -1  # it stands there as it is
    elif found < 0:
        assert 1 not in windows.values()
    else:
        assert windows[n + found % 4 - 1] == 1


@pytest.mark.parametrize(
    ("window", "word", "change"),
    [
        ("mainy", "mainy", EXACT),
        ("rnainy", "mainy", ALIKE),
        ("ma1ny", "mainy", ALIKE),
        ("mainy", "rnainy", ALIKE),
        ("ma-iny", "mainy", HYPHENATED),
        ("ma_1ny", "mainy", ALIKE_HYPHENATED),
        ("mai-nyx", "mainyx", HYPHENATED),
        ("mai.nyx", "mainyx", DOTTED),
        ("m-ai.nyx", "mainyx", DOTTED),
        ("rnai.nyx", "mainyx", ALIKE_DOTTED),
        ("mai.ny", "mainy", NO_MATCH),  # too short to be told by its letters with dots between
        ("ma-in", "main", NO_MATCH),
        ("rnay", "may", NO_MATCH),
        ("ma1n", "main", ALIKE),
        ("r-nainy", "mainy", NO_MATCH),  # a pair stays together to look like one letter
        ("tech24h", "tech24h", EXACT),
        ("techzah", "tech24h", NO_MATCH),  # a digit of a word is itself only
        ("duby", "c1uby", NO_MATCH),
        ("vwxyz", "wvxyz", NO_MATCH),  # no letter here looks like another there
        ("wvxyz", "vwxyz", NO_MATCH),
        ("vww", "wvw", NO_MATCH),
    ],
)
def test_names_how_a_shape_was_changed(window: str, word: str, change: int) -> None:
    assert match.shape_change(bytes_of(window), 0, len(window), bytes_of(word), 0, len(word)) == change


@pytest.mark.parametrize(
    ("name", "touches"),
    [("acb", True), ("acbx", True), ("x-acbx", True), ("x.acbx", True), ("1acbx", True), ("xacbx", False)],
)
def test_short_words_touch_a_boundary(name: str, touches: bool) -> None:
    at = name.index("acb")
    assert match.touches_boundary(bytes_of(name), at, at + 3, 0, len(name)) == touches
