"""Findings as CSV, for spreadsheets: no cell is taken for a formula."""

import csv
import io
from collections.abc import Sequence

import pyarrow as pa

from khien import words
from khien.cli.columns import Why, columns
from khien.words import printable

_HEADER = ("domain", "brand", "techniques", "score", "span", "reasons_en", "reasons_vi")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # OWASP, CSV injection


class Sheet:
    """Encodes columns of findings as CSV (RFC 4180, lines ended by LF); the header comes with the first of them."""

    def __init__(self, suppressed: bool) -> None:
        """suppressed: findings that are known good are among them, and a column says which."""
        self._suppressed = suppressed
        self._begun = False

    def encode(self, batch: pa.RecordBatch, /) -> bytes:
        """A line each; lists are joined by ``; ``."""
        findings = columns(batch)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if findings.domains and not self._begun:
            writer.writerow((*_HEADER, "suppressed") if self._suppressed else _HEADER)
            self._begun = True
        for domain, brand, techniques, score, span, suppressed, reasons in findings.rows():
            joined = "; ".join(map(str, span)) if span else ""
            texts = [cell(each) for each in (domain, brand, "; ".join(techniques))]
            row = [*texts, score, joined, *_sentences([findings.whys[n] for n in reasons])]
            writer.writerow([*row, str(suppressed).lower()] if self._suppressed else row)
        return text.getvalue().encode()


def _sentences(whys: Sequence[Why]) -> tuple[str, str]:
    """In English, in Vietnamese."""
    english, vietnamese = (
        cell("; ".join(words.reason(code, dict(params), language) for code, params in whys))
        for language in ("en", "vi")
    )
    return english, vietnamese


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return printable("'" + text if text.startswith(_FORMULA) else text)
