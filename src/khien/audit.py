"""What officers did, as a log that nobody rewrites unnoticed.

Each act is an entry, saved together with what it did. Its leaf in the ledger commits to its text under a salt, so that
the text could be taken out one day and the log still stand. Each entry carries the signed checkpoint of the log as it
stood with it: whoever changes, removes or reorders entries breaks just that one. Whoever also holds the key is found by
a checkpoint that was kept elsewhere.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import NamedTuple, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien import ledger
from khien.contracts import Store
from khien.errors import ConflictError, ContractError, CustodyError, FormatError
from khien.ledger import Checkpoint, Signer
from khien.model import Entry, Node, Record, Tree

R = TypeVar("R", bound=Record)

LEDGER = "audit"
ACTS = (  # words.act says them
    "signed-in",
    "signed-out",
    "refused",
    "passkey-added",
    "passkey-cloned",
    "officer-invited",
    "officer-changed",
    "officer-left",
    "token-made",
    "pass-revoked",
    "finding-moved",
    "constituent-changed",
    "constituent-left",
    "proof-given",
    "notice-acknowledged",
    "notice-ours",
    "notice-withdrawn",
    "takedown-begun",
    "takedown-closed",
    "account-removed",
    "match-token-given",
    "collection-entered",
    "collection-deleted",
    "leak-taken-in",
    "leak-given-up",
    "passwords-replaced",
    "key-begun",
    "key-given-up",
    "listing-proposed",
    "listing-listed",
    "listing-approved",
    "listing-changed",
    "listing-removed",
    "listing-contested",
    "listing-decided",
    "listings-expired",
    "listings-imported",
    "listing-redacted",
)
LONGEST_LINE = 256 << 10  # bytes of an export

_TREE = "the head of the audit"
_SALT = 32  # bytes
_PAGE = 500  # entries read at a time


class Act(NamedTuple):
    """What somebody did: one of ACTS, to what (an id, or a name), and with what else worth knowing."""

    by: str
    act: str
    what: str = ""
    params: Mapping[str, str] = {}


class Head(Record, frozen=True, kw_only=True):
    """The first line of an export: the key that the log is signed with, and the log as it stands."""

    verifier: str
    tree: Tree


class Proven(NamedTuple):
    """An entry of the log, and the hashes that lead from its leaf to the root of the checkpoint."""

    entry: Entry
    leaf: bytes
    proof: list[bytes]
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Audit:
    """Who writes the log. chance: so many random bytes."""

    key: Ed25519PrivateKey = field(repr=False)
    clock: Callable[[], datetime]
    chance: Callable[[int], bytes] = field(repr=False)

    @property
    def signer(self) -> Signer:
        """The key of the log, and its name."""
        return Signer("audit", self.key)

    @property
    def verifier(self) -> str:
        """The key as others write it down, to hold the log to it."""
        return self.signer.verifier

    def entries(self, store: Store, *acts: Act) -> list[Record]:
        """Records that add acts to the log as it stands: to be saved with what was done, decided anew on a conflict.

        CustodyError: what is kept of the log is not what was signed with this key; nothing is added to that.
        ConflictError: it has grown while it was read.
        """
        if unknown := [each.act for each in acts if each.act not in ACTS]:
            raise ContractError(f"no such act {unknown[0]!r}: add it to audit.ACTS and to both catalogues")
        tree = head(store)
        size, frontier = tree.size, tuple(_hash(each, _TREE) for each in tree.frontier)
        if size:
            _expect_signed(tree.checkpoint, self.signer.verifier, size, ledger.root(size, frontier), _TREE)
        if store.load(Entry, entry_id(size)):
            if head(store) == tree:
                raise _set_back(tree)
            raise ConflictError("the audit has grown meanwhile: read again, decide again")
        added: list[Record] = []
        for act in acts:
            entry = Entry(
                id=entry_id(size),
                at=self.clock(),
                by=act.by,
                act=act.act,
                what=act.what,
                params=dict(act.params),
                salt=self.chance(_SALT).hex(),
            )
            for level, hash_ in enumerate(ledger.completed(size, frontier, leaf(entry))):
                if level:
                    added.append(Node(id=node_id(level, size >> level), hash=hash_.hex()))
            frontier = ledger.append(size, frontier, leaf(entry))
            size += 1
            text = Checkpoint(self.signer.name, size, ledger.root(size, frontier)).text
            entry = msgspec.structs.replace(entry, checkpoint=self.signer.sign(text).decode())
            tree = Tree(id=LEDGER, size=size, frontier=tuple(map(bytes.hex, frontier)), checkpoint=entry.checkpoint)
            added.append(entry)
        return [*added, tree]


def entry_id(index: int) -> str:
    """The id of the entry at an index."""
    return f"{LEDGER}/{index:016d}"


def node_id(level: int, index: int) -> str:
    """The id of a full subtree."""
    return f"{LEDGER}/{level}/{index}"


def leaf(entry: Entry) -> bytes:
    """The hash of an entry's leaf: a commitment to its text under its salt. CustodyError: it has no such salt."""
    try:
        salt = bytes.fromhex(entry.salt)
    except ValueError:
        salt = b""
    if len(salt) != _SALT:
        raise CustodyError(f"{entry.id} was changed: its salt is not {_SALT} bytes in hex")
    text = {name: getattr(entry, name) for name in ("id", "at", "by", "act", "what", "params")}
    return ledger.leaf_hash(hashlib.sha256(salt + msgspec.json.encode(text, order="sorted")).digest())


def read(store: Store) -> Iterator[Entry]:
    """Every entry that is kept, from the first on."""
    after = ""
    while page := store.find(Entry, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def proven(store: Store, index: int, verifier: str) -> Proven | None:
    """An entry, held to the signed head of the log. None: there is no such entry.

    CustodyError: it is not what was signed, or what leads to it is not.
    """
    note = head(store).checkpoint
    entry = store.load(Entry, entry_id(index)).get(entry_id(index))
    if entry is None or not note:
        return None
    checkpoint = ledger.signed_checkpoint(note.encode(), verifier, _TREE)
    if index >= checkpoint.size:
        raise CustodyError(f"{entry.id} is none of the {checkpoint.size} entries that were signed")

    def hashes(level: int, at: int) -> bytes:
        name = node_id(level, at) if level else entry_id(at)
        found = store.load(Node if level else Entry, name).get(name)
        if found is None:
            raise CustodyError(f"{name} is gone")
        return leaf(found) if isinstance(found, Entry) else _hash(found.hash, name)

    proof = ledger.inclusion_proof(index, checkpoint.size, hashes)
    ledger.verify_inclusion(index, checkpoint.size, leaf(entry), proof, checkpoint.root)
    return Proven(entry, leaf(entry), proof, checkpoint)


def head(store: Store) -> Tree:
    """The log as it stands."""
    return store.load(Tree, LEDGER).get(LEDGER, Tree(id=LEDGER))


def verify_kept(store: Store, verifier: str, against: bytes | None = None) -> Checkpoint:
    """Holds the log in a store, to which others may add meanwhile, as verify does."""
    tree = head(store)
    checkpoint = verify(islice(read(store), tree.size), tree, verifier, against)
    if store.load(Entry, entry_id(tree.size)) and head(store) == tree:
        raise _set_back(tree)
    return checkpoint


def verify(entries: Iterable[Entry], tree: Tree, verifier: str, against: bytes | None = None) -> Checkpoint:
    """Holds a whole log to the key it is signed with, and to a checkpoint (a signed note) that was kept elsewhere.

    Answers its checkpoint. CustodyError: names the first entry that was changed, removed or reordered.
    """
    kept = None if against is None else ledger.signed_checkpoint(against, verifier, "the checkpoint that was kept")
    size, frontier = 0, tuple[bytes, ...]()
    for entry in entries:
        if entry.id != entry_id(size):
            raise CustodyError(f"{entry_id(size)} is not where it belongs: {entry.id} follows, entries were removed")
        frontier = ledger.append(size, frontier, leaf(entry))
        size += 1
        root = ledger.root(size, frontier)
        _expect_signed(entry.checkpoint, verifier, size, root, entry.id)
        if kept is not None and kept.size == size and kept.root != root:
            raise CustodyError(
                f"{entry.id} or one before it was rewritten: the checkpoint that was kept has another root"
            )
    if size > tree.size:
        raise _set_back(tree)
    if size < tree.size:
        raise CustodyError(f"{entry_id(size)} and all behind it are gone: the log has {tree.size} entries, not {size}")
    if kept is not None and kept.size > size:
        raise CustodyError(f"{entry_id(size)} and all behind it are gone: the checkpoint that was kept has {kept.size}")
    root = ledger.root(size, frontier)
    if size:
        _expect_signed(tree.checkpoint, verifier, size, root, _TREE)
    return Checkpoint(ledger.parse_verifier(verifier)[0], size, root)


def _hash(text: str, whose: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) != ledger.HASH:
        raise CustodyError(f"{whose} was changed: it holds what is no hash")
    return octets


def _set_back(tree: Tree) -> CustodyError:
    return CustodyError(f"{_TREE} was set back to {tree.size} entries: {entry_id(tree.size)} is there")


def _expect_signed(note: str, verifier: str, size: int, root: bytes, whose: str) -> None:
    """CustodyError: the checkpoint is not signed with the key, or not of a log of this size and root."""
    signed = ledger.signed_checkpoint(note.encode(), verifier, whose)
    if signed.size != size:
        raise CustodyError(f"{whose} was moved: it was signed as one of {signed.size} entries, and stands as {size}")
    if signed.root != root:
        raise CustodyError(f"{whose} was changed: it is not what was signed")


def export(entries: Iterable[Entry], first: Head) -> Iterator[bytes]:
    """The log as JSON Lines: what it is held to, then every entry."""
    for each in chain((first,), entries):
        yield msgspec.json.encode(each) + b"\n"


def parse_export(lines: Iterable[bytes]) -> tuple[Head, Iterator[Entry]]:
    """What export wrote. FormatError, maybe not before the entries are read: it is not that."""
    rest = iter(lines)
    return _line(next(rest, b""), 1, Head), (_line(line, number, Entry) for number, line in enumerate(rest, 2))


def _line(line: bytes, number: int, kind: type[R]) -> R:
    if len(line) > LONGEST_LINE:
        raise FormatError(f"line {number} of the export is longer than {LONGEST_LINE} bytes")
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"line {number} of the export is none of khien audit export: {error}") from error
