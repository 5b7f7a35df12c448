"""The spool of a listener: rows on disk before they are yielded, until what was made of them is saved.

A directory of mode 0700 holds segments, files of mode 0600 named by their number, of frames: length and CRC-32 of what
follows, and a record batch as Arrow writes it (IPC), all little-endian. A frame is written before its page is yielded
and never synced: it outlives the process, not a power cut. What is torn is recognised by its length or CRC-32, and
dropped with all behind it in the segment.
"""

import errno
import logging
import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from khien.errors import ConfigError, InputError, UnavailableError

_HEAD = struct.Struct("<II")
_NAME = re.compile(r"(\d{1,18})\.spool")
_FRAMES = 128  # of a segment, after which a new one is begun
_SEGMENTS = 8  # that are kept behind: so many pages are not asked for before the first of them is saved
_LARGEST = 64 << 20  # octets of a frame

_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Behind which octet of which segment to go on; both only ever grow."""

    segment: int = 0
    position: int = 0

    @classmethod
    def of(cls, text: bytes | None) -> "Place":
        """What ``encoded`` wrote; nothing is the first. InputError: something else wrote it."""
        found = re.fullmatch(rb"(\d{1,18}):(\d{1,18})", text or b"0:0")
        if found is None:
            raise InputError(f"no cursor of a listener: {(text or b'')[:80]!r}; start without one")
        return cls(int(found[1]), int(found[2]))

    def encoded(self) -> bytes:
        return b"%d:%d" % self


class Spool:
    """A directory of segments of rows. Empty as a directory: nothing is written, and places are only counted.

    ConfigError: the directory cannot be made or is not ours.
    """

    def __init__(self, directory: str, rows: pa.Schema) -> None:
        self._directory = Path(directory) if directory else None
        self._schema = rows
        self._last = Place()
        self._file: int | None = None
        self._frames = 0
        if self._directory is not None:
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._directory.chmod(0o700)
            except OSError as error:
                raise ConfigError(f"{directory}: cannot be the spool ({error.strerror}): name another") from error

    def replay(self, saved: Place) -> Iterator[tuple[pa.RecordBatch, Place]]:
        """What an earlier process left behind the place that was saved; what is in front of it is deleted.

        To be read to its end before anything is written, which then goes on behind it.
        """
        self._last = saved
        for number, path in self._segments():
            self._last = max(self._last, Place(number))
            if number < saved.segment:
                self._delete(path)
                continue
            for batch, place in self._batches(number, path):
                if place > saved:
                    self._last = place
                    yield batch, place

    def write(self, rows: pa.RecordBatch) -> Place:
        """Keeps rows, answers the place behind them. UnavailableError: there is no room."""
        if self._directory is None:
            self._last = Place(self._last.segment, self._last.position + 1)
            return self._last
        text = rows.serialize().to_pybytes()
        frame = _HEAD.pack(len(text), zlib.crc32(text)) + text
        try:
            if self._file is None or self._frames >= _FRAMES:
                self._begin(self._directory)
            if self._file is None or os.write(self._file, frame) < len(frame):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise UnavailableError(
                f"{self._directory}: cannot be the spool ({error.strerror}): make room, or see to the disk"
            ) from error
        self._frames += 1
        self._last = Place(self._last.segment, self._last.position + len(frame))
        return self._last

    def close(self) -> None:
        """Ends writing. What is there goes when the next process finds it saved."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _begin(self, directory: Path) -> None:
        """Begins a segment behind the last there was, and lets go of those that are saved for long."""
        self.close()
        number = self._last.segment + 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(directory / f"{number}.spool", flags, 0o600)
        self._frames, self._last = 0, Place(number)
        for old, path in self._segments():
            if old < number - _SEGMENTS:
                self._delete(path)

    def _segments(self) -> list[tuple[int, Path]]:
        if self._directory is None:
            return []
        return sorted(
            (int(found[1]), path) for path in self._directory.iterdir() if (found := _NAME.fullmatch(path.name))
        )

    def _delete(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UnavailableError(f"{path}: cannot be deleted ({error.strerror}): see to the disk") from error

    def _batches(self, number: int, path: Path) -> Iterator[tuple[pa.RecordBatch, Place]]:
        """The whole frames of a segment, up to the first that is not, and the place behind each."""
        try:
            opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(opened, "rb") as file:
                if not stat.S_ISREG(os.fstat(opened).st_mode):
                    _log.warning("%s: is no file of ours: passed over", path)
                    return
                position = 0
                while head := file.read(_HEAD.size):
                    size, checksum = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
                    text = file.read(min(size, _LARGEST))
                    if not size or len(text) < size or zlib.crc32(text) != checksum:
                        _log.warning("%s: torn behind octet %d: the rest is dropped", path, position)
                        return
                    position += _HEAD.size + size
                    yield pa.ipc.read_record_batch(pa.py_buffer(text), self._schema), Place(number, position)
        except (OSError, pa.ArrowException) as error:
            _log.warning("%s: cannot be read (%s): passed over", path, error)
