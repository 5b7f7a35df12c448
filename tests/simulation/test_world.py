"""Every seed's world keeps its promises, each seed has one world, and no fault put in on purpose escapes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation.planted import PLANTED, seeds_until_found
from tests.simulation.world import play

ENOUGH = 1000  # seeds within which a fault must be found


def test_promises_are_kept(seed: int, scratch: Path, request: pytest.FixtureRequest) -> None:
    world = play(seed, scratch)
    if request.config.getoption("--seed", None) is not None:
        print(*world.trace, sep="\n")


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_found(name: str, scratch: Path, record_property: Callable[[str, object], None]) -> None:
    seeds = seeds_until_found(PLANTED[name], scratch, ENOUGH)
    record_property("seeds", seeds)
    print(f"{name}: found in {seeds} seeds")
    assert seeds <= ENOUGH


def test_a_seed_has_one_world(scratch: Path) -> None:
    """Step for step and byte for byte, also where hashes of text fall otherwise."""
    seeds = range(5)
    here = [line for seed in seeds for line in play(seed, scratch).trace]
    script = (
        "import sys; from pathlib import Path; from tests.simulation.world import play\n"
        f"for seed in {seeds}: print(*play(seed, Path(sys.argv[1])).trace, sep='\\n')"
    )
    command = [sys.executable, "-c", script, str(scratch)]
    other = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.splitlines() == here
