"""The names in new certificates, out of every log of certificate transparency on a list, as the logs take them in."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, Full, Queue
from threading import BoundedSemaphore, Event, Thread
from time import monotonic
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.contracts import Page
from khien.ct import intervals, loglist
from khien.ct.entries import excerpt, skipped_rows
from khien.ct.intervals import Standing
from khien.ct.loglist import Log
from khien.ct.recent import Recent
from khien.errors import ConfigError, FormatError, InputError
from khien.packed import advice
from khien.sources.ctlog.fetch import Fetch
from khien.sources.ctlog.follow import Follower, Step
from khien.sources.ctlog.logs import opened

progress = intervals.progress  # of a page's cursor: entries, how many were not read, troubles, log by log

_PAGE = 0.2  # seconds after which a page is yielded, empty or not: the contract grants 0.25
_ENTRIES = 8192  # after which a page is full
_GLANCE = 0.25  # seconds after which a thread that waits looks whether it should stop
_LONGEST_BACKLOG = 1 << 40
_LOG_LIES, _LOG_WAITS = "log-lies", "log-waits"


@dataclass(frozen=True)
class CtLog:
    """Names of certificates and precertificates, each once in 48 hours, from many logs at once, newest first.

    clock: what time it is; a head from the future is refused. list: of logs, in JSON of version 3: a path, or an https
    URL to fetch when reading begins. operators: whose logs, all without any; states: in which they are. contact: a mail
    or web address at which who runs a log can reach you. backlog: of a log that was never read, so many entries are
    read back. poll: seconds between looks at a log's head. batch: entries asked for at once, a log may answer fewer.
    at_once: logs that are asked for entries at the same time. remembered: places for names that are told again only
    after 48 hours, of 4 octets each: of the 33 million unless told, 128 MiB, 13 million names at least and 27 at most
    are left out; of more, the oldest are forgotten. allow: private networks in which logs are asked as well.
    until_head: ends when all was read.
    """

    name: ClassVar[str] = "ctlog"
    yields: ClassVar[pa.Schema] = schema.CERTIFIED
    replayable: ClassVar[bool] = True

    clock: Callable[[], datetime]
    list: str
    operators: tuple[str, ...] = ()
    states: tuple[str, ...] = loglist.LIVE
    contact: str = ""
    backlog: int = 0
    poll: float = 1.0
    batch: int = 1024
    at_once: int = 8
    remembered: int = 1 << 25
    allow: tuple[str, ...] = ()
    until_head: bool = False

    def __post_init__(self) -> None:
        if unknown := [each for each in self.states if each not in loglist.STATES]:
            raise ConfigError(f"states: there is no {unknown[0]!r}: there is {', '.join(loglist.STATES)}")
        if not self.contact.isascii() or not self.contact.isprintable():
            raise ConfigError("contact goes into a header of HTTP: write it in ASCII")
        bounds = {"backlog": (0, _LONGEST_BACKLOG), "batch": (1, 4096), "at_once": (1, 64), "poll": (0.01, 3600)}
        for setting, (least, most) in {**bounds, "remembered": (1 << 10, 1 << 30)}.items():
            if not least <= getattr(self, setting) <= most:
                raise ConfigError(f"{setting} is {getattr(self, setting):g}: give {least:g} to {most:,}")

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """What logs took in behind cursor, as long as it is read; without a cursor, from their heads on.

        InputError: the list cannot be read, or is none. UnavailableError: it cannot be fetched.
        """
        standings = {} if cursor is None else intervals.decode(cursor)
        logs = loglist.chosen(self._listed(), self.operators, self.states)
        steps: Queue[Step] = Queue(self.at_once)
        stop, busy = Event(), BoundedSemaphore(self.at_once)

        def told(step: Step) -> None:
            handed = False
            while not handed and not stop.is_set():
                try:
                    steps.put(step, timeout=_GLANCE)
                    handed = True
                except Full:
                    pass

        threads = [
            Thread(target=self._follow, args=(log, standings.get(log.id), told, busy, stop), name=log.name, daemon=True)
            for log in logs
        ]
        try:
            for thread in threads:
                thread.start()
            yield from self._pages(standings, steps, threads)
        finally:
            stop.set()

    def _listed(self) -> tuple[Log, ...]:
        try:
            if self.list.startswith("https://"):
                with closing(Fetch(self.list, self.contact, self.allow)) as fetch:
                    return loglist.parse(fetch.get(self.list, loglist.LARGEST))
            with Path(self.list).open("rb") as file:
                return loglist.parse(file.read(loglist.LARGEST + 1))
        except FormatError as error:
            raise FormatError(f"{self.list}: {error}") from error
        except OSError as error:
            raise InputError(f"{self.list}: {advice(error)}") from error

    def _follow(
        self, log: Log, standing: Standing | None, told: Callable[[Step], None], busy: BoundedSemaphore, stop: Event
    ) -> None:
        with closing(Fetch(log.url, self.contact, self.allow)) as fetch:
            follower = Follower(log, opened(log, fetch, self.batch), standing, told, busy, self.clock)
            follower.run(stop, self.poll, self.backlog, self.until_head)

    def _pages(self, standings: dict[str, Standing], steps: Queue[Step], threads: Sequence[Thread]) -> Iterator[Page]:
        slots = 1 << self.remembered.bit_length() - 2
        recent = Recent(os.urandom(16), slots=slots)  # chance is nobody's: see ct.recent
        while True:
            going = any(thread.is_alive() for thread in threads)  # asked first: what was told before is in the queue
            rows: list[pa.RecordBatch] = [_NOTHING]
            told: list[tuple[str, str, str | None]] = []
            entries, until = 0, monotonic() + _PAGE
            while entries < _ENTRIES and (left := until - monotonic()) > 0:
                try:
                    step = steps.get(timeout=left if going else 0.001)
                except Empty:
                    break
                before, standings[step.log.id] = standings.get(step.log.id), step.standing
                if step.standing.trouble and (before is None or before.trouble != step.standing.trouble):
                    reason = _LOG_LIES if step.standing.halted else _LOG_WAITS
                    told.append((step.log.name, reason, excerpt(step.standing.trouble)))
                for each in step.certified:
                    entries += each.leaves
                    new = recent.take(each.values, each.offsets, each.names, monotonic())
                    told += each.skipped(step.log.name)
                    if new.any():
                        rows.append(each.rows(step.log.name, new))
            yield Page(pa.concat_batches(rows), intervals.encode(standings), skipped_rows(told))
            if not going and steps.empty():
                return


_NOTHING = pa.RecordBatch.from_pylist([], schema.CERTIFIED)
