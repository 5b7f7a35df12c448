"""Passwords for use elsewhere: a file a prefix for any web server, the file that KeePassXC reads, a filter."""

import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from khien.breach import fuse
from khien.breach.ranges import DIGITS, Ranges
from khien.breach.sorting import Told

_AT_ONCE = 256  # prefixes that a thread takes


class Written(NamedTuple):
    """Files of prefixes: written now, and left as they were."""

    written: int
    same: int


def files(ranges: Ranges, folder: Path, *, only: str = "", padded: bool = False, told: Told | None = None) -> Written:
    """Writes the answer to each prefix into folder, as ``21BD1`` and packed as ``21BD1.gz``. only: how prefixes begin.
    padded: among rows of count 0, and not packed, for then each would be as long as what is in it again.

    Each takes its place whole. What is there and the same stays untouched, with its time: so this goes on where it
    was ended, and a web server's ETag changes with the answer alone. OSError: the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    answer, endings = (ranges.padded, ("",)) if padded else (ranges.body, (".gz", ""))
    wanted = range(int(only.ljust(DIGITS, "0"), 16), int(only.ljust(DIGITS, "F"), 16) + 1)
    pieces = [wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE)]

    def write(piece: range) -> int:
        return sum(_replaced(place, f"{each:0{DIGITS}X}", answer(each), endings) for each in piece)

    written = 0
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for done, changed in enumerate(pool.map(write, pieces)):
                written += changed
                if told:
                    told(done + 1, len(pieces))
        os.fsync(place)
    finally:
        os.close(place)
    return Written(written, len(wanted) - written)


def _replaced(place: int, name: str, content: bytes, endings: tuple[str, ...]) -> bool:
    """Puts a file in place, with each of these endings, unless it is there already; the last tells whether it is."""
    try:
        file = os.open(name, os.O_RDONLY, dir_fd=place)
    except FileNotFoundError:
        pass
    else:
        with os.fdopen(file, "rb") as held:
            if held.read(len(content) + 1) == content:
                return False
    for ending in endings:
        part = f".{name}{ending}"
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=place)
        with os.fdopen(file, "wb") as beside:
            beside.write(packed(content) if ending else content)
        os.replace(part, f"{name}{ending}", src_dir_fd=place, dst_dir_fd=place)
    return True


def packed(content: bytes) -> bytes:
    """As gzip, the same each time. Digits of hashes repeat nowhere: to look for it takes longer and gains nothing."""
    packing = zlib.compressobj(1, zlib.DEFLATED, 31, 9, zlib.Z_HUFFMAN_ONLY)
    return packing.compress(content) + packing.flush()


def keepassxc(ranges: Ranges, file: Any, scratch: Path, told: Told | None = None) -> None:
    """Writes lines ``HASH:COUNT``, sorted, CRLF behind each. file: whatever has a write; scratch: a folder, for a
    moment."""
    for digests, counts in _batches(ranges, scratch, told):
        file.write(ranges.lines(digests, counts))


def filtered(
    ranges: Ranges, mode: fuse.Digest, bits: Literal[8, 16], file: BinaryIO, scratch: Path, told: Told | None = None
) -> fuse.Head:
    """Writes a filter to a file that can seek. scratch: a folder, for a moment."""
    digests = (rows for rows, _ in _batches(ranges, scratch, told))
    return fuse.write(file, mode, bits, digests, most=_most(ranges), generation=ranges.generation)


def _batches(ranges: Ranges, scratch: Path, told: Told | None) -> Iterator[tuple[Any, Any]]:
    done = 0
    for digests, counts in ranges.batches(scratch):
        yield digests, counts
        done += len(digests)
        if told:
            told(done, _most(ranges))


def _most(ranges: Ranges) -> int:
    """Digests, where none is in both tables."""
    return sum(each.entries for each in ranges.tables)
