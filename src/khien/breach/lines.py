"""Combination lists: an account and what it is logged in with, a line each, whichever way the two are kept apart.

``user:pass``, ``user;pass``, ``user|pass``, a tab; ``url:user:pass``, and ``user:pass:url``. What comes first decides,
because passwords hold any character: an address ends where no address goes on, a URL where no URL does. The rules are
written down plainly in tests/breach/reference.py, which the kernel is held to.
"""

from functools import cache
from typing import Any

import numpy as np

from khien.breach import leaked
from khien.breach.leaked import EMPTY, NO_SEPARATOR, NUL, SPANS, TOO_LONG, Read, Spans, add, refuse
from khien.breach.octets import classes, find, run
from khien.compiled import inner, kernel

LONGEST = 4096  # octets of a line

_SHORT, _FEW = 16, 1024  # octets of a line on average, and lines: of more and shorter ones part of a block is read

# What an octet may be, bits.
LOCAL, HOST, APART, DIGIT, NUMBER, SCHEME = 1, 2, 4, 8, 16, 32
_MARKS = {
    LOCAL: rb"[A-Za-z0-9!#$%&'*+=?^_`{}~.\x80-\xff-]",  # an address's, without what keeps apart
    HOST: rb"[A-Za-z0-9_.\x80-\xff-]",
    APART: rb"[:;|\t]",
    DIGIT: rb"[0-9]",
    NUMBER: rb"[0-9+ ().-]",
    SCHEME: rb"[A-Za-z0-9+.-]",
}
COLON, SEMICOLON, COMMA, SPACE, SLASH, AT, DOT, TAB, RETURN, NEWLINE = b":;, /@.\t\r\n"
WINDOW = 1 << 15  # octets that are marked at a time
MARK = 0xEF  # the first octet of a byte order mark
NONE = -1


def combination(block: bytes, ended: bool, hashed: bool = False) -> Read:
    """Reads the lines of a block that are whole, or as many as there is room for; ended: its last one is whole, too.

    hashed: as in leaked.read.
    """
    octets = np.frombuffer(block, np.uint8)
    most = len(octets) // _SHORT + _FEW
    spans = Spans.make(most)
    marks = np.empty(WINDOW, np.int32)
    combine(octets, len(octets), ended, b"\0" in block, most, _classes(), marks, *spans)
    return leaked.read(octets, spans, hashed)


@cache
def _classes() -> Any:
    """Of each octet what it may be; and behind that, of each whether it is none that a host has."""
    found = classes(_MARKS)
    return np.concatenate([found, (found & HOST == 0).astype(np.uint8)])


@inner
def address_end(block, start, end, classes):
    """Behind an address that begins at start; NONE where none does."""
    at = run(block, start, end, classes, LOCAL)
    if at == start or at == end or block[at] != AT:
        return NONE
    host = at + 1
    dots = 0
    at = host
    while at < end and classes[block[at]] & HOST:
        dots += block[at] == DOT
        at += 1
    return at if dots else NONE


@inner
def slashes(block, at, end):
    """Whether :// stands here."""
    return at + 2 < end and block[at] == COLON and block[at + 1] == SLASH and block[at + 2] == SLASH


@inner
def next_apart(block, at, end, classes):
    """The next separator, or end."""
    while at < end and not classes[block[at]] & APART:
        at += 1
    return at


@inner
def authority_end(block, at, end, classes):
    """Where the host of a URL ends, and its port: at a separator, a slash or the end."""
    while at < end and not classes[block[at]] & APART and not is_path(block[at]) and block[at] != SPACE:
        at += 1
    if at == end or block[at] != COLON:
        return at
    digits = run(block, at + 1, end, classes, DIGIT)
    if not 1 <= digits - at - 1 <= 5 or digits == end:
        return at
    if is_path(block[digits]):
        return digits
    further = next_apart(block, digits + 1, end, classes)
    return digits if classes[block[digits]] & APART and further < end else at


@inner
def is_path(code):
    """Whether what stands behind a host begins with it: / ? #"""
    return code == SLASH or code == 63 or code == 35


@inner
def goes_on(block, at, end, classes):
    """Whether a separator in the path of a URL is part of it: of a URL within, a port, a parameter."""
    if block[at] == COLON:
        digits = run(block, at + 1, end, classes, DIGIT)
        return slashes(block, at, end) or (digits > at + 1 and digits < end and block[digits] == SLASH)
    if block[at] == SEMICOLON:
        behind = next_apart(block, at + 1, end, classes)
        for i in range(at + 1, behind):
            if block[i] == 61:
                return True
    return False


@inner
def path_end(block, start, end, classes):
    """Where the path of a URL ends: at the separator before an address, else at the first; end where there is none."""
    first = end
    for at in range(start, end):
        code = block[at]
        if code == SPACE:
            return min(first, at)
        if classes[code] & APART and not goes_on(block, at, end, classes):
            behind = address_end(block, at + 1, end, classes)
            if behind != NONE and (behind < end and classes[block[behind]] & APART):
                return at
            first = min(first, at)
    return first


@inner
def url_end(block, start, end, classes):
    """Behind a URL that begins at start, with a scheme, or without one before an address; NONE where none does."""
    at = run(block, start, end, classes, SCHEME)
    if at > start and slashes(block, at, end):
        at = authority_end(block, at + 3, end, classes)
        return path_end(block, at, end, classes) if at < end and is_path(block[at]) else at
    at = next_apart(block, start, end, classes)
    dots = paths = 0
    for i in range(start, at):
        if block[i] == AT or block[i] == SPACE:
            return NONE
        paths += block[i] == SLASH
        dots += block[i] == DOT and paths == 0
    if at == end or dots == 0:
        return NONE
    behind = address_end(block, at + 1, end, classes)
    known = behind != NONE and behind < end and classes[block[behind]] & APART
    return at if known or (paths and next_apart(block, at + 1, end, classes) < end) else NONE


@inner
def behind_address(block, at, end, classes):
    """Where the secret begins behind an address that ends at at; NONE where nothing keeps them apart."""
    blank = run_of(block, at, end, SPACE)
    if blank == end:
        return end
    if classes[block[blank]] & APART or block[blank] == COMMA:
        return blank + 2 if blank > at and blank + 1 < end and block[blank + 1] == SPACE else blank + 1
    return blank if blank > at else NONE


@inner
def run_of(block, at, end, code):
    """Behind the octets from at on that are this one."""
    while at < end and block[at] == code:
        at += 1
    return at


@inner
def before_url(block, start, end, classes):
    """Where a secret ends that a URL follows: at the separator before http:// or https://."""
    at = start
    while True:
        at = find(block, at, end, COLON)
        if at >= end - 2:
            return end
        if slashes(block, at, end) and at > start + 4:
            front = at - 5 if block[at - 1] | 32 == 115 else at - 4
            http = block[front] | 32 == 104 and block[front + 1] | 32 == 116 and block[front + 2] | 32 == 116
            if front > start and http and block[front + 3] | 32 == 112 and classes[block[front - 1]] & APART:
                return front - 1
        at += 1


@inner
def split(block, start, end, classes, rows, broken, done):
    """Notes the row in a line that begins with no blank."""
    at = start
    behind = address_end(block, at, end, classes)
    secret = behind_address(block, behind, end, classes) if behind != NONE else NONE
    last = end
    if secret == NONE:
        url = url_end(block, at, end, classes)
        if url != NONE:
            at = run_of(block, min(url + 1, end), end, SPACE)
            behind = address_end(block, at, end, classes)
            secret = behind_address(block, behind, end, classes) if behind != NONE else NONE
        if secret == NONE:
            behind = next_apart(block, at, end, classes)
            secret = behind + 1
            if behind == end and (url != NONE or end - at < 8 or run(block, at, end, classes, NUMBER) < end):
                refuse(broken, done, start, end, NO_SEPARATOR)
                return
        last = end if url != NONE else before_url(block, secret, end, classes)
    else:
        last = before_url(block, secret, end, classes)
    if not add(rows, done, at, behind, min(secret, last), last):
        refuse(broken, done, start, end, EMPTY)


@inner
def mark(block, start, end, classes, marks):
    """Notes where octets are that no host has: few of a line, and all that its usual form is known by; how many."""
    count = 0
    for at in range(start, end):
        marks[count] = at
        count += classes[256 + block[at]]
    return count


@inner
def usual(block, start, classes, marks, first, last):
    """Where the secret begins in a line of a usual form, NONE in another: host characters and a separator, or such, @,
    a host and a separator; no URL behind. The line's marks are those from first to before last."""
    if last == first or marks[first] == start or block[start] == MARK:
        return NONE
    address = block[marks[first]] == AT
    for each in range(first + 1, last):
        code = block[marks[each]]
        if code == SLASH or code == 0 or (code == AT and not address):
            return NONE
    behind = np.int64(marks[first])
    if address:
        if last - first < 2:
            return NONE
        front, behind = behind, np.int64(marks[first + 1])
        at = behind - 1
        while block[at] != DOT and at > front:
            at -= 1
        if at == front or block[behind] == COMMA:
            return behind + 1 if at > front else NONE
    return behind + 1 if classes[block[behind]] & APART else NONE


@kernel("i8", "u1*", "i8", "i8", "i8", "i8", "u1*", "i4*", *SPANS)
def combine(block, size, ended, nuls, most, classes, marks, rows, broken, done):
    """Notes the rows of lines that are whole, at most so many; nuls: some octet is NUL. Answers how many there are.

    marks: room for those of a window.
    """
    start = lines = 0
    bound = count = first = 0  # how far octets are marked, how many marks there are, the first of a line
    while start < size and lines < most:
        last = first
        while last < count and block[marks[last]] != NEWLINE:
            last += 1
        if last >= count and bound < min(size, start + WINDOW):
            bound = min(size, start + WINDOW)
            count = mark(block, start, bound, classes, marks)
            first = 0
            continue
        end = np.int64(marks[last]) if last < count else find(block, bound, size, NEWLINE)
        if end == size and not ended:
            break
        lines += 1
        behind = min(end + 1, size)
        if end > start and block[end - 1] == RETURN:
            end -= 1
        secret = usual(block, start, classes, marks, first, last) if end - start <= LONGEST else NONE
        if secret != NONE:
            add(rows, done, start, secret - 1, min(secret, end), end)
        else:
            unusual(block, start, end, nuls, classes, rows, broken, done)
        start = behind
        first = last + 1
    done[2] = start
    return done[0]


@inner
def unusual(block, start, end, nuls, classes, rows, broken, done):
    """Notes the row of a line of any form, if there is one."""
    if end - start >= 3 and block[start] == MARK and block[start + 1] == 0xBB and block[start + 2] == 0xBF:
        start += 3  # files are joined with their byte order marks
    at = start
    while at < end and (block[at] == SPACE or block[at] == TAB):
        at += 1
    if end - start > LONGEST:
        refuse(broken, done, start, end, TOO_LONG)
    elif nuls and find(block, start, end, 0) < end:
        refuse(broken, done, start, end, NUL)
    elif at < end:
        split(block, at, end, classes, rows, broken, done)
