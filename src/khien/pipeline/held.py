"""The log of listings, held to the key that it is signed with: leaf by leaf, tile by tile, proof by proof."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import msgspec

from khien import ledger
from khien.contracts import Store
from khien.ct import tree
from khien.errors import CustodyError, FormatError
from khien.ledger import Checkpoint, signed_checkpoint
from khien.listing import STANDS
from khien.model import Leaf, Listing, Tree
from khien.pipeline.listed import (
    Tiles,
    index_of,
    leaf_hash,
    leaf_id,
    leaves,
    parse_texts,
    public,
    read_head,
    said,
    tile_id,
    tiles,
)
from khien.pipeline.paging import every

_HEX = re.compile(r"[0-9a-f]{64}")
_SOME = 500  # listings held at a time
_TRIES = 4  # to read a log that others change meanwhile


def verify(store: Store, verifier: str, against: bytes | None = None) -> Checkpoint:
    """Holds the log in a store, to which others may add meanwhile, to its key, and to a checkpoint that was kept
    elsewhere; and every listing to what the log says of it. Answers the log's checkpoint.

    CustodyError: names the first leaf, tile or listing that was changed, removed or reordered.
    """
    found = ""  # the last time: a leaf that is redacted meanwhile is said to be by the next head
    for left in reversed(range(_TRIES)):
        head = read_head(store)
        try:
            return _verified(store, head, verifier, against)
        except CustodyError as error:
            if not left or str(error) == found or read_head(store) == head:
                raise
            found = str(error)
    raise AssertionError("the last try answers")


def _verified(store: Store, head: Tree, verifier: str, against: bytes | None) -> Checkpoint:
    """The same, of the log with this head."""
    if store.load(Leaf, leaf_id(head.size)) and read_head(store) == head:
        raise CustodyError(f"the head of the log was set back to {head.size}: {leaf_id(head.size)} is there")
    if not head.size:
        if against is not None and signed_checkpoint(against, verifier, "the checkpoint that was kept").size:
            raise CustodyError("the whole log is gone: the checkpoint that was kept has leaves")
        _hold_listings(store, head, State())
        return Checkpoint(ledger.parse_verifier(verifier)[0], 0, ledger.EMPTY)
    state = State()
    kept = _as_of(store, head)
    found = verify_leaves(islice(leaves(store), head.size), kept, head.checkpoint.encode(), verifier, state)
    if found.size != head.size:
        raise CustodyError(f"the head of the log says {head.size} leaves, and was signed for {found.size}")
    if against is not None:
        expect_grown(signed_checkpoint(against, verifier, "the checkpoint that was kept"), found, tiles(store))
    _hold_listings(store, head, state)
    return found


def _as_of(store: Store, head: Tree) -> Tiles:
    """The tiles of a log, without what came behind a head; where it has not moved nothing may have."""
    there = tiles(store)

    def tile(level: int, number: int) -> bytes:
        row, end = there(level, number), ledger.HASH * tree.width(level, number, head.size)
        return row[:end] if len(row) > end and read_head(store) != head else row

    return tile


class _Told(NamedTuple):
    """Which leaves a listing has, a digest of it as it stands, and whether people are told of it; of that neither where
    the last leaf was redacted."""

    leaves: list[int]
    digest: bytes
    stands: bool


_NEVER = _Told([], b"", stands=False)


@dataclass
class State:
    """What the leaves that were read say: of each listing what _Told has; which leaves have no text, and what others
    say is left of them."""

    listings: dict[str, _Told] = field(default_factory=dict[str, _Told])
    empty: dict[int, Leaf] = field(default_factory=dict[int, Leaf])
    redacted: dict[int, Leaf] = field(default_factory=dict[int, Leaf])


def verify_leaves(found: Iterable[Leaf], kept: Tiles, note: bytes, verifier: str, state: State) -> Checkpoint:
    """Holds leaves, from the first on, and tiles to a signed note; state: what they say is written there.

    CustodyError: names the first leaf or tile that is not what was signed.
    """
    checkpoint = signed_checkpoint(note, verifier, "the head of the log of listings")
    size, rest = 0, iter(found)
    edge: dict[tuple[int, int], bytes] = {}  # tiles that are begun
    while some := list(islice(rest, tree.TILE)):
        for n, each in enumerate(some):
            expect_leaf(each, size + n, state)
        changed = tree.appended(size, [leaf_hash(each) for each in some], _of(edge))
        size += len(some)
        _expect_tiles(changed, kept, checkpoint.size)
        edge = {at: row for at, row in {**edge, **changed}.items() if len(row) < ledger.HASH * tree.TILE}
    if size != checkpoint.size:
        raise CustodyError(f"{leaf_id(size)} and all behind it are gone: {checkpoint.size} were signed, not {size}")
    if tree.root_of(size, kept) != checkpoint.root:
        raise CustodyError(
            "the leaves and tiles of the log agree, and are not those that were signed: it was rewritten"
        )
    expect_said(state)
    return checkpoint


def expect_said(state: State) -> None:
    """CustodyError: text of a leaf is gone, and no leaf says that it was redacted."""
    for index, each in state.empty.items():
        if state.redacted.get(index) != each:
            raise CustodyError(f"{each.id} was changed: its text is gone, and no leaf says that it was redacted")


def _of(tiles: Mapping[tuple[int, int], bytes]) -> Tiles:
    return lambda level, number: tiles[level, number]


def _expect_tiles(changed: Mapping[tuple[int, int], bytes], kept: Tiles, size: int) -> None:
    """Tiles that are full, or as full as they will be, are those that are kept."""
    for (level, number), row in changed.items():
        if len(row) == ledger.HASH * tree.width(level, number, size):
            there = kept(level, number)
            if there != row:
                each = zip(there, row, strict=False)
                other = next((n for n, (one, two) in enumerate(each) if one != two), len(row) - 1) // ledger.HASH
                which = leaf_id(number * tree.TILE + other) if level == 0 else f"hash {other}"
                raise CustodyError(f"the tile {tile_id(level, number)} and the leaves differ: {which} was changed")


def expect_leaf(leaf: Leaf, index: int, state: State) -> None:
    """Holds a leaf to its own commitment, and takes note of what it says."""
    if leaf.id != leaf_id(index):
        raise CustodyError(f"{leaf_id(index)} is not where it belongs: {leaf.id[:60]} follows, leaves were removed")
    told = said(leaf)
    if told is None:
        if leaf.salt:
            raise CustodyError(f"{leaf.id} was changed: its text is gone, and its salt is not")
        state.empty[index] = leaf
        state.listings[leaf.listing] = _Told([*state.listings.get(leaf.listing, _NEVER).leaves, index], b"", False)
        return
    salt = bytes.fromhex(leaf.salt) if _HEX.fullmatch(leaf.salt) else b""
    if not salt or hashlib.sha256(salt + leaf.text.encode()).hexdigest() != leaf.commitment:
        raise CustodyError(f"{leaf.id} was changed: its text is not what it commits to")
    if (leaf.at, leaf.listing) != (told.at, told.listing.id if told.listing else ""):
        raise CustodyError(f"{leaf.id} was changed: it does not stand for what its text says")
    if told.left is not None:
        state.redacted[index_of(told.left)] = told.left
    if told.listing is not None:
        mine = state.listings[leaf.listing].leaves if leaf.listing in state.listings else []
        mine.append(index)
        state.listings[leaf.listing] = _Told(mine, _digest(told.listing), told.listing.state in STANDS)


def _digest(listing: Listing) -> bytes:
    """Of a listing but for what is about a person, and which leaves it has: that is known from where they are."""
    return hashlib.sha256(msgspec.json.encode(public(listing, ()), order="sorted")).digest()


def expect_grown(kept: Checkpoint, found: Checkpoint, there: Tiles) -> None:
    """Holds a log to a checkpoint of it that was kept. CustodyError: it was shortened, or what was there rewritten."""
    if kept.size > found.size:
        raise CustodyError(f"{leaf_id(found.size)} and all behind it are gone: the checkpoint that was kept has them")
    if kept.size and tree.root_of(kept.size, there) != kept.root:
        raise CustodyError(
            f"two logs were signed: the checkpoint that was kept has another root for the first {kept.size} leaves"
        )


def _hold_listings(store: Store, head: Tree, state: State) -> None:
    """Holds every listing that is kept to what the log says of it last."""
    state.listings.pop("", None)
    for each in every(store, Listing):
        indices, digest, stood = state.listings.pop(each.id, _NEVER)
        if list(each.leaves) != indices or not _is_told(each, digest, stood):
            if read_head(store) == head:
                raise CustodyError(f"the listing {each.id} is not what the log says of it")
    if state.listings and read_head(store) == head:
        raise CustodyError(f"the listing {next(iter(state.listings))} is in the log, and no more in the store")


def _is_told(listing: Listing, digest: bytes, stood: bool) -> bool:
    """Whether the log has a listing as it stands. What waits has no leaf, and no earlier one lets it stand; where what
    stood is over, its last leaf may be redacted."""
    if listing.state == "proposed":
        return not stood
    return digest == _digest(listing) if digest else listing.state not in STANDS


def expect_standing(many: Iterable[Listing], store: Store, note: str, verifier: str) -> None:
    """Holds listings to what the last leaf of each says, and those leaves by their tiles to a signed note of the log.

    Where that leaf was redacted, nothing is left to hold its listing to: what stands has its last one. CustodyError:
    names the listing that is not what the log says of it.
    """
    signed = _Signed(store, signed_checkpoint(note.encode(), verifier, "the head of the log of listings"))
    rest = iter(many)
    while some := list(islice(rest, _SOME)):
        last = {each.id: each.leaves[-1] for each in some if each.leaves}
        there = store.load(Leaf, *map(leaf_id, last.values()))
        for each in some:
            index = last.get(each.id, -1)
            found = there.get(leaf_id(index)) if index >= 0 else None
            if found is None or found.listing != each.id:
                raise CustodyError(f"the listing {each.id} is in no leaf of the log")
            state = State()
            expect_leaf(found, index, state)
            signed.expect(index, found)
            if state.listings[each.id].digest != _digest(each):
                raise CustodyError(f"the listing {each.id} is not what the log says of it: see khien ledger verify")


class _Signed:
    """The leaves of a log that was signed. CustodyError: its tiles do not lead to the root that was."""

    def __init__(self, store: Store, checkpoint: Checkpoint) -> None:
        self._kept, self._size = tiles(store), checkpoint.size
        self._held = set[tuple[int, int]]()  # tiles that lead to the root
        if tree.root_of(checkpoint.size, self._kept) != checkpoint.root:
            raise CustodyError("the tiles of the log do not lead to the root that was signed")

    def expect(self, index: int, leaf: Leaf) -> None:
        """Holds a leaf to the root. CustodyError: it is another's."""
        number, place = divmod(index, tree.TILE)
        if not index < self._size or _hash(self._tile(0, number), place) != leaf_hash(leaf):
            raise CustodyError(f"{leaf.id} is not the leaf that was signed")

    def _tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile; of one that is full, also what is above it was held. The others root_of has read."""
        width = tree.width(level, number, self._size)
        row = self._kept(level, number)[: ledger.HASH * width]
        if width == tree.TILE and (level, number) not in self._held:
            above, place = divmod(number, tree.TILE)
            if tree.top_of(row) != _hash(self._tile(level + 1, above), place):
                raise CustodyError(f"the tile {tile_id(level, number)} was changed: it is not the one that was signed")
            self._held.add((level, number))
        return row


def _hash(row: bytes, place: int) -> bytes:
    return row[ledger.HASH * place : ledger.HASH * (place + 1)]


def check(document: bytes, verifier: str) -> tuple[Leaf, Checkpoint]:
    """Holds what prove wrote to a key; answers the leaf, and the log in which it is.

    CustodyError: the leaf is not in a log that was signed with the key. FormatError: it is no such proof.
    """
    given = ledger.parse_proof(document)
    found, *more = parse_texts(given.extra) or [None]
    if found is None or more:
        raise FormatError("the extra of a proof is one leaf in JSON")
    expect_leaf(found, given.index, State())
    signed_for = signed_checkpoint(given.note, verifier, "the checkpoint")
    ledger.verify_inclusion(given.index, signed_for.size, leaf_hash(found), given.hashes, signed_for.root)
    return found, signed_for
