"""The command line of a bench, and what it prints: the machine, a line for each row as it is measured, the table."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence

from _rows import HEADER, Row, table
from names import BUSY, machine


def parser(name: str, said: str | None, rows: Sequence[str]) -> argparse.ArgumentParser:
    """Options of every bench; said: its docstring, whose first paragraph is shown. only: a tuple of rows, in order."""
    what = (said or "").partition("\n\n")[0]
    made = argparse.ArgumentParser(prog=f"python3 dev bench {name}", description=what)
    made.add_argument("--quick", action="store_true", help="less of everything: to see that it works")
    made.add_argument("--only", default=",".join(rows), type=_chosen(rows), help=f"some of {','.join(rows)}")
    return made


def _chosen(rows: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def chosen(text: str) -> tuple[str, ...]:
        wanted = text.split(",")
        if unknown := [row for row in wanted if row not in rows]:
            raise argparse.ArgumentTypeError(f"no row {', '.join(unknown)}; there are {', '.join(rows)}")
        return tuple(row for row in rows if row in wanted)

    return chosen


def show(measured: Iterable[Row]) -> int:
    """Prints rows as they are measured, then all of them; answers 0: all was measured, whether bars hold or not."""
    print("\n".join(f"- {name}: {value}" for name, value in machine().items()))
    if os.getloadavg()[0] > BUSY:
        print(f"- WARNING: the machine is busy (load average above {BUSY}): figures are worse than its own")
    print(flush=True)
    rows: list[Row] = []
    for row in measured:
        rows.append(row)
        print(f"bench: {row.name}: {row.said}", file=sys.stderr, flush=True)
    print(table(HEADER, [row.cells() for row in rows]), flush=True)
    return 0
