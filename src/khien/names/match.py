"""Where a word stands in a name, and by which change: the matcher's inner functions.

Every way of imitating a word leaves a four-letter piece of it in *shape space* (shape.py), where letters that look
alike are one letter, ``m w d`` are the pairs ``rn vv cl``, and separators are gone. So the search looks only for such
pieces (words.py), and what is here says exactly what stands around one:

- the shape equals the word's: exact, look-alikes, hyphens or dots put between its letters;
- one optimal-string-alignment edit (Damerau, each substring edited once) inside one label, words of 5 letters and more;
- two such edits, words of 11 letters and more, the first letter and the last left as they were.

``reference.py`` says the same without pieces, plainly and slowly; both must find the same.
"""

from khien.compiled import inner
from khien.names.shape import CODE, LETTER
from khien.names.text import DOT, is_separator

# How a word was changed, from the most to the least telling; a lower rank wins. rank = change * 8 + form
EXACT, ALIKE, HYPHENATED, ALIKE_HYPHENATED, DOTTED, ALIKE_DOTTED, ONE_EDIT, TWO_EDITS = 0, 1, 2, 3, 4, 5, 6, 7
TRANSPOSED, INSERTED, SUBSTITUTED, OMITTED = 0, 1, 2, 3  # forms of ONE_EDIT; of TWO_EDITS: how the lengths differ
NO_MATCH = 99
ALIKE_LEAST, HYPHEN_LEAST, DOT_LEAST, ONE_LEAST, TWO_LEAST = 4, 5, 6, 5, 11  # letters a word needs


@inner
def same(text, at, word, first, length):
    """Whether text[at:at + length] is word[first:first + length]."""
    for i in range(length):
        if text[at + i] != word[first + i]:
            return False
    return True


@inner
def fits_beside(text, here, since, until, word, first, at, n):
    """Whether a window with word[at:at + 4] standing at text[here] can be one edit away.

    The edit is on one side of the four, so at the other the next letter is the word's, or the word ends there.
    """
    if here + 4 > until or not same(text, here, word, first + at, 4):
        return False
    before = at == 0 or (here > since and text[here - 1] == word[first + at - 1])
    return before or at + 4 == n or (here + 4 < until and text[here + 4] == word[first + at + 4])


@inner
def is_pair(c):
    """m, w or d: what two letters together look like."""
    return c == 109 or c == 119 or c == 100


@inner
def shape_change(text, start, end, word, first, length):
    """How text[start:end], whose shape is the word's, differs from it: a change, or NO_MATCH.

    A digit of the word is matched by itself only; letters are matched by what looks like them.
    """
    changed = 0
    hyphens = 0
    dots = 0
    i = 0
    at = start
    while i < length:
        if at >= end:
            return NO_MATCH
        c = text[at]
        w = word[first + i]
        if c == DOT:
            dots = 1
            at += 1
        elif is_separator(c):
            hyphens = 1
            at += 1
        elif c == w:
            i += 1
            at += 1
        elif 48 <= w <= 57:
            return NO_MATCH
        elif is_pair(w):  # two letters of the text, or nothing
            if at + 1 >= end or is_separator(text[at + 1]) or is_pair(text[at + 1]):
                return NO_MATCH
            changed = 1
            i += 1
            at += 2
        elif is_pair(c):  # and the other way round
            if i + 1 >= length or word[first + i + 1] < 97 or is_pair(word[first + i + 1]):
                return NO_MATCH
            changed = 1
            i += 2
            at += 1
        else:
            changed = 1
            i += 1
            at += 1
    if at != end or i != length:
        return NO_MATCH
    if dots:
        change = ALIKE_DOTTED if changed else DOTTED
        least = DOT_LEAST
    elif hyphens:
        change = ALIKE_HYPHENATED if changed else HYPHENATED
        least = HYPHEN_LEAST
    else:
        change = ALIKE if changed else EXACT
        least = ALIKE_LEAST if changed else 0
    return change if length >= least else NO_MATCH


@inner
def edit_forward(text, start, until, word, first, n):
    """One edit between the word and a window that begins at start inside text[start:until].

    Answers ``form * 4 + (window length - n) + 1`` of the best form, or -1.
    """
    i = 0
    while i < n and start + i < until and text[start + i] == word[first + i]:
        i += 1
    if i == n:
        return -1
    here = start + i
    left = n - i
    if (
        left > 1
        and start + n <= until
        and text[here] == word[first + i + 1]
        and text[here + 1] == word[first + i]
        and same(text, here + 2, word, first + i + 2, left - 2)
    ):
        return TRANSPOSED * 4 + 1
    if start + n + 1 <= until and same(text, here + 1, word, first + i, left):
        return INSERTED * 4 + 2
    if start + n <= until and same(text, here + 1, word, first + i + 1, left - 1):
        return SUBSTITUTED * 4 + 1
    if start + n - 1 <= until and same(text, here, word, first + i + 1, left - 1):
        return OMITTED * 4
    return -1


@inner
def within_two(text, start, length, word, first, n, rows):
    """Whether text[start:start + length] and the word are at most two edits apart (optimal string alignment).

    rows: room for three rows of the usual table, 64 numbers each, of which a band of five is filled.
    """
    for j in range(3):
        rows[64 + j] = j
    for i in range(1, length + 1):
        now = 64 * ((i + 1) % 3)
        before = 64 * (i % 3)
        older = 64 * ((i + 2) % 3)
        low = max(0, i - 2)
        high = min(n, i + 2)
        if low == 0:
            rows[now] = i
            low = 1
        else:
            rows[now + low - 1] = 9
        least = rows[now + low - 1]
        for j in range(low, high + 1):
            best = rows[before + j - 1] + (0 if text[start + i - 1] == word[first + j - 1] else 1)
            best = min(best, rows[now + j - 1] + 1)
            if j < i + 2:
                best = min(best, rows[before + j] + 1)
            if (
                i > 1
                and j > 1
                and text[start + i - 1] == word[first + j - 2]
                and text[start + i - 2] == word[first + j - 1]
            ):
                best = min(best, rows[older + j - 2] + 1)
            rows[now + j] = best
            least = min(least, best)
        if least > 2:
            return False
    return rows[64 * ((length + 1) % 3) + n] <= 2


@inner
def strewn(text, since, until, near, word, first, n):
    """Whether all letters of the word but two stand within two places of where they would, were it to begin at near.

    Necessary for two edits, and cheap.
    """
    lost = 0
    for i in range(n):
        there = False
        for j in range(max(since, near + i - 2), min(until, near + i + 3)):
            there = there or text[j] == word[first + i]
        if not there:
            lost += 1
            if lost > 2:
                return False
    return True


@inner
def two_edits(text, since, until, near, word, first, n, rows):
    """The best window of text[since:until] that is two edits from the word and begins at most two beside near.

    Answers ``form * 64 + (start - near + 2) * 8 + length - n + 2`` or -1; a form says by how much the lengths differ.
    """
    found = -1
    if not strewn(text, since, until, near, word, first, n):
        return found
    for start in range(max(since, near - 2), near + 3):
        for length in range(n - 2, n + 3):
            form = abs(length - n)
            if (
                start + length <= until
                and text[start] == word[first]
                and text[start + length - 1] == word[first + n - 1]
                and (found < 0 or form < found // 64)
                and within_two(text, start, length, word, first, n, rows)
            ):
                found = form * 64 + (start - near + 2) * 8 + length - n + 2
    return found


@inner
def shape_at(text, begin, codes, n_codes, at, shapes, shape_first, n_shape, letters, first, n):
    """Where in text the word's shape stands whose codes are to begin at codes[at], and how it was changed: (start, end,
    change), NO_MATCH where it does not stand there. begin: of the name."""
    behind = at + n_shape
    if at < 1 or behind > n_codes:
        return 0, 0, NO_MATCH
    for i in range(n_shape):
        if codes[at + i] & CODE != shapes[shape_first + i]:
            return 0, 0, NO_MATCH
    start = codes[at] >> LETTER
    last = codes[behind - 1] >> LETTER
    if codes[at - 1] >> LETTER == start or codes[behind] >> LETTER == last:
        return 0, 0, NO_MATCH  # it would begin or end in the middle of m, w or d
    start += begin
    end = begin + last + 1
    return start, end, shape_change(text, start, end, letters, first, n)


@inner
def touches_boundary(text, start, end, begin, behind):
    """Whether a label's edge, a separator or a digit stands at one side of text[start:end] at least, in the name
    text[begin:behind]."""
    return start == begin or end == behind or text[start - 1] < 97 or text[end] < 97
