"""Rows in every format, for findings no honest source would give."""

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import schema, words
from khien.cli.jsonl import Jsonl
from khien.cli.sheet import Sheet
from khien.cli.table import Table
from khien.cli.terminal import shown
from khien.words import number, printable

UNSEEN = "\x00\x07\x1b[2J\x7f\x9b\u200b\u202e\u2028\ufeff\U000e0041"
HOSTILE = ("a.example", 'q"uo\\te.example', f"{UNSEEN}.example", "ngân-hàng.example", "[/bold][red]x", "=cmd()", "")


def finding(subject: str, part: str, span: list[int] | None, suppressed: bool = False) -> dict[str, Any]:
    reasons = [
        {"code": "combosquat", "params": [("brand", "B"), ("word", "b")]},
        {"code": "mixed-script", "params": [("part", part)]},
    ]
    known = [{"code": "supplier", "params": [("brand", part), ("domain", subject), ("source", "s")]}]
    return {
        "id": bytes(32),
        "detector": "lookalike",
        "kind": "domain",
        "subject": subject,
        "claim": part,
        "episode": None,
        "score": 0.123456,
        "start": None,
        "end": None,
        "techniques": ["combosquat", "lure"] if span else [],
        "span": span,
        "suppressed": suppressed,
        "reasons": known if suppressed else reasons,
    }


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=schema.FINDINGS)


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """What a line of JSON says, made the slow way."""
    said = {"domain": row["subject"], "brand": row["claim"], "techniques": row["techniques"], "score": 0.1235}
    told = [(each["code"], dict(each["params"])) for each in row["reasons"]]
    said |= {"span": row["span"], "reasons": {n: [words.reason(*why, n) for why in told] for n in words.LANGUAGES}}
    return said | ({"suppressed": True} if row["suppressed"] else {})


ROWS = st.builds(
    finding,
    st.sampled_from(HOSTILE) | st.text(),
    st.sampled_from(HOSTILE) | st.text(),
    st.none() | st.just([0, 1]),
    st.booleans(),
)


@given(st.lists(ROWS, max_size=8), st.integers(0, 8))
def test_a_line_says_what_the_finding_says(rows: list[dict[str, Any]], start: int) -> None:
    text = Jsonl().encode(batch(*rows).slice(min(start, len(rows)))).decode()
    lines = text.removesuffix("\n").split("\n") if text else []
    assert [json.loads(line) for line in lines] == [plain(row) for row in rows[start:]]
    assert all(line.isprintable() for line in lines)


@given(st.lists(ROWS, max_size=8))
def test_a_sheet_holds_no_formula(rows: list[dict[str, Any]]) -> None:
    encoded = Sheet(suppressed=True).encode(batch(*rows)).decode()
    table = list(csv.reader(io.StringIO(encoded, newline="")))
    assert len(table) == (len(rows) + 1 if rows else 0)
    for line in table:
        for cell in line:
            assert cell.isprintable()
            assert not cell.startswith(("=", "+", "-", "@"))


@given(st.lists(ROWS, max_size=4), st.sampled_from(words.LANGUAGES))
def test_a_table_moves_no_cursor(rows: list[dict[str, Any]], language: str) -> None:
    drawn = Table({"": "[/bold]" + UNSEEN}, language, 40, False, "utf-8").encode(batch(*rows)).decode()
    assert all(line.isprintable() for line in drawn.splitlines())
    assert bool(drawn) == bool(rows)


def test_the_heading_comes_once() -> None:
    row = batch(finding("a.example", "a", [0, 1]))
    sheet = Sheet(suppressed=False)
    table = Table({"a": "A"}, "en", 100, False, "ascii")
    assert sheet.encode(batch()) == table.encode(batch()) == b""
    assert (sheet.encode(row).count(b"domain"), sheet.encode(row).count(b"domain")) == (1, 0)
    assert (table.encode(row).count(b"Resembles"), table.encode(row).count(b"Resembles")) == (1, 0)


@pytest.mark.parametrize("text", [*HOSTILE, UNSEEN])
def test_what_a_screen_gets(text: str) -> None:
    assert printable(text).isprintable()
    assert "." not in shown(text).replace("[.]", "")


def test_numbers() -> None:
    assert (number(1234567.891, "en", 1), number(1234567.891, "vi", 1)) == ("1,234,567.9", "1.234.567,9")
