"""One row's name as the matcher reads it: lower-case ASCII, foreign letters folded, every place kept.

A name comes as UTF-8 bytes in any form (upper case, trailing dot, wildcard, U-labels, A-labels). What leaves is an
array of ASCII bytes with, for each, the first character of the input it stands for, the one behind it, and what kind
it was. Functions here are kernels' inner functions: plain Python over arrays, no allocation.
"""

from khien.compiled import inner

LONGEST = 320  # letters there is room for, of which eight stay free; DNS allows 253 (RFC 1035 section 2.3.4)
DOT, HYPHEN, UNDERSCORE, STAR = 46, 45, 95, 42
PLAIN, MARKED, ALIKE, UNKNOWN = 0, 1, 2, 3  # kinds of characters: ASCII, Latin with marks, look-alike, other


@inner
def is_separator(c):
    """Hyphen, underscore or dot."""
    return c == HYPHEN or c == DOT or c == UNDERSCORE


@inner
def fold_put(point, first, behind, n, text, place, until, kind, folds, n_folds):
    """Appends what a code point folds to; answers the new length."""
    if point < 128:
        if 65 <= point <= 90:
            point += 32
        text[n] = point
        place[n] = first
        until[n] = behind
        kind[n] = PLAIN
        return n + 1
    low = 0
    high = n_folds
    while low < high:
        middle = (low + high) // 2
        if folds[2 * middle] < point:
            low = middle + 1
        else:
            high = middle
    if low == n_folds or folds[2 * low] != point:
        text[n] = 126  # no letter of any word
        place[n] = first
        until[n] = behind
        kind[n] = UNKNOWN
        return n + 1
    packed = folds[2 * low + 1]
    letters = packed & 0xFFFFFF
    if letters == 0 and n > 0:  # a combining mark: it is the letter before that is not as it seems
        kind[n - 1] = packed >> 24
    while letters and n < LONGEST - 4:
        text[n] = letters & 0xFF
        place[n] = first
        until[n] = behind
        kind[n] = packed >> 24
        letters >>= 8
        n += 1
    return n


@inner
def utf8_at(row, i, end):
    """The code point at i and its width in bytes, as ``point * 8 + width``; U+FFFD for bytes that are none."""
    c = row[i]
    width = 1
    point = 0xFFFD
    if c < 0x80:
        point = c
    elif 0xC2 <= c < 0xE0 and i + 1 < end:
        width = 2
        point = (c & 0x1F) << 6 | (row[i + 1] & 0x3F)
    elif 0xE0 <= c < 0xF0 and i + 2 < end:
        width = 3
        point = (c & 0x0F) << 12 | (row[i + 1] & 0x3F) << 6 | (row[i + 2] & 0x3F)
    elif 0xF0 <= c < 0xF5 and i + 3 < end:
        width = 4
        point = (c & 0x07) << 18 | (row[i + 1] & 0x3F) << 12 | (row[i + 2] & 0x3F) << 6 | (row[i + 3] & 0x3F)
    return point * 8 + width


@inner
def punycode(row, start, end, points):
    """Decodes the label row[start:end], which follows ``xn--`` (RFC 3492 section 6.2), into code points.

    Answers how many (at most 63), or -1 where it is no Punycode.
    """
    basic = start - 1
    for i in range(start, end):
        if row[i] == HYPHEN:
            basic = i
    n_points = 0
    if end - start > 63:
        return -1
    for i in range(start, basic):
        c = row[i]
        if c >= 128:
            return -1
        points[n_points] = c + 32 if 65 <= c <= 90 else c
        n_points += 1
    i = max(basic + 1, start)
    point = 128
    index = 0
    bias = 72
    first = True
    while i < end:
        old = index
        weight = 1
        k = 36
        while True:
            if i >= end:
                return -1
            c = row[i]
            i += 1
            digit = c - 97 if 97 <= c <= 122 else c - 65 if 65 <= c <= 90 else c - 22 if 48 <= c <= 57 else 99
            if digit > 35:
                return -1
            index += digit * weight
            if index > 0x7FFFFFF:
                return -1
            threshold = 1 if k <= bias else 26 if k >= bias + 26 else k - bias
            if digit < threshold:
                break
            weight *= 36 - threshold  # stays below 2**33: index, checked above, is no less than the weight before
            k += 36
        delta = (index - old) // (700 if first else 2)
        first = False
        delta += delta // (n_points + 1)
        k = 0
        while delta > 455:
            delta //= 35
            k += 36
        bias = k + 36 * delta // (delta + 38)
        point += index // (n_points + 1)
        index %= n_points + 1
        if point > 0x10FFFF or n_points >= 63:
            return -1
        for j in range(n_points, index, -1):
            points[j] = points[j - 1]
        points[index] = point
        n_points += 1
        index += 1
    return n_points


@inner
def prepare(row, start, end, text, place, until, kind, points, folds, n_folds):
    """Writes the folded name into text and its places; answers its length, 0 for what is too long to be a name."""
    if end > start and row[end - 1] == DOT:
        end -= 1
    if end - start > LONGEST - 8:
        return 0
    n = 0
    character = 0
    i = start
    if end - start > 2 and row[start] == STAR and row[start + 1] == DOT:
        i += 2
        character = 2
    at_label = True
    while i < end and n < LONGEST - 8:
        if (
            at_label
            and i + 4 < end
            and (row[i] | 32) == 120
            and (row[i + 1] | 32) == 110
            and row[i + 2] == HYPHEN
            and row[i + 3] == HYPHEN
        ):
            stop = i
            while stop < end and row[stop] != DOT:
                stop += 1
            found = punycode(row, i + 4, stop, points)
            if found > 0:
                for j in range(found):
                    if n < LONGEST - 8:
                        n = fold_put(
                            points[j], character, character + stop - i, n, text, place, until, kind, folds, n_folds
                        )
                character += stop - i
                i = stop
                at_label = False
                continue
        packed = utf8_at(row, i, end)
        point = packed // 8
        i += packed % 8
        if point == 0x3002 or point == 0xFF0E or point == 0xFF61:  # what UTS 46 maps to a dot
            point = DOT
        n = fold_put(point, character, character + 1, n, text, place, until, kind, folds, n_folds)
        character += 1
        at_label = point == DOT
    return n
