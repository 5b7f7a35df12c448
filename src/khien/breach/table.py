"""Digests of passwords with counts, exact: 17 octets of a SHA-1, one of its count, two to three bits to find it by."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from khien.breach import buckets, sealed
from khien.breach.buckets import BUCKET, BUCKETS, GROUPS, PLACES, SPARE
from khien.breach.rows import COUNT
from khien.breach.sealed import Seal, Writing
from khien.breach.sorting import Rows, Told, merged
from khien.errors import ContractError, CustodyError, InputError

SHA1, NTLM = 20, 16  # octets of a digest
WIDTHS = {"sha1": SHA1, "ntlm": NTLM}  # by its name
PREFIX = 20  # bits by which ranges are asked for
MOST_ENTRIES = 2**32 - 1  # a base has 32 bits

_KIND, _VERSION = b"khientab", 1
_ROOM = 1 << 16  # rows of a batch


def build(
    folder: Path,
    id: str,
    width: int,
    runs: Sequence[Path],
    *,
    base: Table | None = None,
    told: Told | None = None,
) -> Path:
    """Writes the table of base and of counted runs into folder, atomic and durable; answers its path.

    The file is called ``<id>-<first 24 hex digits of its SHA-256>`` and is a function of the set {(digest, count)}
    alone. width: SHA1 or NTLM. runs: rows (digest | count 8). base: the table before, to whose counts they are added.
    told: rows of runs that are read, of how many. Nothing but the answer stays in folder. CustodyError: base or a run
    is damaged. InputError: too many digests.
    """
    before = [] if base is None else [base.counted()]
    part = sealed.part_of(folder, id)
    with sealed.writing(part) as writing:
        entries = merged(runs, width + COUNT, scratch=folder, counted=True, beside=before, told=told)
        path = sealed.named(folder, id, writing.seal(_lay(writing, width, entries, folder)))
        sealed.name(part, path)
    return path


@dataclass(frozen=True)
class Table:
    """A table, mapped: look-ups without reading it. width: octets of a digest."""

    path: Path
    width: int
    entries: int
    _rows: Rows = field(repr=False)
    _bits: Any = field(repr=False)
    _bases: Any = field(repr=False)
    _large: Any = field(repr=False)
    parts: tuple[int, ...] = field(repr=False)  # what kernels of look-ups are given of it: addresses, and how many

    @classmethod
    def open(cls, path: Path) -> Table:
        """CustodyError: it is no table, or was cut or changed where that shows at once; ``check`` finds the rest."""
        seal = sealed.read(path, _KIND, _VERSION)
        octets, sections, begin = sealed.mapped(path), list[Any](), 0
        for size in _sizes(seal.width, seal.entries, seal.extra):
            sections.append(octets[begin : begin + size])
            begin += size + -size % 8
        if begin != len(octets) or seal.width not in (SHA1, NTLM):
            raise CustodyError(f"{path}: is not as long as it says: take it from a copy, or import again")
        rows, bits, bases, large = sections
        at = [int(each.ctypes.data) for each in (rows, bits, bases, PLACES, large)]
        parts = (at[0], seal.entries, seal.width - BUCKET, *at[1:], seal.extra)
        return cls(path, seal.width, seal.entries, rows, bits, bases.view(np.uint32), large.view(np.int64), parts)

    def check(self) -> None:
        """Reads all of it. CustodyError: it is not what was written."""
        for _ in sealed.pieces(self.path, _ROOM):
            pass

    def count(self, digest: bytes) -> int:
        """How often a digest was met; 0: never."""
        if type(digest) is not bytes or len(digest) != self.width:  # a kernel that is bound looks at neither
            raise ContractError(f"a digest of {len(digest)} octets was looked for among those of {self.width}")
        return self._count(digest)

    @cached_property
    def _count(self) -> Callable[[bytes], int]:
        return buckets.count.bound(*self.parts)

    def counts(self, digests: Rows) -> Any:
        """The same of many: digests (n, width) uint8, contiguous; int64 (n,)."""
        if digests.shape[1:] != (self.width,):
            raise ContractError(f"rows of {digests.shape} were looked for among digests of {self.width} octets")
        out, n = np.empty(len(digests), np.int64), len(digests)
        buckets.counts(*self.parts, digests, n, *buckets.room(n, self.width), out)
        return out

    def range(self, prefix: int) -> tuple[Rows, Any]:
        """The digests that begin with these 20 bits, whole and in order (n, width) uint8; their counts int64 (n,)."""
        if not 0 <= prefix < 1 << PREFIX:
            raise ContractError(f"{prefix} is no number of {PREFIX} bits")
        first, end = (each << (8 * BUCKET - PREFIX) for each in (prefix, prefix + 1))
        found = np.empty(2, np.int64)
        buckets.span(self.entries, self._bits, self._bases, PLACES, first, end - 1, found)
        begin, n = int(found[0]), int(found[1] - found[0])
        stride = self.width - BUCKET + 1
        return self._unfold(self._rows[begin * stride :], begin, n, np.array([first]))

    def batches(self) -> Iterator[tuple[Rows, Any]]:
        """All digests in order and their counts, as ``range`` has them, read from the disk in bounded memory.

        CustodyError, behind the last batch: the file is not what was written.
        """
        stride, first, bucket = self.width - BUCKET + 1, 0, np.zeros(1, np.int64)
        for piece in sealed.pieces(self.path, _ROOM * stride):
            n = min(len(piece) // stride, self.entries - first)
            if n > 0:
                yield self._unfold(np.frombuffer(piece, np.uint8), first, n, bucket)
                first += n

    def counted(self) -> Iterator[Rows]:
        """The same as rows of a counted run (digest | count 8)."""
        for digests, counts in self.batches():
            yield np.hstack([digests, counts.astype(">i8").view(np.uint8).reshape(-1, COUNT)])

    def _unfold(self, rows: Rows, first: int, n: int, bucket: Any) -> tuple[Rows, Any]:
        digests, out = np.empty((n, self.width), np.uint8), np.empty(n, np.int64)
        rest, larger = self.width - BUCKET, len(self._large) // 2
        buckets.unfold(rows, first, n, rest, self._bits, self.entries, self._large, larger, bucket, digests, out)
        return digests, out


def _sizes(width: int, entries: int, larger: int) -> tuple[int, ...]:
    """Octets of the sections; each begins at a multiple of 8."""
    bits = (entries + BUCKETS + 7) // 8 + SPARE
    return entries * (width - BUCKET + 1), bits, 4 * (GROUPS + 1), 16 * larger


def _lay(writing: Writing, width: int, batches: Iterator[Rows], scratch: Path) -> Seal:
    """Lays down the sections as entries come: the bits and bases wait in memory, large counts on the disk."""
    rest, entries, larger = width - BUCKET, 0, 0
    bits, bases, group = np.zeros(1 << 22, np.uint8), np.zeros(GROUPS + 1, np.uint32), np.zeros(1, np.int64)
    with tempfile.TemporaryFile(dir=scratch) as waiting:
        for batch in batches:
            n = len(batch)
            if entries + n > MOST_ENTRIES:
                raise InputError(f"more than {MOST_ENTRIES:,} digests: a table holds no more")
            while len(bits) < (entries + n + BUCKETS) // 8 + 1 + SPARE:
                bits = np.concatenate([bits, np.zeros_like(bits)])
            rows, large = np.empty(n * (rest + 1), np.uint8), np.empty((n, 2), np.int64)
            found = buckets.fold(batch, n, rest, entries, group, rows, bits, bases, large)
            writing.write(rows)
            waiting.write(large[:found].data)
            entries, larger = entries + n, larger + found
        bases[group[0] :] = entries
        for section in (bits[: _sizes(width, entries, larger)[1]], bases):
            writing.align()
            writing.write(section)
        writing.align()
        waiting.seek(0)
        while piece := waiting.read(_ROOM):
            writing.write(piece)
    return Seal(_KIND, _VERSION, width, entries, larger)
