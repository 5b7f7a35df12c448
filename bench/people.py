"""Pages for people, against their bars: how soon a check is answered, what the first page weighs, how messages are
judged, how fast the log of listings grows, how soon a wrong listing is gone, whom it never lists, its words.

    python3 dev bench people [--quick] [--only ROW,...]

Figures are this machine's, at this moment. Exit status 0 when all was measured, whether bars hold or not.
"""

import sys
from collections.abc import Callable, Iterator, Mapping

import _people_appeal
import _people_check
import _people_ledger
import _people_messages
import _people_page
import _people_rights
import _people_words
from _command import parser, show
from _rows import Row

Measure = Callable[[bool], Iterator[Row]]

ROWS: Mapping[str, Measure] = {
    "speed": _people_check.speed,
    "page": _people_page.page,
    "ledger": _people_ledger.ledger,
    "appeal": _people_appeal.appeal,
    "rights": _people_rights.rights,
    "messages": _people_messages.messages,
    "words": _people_words.words,
}


def main() -> int:
    asked = parser("people", __doc__, [*ROWS]).parse_args()
    return show(row for name in asked.only for row in ROWS[name](asked.quick))


if __name__ == "__main__":
    sys.exit(main())
