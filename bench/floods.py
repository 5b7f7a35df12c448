"""Floods: what is found, how soon, how often wrongly; how fast, and within which memory; peers beside it.

    python3 dev bench floods [--quick] [--only ROW,...] [--json FILE] [--flows FOLDER]

Real captures are read from ../shared where it is; without it, the rows that need them are skipped. Exporters are a
model (bench/_traffic.py). Figures of speed are this machine's, at this moment. Exit status 0 when all was measured,
whether bars hold or not.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import _captures
import _decoding
import _inject
import _keys
import _negatives
import _onset
from _rows import HEADER, Row, skipped, table
from mitigation import BENIGN, FLOWS
from names import BUSY, machine

ROWS = ("captures", "onset", "curves", "injected", "negatives", "speed", "memory")

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


def main() -> int:
    asked = arguments(sys.argv[1:])
    facts = machine()
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    if os.getloadavg()[0] > BUSY:
        print(f"- WARNING: the machine is busy (load average above {BUSY}): rates are lower than its own")
    print(flush=True)
    rows: list[Row] = []
    tables: list[Table] = []
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        for row in measure(asked, Path(scratch), tables):
            rows.append(row)
            print(f"bench: {row.name}: {row.said}", file=sys.stderr, flush=True)
    print(table(HEADER, [row.cells() for row in rows]), flush=True)
    for title, header, lines in tables:
        print(f"\n{title}\n\n{table(header, lines)}", flush=True)
    if asked.json:
        found = {"machine": facts, "rows": [row.record() for row in rows]}
        found |= {"tables": [{"title": title, "header": header, "rows": lines} for title, header, lines in tables]}
        asked.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line; only: a tuple of ROWS."""
    parser = argparse.ArgumentParser(prog="python3 dev bench floods", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer of each: to see that it works")
    parser.add_argument("--only", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--flows", type=Path, default=FLOWS, help="folder of captures")
    asked = parser.parse_args(given)
    asked.only = tuple(asked.only.split(","))
    if unknown := [row for row in asked.only if row not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return asked


def measure(asked: argparse.Namespace, scratch: Path, tables: list[Table]) -> Iterator[Row]:
    """The rows asked for, one after the other, so that none runs beside another; and what stands beside them."""
    if "captures" in asked.only:
        yield from _captures.measured(asked.flows)
    if "onset" in asked.only:
        yield from _onset.measured(asked.quick)
    if "curves" in asked.only:
        title = "Seconds from the oracle's moment with other exporters (active/inactive time-out, sampling); not scored"
        tables.append((title, *_onset.curves(asked.quick)))
    if "injected" in asked.only and (asked.flows / BENIGN).is_file():
        rows, lines = _inject.measured(asked.flows, asked.quick)
        yield from rows
        tables.append(("Floods found of those injected, in brackets where not scored", _inject.HEADER, lines))
    elif "injected" in asked.only:
        yield skipped("precision, recall", None, f"no {BENIGN} in {asked.flows}")
    if "negatives" in asked.only:
        yield from _negatives.measured(asked.flows, asked.quick)
    if "speed" in asked.only:
        yield from _decoding.measured(asked.flows, scratch, asked.quick)
    if "memory" in asked.only:
        yield from _keys.measured()


if __name__ == "__main__":
    sys.exit(main())
