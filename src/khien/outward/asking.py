"""Looking into what is asked for: many subjects at once, each told of as soon as something is known."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, NamedTuple

_POLL = 0.05  # seconds between two looks at what is due
_PAGE = 0.2  # seconds after which something is told, be it nothing: a live source has 0.25
_HELD = 60.0  # seconds for which what was told and is still due is on its way to be saved
_AGAIN = 0.5  # seconds after which a look whose turn has not come is tried again
_TRIES = 30  # of a look whose turn does not come, before it makes room for others
_SILENT = 20  # looks without an answer: then it is we who reach nobody
_MOST = 500  # subjects that wait for their turn
_LEFT = 2_000  # subjects that are left for now, behind which others are looked for

_log = logging.getLogger(__name__)


class Fact(NamedTuple):
    """What is so: columns of a row of schema.EVIDENCE."""

    topic: str
    code: str
    params: dict[str, str]


Look = Callable[[str], Sequence[Fact] | None]  # ends in bounded time; None: its turn has not come


class Reached:
    """A source's cursor: how many pages it told, and in how many looks in a row whoever was asked gave no answer."""

    def __init__(self, cursor: bytes | None) -> None:
        self._told, self._cursor, self._silent = int((cursor or b"0").split()[0]), cursor or b"0", 0

    def note(self, answered: bool) -> None:
        """Counts a look, from whatever thread."""
        self._silent = 0 if answered else self._silent + 1

    def cursor(self, rows: Sequence[Any]) -> bytes:
        """The cursor behind rows, of which it moves by one where there are any."""
        if rows:
            self._told += 1
            self._cursor = b"%d %d" % (self._told, self._silent) if self._silent else b"%d" % self._told
        return self._cursor


def silence(cursor: bytes) -> str:
    """What is wrong where nobody has answered for long; empty where somebody does. cursor: of Reached."""
    silent = int(cursor.partition(b" ")[2] or 0)
    if silent < _SILENT:
        return ""
    return f"none of the last {silent} looks was answered: see whether this machine is let out, and to those it asks"


class _Done(NamedTuple):
    look: Look
    subject: str
    facts: Sequence[Fact] | None


class Asking:
    """Looks into subjects that are due, each look in a thread of its own, at_once of them at a time.

    due: at most so many subjects, the longest due first. One that was told of is left until it is no longer among them:
    then it is saved, or a minute has passed. A look whose turn does not come for long, and one that fails by a fault of
    ours, tells nothing and stops no other; the fault is logged.
    """

    def __init__(self, due: Callable[[int], Sequence[str]], looks: Sequence[Look], at_once: int) -> None:
        self._due, self._looks, self._at_once = due, looks, at_once
        self._pending = dict[str, int]()  # looks that are not done, by subject
        self._told = dict[str, float]()  # until when it is left, by subject
        self._ready = deque[tuple[Look, str]]()
        self._waiting = deque[tuple[float, Look, str]]()
        self._tries = dict[tuple[Look, str], int]()  # in which its turn had not come, by look and subject
        self._running, self._drawn = 0, -_POLL
        self._done = SimpleQueue[_Done]()
        self._over = False

    def rows(self) -> Iterator[list[dict[str, Any]]]:
        """Rows of schema.EVIDENCE as they come to be known, an empty list at least every 0.25 s; it never ends.

        Abandoned, it starts nothing more.
        """
        yielded = monotonic()
        try:
            while True:
                self._draw(monotonic())
                self._start(monotonic())
                rows = [row for done in self._gathered() for row in self._finish(done, monotonic())]
                if rows or monotonic() - yielded >= _PAGE:
                    yield rows
                    yielded = monotonic()
        finally:
            self._over = True

    def _draw(self, now: float) -> None:
        """Takes subjects that are due, as many as may wait."""
        if now - self._drawn < _POLL or len(self._ready) >= self._at_once or len(self._pending) >= _MOST:
            return
        self._drawn = now
        wanted = self._due(2 * self._at_once + len(self._pending) + min(len(self._told), _LEFT))
        self._told = {each: until for each in wanted if (until := self._told.get(each, now)) > now}
        for subject in wanted:
            if subject not in self._pending and subject not in self._told:
                self._pending[subject] = len(self._looks)
                self._ready.extend((look, subject) for look in self._looks)

    def _start(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            self._ready.append(self._waiting.popleft()[1:])
        while self._ready and self._running < self._at_once:
            Thread(target=self._look, args=self._ready.popleft(), daemon=True).start()
            self._running += 1

    def _look(self, look: Look, subject: str) -> None:
        facts: Sequence[Fact] | None = ()
        try:
            facts = look(subject)
        except Exception:  # a fault of ours in one subject keeps no other from its answer
            if not self._over:  # else what it looked with was taken away under it
                _log.exception("%s: a fault of Khiên's: please report it", subject)
        self._done.put(_Done(look, subject, facts))

    def _gathered(self) -> Iterator[_Done]:
        """What is done within a moment, and all that is done by then."""
        with suppress(Empty):
            yield self._done.get(timeout=_POLL)
            while True:
                yield self._done.get_nowait()

    def _finish(self, done: _Done, now: float) -> Iterator[dict[str, Any]]:
        self._running -= 1
        tries = self._tries.pop((done.look, done.subject), 0) + 1
        if done.facts is None and tries < _TRIES:
            self._tries[done.look, done.subject] = tries
            self._waiting.append((now + _AGAIN, done.look, done.subject))
            return
        self._pending[done.subject] -= 1
        if not self._pending[done.subject]:
            del self._pending[done.subject]
            self._told[done.subject] = now + _HELD
        for topic, code, params in done.facts or ():
            yield {"subject": done.subject, "topic": topic, "code": code, "params": list(params.items())}
