"""Which worlds are lived through: ``--seeds COUNT`` of them, or the one that ``--seed N`` names."""

from pathlib import Path

import pytest

SEEDS = 500


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="simulate the world of this seed alone, and print what happened in it")
    parser.addoption("--seeds", type=int, default=SEEDS, help=f"simulate so many worlds ({SEEDS})")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        one = metafunc.config.getoption("--seed", None)
        seeds = range(metafunc.config.getoption("--seeds", SEEDS)) if one is None else [one]
        metafunc.parametrize("seed", seeds)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where SQLite keeps the locks of one world after the other."""
    return tmp_path_factory.mktemp("scratch")
