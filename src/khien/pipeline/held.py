"""The log of listings, held to the key that it is signed with: leaf by leaf, tile by tile, proof by proof."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from khien import ledger
from khien.contracts import Store
from khien.ct import tree
from khien.errors import CustodyError, FormatError
from khien.ledger import Checkpoint
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
    signed,
    tile_id,
    tiles,
)

_HEX = re.compile(r"[0-9a-f]{64}")
_PAGE = 500  # listings read at a time


def verify(store: Store, verifier: str, against: bytes | None = None) -> Checkpoint:
    """Holds the log in a store, to which others may add meanwhile, to its key, and to a checkpoint that was kept
    elsewhere; and every listing to what the log says of it. Answers the log's checkpoint.

    CustodyError: names the first leaf, tile or listing that was changed, removed or reordered.
    """
    head = read_head(store)
    if store.load(Leaf, leaf_id(head.size)) and read_head(store) == head:
        raise CustodyError(f"the head of the log was set back to {head.size}: {leaf_id(head.size)} is there")
    if not head.size:
        if against is not None and signed(against, verifier, "the checkpoint that was kept").size:
            raise CustodyError("the whole log is gone: the checkpoint that was kept has leaves")
        return Checkpoint(ledger.parse_verifier(verifier)[0], 0, ledger.EMPTY)
    state = State()
    found = verify_leaves(islice(leaves(store), head.size), tiles(store), head.checkpoint.encode(), verifier, state)
    if found.size != head.size:
        raise CustodyError(f"the head of the log says {head.size} leaves, and was signed for {found.size}")
    if against is not None:
        expect_grown(signed(against, verifier, "the checkpoint that was kept"), found, tiles(store))
    _hold_listings(store, head, state)
    return found


@dataclass
class State:
    """What the leaves that were read say: of each listing which leaves it has, and a digest of it as it stands; which
    leaves have no text, and what others say is left of them."""

    listings: dict[str, tuple[list[int], bytes]] = field(default_factory=dict[str, tuple[list[int], bytes]])
    empty: dict[int, Leaf] = field(default_factory=dict[int, Leaf])
    redacted: dict[int, Leaf] = field(default_factory=dict[int, Leaf])


def verify_leaves(found: Iterable[Leaf], kept: Tiles, note: bytes, verifier: str, state: State) -> Checkpoint:
    """Holds leaves, from the first on, and tiles to a signed note; state: what they say is written there.

    CustodyError: names the first leaf or tile that is not what was signed.
    """
    checkpoint = signed(note, verifier, "the head of the log of listings")
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
                other = next(n for n in range(tree.TILE) if there[32 * n : 32 * n + 32] != row[32 * n : 32 * n + 32])
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
        state.listings[leaf.listing] = ([*state.listings.get(leaf.listing, ([], b""))[0], index], b"")
        return
    salt = bytes.fromhex(leaf.salt) if _HEX.fullmatch(leaf.salt) else b""
    if not salt or hashlib.sha256(salt + leaf.text.encode()).hexdigest() != leaf.commitment:
        raise CustodyError(f"{leaf.id} was changed: its text is not what it commits to")
    if (leaf.at, leaf.listing) != (told.at, told.listing.id if told.listing else ""):
        raise CustodyError(f"{leaf.id} was changed: it does not stand for what its text says")
    if told.left is not None:
        state.redacted[index_of(told.left)] = told.left
    if told.listing is not None:
        mine = state.listings.setdefault(leaf.listing, ([], b""))[0]
        mine.append(index)
        state.listings[leaf.listing] = (mine, _digest(told.listing))


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
    after = ""
    while page := store.find(Listing, after=after, limit=_PAGE):
        after = page[-1].id
        for each in page:
            indices, digest = state.listings.pop(each.id, ([], b""))
            if list(each.leaves) != indices or (digest and each.leaves and digest != _digest(each)):
                if read_head(store) == head:
                    raise CustodyError(f"the listing {each.id} is not what the log says of it")
    if state.listings and read_head(store) == head:
        raise CustodyError(f"the listing {next(iter(state.listings))} is in the log, and no more in the store")


def check(document: bytes, verifier: str) -> tuple[Leaf, Checkpoint]:
    """Holds what prove wrote to a key; answers the leaf, and the log in which it is.

    CustodyError: the leaf is not in a log that was signed with the key. FormatError: it is no such proof.
    """
    given = ledger.parse_proof(document)
    found, *more = parse_texts(given.extra) or [None]
    if found is None or more:
        raise FormatError("the extra of a proof is one leaf in JSON")
    expect_leaf(found, given.index, State())
    signed_for = signed(given.note, verifier, "the checkpoint")
    ledger.verify_inclusion(given.index, signed_for.size, leaf_hash(found), given.hashes, signed_for.root)
    return found, signed_for
