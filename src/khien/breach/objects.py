"""JSON objects (RFC 8259), a line each (JSONL; also the lines of an array, and one object within another).

The rules are written down plainly in tests/breach/reference.py, which the kernel is held to; what a key holds it asks
of Python, once a block (labels).
"""

import json
from functools import cache
from typing import Any

import numpy as np

from khien.breach import leaked
from khien.breach.labels import MAIL, NAME, PHONE, SECRET, UNTOLD, URL, remembered, room, tell
from khien.breach.leaked import BROKEN, EMPTY, SPANS, TOO_LONG, Read, Spans, add, refuse
from khien.breach.octets import ASCII, HIGHEST, LOWEST, classes, eight, find, first, four, from_on, nibble, run, zeros
from khien.compiled import inner, kernel

LONGEST = 1 << 16  # octets of a line
NESTED = 3  # objects within objects, as exports of search engines have them: what is deeper is passed over
DEEPEST = 60  # objects and arrays within each other, a bit each; of more the line counts as broken

_SHORT, _FEW = 2, 2  # octets of a value, at least, and how many more there is room for
_QUOTE, _BACKSLASH, _COLON, _COMMA, _UNKNOWN = b'"\\:,?'
_MINUS, _PLUS, _DOT, _ZERO, _E = b"-+.0e"
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = b"{}[]"
_BLANK, _TAB, _RETURN, _NEWLINE, _BACKSPACE, _FORM_FEED = b" \t\r\n\b\f"
_SLASH, _B, _F, _N, _R, _T, _UNICODE = b"/bfnrtu"  # behind a backslash (RFC 8259, section 7)
_SPACE, _DIGIT, _AROUND = 1, 2, 4  # what an octet may be, bits: whitespace is that of RFC 8259, section 2
_MARKS = {_SPACE: rb"[ \t\r]", _DIGIT: rb"[0-9]", _AROUND: rb"[][, \t\r\xef\xbb\xbf]"}  # an object in its line
_TRUE, _FALSE, _NULL = (int.from_bytes(each[:4], "little") for each in (b"true", b"false", b"null"))  # begin so
_HIGH, _LOW, _PAIRED, _ABOVE = 0xD800, 0xDC00, 0x10000, 0xE000  # surrogates (RFC 8259, section 7)
_NONE = -1
_WHOLE, _WRONG = -1, -2  # what a line is, where no key is to be told of
_VALUE, _FIRST_VALUE, _KEY, _FIRST_KEY, _BEHIND = range(5)  # what comes next
_LINE, _END, _LAST, _AT, _WANT, _DEPTH, _OBJECTS, _PASSED, _KIND, _FIELDS, _STATE = range(11)  # where a reading stands
_FIELD = 4  # numbers of a field: what it holds, begin, end, and whether there are escapes


def objects(block: bytes, ended: bool, hashed: bool = False) -> Read:
    """Reads the lines of a block that are whole; ended: its last one is, too. hashed: as in leaked.batch.

    An object with several accounts gives a row for each, the first of them with the secret.
    """
    octets = np.frombuffer(block, np.uint8).copy()  # in which escapes become what they stand for
    spans = Spans.make(len(block) // _SHORT + _FEW)
    labels, fields = room(), np.empty(_FIELD * (min(len(block), LONGEST) // _SHORT + _FEW), np.int64)
    state = np.zeros(_STATE, np.int64)
    state[_AT] = _NONE
    while (place := read_objects(octets, len(block), ended, _classes(), labels, fields, state, *spans)) >= 0:
        begin, end = labels[place : place + 2].tolist()
        tell(labels, place, json.loads(b'"%s"' % block[begin:end]))
    return leaked.read(octets, spans, hashed)


@cache
def _classes() -> Any:
    return classes(_MARKS)


@inner
def hex_of(block, at):
    """The number of four hex digits; NONE where they are none."""
    number = np.int64(0)
    for each in range(at, at + 4):
        digit = nibble(block[each])
        if digit > 15:
            return np.int64(_NONE)
        number = number << 4 | digit
    return number


@inner
def usual_end(block, at, end):
    """Behind octets that stand for themselves, some of them at least: eight at a time."""
    while at + 8 <= end:
        word = eight(block, at)
        met = zeros(word ^ np.uint64(LOWEST * _QUOTE)) | zeros(word ^ np.uint64(LOWEST * _BACKSLASH))
        met |= (word | ~from_on(word & np.uint64(ASCII), _BLANK)) & np.uint64(HIGHEST)
        if met:
            return at + first(met)
        at += 8
    return at


@inner
def letter_width(block, at, end):
    """How many octets the letter takes that begins here, beyond ASCII (RFC 3629); 0: none does."""
    code = block[at]
    width = 2 if code < 0xE0 else 3 if code < 0xF0 else 4
    if code < 0xC2 or code > 0xF4 or at + width > end:
        return 0
    low = 0xA0 if code == 0xE0 else 0x90 if code == 0xF0 else 0x80
    high = 0x9F if code == 0xED else 0x8F if code == 0xF4 else 0xBF
    if block[at + 1] < low or block[at + 1] > high:
        return 0
    for each in range(at + 2, at + width):
        if block[each] >> 6 != 2:
            return 0
    return width


@inner
def escape_width(block, at, end):
    """How many octets the escape takes that begins here; 0: it is none."""
    if at + 1 >= end:
        return 0
    code = block[at + 1]
    if code == _UNICODE:
        return 6 if at + 6 <= end and hex_of(block, at + 2) >= 0 else 0
    return 2 if unescaped(code) >= 0 else 0


@inner
def unescaped(code):
    """What a letter behind a backslash stands for; NONE: nothing."""
    if code == _QUOTE or code == _BACKSLASH or code == _SLASH:
        return np.int64(code)
    if code == _B:
        return np.int64(_BACKSPACE)
    if code == _F:
        return np.int64(_FORM_FEED)
    if code == _N:
        return np.int64(_NEWLINE)
    if code == _R:
        return np.int64(_RETURN)
    return np.int64(_TAB if code == _T else _NONE)


@inner
def string_end(block, at, end):
    """Where the string ends at a quote whose first octet stands here, NONE where it does not or is none; and whether
    there are escapes in it."""
    escaped = False
    while True:
        at = usual_end(block, at, end)
        if at >= end:
            return np.int64(_NONE), escaped
        code = block[at]
        if code == _QUOTE:
            return np.int64(at), escaped
        if code == _BACKSLASH:
            escaped = True
            width = escape_width(block, at, end)
        elif code < 128:
            width = 1 if code >= _BLANK else 0
        else:
            width = letter_width(block, at, end)
        if width == 0:
            return np.int64(_NONE), escaped
        at += width


@inner
def scalar_end(block, at, end, classes):
    """Where a number or a literal ends, NONE where it is none; and whether it is a whole number."""
    if at + 4 <= end:
        word = four(block, at)
        if word == _TRUE or word == _NULL:
            return np.int64(at + 4), False
        if word == _FALSE and at + 5 <= end and block[at + 4] == _E:
            return np.int64(at + 5), False
    at += block[at] == _MINUS
    begin = at
    at = run(block, at, end, classes, _DIGIT)
    if at == begin or (block[begin] == _ZERO and at > begin + 1):
        return np.int64(_NONE), False
    whole = np.int64(at)
    if at < end and block[at] == _DOT:
        begin = at + 1
        at = run(block, begin, end, classes, _DIGIT)
        if at == begin:
            return np.int64(_NONE), False
    if at < end and block[at] | 32 == _E:
        at += 1
        at += at < end and (block[at] == _PLUS or block[at] == _MINUS)
        begin = at
        at = run(block, begin, end, classes, _DIGIT)
        if at == begin:
            return np.int64(_NONE), False
    return np.int64(at), at == whole


@inner
def note(fields, state, begin, end, escaped):
    """Notes a value, where it is read and not empty."""
    if state[_PASSED] == 0 and state[_KIND] > URL and end > begin:
        at = _FIELD * state[_FIELDS]
        fields[at] = state[_KIND]
        fields[at + 1] = begin
        fields[at + 2] = end
        fields[at + 3] = escaped
        state[_FIELDS] += 1


@inner
def enter(state, is_object):
    """Goes into an object or an array; whether it is not too deep. What stands in an array of an object is read, but
    for objects and arrays there."""
    depth = state[_DEPTH] + 1
    if state[_PASSED] == 0 and depth > 1 and (state[_OBJECTS] & 1 == 0 or (is_object and depth > NESTED)):
        state[_PASSED] = depth
    state[_DEPTH] = depth
    state[_OBJECTS] = state[_OBJECTS] << 1 | is_object
    state[_WANT] = _FIRST_KEY if is_object else _FIRST_VALUE
    return depth <= DEEPEST


@inner
def leave(state):
    if state[_PASSED] == state[_DEPTH]:
        state[_PASSED] = 0
    state[_DEPTH] -= 1
    state[_OBJECTS] >>= 1
    state[_WANT] = _BEHIND


@inner
def key(block, size, at, end, classes, labels, state):
    """Takes a key; where its value begins, NONE where it has none, and the place of what is to be told of it, NONE:
    nothing."""
    behind, _ = string_end(block, at + 1, end)
    if behind != _NONE and state[_PASSED] == 0:
        place, kind = remembered(block, size, at + 1, behind, labels)
        if kind == UNTOLD:
            return np.int64(at), place
        state[_KIND] = kind
    if behind != _NONE:
        behind = run(block, behind + 1, end, classes, _SPACE)
        behind = behind + 1 if behind < end and block[behind] == _COLON else np.int64(_NONE)
    state[_WANT] = _VALUE
    return behind, np.int64(_NONE)


@inner
def value(block, at, end, classes, fields, state):
    """Takes a value, of an object or an array its beginning; where it ends, NONE where it does not."""
    code = block[at]
    if code == _OPEN or code == _OPEN_LIST:
        return at + 1 if enter(state, code == _OPEN) else np.int64(_NONE)
    if code == _QUOTE:
        behind, escaped = string_end(block, at + 1, end)
        if behind != _NONE:
            note(fields, state, at + 1, behind, escaped)
            behind += 1
    else:
        behind, whole = scalar_end(block, at, end, classes)
        if behind != _NONE and whole:
            note(fields, state, at, behind, False)
    state[_WANT] = _BEHIND
    return behind


@inner
def walk(block, size, end, classes, labels, fields, state):
    """Goes on through the object that a line is. WHOLE: this was all of it; WRONG: it is none; else the place of a key
    that it wants to be told of."""
    at = state[_AT]
    while at >= 0:
        at = run(block, at, end, classes, _SPACE)
        outside, want = state[_DEPTH] == 0, state[_WANT]
        if at == end:
            return np.int64(_WHOLE if outside and want == _BEHIND else _WRONG)
        code, in_object = block[at], state[_OBJECTS] & 1
        closes = code == (_CLOSE if in_object else _CLOSE_LIST) and not outside
        if closes and want != _VALUE and want != _KEY:
            leave(state)
            at += 1
        elif want == _KEY or want == _FIRST_KEY:
            asked = np.int64(_NONE)
            behind = np.int64(_NONE)
            if code == _QUOTE:
                behind, asked = key(block, size, at, end, classes, labels, state)
            if asked >= 0:
                state[_AT] = at
                return asked
            at = behind
        elif want == _BEHIND:
            state[_WANT] = _KEY if in_object else _VALUE
            at = at + 1 if code == _COMMA and not outside else np.int64(_NONE)
        else:
            at = value(block, at, end, classes, fields, state)
    return np.int64(_WRONG)


@inner
def put_letter(number, block, to):
    """Writes a letter in UTF-8, half a pair of surrogates as what is not known; behind it."""
    if number < 0x80:
        block[to] = number
        return to + 1
    if _HIGH <= number < _ABOVE:
        block[to] = _UNKNOWN
        return to + 1
    width = 2 if number < 0x800 else 3 if number < _PAIRED else 4
    for each in range(width - 1, 0, -1):
        block[to + each] = 0x80 | (number & 63)
        number >>= 6
    block[to] = (0xF00 >> width) & 255 | number
    return to + width


@inner
def plain_end(block, begin, end):
    """Makes of the escapes of a string what they stand for; where it ends then."""
    at = to = begin
    while at < end:
        number = np.int64(block[at])
        if number != _BACKSLASH:
            block[to] = number
            at += 1
            to += 1
        elif block[at + 1] != _UNICODE:
            block[to] = unescaped(block[at + 1])
            at += 2
            to += 1
        else:
            number = hex_of(block, at + 2)
            at += 6
            if _HIGH <= number < _LOW and at + 6 <= end and block[at] == _BACKSLASH and block[at + 1] == _UNICODE:
                low = hex_of(block, at + 2)
                if _LOW <= low < _ABOVE:
                    number = _PAIRED + ((number - _HIGH) << 10) + low - _LOW
                    at += 6
            to = put_letter(number, block, to)
    return to


@inner
def join(block, fields, count, rows, done):
    """Notes the rows of an object's fields; whether there are any."""
    secret = secret_end = name = name_end = np.int64(0)
    for each in range(count):
        at = _FIELD * each
        begin, end = fields[at + 1], fields[at + 2]
        if fields[at + 3]:
            end = plain_end(block, begin, end)
            fields[at + 2] = end
        if fields[at] == SECRET and secret_end == 0:
            secret, secret_end = begin, end
        if fields[at] == NAME and name_end == 0:
            name, name_end = begin, end
    before = done[0]
    for kind in range(MAIL, PHONE + 1):
        for each in range(count):
            at = _FIELD * each
            if fields[at] == kind:
                last = secret_end if done[0] == before else secret  # the first has it
                add(rows, done, fields[at + 1], fields[at + 2], secret, last)
    return done[0] > before or add(rows, done, name, name_end, secret, secret_end)


@kernel("i8", "u1*", "i8", "i8", "u1*", "i8*", "i8*", "i8*", *SPANS)
def read_objects(block, size, ended, classes, labels, fields, state, rows, broken, done):
    """Notes the rows of lines that are whole. Answers the place of a key that it wants to be told of before it goes on,
    NONE at the end."""
    while state[_LINE] < size:
        line = state[_LINE]
        if state[_AT] == _NONE:
            end = find(block, line, size, _NEWLINE)
            if end == size and not ended:
                break
            begin, last = line, end
            begin = run(block, begin, last, classes, _AROUND)
            while begin < last and classes[block[last - 1]] & _AROUND:
                last -= 1
            for each in range(_END, _STATE):
                state[each] = 0  # and _WANT is _VALUE
            state[_END], state[_LAST], state[_AT] = end, last, begin
        begin, last, end = state[_AT], state[_LAST], state[_END]
        if last - begin > LONGEST:
            refuse(broken, done, line, end, TOO_LONG)
        elif begin < last:
            inside = state[_DEPTH] > 0 or block[begin] == _OPEN
            wanted = walk(block, size, last, classes, labels, fields, state) if inside else np.int64(_WRONG)
            if wanted >= 0:
                return wanted
            if wanted == _WRONG:
                refuse(broken, done, line, end, BROKEN)
            elif not join(block, fields, state[_FIELDS], rows, done):
                refuse(broken, done, line, end, EMPTY)
        state[_AT] = _NONE
        state[_LINE] = min(end + 1, size)
    done[2] = state[_LINE]
    return _NONE
