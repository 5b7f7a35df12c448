"""Memory of a flood of keys: a process that takes more targets than a window holds.

    python3 bench/_keys.py watch|window

Writes a line of JSON: the most memory it had resident in bytes, live keys, targets sent, and of window how many of the
targets that are gone are newer than one that is kept.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from _children import environment
from _rows import Bar, Row
from _traffic import START, ipv4, made

from khien.app import machine, parts
from khien.app.configuration import Floods
from khien.flows import records
from khien.flows.counts import SECOND, count
from khien.flows.floors import OURS
from khien.flows.records import HOST
from khien.flows.watch import SUSPICION
from khien.flows.window import Window

Array = np.ndarray[Any, Any]

MEMORY = Bar(1024, "MiB", under=True)
ORDER = Bar(1, "keys", under=True)
PAGES, EACH = 60, 50_000  # pages of targets nobody met before: half a second apart
_TABLE = 1 << 20


def measured() -> Iterator[Row]:
    """Rows of a watch under such a flood, and of what its window lets go."""
    whole, window = (_child(each) for each in ("watch", "window"))
    sent = f"{whole['sent']:,} targets, one packet each, within {PAGES / 2:.0f} s"
    said = f"{whole['peak'] / 2**20:.0f} MiB"
    yield Row("memory of a watch, more keys than it holds", MEMORY, whole["peak"] / 2**20, said, f"VmHWM; {sent}")
    said = f"{window['peak'] / 2**20:.0f} MiB with up to {window['keys']:,} keys live"
    yield Row("memory of the window alone", MEMORY, window["peak"] / 2**20, said, f"VmHWM; {window['sent']:,} targets")
    how = f"hosts of {window['sent']:,} that are gone while an older one is kept"
    yield Row("oldest keys leave first", ORDER, window["newer"], f"{window['newer']:,} out of order", how)


def _child(what: str) -> dict[str, int]:
    command = [sys.executable, __file__, what]
    done = subprocess.run(command, env=environment(), capture_output=True, check=True)
    return json.loads(done.stdout)


def main() -> int:
    sent = PAGES * EACH
    answer = {"sent": sent, **(_watch() if sys.argv[1] == "watch" else _window())}
    status = Path("/proc/self/status").read_text()
    answer["peak"] = int(re.findall(r"^VmHWM:\s+(\d+)", status, re.MULTILINE)[0]) * 1024
    print(json.dumps(answer))
    return 0


def _watch() -> dict[str, int]:
    watch = parts.flood_watch(Floods(), whole=False)(machine.engine(), None)
    for rows in _pages():
        watch.take(rows)
    return {}


def _window() -> dict[str, int]:
    window, most = Window(OURS.lines(SUSPICION)), 0
    for rows in _pages():
        counts = count(rows)
        window.take(counts, int(counts.second.max()))
        most = max(most, window.keys)
    kept = np.zeros(PAGES * EACH, bool)
    for begin in range(0, len(kept), EACH):  # one page of targets after the other
        targets = [(HOST, each.tobytes()) for each in _addresses(begin)]
        for at in range(0, EACH, 500):
            kept[begin + at : begin + at + 500] = window.series(targets[at : at + 500]).amounts.any(axis=(1, 2, 3))
    oldest = int(np.argmax(kept)) // EACH * EACH  # within a page all are as old
    newer = int((~kept[oldest + EACH :]).sum())
    return {"keys": most, "newer": newer}


def _pages() -> Iterator[pa.RecordBatch]:
    for page in range(PAGES):
        at = np.full(EACH, START + page * SECOND // 2)
        flows = made(at, ipv4(np.array([0xC0000201])), _addresses(page * EACH), 17, 100, source_port=4000)
        yield records.batch(flows, EACH)


def _addresses(begin: int) -> Array:
    """Targets without a pattern, none twice."""
    return ipv4((np.arange(begin, begin + EACH, dtype=np.uint64) * 2_654_435_761 % (1 << 32)).astype(np.int64))


if __name__ == "__main__":
    sys.exit(main())
