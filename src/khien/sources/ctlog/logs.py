"""The two kinds of log, asked over HTTP: those of RFC 6962 section 4, and those in tiles (c2sp.org/static-ct-api)."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from khien.ct import entries, heads, tree
from khien.ct.entries import Entries
from khien.ct.heads import Head
from khien.ct.loglist import Log
from khien.errors import FormatError
from khien.ledger import HASH, LARGEST_NOTE, consistency_proof
from khien.sources.ctlog.fetch import Fetch, MissingError

_SMALL = 64 << 10  # bytes of a head or a proof
_LARGEST = 32 << 20  # bytes of entries
_HELD = 32 << 20  # bytes of parts after which no other is asked for
_SECONDS = 20.0  # after which none is either: meanwhile another log waits for its turn
_TILES = 32  # hash tiles of a log that are kept: those near the root serve again


class Kind(Protocol):
    """What can be asked of a log; what it answers is not yet held to anything but a head's signature."""

    most: int  # entries to ask for at once; learned

    def head(self) -> Head: ...

    def proof(self, earlier: int, size: int) -> list[bytes]:
        """That the log of size leaves begins with what it had earlier."""
        ...

    def entries(self, begin: int, end: int) -> list[Entries]:
        """From begin to before end, in parts as they were answered: at least one, and no more than can be held at once,
        or had in a while."""
        ...


class Rfc6962:
    """A log that answers get-sth, get-sth-consistency and get-entries."""

    def __init__(self, log: Log, fetch: Fetch, most: int) -> None:
        self.most = self._batch = most
        self._log, self._fetch = log, fetch

    def head(self) -> Head:
        return heads.of_answer(self._get("get-sth", _SMALL), self._log)

    def proof(self, earlier: int, size: int) -> list[bytes]:
        if earlier in (0, size):
            return []
        return heads.proof_of_answer(self._get(f"get-sth-consistency?first={earlier}&second={size}", _SMALL))

    def entries(self, begin: int, end: int) -> list[Entries]:
        parts, room = list[Entries](), _Room()
        while begin < end and room.left(parts):
            answer = self._get(f"get-entries?start={begin}&end={end - 1}", _LARGEST)
            part = entries.of_answer(answer, begin, end - begin)
            parts.append(part)
            got = len(part.hashes)
            if begin % self.most == 0 and begin + got < end:
                self.most = self._batch // got * got  # a log answers as many as it likes, or up to a multiple of that
            begin += got
        return parts

    def _get(self, what: str, most: int) -> bytes:
        return self._fetch.get(f"{self._log.url}ct/v1/{what}", most)


class Static:
    """A log in tiles: a checkpoint, tiles of hashes, tiles of entries."""

    def __init__(self, log: Log, fetch: Fetch) -> None:
        self.most = tree.TILE
        self._log, self._fetch = log, fetch
        self._size = 0  # of the newest head: partial tiles are as wide as it says
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def head(self) -> Head:
        head = heads.of_checkpoint(self._fetch.get(f"{self._log.url}checkpoint", LARGEST_NOTE), self._log)
        self._size = max(head.size, self._size)
        return head

    def proof(self, earlier: int, size: int) -> list[bytes]:
        self._size = max(size, self._size)
        return consistency_proof(earlier, size, tree.hashes(self._size, self._hashes))

    def entries(self, begin: int, end: int) -> list[Entries]:
        parts, room = list[Entries](), _Room()
        while begin < end and room.left(parts):
            number = begin // tree.TILE
            first, width = number * tree.TILE, tree.width(0, number, self._size)
            document, count = self._tile("data", number, width, _LARGEST)
            until = min(first + tree.TILE, end)
            parts.append(_until(entries.of_tile(document, first, count, begin), until))
            begin = until
        return parts

    def _hashes(self, level: int, number: int) -> bytes:
        width = tree.width(level, number, self._size)
        path = tree.tile_path(level, number, width)
        if path not in self._kept:
            self._kept[path] = self._tile(level, number, width, HASH * tree.TILE)[0][: HASH * width]
            while len(self._kept) > _TILES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(path)
        return self._kept[path]

    def _tile(self, level: int | str, number: int, width: int, most: int) -> tuple[bytes, int]:
        """A tile and its width; the full one, where the log has dropped the partial one for it."""
        try:
            return self._fetch.get(self._log.url + tree.tile_path(level, number, width), most), width
        except MissingError:
            if width == tree.TILE:
                raise
            return self._fetch.get(self._log.url + tree.tile_path(level, number, tree.TILE), most), tree.TILE


class _Room:
    """Whether one more part may be asked for."""

    def __init__(self) -> None:
        self._until = monotonic() + _SECONDS

    def left(self, parts: Sequence[Entries]) -> bool:
        return not parts or (monotonic() < self._until and sum(len(each.octets) for each in parts) < _HELD)


def _until(part: Entries, end: int) -> Entries:
    count = end - part.first
    if count > len(part.hashes):
        raise FormatError(f"the data tile of entry {part.first} ends before entry {end}")
    return part._replace(hashes=part.hashes[:count], begins=part.begins[:count], ends=part.ends[:count])


def opened(log: Log, fetch: Fetch, most: int) -> Kind:
    """A log by what it is asked through."""
    makers: dict[str, Callable[[], Kind]] = {
        "rfc6962": lambda: Rfc6962(log, fetch, most),
        "static": lambda: Static(log, fetch),
    }
    return makers[log.kind]()
