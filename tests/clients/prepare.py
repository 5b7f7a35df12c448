"""Makes .venv/clients/, in which other people's clients run: what the locks beside this file name, each by its digest.

.venv/bin/python tests/clients/prepare.py
.venv/bin/python tests/clients/prepare.py lock      renews the locks from *.in and package.json
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACE = ROOT / ".venv" / "clients"
STAMP = PLACE / "made-of"
PYTHON = PLACE / "python" / "bin" / "python"
NODE = PLACE / "node"  # the folder of node_modules

PIP = ("-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes", "--no-deps")
WHEELS = ("--only-binary", ":all:", "--requirement", HERE / "python.txt")
SOURCE = ("--no-binary", ":all:", "--no-build-isolation", "--requirement", HERE / "source.txt")
NPM = (
    "--ignore-scripts",
    "--omit=dev",
    "--omit=optional",
    "--omit=peer",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
)


def ready() -> bool:
    """Whether the clients are there as the locks say."""
    return STAMP.is_file() and STAMP.read_text(encoding="utf-8") == _wanted()


def make() -> None:
    """Makes both environments; quick when nothing changed."""
    if ready():
        return
    if not shutil.which("npm"):
        sys.exit("npm is not here, and some clients are written in JavaScript: apt-get install npm")
    shutil.rmtree(PLACE, ignore_errors=True)
    venv.create(PYTHON.parents[1], with_pip=True)
    _run(PYTHON, *PIP, *WHEELS)
    _run(PYTHON, *PIP, *SOURCE)
    NODE.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, NODE)
    _run("npm", "ci", *NPM, "--prefix", NODE)
    STAMP.write_text(_wanted(), encoding="utf-8")


def lock() -> None:
    """Renews the locks; they name no registry."""
    loader = SourceFileLoader("dev", str(ROOT / "dev"))
    spec = spec_from_loader("dev", loader)
    assert spec
    dev = module_from_spec(spec)
    loader.exec_module(dev)
    compiled = (ROOT / ".venv" / "bin" / "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes")
    plain = ("--no-emit-index-url", "--no-header", "--python-version", "3.11")
    parts = {"python": ("--no-emit-package", "flask-principal"), "source": ("--no-deps",)}
    for name, more in parts.items():
        written = (HERE / f"{name}.in", "--output-file", HERE / f"{name}.txt")
        _run(*compiled, *plain, *more, *written, **dev.uv_settings())
    _run("npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved", *NPM, "--prefix", HERE)


def _wanted() -> str:
    """What the environments are made of: the locks, and the Python."""
    locks = ("python.txt", "source.txt", "package-lock.json")
    return " ".join(
        [sys.version.split()[0], *(hashlib.sha256((HERE / each).read_bytes()).hexdigest() for each in locks)]
    )


def _run(*command: str | Path, **more: str) -> None:
    subprocess.run(command, cwd=HERE, env=os.environ | more, stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    lock() if sys.argv[1:] == ["lock"] else make()
