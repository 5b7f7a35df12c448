"""Accounts met before: what each is under a key, by the keyed hash of its spelling, so that none is blinded twice."""

from pathlib import Path
from typing import Any

import numpy as np

from khien.breach import sorting
from khien.breach.exposed import ACCOUNT
from khien.breach.place import Place, known_of
from khien.breach.sorting import Rows, Run
from khien.contracts import Store

KEYED = 16  # octets of a keyed hash
MET = KEYED + ACCOUNT  # of a row

_SMALL = 32  # runs, until they become one


class Met:
    """Those of an epoch: that lookups know, that an intake met, and that others met which wait to be merged."""

    def __init__(self, store: Store, place: Place, id: str, epoch: int) -> None:
        self._folder = place.runs(id, known_of(epoch))
        self._runs = {path: Run.open(path, MET) for path in every_run(self._folder)}
        if held := place.holding(store, known_of(epoch)):
            self.add(place.path(held))
        folders = place.runs(id, ".").parent.glob(f"*/{known_of(epoch)}")
        others = (path for folder in folders if folder != self._folder for path in every_run(folder))
        self._others = [Run.open(path, MET) for path in others]

    def add(self, path: Path) -> None:
        """What was met for the first time."""
        self._runs[path] = Run.open(path, MET)

    def find(self, keyed: Rows) -> tuple[Rows, Any, Any]:
        """The accounts of keyed hashes (n, 16); which of them are known, and which are kept as known whatever becomes
        of other intakes, bool (n,) each."""
        found, there = np.zeros((len(keyed), ACCOUNT), np.uint8), np.zeros(len(keyed), bool)
        for run in self._runs.values():
            _look(run, keyed, found, there)
        kept = there.copy()
        for run in self._others:
            _look(run, keyed, found, there)
        return found, there, kept

    def gather(self) -> None:
        """Makes one run of many small ones: each is looked into for every page."""
        small = [path for path in self._runs if path.parent == self._folder and path.suffix == ".run"]
        if len(small) >= _SMALL:
            self.add(sorting.merge(small, self._folder, "met", MET))
            for path in small:
                del self._runs[path]
                path.unlink()


def every_run(folder: Path) -> list[Path]:
    """The runs in a folder, in the order of their names."""
    return sorted(folder.glob("[!.]*"))


def _look(run: Run, keyed: Rows, found: Rows, there: Any) -> None:
    """Looks up what is not there yet."""
    asked = np.flatnonzero(~there)
    where = run.find(np.ascontiguousarray(keyed[asked]))
    met = where >= 0
    found[asked[met]] = run.rows[where[met], KEYED:]
    there[asked[met]] = True
