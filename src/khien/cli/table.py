"""Findings as a table for people: names defanged, the part that imitates marked."""

import io
from collections.abc import Mapping

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from khien import words
from khien.cli.columns import Span, Why, columns
from khien.cli.terminal import shown, shown_params
from khien.words import number, printable

_NARROWEST = 60  # characters: below, columns would hold single letters
_SCORE = 6  # of the score's column
_BETWEEN = 12  # of the gaps between five columns


class Table:
    """Draws columns of findings, page by page, in columns that keep their width."""

    def __init__(self, labels: Mapping[str, str], language: str, width: int | None, live: bool, encoding: str) -> None:
        """labels: what people call a brand, by id. width: of the screen, None to ask. live: it is a terminal."""
        self._labels = labels
        self._language = language
        self._live = live
        self._encoding = encoding
        self._console = Console(
            file=io.StringIO(), force_terminal=live, width=width, markup=False, emoji=False, highlight=False
        )
        self._begun = False

    def encode(self, batch: pa.RecordBatch, /) -> bytes:
        """The rows as bytes of the terminal's encoding; the heading comes with the first of them."""
        if not batch.num_rows:
            return b""
        findings = columns(batch)
        table = self._empty()
        for domain, brand, techniques, score, span, suppressed, reasons in findings.rows():
            known = f" ({words.phrase('known', self._language)})" if suppressed else ""
            table.add_row(
                self._name(domain, span),
                number(score, self._language, 2),
                printable(self._labels.get(brand, brand)) + known,
                ", ".join(words.technique(each, self._language) for each in techniques),
                sentence(findings.whys[reasons[0]], self._language) if reasons else "",
                style="dim" if suppressed else None,
            )
        self._begun = True
        with self._console.capture() as drawn:
            self._console.print(table)
        return drawn.get().encode(self._encoding, errors="backslashreplace")

    def _empty(self) -> RichTable:
        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_header=not self._begun, show_edge=False)
        left = max(self._console.width, _NARROWEST) - _SCORE - _BETWEEN
        shares = {"name": 0.36, "brand": 0.16, "how": 0.16, "why": 0.32}
        for heading in ("name", "score", "brand", "how", "why"):
            width = _SCORE if heading == "score" else int(left * shares[heading])
            justify = "right" if heading == "score" else "left"
            text = words.phrase(f"column-{heading}", self._language)
            table.add_column(text, width=width, justify=justify, overflow="fold")
        return table

    def _name(self, domain: str, span: Span | None) -> Text:
        """The part in bold red; where there are no colours, between arrows."""
        begin, end = span or (0, 0)
        before, part, behind = (shown(each) for each in (domain[:begin], domain[begin:end], domain[end:]))
        if not self._live and part:
            part = f"→{part}←"
        return Text.assemble(before, (part, "bold red"), behind)


def sentence(why: Why, language: str) -> str:
    """A reason for the screen."""
    code, params = why
    return words.reason(code, shown_params(dict(params)), language)
