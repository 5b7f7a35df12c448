"""Numbers of people point at nobody: whoever sees a total and its parts cannot work out a small one."""

from collections.abc import Iterator, Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.pipeline import few
from khien.pipeline.few import FEWEST, Said

LARGE = FEWEST + 12  # of a part that is withheld beside others; larger ones tell no more


def guesses(said: Said, parts: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """All that the withheld parts could be, to who knows which of them are small."""
    hidden = [name for name, count in said.parts.items() if count is None]
    ranges = [range(1, FEWEST) if few.few(parts[name]) else range(FEWEST, LARGE + FEWEST * 9) for name in hidden]
    told = sum(count for count in said.parts.values() if count is not None)
    for counts in product(*ranges):
        if said.total is None or sum(counts) + told == said.total:
            yield dict(zip(hidden, counts, strict=True))


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, LARGE)))
def test_no_small_part_can_be_worked_out(parts: dict[str, int]) -> None:
    said = few.said(parts)
    possible = [*guesses(said, parts)]
    for name, count in parts.items():
        if few.few(count):
            assert len({each[name] for each in possible}) > 1, said
        elif count == 0:
            assert said.parts[name] == 0
    assert not few.few(said.total or 0)


@pytest.mark.parametrize(
    ("parts", "total", "shown"),
    [
        ({}, 0, {}),
        ({"a": 40, "b": 50}, 90, {"a": 40, "b": 50}),
        ({"a": 4}, None, {"a": None}),
        ({"a": 4, "b": 50}, 54, {"a": None, "b": None}),  # else b and the total would tell a
        ({"a": 4, "b": 50, "c": 20}, 74, {"a": None, "b": 50, "c": None}),
        ({"a": 1, "b": 10, "c": 90}, 101, {"a": None, "b": None, "c": None}),  # a + b = 11 would tell both
        ({"a": 9, "b": 9}, None, {"a": None, "b": None}),
        ({"a": 8, "b": 5, "c": 30}, 43, {"a": None, "b": None, "c": 30}),
    ],
)
def test_what_is_withheld(parts: dict[str, int], total: int | None, shown: dict[str, int | None]) -> None:
    assert few.said(parts) == Said(total, shown)
