"""Real processes, killed at moments that follow from seeds. ``python3 dev bench crash`` kills many more."""

from pathlib import Path

from tests.stores import crash


def test_a_killed_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    answered = crash.Answered()
    for seed in range(5):
        answered = crash.killed(tmp_path, seed, answered)
        assert not list(crash.problems(tmp_path, answered)), f"after the kill of seed {seed}"
    assert answered.pages > 0
