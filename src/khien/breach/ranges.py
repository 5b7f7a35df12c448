"""Answers to the first 20 bits of a digest, as Pwned Passwords writes them: whoever asks says no more than these.

A row is ``SUFFIX:COUNT``, the suffix in upper-case hex; CRLF stands between rows, and none behind the last.

Padding hides from who sees only how long an answer is which prefix was asked for. Padded answers of a table are all of
one length, to the octet: rows of count 0 stand among the others, and some of them say ``00``, since counts of several
digits leave a rest that no whole row fills. That length holds a bucket of mean + 6 standard deviations, which of
2**20 buckets of a hash one in a thousand tables exceeds by one; what is longer goes to the next length. Rows follow
from a key and the prefix, so that asking twice tells nothing more, and an answer can be kept.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from khien.breach.buckets import between, bucket_from, counted
from khien.breach.octets import eight, find, put_eight
from khien.breach.place import Place
from khien.breach.rows import COUNT, compared
from khien.breach.sorting import merged
from khien.breach.table import WIDTHS, Table
from khien.compiled import inner, kernel
from khien.contracts import Store
from khien.errors import ContractError

PUBLIC = "public-{}"  # the holding of what others publish, by mode: a list of its own, replaced as theirs is
PREFIXES = 1 << 20
DIGITS = 5  # of a prefix, in hex

LEAST = 800  # rows of a padded answer, as upstream's least
_STEP = 100  # rows
_DEVIATIONS = 6
_AROUND = 4  # octets of a row beside its suffix, where its count is of one digit
_LONG = 2  # further digits of a count, on average: more than was ever met
_MOST = (1 << 63) - 1  # a count: what is more stands as this
_COLON, _RETURN, _NEWLINE = b":\r\n"
_LONGEST = 1 + 19 + 2  # octets of a row behind its digits: a colon, a count below 2**63, the line's end


_PAIRS = np.frombuffer(b"".join(b"%02X" % octet for octet in range(256)), np.uint8)
_PAIRS_AT = int(_PAIRS.ctypes.data)


@dataclass(frozen=True)
class Ranges:
    """The answers of tables of one width, whose counts are added; at most two. key: of the padding, 32 octets."""

    tables: tuple[Table, ...]
    width: int
    key: bytes = field(repr=False)

    @cached_property
    def generation(self) -> str:
        """Names what the answers are made of: others where a table is another."""
        return "-".join(each.path.name[-16:] for each in self.tables) or "none"

    def body(self, prefix: int) -> bytes:
        """The rows of a prefix; where there are none one of count 0: Pwned Passwords always has some, and a few of its
        clients fail at an answer without any."""
        rows = self._rows(prefix)
        if not len(rows):
            rows = self._text([(self._made(prefix, 1), np.zeros(1, np.int64))], DIGITS)
        return rows[:-2].tobytes()

    def padded(self, prefix: int) -> bytes:
        """The rows of a prefix among rows of count 0."""
        rows = self._rows(prefix)
        more, longer = self._missing(len(rows))
        counts = np.zeros(more, np.int64)
        counts[:longer] = -1
        made = self._made(prefix, more)
        order = np.argsort(made[:, 2:10].copy().view(">u8")[:, 0], kind="stable")
        others = self._text([(made[order], counts[order])], DIGITS)
        out = np.empty(len(rows) + len(others), np.uint8)
        _merge(rows, len(rows), others, len(others), 2 * self.width - DIGITS, out)
        return out[:-2].tobytes()

    def batches(self, scratch: Path) -> Iterator[tuple[Any, Any]]:
        """All digests in order uint8[n, width] and their counts int64[n]. scratch: a folder, for a moment.

        CustodyError, behind the last batch: a table is damaged.
        """
        entries = [each.counted() for each in self.tables]
        for rows in merged((), self.width + COUNT, scratch=scratch, counted=True, beside=entries):
            counts = np.ascontiguousarray(rows[:, self.width :]).view(">i8")[:, 0].astype(np.int64)
            yield np.ascontiguousarray(rows[:, : self.width]), counts

    def lines(self, digests: Any, counts: Any) -> bytes:
        """A batch as lines ``HASH:COUNT``, CRLF behind each."""
        return self._text([(digests, counts)], 0).tobytes()

    def _rows(self, prefix: int) -> Any:
        """The rows of a prefix as lines, uint8; of one table in one step, ten thousand times a second."""
        if not 0 <= prefix < PREFIXES:
            raise ContractError(f"{prefix} is no number of 20 bits")
        if len(self.tables) == 1:
            out = np.empty(self._room, np.uint8)
            written = self._straight(prefix, _PAIRS_AT, out.ctypes.data, len(out))
            if written >= 0:
                return out[:written]
        return self._text([each.range(prefix) for each in self.tables], DIGITS)

    @cached_property
    def _straight(self) -> Callable[..., int]:
        return _lines.bound(*self.tables[0].parts)

    @cached_property
    def _room(self) -> int:
        """Octets that hold the rows of all but a few prefixes."""
        mean = sum(each.entries for each in self.tables) / PREFIXES
        return int(mean + 2 * _DEVIATIONS * sqrt(mean) + LEAST) * (2 * self.width - DIGITS + _LONGEST)

    def _missing(self, length: int) -> tuple[int, int]:
        """How many rows of count 0 an answer of a length lacks, and how many of them say ``00``."""
        row = 2 * self.width - DIGITS + _AROUND
        mean = sum(each.entries for each in self.tables) / PREFIXES
        filled = (mean + _DEVIATIONS * sqrt(mean)) * (row + _LONG) / row
        wanted = max(LEAST, -int(-filled // _STEP) * _STEP)
        while True:
            rows, rest = divmod(wanted * row - length, row)
            if rows >= rest:
                return rows, rest
            wanted += _STEP

    def _made(self, prefix: int, count: int) -> Any:
        """Rows that nobody tells from digests who has not the key (SHAKE128 over key, width and prefix)."""
        secret = self.key + bytes((self.width,)) + prefix.to_bytes(3, "big")
        rows = np.frombuffer(hashlib.shake_128(secret).digest(count * self.width), np.uint8)
        rows = rows.reshape(count, self.width).copy()
        rows[:, 0], rows[:, 1] = prefix >> 12, prefix >> 4 & 255
        rows[:, 2] = (prefix & 15) << 4 | rows[:, 2] & 15
        return rows

    def _text(self, lists: list[tuple[Any, Any]], skip: int) -> Any:
        """Lists of rows as one, without the first digits, a line each, uint8. Of two lists at most."""
        if not lists:
            return np.empty(0, np.uint8)
        rows, counts = lists[0] if len(lists) == 1 else map(np.concatenate, zip(*lists, strict=True))
        out = np.empty(len(counts) * (2 * self.width - skip + _LONGEST), np.uint8)
        at = (rows.ctypes.data, counts.ctypes.data)
        written = _write(*at, len(lists[0][1]), len(counts), self.width, skip, _PAIRS_AT, out.ctypes.data)
        return out[:written]


def opened(place: Place, store: Store, mode: str, key: bytes, before: Ranges | None = None) -> Ranges:
    """The ranges of what is held now, ours and what others publish. mode: of WIDTHS; key: of the padding; before: what
    was opened earlier, and is the answer where nothing has changed.

    CustodyError: a table is gone or damaged.
    """
    held = [place.holding(store, each) for each in (mode, PUBLIC.format(mode))]
    paths = [place.path(each) for each in held if each]
    if before and [each.path for each in before.tables] == paths:
        return before
    return Ranges(tuple(map(Table.open, paths)), WIDTHS[mode], key)


@inner
def _decimal(number, out, at):
    """Writes a count, below 0 as ``00``; answers where it ends."""
    digits = 2 if number < 0 else 1
    rest = number // 10 if number > 9 else 0
    while rest > 0:
        digits += 1
        rest //= 10
    rest = max(number, 0)
    for place in range(at + digits - 1, at - 1, -1):
        out[place] = 48 + rest % 10
        rest //= 10
    return at + digits


@inner
def _hex(rows, begin, end, pairs, out, at):
    """Writes octets as two digits each; answers where they end."""
    for octet in range(begin, end):
        pair = 2 * np.int64(rows[octet])
        high, low = pairs[pair], pairs[pair + 1]  # both before either is written: then it is one step
        out[at], out[at + 1] = high, low
        at += 2
    return at


@inner
def _end_line(count, out, at):
    """Writes a count and the line's end; answers where that is."""
    out[at] = _COLON
    at = _decimal(count, out, at + 1)
    out[at], out[at + 1] = _RETURN, _NEWLINE
    return at + 2


@kernel("i8", "u1*", "i8", "i8", "u1*", "u4*", "u1*", "i8*", "i8", "i8", "u1*", "u1*", "i8")
def _lines(rows, entries, rest, bits, bases, places, large, larger, prefix, pairs, out, room):
    """The rows of a prefix of one table as lines; answers how long they are, -1 where they may need more room."""
    begin, end = between(entries, bits, bases, places, prefix << 4, prefix << 4 | 15)
    if (end - begin) * (2 * rest + 1 + _LONGEST) > room:
        return -1
    at, bucket = np.int64(0), prefix << 4
    for row in range(begin, end):
        bucket = bucket_from(bits, entries, row, bucket)
        out[at] = pairs[2 * (bucket & 15) + 1]
        at = _hex(rows, row * (rest + 1), row * (rest + 1) + rest, pairs, out, at + 1)
        at = _end_line(counted(rows, rest, large, larger, row), out, at)
    return at


@kernel("i8", "u1*", "i8*", "i8", "i8", "i8", "i8", "u1*", "u1*")
def _write(rows, counts, first, end, width, skip, pairs, out):
    """Merges two sorted lists of rows, [0, first) and [first, end), into lines of text; counts of rows that are equal
    are added. Answers how long the text is."""
    one, two, at = np.int64(0), first, np.int64(0)
    while one < first or two < end:
        difference = np.int64(-1 if one < first else 1)
        if one < first and two < end:
            difference = compared(rows, one * width, rows, two * width, width)
        least = one if difference <= 0 else two
        count = counts[least]
        if difference == 0:
            count = counts[two] + min(count, _MOST - counts[two])
        one += difference <= 0
        two += difference >= 0
        place = least * width + (skip >> 1)
        if skip & 1:
            out[at] = pairs[2 * np.int64(rows[place]) + 1]
            at += 1
            place += 1
        at = _hex(rows, place, (least + 1) * width, pairs, out, at)
        at = _end_line(count, out, at)
    return at


@inner
def _copy_line(lines, at, end, digits, out, to):
    """Copies a line, in words of which the last may go beyond it; how long it is."""
    length = find(lines, at + digits, end, _NEWLINE) + 1 - at
    done = 0
    while done < length and at + done + 8 <= end:
        put_eight(eight(lines, at + done), out, to + done)
        done += 8
    for each in range(done, length):
        out[to + each] = lines[at + each]
    return length


@kernel("i8", "u1*", "i8", "u1*", "i8", "i8", "u1*")
def _merge(one, first, other, second, digits, out):
    """Merges lines that are sorted by so many digits."""
    a = b = to = 0
    while a < first or b < second:
        if b == second or (a < first and compared(one, a, other, b, digits) < 0):
            length = _copy_line(one, a, first, digits, out, to)
            a += length
        else:
            length = _copy_line(other, b, second, digits, out, to)
            b += length
        to += length
    return 0
