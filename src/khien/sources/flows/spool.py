"""The spool: received datagrams on disk until what was made of them is saved, so that a killed process loses none.

A directory of mode 0700 holds segments, files of mode 0600 named by their number::

    segment     magic, cursor before its first frame, frame ...
    frame       HEAD (number of datagrams, of peers, of octets, CRC-32 of what follows), ends, received, exporters,
                peers, octets: a block as it was received, in the byte order of the machine

A frame is written before its page is yielded and never synced: it outlives the process, not a power cut, which takes
what the system had not written yet. What is torn is recognised by its length or its CRC-32, and dropped with all behind
it in the segment. Segments go when they reach the horizon, the oldest first when there are too many octets, all of them
when reading ends well; going is deletion, their octets on the disk are not overwritten.
"""

import errno
import logging
import math
import os
import re
import stat
import struct
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np

from khien.errors import ConfigError, InputError, UnavailableError
from khien.flows.datagrams import Datagrams
from khien.flows.records import ADDRESS
from khien.sources.flows.block import MOST, ROOM, begins

MAGIC = b"khien flows 1\n"
HEAD = struct.Struct("=IIII")
_PLACE = struct.Struct("=QQ")
_NAME = re.compile(r"(\d{1,18})\.spool")
_LARGEST = 64 << 20  # octets of a segment after which a new one is begun
_SEGMENTS = 16  # that a horizon is divided into
_FIRST = len(MAGIC) + _PLACE.size  # octets in front of the frames
_LARGEST_SEGMENT = _LARGEST + HEAD.size + (20 + ADDRESS) * MOST + ROOM
_GRACE = 2.0  # seconds that a segment of an earlier process stays once it is read: what is made of it is being saved

_log = logging.getLogger(__name__)


class Cursor(NamedTuple):
    """Behind which octet of which segment to go on; both only ever grow, whatever becomes of the segments."""

    segment: int = 0
    position: int = 0

    @classmethod
    def of(cls, text: bytes | None) -> "Cursor":
        """What ``encoded`` wrote; None is the first. InputError: something else did."""
        if text is None:
            return cls()
        found = re.fullmatch(rb"(\d{1,18}):(\d{1,18})", text)
        if found is None:
            raise InputError(f"no cursor of the source flows: {text[:80]!r}; start without one")
        return cls(int(found[1]), int(found[2]))

    def encoded(self) -> bytes:
        return b"%d:%d" % self


class Frame(NamedTuple):
    """A block out of the spool, and the cursors in front of it and behind."""

    before: Cursor
    datagrams: Datagrams
    behind: Cursor


@dataclass
class _Segment:
    """A file of frames. due: when it goes, on the clock of time.monotonic; never while it is written or read."""

    number: int
    path: Path
    octets: int = 0
    due: float = math.inf


class Spool:
    """A directory of segments. horizon: seconds after which a datagram is gone from it; limit: octets it may take.

    ConfigError: the directory cannot be made or is not ours.
    """

    def __init__(self, directory: Path, horizon: float, limit: int) -> None:
        self._directory = directory
        self._span = horizon / _SEGMENTS
        self._stay = horizon - self._span  # after the last frame of a segment
        self._limit = limit
        self._shortened = False
        self._cursor = Cursor()
        self._file: int | None = None  # that of the last segment, while it is written
        self._begun = 0.0
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
            named = [(found, path) for path in directory.iterdir() if (found := _NAME.fullmatch(path.name))]
        except OSError as error:
            raise ConfigError(f"{directory}: cannot be the spool ({error.strerror}): name another") from error
        self._segments = sorted((_Segment(int(name[1]), path) for name, path in named), key=lambda each: each.number)

    def replay(self, cursor: Cursor) -> Iterator[Frame]:
        """What an earlier process left, also what cursor covers: who looks back in time needs it again.

        To be read to its end before anything is written, which then goes on behind it.
        """
        self._cursor = cursor
        for segment in tuple(self._segments):
            with self._at_the_disk():
                segment.octets, age = self._looked_at(segment.path)
            segment.due = monotonic()
            if age < self._stay or Cursor(segment.number, segment.octets) > cursor:
                with self._at_the_disk():
                    text = memoryview(_content(segment.path))
                for frame in _frames(segment, text):
                    self._cursor = max(self._cursor, frame.behind)
                    yield frame
                segment.due = monotonic() + max(_GRACE, self._stay - age)

    def write(self, datagrams: Datagrams) -> Cursor:
        """Keeps datagrams, answers the cursor behind them. UnavailableError: there is no room."""
        pieces = [memoryview(each).cast("B") for each in _pieces(datagrams) if len(each)]
        checksum = 0
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
        sizes = len(datagrams.ends), len(datagrams.peers), len(datagrams.octets)
        frame = [HEAD.pack(*sizes, checksum), *pieces]
        octets = sum(map(len, frame))
        with self._at_the_disk():
            file = self._begin() if self._file is None else self._file
            if os.writev(file, frame) < octets:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        segment = self._segments[-1]
        segment.octets += octets
        self._cursor = Cursor(segment.number, segment.octets)
        return self._cursor

    def tidy(self) -> None:
        """Ends the segment that has lasted long enough, and deletes those that are due or too much."""
        now = monotonic()
        if self._file is not None and (now - self._begun >= self._span or self._segments[-1].octets >= _LARGEST):
            self._end()
        total = sum(each.octets for each in self._segments)
        while self._segments and self._segments[0].due < math.inf:
            oldest = self._segments[0]
            if oldest.due > now and total <= self._limit:
                break
            if oldest.due > now and not self._shortened:
                self._shortened = True
                _log.warning(
                    "%s: holds less than the horizon, since it may take %d octets: spool_octets is that setting",
                    self._directory, self._limit,
                )  # fmt: skip
            with self._at_the_disk():
                oldest.path.unlink(missing_ok=True)
            total -= self._segments.pop(0).octets

    def close(self, *, clear: bool) -> None:
        """Ends writing; clear: deletes all there is."""
        if self._file is not None:
            self._end()
        if clear:
            with self._at_the_disk():
                for each in self._segments:
                    each.path.unlink(missing_ok=True)

    @contextmanager
    def _at_the_disk(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            cure = "make room" if error.errno == errno.ENOSPC else "see to the disk"
            raise UnavailableError(f"{self._directory}: cannot be the spool ({error.strerror}): {cure}") from error

    def _begin(self) -> int:
        """Begins a segment behind the last one there was."""
        number = max((self._cursor.segment, *(each.number for each in self._segments[-1:]))) + 1
        path = self._directory / f"{number}.spool"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.write(self._file, MAGIC + _PLACE.pack(*self._cursor))
        self._segments.append(_Segment(number, path, _FIRST))
        self._begun = monotonic()
        return self._file

    def _end(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None
        self._segments[-1].due = monotonic() + self._stay

    def _looked_at(self, path: Path) -> tuple[int, float]:
        """Octets of a segment, and how long ago it was written to, in seconds, by the clock of the file system."""
        os.utime(self._directory)
        found = path.stat()
        return found.st_size, max(0.0, self._directory.stat().st_mtime - found.st_mtime)


def _content(path: Path) -> bytes:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as file:
        return file.read(_LARGEST_SEGMENT) if stat.S_ISREG(os.fstat(opened).st_mode) else b""


def _pieces(datagrams: Datagrams) -> Sequence[Any]:
    peers = b"".join(datagrams.peers)
    return datagrams.ends, datagrams.received, datagrams.exporters, peers, datagrams.octets


def _frames(segment: _Segment, text: memoryview) -> Iterator[Frame]:
    """The whole frames of a segment, up to the first that is not."""
    if len(text) < _FIRST or text[: len(MAGIC)].tobytes() != MAGIC:
        _log.warning("%s: is no segment of a spool, or torn where it begins: dropped", segment.path)
        return
    before = Cursor(*_PLACE.unpack_from(text, len(MAGIC)))
    at = _FIRST
    while at < len(text):
        found = _frame(text[at:])
        if found is None:
            _log.warning("%s: torn at octet %d, %d octets behind it are dropped", segment.path, at, len(text) - at)
            return
        datagrams, octets = found
        behind = Cursor(segment.number, at := at + octets)
        yield Frame(before, datagrams, behind)
        before = behind


def _frame(text: memoryview) -> tuple[Datagrams, int] | None:
    """The datagrams of the frame that text begins with, and its octets; None: it is not whole."""
    if len(text) < HEAD.size:
        return None
    count, peers, octets, checksum = HEAD.unpack_from(text)
    sizes = 8 * count, 8 * count, 4 * count, ADDRESS * peers, octets
    whole = HEAD.size + sum(sizes)
    if (
        max(count, peers) > MOST
        or octets > ROOM
        or len(text) < whole
        or zlib.crc32(text[HEAD.size : whole]) != checksum
    ):
        return None
    pieces, at = list[memoryview](), HEAD.size
    for size in sizes:
        pieces.append(text[at : (at := at + size)])
    ends, received = (np.frombuffer(each, np.int64).copy() for each in pieces[:2])  # aligned
    addresses = pieces[3].tobytes()
    datagrams = Datagrams(
        octets=np.frombuffer(pieces[4], np.uint8),
        begins=begins(ends),
        ends=ends,
        received=received,
        exporters=np.frombuffer(pieces[2], np.int32).copy(),
        peers=tuple(addresses[first : first + ADDRESS] for first in range(0, len(addresses), ADDRESS)),
    )
    return datagrams, whole
