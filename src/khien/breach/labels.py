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

_SLOTS = 256  # where labels are remembered; one more takes in turn those for which there is no room
_LAST = 3 * _SLOTS
_TRIES = 8  # slots where one label may be
_HELD: dict[Holds, int] = {"url": URL, "mail": MAIL, "phone": PHONE, "name": NAME, "secret": SECRET}


def room() -> Any:
    """Room for the labels of a block: where each begins and ends in it, and what it holds."""
    return np.zeros(_LAST + 3, np.int64)


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
def remembered(block, size, begin, end, labels):
    """The place of a label, which is remembered from now on; and what it holds, UNTOLD where that is not known yet."""
    hashed = np.uint64(end - begin)
    for at in range(begin, end, 8):
        hashed = mixed(hashed, up_to(block, size, at, end))
    first = np.int64(hashed & np.uint64(_SLOTS - 1))
    for each in range(_TRIES):
        place = 3 * ((first + each) & (_SLOTS - 1))
        length = labels[place + 1] - labels[place]
        if labels[place + 2] == UNTOLD and length == 0:
            labels[place] = begin
            labels[place + 1] = end
            return place, np.int64(UNTOLD)
        if length == end - begin and same(block, labels[place], begin, length):
            return place, labels[place + 2]
    kind = labels[_LAST + 2]
    labels[_LAST] = begin
    labels[_LAST + 1] = end
    labels[_LAST + 2] = UNTOLD
    return np.int64(_LAST), kind
