"""Fuzzes the reading and matching of names: whatever the bytes, the matcher answers, and answers what is right.

    python3 dev fuzz names 1000000

Names are the lines of an input. A byte that UTF-8 never has plants words: 0xff and a number stand for a word of the
shipped register, so that names with words in them are soon tried. What the scan finds is held against the reference.
Kernels are compiled and cannot be watched; how a name is read is also run interpreted, and watched.
"""

import sys
from functools import partial
from zlib import crc32

import atheris
import numpy as np
import pyarrow as pa

from khien import schema
from khien.app import registers
from khien.detectors.lookalike import Lookalike
from khien.names import explain, program, reference, scan, search, text

MOST, LETTERS = 16, 640  # names of an input that are looked at, and bytes of all: two names too long to be any
EXACT = 64  # one input in so many is held against the reference, which takes forty milliseconds
WATCHED = (text.prepare, text.punycode, text.utf8_at, text.fold_put, Lookalike.__call__, explain.explain)


def planted(content: bytes, words: list[bytes]) -> list[bytes]:
    """The names of an input, its words planted."""
    first, *rest = content.split(b"\xff")
    parts = (words[part[0] * len(words) // 256] + part[1:] for part in rest if part)
    return b"".join((first, *parts))[:LETTERS].split(b"\n")[:MOST]


def expect_sane(made: program.Program, names: list[bytes]) -> None:
    """Every finding is about a part of its name, and scores between 0 and 1."""
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int32)
    for found in program.run(made, offsets, np.frombuffer(b"".join(names) + b"\0", np.uint8), -np.inf):
        assert ((found.scores >= 0) & (found.scores <= 1)).all(), "a score is in [0, 1]"
        for numbers in found.numbers:
            assert 0 <= numbers[scan.START] < numbers[scan.END] <= len(names[numbers[scan.ROW]]), (
                "a span is in the name"
            )


def expect_read(made: program.Program, name: bytes, read: list[reference.Letter]) -> None:
    """A name's letters stand where the reference says."""
    rows: list[list[int]] = [[0] * text.LONGEST for _ in range(4)]
    n = text.prepare(name, 0, len(name), *rows, [0] * 80, made.folds, len(made.folds) // 2)
    places = list(zip(rows[1][:n], rows[2][:n], strict=True))
    assert places == [(letter.first, letter.behind) for letter in read], "letters stand where they stand"


def expect_exact(made: program.Program, names: list[bytes], texts: list[str]) -> None:
    """What the scan finds is what the reference finds in the folded names."""
    expected = reference.matches(texts, made.words)
    found = reference.scanned(names, made.word_tables, made.folds)
    crowded = {row for row in range(len(names)) if (found[:, 0] == row).sum() == search.MOST_MATCHES}
    ours, theirs = ({tuple(row) for row in rows.tolist() if row[0] not in crowded} for rows in (found, expected))
    assert ours == theirs, f"{names!r}: {sorted(ours ^ theirs)}"


def expect_findings(detector: Lookalike, names: list[str]) -> None:
    """Findings keep their schema, and their spans are in their subjects."""
    findings = detector(
        pa.record_batch([pa.array(names, pa.string()), pa.nulls(len(names), schema.TIME)], schema=schema.NAMES)
    )
    findings.validate(full=True)
    for subject, span in zip(findings["subject"].to_pylist(), findings["span"].to_pylist(), strict=True):
        assert 0 <= span[0] < span[1] <= len(subject), "a span is in the subject"


def test_one_input(
    detector: Lookalike, made: program.Program, folds: dict[int, tuple[str, int]], words: list[bytes], content: bytes
) -> None:
    """Any bytes; then their names as Unicode."""
    names = planted(content, words)
    expect_sane(made, names)
    decoded = [name.decode(errors="replace") for name in names]
    names = [name.encode() for name in decoded]
    read = [reference.read(name, folds) for name in names]
    for name, letters in zip(names, read, strict=True):
        expect_read(made, name, letters)
    if content < b"\x20":  # one input in eight, of those made up
        expect_findings(detector, decoded)
    if crc32(content) % EXACT == 0:
        expect_exact(made, names, ["".join(letter.letter for letter in each) for each in read])


def main() -> None:
    """Compiles and makes the tables first: what is watched is changed, and cannot be compiled any more."""
    detector = registers.lookalike()
    made = detector.program
    folds = reference.unpack(made.folds.astype("<u4").tobytes())
    target = partial(test_one_input, detector, made, folds, [word.text.encode() for word in made.words])
    target(b"\x01\xff\x01.example")
    expect_exact(made, [b"www.example"], ["www.example"])
    for function in WATCHED:
        atheris.instrument_func(function)
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
