"""Simulation: worlds in which disk, network and processes fail, one a seed, and whether every promise is kept there.

    python3 dev bench simulation [SEEDS] [--workers N] [--anew]

100,000 seeds unless told. What was reached is kept in bench/out/simulation.json and goes on from there the next time,
as long as neither Khiên nor the simulator has changed. Exit status 1 when a promise was broken; the seed that shows it
is printed, and `python3 dev test tests/simulation --seed N` shows it again. docs/simulation.md says what is simulated.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import msgspec
from _rows import HEADER, Bar, Row, table

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / "bench" / "out" / "simulation.json"
SEEDS = 100_000
CHUNK = 50  # seeds a worker lives through before it tells
ENOUGH = 1000  # seeds within which a planted fault is to be found
CRASHES = ("kill", "power")

sys.path.insert(0, str(ROOT))  # tests are no part of the package
from tests.simulation.planted import PLANTED, seeds_until_found  # noqa: E402
from tests.simulation.world import play  # noqa: E402


class State(msgspec.Struct):
    """How far it is: the seeds below ``seeds`` were lived through, in seconds of work."""

    code: str
    seeds: int = 0
    steps: int = 0
    seconds: float = 0
    struck: dict[str, int] = {}
    broken: dict[int, str] = {}


def main() -> int:
    asked = arguments()
    state = State(code()) if asked.anew else kept()
    if state.seeds:
        print(f"simulation: goes on from seed {state.seeds:,}", file=sys.stderr)
    try:
        live(state, asked.seeds, asked.workers)
    except KeyboardInterrupt:
        print(f"\nsimulation: stopped at seed {state.seeds:,}; the next run goes on from there", file=sys.stderr)
    print(table(HEADER, [row.cells() for row in rows(state, asked.workers)]))
    for seed in sorted(state.broken):
        print(f"\n{state.broken[seed]}")
    return 1 if state.broken else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 dev bench simulation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seeds", type=int, nargs="?", default=SEEDS, help=f"from 0 up to this one ({SEEDS:,})")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (one a processor)")
    parser.add_argument("--anew", action="store_true", help="forget what was reached before")
    return parser.parse_args()


def code() -> str:
    """One name for all that a world is made of."""
    paths = [*(ROOT / "src" / "khien").rglob("*.py"), *(ROOT / "tests" / "simulation").glob("*.py")]
    digest = hashlib.sha256()
    for path in sorted([*paths, ROOT / "tests" / "toy.py"]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def kept() -> State:
    """What was reached before; nothing where it was reached with other code."""
    try:
        state = msgspec.json.decode(STATE.read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return State(code())
    return state if state.code == code() else State(code())


def live(state: State, seeds: int, workers: int) -> None:
    """Worlds up to a seed, in order; the state is kept after each chunk of them."""
    STATE.parent.mkdir(exist_ok=True)
    began, before = time.monotonic(), state.seeds
    chunks = [range(seed, min(seed + CHUNK, seeds)) for seed in range(state.seeds, seeds, CHUNK)]
    with get_context("spawn").Pool(workers) as pool:
        for chunk, found in zip(chunks, pool.imap(lived, chunks), strict=True):
            state.seeds = chunk.stop
            state.steps += found.steps
            state.seconds += found.seconds
            state.struck = dict(Counter(state.struck) + Counter(found.struck))
            state.broken |= found.broken
            scratch = STATE.with_suffix(".new")
            scratch.write_bytes(msgspec.json.encode(state))
            scratch.replace(STATE)
            left = (time.monotonic() - began) / (state.seeds - before) * (seeds - state.seeds)
            said = f"{state.seeds:,} of {seeds:,} seeds, {len(state.broken)} broken, {left / 60:.0f} min left"
            print(f"\rsimulation: {said}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def lived(seeds: range) -> State:
    """The worlds of some seeds, in a process of its own."""
    found, began = State(""), time.perf_counter()
    struck = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="khien-simulation-") as scratch:
        for seed in seeds:
            try:
                world = play(seed, Path(scratch))
            except AssertionError as error:
                found.broken[seed] = str(error)
                continue
            found.steps += len(world.trace)
            struck.update(world.medium.struck)
    found.struck, found.seconds = dict(struck), time.perf_counter() - began
    return found


def rows(state: State, workers: int) -> Iterator[Row]:
    """What was lived through, and how soon each planted fault is found."""
    crashes = sum(state.struck.get(kind, 0) for kind in CRASHES)
    others = sum(state.struck.values()) - crashes
    how = f"{state.steps:,} steps, {crashes:,} crashes, {others:,} other faults met; {state.seconds:,.0f} s of work"
    yield Row("worlds", Bar(SEEDS, "seeds"), state.seeds, f"{state.seeds:,} seeds", f"{how}, {workers} processes")
    broken = len(state.broken)
    yield Row("promises broken", Bar(1, "", under=True), broken, str(broken), "held after each step against a model")
    with tempfile.TemporaryDirectory(prefix="khien-simulation-") as scratch:
        for name, parts in PLANTED.items():
            seeds = seeds_until_found(parts, Path(scratch), ENOUGH)
            bar = Bar(ENOUGH + 1, "seeds", under=True)
            yield Row(f"planted: {name}", bar, seeds, f"{seeds} seeds", "until a promise is broken, from seed 0 on")


if __name__ == "__main__":
    sys.exit(main())
