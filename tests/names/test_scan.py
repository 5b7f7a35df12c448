"""The scan finds what the reference finds: nothing missed, nothing more, whatever is done to a word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.names import program, reference, scan, search, shape, text, words
from khien.names.match import (
    ALIKE,
    ALIKE_DOTTED,
    ALIKE_HYPHENATED,
    DOTTED,
    EXACT,
    HYPHENATED,
    INSERTED,
    OMITTED,
    ONE_EDIT,
    SUBSTITUTED,
    TRANSPOSED,
    TWO_EDITS,
)
from khien.names.program import Program
from khien.names.words import Word
from tests.names.conftest import Finder

BANK = Word("vietcombank", 0)
PURSE = Word("vidientu", 0)
SHORT = Word("acb", 0, short=True)

CHANGES = [
    ("vietcombank.example", BANK, "vietcombank", EXACT, 0),
    ("secure-vietcombank-login.example", BANK, "vietcombank", EXACT, 0),
    ("myvietcombankvn.example", BANK, "vietcombank", EXACT, 0),
    ("vietcombank.com.verify.example", BANK, "vietcombank", EXACT, 0),
    ("VietComBank.Example.", BANK, "VietComBank", EXACT, 0),
    ("*.vietcombank.example", BANK, "vietcombank", EXACT, 0),
    ("www.vietcombank.example", BANK, "vietcombank", EXACT, 0),
    ("vietcornbank.example", BANK, "vietcornbank", ALIKE, 0),
    ("v1etc0mbank.example", BANK, "v1etc0mbank", ALIKE, 0),
    ("vletcombank.example", BANK, "vletcombank", ALIKE, 0),
    ("viclientu.example", PURSE, "viclientu", ALIKE, 0),
    ("ma1ny.example", Word("mainy", 0), "ma1ny", ALIKE, 0),
    ("vvallet.example", Word("wallet", 0), "vvallet", ALIKE, 0),
    ("moden.example", Word("rnoden", 0), "moden", ALIKE, 0),
    ("vi-dien-tu.example", PURSE, "vi-dien-tu", HYPHENATED, 0),
    ("vi_dien--tu.example", PURSE, "vi_dien--tu", HYPHENATED, 0),
    ("vi-d1en-tu.example", PURSE, "vi-d1en-tu", ALIKE_HYPHENATED, 0),
    ("vi.dien-tu.example", PURSE, "vi.dien-tu", DOTTED, 0),
    ("vi.d1en.tu.example", PURSE, "vi.d1en.tu", ALIKE_DOTTED, 0),
    ("vidientu.example", Word("tuexam", 0), "tu.exam", DOTTED, 0),
    ("vidinetu.example", PURSE, "vidinetu", ONE_EDIT, TRANSPOSED),
    ("ivdientu.example", PURSE, "ivdientu", ONE_EDIT, TRANSPOSED),
    ("vidienut.example", PURSE, "vidienut", ONE_EDIT, TRANSPOSED),
    ("vidixentu.example", PURSE, "vidixentu", ONE_EDIT, INSERTED),
    ("vxidientu.example", PURSE, "vxidientu", ONE_EDIT, INSERTED),
    ("viddientu.example", PURSE, "viddientu", ONE_EDIT, INSERTED),
    ("vidiextu.example", PURSE, "vidiextu", ONE_EDIT, SUBSTITUTED),
    ("xidientu.example", PURSE, "xidientu", ONE_EDIT, SUBSTITUTED),
    ("vidientx.example", PURSE, "vidientx", ONE_EDIT, SUBSTITUTED),
    ("vidietu.example", PURSE, "vidietu", ONE_EDIT, OMITTED),
    ("idientu.example", PURSE, "idientu", ONE_EDIT, OMITTED),
    ("vidient", PURSE, "vidient", ONE_EDIT, OMITTED),
    ("vxetconbank.example", BANK, "vxetconbank", TWO_EDITS, 0),
    ("vitcombaank.example", BANK, "vitcombaank", TWO_EDITS, 0),
    ("vietcobnk.example", BANK, "vietcobnk", TWO_EDITS, 2),
    ("vieettcombank.example", BANK, "vieettcombank", TWO_EDITS, 2),
    ("vietcmbankk-nak.example", Word("vietcombankknak", 0), "vietcmbankk-nak", None, 0),
    ("acb-online.example", SHORT, "acb", EXACT, 0),
    ("vay24acb.example", SHORT, "acb", EXACT, 0),
    ("acbx.example", SHORT, "acb", EXACT, 0),
    ("macbook.example", SHORT, "", None, 0),
    ("аcbank.example", Word("acbank", 0), "аcbank", EXACT, 0),  # Cyrillic а
    ("xn--cbank-3ve.example", Word("acbank", 0), "xn--cbank-3ve", EXACT, 0),
    ("víđiệntử.example", PURSE, "víđiệntử", EXACT, 0),
    ("víđiệnntử.example", PURSE, "víđiệnntử", ONE_EDIT, INSERTED),
    ("ｖidientu。example", PURSE, "ｖidientu", EXACT, 0),
    ("tec-1ub.example", Word("tec1ub", 0), "tec-1ub", HYPHENATED, 0),
    ("tedub.example", Word("tec1ub", 0), "", None, 0),  # a digit of a word is only itself
    ("nick.mick.example", Word("nickle", 0), "", None, 0),
]


def span_of(name: str, folds: dict[int, tuple[str, int]], start: int, end: int) -> str:
    read = reference.read(name.encode(), folds)
    return name[read[start].first : read[end - 1].behind]


@pytest.mark.parametrize(("name", "word", "span", "change", "form"), CHANGES)
def test_finds_each_change(candidates: Finder, expected: Finder, folds, name, word, span, change, form) -> None:
    found = candidates([name.encode()], [word])
    assert found == expected([name.encode()], [word])
    if change is None:
        assert found == []
    else:
        assert [(span_of(name, folds, start, end), rank) for _, _, start, end, rank in found] == [
            (span, change * 8 + form)
        ]


LETTERS = "abcdilmnorvw01"
word_texts = st.text(LETTERS, min_size=4, max_size=13)
short_texts = st.text(LETTERS, min_size=3, max_size=5)
fillers = st.text(LETTERS + "..--_ex\u00f4\u0430*~", max_size=6)
LOOKS = {
    "m": "rn",
    "w": "vv",
    "d": "cl",
    "rn": "m",
    "vv": "w",
    "cl": "d",
    "i": "1",
    "l": "i",
    "o": "0",
    "a": "а",
    "e": "ệ",
}


@st.composite
def changed(draw: st.DrawFn, word: str) -> str:
    """The word after up to three changes of any kind."""
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(word)))
        letter = draw(st.sampled_from(LETTERS))
        change = draw(st.sampled_from(["separate", "alike", "insert", "omit", "substitute", "transpose"]))
        if change == "separate":
            word = word[:at] + draw(st.sampled_from("-._")) + word[at:]
        elif change == "alike":
            looks = draw(st.sampled_from(sorted(LOOKS)))
            word = word[:at] + word[at:].replace(looks, LOOKS[looks], 1)
        elif change == "insert":
            word = word[:at] + letter + word[at:]
        elif change == "omit":
            word = word[:at] + word[at + 1 :]
        elif change == "substitute":
            word = word[:at] + letter + word[at + 1 :]
        else:
            word = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
    return word


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[bytes], list[Word]]:
    """Words, and names with some of them in: changed, upper case, dotted, as wildcards and as A-labels."""
    texts = draw(st.lists(word_texts, min_size=1, max_size=4, unique=True))
    words = [Word(text, 0, plain=draw(st.integers(0, 7)) == 0) for text in texts]
    words += [Word(text, 1, short=True) for text in draw(st.lists(short_texts, max_size=2, unique=True))]
    names = []
    for _ in range(draw(st.integers(1, 12))):
        parts = [
            draw(fillers) + draw(changed(draw(st.sampled_from(words)).text)) for _ in range(draw(st.integers(1, 2)))
        ]
        name = (
            draw(st.sampled_from(["", "", "*.", "www."]))
            + "".join(parts)
            + draw(fillers)
            + draw(st.sampled_from(["", ".", ".vn"]))
        )
        names.append(draw(st.sampled_from([str, str, str.upper, to_ascii]))(name).encode())
    return names, words


def to_ascii(name: str) -> str:
    labels = name.split(".")
    return ".".join(each if each.isascii() else "xn--" + each.encode("punycode").decode() for each in labels)


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(0, 3))
def test_finds_what_the_reference_finds(candidates: Finder, expected: Finder, case, taste: int) -> None:
    assert candidates(*case, taste) == expected(*case)


def test_interpreted_it_finds_the_same(folds, fold: bytes) -> None:
    looked_for = [BANK, PURSE, SHORT]
    names = [name.encode() for name, word, *_ in CHANGES if word in looked_for]
    texts = ["".join(letter.letter for letter in reference.read(name, folds)) for name in names]
    assert (reference.matches(texts, looked_for, interpreted=True) == reference.matches(texts, looked_for)).all()
    tables = words.tables(looked_for, np.zeros((32,) * 4, np.float32))
    table = np.frombuffer(fold, "<u4").astype(np.int64)
    arrays = [np.cumsum([0, *map(len, names)]).astype(np.int32), np.frombuffer(b"".join(names), np.uint8), table]
    rest = [shape.CLASSES, *(each.reshape(-1) for each in tables), *search.Room.make(), np.zeros(500, np.int32)]
    count = reference.candidates(len(names), *arrays, len(table) // 2, *rest, 100)
    # interpreted, numbers have no width: arrays are lists
    plain = [each.tolist() for each in (*arrays, *rest)]
    assert reference.candidates.plain(len(names), *plain[:3], len(table) // 2, *plain[3:], 100) == count
    assert plain[-1] == rest[-1].tolist()
    assert count >= 30


def test_the_best_place_of_a_word_counts(candidates: Finder) -> None:
    names = [b"vidieentu.vidientu.vi-dientu.example", b"vi-dientu.vi-dientu.example"]
    found = candidates(names, [PURSE])
    assert found == [(0, 0, 10, 18, EXACT * 8), (1, 0, 0, 9, HYPHENATED * 8)]


def test_so_many_words_are_kept_and_the_rest_passed_over(candidates: Finder) -> None:
    many = [Word(f"w{number:03}x", 0) for number in range(60)]
    name = "".join(word.text for word in many)[: text.LONGEST - 9].encode()
    found = candidates([name, b"w001x.example"], many)
    assert len([each for each in found if each[0] == 0]) == search.MOST_MATCHES
    assert (1, 1, 0, 5, EXACT * 8) in found


def found_in(small: Program, names: list[bytes]) -> list[tuple[int, ...]]:
    """The numbers of every match, however little it tells."""
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int32)
    row = np.frombuffer(b"".join(names) + b"\0", np.uint8)
    found = list(program.run(small, offsets, row, -np.inf))
    assert all(each.scores.min(initial=1) > 0 and each.scores.max(initial=0) < 1 for each in found)
    return [tuple(map(int, numbers)) for each in found for numbers in each.numbers]


HOSTILE = st.one_of(
    st.binary(max_size=400),
    st.text("maubnkhc-._*\u00e2\u0430", max_size=60).map(str.encode),
    st.sampled_from([b"maubank", b"m-b-k", b"khac", b"xn--maubank-", b"mau.bank"]).flatmap(
        lambda word: st.tuples(st.binary(max_size=9), st.just(word), st.binary(max_size=9)).map(b"".join)
    ),
)


@settings(deadline=None)
@given(st.lists(HOSTILE, max_size=8))
def test_any_bytes_are_a_name(small: Program, names: list[bytes]) -> None:
    for numbers in found_in(small, names):
        assert 0 <= numbers[scan.ROW] < len(names)
        assert 0 <= numbers[scan.START] < numbers[scan.END] <= len(names[numbers[scan.ROW]])
        assert 0 <= numbers[scan.WORD] < len(small.words)


@settings(deadline=None, max_examples=30)
@given(st.lists(HOSTILE, min_size=1, max_size=8), st.integers(search.TOGETHER - 2, 3 * search.TOGETHER))
def test_what_is_found_in_a_name_is_not_its_neighbours(small: Program, names: list[bytes], count: int) -> None:
    many = [names[n % len(names)] for n in range(count)]
    alone = [[numbers[scan.ROW + 1 :] for numbers in found_in(small, [name])] for name in names]
    together = found_in(small, many)
    for row in range(count):
        there = [numbers[scan.ROW + 1 :] for numbers in together if numbers[scan.ROW] == row]
        assert there == alone[row % len(names)]


@pytest.mark.parametrize(
    "part", [b"maubank", b"maubank.", b"\0", b"\xff", b"-", b".", b"xn--", b"*.", "\u1ea1".encode()]
)
def test_a_name_of_any_length_is_passed_over_or_read(small: Program, part: bytes) -> None:
    names = [(part * 10_000)[:length] for length in (0, 1, 311, 312, 313, 320, 400, 10_000)]
    for numbers in found_in(small, [*names, b"maubank.example"]):
        assert numbers[scan.ROW] in (2, 3, 4, 8)  # longer ones are no names; the 313th may be a dot
    assert found_in(small, [*names, b"maubank.example"])[-1][scan.ROW] == len(names)


def test_places_are_characters_of_the_name_as_met(small: Program) -> None:
    for name, span in (
        ("*.\u0111\u00e2y.M\u00e2uBank.example.", "M\u00e2uBank"),
        (to_ascii("m\u00e2ubank.example"), to_ascii("m\u00e2ubank")),
        ("login-maub\u0430nk.example", "maub\u0430nk"),
    ):
        (numbers,) = (
            each for each in found_in(small, [name.encode()]) if small.words[each[scan.WORD]].text == "maubank"
        )
        assert name[numbers[scan.START] : numbers[scan.END]] == span
