"""The program as people run it: its own process, its own streams."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REGISTER = """\
[[names]]
id = "saothuy"
label = "Ngân hàng Sao Thủy"
sector = "bank"
words = ["saothuybank"]
official = [{ domain = "saothuybank.vn", verified = true, source = "the test" }]
"""
COMMAND = (sys.executable, "-m", "khien.cli.main")

Khien = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def protect(tmp_path: Path) -> str:
    """A register with one bank."""
    path = tmp_path / "ours.toml"
    path.write_text(REGISTER, encoding="utf-8")
    return str(path)


@pytest.fixture
def khien(tmp_path: Path) -> Khien:
    """Runs khien in a directory of its own."""

    def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        neutral = {"LC_ALL": "C.UTF-8", "COLUMNS": "120"}
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=os.environ | neutral | environment,
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )

    return run
