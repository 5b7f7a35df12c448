"""Sorted runs of fixed-width rows, and their merging in bounded memory: the same rows give the same octets.

Rows are compared as octets from the left. Of equal rows one is kept; in counted runs the last 8 octets are a number
(big-endian, at most 2**63 - 1), and rows that are equal before it become one, their numbers added up.

    passwords          digest 20 or 16 | pair 8
    counted passwords  digest 20 or 16 | count 8    (counted)
    accounts           y 16 | domain 8, zeros for a number | collection 4
    known              keyed 16 | y 16
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from khien.breach import rows as kernels
from khien.breach import sealed
from khien.breach.sealed import Seal
from khien.errors import ContractError, CustodyError

Rows = Any  # np.ndarray[n, width] of uint8, contiguous
Told = Callable[[int, int], None]  # how many are done, of

FAN = 256  # runs that are merged at once: so many files are open

_KIND, _VERSION = b"khienrun", 1
_MEMORY = 1 << 26  # octets of rows that a merge holds of its sources, and about as many again that were just read
_ROOM = 1 << 16  # rows of a batch
_PIECE = 1 << 18  # octets of a run read at once


def write_run(path: Path, rows: Rows, *, counted: bool = False) -> int:
    """Sorts rows (n, width), combines equal ones, writes them as a run; answers how many are left.

    Durable, and the whole run or none is under its name. The same rows give the same file, in whatever order. counted:
    the last 8 octets are a number to add up, else rows are a set.
    """
    n, width = rows.shape
    key = _key(width, counted)
    made = np.empty_like(rows)
    left = kernels.combine(rows, n, width, key, _order(rows), made)
    part = sealed.part_of(path.parent, path.name)
    with sealed.writing(part) as writing:
        writing.write(made[:left])
        writing.seal(Seal(_KIND, _VERSION, width, left, counted))
        sealed.name(part, path)
    return left


def merged(
    runs: Sequence[Path],
    width: int,
    *,
    scratch: Path,
    counted: bool = False,
    beside: Sequence[Iterable[Rows]] = (),
    told: Told | None = None,
) -> Iterator[Rows]:
    """Batches of the rows of all runs and of what stands beside them, sorted and combined; each is good until the next.

    beside: batches of rows of the same width that are sorted and combined already, such as those of a holding.
    scratch: a folder on the disk that takes what more than FAN runs need in between; nothing stays in it, whatever
    happens. told: hears of rows of runs that were read; a row that needs two passes counts twice. CustodyError: a run
    is of another width or kind, damaged or out of order; by its last batch at the latest.
    """
    key = _key(width, counted)
    seals = [_seal(path, width, counted) for path in runs]
    passes = 1
    while len(runs) > FAN**passes:
        passes += 1
    reading = _Reading(passes * sum(seal.entries for seal in seals), told)
    sources = [reading.rows(sealed.pieces(path, _PIECE // width * width), width) for path in runs]
    for _ in range(passes - 1):
        sources = [
            reading.rows(_set_down(_merged(sources[begin : begin + FAN], width, key), scratch, width), width)
            for begin in range(0, len(sources), FAN)
        ]
    yield from _merged([*sources, *map(iter, beside)], width, key)
    reading.finish()


def merge(runs: Sequence[Path], folder: Path, id: str, width: int, *, beside: Sequence[Iterable[Rows]] = ()) -> Path:
    """The same as one run in folder, called ``<id>-<first 24 hex digits of its SHA-256>``; answers its path."""
    part, entries = sealed.part_of(folder, id), 0
    with sealed.writing(part) as writing:
        for batch in merged(runs, width, scratch=folder, beside=beside):
            writing.write(batch)
            entries += len(batch)
        path = sealed.named(folder, id, writing.seal(Seal(_KIND, _VERSION, width, entries)))
        sealed.name(part, path)
    return path


@dataclass(frozen=True)
class Run:
    """A run, mapped: rows (entries, width), read only."""

    path: Path
    rows: Rows

    @classmethod
    def open(cls, path: Path, width: int) -> Run:
        """CustodyError: it is no run of a set of rows of this width, or was cut or changed where that shows at once."""
        _seal(path, width, counted=False)
        return cls(path, sealed.mapped(path).reshape(-1, width))

    def batches(self) -> Iterator[Rows]:
        """All rows in order, read from the disk; CustodyError at the end: they are not what was written."""
        width = self.rows.shape[1]
        for piece in sealed.pieces(self.path, _PIECE // width * width):
            yield np.frombuffer(piece, np.uint8).reshape(-1, width)

    def find(self, keys: Rows) -> Any:
        """Where the first row stands that begins with each key: keys (n, k) uint8, 8 <= k <= width; int64 (n,).

        -1: no row does. Keys that are looked for together share their way.
        """
        n, size = keys.shape
        found = np.empty(n, np.int64)
        kernels.find(self.rows, *self.rows.shape, keys, n, size, _order(keys), found)
        return found


def _order(rows: Rows) -> Any:
    """Which row comes first, and so on."""
    n, width = rows.shape
    heads = np.empty(n, np.int64)
    kernels.heads(rows, n, width, heads)
    order = np.argsort(heads)
    kernels.settle(rows, n, width, heads, order)
    return order


class _Reading:
    """How far rows are read, for whoever waits."""

    def __init__(self, of: int, told: Told | None) -> None:
        self.done, self.of, self.told = 0, of, told

    def rows(self, pieces: Iterable[bytes], width: int) -> Iterator[Rows]:
        """Pieces of a run as rows."""
        for piece in pieces:
            batch = np.frombuffer(piece, np.uint8).reshape(-1, width)
            self.done += len(batch)
            if self.told:
                self.told(self.done, self.of)
            yield batch

    def finish(self) -> None:
        """Rows that were combined in a first pass are not read in a second."""
        if self.told:
            self.told(self.of, self.of)


def _key(width: int, counted: bool) -> int:
    key = width - kernels.COUNT if counted else width
    if key < kernels.HEAD:
        raise ContractError(f"rows of {width} octets cannot be sorted: {kernels.HEAD} and more must tell them apart")
    return key


def _seal(path: Path, width: int, counted: bool) -> Seal:
    seal = sealed.read(path, _KIND, _VERSION)
    if (seal.width, seal.extra) != (width, counted) or path.stat().st_size != seal.entries * width + sealed.FOOTER:
        raise CustodyError(f"{path}: is no run of {'counted ' * counted}rows of {width} octets")
    return seal


def _set_down(batches: Iterable[Rows], scratch: Path, width: int) -> Iterator[bytes]:
    """The same rows in pieces, by way of a file that has no name: it goes with whoever holds it."""
    with tempfile.TemporaryFile(dir=scratch) as file:
        for batch in batches:
            file.write(batch)
        file.seek(0)
        while piece := file.read(_PIECE // width * width):
            yield piece


class _Source:
    """Batches of whatever size, handed on as there is room."""

    def __init__(self, batches: Iterator[Rows]) -> None:
        self._batches = batches
        self._left: Rows = ()

    def fill(self, room: Rows) -> int:
        """Answers how many rows there are now; 0: it has ended."""
        while not len(self._left):
            batch = next(self._batches, None)
            if batch is None:
                return 0
            self._left = batch
        n = min(len(room), len(self._left))
        room[:n], self._left = self._left[:n], self._left[n:]
        return n


def _merged(batches: Sequence[Iterator[Rows]], width: int, key: int) -> Iterator[Rows]:
    """Batches of what all sources have, sorted and combined, at most FAN sources and few more."""
    sources = [_Source(each) for each in batches]
    count = len(sources)
    if not count:
        return
    share = max(min(_MEMORY // (width * count), _ROOM), 1)
    buffer = np.empty((count, share, width), np.uint8)
    at = np.arange(count, dtype=np.int64) * share
    end = at + [source.fill(buffer[n]) for n, source in enumerate(sources)]
    heads, tree = np.empty(count, np.int64), np.full(count, -1, np.int64)
    out, made = np.empty((_ROOM, width), np.uint8), np.zeros(1, np.int64)
    taken_up = kernels.BEGIN
    while True:
        paused = kernels.merge(buffer, width, key, count, at, end, heads, tree, taken_up, out, _ROOM, made)
        taken_up = kernels.GO_ON
        if paused == kernels.UNSORTED:
            raise CustodyError("a run's rows are out of order: it is damaged, take in its file again")
        if paused == kernels.ENDED:
            yield out[: made[0]]
            return
        if paused == kernels.FULL:
            yield out[: _ROOM - 1]
            out[0], made[0] = out[-1], 1
        else:
            taken_up = paused
            at[paused] = paused * share
            end[paused] = at[paused] + sources[paused].fill(buffer[paused])
