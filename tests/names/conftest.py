"""What tests of the matcher share: the fold table as shipped, and a program made of a small register."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from publicsuffixlist import PSLFILE

from khien.names import program, reference, register, words
from khien.names.program import Program
from khien.names.words import Word

REGISTER = """\
[[names]]
id = "mau"
label = "Ngân hàng Mẫu"
sector = "bank"
words = ["maubank", "mẫu điện tử"]
short = ["mbk"]
lures = ["thẻ tín dụng"]
official = [{ domain = "maubank.example", verified = true, source = "a list" }]

[[names]]
id = "khac"
label = "Khác"
sector = "shop"
words = ["cuahangkhac", "khac"]
official = [{ domain = "khac.com.vn", verified = false }]
"""
LURES = """\
[[lures]]
id = "credential"
weight = 0.9
words = ["đăng nhập", "login"]
"""

Finder = Callable[..., list[tuple[int, ...]]]


@pytest.fixture(scope="session")
def fold() -> bytes:
    return files("khien").joinpath("data", "fold.bin").read_bytes()


@pytest.fixture(scope="session")
def folds(fold: bytes) -> Mapping[int, tuple[str, int]]:
    return reference.unpack(fold)


@pytest.fixture(scope="session")
def suffixes() -> bytes:
    return Path(PSLFILE).read_bytes()


@pytest.fixture(scope="session")
def small(fold: bytes, suffixes: bytes) -> Program:
    """A register of two names, a lexicon of three words, two popular names."""
    return program.build(
        register.parse(REGISTER.encode(), "r.toml"),
        register.parse_lures(LURES.encode(), "l.toml"),
        fold,
        b"khach\t60\nmau\t55\nban\t50\n",
        b"khachhang.example\ttranco10k\nmybank.example\tdynamic-dns\n",
        suffixes,
    )


@pytest.fixture(scope="session")
def candidates(fold: bytes) -> Finder:
    """What the compiled scan finds before judging: (name, word, start, behind the end, rank), sorted.

    taste: which pieces are taken for rare, and so which the scan looks for; 0 takes all for equally rare.
    """
    table = np.frombuffer(fold, "<u4").astype(np.int64)

    @cache
    def frequency(taste: int) -> np.ndarray:
        return np.random.default_rng(taste).lognormal(3, 3 if taste else 0, (32,) * 4).astype(np.float32)

    def find(names: Sequence[bytes], looked_for: Sequence[Word], taste: int = 0) -> list[tuple[int, ...]]:
        found = reference.scanned(names, words.tables(looked_for, frequency(taste)), table)
        return sorted(tuple(map(int, each)) for each in found)

    return find


@pytest.fixture(scope="session")
def expected(folds: Mapping[int, tuple[str, int]]) -> Finder:
    """The same, said by the reference."""

    def find(names: Sequence[bytes], looked_for: Sequence[Word]) -> list[tuple[int, ...]]:
        read = ["".join(letter.letter for letter in reference.read(name, folds)) for name in names]
        return [tuple(map(int, each)) for each in reference.matches(read, looked_for)]

    return find
