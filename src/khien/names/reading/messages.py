"""Names in JSON: a string or an object a line, the same in one array, and the messages of certstream servers."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from khien.errors import FormatError
from khien.names.reading import moments, rows, syntax
from khien.names.reading.layout import COLUMNS, DATES, Layout, State

_BETWEEN = re.compile(rb"[\s,]*+")
_MARK = re.compile(rb'"(?:[^"\\]|\\.)*+("?)|[\[\]{}]', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\[\]{}\"]++")
_NO_NAMES = ("heartbeat",)


def read(page: rows.Rows, layout: Layout, state: State, last: bool) -> tuple[int, State]:
    """Fills page; answers the bytes used and the state behind them. FormatError: an array that breaks off."""
    begin, number = 0, state.line
    while begin < len(page.text):
        if layout.array:
            start = _value_start(page.text, begin)
            end = _value_end(page.text, start)
            number += page.text.count(b"\n", begin, start)
            if end < 0:
                _check_open(len(page.text) - start, number, last)
                return start, State(line=number)
        else:
            start, end = begin, page.text.index(b"\n", begin)
        _read_value(page, layout.key, number, start, end)
        number += page.text.count(b"\n", start, end) + (not layout.array)
        begin = end + (not layout.array)
    return begin, State(line=number)


def _check_open(size: int, line: int, last: bool) -> None:
    if size > rows.LONGEST_LINE:
        raise FormatError(f"line {line}: a value of the array is longer than {rows.LONGEST_LINE:,} bytes")
    if last and size > 0:
        raise FormatError(f"line {line}: the array breaks off in the middle: fetch the file again")


def _value_start(text: bytes, begin: int) -> int:
    """The next value of the array; its own brackets, commas and blanks are passed over."""
    start = begin
    while start < len(text):
        between = _BETWEEN.match(text, start)
        start = between.end() if between else start
        if text[start : start + 1] not in (b"[", b"]"):
            break
        start += 1
    return start


def _value_end(text: bytes, begin: int) -> int:
    """Behind the value at begin, or -1 where text ends before it does."""
    scalar = _SCALAR.match(text, begin)
    if scalar:
        return scalar.end() if scalar.end() < len(text) else -1
    depth = 0
    for mark in _MARK.finditer(text, begin):
        first = text[mark.start()]
        if first == 34:
            if not mark[1]:
                return -1
        else:
            depth += 1 if first in b"[{" else -1
        if depth <= 0:
            return mark.end()
    return -1


def _read_value(page: rows.Rows, key: str, line: int, begin: int, end: int) -> None:
    raw = page.text[begin:end].strip()
    if not raw:
        return
    if end - begin > rows.LONGEST_LINE:
        page.refuse(line, syntax.LINE_TOO_LONG, begin, end)
        return
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        reason = syntax.BAD_UTF8 if isinstance(error, UnicodeDecodeError) else syntax.BAD_JSON
        page.refuse(line, reason, begin, end)
        return
    if isinstance(value, dict) and value.get("message_type") in _NO_NAMES:
        return
    found = 0
    for name in _names(value, key):
        page.judge(name, line, begin, end, _seen_at(value))
        found += 1
    if not found:
        page.refuse(line, syntax.MISSING_COLUMN, begin, end)


def _names(value: Any, key: str) -> Iterator[str]:
    """Of a string, of an object under key or one of COLUMNS, of a certstream message; each once."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        named = (value.get(column) for column in ((key,) if key else COLUMNS))
        name = next((each for each in named if isinstance(each, str)), None)
        if name is not None:
            yield name
        elif not key:
            yield from dict.fromkeys(each for each in _certificate_names(value.get("data")) if isinstance(each, str))


def _certificate_names(message: Any) -> list[Any]:
    """certstream's ``data``: an update holds the leaf's names, a list of names stands for itself."""
    if isinstance(message, dict):
        leaf = message.get("leaf_cert")
        message = leaf.get("all_domains") if isinstance(leaf, dict) else None
    return message if isinstance(message, list) else []


def _seen_at(value: Any) -> int:
    """Of the first of DATES an object has as text, or of a certstream message's ``seen`` (seconds since 1970)."""
    if not isinstance(value, dict):
        return moments.NO_TIME
    text = next((value[date] for date in DATES if isinstance(value.get(date), str)), None)
    if text is not None:
        encoded = text.encode()
        return moments.moment(encoded, 0, len(encoded))
    message = value.get("data")
    seen = message.get("seen") if isinstance(message, dict) else None
    if isinstance(seen, (int, float)) and 0 <= seen < 253_402_300_800:  # the year 10000
        return round(seen * 1_000_000)
    return moments.NO_TIME
