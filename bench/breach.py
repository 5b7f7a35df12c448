"""Stolen accounts: taken in, kept, looked up, answered for, against their bars; peers beside them.

    python3 dev bench breach [--quick] [--only ROW,...]

Rows: what is read of a dump a second; room an entry takes and how it is built; look-ups; the range service and its
files under nginx; accounts and numbers, what their answers' time gives away, in the browser too; a roster; other
people's clients; imports that are killed. Figures are this machine's, at this moment, per core where the row says so.
Exit status 0 when all was measured, whether bars hold or not.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from _rows import HEADER, Row, table
from names import BUSY, machine

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
    """The command line; only: a tuple of the names of ROWS, in their order."""
    parser = argparse.ArgumentParser(prog="python3 dev bench breach", description=(__doc__ or "").splitlines()[0])
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
