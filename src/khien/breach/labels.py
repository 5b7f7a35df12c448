"""What kernels know of the labels they meet: few texts that come again and again, what they hold asked once for each.

A kernel looks a label up among those that are remembered. What it does not know yet it answers with the label's place;
who called it says what the label holds (``tell``) and calls it again, and it goes on where it stood.
"""

from typing import Any

import numpy as np

from khien.breach.columns import Holds, holds
from khien.breach.octets import mixed, up_to
from khien.compiled import inner

UNTOLD, OTHER, URL, MAIL, PHONE, NAME, SECRET = range(7)  # what a label holds

_BACKSLASH = 92  # of an escape, which may stand for a letter
_LABEL = 3  # numbers of a label: where it begins and ends, and what it holds
_SLOTS = 4096  # where labels are remembered
_TRIES = 8  # slots where one label may be; where others have them, it takes the first
_LONGEST = 768  # octets of a label that may be known: 64 letters of two escapes each
_HELD: dict[Holds, int] = {"url": URL, "mail": MAIL, "phone": PHONE, "name": NAME, "secret": SECRET}


def room() -> Any:
    """Room for the labels of a block: where each begins and ends in it, and what it holds."""
    return np.zeros(_LABEL * _SLOTS, np.int64)


def tell(labels: Any, place: int, label: str) -> None:
    """Says what the label holds that a kernel answered the place of."""
    labels[place + 2] = _HELD.get(holds(label), OTHER)


@inner
def same(block, a, b, length):
    """Whether so many octets from a on are those from b on."""
    for each in range(length):
        if block[a + each] != block[b + each]:
            return False
    return True


@inner
def is_strange(block, begin, end):
    """Whether it is seen at once that a label is not known: it has no letter, or too many."""
    for at in range(begin, min(end, begin + _LONGEST)):
        code = block[at]
        if code >= 128 or code == _BACKSLASH or 97 <= code | 32 <= 122:
            return end - begin > _LONGEST
    return True


@inner
def remembered(block, size, begin, end, labels):
    """The place of a label, which is remembered from now on; and what it holds, UNTOLD where that is not known yet."""
    if is_strange(block, begin, end):
        return np.int64(0), np.int64(OTHER)
    hashed = np.uint64(end - begin)
    for at in range(begin, end, 8):
        hashed = mixed(hashed, up_to(block, size, at, end))
    slot = np.int64(hashed & np.uint64(_SLOTS - 1))
    taken = _LABEL * slot
    for each in range(_TRIES):
        place = _LABEL * ((slot + each) & (_SLOTS - 1))
        length = labels[place + 1] - labels[place]
        if length == end - begin and same(block, labels[place], begin, length):
            return place, labels[place + 2]
        if length == 0:
            taken = place
            break
    labels[taken] = begin
    labels[taken + 1] = end
    labels[taken + 2] = UNTOLD
    return taken, np.int64(UNTOLD)
