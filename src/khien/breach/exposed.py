"""Which accounts are in which collections: a mapped file of fixed rows, sorted by the accounts' keyed outputs.

A row is an account (the first 16 octets of its VOPRF output), the keyed tag of its mail domain (8, zeros where it has
none) and the number of a collection (4, big-endian): 28 octets, compared as they lie. The first two octets of an
account are its bucket. The file (see sealed.py): the rows, zeros up to a multiple of 8, an index of 65,537 places (8
octets, little-endian) that says before which row each bucket begins; its seal has the epoch. It is a function of the
set of its rows.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from khien.breach import sealed
from khien.errors import CustodyError, InputError

ACCOUNT, DOMAIN, ROW = 16, 8, 28  # octets
TAG = slice(2, 8)  # of an account: what is compared within a bucket
BITS = 16  # of a bucket
BUCKETS = 1 << BITS

_COLLECTION = slice(ACCOUNT + DOMAIN, ROW)
_KIND, _VERSION = b"accounts", 1
_INDEX = (BUCKETS + 1) * 8  # octets
_AT_ONCE = 1 << 18  # rows

Rows = npt.NDArray[np.uint8]


def rows(accounts: Rows, domains: Rows, collection: int) -> Rows:
    """Rows, (n, 28), as they come: accounts (n, 16), domains (n, 8), and the collection they were met in."""
    made = np.empty((len(accounts), ROW), np.uint8)
    made[:, :ACCOUNT], made[:, ACCOUNT : ACCOUNT + DOMAIN] = accounts, domains
    made[:, _COLLECTION] = np.frombuffer(collection.to_bytes(4, "big"), np.uint8)
    return made


def build(
    folder: Path,
    id: str,
    epoch: int,
    blocks: Iterable[Rows],
    *,
    removed: Collection[bytes] = (),
    gone: Collection[int] = (),
) -> Path:
    """Writes the file into folder, atomic and durable; answers its path, ``<id>-<24 hex digits of its SHA-256>``.

    blocks: (n, 28) each, the rows of all of them sorted and unique. removed: accounts of 16 octets that are left out;
    gone: numbers of collections whose rows are.
    """
    part, counts = sealed.part_of(folder, id), np.zeros(BUCKETS, np.int64)
    with sealed.writing(part) as file:
        for block in blocks:
            kept = left(block, removed, gone)
            counts += np.bincount(kept[:, :2].copy().view(">u2").ravel(), minlength=BUCKETS)
            file.write(np.ascontiguousarray(kept))
        file.align()
        file.write(np.append(0, np.cumsum(counts)).astype("<u8"))
        digest = file.seal(sealed.Seal(_KIND, _VERSION, ROW, int(counts.sum()), epoch))
        path = sealed.named(folder, id, digest)
        sealed.name(part, path)
    return path


def left(rows: Rows, removed: Collection[bytes], gone: Collection[int]) -> Rows:
    """Rows without those of removed accounts (16 octets each) and of collections that are gone."""
    stays = np.ones(len(rows), bool)
    if gone:
        stays &= ~np.isin(_numbers(rows), np.fromiter(gone, np.uint32))
    if removed:
        stays &= ~np.isin(_accounts(rows), np.frombuffer(b"".join(removed), f"V{ACCOUNT}"))
    return rows if stays.all() else rows[stays]


def tagged(rows: Rows, begins: int = TAG.start) -> Iterator[tuple[bytes, tuple[int, ...]]]:
    """Sorted rows by the octets of their accounts that begin there and end with the tag, each with its collections."""
    octets, numbers = rows.tobytes(), _numbers(rows).tolist()
    pairs = ((octets[at * ROW + begins : at * ROW + TAG.stop], number) for at, number in enumerate(numbers))
    for tag, met in groupby(pairs, itemgetter(0)):
        yield tag, tuple(dict.fromkeys(number for _, number in met))


@dataclass(frozen=True)
class Exposed:
    """The file, mapped. Rows that it answers are (n, 28)."""

    path: Path
    epoch: int
    _index: npt.NDArray[np.int64] = field(repr=False)
    _rows: Rows = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> "Exposed":
        """CustodyError: it is gone, broken off, changed where that shows at once, or no such file."""
        seal, octets = sealed.read(path, _KIND, _VERSION), sealed.mapped(path)
        size = seal.entries * ROW
        if seal.width != ROW or len(octets) != size + -size % 8 + _INDEX:
            raise CustodyError(f"{path}: is not as long as its seal says: take it from a copy, or import again")
        index = octets[-_INDEX:].view("<u8").astype(np.int64)
        if index[0] or index[-1] != seal.entries or (index[1:] < index[:-1]).any():
            raise CustodyError(f"{path}: its index is damaged: take it from a copy, or import again")
        return cls(path, seal.extra, index, octets[:size].reshape(-1, ROW))

    @property
    def entries(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def rows(self, first: int, last: int | None = None) -> Rows:
        """Those of a bucket, or of all from the first to the last. InputError: there is no such bucket."""
        if not 0 <= first <= (last := first if last is None else last) < BUCKETS:
            raise InputError(f"there is no bucket {first}: buckets are 0 to {BUCKETS - 1}")
        return self._rows[self._index[first] : self._index[last + 1]]

    def weights(self, each: Mapping[int, int]) -> npt.NDArray[np.int64]:
        """What the rows of every bucket weigh, (65,536,), by the weights of their collections; of others: nothing."""
        numbers, weighs = np.array(sorted(each), np.uint32), np.array([each[at] for at in sorted(each)], np.float64)
        made = np.zeros(BUCKETS)
        for block in self.blocks() if each else ():
            rows = block[np.isin(_numbers(block), numbers)]
            found = weighs[np.searchsorted(numbers, _numbers(rows))]
            made += np.bincount(rows[:, :2].copy().view(">u2").ravel(), found, BUCKETS)
        return made.astype(np.int64)

    def counts(self) -> dict[int, int]:
        """How many rows each collection has."""
        made: dict[int, int] = {}
        for block in self.blocks():
            for number, times in zip(*np.unique(_numbers(block), return_counts=True), strict=True):
                made[int(number)] = made.get(int(number), 0) + int(times)
        return made

    def blocks(self) -> Iterator[Rows]:
        """All rows in their order, so many at once that they fit anywhere."""
        return (self._rows[at : at + _AT_ONCE] for at in range(0, self.entries, _AT_ONCE))

    def collections(self, account: bytes) -> tuple[int, ...]:
        """In which collections an account (16 octets) is; of none: ()."""
        rows = self.rows(int.from_bytes(account[:2], "big"))
        met = rows[_accounts(rows) == np.void(account)]
        return tuple(dict.fromkeys(_numbers(met).tolist()))


def _accounts(rows: Rows) -> npt.NDArray[np.void]:
    return rows[:, :ACCOUNT].copy().view(f"V{ACCOUNT}").ravel()


def _numbers(rows: Rows) -> npt.NDArray[np.uint32]:
    return rows[:, _COLLECTION].copy().view(">u4").ravel().astype(np.uint32)
