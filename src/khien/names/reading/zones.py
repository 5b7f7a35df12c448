"""Owner names of a zone in master format (RFC 1035 section 5.1), each once where it follows itself.

The kernel takes entries of one line that begin with a plain absolute or relative owner; Python takes the rest:
directives, ``@``, parentheses, quotes, escapes.
"""

import re
from typing import Any, NamedTuple

import numpy as np

from khien.compiled import inner, kernel
from khien.names.reading import rows, syntax
from khien.names.reading.layout import Layout, State
from khien.names.reading.syntax import copy_name

_NEWLINE, _POINT, _BLANK, _TAB, _SEMICOLON = 10, 46, 32, 9, 59

# One token: a string, a comment, a parenthesis, the end of a line, blanks, or a word with its escapes.
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\[^\n])*+"|;[^\n]*+|[()\n"]|[ \t\r\v\f]++|(?:[^ \t\r\v\f\n"();\\]|\\[^\n])++|\\')
_ESCAPE = re.compile(r"\\(\d\d\d|.)", re.DOTALL)


class _Entry(NamedTuple):
    words: list[bytes]  # the first two; an owner that is left out, to repeat, is b""
    end: int
    reason: int


def read(page: rows.Rows, layout: Layout, state: State, last: bool) -> tuple[int, State]:
    """Fills page; answers the bytes used and the state behind them."""
    at, text = page.at, np.frombuffer(page.text, np.uint8)
    at[rows.LINE] = state.line
    origin = state.origin
    while (answer := _split(text, len(page.text), syntax.CLASSES, at, page.values, page.offsets)) == rows.ONE_SLOW:
        begin, line = int(at[rows.POSITION]), int(at[rows.LINE])
        entry = _entry(page.text, begin)
        if entry.reason == syntax.OPEN_PARENTHESIS and entry.end == len(page.text) and not last:
            break
        origin = _read_entry(page, entry, begin, origin)
        at[rows.POSITION], at[rows.LINE] = entry.end, line + page.text.count(b"\n", begin, entry.end)
    page.full = answer == rows.FULL
    owner = page.last() or state.owner
    page.drop_first(state.owner)
    return int(at[rows.POSITION]), State(line=int(at[rows.LINE]), origin=origin, owner=owner)


def _entry(text: bytes, begin: int) -> _Entry:
    """The entry at text[begin:]: to the end of its line, or of the line that closes its last parenthesis."""
    words: list[bytes] = [b""] if text[begin] in b" \t" else []
    depth = 0
    for token in _TOKEN.finditer(text, begin):
        word, end = token.group(), token.end()
        if word == b"\n":
            if depth == 0:
                return _Entry(words, end, syntax.GOOD if end - begin <= rows.LONGEST_LINE else syntax.LINE_TOO_LONG)
            if end - begin > rows.LONGEST_RECORD:
                return _Entry(words, end, syntax.OPEN_PARENTHESIS)
        elif word == b'"' or (word == b")" and depth == 0):
            return _Entry(
                words, text.index(b"\n", end) + 1, syntax.OPEN_QUOTE if word == b'"' else syntax.OPEN_PARENTHESIS
            )
        elif word in (b"(", b")"):
            depth += 1 if word == b"(" else -1
        elif len(words) < 2 and word[0] not in b" \t\r\v\f;":
            words.append(word)
    return _Entry(words, len(text), syntax.OPEN_PARENTHESIS)


def _read_entry(page: rows.Rows, entry: _Entry, begin: int, origin: str) -> str:
    """Adds or sets aside the entry's owner; answers the origin behind it."""
    line, end = int(page.at[rows.LINE]), entry.end - 1
    owner = entry.words[0] if entry.words else b""
    if entry.reason:
        page.refuse(line, entry.reason, begin, end)
    elif owner.upper() == b"$ORIGIN" and len(entry.words) == 2:
        name, reason = _absolute(entry.words[1], origin)
        if reason in (syntax.GOOD, syntax.NO_DOT) or name == ".":
            return name
        page.refuse(line, reason, begin, end)
    elif owner[:1] == b"$":
        if owner.upper() != b"$TTL":  # $INCLUDE and $GENERATE stand for names that are not here
            page.refuse(line, syntax.DIRECTIVE, begin, end)
    elif owner:
        name, reason = _absolute(owner, origin)
        if reason == syntax.GOOD:
            if name != page.last():
                page.add(name)
        elif reason != syntax.NO_DOT or not name.endswith("."):  # a top-level domain at its own apex is no fault
            page.refuse(line, reason, begin, end)
    return origin


def _absolute(word: bytes, origin: str) -> tuple[str, int]:
    """The name that a word means below origin ("" where it is not known), and what is wrong with it."""
    try:
        name = _ESCAPE.sub(_unescaped, word.decode())
    except UnicodeDecodeError:
        return "", syntax.BAD_UTF8
    if name == "@":
        return origin, syntax.fault(origin) if origin else syntax.DIRECTIVE
    if origin and not name.endswith("."):
        name = f"{name}." if origin == "." else f"{name}.{origin}"
    return name, syntax.fault(name)


def _unescaped(escape: re.Match[str]) -> str:
    """The character; an escaped dot stands within a label, as in no domain name: it stays escaped, to be refused."""
    code = escape[1]
    character = chr(int(code)) if len(code) == 3 else code
    return escape[0] if character == "." or ord(character) > 127 else character


@kernel("i8", "u1*", "i8", "u1*", "i8*", "u1*", "i4*")
def _split(text: Any, size: int, classes: Any, at: Any, values: Any, offsets: Any) -> int:
    """Reads entries from at[POSITION] on, as long as they are plain; text ends with a newline."""
    last_row, last_used = at[rows.ROWS_FREE], at[rows.VALUES_FREE] - syntax.SPARE
    position, line, row, used = at[rows.POSITION], at[rows.LINE], at[rows.ROWS], at[rows.USED]
    answer = rows.DONE
    while position < size:
        if row >= last_row or used > last_used:
            answer = rows.FULL
            break
        behind, end, first = -1, -1, text[position]
        if first == _NEWLINE or first == _BLANK or first == _TAB or first == _SEMICOLON:
            behind = _behind_entry(text, position, classes)
        else:
            end = copy_name(text, position, classes, values, used)
            if end >= 0 and text[end - 1] == _POINT and (text[end] == _BLANK or text[end] == _TAB):
                behind = _behind_entry(text, end, classes)
        if behind < 0:
            answer = rows.ONE_SLOW
            break
        size_of_name = end - position
        if end >= 0 and not (row > 0 and _repeats(values, offsets[row - 1], used, size_of_name)):
            used += size_of_name
            row += 1
            offsets[row] = used
        position = behind
        line += 1
    at[rows.POSITION], at[rows.LINE], at[rows.ROWS], at[rows.USED] = position, line, row, used
    return answer


@inner
def _behind_entry(text: Any, begin: int, classes: Any) -> int:
    """Behind the newline that ends the entry; -1 where parenthesis, quote or escape may carry it on, or it is long."""
    i, comment = begin, False
    while text[i] != _NEWLINE:
        if not comment and classes[text[i]] == syntax.OTHER:
            byte = text[i]
            if byte == 40 or byte == 41 or byte == 34 or byte == 92:  # ( ) " \
                return -1
            comment = byte == _SEMICOLON
        i += 1
    return i + 1 if i - begin < rows.LONGEST_LINE - syntax.SPARE else -1


@inner
def _repeats(values: Any, begin: int, used: int, size: int) -> bool:
    """Whether the name just copied to values[used:] is the one that ends there."""
    if used - begin != size:
        return False
    for i in range(size):
        if values[begin + i] != values[used + i]:
            return False
    return True
