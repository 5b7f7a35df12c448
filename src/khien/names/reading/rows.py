"""The rows of one page while they are being read, in buffers that kernels and Python fill in turn."""

from typing import Any

import numpy as np
import pyarrow as pa

from khien import schema
from khien.names.reading import moments, syntax

KEPT = 1000  # rows set aside with their place; the rest of a page is only counted
EXCERPT = 80  # characters
LONGEST_LINE = 1 << 20  # bytes; a longer line is set aside and never held
LONGEST_RECORD = 1 << 14  # bytes of one record that runs over several lines, by quotes or parentheses

# Slots of Rows.at, the numbers that kernels and Python share.
POSITION, LINE, ROWS, USED, ROWS_FREE, VALUES_FREE, BEGIN, END, MOMENT = range(9)
FIRST_OWN = 9  # slots from here on mean what the kernel at hand says
SLOTS = 18

# What a kernel answers: the text is used up; one row for Python lies in BEGIN, END, MOMENT; the buffers are full; the
# record at POSITION goes on behind the text.
DONE, ONE_SLOW, FULL, OPEN = range(4)


class Rows:
    """Names met in one text, and what was refused of it. Buffers hold a name for every four bytes of text."""

    def __init__(self, text: bytes, timed: bool) -> None:
        """text ends with a newline: kernels look for it rather than for the end."""
        capacity = len(text) // 4 + 2
        self.text = text
        self.values = np.empty(len(text) + 2 * syntax.SPARE, np.uint8)
        self.offsets = np.empty(capacity + 1, np.int32)
        self.timed = timed
        self.moments = np.empty(capacity if timed else 1, np.int64)
        self.at = np.zeros(SLOTS, np.int64)
        self.at[ROWS_FREE], self.at[VALUES_FREE] = capacity, len(self.values)
        self.offsets[0] = 0
        self.full = False
        self.refusals = 0
        self._first = 0
        self._refused: list[tuple[int, int, bytes]] = []  # line, reason, how it begins
        # Indexing a memoryview costs a third of indexing an array.
        self._values, self._offsets, self._at, self._moments = map(
            _view, (self.values, self.offsets, self.at, self.moments)
        )

    def add(self, name: str, seen_at: int = moments.NO_TIME) -> None:
        """One name that ``syntax.fault`` finds good; seen_at in microseconds."""
        encoded, row, used = name.encode(), self._at[ROWS], self._at[USED]
        end = used + len(encoded)
        if end > len(self._values) or row + 2 > len(self._offsets):
            self._grow(end)
        self._values[used:end] = encoded
        self._offsets[row + 1] = self._at[USED] = end
        if self.timed:
            self._moments[row] = seen_at
        self._at[ROWS] = row + 1

    def _grow(self, used: int) -> None:
        """Makes room: a zone's origin is longer in each row than in the text that says it once."""
        self.values = np.concatenate([self.values, np.empty(max(used, len(self.values)), np.uint8)])
        self.offsets = np.concatenate([self.offsets, np.empty(len(self.offsets), np.int32)])
        self.moments = np.concatenate([self.moments, np.empty(len(self.moments), np.int64)])
        self.at[ROWS_FREE], self.at[VALUES_FREE] = len(self.offsets) - 1, len(self.values)
        self._values, self._offsets, self._moments = map(_view, (self.values, self.offsets, self.moments))

    def refuse(self, line: int, reason: int, begin: int, end: int) -> None:
        """Sets text[begin:end] aside."""
        self.set_aside(line, reason, self.text[begin : min(end, begin + 4 * EXCERPT)])

    def set_aside(self, line: int, reason: int, raw: bytes) -> None:
        """Notes a row that is refused, with what it begins with, or only counts it once KEPT are noted."""
        if self.refusals < KEPT:
            self._refused.append((line, reason, raw[: 4 * EXCERPT]))
        self.refusals += 1

    def judge(self, name: str, line: int, begin: int, end: int, seen_at: int = moments.NO_TIME) -> None:
        """Adds name, or sets text[begin:end] aside for what is wrong with it."""
        reason = syntax.fault(name)
        if reason:
            self.refuse(line, reason, begin, end)
        else:
            self.add(name, seen_at)

    def last(self) -> str:
        """The name last added, or ""."""
        row = self._at[ROWS]
        return bytes(self._values[self._offsets[row - 1] : self._offsets[row]]).decode() if row else ""

    def drop_first(self, name: str) -> None:
        """Leaves the first row out where it is name: what the page before ended with."""
        encoded = name.encode()
        if self._at[ROWS] and bytes(self._values[: self._offsets[1]]) == encoded:
            self._first = 1

    def names(self) -> pa.RecordBatch:
        """schema.NAMES, without a copy."""
        rows, used = self._at[ROWS], self._at[USED]
        buffers = [None, pa.py_buffer(self.offsets[: rows + 1]), pa.py_buffer(self.values[:used])]
        name = pa.StringArray.from_buffers(rows, buffers[1], buffers[2])
        return pa.record_batch([name, self._seen_at(rows)], schema=schema.NAMES).slice(self._first)

    def _seen_at(self, rows: int) -> pa.Array:
        if not self.timed:
            return pa.nulls(rows, schema.TIME)
        known = self.moments[:rows] != moments.NO_TIME
        return pa.array(self.moments[:rows], mask=~known).cast(schema.TIME)

    def skipped(self, file: str) -> pa.RecordBatch:
        """schema.SKIPPED; where more were refused than are kept, a last row says how many more: reason ``more``."""
        places = [f"{file}:{line}" for line, _, _ in self._refused]
        reasons = [syntax.REASONS[reason] for _, reason, _ in self._refused]
        excerpts = [excerpt(raw) for _, _, raw in self._refused]
        if self.refusals > KEPT:
            places.append(file)
            reasons.append("more")
            excerpts.append(str(self.refusals - KEPT))
        return pa.record_batch([places, reasons, excerpts], schema=schema.SKIPPED)


def _view(array: Any) -> memoryview:
    return memoryview(array)


def excerpt(raw: bytes) -> str:
    """At most EXCERPT characters that a terminal can show: what is not printable is escaped."""
    text = raw.decode(errors="backslashreplace")
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:EXCERPT])
    return shown if len(shown) <= EXCERPT else shown[: EXCERPT - 1] + "…"
