"""The log of listings as it lies in a store: grown, read, proven, and handed out as files. held holds it to its key.

A leaf commits to its text under a salt: SHA-256 of both is what the log has. So text and salt can be taken out, and
every proof still holds. A leaf that says so tells what is left of it, so that nobody takes text out unsaid.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from threading import Lock
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import ledger
from khien.contracts import Store
from khien.ct import tree
from khien.errors import ConflictError, CustodyError, FormatError, InputError
from khien.ledger import Checkpoint, Signer
from khien.model import Leaf, Listing, Record, Tile, Tree

LOG = "listings"

_SALT = 32  # bytes
_PAGE = 4 * tree.TILE  # leaves read at a time
_JSON = msgspec.json.Encoder()
_HEX = re.compile(r"[0-9a-f]{64}")
_PATH = re.compile(r"(tile|text)/(?:(\d|entries)/)?((?:x\d{3}/){0,5}\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)

Done = Literal["listed", "changed", "contested", "kept", "removed", "expired", "redacted"]
Tiles = Callable[[int, int], bytes]  # (level, number) -> hashes


class Said(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The text of a leaf: what was done, when, why in plain words, with which listing as it stands since.

    listing: without what is about a person: of who decided the roles stand in ``by``, what an owner objects is left
    out; its leaves are those before this one. left: of a leaf that was redacted, what is left.
    """

    act: Done
    at: datetime
    why: str = ""
    listing: Listing | None = None
    left: Leaf | None = None


@dataclass(frozen=True)
class Log:
    """Who writes the log. chance: so many random bytes."""

    key: Ed25519PrivateKey = field(repr=False)
    chance: Callable[[int], bytes] = field(repr=False)

    @property
    def signer(self) -> Signer:
        """The key of the log, and its name."""
        return Signer("listings", self.key)

    @property
    def verifier(self) -> str:
        """The key as others write it down, to hold the log to it."""
        return self.signer.verifier

    def grown(self, store: Store, said: Sequence[Said]) -> tuple[list[Leaf], list[Record]]:
        """Leaves that say this behind what is there, and the tiles and head with them, to be saved in one.

        CustodyError: what is kept of the log is not what was signed with this key; nothing is added to that.
        ConflictError: it has grown while it was read.
        """
        head = read_head(store)
        kept = tiles(store)
        if head.size:
            _expect_signed(head.checkpoint, self.verifier, head.size, tree.root_of(head.size, kept))
        if store.load(Leaf, leaf_id(head.size)):
            if read_head(store) == head:
                raise CustodyError(f"the head of the log was set back to {head.size}: {leaf_id(head.size)} is there")
            raise ConflictError("the log of listings has grown meanwhile: read again, decide again")
        salts = self.chance(_SALT * len(said))
        new = [made(head.size + n, each, salts[_SALT * n : _SALT * (n + 1)]) for n, each in enumerate(said)]
        hashes = ledger.leaf_hashes([bytes.fromhex(each.commitment) for each in new])
        changed = tree.appended(head.size, hashes, kept)

        def now(level: int, number: int) -> bytes:
            return changed.get((level, number)) or kept(level, number)

        size = head.size + len(new)
        text = Checkpoint(self.signer.name, size, tree.root_of(size, now)).text
        note = self.signer.sign(text).decode()
        rows = [tile_of(tile_id(*at), hashes) for at, hashes in changed.items()]
        return new, [*new, *rows, Tree(id=LOG, size=size, checkpoint=note)]


def made(index: int, said: Said, salt: bytes) -> Leaf:
    """The leaf at an index that says something, committed to under a salt of 32 bytes."""
    text = _JSON.encode(said)
    return Leaf(
        id=leaf_id(index),
        at=said.at,
        listing=said.listing.id if said.listing else "",
        text=text.decode(),
        salt=salt.hex(),
        commitment=hashlib.sha256(salt + text).hexdigest(),
    )


def leaf_id(index: int) -> str:
    """The id of the leaf at an index."""
    return f"{LOG}/{index:016d}"


def index_of(leaf: Leaf) -> int:
    """At which index a leaf stands. CustodyError: its id is none."""
    digits = leaf.id.removeprefix(f"{LOG}/")
    if len(digits) != 16 or not digits.isdigit() or leaf_id(int(digits)) != leaf.id:
        raise CustodyError(f"{leaf.id[:60]!r} is no id of a leaf")
    return int(digits)


def tile_id(level: int, number: int) -> str:
    """The id of a tile."""
    return f"{LOG}/{level}/{number}"


def leaf_hash(leaf: Leaf) -> bytes:
    """What the log has of a leaf. CustodyError: it commits to nothing."""
    if not _HEX.fullmatch(leaf.commitment):
        raise CustodyError(f"{leaf.id[:60]} was changed: its commitment is not {ledger.HASH} bytes in hex")
    return ledger.leaf_hash(bytes.fromhex(leaf.commitment))


def said(leaf: Leaf) -> Said | None:
    """What a leaf says; None where that was redacted. CustodyError: it was changed."""
    if not leaf.text:
        return None
    try:
        return msgspec.json.decode(leaf.text, type=Said)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CustodyError(f"{leaf.id} was changed: its text says nothing ({error})") from error


def read_head(store: Store) -> Tree:
    """The log as it stands; its size and signed note, its frontier is in tiles."""
    return store.load(Tree, LOG).get(LOG, Tree(id=LOG))


def checkpoint(store: Store) -> str:
    """The signed note of the log as it stands; empty before anything was listed."""
    return read_head(store).checkpoint


def leaf(store: Store, index: int) -> Leaf | None:
    """The leaf at an index. None: there is none."""
    name = leaf_id(index)
    return store.load(Leaf, name).get(name)


def leaves(store: Store, begin: int = 0) -> Iterator[Leaf]:
    """All leaves from an index on."""
    after = leaf_id(begin - 1) if begin else ""
    while page := store.find(Leaf, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def done(leaf: Leaf, contested: dict[str, datetime]) -> tuple[Done | Literal["gone"], datetime | None]:
    """What a leaf says was done, "gone" where its text was redacted; and, where that decided on an objection, when it
    was made. contested: when, of listings whose objection is open, by the leaves before this one; kept up here."""
    told = said(leaf)
    if told and told.act == "redacted":  # of a text, not of the listing
        return told.act, None
    since = contested.pop(leaf.listing, None)  # whatever is done next on such a listing ends it
    if told is None:
        return "gone", None
    if told.act == "contested":
        contested[leaf.listing] = leaf.at
    return told.act, since if told.act in ("kept", "removed") else None


class Tally:
    """How often the log says that something was done, by act, read on from where it was read last; an end of what was
    contested also as appeal-kept, appeal-removed."""

    def __init__(self) -> None:
        self._acts = Counter[str]()
        self._contested: dict[str, datetime] = {}
        self._next = 0
        self._turn = Lock()

    def __call__(self, store: Store) -> Counter[str]:
        """The counts of the log as it stands."""
        with self._turn:
            for each in leaves(store, self._next):
                act, objected = done(each, self._contested)
                self._acts.update((act, f"appeal-{act}") if objected else (act,))
                self._next = index_of(each) + 1
            return self._acts.copy()


def tiles(store: Store, *soon: str) -> Tiles:
    """The tiles of a log, each read once; those of these ids, which are asked for soon, in one go."""
    read = {name: hashes_of(each) for name, each in store.load(Tile, *soon).items()} if soon else {}

    def tile(level: int, number: int) -> bytes:
        name = tile_id(level, number)
        if name not in read:
            found = store.load(Tile, name).get(name)
            if found is None:
                raise CustodyError(f"the tile {name} is gone")
            read[name] = hashes_of(found)
        return read[name]

    return tile


def tile_of(name: str, hashes: bytes) -> Tile:
    """A tile as it is kept."""
    return Tile(id=name, hashes=b64encode(hashes).decode())


def hashes_of(tile: Tile) -> bytes:
    """The hashes of a tile. CustodyError: it holds none."""
    try:
        return _decoded(tile.hashes)
    except ValueError:
        raise CustodyError(f"the tile {tile.id} was changed: it holds no hashes") from None


@lru_cache(64)  # those of the same text, 19 KB each
def _decoded(hashes: str) -> bytes:
    return b64decode(hashes, validate=True)


def proof(store: Store, index: int, size: int | None = None) -> list[bytes]:
    """The hashes that lead from a leaf to the root of the first size leaves, all where none is given (RFC 9162 section
    2.1.3). InputError: the log has not so many, or the leaf is none of them."""
    size = _within(store, size)
    return ledger.inclusion_proof(index, size, _subtrees(store, size, index))


def consistency(store: Store, earlier: int, size: int | None = None) -> list[bytes]:
    """The hashes that show the log to begin with what it was earlier (RFC 9162 section 2.1.4). Errors as of proof."""
    size = _within(store, size)
    return ledger.consistency_proof(earlier, size, _subtrees(store, size, earlier))


def _subtrees(store: Store, size: int, near: int) -> ledger.Hashes:
    """The hashes that proofs are made of; most lie in tiles above the leaf ``near`` and above the last."""
    levels = range(1, size.bit_length() // tree.HEIGHT + 2)
    above = {tile_id(level - 1, leaf >> level * tree.HEIGHT) for level in levels for leaf in (near, size - 1)}
    kept = tiles(store, *above)
    return tree.hashes(size, lambda level, number: kept(level, number)[: ledger.HASH * tree.width(level, number, size)])


def _within(store: Store, size: int | None) -> int:
    there = read_head(store).size
    if size is not None and not 0 <= size <= there:
        raise InputError(f"the log of listings has {there} leaves, not {size}")
    return there if size is None else size


def tile(store: Store, level: int, index: int, width: int = tree.TILE) -> bytes:
    """So many hashes of a tile. InputError: the log does not have them."""
    if not 0 <= width <= tree.width(level, index, read_head(store).size):
        raise InputError(f"the log of listings has no tile {tree.tile_path(level, index, width)}")
    return tiles(store)(level, index)[: ledger.HASH * width]


def file(store: Store, path: str) -> bytes:
    """What lies at a path of the log, as c2sp.org/tlog-tiles has them: ``checkpoint``, ``tile/<level>/<number>``,
    ``tile/entries/<number>``; and beside them ``text/<number>``: up to 256 leaves as JSON Lines. A partial one ends
    with ``.p/<width>``. InputError: there is none."""
    if path == "checkpoint":
        return checkpoint(store).encode()
    found = _PATH.fullmatch(path)
    if found is None or (found[1] == "tile") != (found[2] is not None):
        raise InputError(f"the log of listings has no {path[:100]!r}")
    number = int(found[3].replace("x", "").replace("/", ""))
    width = int(found[4] or tree.TILE)
    if found[2] and found[2] != "entries":
        return tile(store, int(found[2]), number, width)
    if width > tree.width(0, number, read_head(store).size):
        raise InputError(f"the log of listings has no {path[:100]!r}")
    some = list(islice(leaves(store, number * tree.TILE), width))
    if found[1] == "text":
        return b"".join(msgspec.json.encode(each) + b"\n" for each in some)
    return entries(some)


def entries(some: Iterable[Leaf]) -> bytes:
    """Leaves as an entry bundle: what each commits to, behind its length."""
    return b"".join(ledger.HASH.to_bytes(2) + bytes.fromhex(each.commitment) for each in some)


def text_path(number: int, width: int) -> str:
    """Where up to 256 leaves lie."""
    return f"text/{tree.index_path(number)}" + (f".p/{width}" if width < tree.TILE else "")


def prove(store: Store, index: int) -> bytes:
    """What shows anybody that a leaf is in the log, and what it says (ledger.Proof). InputError: there is none."""
    note = checkpoint(store)
    found = leaf(store, index)
    if found is None or not note:
        raise InputError(f"the log of listings has no leaf {index}")
    size = ledger.parse_checkpoint(ledger.parse_note(note.encode()).text).size
    return ledger.Proof(msgspec.json.encode(found), index, tuple(proof(store, index, size)), note.encode()).document


def parse_texts(content: bytes) -> list[Leaf]:
    """The leaves of a file of texts. FormatError: it is none."""
    try:
        return [msgspec.json.decode(line, type=Leaf) for line in content.splitlines()]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"a file of leaves has one in JSON a line: {error}") from error


def _expect_signed(note: str, verifier: str, size: int, root: bytes) -> None:
    found = ledger.signed_checkpoint(note.encode(), verifier, "the head of the log of listings")
    if (found.size, found.root) != (size, root):
        raise CustodyError("the log of listings is not what was signed: khien ledger verify says what was changed")


def public(listing: Listing, roles: Sequence[str]) -> Listing:
    """A listing as everybody may read it. roles: of those who decided."""
    appeal = listing.appeal and msgspec.structs.replace(listing.appeal, why="")
    return msgspec.structs.replace(listing, by=tuple(roles), appeal=appeal, leaves=())
