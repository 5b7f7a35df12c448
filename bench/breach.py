"""Stolen accounts: taken in, kept, looked up, answered for, against their bars; peers beside them.

    python3 dev bench breach [--quick] [--only ROW,...]

Rows: what is read of a dump a second; room an entry takes and how it is built; look-ups; the range service and its
files under nginx; accounts and numbers, what their answers' time gives away, in the browser too; a roster; other
people's clients; imports that are killed. Figures are this machine's, at this moment, per core where the row says so.
Exit status 0 when all was measured, whether bars hold or not.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import _breach_accounts
import _breach_browser
import _breach_clients
import _breach_intake
import _breach_kills
import _breach_lookups
import _breach_range
import _breach_roster
import _breach_store
from _command import parser, show
from _rows import Row

Measure = Callable[[bool], Iterator[Row]]


def _range(quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        yield from _breach_range.measure(Path(scratch), quick)


ROWS: Mapping[str, Measure] = {
    "intake": _breach_intake.intake,
    "store": _breach_store.store,
    "lookups": _breach_lookups.lookups,
    "range": _range,
    "accounts": _breach_accounts.accounts,
    "timing": _breach_accounts.timing,
    "browser": lambda _: _breach_browser.browser(),
    "roster": _breach_roster.roster,
    "clients": lambda _: _breach_clients.clients(),
    "kills": _breach_kills.kills,
}


def main() -> int:
    asked = parser("breach", __doc__, [*ROWS]).parse_args()
    return show(row for name in asked.only for row in ROWS[name](asked.quick))


if __name__ == "__main__":
    sys.exit(main())
