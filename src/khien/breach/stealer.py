"""What programs that steal log-ins write down: blocks of lines, a label and a value each.

    URL: https://example.vn/login
    Username: lan@example.vn
    Password: secret

A block ends at an empty line, at a line of strokes, or where a label comes again. Labels are those of some ten
languages, in one log of several, too; others (Soft, Application, Storage) and text between blocks are passed over. The
rules are written down plainly in tests/breach/reference.py, which the kernel is held to; what a label holds it asks of
Python, once a block (labels).
"""

from functools import cache
from typing import Any

import numpy as np

from khien.breach import leaked
from khien.breach.columns import LONGEST_LABEL
from khien.breach.labels import MAIL, NAME, SECRET, UNTOLD, URL, remembered, room, tell
from khien.breach.leaked import EMPTY, NUL, SPANS, TOO_LONG, Read, Spans, add, refuse
from khien.breach.octets import classes, find, run, small, up_to
from khien.compiled import inner, kernel

LONGEST = 4096  # octets of a line
LONGEST_BLOCK = 1 << 16  # of a block that does not end: what it holds so far is a row
NOTHING = (  # what stands for a value that is not there, in any case
    *(b"unknown", b"na", b"n/a", b"null", b"none", b"empty"),
    *(b"%snot%ssaved%s" % (left, gap, right) for left in (b"", b"[") for gap in (b" ", b"_") for right in (b"", b"]")),
)

_NOTHINGS, _TWO = len(NOTHING), 16  # how many, and octets of two words, which hold each
_SHORT, _FEW = 2, 2  # octets of what is noted, at least, and how many more there is room for
_LETTER, _NAME, _STROKE, _BLANK, _SPACE = 1, 2, 4, 8, 16  # what an octet may be, bits
_MARKS = {
    _LETTER: rb"[A-Za-z\x80-\xff]",
    _NAME: rb"[A-Za-z\x80-\xff ()/_-]",
    _STROKE: rb"[ \t=*_#~+-]",
    _BLANK: rb"[ \t]",
    _SPACE: rb"\s",
}
_COLON, _TAB, _RETURN, _NEWLINE = b":\t\r\n"
_WIDE_1, _WIDE_2, _WIDE_3 = b"\xef\xbc\x9a"  # a colon of full width
_NONE = -1
_AT, _START, _LOGIN, _LOGIN_END, _PASS, _PASS_END, _STATE = range(7)  # where a reading stands


def blocks(block: bytes, ended: bool, hashed: bool = False) -> Read:
    """Reads the blocks of text that are whole; ended: the last one is, too. hashed: as in leaked.batch."""
    octets = np.frombuffer(block, np.uint8)
    spans = Spans.make(len(block) // _SHORT + _FEW)
    labels, state = room(), np.full(_STATE, _NONE, np.int64)
    state[[_AT, _START]] = 0
    given = (octets, len(block), ended, b"\0" in block, _classes(), _nothing(), labels, state)
    while (place := read_blocks(*given, *spans)) >= 0:
        begin, end = labels[place : place + 2].tolist()
        tell(labels, place, block[begin:end].decode(errors="replace"))
    return leaked.read(octets, spans, hashed)


@cache
def _classes() -> Any:
    return classes(_MARKS)


@cache
def _nothing() -> Any:
    """NOTHING, two words each."""
    return np.array([np.frombuffer(each.ljust(_TWO, b"\0"), "<u8") for each in NOTHING], np.uint64)


@inner
def colon(block, at, end):
    """How many octets a colon takes that stands here; 0: none does."""
    if block[at] == _COLON:
        return 1
    wide = at + 2 < end and block[at] == _WIDE_1 and block[at + 1] == _WIDE_2 and block[at + 2] == _WIDE_3
    return 3 if wide else 0


@inner
def label(block, at, end, classes):
    """Where the label begins and ends that a line begins with, and where the value behind it does, as columns.labelled
    says; NONE as the last: there is none."""
    begin = run(block, at, end, classes, _BLANK)
    behind = at = begin + 1
    if at >= end or not classes[block[begin]] & _LETTER:
        return begin, begin, np.int64(_NONE)
    while at < end and behind - begin <= LONGEST_LABEL:
        code = block[at]
        if at > begin + 1:
            if code == _TAB:
                at = run(block, at, end, classes, _BLANK)
            width = colon(block, at, end) if at < end else 0
            if width:
                value = np.int64(at + width)
                return begin, behind, value + (value < end and classes[block[value]] & _BLANK != 0)
        if code == _TAB or not classes[code] & _NAME:
            break
        at += 1
        behind = behind if classes[code] & _BLANK else at
    return begin, begin, np.int64(_NONE)


@inner
def stripped(block, begin, end, classes):
    begin = run(block, begin, end, classes, _SPACE)
    while end > begin and classes[block[end - 1]] & _SPACE:
        end -= 1
    return begin, end


@inner
def is_nothing(block, size, begin, end, nothing):
    """Whether a value stands for none."""
    if end - begin > _TWO:
        return False
    low, high = small(up_to(block, size, begin, end)), small(up_to(block, size, begin + 8, end))
    met = False
    for each in range(_NOTHINGS):
        met |= (nothing[2 * each] == low) & (nothing[2 * each + 1] == high)
    return met


@inner
def close(end, state, rows, broken, done):
    """Ends a block: notes its row, or that its labels have nothing behind them."""
    met = state[_LOGIN] >= 0 or state[_PASS] >= 0
    login, secret = max(state[_LOGIN], 0), max(state[_PASS], 0)
    if met and not add(rows, done, login, max(state[_LOGIN_END], 0), secret, max(state[_PASS_END], 0)):
        refuse(broken, done, state[_START], end, EMPTY)
    for each in range(_LOGIN, _STATE):
        state[each] = _NONE


@inner
def take(block, size, kind, at, value, end, classes, nothing, state, rows, broken, done):
    """Takes the value behind a label into the block, which ends before the label where it has such a one."""
    login, secret = state[_LOGIN] >= 0, state[_PASS] >= 0
    account = (kind >= MAIL) & (kind <= NAME)
    if (kind == URL and (login or secret)) or (account and login) or (kind == SECRET and secret):
        close(at, state, rows, broken, done)
        state[_START] = at
    if account or kind == SECRET:
        begin, behind = stripped(block, value, end, classes)
        if is_nothing(block, size, begin, behind, nothing):
            value = begin = behind = end
        if account:
            state[_LOGIN] = begin
            state[_LOGIN_END] = behind
        else:
            state[_PASS] = value
            state[_PASS_END] = end


@kernel("i8", "u1*", "i8", "i8", "i8", "u1*", "u8*", "i8*", "i8*", *SPANS)
def read_blocks(block, size, ended, nuls, classes, nothing, labels, state, rows, broken, done):
    """Notes the rows of blocks that are whole. Answers the place of a label that it wants to be told of before it
    goes on, NONE at the end."""
    at = state[_AT]
    while at < size:
        end = find(block, at, size, _NEWLINE)
        if end == size and not ended:
            break
        behind = min(end + 1, size)
        while end > at and block[end - 1] == _RETURN:
            end -= 1
        if at - state[_START] > LONGEST_BLOCK:
            close(at, state, rows, broken, done)
            state[_START] = at
        if end - at > LONGEST:
            refuse(broken, done, at, end, TOO_LONG)
        elif nuls and find(block, at, end, 0) < end:
            refuse(broken, done, at, end, NUL)
        else:
            begin, name_end, value = label(block, at, end, classes)
            if value >= 0:
                place, kind = remembered(block, size, begin, name_end, labels)
                if kind == UNTOLD:
                    state[_AT] = at
                    return place
                take(block, size, kind, at, value, end, classes, nothing, state, rows, broken, done)
            elif run(block, at, end, classes, _STROKE) == end:
                close(at, state, rows, broken, done)
                state[_START] = behind
        at = behind
    state[_AT] = at
    if ended or (state[_START] == 0 and at >= LONGEST_BLOCK):  # a block without end: given up at its last whole line
        close(at, state, rows, broken, done)
        state[_START] = at
    done[2] = state[_START]
    while done[1] > 0 and broken[3 * (done[1] - 1)] >= done[2]:
        done[1] -= 1  # it is read again, with the block that it is in
    return _NONE
