"""Binary fuse filters: which digests were certainly never met, in 1.13 or 2.25 octets an entry, for use offline.

Thomas Mueller Graf and Daniel Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", ACM Journal of
Experimental Algorithmics 27 (2022), article 1.5. A filter never says "never met" of what was; of anything else it says
"met" once in 2**bits times. Digests are split by how they begin, so that a filter of any size is built in the memory of
one shard.

A file is a line of JSON, filled with blanks to 4,096 octets; a directory of 16 octets a shard: its seed (u64), the
length of its segments (u32) and how many there are (u32), little-endian; then the fingerprints of each shard in turn.
The key of a digest is its first 8 octets, big-endian; the top bits of the key are its shard. ``_places`` says where
its fingerprints lie, and ``_fingerprints`` what they come to by exclusive or.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import floor, log
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
import numpy as np

from khien.compiled import kernel
from khien.errors import ContractError, FormatError

FORMAT = "khien-filter-1"
HEAD = 4096  # octets
_SHARD = np.dtype([("seed", "<u8"), ("length", "<u4"), ("count", "<u4")])
_A_SHARD = 1 << 20  # entries of one, about
_MOST_BITS = 20  # of shards: 2**20 prefixes
_LEAST, _LONGEST = 4, 1 << 18  # entries of a segment
_HASHES = 3
_TRIES = 100  # seeds: each fails far less often than one time in ten
_GOLDEN = 0x9E3779B97F4A7C15

Digest = Literal["sha1", "ntlm", "sha256"]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a filter says of itself. bits: of a fingerprint; false_positives: the rate of those; generation: of what it
    was made of; shards: a power of two."""

    format: Literal["khien-filter-1"] = FORMAT
    digest: Digest
    entries: int
    bits: Literal[8, 16]
    false_positives: str
    generation: str
    shards: int


def shards(entries: int) -> int:
    """Into how many shards so many entries are split."""
    return 1 << min(max(entries // _A_SHARD, 1).bit_length() - 1, _MOST_BITS)


def write(
    file: BinaryIO, digest: Digest, bits: Literal[8, 16], batches: Iterable[Any], *, most: int, generation: str
) -> Head:
    """Writes the filter of sorted digests to a file that can seek. batches: uint8[n, width], at most ``most`` rows in
    all, which decides the shards. The same digests and most give the same file."""
    directory, entries = np.zeros(shards(most), _SHARD), 0
    file.seek(HEAD + directory.nbytes)
    for shard, keys in enumerate(_by_shard(batches, len(directory))):
        directory[shard], fingerprints = _built(keys, bits)
        file.write(fingerprints.tobytes())
        entries += len(keys)
    rate = f"1/{1 << bits}"
    head = Head(
        digest=digest, entries=entries, bits=bits, false_positives=rate, generation=generation, shards=len(directory)
    )  # fmt: skip
    file.seek(0)
    file.write(msgspec.json.encode(head).ljust(HEAD - 1) + b"\n" + directory.tobytes())
    return head


def _by_shard(batches: Iterable[Any], split: int) -> Iterable[Any]:
    """The keys of each shard in turn, sorted and distinct."""
    held, shard = list[Any](), 0
    for batch in batches:
        keys, begin = _keys(batch), 0
        of = _shard(keys, split)
        while begin < len(keys):
            end = int(np.searchsorted(of, shard, "right"))
            held.append(keys[begin:end])
            if end == len(keys):
                break
            yield _distinct(held)
            held, shard, begin = [], shard + 1, end
    for _ in range(shard, split):
        yield _distinct(held)
        held = []


def _shard(keys: Any, split: int) -> Any:
    """Which of so many shards, a power of two, each key is of."""
    bits = split.bit_length() - 1
    return (keys >> np.uint64(63 - bits) >> np.uint64(1)).astype(np.int64)


def _distinct(held: list[Any]) -> Any:
    """Digests that begin alike share a key: one of it is enough."""
    keys = np.concatenate([*held, np.empty(0, np.uint64)])
    return keys[np.concatenate([np.ones(min(len(keys), 1), bool), keys[1:] != keys[:-1]])]


def _keys(digests: Any) -> Any:
    return np.ascontiguousarray(digests[:, :8]).view(">u8")[:, 0].astype(np.uint64)


def _built(keys: Any, bits: int) -> tuple[tuple[int, int, int], Any]:
    """A shard of distinct keys: its row of the directory, and its fingerprints. ContractError: no seed will do, as of
    keys that are not distinct."""
    length, count = _sizes(len(keys))
    if count == 0:
        return (0, 0, 0), np.empty(0, _unsigned(bits))
    slots = (count + _HASHES - 1) * length
    for seed in range(_TRIES):
        mixed = _mixed(keys, seed)
        places = _places(mixed, length, count)
        found = np.zeros(slots, _unsigned(bits)).astype(np.int32)
        room = (np.zeros(slots, np.int32), np.zeros(slots, np.int32), np.empty(slots, np.int32))
        order, at = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
        wanted = _fingerprints(mixed, bits).astype(np.int32)
        if _peel(places, wanted, len(keys), slots, *room, order, at, found) == len(keys):
            return (seed, length, count), found.astype(_unsigned(bits))
    raise ContractError(f"no filter for {len(keys)} keys: are they distinct?")


def _sizes(entries: int) -> tuple[int, int]:
    """The length of a shard's segments, and how many an entry may begin in (the paper's section 4)."""
    if entries == 0:
        return 0, 0
    length = min(1 << floor(log(entries) / log(3.33) + 2.25), _LONGEST) if entries > 1 else _LEAST
    wider = max(1.125, 0.875 + 0.25 * log(1_000_000) / log(entries)) if entries > 1 else 1
    whole = round(entries * wider)
    return length, max(-(-whole // length) - (_HASHES - 1), 1)


def _unsigned(bits: int) -> Any:
    return np.dtype("<u1" if bits == 8 else "<u2")


def _mixed(keys: Any, seed: Any) -> Any:
    """Keys (u64) under seeds: MurmurHash3's last steps, each bit of which depends on all."""
    seeds = (np.atleast_1d(np.asarray(seed, np.uint64)) + np.uint64(1)) * np.uint64(_GOLDEN)
    mixed = keys + seeds
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ mixed >> np.uint64(33)) * np.uint64(factor)
    return mixed ^ mixed >> np.uint64(33)


def _places(mixed: Any, length: Any, count: Any) -> Any:
    """Where the three fingerprints of each key lie, int64[n, 3]: in segments that follow each other, the first of them
    chosen by the upper 32 bits, and within them by three times 18 bits."""
    length, count = np.asarray(length, np.uint64), np.asarray(count, np.uint64)
    first = (mixed >> np.uint64(32)) * (count * length) >> np.uint64(32)
    mask = length - np.uint64(1)
    second = first + length ^ mixed >> np.uint64(18) & mask
    third = first + length + length ^ mixed & mask
    return np.stack([first, second, third], axis=1).astype(np.int64)


def _fingerprints(mixed: Any, bits: int) -> Any:
    return ((mixed ^ mixed >> np.uint64(32)) & np.uint64((1 << bits) - 1)).astype(_unsigned(bits))


@kernel("i8", "i8*", "i4*", "i8", "i8", "i4*", "i4*", "i4*", "i4*", "i4*", "i4*")
def _peel(places, wanted, n, slots, counts, sums, alone, order, at, found):
    """Takes away one entry after the other that lies somewhere alone, then fills its place in the opposite order;
    answers how many could be taken away: all, or the seed will not do.

    counts, sums: of the entries at a place, how many there are and the exclusive or of their numbers.
    """
    for entry in range(n):
        for which in range(3):
            place = places[3 * entry + which]
            counts[place] += 1
            sums[place] ^= entry
    waiting = 0
    for place in range(slots):
        if counts[place] == 1:
            alone[waiting] = place
            waiting += 1
    taken = 0
    while waiting > 0:
        waiting -= 1
        place = alone[waiting]
        if counts[place] != 1:
            continue
        entry = np.int64(sums[place])
        order[taken] = entry
        at[taken] = place
        taken += 1
        for which in range(3):
            other = places[3 * entry + which]
            counts[other] -= 1
            sums[other] ^= entry
            if counts[other] == 1:
                alone[waiting] = other
                waiting += 1
    if taken < n:
        return taken
    for step in range(n - 1, -1, -1):
        entry = np.int64(order[step])
        value = wanted[entry]
        for which in range(3):
            value ^= found[places[3 * entry + which]]
        found[at[step]] = value  # it was 0 itself
    return taken


@dataclass(frozen=True)
class Filter:
    """A filter, mapped."""

    head: Head
    _directory: Any = field(repr=False)
    _begins: Any = field(repr=False)
    _fingerprints: Any = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> Filter:
        """FormatError: it is no filter, or not as long as it says. OSError: it cannot be read."""
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < HEAD:
                raise FormatError(f"{path}: is no filter: it is shorter than the head of one")
            held = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        try:
            head = msgspec.json.decode(held[:HEAD].tobytes(), type=Head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise FormatError(f"{path}: is no filter: it does not begin with the line of JSON of {FORMAT}") from None
        end = HEAD + head.shards * _SHARD.itemsize
        if not 0 < head.shards <= 1 << _MOST_BITS or head.shards & head.shards - 1 or end > size:
            raise FormatError(f"{path}: is damaged: a filter has 1, 2, 4 ... shards and is as long as they say")
        directory = held[HEAD:end].view(_SHARD)
        lengths = directory["length"].astype(np.int64)
        counts = directory["count"].astype(np.int64)
        slots = np.where(counts > 0, (counts + _HASHES - 1) * lengths, 0)
        begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(slots)])
        sound = (counts == 0) | (lengths > 0) & (lengths <= _LONGEST) & (lengths & lengths - 1 == 0) & (slots <= size)
        if not sound.all() or end + int(begins[-1]) * head.bits // 8 != size:
            raise FormatError(f"{path}: is damaged: it is not as long as its directory says")
        return cls(head, directory, begins, held[end:].view(_unsigned(head.bits)))

    def met(self, digests: Any) -> Any:
        """Of digests uint8[n, width] which were met; wrongly, where they were not, at the rate that the head states."""
        keys = _keys(digests)
        shard = _shard(keys, self.head.shards)
        of = self._directory[shard]
        mixed = _mixed(keys, of["seed"])
        places = _places(mixed, of["length"].astype(np.uint64), of["count"].astype(np.uint64))
        places += self._begins[shard][:, None]
        places[of["count"] == 0] = 0
        if not len(self._fingerprints):
            return np.zeros(len(keys), bool)
        found = np.bitwise_xor.reduce(self._fingerprints[places], axis=1)
        return (found == _fingerprints(mixed, self.head.bits)) & (of["count"] > 0)
