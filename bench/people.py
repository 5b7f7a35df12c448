"""Pages for people, against their bars: how soon a check is answered, what the first page weighs, how messages are
judged, how fast the log of listings grows, how soon a wrong listing is gone, whom it never lists, its words.

    python3 dev bench people [--quick] [--only ROW,...]

Figures are this machine's, at this moment. Exit status 0 when all was measured, whether bars hold or not.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import _people_appeal
import _people_check
import _people_ledger
import _people_messages
import _people_page
import _people_rights
import _people_words
from _rows import HEADER, Row, table
from names import BUSY, machine

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
    asked = arguments(sys.argv[1:])
    print("\n".join(f"- {name}: {value}" for name, value in machine().items()))
    if os.getloadavg()[0] > BUSY:
        print(f"- WARNING: the machine is busy (load average above {BUSY}): figures are worse than its own")
    print(flush=True)
    rows: list[Row] = []
    for name in asked.only:
        for row in ROWS[name](asked.quick):
            rows.append(row)
            print(f"bench: {row.name}: {row.said}", file=sys.stderr, flush=True)
    print(table(HEADER, [row.cells() for row in rows]), flush=True)
    return 0


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line; only: a tuple of ROWS, in their order."""
    parser = argparse.ArgumentParser(prog="python3 dev bench people", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--quick", action="store_true", help="less of everything: to see that it works")
    parser.add_argument("--only", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    asked = parser.parse_args(given)
    wanted = asked.only.split(",")
    if unknown := [row for row in wanted if row not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    asked.only = tuple(row for row in ROWS if row in wanted)
    return asked


if __name__ == "__main__":
    sys.exit(main())
