"""Warning: whether those are told whom it concerns, and how often we are wrong.

    python3 dev bench warning [--quick] [--json FILE] [--lists FOLDER] [--positives FILE]

Lists are read from ../shared where it is; without it, there is nothing to measure. Exit status 0 when all was measured,
whether bars hold or not.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import _lists
import _right
from _rows import HEADER, Row, skipped, table
from names import machine


def main() -> int:
    asked = arguments(sys.argv[1:])
    facts = machine()
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()), flush=True)
    needed = (*(asked.lists / each for each in _right.BENIGN), asked.positives)
    missing = [path.name for path in needed if not path.exists()]
    rows: list[Row] = []
    tables: list[_right.Table] = []
    if missing:
        rows.append(skipped("being right", None, f"{', '.join(missing)}: not here; lists are in ../shared"))
    else:
        rows, tables = _right.measured(asked.lists, asked.positives, asked.quick)
    print(table(HEADER, [row.cells() for row in rows]), flush=True)
    for title, header, lines in tables:
        print(f"\n{title}\n\n{table(header, lines)}", flush=True)
    if asked.json:
        found = {"machine": facts, "rows": [row.record() for row in rows]}
        found |= {"tables": [{"title": title, "header": header, "rows": lines} for title, header, lines in tables]}
        asked.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 dev bench warning", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one day of a tenth as many names: to see that it works")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--lists", type=Path, default=_lists.LISTS, help="folder of the lists")
    parser.add_argument("--positives", type=Path, help="TSV with columns host and brand. Default: vn_hand_labelled.tsv")
    asked = parser.parse_args(given)
    asked.positives = asked.positives or asked.lists / "vn_hand_labelled.tsv"
    return asked


if __name__ == "__main__":
    sys.exit(main())
