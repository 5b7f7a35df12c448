"""A disk in memory that fails as real ones do, at the moments a seed decides.

What is written is volatile until its file is synced, and an entry (made, renamed, removed) until its folder is: both
only promise what POSIX promises, so a file's sync does not keep its name, nor a folder's the content. When the power
goes, each sector and each change of an entry that was not synced is kept or lost by chance, in any order.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from posixpath import basename, dirname
from random import Random
from typing import Any, Literal, NamedTuple

SECTOR = 512  # bytes that are written whole or not at all
SPACE = 1 << 40  # bytes a disk has while nobody fills it
_KEPT = (0.0, 0.1, 0.5, 0.9, 1.0)  # how much of what was not synced survives a loss of power

Kind = Literal["kill", "power", "broken", "slow"]


class Killed(BaseException):
    """The process ends here, in the middle of a call: no handler of errors may hold it up."""


@dataclass
class Clock:
    """The time of a world: it passes when somebody says so."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Write(NamedTuple):
    """Bytes at an offset."""

    offset: int
    content: bytes


class Cut(NamedTuple):
    """A new length."""

    size: int


class Node:
    """What a name stands for: a file as processes see it, as it is stored, and the changes between the two."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.stored = bytearray()
        self.unsynced: list[Write | Cut] = []

    def change(self, change: Write | Cut) -> None:
        _apply(self.content, change)
        self.unsynced.append(change)

    def sync(self) -> None:
        for change in self.unsynced:
            _apply(self.stored, change)
        self.unsynced.clear()

    def settle(self, chance: Random, kept: float) -> None:
        """Some of what is not synced reaches the disk, sector by sector; of the rest nobody will ever say more."""
        for change in self.unsynced:
            if isinstance(change, Cut):
                if chance.random() < kept:
                    _apply(self.stored, change)
                continue
            for sector in _sectors(change):
                if chance.random() < kept:
                    _apply(self.stored, sector)
        self.unsynced.clear()


FOLDER = Node()  # what the name of a folder stands for

Entries = dict[str, Node]


class Entering(NamedTuple):
    """A change of a folder's entries, all of it or nothing: what stands under each path from now on."""

    folder: str
    entries: tuple[tuple[str, Node | None], ...]


@dataclass
class Fault:
    """What happens at the n-th operation that changes something, counted from now."""

    kind: Kind
    after: int


@dataclass
class Medium:
    """The disk itself: it outlives the processes that see it through a Disk each."""

    chance: Random
    clock: Clock
    entries: Entries = field(default_factory=dict)
    stored: Entries = field(default_factory=dict)
    unsynced: list[Entering] = field(default_factory=list)
    fault: Fault | None = None
    space: int = SPACE
    read_only: bool = False
    struck: list[str] = field(default_factory=list)  # the faults that were met
    halted: bool = False  # whoever was at work is killed: until somebody sees to that, nobody works here
    history: Any = field(default_factory=lambda: blake2b(digest_size=8))  # of all that was ever done here

    def free(self) -> int:
        """Bytes left."""
        return max(0, self.space - sum(len(node.content) for node in dict.fromkeys(self.entries.values())))

    def fill(self, left: int) -> None:
        """Somebody else fills the disk, so that so many bytes are left; ``space = SPACE`` makes room again."""
        self.space += left - self.free()

    def node(self, path: str) -> Node:
        """The file of this name. OSError: there is none."""
        node = self.entries.get(path)
        if node is None or node is FOLDER:
            raise _error(errno.EISDIR if node else errno.ENOENT, path)
        return node

    def files(self, folder: str) -> list[str]:
        """The names of the files in a folder."""
        met = (path for path, node in self.entries.items() if dirname(path) == folder and node is not FOLDER)
        return sorted(map(basename, met))

    def expect_folder(self, path: str) -> None:
        if path and self.entries.get(path) is not FOLDER:
            raise _error(errno.ENOENT, path)

    def expect_writable(self, path: str) -> None:
        if self.read_only:
            self.struck.append("read-only")
            raise _error(errno.EROFS, path)

    def strike(self, path: str) -> None:
        """Before each operation that changes something: it may be the one a fault waits for."""
        self.history.update(path.encode())
        self.expect_writable(path)
        if self.fault is None:
            return
        self.fault.after -= 1
        if self.fault.after > 0:
            return
        kind, self.fault = self.fault.kind, None
        self.struck.append(kind)
        if kind == "slow":
            self.clock.advance(self.chance.choice((0.3, 5, 90)))
        elif kind == "broken":
            raise _error(errno.EIO, path)
        else:
            self.halted = True
            raise Killed(kind)

    def write(self, path: str, node: Node, write: Write) -> None:
        """Changes a file's bytes. A disk that is full takes what still fits; a broken one, or a kill, some of it."""
        self.history.update(write.content)
        try:
            self.strike(path)
        except (OSError, Killed):
            if not self.read_only:
                node.change(Write(write.offset, write.content[: self.chance.randrange(len(write.content) + 1)]))
            raise
        fits = len(write.content)
        if self.space < SPACE:
            fits = min(fits, max(0, len(node.content) - write.offset) + self.free())
        node.change(Write(write.offset, write.content[:fits]))
        if fits < len(write.content):
            self.struck.append("full")
            raise _error(errno.ENOSPC, path)

    def cut(self, path: str, node: Node, size: int) -> None:
        """Changes a file's length."""
        self.strike(path)
        node.change(Cut(size))

    def sync(self, path: str, node: Node, *, forgetful: bool) -> None:
        """Stores a file's bytes.

        forgetful: when it fails the changes count as stored all the same, as on Linux, where a later sync that succeeds
        says nothing of them (Rebello et al., Can Applications Recover from fsync Failures?, 2020). SQLite does not hold
        out against that, restarted after such a failure: its own files are spared.
        """
        try:
            self.strike(path)
        except OSError:
            if forgetful and not self.read_only:
                node.settle(self.chance, self.chance.choice(_KEPT))
            raise
        node.sync()

    def sync_folder(self, folder: str) -> None:
        """Stores the entries of a folder."""
        self.strike(folder)
        self.expect_folder(folder)
        for change in self.unsynced:
            if change.folder == folder:
                _enter(self.stored, change)
        self.unsynced = [change for change in self.unsynced if change.folder != folder]

    def enter(self, *entries: tuple[str, Node | None]) -> None:
        """Changes entries: those of one folder all at once."""
        self.strike(entries[0][0])
        for folder in dict.fromkeys(dirname(path) for path, _ in entries):
            self.expect_folder(folder)
            change = Entering(folder, tuple(entry for entry in entries if dirname(entry[0]) == folder))
            _enter(self.entries, change)
            self.unsynced.append(change)

    def lose_power(self) -> None:
        """What is not synced is kept or lost by chance; what is left is what the next process finds."""
        kept, kept_bytes = self.chance.choice(_KEPT), self.chance.choice(_KEPT)
        for change in self.unsynced:
            if self.chance.random() < kept:
                _enter(self.stored, change)
        self.unsynced = []
        for path in sorted(self.stored):  # parents first
            if dirname(path) and self.stored.get(dirname(path)) is not FOLDER:
                del self.stored[path]  # in a folder that is lost
        for node in dict.fromkeys(self.stored.values()):
            node.settle(self.chance, kept_bytes)
            node.content[:] = node.stored
            self.history.update(node.stored)
        self.entries = dict(self.stored)

    def digest(self) -> str:
        """One name for all that was done here so far, in its order."""
        return self.history.hexdigest()


def _sectors(write: Write) -> Iterator[Write]:
    at = write.offset
    while at < write.offset + len(write.content):
        end = (at // SECTOR + 1) * SECTOR
        yield Write(at, write.content[at - write.offset : end - write.offset])
        at = end


def _apply(content: bytearray, change: Write | Cut) -> None:
    if isinstance(change, Cut):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))
    elif change.content:
        content.extend(bytes(max(0, change.offset - len(content))))
        content[change.offset : change.offset + len(change.content)] = change.content


def _enter(entries: Entries, change: Entering) -> None:
    for path, node in change.entries:
        if node is None:
            entries.pop(path, None)
        else:
            entries[path] = node


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
