"""Dates and timestamps as files write them (ISO 8601, RFC 3339): text to microseconds since 1970, UTC."""

from typing import Any

import numpy as np

from khien.compiled import inner

NO_TIME = -9223372036854775808  # no moment: a null in the column
_DAY = 86_400_000_000
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999  # of the years 1 and 9999: what a datetime holds


@inner
def moment(text: Any, begin: int, end: int) -> int:
    """Microseconds of ``2024-09-25``, ``2024-09-25T10:00[:00[.123456]][Z|+07:00]`` (or a blank for T); else NO_TIME.

    Without an offset the time is UTC.
    """
    if end - begin < 10 or text[begin + 4] != 45 or text[begin + 7] != 45:
        return NO_TIME
    year = _digits(text, begin, begin + 4)
    month = _digits(text, begin + 5, begin + 7)
    day = _digits(text, begin + 8, begin + 10)
    if year < 1 or month < 1 or month > 12 or day < 1 or day > _days_in(year, month):
        return NO_TIME
    midnight = _days_since_1970(year, month, day) * _DAY
    if end - begin == 10:
        return midnight
    clock = _clock(text, begin + 10, end)
    if clock == NO_TIME or not _FIRST <= midnight + clock <= _LAST:  # a zone may carry it out of the calendar
        return NO_TIME
    return midnight + clock


@inner
def _clock(text: Any, begin: int, end: int) -> int:
    """Microseconds of ``T10:00:00.5+07:00`` behind midnight UTC, or NO_TIME."""
    if end - begin < 6 or not (text[begin] == 84 or text[begin] == 116 or text[begin] == 32) or text[begin + 3] != 58:
        return NO_TIME
    hour, minute, second, micros = _digits(text, begin + 1, begin + 3), _digits(text, begin + 4, begin + 6), 0, 0
    i = begin + 6
    if i < end and text[i] == 58:
        if end - i < 3:
            return NO_TIME
        second = _digits(text, i + 1, i + 3)
        i += 3
        if i < end and text[i] == 46:
            i, unit = i + 1, 100_000
            while i < end and 48 <= text[i] <= 57:
                micros += (np.int64(text[i]) - 48) * unit
                unit //= 10
                i += 1
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 60:
        return NO_TIME
    offset = _offset(text, i, end)
    if offset == NO_TIME:
        return NO_TIME
    return ((hour * 60 + minute - offset) * 60 + second) * 1_000_000 + micros


@inner
def _offset(text: Any, begin: int, end: int) -> int:
    """Minutes east of UTC of ``""``, ``Z``, ``+07:00`` or ``+0700``, or NO_TIME."""
    if begin == end or (end - begin == 1 and (text[begin] == 90 or text[begin] == 122)):
        return 0
    colon = 1 if end - begin == 6 and text[begin + 3] == 58 else 0
    if end - begin != 5 + colon or not (text[begin] == 43 or text[begin] == 45):
        return NO_TIME
    hours, minutes = _digits(text, begin + 1, begin + 3), _digits(text, begin + 3 + colon, begin + 5 + colon)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return NO_TIME
    return (hours * 60 + minutes) * (1 if text[begin] == 43 else -1)


@inner
def _digits(text: Any, begin: int, end: int) -> int:
    """The number that text[begin:end] writes, or -1."""
    number = 0
    for i in range(begin, end):
        digit = int(text[i]) - 48
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@inner
def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@inner
def _days_since_1970(year: int, month: int, day: int) -> int:
    """Proleptic Gregorian; years begin in March, so that the leap day is their last."""
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719_469
