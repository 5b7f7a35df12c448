"""Files that are written once: sections, and a footer that says what they are, how long, and their SHA-256.

A file gets its name when all of it is on the disk, so that under a name there is a whole file or none, and its mode is
0600. Nobody changes it afterwards: what it held once it holds until its name is taken away, also for whoever mapped it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from khien.errors import CustodyError

Octets = Any  # np.ndarray of uint8, contiguous

_FOOTER = struct.Struct("<8sIIQQ32s")  # kind, version, width, entries, extra, SHA-256 of all before it
_OWN = 32  # octets of the SHA-256 of the footer itself, behind it
FOOTER = _FOOTER.size + _OWN


class Seal(NamedTuple):
    """What a file is. kind: 8 octets; width: octets of a row; extra: what the kind means by it."""

    kind: bytes
    version: int
    width: int
    entries: int
    extra: int = 0


class Writing:
    """A file on its way: sections one after the other, then the seal."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, section: Octets | bytes) -> None:
        """Appends octets: bytes, or a contiguous array of any type."""
        view = memoryview(section).cast("B") if len(section) else memoryview(b"")
        self._file.write(view)
        self._digest.update(view)
        self.size += view.nbytes

    def align(self) -> None:
        """Appends zeros until the next section begins at a multiple of 8 octets."""
        self.write(bytes(-self.size % 8))

    def seal(self, seal: Seal) -> str:
        """Appends the footer, waits for the disk; answers the SHA-256 of the whole file in hex."""
        footer = _FOOTER.pack(*seal, self._digest.digest())
        self.write(footer + hashlib.sha256(footer).digest())
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._digest.hexdigest()


@contextmanager
def writing(part: Path) -> Generator[Writing]:
    """Writes under the name part, which goes if anything does, and is written over if it is there from a crash.

    ``name`` gives it another once it is sealed.
    """
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(number, "wb", buffering=1 << 20) as file:
            yield Writing(file)
    finally:
        part.unlink(missing_ok=True)


def name(part: Path, path: Path) -> None:
    """Gives a sealed file its name for good, in place of what had it; both in one folder."""
    os.replace(part, path)
    number = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def part_of(folder: Path, id: str) -> Path:
    """Under which name a file is written: the same each time, so that a crash leaves one at most."""
    return folder / f".{id}.part"


def named(folder: Path, id: str, digest: str) -> Path:
    """How a file is called by its content: ``<id>-<first 24 hex digits of its SHA-256>``."""
    return folder / f"{id}-{digest[:24]}"


def read(path: Path, kind: bytes, version: int) -> Seal:
    """What a file says it is: reads its footer only.

    CustodyError: it is not there, of another kind or version, or was cut or changed where that shows at once.
    """
    try:
        with open(path, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - FOOTER, 0))
            footer = file.read(FOOTER)
    except OSError as error:
        raise CustodyError(f"{path}: {error.strerror}: what was written there cannot be read") from error
    if len(footer) != FOOTER or hashlib.sha256(footer[:-_OWN]).digest() != footer[-_OWN:]:
        raise CustodyError(f"{path}: does not end as it was written: it is cut short, changed, or not of Khiên")
    seal = Seal(*_FOOTER.unpack(footer[:-_OWN])[:-1])
    if (seal.kind, seal.version) != (kind, version):
        found = f"{seal.kind.decode(errors='replace')} {seal.version}"
        raise CustodyError(f"{path}: is {found}, where {kind.decode()} {version} is read")
    return seal


def mapped(path: Path) -> Octets:
    """A sealed file's sections, read only, without its footer; read it first, to know that it is long enough."""
    with open(path, "rb") as file:
        return np.frombuffer(mmap(file.fileno(), 0, access=ACCESS_READ), np.uint8)[:-FOOTER]


def pieces(path: Path, size: int) -> Iterator[bytes]:
    """A sealed file's sections, size octets at a time, the last may have fewer.

    CustodyError, behind the last piece: they are not what was written.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        left = os.fstat(file.fileno()).st_size - FOOTER
        while left > 0 and (piece := file.read(min(left, size))):
            digest.update(piece)
            left -= len(piece)
            yield piece
        written = file.read(_FOOTER.size)[-digest.digest_size :]
    if digest.digest() != written:
        raise CustodyError(f"{path}: holds something else than was written: import what it was made from again")
