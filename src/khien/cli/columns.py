"""Findings as Python values, a column at a time."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow.compute import call_function

PLACES = 4  # a score is shown, and held to a bound, rounded to so many
Why = tuple[str, tuple[tuple[str, str], ...]]  # code of a reason, its parameters
Span = tuple[int, int]
Row = tuple[str, str, tuple[str, ...], float, Span | None, bool, list[int]]


class Columns(NamedTuple):
    """Columns of equal length, one place a finding; reasons are indices into whys, each of which is there once."""

    domains: list[str]
    brands: list[str]  # ids
    techniques: list[tuple[str, ...]]
    scores: list[float]  # rounded to PLACES
    spans: list[Span | None]
    suppressed: list[bool]
    reasons: list[list[int]]
    whys: list[Why]

    def rows(self) -> Iterable[Row]:
        """The findings, in the order of the columns."""
        return zip(*self[:-1], strict=True)


def columns(findings: pa.RecordBatch) -> Columns:
    """The columns people get of schema.FINDINGS."""
    reasons, whys = distinct_reasons(findings["reasons"])
    return Columns(
        findings["subject"].to_pylist(),
        findings["claim"].to_pylist(),
        _texts(findings["techniques"]),
        findings["score"].to_numpy().round(PLACES).tolist(),
        _spans(findings["span"]),
        findings["suppressed"].to_pylist(),
        reasons.to_pylist(),
        whys,
    )


def _texts(lists: pa.ListArray) -> list[tuple[str, ...]]:
    return [tuple(texts) for texts in lists.to_pylist()]


def _spans(spans: pa.FixedSizeListArray) -> list[Span | None]:
    return [tuple(span) if span else None for span in spans.to_pylist()]


def distinct_reasons(reasons: pa.ListArray) -> tuple[pa.ListArray, list[Why]]:
    """Reasons repeat: the same lists as indices into reasons each of which is there once."""
    flat = reasons.values
    params = flat.field("params")
    texts = [_joined(params.offsets, each) for each in (params.keys, params.items)]
    spelt = call_function("binary_join_element_wise", [flat.field("code"), *texts, scalar("\0")])
    numbers = spelt.dictionary_encode().indices
    _, first = np.unique(numbers.to_numpy(), return_index=True)
    met = flat.take(pa.array(first.tolist(), pa.int64())).to_pylist()
    whys: list[Why] = [(each["code"], tuple(each["params"])) for each in met]
    return pa.ListArray.from_arrays(reasons.offsets, numbers), whys


def _joined(offsets: pa.Array, texts: pa.StringArray) -> pa.StringArray:
    """One text a list; no name or word has a NUL."""
    return call_function("binary_join", [pa.ListArray.from_arrays(offsets, texts), scalar("\0")])


def scalar(text: str) -> pa.StringScalar:
    """The text as Arrow has it. Of a named type: to guess one pyarrow looks for pandas on the disk, each time."""
    return pa.scalar(text, pa.string())
