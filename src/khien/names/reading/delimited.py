"""One name a line: plain lists, and CSV and TSV with the name in one column (RFC 4180, quoted or not).

Most rows never meet Python: the kernel splits, checks and copies them, and stops at a row that needs more than bytes
(a URL, an IDN, a comment behind a name).
"""

from typing import Any

import numpy as np

from khien.compiled import inner, kernel
from khien.names.reading import moments, rows, syntax
from khien.names.reading.layout import Layout, State
from khien.names.reading.moments import moment  # compiled code is called by its name, not through its module
from khien.names.reading.syntax import copy_name

_DELIMITER, _QUOTED, _COLUMN, _DATED, _LAST, _DATE_BEGIN, _DATE_END, _FIRST_LINE, _REASON = range(
    rows.FIRST_OWN, rows.SLOTS
)
_NEWLINE, _QUOTE, _HASH, _SLASH = 10, 34, 35, 47
_NOTHING, _OPEN = -2, -3  # beside the reasons: a row without a name, a record that goes on behind the text


def read(page: rows.Rows, layout: Layout, state: State, last: bool) -> tuple[int, State]:
    """Fills page; answers the bytes used and the state behind them."""
    at, size = page.at, len(page.text)
    text = np.frombuffer(page.text, np.uint8)
    at[rows.LINE] = state.line
    at[_DELIMITER] = ord(layout.delimiter or "\n")
    at[_QUOTED] = layout.delimiter not in ("", "\t")  # a quote in tab-separated text is a character like another
    at[_COLUMN], at[_DATED], at[_LAST] = layout.column, layout.dated, last
    arrays = (syntax.CLASSES, at, page.values, page.offsets, page.moments)
    addresses = [each.ctypes.data for each in (text, *arrays)]  # taken once: a kernel that stops often is called often
    while True:
        answer = _split(addresses[0], size, *addresses[1:])
        if answer != rows.ONE_SLOW:
            page.full = answer == rows.FULL
            return int(at[rows.POSITION]), State(line=int(at[rows.LINE]))
        _read_one(page)


def _read_one(page: rows.Rows) -> None:
    """The row that the kernel stopped at."""
    begin, end, line, reason, seen_at = page.at[[rows.BEGIN, rows.END, _FIRST_LINE, _REASON, rows.MOMENT]].tolist()
    name = ""
    if reason == syntax.GOOD:
        name, reason = syntax.name_in(page.text[begin:end])
    if reason:
        page.refuse(line, reason, begin, end)
    elif name:
        page.add(name, seen_at)


@kernel("i8", "u1*", "i8", "u1*", "i8*", "u1*", "i4*", "i8*")
def _split(text: Any, size: int, classes: Any, at: Any, values: Any, offsets: Any, seen: Any) -> int:
    """Reads rows from at[POSITION] on, as long as they are plain; text ends with a newline."""
    delimiter, quoted, dated = at[_DELIMITER], at[_QUOTED], at[_DATED]
    names_first = at[_COLUMN] == 0 and dated < 0
    last_row, last_used = at[rows.ROWS_FREE], at[rows.VALUES_FREE] - syntax.SPARE
    position, line, row, used = at[rows.POSITION], at[rows.LINE], at[rows.ROWS], at[rows.USED]
    answer = rows.DONE
    while position < size:
        if row >= last_row or used > last_used:
            answer = rows.FULL
            break
        time, begin, end, behind = moments.NO_TIME, position, -1, -1
        if names_first:  # most rows of most files: one look at each byte
            end = copy_name(text, begin, classes, values, used)
            if end >= 0 and (text[end] == _NEWLINE or text[end] == delimiter):
                behind = _behind_line(text, end, quoted)
        if behind >= 0:
            line += 1
        else:
            at[rows.POSITION], at[rows.LINE] = position, line
            reason = _next_record(text, size, at)
            if reason == _OPEN:
                answer = rows.OPEN
                break
            behind, line = at[rows.POSITION], at[rows.LINE]
            if reason == _NOTHING:
                position = behind
                continue
            begin = at[rows.BEGIN]
            host = begin if reason != syntax.GOOD else _behind_scheme(text, begin, at[rows.END])
            end = copy_name(text, host, classes, values, used) if reason == syntax.GOOD else -1
            if dated >= 0:
                time = moment(text, at[_DATE_BEGIN], at[_DATE_END])
            if end < 0 or not (end == at[rows.END] or (host > begin and _ends_host(text[end]))):
                at[_REASON], at[rows.MOMENT] = reason, time
                position = behind
                answer = rows.ONE_SLOW
                break
            begin = host
        used += end - begin
        if dated >= 0:
            seen[row] = time
        row += 1
        offsets[row] = used
        position = behind
    at[rows.POSITION], at[rows.LINE], at[rows.ROWS], at[rows.USED] = position, line, row, used
    return answer


@inner
def _behind_line(text: Any, position: int, quoted: int) -> int:
    """Behind the newline that ends this line; -1 where a quote may hold it, or it is far off."""
    i = position
    while text[i] != _NEWLINE:
        if quoted and text[i] == _QUOTE:
            return -1
        i += 1
    return i + 1 if i - position < rows.LONGEST_LINE - syntax.SPARE else -1


@inner
def _next_record(text: Any, size: int, at: Any) -> int:
    """Moves POSITION and LINE behind one record, BEGIN and END around its name: GOOD, a reason, _NOTHING or _OPEN."""
    delimiter, quoted, column, dated = at[_DELIMITER], at[_QUOTED], at[_COLUMN], at[_DATED]
    start = at[rows.POSITION]
    position, field, newlines, unclosed = start, 0, 0, False
    at[rows.BEGIN] = at[_DATE_BEGIN] = at[_DATE_END] = 0
    comment = text[start] == _HASH
    while True:
        left = position
        if quoted and not comment and position < size and text[position] == _QUOTE:
            left += 1
            limit = min(size, start + rows.LONGEST_RECORD)
            right = _closing_quote(text, left, limit)
            unclosed = right >= limit
            newlines += _newlines(text, left, right)
            position = right + 1 - unclosed
            while position < size and text[position] != _NEWLINE and (unclosed or text[position] != delimiter):
                position += 1
        else:
            while position < size and text[position] != _NEWLINE and text[position] != delimiter:
                position += 1
            right = position
        if field == column:
            at[rows.BEGIN], at[rows.END] = left, right
        if field == dated:
            at[_DATE_BEGIN], at[_DATE_END] = _trimmed(text, left, right)
        if position >= size or text[position] == _NEWLINE:
            break
        field += 1
        position += 1
    if unclosed and not at[_LAST] and size - start <= rows.LONGEST_RECORD:
        return _OPEN
    at[_FIRST_LINE] = at[rows.LINE]
    at[rows.LINE] += newlines + 1
    at[rows.POSITION] = position + 1
    reason = _whole(text, start, position, field, column, unclosed, comment)
    if reason == syntax.GOOD:
        at[rows.BEGIN], at[rows.END] = _trimmed(text, at[rows.BEGIN], at[rows.END])
    else:
        at[rows.BEGIN], at[rows.END] = start, position
    return reason


@inner
def _whole(text: Any, begin: int, end: int, fields: int, column: int, unclosed: bool, comment: bool) -> int:
    """What is wrong with a record as such."""
    if end - begin > rows.LONGEST_LINE:
        return syntax.LINE_TOO_LONG
    if unclosed:
        return syntax.OPEN_QUOTE
    if comment or (fields == 0 and _blank(text, begin, end)):
        return _NOTHING
    return syntax.GOOD if fields >= column else syntax.MISSING_COLUMN


@inner
def _behind_scheme(text: Any, begin: int, end: int) -> int:
    """Behind ``http://`` or ``https://`` (lower case), or begin where none is. Text goes on behind end."""
    if (
        end - begin < 8
        or text[begin] != 104
        or text[begin + 1] != 116
        or text[begin + 2] != 116
        or text[begin + 3] != 112
    ):
        return begin
    i = begin + 4 + (text[begin + 4] == 115)
    return i + 3 if text[i] == 58 and text[i + 1] == _SLASH and text[i + 2] == _SLASH else begin


@inner
def _ends_host(byte: int) -> bool:
    """A slash, question mark or hash; user names and ports are for Python."""
    return byte == _SLASH or byte == 63 or byte == _HASH


@inner
def _closing_quote(text: Any, begin: int, limit: int) -> int:
    """Where the quote stands that closes a field; a doubled one is a quote in it. At least limit where none does."""
    i = begin
    while i < limit:
        if text[i] == _QUOTE:
            if i + 1 >= limit or text[i + 1] != _QUOTE:
                return i
            i += 1
        i += 1
    return max(i, limit)


@inner
def _newlines(text: Any, begin: int, end: int) -> int:
    count = 0
    for i in range(begin, end):
        count += text[i] == _NEWLINE
    return count


@inner
def _blank(text: Any, begin: int, end: int) -> bool:
    for i in range(begin, end):
        if text[i] != 32 and text[i] != 9 and text[i] != 13:
            return False
    return True


@inner
def _trimmed(text: Any, begin: int, end: int) -> tuple[int, int]:
    """The bounds without blanks, tabs and carriage returns around."""
    while begin < end and (text[begin] == 32 or text[begin] == 9 or text[begin] == 13):
        begin += 1
    while begin < end and (text[end - 1] == 32 or text[end - 1] == 9 or text[end - 1] == 13):
        end -= 1
    return begin, end
