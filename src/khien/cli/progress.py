"""How far a scan is, on a terminal: a bar with rate and time left; in a pipe, nothing."""

import os
import stat
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from khien import words
from khien.words import number

Place = Callable[[bytes], tuple[int, int]]  # of a cursor: the index of a file, and the bytes of it that are read


class Progress:
    """The bar. It stands on standard error, and steps aside while rows are written to the same terminal."""

    def __init__(
        self, paths: Sequence[str], language: str, progress: Place, rate: str, doing: str = "scanning"
    ) -> None:
        """progress: of the source whose cursors are shown; rate: the phrase for what it reads in a second; doing: for
        what is done."""
        self._progress, self._rate = progress, rate
        self._language = language
        self._sizes = sizes(paths)
        self._bar: Any = None
        if sys.stderr is not None and sys.stderr.isatty():
            self._bar = _bar()
            total = None if None in self._sizes else sum(filter(None, self._sizes))
            self._task = self._bar.add_task(words.phrase(doing, language), total=total, rate="")
            self._started = time.perf_counter()

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def move(self, cursor: bytes, rows: int) -> None:
        """To where the source is, rows having been read so far."""
        if self._bar:
            done = done_of(self._sizes, self._progress(cursor))
            rate = number(rows / max(time.perf_counter() - self._started, 1e-9), self._language)
            said = words.phrase(self._rate, self._language, rate=rate)
            self._bar.update(self._task, completed=done, rate=said)

    @contextmanager
    def aside(self) -> Generator[None]:
        """Takes the bar off the screen meanwhile."""
        if self._bar:
            self._bar.stop()
        yield
        if self._bar:
            self._bar.start()


def _bar() -> Any:
    from rich.console import Console  # a third of the time until the first finding, so only where somebody watches
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    looks = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"))
    return Progress(*looks, TimeRemainingColumn(), console=Console(stderr=True), transient=True)


def sizes(paths: Sequence[str]) -> list[int | None]:
    """Bytes of each file; None for what has no end in sight."""
    return [_size(path) for path in paths]


def done_of(sizes: Sequence[int | None], place: tuple[int, int]) -> int:
    """Bytes of files of these sizes that are behind a place: the index of a file, and the bytes of it that are read."""
    file, taken = place
    return sum(size or 0 for size in sizes[:file]) + taken


def _size(path: str) -> int | None:
    if path == "-":
        return None
    try:
        found = os.stat(path)
    except OSError:  # whoever reads it says so
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
