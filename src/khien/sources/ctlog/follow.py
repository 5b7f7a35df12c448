"""One log, followed in a thread of its own: its heads held to each other, its entries to its heads, newest first."""

import logging
from collections.abc import Callable
from datetime import datetime
from threading import BoundedSemaphore, Event
from time import monotonic
from typing import NamedTuple

import msgspec

from khien.ct import heads, intervals, tree
from khien.ct.entries import Certified
from khien.ct.heads import Head
from khien.ct.intervals import Gap, Standing
from khien.ct.loglist import LIVE, Log
from khien.errors import CustodyError, FormatError, UnavailableError
from khien.ledger import verify_consistency
from khien.sources.ctlog.fetch import LaterError
from khien.sources.ctlog.logs import Kind

_WAITS = (1.0, 64.0)  # seconds before a log that failed is asked again: at first, at most
_log = logging.getLogger(__name__)


class Step(NamedTuple):
    """What came of a log: how it stands now, and what is in the entries that brought it there."""

    log: Log
    standing: Standing
    certified: tuple[Certified, ...] = ()


class Follower:
    """Follows a log from where it stood; steps are handed to ``told``.

    busy: bounds how many logs hold an answer in memory at once. clock: what time it is.
    """

    def __init__(
        self,
        log: Log,
        kind: Kind,
        standing: Standing | None,
        told: Callable[[Step], None],
        busy: BoundedSemaphore,
        clock: Callable[[], datetime],
    ) -> None:
        self._log, self._kind, self._told, self._busy, self._clock = log, kind, told, busy, clock
        if standing is None or not standing.at:  # there never was a head to begin at
            self._standing = None
        else:
            self._standing = msgspec.structs.replace(standing, name=log.name, halted=False)
        self._proof: tuple[int, int, list[bytes]] = 0, 0, []
        self._aged = ""  # what is wrong with the newest head, though it is verified

    def run(self, stop: Event, poll: float, backlog: int, until_head: bool) -> None:
        """Until stop is set, or the log is found to lie: what it lies about is told, and it is not asked again.

        poll: seconds between heads. backlog: as intervals.begun. until_head: ends where nothing is left to read.
        """
        due, wait = 0.0, _WAITS[0]
        while not stop.is_set():
            try:
                if monotonic() >= due and self._has_room():
                    due = monotonic() + poll
                    self._take_head(backlog)
                more = self._take_chunk()
                wait = _WAITS[0]
            except CustodyError as error:
                _log.error("the log %s lies: %s", self._log.name, error)
                self._trouble(str(error), halted=True)
                return
            except Exception as error:  # a fault of ours with one log keeps no other from being read
                expected = isinstance(error, UnavailableError | FormatError)
                why = str(error) if expected else f"{type(error).__name__}, a fault of Khiên's: please report it"
                if self._standing is None or self._standing.trouble != why:  # once, and not at each try
                    _log.warning("the log %s: %s", self._log.name, why, exc_info=not expected)
                self._trouble(why, halted=False)
                stop.wait(error.seconds if isinstance(error, LaterError) else wait)
                due, wait = 0.0, min(2 * wait, _WAITS[1])
                continue
            if not more:
                if until_head:
                    return
                stop.wait(max(due - monotonic(), 0))

    def _has_room(self) -> bool:
        return self._standing is None or len(self._standing.gaps) < intervals.MOST_GAPS

    def _take_head(self, backlog: int) -> None:
        """Asks for the head; one that is not consistent with the last is a lie."""
        head, before, now = self._kind.head(), self._standing, self._clock()
        heads.expect_past(head, now)
        after = intervals.begun(self._log.name, head, backlog) if before is None else intervals.grown(before, head)
        if before is not None:
            self._expect_one_tree(before, head)
        self._aged = heads.aged(after.at, now) if self._log.state in LIVE else ""
        self._standing = after = msgspec.structs.replace(after, trouble=self._aged)
        if before is None or after.size > before.size or after.trouble != before.trouble:
            self._tell(after)

    def _expect_one_tree(self, before: Standing, head: Head) -> None:
        """Holds a head to the one before, whichever of the two is newer."""
        if head.size > before.size:
            proof = self._proved(before.size, head.size)
            verify_consistency(before.size, before.root, head.size, head.root, proof)
        elif head.size < before.size:
            try:
                proof = self._proved(head.size, before.size)
            except LaterError:
                raise
            except UnavailableError:
                return  # a server that lags does not know of the newer tree yet; one that stays behind is found aged
            verify_consistency(head.size, head.root, before.size, before.root, proof)

    def _take_chunk(self) -> bool:
        """Reads the next entries, and holds them to the tree; answers whether there was something to read."""
        assert self._standing is not None
        chunk = intervals.next_chunk(self._standing, self._kind.most)
        if chunk is None:
            return False
        known = tree.frontier(chunk.begin, chunk.end, self._proved(chunk.begin, chunk.end), chunk.known)
        with self._busy:
            parts = self._kind.entries(chunk.begin, chunk.end)
            leaves = [each for part in parts for each in part.hashes]
            behind, root = None, chunk.root
            if (end := chunk.begin + len(leaves)) < chunk.end:
                root = tree.grown(chunk.begin, known, leaves)
                verify_consistency(end, root, chunk.end, chunk.root, self._kind.proof(end, chunk.end))
                behind = Gap(end, chunk.end, chunk.root, root)
            before = tree.held(chunk.begin, known, leaves, root)
            certified = tuple(map(Certified, parts))
        newest = max(each.newest for each in certified)
        standing = intervals.read(self._standing, chunk, before, newest, behind)
        self._tell(msgspec.structs.replace(standing, trouble=self._aged), certified)
        return True

    def _proved(self, earlier: int, size: int) -> list[bytes]:
        """A proof; that between two heads serves again when what is between them is read at once."""
        if self._proof[:2] != (earlier, size):
            self._proof = earlier, size, self._kind.proof(earlier, size) if earlier else []
        return self._proof[2]

    def _trouble(self, why: str, halted: bool) -> None:
        standing = self._standing or Standing(name=self._log.name)
        if standing.trouble != why or halted:
            standing = msgspec.structs.replace(standing, trouble=why, halted=halted)
            self._standing = self._standing and standing
            self._told(Step(self._log, standing))

    def _tell(self, standing: Standing, certified: tuple[Certified, ...] = ()) -> None:
        self._standing = standing
        self._told(Step(self._log, standing, certified))
