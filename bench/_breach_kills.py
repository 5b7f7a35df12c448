"""The row `kills`: the real command, killed at random moments, ends with the files of an undisturbed one.

``khien breach import`` is started and gets SIGKILL after a random part of the time that an undisturbed import takes,
again and again on the same directory until it is done, then on another, until KILLS hit. Every file that look-ups read
is compared with the undisturbed one's, octet by octet.
"""

import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
from _children import environment, khien
from _rows import Bar, Row

from khien.app import breach, machine
from khien.app.epochs import Epochs
from khien.breach.place import KEY
from khien.model import Collection, Holding

BAR = Bar(1, "share of imports alike")
KILLS, ROWS, ACCOUNTS = 20, 600_000, 5_000
COMMAND = ["breach", "import", "combo.txt", "--collection", "shop"]


def kills(quick: bool = False) -> Iterator[Row]:
    """One row. quick: fewer kills, fewer rows."""
    wanted, rows = (4, 200_000) if quick else (KILLS, ROWS)
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as folder:
        scratch = Path(folder)
        _given(scratch, rows)
        began = time.perf_counter()
        _run(scratch, "whole").wait()
        seconds, whole = time.perf_counter() - began, _held(scratch / "whole")
        chance, hit, done, alike = random.Random(6), 0, 0, 0
        while hit < wanted:
            name = f"broken-{done}"
            shutil.copytree(scratch / "begun", scratch / name)
            while not _finished(scratch, name, seconds * chance.uniform(0.05, 0.95) if hit < wanted else None):
                hit += 1
            done += 1
            alike += _held(scratch / name) == whole
    said = f"{hit} kills, {done} imports, {alike} alike"
    how = f"{rows:,} rows of {min(rows, ACCOUNTS):,} accounts, {seconds:.0f} s undisturbed; SIGKILL of the real command"
    yield Row("killed during import", BAR, alike / done if whole else 0.0, said, how)


def _given(scratch: Path, rows: int) -> None:
    """A directory with a collection and keys, a copy of it for the undisturbed import, and a file to take in."""
    data = scratch / "begun"
    now = machine.clock()
    with machine.store(data) as store:
        told = {
            "id": "shop",
            "number": 1,
            "label": "Shop",
            "given_by": "the bench",
            "basis": "none",
            "purpose": "to see",
        }
        store.save(msgspec.convert(told | {"at": now, "until": date(now.year + 1, 1, 1)}, Collection))
    machine.key(data, KEY)
    Epochs(data, breach.settings()).begin(1)
    shutil.copytree(data, scratch / "whole")
    with (scratch / "combo.txt").open("w", encoding="utf-8") as file:
        file.writelines(f"person.{n % ACCOUNTS}@example{n % 7}.vn:password-{n % 70_001}\n" for n in range(rows))


def _run(scratch: Path, name: str) -> subprocess.Popen[bytes]:
    command, quiet = [*khien(), *COMMAND, "--data", name], subprocess.DEVNULL
    return subprocess.Popen(command, cwd=scratch, env=environment(), stdout=quiet, stderr=quiet)


def _finished(scratch: Path, name: str, seconds: float | None) -> bool:
    """Whether it came to its end before it was killed. RuntimeError: it failed."""
    running = _run(scratch, name)
    try:
        status = running.wait(seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        return False
    if status:
        raise RuntimeError(f"khien {' '.join(COMMAND)}: status {status}")
    return True


def _held(data: Path) -> dict[str, bytes]:
    """What look-ups read, by its name."""
    with machine.store(data) as store:
        return {each.id: (data / "breach" / each.file).read_bytes() for each in store.find(Holding)}
