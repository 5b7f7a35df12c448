"""The scan finds what the reference finds: nothing missed, nothing more, whatever is done to a word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.names import match, program, reference, scan
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
