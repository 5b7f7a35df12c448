"""The pieces cover: whatever one edit, or two, makes of a word, a piece of it is left, and the scan meets it."""

from collections.abc import Iterator

import numpy as np
import pytest

from khien.names import match, search, shape, words
from khien.names.words import Word
from tests.names.conftest import Finder

ALPHABET = "abn1"
LETTERS = "vietnambokhcdw"


def edited(word: str, kept: int = 0) -> Iterator[str]:
    """Every result of one edit that leaves so many letters at both ends."""
    end = len(word) - kept
    for at in range(kept, end + 1):
        for letter in ALPHABET:
            yield word[:at] + letter + word[at:]
            if at < end:
                yield word[:at] + letter + word[at + 1 :]
        if at < end:
            yield word[:at] + word[at + 1 :]
        if at < end - 1:
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


@pytest.mark.parametrize("taste", [0, 1])
@pytest.mark.parametrize("n", range(5, 15))
def test_every_edit_leaves_a_piece(candidates: Finder, n: int, taste: int) -> None:
    for word in (LETTERS[:n], ("ban" * n)[:n]):
        texts = sorted(set(edited(word)))
        found = candidates([text.encode() for text in texts], [Word(word, 0)], taste)
        assert [name for name, *_ in found] == list(range(len(texts)))
        assert match.ONE_EDIT in {rank // 8 for *_, rank in found}


@pytest.mark.parametrize("taste", [0, 1])
@pytest.mark.parametrize("n", range(11, 15))
def test_two_edits_leave_a_piece(candidates: Finder, expected: Finder, n: int, taste: int) -> None:
    chance = np.random.default_rng(n)
    for word in (LETTERS[:n], ("ban" * n)[:n]):
        once = sorted(set(edited(word, kept=1)))
        chosen = [once[i] for i in chance.integers(0, len(once), 25)]
        # the reference says which are two edits: an edit of a substring edited before makes three
        texts = sorted({text.encode() for each in chosen for text in edited(each, kept=1)})
        found = candidates(texts, [Word(word, 0)], taste)
        assert found == expected(texts, [Word(word, 0)])
        assert match.TWO_EDITS in {rank // 8 for *_, rank in found}


@pytest.mark.parametrize("word", ["acb", "mwd", "abcd", "m0mo", "vcbx1"])
def test_a_word_nobody_changed_has_one_piece(word: str) -> None:
    flat = np.ones((32,) * 4, np.float32)
    tables = words.tables([Word(word, 0, short=True)], flat)
    assert len({int(entry[6]) for entry in tables.entries}) == 1
    assert {int(entry[5]) & 0xFF for entry in tables.entries} == {words.SHORT}


def test_rare_pieces_are_preferred() -> None:
    frequency = np.zeros((32,) * 4, np.float32)
    frequency[1:3, 1:3] = 1e6  # names are full of a and b
    tables = words.tables([Word("abababxyzq", 0, plain=True)], frequency)
    assert [int(entry[6]) for entry in tables.entries] == [5]  # bxyz


def test_letters_that_look_alike_share_their_pieces() -> None:
    flat = np.ones((32,) * 4, np.float32)
    one, other = (words.tables([Word(text, 0, plain=True)], flat) for text in ("mail", "rna1l"))
    assert one.bits.tolist() == other.bits.tolist()


def test_a_piece_counts_only_between_its_letters() -> None:
    tables = words.tables([Word("abcefg", 0, plain=True)], np.ones((32,) * 4, np.float32))
    assert tables.entries[:, :4].tolist() == [[-1, 1 << 1, 1 << 7, -1]]  # bcef, between a and g
    found = {name: _pieces_in(name, tables) for name in ("abcefg", "a-bc.efg", "x0abcefgx", "xbcefg", "abcefx", "bcef")}
    assert found == {"abcefg": 1, "a-bc.efg": 1, "x0abcefgx": 1, "xbcefg": 0, "abcefx": 0, "bcef": 0}


@pytest.mark.parametrize("word", ["abcefghj", "mainyx", "abdmwz", "abcef"])
def test_two_places_on_either_side_are_looked_at(word: str) -> None:
    (entry,) = words.tables([Word(word, 0, plain=True)], np.ones((32,) * 4, np.float32)).entries.tolist()
    codes = [code for code, _, _ in shape.codes(word)]
    around = [entry[7] - 2, entry[7] - 1, entry[7] + words.GRAM, entry[7] + words.GRAM + 1]
    assert entry[:4] == [1 << codes[at] if 0 <= at < len(codes) else words.EVERY for at in around]


def test_what_was_edited_may_be_any_letter() -> None:
    tables = words.tables([Word("abcef", 0)], np.ones((32,) * 4, np.float32))
    for text in ("xbcef", "abcex", "bcef", "abce"):
        assert _pieces_in(text, tables)


def _pieces_in(name: str, tables: words.Tables) -> int:
    room = search.Room.make()
    row = np.frombuffer(name.encode(), np.uint8)
    _, n_codes, _ = search.read_ascii(row, 0, len(row), room.text, 0, room.codes, 1, shape.CLASSES)
    # what is not compiled overflows in narrow numbers
    codes, keys, hits = (each.astype(int) for each in (room.codes, room.keys, room.hits))
    groups, entries = tables.groups.reshape(-1), tables.entries.reshape(-1)
    return int(search.find_pieces(codes, n_codes, keys, hits, tables.bits, tables.ranks, groups, entries))
