"""An append-only Merkle log: hashes, proofs, and the signed notes by which others hold us to it.

Hashing and proofs are those of RFC 9162 section 2.1 with SHA-256 (RFC 6962 has the same), heads are checkpoints
(c2sp.org/tlog-checkpoint) in notes (c2sp.org/signed-note) signed with Ed25519. What does not fit together raises
CustodyError, what does not keep its form FormatError.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from khien import nodes
from khien.errors import CustodyError, FormatError
from khien.nodes import HASH

EMPTY = hashlib.sha256().digest()  # the root of a log without leaves
ED25519 = b"\x01"  # the type of a note's signature
LARGEST_NOTE = 64 << 10  # bytes
LARGEST_PROOF = 512 << 10  # bytes

_MOST_SIGNATURES = 100
_LARGEST_SIZE = 1 << 63
_PROOF = "c2sp.org/tlog-proof@v1"
_DASH = "\N{EM DASH} "
_FEW = 32  # hashes that are not worth the call of a kernel

Hashes = Callable[[int, int], bytes]  # (level, index) -> hash of the leaves [index << level, index + 1 << level)


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    return hashlib.sha256(b"\1" + left + right).digest()


def leaf_hashes(leaves: Sequence[bytes]) -> list[bytes]:
    """The hashes of leaves that are hashes themselves."""
    if len(leaves) <= _FEW:
        return [leaf_hash(each) for each in leaves]
    return _cut(_grown(b"".join(leaves), leaves=True)[HASH * len(leaves) :])


def rows_above(row: bytes) -> list[bytes]:
    """A row of hashes, and above it the rows of the nodes over each two, up to the row of one. What has none beside it
    has no node."""
    rows, count = [row], len(row) // HASH
    if count <= _FEW:
        while len(below := _cut(rows[-1])) > 1:
            rows.append(b"".join(node_hash(*below[at : at + 2]) for at in range(0, len(below) - 1, 2)))
        return rows
    tree, at = _grown(row, leaves=False), 0
    while count > 1:
        at, count = at + HASH * count, count // 2
        rows.append(tree[at : at + HASH * count])
    return rows


def _grown(row: bytes, *, leaves: bool) -> bytes:
    tree = np.empty(2 * len(row), np.uint8)
    tree[: len(row)] = np.frombuffer(row, np.uint8)
    count = nodes.grow(tree, len(row) // HASH, int(leaves), np.empty(nodes.ROOM, np.uint32), nodes.CONSTANTS)
    return tree[: HASH * count].tobytes()


def _cut(row: bytes) -> list[bytes]:
    return [row[at : at + HASH] for at in range(0, len(row), HASH)]


def completed(size: int, frontier: Sequence[bytes], leaf: bytes) -> list[bytes]:
    """The hashes of the full subtrees that a leaf, given by its hash, completes behind size others: its own first.

    That of level n has the index ``size >> n`` among those of its level. frontier: the hashes of the full subtrees of
    what was there, left to right, the largest first: one for each bit set in size.
    """
    _expect_frontier(size, frontier)
    joined = [leaf]
    for level in range((size ^ size + 1).bit_length() - 1):
        joined.append(node_hash(frontier[-1 - level], joined[-1]))
    return joined


def append(size: int, frontier: Sequence[bytes], leaf: bytes) -> tuple[bytes, ...]:
    """The frontier of a log of size leaves after one more, given by its hash."""
    joined = completed(size, frontier, leaf)
    return (*frontier[: len(frontier) - len(joined) + 1], joined[-1])


def root(size: int, frontier: Sequence[bytes]) -> bytes:
    """The root hash of the log a frontier is of."""
    _expect_frontier(size, frontier)
    return _joined(frontier)


def _expect_frontier(size: int, frontier: Sequence[bytes]) -> None:
    if len(frontier) != size.bit_count():
        raise CustodyError(f"a log of {size} leaves has {size.bit_count()} full subtrees, not {len(frontier)}")


def _joined(subtrees: Sequence[bytes]) -> bytes:
    if not subtrees:
        return EMPTY
    *others, joined = subtrees
    for left in reversed(others):
        joined = node_hash(left, joined)
    return joined


def subtrees(leaves: Sequence[bytes]) -> Hashes:
    """The hashes of full subtrees of a log whose leaves' hashes are at hand, each worked out once."""
    rows = rows_above(b"".join(leaves))
    return lambda level, index: rows[level][HASH * index : HASH * (index + 1)]


def inclusion_proof(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """The hashes that lead from a leaf to the root of the first size leaves, from below (RFC 9162 section 2.1.3.1)."""
    if not 0 <= index < size:
        raise FormatError(f"leaf {index} is not in a log of {size}")
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _left(end - begin)
        if index < middle:
            proof.append(_range(middle, end, hashes))
            end = middle
        else:
            proof.append(_range(begin, middle, hashes))
            begin = middle
    return proof[::-1]


def consistency_proof(earlier: int, size: int, hashes: Hashes) -> list[bytes]:
    """The hashes that show a log of size leaves to begin with those of an earlier one (RFC 9162 section 2.1.4.1)."""
    if not 0 <= earlier <= size:
        raise FormatError(f"a log of {size} leaves did not have {earlier} earlier")
    if earlier in (0, size):
        return []
    proof: list[bytes] = []
    begin, end, whole = 0, size, True  # whole: the earlier log ends where this part of it does, and begins at 0
    while earlier != end:
        middle = begin + _left(end - begin)
        if earlier <= middle:
            proof.append(_range(middle, end, hashes))
            end = middle
        else:
            proof.append(_range(begin, middle, hashes))
            begin, whole = middle, False
    if not whole:
        proof.append(_range(begin, end, hashes))
    return proof[::-1]


def _left(size: int) -> int:
    """How many of so many leaves, at least two, are left of the middle: the largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def _range(begin: int, end: int, hashes: Hashes) -> bytes:
    """The hash over the leaves of a part that begins at a multiple of the power of two that is its size or above."""
    full: list[bytes] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        full.append(hashes(level, begin >> level))
        begin += 1 << level
    return _joined(full)


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Holds a leaf, given by its hash, to a root (RFC 9162 section 2.1.3.2). CustodyError: it is not there."""
    _expect_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise CustodyError(f"leaf {index} is not in a log of {size}")
    place, last, joined = index, size - 1, leaf
    for each in proof:
        if last == 0:
            raise CustodyError(f"leaf {index} of {size}: the proof is too long")
        if place & 1 or place == last:
            joined = node_hash(each, joined)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            joined = node_hash(joined, each)
        place, last = place >> 1, last >> 1
    if last:
        raise CustodyError(f"leaf {index} of {size}: the proof is too short")
    if not hmac.compare_digest(joined, root):
        raise CustodyError(f"leaf {index} of {size}: the proof leads to {joined.hex()}, the root is {root.hex()}")


def verify_consistency(size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> None:
    """Holds a log to what it was earlier (RFC 9162 section 2.1.4.2). CustodyError: it was shortened or changed."""
    _expect_hashes(root1, root2, *proof)
    if not 0 <= size1 <= size2:
        raise CustodyError(f"the log had {size1} leaves and has {size2}: some were removed")
    if size1 in (0, size2):
        if proof:
            raise CustodyError(f"from {size1} to {size2} leaves: the proof is too long")
        if root1 != (EMPTY if size1 == 0 else root2):
            raise CustodyError(f"two roots for the same {size1} leaves: {root1.hex()} and {root2.hex()}")
        return
    if not proof:
        raise CustodyError(f"from {size1} to {size2} leaves: there is no proof")
    place, last = size1 - 1, size2 - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first, *rest = proof if place else (root1, *proof)  # a whole subtree, maybe the earlier log itself
    was = now = first
    for each in rest:
        if last == 0:
            raise CustodyError(f"from {size1} to {size2} leaves: the proof is too long")
        if place & 1 or place == last:
            was, now = node_hash(each, was), node_hash(each, now)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            now = node_hash(now, each)
        place, last = place >> 1, last >> 1
    if last:
        raise CustodyError(f"from {size1} to {size2} leaves: the proof is too short")
    if not (hmac.compare_digest(was, root1) and hmac.compare_digest(now, root2)):
        raise CustodyError(f"the log of {size2} leaves does not begin with the {size1} it had: it was rewritten")


def _expect_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH for each in hashes):
        raise FormatError(f"a hash has {HASH} bytes")


class Signature(NamedTuple):
    """One signature of a note: by the key of a name, with the key's id (4 bytes) as a hint which."""

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
    """A text that ends with a newline, and who signed it. What is parsed is not verified yet."""

    text: str
    signatures: tuple[Signature, ...]


class Checkpoint(NamedTuple):
    """A log as it stood: origin says which; extension: further lines."""

    origin: str
    size: int
    root: bytes
    extension: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the note that is signed."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extension)
        return "".join(f"{line}\n" for line in lines)


def key_id(name: str, type: bytes, key: bytes) -> bytes:
    """The id by which a note names a key: of its name, the type of its signatures, and its public half."""
    return hashlib.sha256(name.encode() + b"\n" + type + key).digest()[:4]


def verifier(name: str, key: bytes) -> str:
    """An Ed25519 key as others write down whom they trust (a vkey): name, id and public half."""
    _expect_name(name)
    return f"{name}+{key_id(name, ED25519, key).hex()}+{b64encode(ED25519 + key).decode()}"


@dataclass(frozen=True)
class Signer:
    """A key of Khiên's. kind: what it signs; together they make its name, which no two keys share."""

    kind: str
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def name(self) -> str:
        """What the key is known by."""
        return f"khien-{self.kind}-{hashlib.sha256(self._public).hexdigest()[:8]}"

    @property
    def verifier(self) -> str:
        """The key as others write it down, to hold what it signs to it."""
        return verifier(self.name, self._public)

    @property
    def _public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def sign(self, text: str) -> bytes:
        """A note with one signature over its text."""
        return sign(text, self.name, self.key)


def parse_verifier(text: str) -> tuple[str, bytes]:
    """The name and the public half that a verifier names. FormatError: it is none."""
    try:
        name, identity, encoded = text.strip().split("+", 2)
        key = _base64(encoded)
    except ValueError:
        raise FormatError("a verifier is name+id+key: the id in hex, the key in base64") from None
    _expect_name(name)
    if key[:1] != ED25519 or len(key) != 1 + HASH:
        raise FormatError(f"the verifier of {name} holds no Ed25519 key")
    if identity != key_id(name, ED25519, key[1:]).hex():
        raise FormatError(f"the verifier of {name} does not have the id of its key: it was mistyped")
    return name, key[1:]


def sign(text: str, name: str, key: Ed25519PrivateKey) -> bytes:
    """A note with one signature over its text."""
    _expect_name(name)
    _expect_text(text)
    public = key.public_key().public_bytes_raw()
    signature = b64encode(key_id(name, ED25519, public) + key.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{name} {signature}\n".encode()


def parse_note(document: bytes) -> Note:
    """A note, bounded, its signatures not verified. FormatError: it is none."""
    if len(document) > LARGEST_NOTE:
        raise FormatError(f"a note has {LARGEST_NOTE} bytes at most")
    try:
        text, blank, signed = document.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise FormatError("a note is UTF-8") from None
    if not blank or not signed.endswith("\n"):
        raise FormatError("a note is a text, a blank line and lines of signatures")
    text += "\n"
    _expect_text(text)
    lines = signed[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise FormatError(f"a note has {_MOST_SIGNATURES} signatures at most")
    return Note(text, tuple(map(_signature, lines)))


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    _expect_name(name)
    try:
        signature = _base64(encoded)
    except ValueError:
        signature = b""
    if not line.startswith(_DASH) or not space or len(signature) < 5:
        raise FormatError("a signature of a note is a dash, a name, and key id and signature in base64")
    return Signature(name, signature[:4], signature[4:])


def verify_note(note: Note, name: str, key: bytes) -> None:
    """Holds a note to a key (Ed25519, its public half). CustodyError: it is not signed with it, or wrongly."""
    identity = key_id(name, ED25519, key)
    signatures = [each.signature for each in note.signatures if (each.name, each.key_id) == (name, identity)]
    if not signatures:
        raise CustodyError(f"the note is not signed by {name} with the key {identity.hex()}")
    try:
        for each in signatures:
            Ed25519PublicKey.from_public_bytes(key).verify(each, note.text.encode())
    except InvalidSignature:
        raise CustodyError(f"the signature of {name} on the note is wrong") from None


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text. FormatError: it holds none."""
    origin, *rest = text.removesuffix("\n").split("\n")
    if not origin or len(rest) < 2 or not all(rest):
        raise FormatError("a checkpoint is an origin, a size and a root hash, a line each")
    size, encoded, *extension = rest
    if not (size.isascii() and size.isdigit()) or len(size) > 19 or (size[0] == "0" and size != "0"):
        raise FormatError("the size in a checkpoint is no number")
    try:
        root = _base64(encoded)
    except ValueError:
        root = b""
    if len(root) != HASH or int(size) >= _LARGEST_SIZE:
        raise FormatError("a checkpoint has a size below 2^63 and a SHA-256 in base64")
    return Checkpoint(origin, int(size), root, tuple(extension))


def signed_checkpoint(note: bytes, verifier: str, whose: str) -> Checkpoint:
    """The checkpoint in a note that is signed with a key. CustodyError: it is not, or is another log's."""
    name, key = parse_verifier(verifier)
    try:
        parsed = parse_note(note)
        verify_note(parsed, name, key)
        found = parse_checkpoint(parsed.text)
    except (FormatError, CustodyError) as error:
        raise CustodyError(f"{whose} was changed, or the key was: {error}") from error
    if found.origin != name:
        raise CustodyError(f"{whose} was changed: it is signed for {found.origin}")
    return found


@dataclass(frozen=True)
class Proof:
    """What shows, far from the log, that a leaf is in it: the hashes that lead to the root of a signed checkpoint.

    extra: what the leaf follows from, as whoever keeps the log has it.
    """

    extra: bytes
    index: int
    hashes: tuple[bytes, ...]
    note: bytes

    @property
    def document(self) -> bytes:
        """As c2sp.org/tlog-proof writes it."""
        extra, *hashes = (b64encode(each).decode() for each in (self.extra, *self.hashes))
        lines = (_PROOF, f"extra {extra}", f"index {self.index}", *hashes, "")
        return "".join(f"{each}\n" for each in lines).encode() + self.note


def parse_proof(document: bytes) -> Proof:
    """A proof (c2sp.org/tlog-proof) with its extra, bounded, nothing in it verified yet. FormatError: it is none."""
    if len(document) > LARGEST_PROOF:
        raise FormatError(f"a proof has {LARGEST_PROOF} bytes at most")
    head, blank, note = document.partition(b"\n\n")
    try:
        first, extra, index, *hashes = head.decode("ascii").split("\n")
        decoded = tuple(_base64(each) for each in (extra.removeprefix("extra "), *hashes))
    except ValueError:  # UnicodeDecodeError is one
        raise FormatError("a proof is its name, extra, index and hashes in base64, a line each") from None
    number = index.removeprefix("index ")
    if first != _PROOF or not blank or not extra.startswith("extra ") or not index.startswith("index "):
        raise FormatError(f"a proof begins with {_PROOF}, extra and index, and ends with a checkpoint")
    if not (number.isascii() and number.isdigit()) or str(int(number[:20])) != number or len(hashes) > 63:
        raise FormatError("the index in a proof is no number, or it has more hashes than any log needs")
    if any(len(each) != HASH for each in decoded[1:]):
        raise FormatError(f"a hash has {HASH} bytes")
    return Proof(decoded[0], int(number), decoded[1:], note)


def _base64(text: str) -> bytes:
    """ValueError: it is not the one way to write some bytes."""
    decoded = b64decode(text, validate=True)
    if b64encode(decoded).decode() != text:
        raise ValueError(text)
    return decoded


def _expect_name(name: str) -> None:
    if not name or "+" in name or any(each.isspace() for each in name):
        raise FormatError("a key's name has neither blanks nor a plus")


def _expect_text(text: str) -> None:
    if not text.endswith("\n") or any(each < " " and each != "\n" for each in text):
        raise FormatError("the text of a note ends with a newline and holds no other control character")
