"""What all checks compare with, and the sentence they end in."""

from collections import Counter
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import Any

import pyarrow as pa


def hold(kept: bool, sentence: str) -> None:
    """AssertionError with the sentence unless kept; unlike ``assert``, also under ``python -O``."""
    if not kept:
        raise AssertionError(sentence)


def hold_part(part: Any, *class_variables: str) -> None:
    """A part is a frozen dataclass, and what its contract asks of the class is no field of it."""
    kind = type(part)
    frozen = is_dataclass(part) and kind.__dataclass_params__.frozen
    hold(frozen, f"{kind.__name__} is no frozen dataclass, whose fields are its settings")
    settings = {field.name for field in fields(kind)}
    for name in class_variables:
        hold(hasattr(kind, name) and name not in settings, f"{kind.__name__} lacks the class variable {name}")


def hold_same_schema(whose: str, what: str, given: pa.Schema, wanted: pa.Schema) -> None:
    hold(given.equals(wanted), f"{whose}: {what} has the columns\n{given}\ninstead of\n{wanted}")


def hold_same(whose: str, how: str, given: Any, wanted: Any) -> None:
    """Two sets or two counters of rows are the same; the sentence shows up to three rows that differ."""
    if given != wanted:
        missing, extra = sorted(wanted - given)[:3], sorted(given - wanted)[:3]
        raise AssertionError(f"{whose} gives something else {how}: missing {missing}, too much {extra}")


def as_set(rows: pa.RecordBatch | pa.Table) -> frozenset[str]:
    return frozenset(map(repr, rows.to_pylist()))


def as_counts(rows: pa.RecordBatch | pa.Table) -> Counter[str]:
    return Counter(map(repr, rows.to_pylist()))


def shuffled(count: int, seed: int) -> list[int]:
    """The numbers below count in an order that follows from seed alone."""
    return sorted(range(count), key=lambda number: sha256(f"{seed}/{number}".encode()).digest())
