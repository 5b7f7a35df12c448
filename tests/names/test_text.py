"""How names are read: Punycode as Python's own codec has it, letters folded, every place kept."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from khien.names import reference, text

Folds = Mapping[int, tuple[str, int]]

labels = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
scripts = st.text("abđệốаеорсхіΩαγтест中文-", max_size=20)


def decoded(label: bytes) -> str | None:
    """What the kernel's inner function makes of what follows ``xn--``."""
    points = np.zeros(80, np.int32)
    row = np.frombuffer(label + b".", np.uint8).astype(np.int64)
    count = text.punycode(row, 0, len(label), points)
    return None if count < 0 else "".join(map(chr, points[:count]))


@settings(deadline=None)
@given(labels | scripts)
def test_decodes_what_python_encodes(label: str) -> None:
    encoded = label.encode("punycode")
    expected = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in label)
    assert decoded(encoded) == (expected if len(encoded) <= 63 else None)


@settings(deadline=None)
@given(st.binary(max_size=24) | st.text("abcxyz019-ABC", max_size=63).map(str.encode))
@example(b"\xc3-ab")
@example(b"-")
@example(b"a-")
@example(b"99999999")
@example(b"z" * 62 + b"a")
def test_refuses_what_python_refuses(label: bytes) -> None:
    try:
        expected = label.lower().decode("punycode")
    except UnicodeError:
        expected = None
    assert decoded(label) == expected


def test_decodes_the_largest_steps() -> None:
    label = "a" * 50 + "\U0010fffd"
    encoded = label.encode("punycode")
    assert len(encoded) <= 63
    assert decoded(encoded) == label


def prepared(name: bytes, fold: bytes) -> list[reference.Letter]:
    """The name as ``prepare`` reads it; the matcher's table has a say in what is a letter, see reference.read."""
    table = np.frombuffer(fold, "<u4").astype(np.int64)
    folded, kind = np.zeros(400, np.uint8), np.zeros(400, np.uint8)
    place, until, points = np.zeros(400, np.int32), np.zeros(400, np.int32), np.zeros(80, np.int32)
    row = np.frombuffer(name + b"\0", np.uint8).astype(np.int64)
    n = text.prepare(row, 0, len(name), folded, place, until, kind, points, table, len(table) // 2)
    letters = ["~" if c <= 32 or c >= 127 or c == text.STAR else chr(c) for c in folded[:n].tolist()]
    return [
        reference.Letter(*each)
        for each in zip(letters, place[:n].tolist(), until[:n].tolist(), kind[:n].tolist(), strict=True)
    ]


@st.composite
def names(draw: st.DrawFn) -> str:
    parts = draw(st.lists(labels | scripts, max_size=5))
    encoded = [each.encode("punycode").decode() for each in parts]
    whole = [
        draw(st.sampled_from([part, f"xn--{code}", f"XN--{code}"])) for part, code in zip(parts, encoded, strict=True)
    ]
    return (
        draw(st.sampled_from(["", "*.", "www."]))
        + draw(st.sampled_from(".。．")).join(whole)
        + draw(st.sampled_from(["", "."]))
    )


@settings(deadline=None)
@given(names())
@example("*.")
@example("xn--")
@example("xn--a.xn--.com")
@example("xn--é-abc.vn")
@example("ﬃﬃ" * 60)
@example(".".join(["xn--" + ("ﬃ" * 50).encode("punycode").decode()] * 5))  # more letters than are read
def test_reads_as_the_reference_reads(fold: bytes, folds: Folds, name: str) -> None:
    assert prepared(name.encode(), fold) == reference.read(name.encode(), folds)


@pytest.mark.parametrize(
    ("name", "folded", "kinds"),
    [
        ("VCB.vn", "vcb.vn", {text.PLAIN}),
        ("đăngnhập", "dangnhap", {text.PLAIN, text.MARKED}),
        ("аpple", "apple", {text.PLAIN, text.ALIKE}),
        ("xn--pple-43d", "apple", {text.PLAIN, text.ALIKE}),
        ("中", "~", {text.UNKNOWN}),
    ],
)
def test_says_what_kind_a_letter_was(fold: bytes, name: str, folded: str, kinds: set[int]) -> None:
    read = prepared(name.encode(), fold)
    assert "".join(each.letter for each in read) == folded
    assert {each.kind for each in read} == kinds


def test_passes_over_what_is_too_long_for_a_name(fold: bytes) -> None:
    assert prepared(b"a" * reference.MOST, fold) != []
    assert prepared(b"a" * (reference.MOST + 1), fold) == []


@settings(deadline=None)
@given(st.binary(max_size=60))
@example(b"\xe0\x80\xae")
@example(b"a\xf0\x9f")
def test_reads_any_bytes(fold: bytes, name: bytes) -> None:
    for letter in prepared(name, fold):
        assert 0 <= letter.first < letter.behind <= len(name)
