"""Leaves of certificate transparency logs, walked as bytes: who issued, when it is valid, for which names.

A leaf's TimestampedEntry (RFC 6962 section 3.4) holds a certificate, or of a precertificate what is to be signed
(TBSCertificate). Of its DER (X.690) only what is asked for is read: serial, issuer, validity, the common names of the
subject and the dNSNames among its alternative names (RFC 5280 sections 4.1 and 4.2.1.6). Whatever the bytes, a leaf is
read or refused, in time that grows with its length; functions here are kernels and their inner functions.

A name stands as met and keeps the wire's rule (names.reading.syntax has it in Python, and tests hold this to it). A
common name counts where it is a host's name that is not among the others.
"""

from khien.compiled import inner, kernel

NO_TIME = -(1 << 63)  # where there is none, or not between the years 1 and 9999
LEAST_NAME = 5  # octets that a name takes in a certificate, with its tag and length: a.b

READ, CUT_SHORT, UNKNOWN_TYPE, BAD_CERTIFICATE = range(4)  # what became of a leaf
OUTCOMES = ("", "leaf-cut-short", "leaf-unknown-type", "leaf-bad-certificate")

# Why a name is refused; the codes are those of names in files.
GOOD, EMPTY, BAD_CHARACTER, ADDRESS, EMPTY_LABEL, LABEL_TOO_LONG, TOO_LONG, NO_DOT = range(8)
REASONS = ("", "empty", "bad-character", "address", "empty-label", "label-too-long", "too-long", "no-dot")

# Numbers a leaf. Times are microseconds since 1970; places are those of contents in the octets.
OUTCOME, LOGGED, SERIAL, SERIAL_END, ISSUER, ISSUER_END, NOT_BEFORE, NOT_AFTER, WIDTH = range(9)
# Numbers a refused name: its leaf, why, where it stands.
LEAF, WHY, BEGIN, END, REFUSAL = range(5)
# What is filled so far, and how many refusals there is room for; more are only counted.
NAMES, USED, REFUSED, ROOM, FILLED = range(5)

X509, PRECERT = 0, 1
_LONGEST_NAME, _LONGEST_LABEL = 253, 63  # RFC 1035 section 2.3.4
_MOST_COMMON_NAMES = 4  # of a subject; certificates have one, and each is held against all the other names
_LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999
_DOT, _STAR = 46, 42
_SEQUENCE, _SET, _INTEGER, _OBJECT, _OCTETS, _BOOLEAN = 0x30, 0x31, 0x02, 0x06, 0x04, 0x01
_UTC_TIME, _GENERALIZED_TIME, _BMP_STRING = 0x17, 0x18, 0x1E
_VERSION, _EXTENSIONS, _DNS_NAME = 0xA0, 0xA3, 0x82


@inner
def number(octets, at, count):
    """A number of count octets, the first the most significant."""
    value = 0
    for i in range(at, at + count):
        value = value << 8 | octets[i]
    return value


@inner
def content(octets, at, end):
    """Where the content of the DER element at ``at`` begins and ends; -1 twice where it does not end before end."""
    if end - at < 2:
        return -1, -1
    size = number(octets, at + 1, 1)
    begin = at + 2
    if size >= 0x80:
        count = size - 0x80
        if count == 0 or count > 4 or end - begin < count:
            return -1, -1
        size = number(octets, begin, count)
        begin += count
    if size > end - begin:
        return -1, -1
    return begin, begin + size


@inner
def part(octets, at, end, tag):
    """As content, of an element that has this tag."""
    if end - at < 2 or octets[at] != tag:
        return -1, -1
    return content(octets, at, end)


@inner
def digits(octets, at, count):
    """A decimal number of count octets; far below zero where one is no digit."""
    value = 0
    for i in range(at, at + count):
        if octets[i] < 48 or octets[i] > 57:
            return -(1 << 40)
        value = 10 * value + octets[i] - 48
    return value


@inner
def moment(octets, at, end, tag):
    """A UTCTime or GeneralizedTime as certificates write it (RFC 5280 section 4.1.2.5), or NO_TIME."""
    if tag == _UTC_TIME and end - at == 13:
        year = digits(octets, at, 2)
        year += 1900 if year >= 50 else 2000
        at += 2
    elif tag == _GENERALIZED_TIME and end - at == 15:
        year = digits(octets, at, 4)
        at += 4
    else:
        return NO_TIME
    month, day = digits(octets, at, 2), digits(octets, at + 2, 2)
    hour, minute, second = digits(octets, at + 4, 2), digits(octets, at + 6, 2), digits(octets, at + 8, 2)
    fits = year >= 1 and 1 <= month <= 12 and 1 <= day <= 31 and hour >= 0 and minute >= 0 and second >= 0
    if not fits or hour > 23 or minute > 59 or second > 59 or octets[at + 10] != 90:
        return NO_TIME
    year -= month <= 2  # years that begin in March end with the leap day
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 719_469
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000


@inner
def copy_name(octets, begin, end, step, values, used):
    """Copies a name, every step-th octet of it, to values[used:]; answers why it is none, or GOOD."""
    if begin >= end:
        return EMPTY
    i = begin
    put = used
    if end - begin > step and octets[i] == _STAR and octets[i + step] == _DOT:
        values[put] = _STAR
        values[put + 1] = _DOT
        put += 2
        i += 2 * step
    start = put
    label = put  # where this label begins
    lettered = False
    hollow = False
    longest = 0
    dots = 0
    while i < end:
        c = octets[i]
        if c == _DOT:
            if i + step < end:  # a last dot says only that the name is whole
                hollow = hollow or put == label
                longest = max(longest, put - label)
                dots += 1
                label = put + 1
            elif put == start or put == label:
                hollow = True
        elif 97 <= c <= 122 or 65 <= c <= 90 or c == 45 or c == 95:
            lettered = True
        elif c < 48 or c > 57:
            return BAD_CHARACTER
        values[put] = c
        put += 1
        i += step
    bare = put - start - (put > start and values[put - 1] == _DOT)
    longest = max(longest, start + bare - label)
    if not lettered and dots > 0 and bare > dots:
        return ADDRESS
    if hollow or bare == 0:
        return EMPTY_LABEL
    if longest > _LONGEST_LABEL:
        return LABEL_TOO_LONG
    if bare > _LONGEST_NAME:
        return TOO_LONG
    return GOOD if dots > 0 else NO_DOT


@inner
def is_met(values, offsets, first, count, used, behind):
    """Whether the name values[used:behind] is one of those from the first on, whatever the case of its letters."""
    for row in range(first, count):
        begin = offsets[row]
        same = offsets[row + 1] - begin == behind - used
        i = 0
        while same and i < behind - used:
            a = number(values, begin + i, 1)
            b = number(values, used + i, 1)
            same = a == b or ((a ^ b) == 32 and 97 <= a | 32 <= 122)
            i += 1
        if same:
            return True
    return False


@inner
def add_name(octets, begin, end, step, leaf, values, offsets, owners, filled):
    """Adds a name as a row of the leaf's; answers why it is none, or GOOD."""
    used = filled[USED]
    why = copy_name(octets, begin, end, step, values, used)
    if why == GOOD:
        filled[USED] = used + (end - begin + step - 1) // step
        owners[filled[NAMES]] = leaf
        filled[NAMES] += 1
        offsets[filled[NAMES]] = filled[USED]
    return why


@inner
def read_alternatives(octets, at, end, leaf, values, offsets, owners, refused, filled):
    """Adds the dNSNames among GeneralNames; answers whether all is well-formed."""
    while at < end:
        begin, behind = content(octets, at, end)
        if begin < 0:
            return False
        if octets[at] == _DNS_NAME:
            why = add_name(octets, begin, behind, 1, leaf, values, offsets, owners, filled)
            if why != GOOD:
                if filled[REFUSED] < filled[ROOM]:
                    put = REFUSAL * filled[REFUSED]
                    refused[put + LEAF] = leaf
                    refused[put + WHY] = why
                    refused[put + BEGIN] = begin
                    refused[put + END] = behind
                filled[REFUSED] += 1
        at = behind
    return True


@inner
def read_extensions(octets, at, end, leaf, values, offsets, owners, refused, filled):
    """Reads the subject's alternative names among extensions; answers whether all is well-formed."""
    at, end = part(octets, at, end, _SEQUENCE)
    if at < 0:
        return False
    while at < end:
        inside, behind = part(octets, at, end, _SEQUENCE)
        if inside < 0:
            return False
        begin, stop = part(octets, inside, behind, _OBJECT)
        if begin < 0:
            return False
        if stop - begin == 3 and number(octets, begin, 3) == 0x551D11:  # 2.5.29.17
            if behind - stop > 2 and octets[stop] == _BOOLEAN:
                _, stop = content(octets, stop, behind)
                if stop < 0:
                    return False
            begin, stop = part(octets, stop, behind, _OCTETS)
            if begin < 0:
                return False
            begin, stop = part(octets, begin, stop, _SEQUENCE)
            if begin < 0 or not read_alternatives(octets, begin, stop, leaf, values, offsets, owners, refused, filled):
                return False
        at = behind
    return True


@inner
def read_subject(octets, at, end, leaf, values, offsets, owners, filled):
    """Adds the common names that are hosts' names and new; answers whether all is well-formed."""
    first = filled[NAMES]
    while first > 0 and owners[first - 1] == leaf:
        first -= 1
    left = _MOST_COMMON_NAMES
    while at < end and left > 0:
        inside, behind = part(octets, at, end, _SET)
        if inside < 0:
            return False
        while inside < behind:
            begin, stop = part(octets, inside, behind, _SEQUENCE)
            if begin < 0:
                return False
            kind, value = part(octets, begin, stop, _OBJECT)
            if kind < 0:
                return False
            if value - kind == 3 and number(octets, kind, 3) == 0x550403 and left > 0:  # 2.5.4.3
                left -= 1
                begin, _ = content(octets, value, stop)
                if begin < 0:
                    return False
                wide = octets[value] == _BMP_STRING  # letters of two octets
                plain = not wide or (stop - begin) % 2 == 0
                i = begin
                while plain and wide and i < stop:
                    plain = octets[i] == 0
                    i += 2
                used, rows = filled[USED], filled[NAMES]
                if plain and begin < stop:
                    add_name(octets, begin + wide, stop, 2 if wide else 1, leaf, values, offsets, owners, filled)
                if filled[NAMES] > rows and is_met(values, offsets, first, rows, used, filled[USED]):
                    filled[USED] = used
                    filled[NAMES] = rows
            inside = stop
        at = behind
    return True


@inner
def read_certificate(octets, at, end, leaf, put, numbers, values, offsets, owners, refused, filled):
    """Reads a TBSCertificate, from behind its tag and length; answers whether all is well-formed."""
    if end - at > 1 and octets[at] == _VERSION:
        _, at = content(octets, at, end)
        if at < 0:
            return False
    numbers[put + SERIAL], at = part(octets, at, end, _INTEGER)
    numbers[put + SERIAL_END] = at
    if at < 0:
        return False
    begin, at = part(octets, at, end, _SEQUENCE)  # the algorithm it is signed by
    if begin < 0:
        return False
    numbers[put + ISSUER], at = part(octets, at, end, _SEQUENCE)
    numbers[put + ISSUER_END] = at
    if at < 0:
        return False
    begin, at = part(octets, at, end, _SEQUENCE)  # from when to when it is valid
    if begin < 0:
        return False
    for slot in range(NOT_BEFORE, NOT_AFTER + 1):
        inside, behind = content(octets, begin, at)
        if inside < 0:
            return False
        numbers[put + slot] = moment(octets, inside, behind, octets[begin])
        begin = behind
    subject, subject_end = part(octets, at, end, _SEQUENCE)
    if subject < 0:
        return False
    at = subject_end
    while at < end:  # the key, identifiers that nobody uses, extensions
        begin, behind = content(octets, at, end)
        if begin < 0:
            return False
        if octets[at] == _EXTENSIONS:
            if not read_extensions(octets, begin, behind, leaf, values, offsets, owners, refused, filled):
                return False
        at = behind
    return read_subject(octets, subject, subject_end, leaf, values, offsets, owners, filled)


@inner
def read_leaf(octets, at, end, leaf, put, numbers, values, offsets, owners, refused, filled):
    """Reads a TimestampedEntry; answers what became of it."""
    if end - at < 13:
        return CUT_SHORT
    high = number(octets, at, 4)
    milliseconds = high << 32 | number(octets, at + 4, 4) if high < 1 << 30 else _LAST_MILLISECOND + 1
    numbers[put + LOGGED] = 1000 * milliseconds if milliseconds <= _LAST_MILLISECOND else NO_TIME
    kind = number(octets, at + 8, 2)
    at += 10
    if kind == PRECERT:
        at += 32  # the hash of its issuer's key
    elif kind != X509:
        return UNKNOWN_TYPE
    if end - at < 3 or number(octets, at, 3) > end - at - 3:
        return CUT_SHORT
    end = at + 3 + number(octets, at, 3)
    at, end = part(octets, at + 3, end, _SEQUENCE)
    if at >= 0 and kind == X509:
        at, end = part(octets, at, end, _SEQUENCE)
    if at < 0 or not read_certificate(
        octets, at, end, leaf, put, numbers, values, offsets, owners, refused, filled
    ):  # fmt: skip
        return BAD_CERTIFICATE
    return READ


@kernel("i8", "u1*", "i8*", "i8*", "i8", "i8*", "u1*", "i4*", "i4*", "i8*", "i8*")
def read_leaves(octets, begins, ends, count, numbers, values, offsets, owners, refused, filled):
    """Reads the entries octets[begins:ends]; answers how many rows there are, a name each. offsets[0] is 0.

    There is room for a name for every LEAST_NAME octets, and for as many octets of names as there are octets.
    """
    for leaf in range(count):
        put = WIDTH * leaf
        for slot in range(WIDTH):
            numbers[put + slot] = 0
        rows, used, refusals = filled[NAMES], filled[USED], filled[REFUSED]
        outcome = read_leaf(
            octets, begins[leaf], ends[leaf], leaf, put, numbers, values, offsets, owners, refused, filled
        )  # fmt: skip
        numbers[put + OUTCOME] = outcome
        if outcome != READ:  # all of a leaf, or nothing
            filled[NAMES] = rows
            filled[USED] = used
            filled[REFUSED] = refusals
    return filled[NAMES]
