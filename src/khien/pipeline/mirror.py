"""A copy of the log of listings that somebody else keeps: fetched, held to its key before it is written, and resumed.

What is written was authenticated: tiles from the one root that was signed downwards, leaves by their tiles. What was
redacted since the last time is fetched anew: a copy forgets, too.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from khien.ct import tree
from khien.errors import CustodyError, FormatError, InputError
from khien.ledger import HASH, Checkpoint, signed_checkpoint
from khien.model import Leaf
from khien.pipeline import held, listed
from khien.pipeline.held import State

LARGEST = 64 << 20  # bytes of a file of a log
NOTE = "checkpoint"

_TRIES = 4  # to copy a log of which something is redacted meanwhile
_LEVELS = range(8)  # of tiles: of the largest log there may be


class Mirrored(NamedTuple):
    """The log as it was copied, and how many files were written."""

    checkpoint: Checkpoint
    files: int


@dataclass
class Mirror:
    """A folder, laid out as c2sp.org/tlog-tiles says, with the texts of leaves beside (listed.file); fetch: answers
    what lies at a path of the log."""

    folder: Path
    fetch: Callable[[str], bytes]
    files: int = field(default=0, init=False)  # that were written

    def copy(self, verifier: str, against: bytes | None = None) -> Mirrored:
        """Brings the folder to what the log is now.

        CustodyError: the log is not signed with the key, does not hold together, or is not what it was when the folder,
        or a checkpoint that was kept elsewhere, was written. What was fetched until then and is right stays.
        InputError: nothing was listed yet.
        """
        earlier = [*filter(None, (against, self.kept(NOTE)))]
        note = self.fetch(NOTE)
        if not note and not earlier:
            raise InputError("nothing was listed yet: there is no log to copy before the first listing")
        for left in reversed(range(_TRIES)):
            try:
                return self._copied(note, verifier, earlier)
            except CustodyError:
                signed_checkpoint(note, verifier, "the checkpoint")
                earlier.append(note)
                later = self.fetch(NOTE) if left else note
                if later == note:  # what was fetched is not what it was signed for
                    raise
                note = later
        raise AssertionError("the last try answers")

    def _copied(self, note: bytes, verifier: str, earlier: Iterable[bytes]) -> Mirrored:
        """Brings the folder to a note; earlier: those which that is to have grown from."""
        found = signed_checkpoint(note, verifier, "the checkpoint")
        self._copy_tiles(found)
        for kept in earlier:
            before = signed_checkpoint(kept, verifier, "the checkpoint that was kept")
            held.expect_grown(before, found, self.tiles(found.size))
        self._copy_leaves(found.size)
        self._write(NOTE, note)
        return Mirrored(found, self.files)

    def kept(self, path: str) -> bytes | None:
        """What the folder has at a path."""
        place = self.folder / path
        if not place.is_file():
            return None
        with place.open("rb") as file:
            return file.read(LARGEST)

    def tiles(self, size: int) -> listed.Tiles:
        """The tiles that the folder has of a log of so many leaves."""

        def tile(level: int, number: int) -> bytes:
            path = tree.tile_path(level, number, tree.width(level, number, size))
            if (content := self.kept(path)) is None:
                raise CustodyError(f"{path} is gone")
            return content

        return tile

    def _copy_tiles(self, found: Checkpoint) -> None:
        """From the root downwards: what is above a tile was right, and says what the tile must be."""
        counts = [found.size >> tree.HEIGHT * level for level in _LEVELS]
        edge = {
            (level, count // tree.TILE): self.fetch(tree.tile_path(level, count // tree.TILE, count % tree.TILE))
            for level, count in enumerate(counts)
            if count % tree.TILE
        }
        fits = all(len(row) == HASH * tree.width(*at, found.size) for at, row in edge.items())
        if not fits or tree.root_of(found.size, lambda level, number: edge[level, number]) != found.root:
            raise CustodyError("the tiles of the log do not lead to the root that was signed")
        for (level, number), content in edge.items():
            self._write(tree.tile_path(level, number, tree.width(level, number, found.size)), content)
        above = self.tiles(found.size)
        for level in reversed(_LEVELS):
            for number in range(counts[level] // tree.TILE):
                at = HASH * (number % tree.TILE)
                self._copy_tile(level, number, above(level + 1, number // tree.TILE)[at : at + HASH])

    def _copy_tile(self, level: int, number: int, top: bytes) -> None:
        """A full tile, of which the hash above all of it is known."""
        path = tree.tile_path(level, number, tree.TILE)
        if (kept := self.kept(path)) and len(kept) == HASH * tree.TILE and tree.top_of(kept) == top:
            return
        content = self.fetch(path)
        if len(content) != HASH * tree.TILE or tree.top_of(content) != top:
            raise CustodyError(f"{path} is not the tile that was signed")
        self._write(path, content)

    def _copy_leaves(self, size: int) -> None:
        state, tile = State(), self.tiles(size)
        for number in range(-(-size // tree.TILE)):
            self._copy_some(number, tile(0, number), state)
        came = {index // tree.TILE for index in state.redacted.keys() - state.empty.keys()}
        for number in sorted(came):
            self._take_over(number, tile(0, number), state, self.fetch(_texts(number, size)))
        held.expect_said(state)

    def _copy_some(self, number: int, hashes: bytes, state: State) -> None:
        """Up to 256 leaves, from the folder where it has them and they are right."""
        path = listed.text_path(number, len(hashes) // HASH)
        if kept := self.kept(path):
            with suppress(CustodyError, FormatError):  # else the disk of the copy was damaged
                self._take_over(number, hashes, state, kept)
                return
        self._take_over(number, hashes, state, self.fetch(path))

    def _take_over(self, number: int, hashes: bytes, state: State, content: bytes) -> None:
        """Holds leaves to their hashes, and writes them, and as entries what they commit to."""
        width = len(hashes) // HASH
        leaves = listed.parse_texts(content)
        if b"".join(map(listed.leaf_hash, leaves)) != hashes:
            raise CustodyError(f"{listed.text_path(number, width)} does not hold the leaves that were signed")
        for n, each in enumerate(leaves):
            held.expect_leaf(each, number * tree.TILE + n, state)
        self._write(listed.text_path(number, width), content)
        self._write(tree.tile_path("entries", number, width), listed.entries(leaves))

    def _write(self, path: str, content: bytes) -> None:
        """Whole or not at all; of a file that grows only the last is kept."""
        if self.kept(path) == content:
            return
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.part")
        beside.write_bytes(content)
        os.replace(beside, place)
        self.files += 1
        if place.parent.name.endswith(".p"):
            for each in place.parent.iterdir():
                if each != place:
                    each.unlink()
        else:
            shutil.rmtree(place.with_name(f"{place.name}.p"), ignore_errors=True)


def verify(folder: Path, verifier: str, against: bytes | None = None) -> Checkpoint:
    """Holds a copy to the key of the log, and to a checkpoint that was kept elsewhere, without asking anybody.

    CustodyError: names what was changed, removed or reordered. InputError: the folder holds no copy.
    """
    mirror = Mirror(folder, _gone)
    note = mirror.kept(NOTE)
    if note is None:
        raise InputError(f"{folder} holds no copy of a log: khien ledger mirror makes one")
    size = signed_checkpoint(note, verifier, "the checkpoint").size
    found = held.verify_leaves(_leaves(mirror, size), mirror.tiles(size), note, verifier, State())
    if against is not None:
        earlier = signed_checkpoint(against, verifier, "the checkpoint that was kept")
        held.expect_grown(earlier, found, mirror.tiles(size))
    return found


def _leaves(mirror: Mirror, size: int) -> Iterator[Leaf]:
    for number in range(-(-size // tree.TILE)):
        path = _texts(number, size)
        yield from listed.parse_texts(mirror.kept(path) or mirror.fetch(path))


def _texts(number: int, size: int) -> str:
    return listed.text_path(number, tree.width(0, number, size))


def _gone(path: str) -> bytes:
    raise CustodyError(f"{path} is gone")
