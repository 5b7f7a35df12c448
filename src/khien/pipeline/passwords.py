"""Lists of passwords that others publish, as Pwned Passwords has them: held beside what we took in, for the list is
replaced as theirs is, and what answers adds the counts of both.

A list is a file of lines ``HASH:COUNT``, or a folder of files that are named by five hex digits and hold lines
``SUFFIX:COUNT``. A file replaces the whole list; of a folder each file replaces what is held of its prefix, and nothing
else changes: so a folder may be a delta.
"""

import os
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from khien.audit import Act, Audit
from khien.breach import hashlist, sorting, table
from khien.breach.hashlist import Digests
from khien.breach.place import Place, on_disk
from khien.breach.ranges import PREFIXES, PUBLIC
from khien.breach.sorting import Told
from khien.breach.table import Table
from khien.contracts import Store
from khien.errors import FormatError, RefusedError
from khien.model import Holding
from khien.packed import Packed, unpacked
from khien.pipeline.intake import sweep
from khien.pipeline.saving import audited

_NAME = re.compile(r"([0-9A-Fa-f]{5})(?:\.txt)?(\.gz)?")
_BLOCK = 1 << 24  # bytes read of a list at once
_LONGEST = 1 << 12  # bytes of a line
_LARGEST = 1 << 26  # bytes of the file of a prefix
_RUN = 1 << 22  # rows sorted at once
_COUNT = 8  # octets
_FEWER = 2  # times as many as a new list has are not let go of without a word


class Published(NamedTuple):
    """What came of a list: the holding as it is now, prefixes replaced; aside: files of a folder that hold something
    else."""

    holding: Holding
    prefixes: int
    aside: int


@dataclass(frozen=True)
class Publishing:
    """Where a list is held, and by whom it is taken in. Who takes in holds the lock (app.breach.lock)."""

    store: Store
    place: Place
    audit: Audit
    by: str

    def take(self, path: Path, mode: str, told: Told | None = None, *, smaller: bool = False) -> Published:
        """Takes in a list of a mode. smaller: it may have less than half of what was held.

        FormatError: it is none, or damaged. RefusedError: it is that small. UnavailableError: the disk is full.
        OSError: it cannot be read. Whatever is raised, nothing was replaced.
        """
        public = PUBLIC.format(mode)
        runs = _Runs(self.place.runs(public, mode), table.WIDTHS[mode])
        held = self.place.holding(self.store, public)
        try:
            if path.is_dir():
                replaced, aside = _folder(path, runs, told)
                prefixes = int(replaced.sum())
                if held:
                    _keep(Table.open(self.place.path(held)), replaced, runs)
            else:
                _file(path, runs, told)
                prefixes, aside = PREFIXES, 0
            made = runs.table(self.place.folder, public, told)
        finally:
            runs.forget()
        now = self.audit.clock()
        holding = Holding(id=public, file=made.name, entries=Table.open(made).entries, at=now)
        before = held.entries if held else 0
        if not smaller and _FEWER * holding.entries < before:
            made.unlink()
            raise RefusedError(
                f"{path}: the list would have {holding.entries:,} hashes, and has {before:,}: nothing was replaced: say"
                " --smaller if the new one is whole"
            )
        said = {"before": str(before), "entries": str(holding.entries), "prefixes": str(prefixes)}
        audited(self.store, self.audit, lambda: [holding], Act(self.by, "passwords-replaced", mode, said))
        if held and held.file != holding.file:
            os.utime(self.place.path(held), (now.timestamp(), now.timestamp()))  # who opens it now has time to
        sweep(self.store, self.place, now)
        return Published(holding, prefixes, aside)


@dataclass
class _Runs:
    """Counted runs of what is read, as many rows at once as are sorted in memory."""

    folder: Path
    width: int
    paths: list[Path] = field(default_factory=list[Path], init=False)
    _rows: list[Any] = field(default_factory=list[Any], init=False)
    _waiting: int = field(default=0, init=False)

    def add(self, digests: Any, counts: Any) -> None:
        """Rows: digests uint8[n, width], counts int64[n]."""
        self._rows.append(np.hstack([digests, counts.astype(">u8").view(np.uint8).reshape(-1, _COUNT)]))
        self._waiting += len(digests)
        if self._waiting >= _RUN:
            self._write()

    def table(self, folder: Path, id: str, told: Told | None) -> Path:
        """The table of all that was added."""
        if self._waiting:
            self._write()
        with on_disk(folder):
            return table.build(folder, id, self.width, self.paths, told=told)

    def _write(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{len(self.paths):08d}.run"
        rows = np.concatenate(self._rows)
        with on_disk(self.folder):
            sorting.write_run(path, rows, counted=True)
        self.paths.append(path)
        self._rows, self._waiting = [], 0

    def forget(self) -> None:
        """Takes the runs away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _keep(base: Table, replaced: Any, runs: _Runs) -> None:
    """Adds what is held of prefixes that are not replaced."""
    for digests, counts in base.batches():
        high = digests[:, :3].astype(np.int64)
        kept = ~replaced[high[:, 0] << 12 | high[:, 1] << 4 | high[:, 2] >> 4]
        runs.add(digests[kept], counts[kept])


def _file(path: Path, runs: _Runs, told: Told | None) -> None:
    """Reads one list. FormatError: a line of it is broken, so that who knows what of it is missing."""
    size, line, met = path.stat().st_size, 1, False
    wanted = f"HASH:COUNT of {2 * runs.width} hex digits"
    packed = Packed(str(path))
    try:
        for text, read in _blocks(unpacked(packed), runs.width):
            broken = next((at for at, length, _ in read.broken.tolist() if not _pads(text, at, length)), None)
            if broken is not None:
                line += text.count(b"\n", 0, broken)
                said = f"line {line:,} is no {wanted}: nothing was replaced"
                raise FormatError(f"{said}: is it of another mode? else fetch it again")
            runs.add(read.digests, read.counts)
            line += text.count(b"\n", 0, read.used)
            met = met or len(read.digests) > 0
            if told:
                told(packed.taken, max(size, packed.taken))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    finally:
        packed.close()
    if not met:
        raise FormatError(f"{path}: holds no line {wanted}: is it of another mode?")


def _pads(text: bytes, at: int, length: int) -> bool:
    """Whether a line that is none counts 0: it is there for its length."""
    return text[at : at + length].rstrip(b"0").endswith(b":")


def _blocks(stream: Any, width: int) -> Iterator[tuple[bytes, Digests]]:
    """Blocks of text, and the rows at their beginnings."""
    rest = b""
    while True:
        block = stream.read(_BLOCK)
        rest += block
        read = hashlist.read(rest, width, not block)
        yield rest, read
        rest = rest[read.used :]
        if not block:
            return
        if len(rest) > _LONGEST:
            raise FormatError(f"holds a line of more than {_LONGEST} bytes: is it a list of hashes?")


def _folder(folder: Path, runs: _Runs, told: Told | None) -> tuple[Any, int]:
    """Reads the files of prefixes: which are replaced bool[PREFIXES], how many files were set aside."""
    found = _prefixes(folder)
    if not found:
        raise FormatError(f"{folder}: holds no file of a prefix, for example 21BD1.txt")
    replaced = np.zeros(PREFIXES, bool)
    for done, (prefix, path) in enumerate(sorted(found.items())):
        read = _of_prefix(path, prefix, runs.width)
        if read:
            runs.add(read.digests, read.counts)
            replaced[int(prefix, 16)] = True
        if told:
            told(done + 1, len(found))
    if not replaced.any():
        raise FormatError(f"{folder}: none of {len(found)} files holds lines SUFFIX:COUNT: are they of another mode?")
    return replaced, len(found) - int(replaced.sum())


def _prefixes(folder: Path) -> dict[bytes, Path]:
    """The file of each prefix below a folder; of two the one that is not packed."""
    found = dict[bytes, Path]()
    for directory, _, names in os.walk(folder):
        for name in names:
            match = _NAME.fullmatch(name)
            if match and not (match[2] and match[1].upper().encode() in found):
                found[match[1].upper().encode()] = Path(directory, name)
    return found


def _of_prefix(path: Path, prefix: bytes, width: int) -> Digests | None:
    """The rows of a prefix, but for those of count 0, which pad; None: something else is in it, as in an error page."""
    with path.open("rb") as file:
        content = file.read(_LARGEST)
    if content.startswith(b"\x1f\x8b"):
        unpacking = zlib.decompressobj(31)
        try:
            content = unpacking.decompress(content, _LARGEST)
        except zlib.error:
            return None
        if not unpacking.eof:
            return None
    content = content.strip()
    if len(content) >= _LARGEST:
        return None
    text = prefix + content.replace(b"\n", b"\n" + prefix) if content else b""
    read = hashlist.read(text, width, True)
    return read if all(_pads(text, at, length) for at, length, _ in read.broken.tolist()) else None
