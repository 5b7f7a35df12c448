"""Names: what the scan reaches against its bars, and peers on the same input beside it.

    python3 dev bench names [--quick] [--only ROW,...] [--json FILE] [--positives FILE] [--benign FILE] [--lists FOLDER]

Figures are this machine's, at this moment. Lists are read from ../shared where it is; without it, the rows that need
them are skipped. Exit status 0 when all was measured, whether bars hold or not.
"""

import argparse
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import _lists
import _peers
import _process
import _recall
import _speed
from _rows import HEADER, Row, skipped, table

ROWS = ("scan", "candidates", "recall", "memory", "start", "setup", "robustness", "peers")
PACKAGES = ("khien", "numpy", "pyarrow", "numba", "ahocorasick-rs", "dnstwist", "hyperscan", "rapidfuzz", "tldextract")
BUSY = 0.5  # load average above which figures say more about the machine's other work
FUZZED = _lists.ROOT / "docs" / "fuzz.md"


def main() -> int:
    asked = arguments(sys.argv[1:])
    facts = machine()
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    if os.getloadavg()[0] > BUSY:
        print(
            f"- WARNING: the machine is busy (load average above {BUSY}): rates are lower and times longer than its own"
        )
    print(flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        for row in measure(asked, Path(scratch)):
            rows.append(row)
            print(f"bench: {row.name}: {row.said}", file=sys.stderr, flush=True)
    print(table(HEADER, [row.cells() for row in rows]), flush=True)
    more = list(tables(asked))
    for title, header, lines in more:
        print(f"\n{title}\n\n{table(header, lines)}", flush=True)
    if asked.json:
        found = {"machine": facts, "rows": [row.record() for row in rows]}
        found |= {"tables": [{"title": title, "header": header, "rows": lines} for title, header, lines in more]}
        asked.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line; only: a tuple of ROWS."""
    parser = argparse.ArgumentParser(prog="python3 dev bench names", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows, no set-up: to see that it works")
    parser.add_argument("--only", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--lists", type=Path, default=_lists.LISTS, help="folder of the lists")
    parser.add_argument("--positives", type=Path, help="TSV with columns host and brand. Default: vn_hand_labelled.tsv")
    parser.add_argument("--benign", type=Path, help="names, one a line. Default: benign.txt.zst")
    asked = parser.parse_args(given)
    asked.only = tuple(asked.only.split(","))
    if unknown := [row for row in asked.only if row not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    asked.positives = asked.positives or asked.lists / "vn_hand_labelled.tsv"
    asked.benign = asked.benign or asked.lists / "benign.txt.zst"
    return asked


def measure(asked: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    """The rows asked for, one after the other, so that none runs beside another."""
    makers = {
        "scan": lambda: _speed.whole(asked.lists, scratch, asked.quick),
        "candidates": lambda: _speed.candidates(asked.lists, scratch, asked.quick),
        "recall": lambda: iter(_recall.held(asked.positives, asked.benign)),
        "memory": lambda: _process.memory(asked.lists, asked.quick),
        "start": lambda: _process.starting(asked.quick),
        "setup": lambda: _process.setting_up(scratch, asked.quick),
        "robustness": robustness,
    }
    reads = dict.fromkeys(("scan", "candidates", "memory"), (asked.lists,)) | {
        "recall": (asked.positives, asked.benign)
    }
    for name, make in makers.items():
        missing = [path.name for path in reads.get(name, ()) if not path.exists()]
        if name in asked.only and missing:
            yield skipped(name, None, f"{', '.join(missing)}: not here; lists to measure on are in ../shared")
        elif name in asked.only:
            yield from make()


def tables(asked: argparse.Namespace) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """What stands beside the rows: a title, a header and lines each."""
    here = all(path.exists() for path in (asked.lists, asked.positives, asked.benign))
    if "recall" in asked.only and here and not asked.quick:
        header, lines = _recall.further(asked.lists, asked.positives, asked.benign)
        yield "Recall at findings per million of other lists", header, lines
    if "peers" in asked.only:
        if here:
            lines = list(_peers.measured(asked.lists, asked.positives, asked.benign, asked.quick))
            yield "Peers, in this run, on the same names and words, one CPU", _peers.HEADER, lines
        yield f"Peers, quoted from our measurement of {_peers.QUOTED_ON}, not of this run", _peers.HEADER, _peers.QUOTED


def robustness() -> Iterator[Row]:
    """What fuzzing is recorded; it takes hours, so nothing runs here."""
    how = "python3 dev fuzz lists the targets; python3 dev fuzz names 1000000 runs one"
    recorded = [] if not FUZZED.exists() else FUZZED.read_text(encoding="utf-8").splitlines()
    lines = [line.strip("| ").split("|") for line in recorded if re.match(r"\|\s*[^-\s]", line)][1:]
    if not lines:
        yield skipped("robustness", None, f"no run is recorded in docs/fuzz.md; {how}")
    for target, *rest in lines:
        said = ", ".join(cell.strip() for cell in rest)
        yield Row(f"robustness, {target.strip()}", None, None, said, "recorded in docs/fuzz.md")


def machine() -> dict[str, str]:
    """What the figures are of."""
    cpus = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*:\s*(.+)$", cpus.read_text(), re.M) if cpus.exists() else []
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{models[0] if models else platform.machine()}, {len(os.sched_getaffinity(0))} CPUs",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "load average before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    sys.exit(main())
