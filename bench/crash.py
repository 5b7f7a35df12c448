"""The embedded store: a process that lands, saves, compacts, expires and rebuilds, killed again and again.

    python3 dev bench crash [KILLS] [--first SEED]

After each kill the directory is opened and held against what the process had answered. Exit status 1 on a loss.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from _rows import HEADER, Bar, Row, table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.stores import crash

LOST = Bar(1, "lost or doubled", under=True)
KILLS = 100
A_PLACE = 25  # kills before it begins in an empty directory again


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 dev bench crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kills", nargs="?", type=int, default=KILLS, metavar="KILLS", help=f"default {KILLS}")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed: a kill each")
    asked = parser.parse_args()
    started = time.monotonic()
    wrong: list[str] = []
    pages = 0
    for first in range(asked.first, asked.first + asked.kills, A_PLACE):
        with tempfile.TemporaryDirectory(prefix="khien-crash-") as directory:
            answered = crash.Answered()
            for seed in range(first, min(first + A_PLACE, asked.first + asked.kills)):
                answered = crash.killed(Path(directory), seed, answered)
                wrong += [f"seed {seed}: {each}" for each in crash.problems(Path(directory), answered)]
                print(f"bench: kill {seed}: {answered.pages} pages, {len(wrong)} problems", file=sys.stderr, flush=True)
            pages += answered.pages
    print("\n".join(wrong))
    how = f"SIGKILL at moments that follow from seeds {asked.first} on; {pages:,} pages answered"
    said = f"{len(wrong)} of {asked.kills} kills, {time.monotonic() - started:.0f} s"
    print(table(HEADER, [Row("kills", LOST, len(wrong), said, how).cells()]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
