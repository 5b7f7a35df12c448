"""The hash tree of a log: what of it a proof says, and where its nodes lie in tiles (c2sp.org/tlog-tiles)."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from khien.errors import CustodyError, FormatError
from khien.ledger import HASH, append, root, rows_above

HEIGHT = 8  # levels of a tile
TILE = 1 << HEIGHT  # hashes of a full tile, entries of a full data tile


def frontier(earlier: int, size: int, proof: Sequence[bytes], known: bytes) -> tuple[bytes, ...]:
    """The hashes of a log's full subtrees when it had ``earlier`` leaves, out of a proof from there to size.

    They are what leaves behind are appended to (ledger.append). known: the root it had then, which a proof leaves out
    where it is the hash of one full subtree, and only there. CustodyError: a proof of another length.
    """
    if earlier == 0:
        return ()
    if earlier & (earlier - 1) == 0:
        return (known,)
    left, found = list(proof), list[bytes]()
    begin, end = 0, size
    while earlier != end:  # RFC 6962 section 2.1.2, from the root down: the proof from its end
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)
        each = left.pop() if left else b""
        if earlier <= middle:
            end = middle
        else:
            begin = middle
            found.append(each)
    found += left
    if len(left) != 1 or any(len(each) != HASH for each in proof):
        raise CustodyError(f"from {earlier} to {size} leaves: the proof has {len(proof)} hashes, which is another's")
    return tuple(found)


def grown(begin: int, before: Sequence[bytes], leaves: Sequence[bytes]) -> bytes:
    """The root behind the leaves from ``begin`` on; before: the frontier there."""
    full, size = tuple(before), begin
    for each in leaves:
        full = append(size, full, each)
        size += 1
    return root(size, full)


def held(begin: int, before: Sequence[bytes], leaves: Sequence[bytes], end: bytes) -> bytes:
    """Holds the leaves from ``begin`` on to the root behind them; answers the root in front of them.

    before: the frontier there. What it says is right as well if all leads to the root. CustodyError: it does not.
    """
    if grown(begin, before, leaves) != end:
        last = begin + len(leaves) - 1
        raise CustodyError(f"the entries {begin} to {last} are not those of the tree head: they lead to another")
    return root(begin, before)


def index_path(number: int) -> str:
    """A tile's number as a path: ``x001/x234/067`` is 1234067."""
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03}")
    return "/".join(reversed(parts))


def tile_path(level: int | str, number: int, width: int) -> str:
    """Where a tile of width hashes or entries lies; level: a number, or ``data``."""
    return f"tile/{level}/{index_path(number)}" + (f".p/{width}" if width < TILE else "")


def width(level: int, number: int, size: int) -> int:
    """How many hashes a tile has in a log of so many leaves."""
    return min((size >> HEIGHT * level) - number * TILE, TILE)


def hashes(size: int, tile: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    """The hashes of full subtrees (level, index), as the ledger's proofs are made of, out of a log's tiles.

    tile: the contents of a tile, given its level and number, of as many hashes as ``width`` says.
    """

    known: dict[tuple[int, int], list[bytes]] = {}

    def at(level: int, index: int) -> bytes:
        row, within_row = divmod(level, HEIGHT)
        number, place = divmod(index << within_row, TILE)
        rows = known.get((row, number))
        if rows is None:
            within = tile(row, number)
            if len(within) != HASH * width(row, number, size):
                raise FormatError(
                    f"the tile {tile_path(row, number, width(row, number, size))} has {len(within)} bytes"
                )
            rows = known[row, number] = _rows_above(within)
        place >>= within_row
        return rows[within_row][HASH * place : HASH * (place + 1)]

    return at


def appended(size: int, leaves: Sequence[bytes], tile: Callable[[int, int], bytes]) -> dict[tuple[int, int], bytes]:
    """The tiles (level, number) that leaves, given by their hashes, begin or fill behind size others.

    tile: the contents of one that is begun, as it was.
    """
    changed: dict[tuple[int, int], bytes] = {}
    level, begin, row = 0, size, list(leaves)
    while row:
        number, place = divmod(begin, TILE)
        filled = (tile(level, number)[: HASH * place] if place else b"") + b"".join(row)
        row = list[bytes]()
        for at in range(0, len(filled), HASH * TILE):
            content = changed[level, number + at // (HASH * TILE)] = filled[at : at + HASH * TILE]
            if len(content) == HASH * TILE:
                row.append(top_of(content))
        level, begin = level + 1, begin >> HEIGHT
    return changed


def root_of(size: int, tile: Callable[[int, int], bytes]) -> bytes:
    """The root of the first so many leaves of a log, whose tiles hold so many at least."""

    def cut(level: int, number: int) -> bytes:
        return tile(level, number)[: HASH * width(level, number, size)]

    at = hashes(size, cut)
    return root(size, [at(bit, (size >> bit) - 1) for bit in reversed(range(size.bit_length())) if size >> bit & 1])


def top_of(row: bytes) -> bytes:
    """The hash above all of a row of hashes, whose number is a power of two."""
    return rows_above(row)[-1]


_rows_above = lru_cache(64)(rows_above)  # by what it holds: most tiles above a leaf are above many; 25 KB each
