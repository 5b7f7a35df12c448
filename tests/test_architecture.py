"""The boundaries of the house hold, and each is seen to break on a planted violation."""

import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = Path(sysconfig.get_path("scripts"))
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
LAYERS, SHELVES, FORMATS, PURITY = CONFIG["importlinter"]["contracts"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the house in which to plant."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(tree: Path, name: str, text: str) -> None:
    path = tree / "src" / "khien" / name
    path.parent.mkdir(exist_ok=True)
    (path.parent / "__init__.py").touch()
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")


def lint_imports(tree: Path) -> tuple[int, str]:
    """Exit status and words of import-linter over the house in tree, not the installed one."""
    command = [TOOLS / "lint-imports", "--no-cache"]
    environment = {"PYTHONPATH": str(tree / "src"), "PATH": "", "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_the_house_keeps_every_contract() -> None:
    status, said = lint_imports(ROOT)
    assert status == 0, said
    assert said.count(" KEPT") == len(CONFIG["importlinter"]["contracts"])


@pytest.mark.parametrize(
    ("contract", "name", "text"),
    [
        pytest.param(LAYERS, "errors.py", "import khien.model", id="upwards"),
        pytest.param(LAYERS, "canon.py", "import khien.compiled", id="sideways"),
        pytest.param(LAYERS, "names/planted.py", "def late():\n    import khien.detectors", id="upwards, late"),
        pytest.param(LAYERS, "stray.py", "", id="a room without a place"),
        pytest.param(LAYERS, "detectors/planted.py", "import khien.sources.sibling", id="shelf to shelf"),
        *(
            pytest.param(SHELVES, f"{shelf}/planted.py", f"import khien.{shelf}.sibling", id=f"siblings in {shelf}")
            for shelf in (module.split(".")[1] for module in SHELVES["modules"])
        ),
        pytest.param(FORMATS, "formats/planted.py", "import khien.formats.sibling", id="siblings in formats"),
    ],
)
def test_a_planted_import_breaks_its_contract(tree: Path, contract: dict[str, object], name: str, text: str) -> None:
    if text.endswith(".sibling"):
        plant(tree, f"{text.split('.')[1]}/sibling.py", "")
    plant(tree, name, text)
    status, said = lint_imports(tree)
    assert status == 1, said
    assert f"{contract['name']} BROKEN" in said


@pytest.mark.parametrize("room", [module.split(".")[1] for module in PURITY["source_modules"]])
def test_a_pure_room_may_import_none_of_the_forbidden(tree: Path, room: str) -> None:
    forbidden = PURITY["forbidden_modules"]
    plant(tree, f"{room}/planted.py", "\n".join(f"import {each}" for each in forbidden))
    status, said = lint_imports(tree)
    assert status == 1, said
    assert f"{PURITY['name']} BROKEN" in said
    assert [each for each in forbidden if f"khien.{room}.planted -> {each} " not in said] == []


BANNED = """
import datetime
import random
import time
from datetime import datetime as moment

asked = (moment.now(), moment.today(), moment.utcnow(), datetime.date.today(), time.time(), time.time_ns())
"""


@pytest.mark.parametrize(("name", "times"), [("names/planted.py", 7), ("canon.py", 7), ("cli/planted.py", 0)])
def test_only_the_edge_asks_the_clock(tree: Path, name: str, times: int) -> None:
    plant(tree, name, BANNED)
    command = [TOOLS / "ruff", "check", "--no-cache", "--select=TID251", "--output-format=concise", "src"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    assert done.stdout.count("TID251") == times, done.stdout
