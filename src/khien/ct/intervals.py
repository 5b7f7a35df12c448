"""What of a log was read and what not, newest first: the part of a cursor that is one log's."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from khien.ct.heads import Head
from khien.ct.leaves import NO_TIME
from khien.errors import CustodyError, InputError
from khien.ledger import EMPTY, HASH

MOST_GAPS = 64  # a log with as many is read on before its head is asked for again


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """Entries that were not read: from begin to before end. root: that of the tree in front of end, which is verified;
    known: that in front of begin, where it is known too."""

    begin: int
    end: int
    root: bytes
    known: bytes = b""


class Chunk(NamedTuple):
    """Entries to read together, out of the newest gap; known: as a gap's."""

    begin: int
    end: int
    root: bytes
    known: bytes


class Standing(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """How a log stands. size, root, at: its verified head, at in milliseconds; gaps: in order, apart from each other;
    newest: the time of the newest entry read, microseconds; trouble: why it is not read on; halted: it lied."""

    name: str
    size: int = 0
    root: bytes = EMPTY
    at: int = 0
    gaps: tuple[Gap, ...] = ()
    newest: int = NO_TIME
    trouble: str = ""
    halted: bool = False

    @property
    def behind(self) -> int:
        """How many entries were not read."""
        return sum(each.end - each.begin for each in self.gaps)


def begun(name: str, head: Head, backlog: int) -> Standing:
    """How a log stands that was never read, of which no more than the last backlog entries are to be."""
    standing = Standing(name=name, size=head.size, root=head.root, at=head.at)
    begin = max(head.size - backlog, 0)
    return _with(standing, Gap(begin, head.size, head.root, EMPTY if begin == 0 else b""))


def grown(standing: Standing, head: Head) -> Standing:
    """With a newer head, which is consistent with the one before; with an older one, as it was.

    CustodyError: it cannot be consistent, by its mere size and time.
    """
    if head.size < standing.size:
        if head.at >= standing.at:
            raise CustodyError(f"the log had {standing.size} leaves and now has {head.size}: some were removed")
        return standing  # an older head, from a server that lags
    if head.size == standing.size:
        if head.root != standing.root:
            raise CustodyError(
                f"two heads of the same {head.size} leaves: {standing.root.hex()} and {head.root.hex()}: the log forks"
            )
        return msgspec.structs.replace(standing, at=max(head.at, standing.at))
    gap = Gap(standing.size, head.size, head.root, standing.root)
    return _with(msgspec.structs.replace(standing, size=head.size, root=head.root, at=head.at), gap)


def _with(standing: Standing, gap: Gap) -> Standing:
    """With a gap at the end, joined to the one it touches."""
    gaps = standing.gaps
    if gaps and gaps[-1].end == gap.begin:
        gap = Gap(gaps[-1].begin, gap.end, gap.root, gaps[-1].known)
        gaps = gaps[:-1]
    return msgspec.structs.replace(standing, gaps=(*gaps, gap) if gap.begin < gap.end else gaps)


def next_chunk(standing: Standing, most: int) -> Chunk | None:
    """What to read next, at most about so many entries, beginning at a multiple of that where it can."""
    if not standing.gaps:
        return None
    gap = standing.gaps[-1]
    begin = max((gap.end - 1) // most * most, gap.begin)
    while begin & (begin - 1) == 0 and begin > 0:  # a proof leaves out what is one full subtree, see tree.frontier
        begin -= 1
    if begin <= gap.begin and gap.known:
        return Chunk(gap.begin, gap.end, gap.root, gap.known)
    return Chunk(begin, gap.end, gap.root, EMPTY if begin == 0 else b"")


def read(standing: Standing, chunk: Chunk, before: bytes, newest: int, behind: Gap | None = None) -> Standing:
    """After a chunk was read; before: the root in front of it, verified; behind: what of it was not."""
    *others, gap = standing.gaps
    if chunk.begin <= gap.begin:
        if gap.known and chunk.begin == gap.begin and gap.known != before:
            raise CustodyError(f"the log of {gap.end} leaves does not begin with the {gap.begin} it had: the log forks")
        left = tuple(others)
    else:
        left = (*others, Gap(gap.begin, chunk.begin, before, gap.known))
    left = (*left, behind) if behind else left
    return msgspec.structs.replace(standing, gaps=left, newest=max(newest, standing.newest))


class Progress(NamedTuple):
    """How a log stands, for people: its entries, how many were not read, how many gaps they are in; when
    the newest entry that was read came in; what keeps it, and whether that is a lie."""

    name: str
    entries: int
    behind: int
    gaps: int
    newest: datetime | None
    trouble: str
    halted: bool


def progress(cursor: bytes) -> tuple[Progress, ...]:
    """Of a page's cursor: how each log stood, by name. InputError: it is no cursor of logs."""
    standings = sorted(decode(cursor).values(), key=lambda each: each.name)
    return tuple(
        Progress(
            each.name, each.size, each.behind, len(each.gaps),
            _time(each.newest), each.trouble, each.halted,
        )
        for each in standings
    )  # fmt: skip


def _time(microseconds: int) -> datetime | None:
    seconds = microseconds // 1_000_000
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 253_402_300_800 else None


def encode(standings: dict[str, Standing]) -> bytes:
    """A cursor: how logs stand, by their ids."""
    return msgspec.msgpack.encode(standings)


def decode(cursor: bytes) -> dict[str, Standing]:
    """How logs stand, out of a cursor. InputError: it is none."""
    try:
        standings = msgspec.msgpack.decode(cursor, type=dict[str, Standing])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"no cursor of the source ctlog: {cursor[:80]!r}; start without one") from error
    for each in standings.values():
        edges = [edge for gap in each.gaps for edge in (gap.begin, gap.end)]
        roots = [each.root, *(gap.root for gap in each.gaps)]
        if edges != sorted(edges) or min(edges, default=0) < 0 or any(len(root) != HASH for root in roots):
            raise InputError(f"no cursor of the source ctlog: {each.name} is not whole; start without one")
    return standings
