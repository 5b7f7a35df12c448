"""Entries of logs, as the two kinds of log hand them out, and what is in them as rows of schema.CERTIFIED."""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from cryptography import x509
from cryptography.x509.oid import NameOID

from khien import schema
from khien.ct import leaves
from khien.errors import FormatError
from khien.ledger import leaf_hash

KEPT = 1000  # refusals of one answer that are noted with their place; the rest is only counted

_EXCERPT = 80  # characters
_LONGEST_ISSUER = 256
_KNOWN = (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
_HEAD = b"\0\0"  # version and type of a MerkleTreeLeaf, RFC 6962 section 3.4
_X509, _PRECERT = leaves.X509, leaves.PRECERT


class Entries(NamedTuple):
    """Leaves of a log, one after the other. first: the index of the first; hashes: of each leaf, as the tree has it;
    begins, ends (i8): where each TimestampedEntry lies in octets; of what has none, nowhere."""

    first: int
    hashes: list[bytes]
    octets: bytes
    begins: Any
    ends: Any


class _Answer(msgspec.Struct):
    entries: list["_Entry"]


class _Entry(msgspec.Struct):
    leaf_input: bytes  # msgspec reads base64 into it


_ANSWER = msgspec.json.Decoder(_Answer)


def of_answer(document: bytes, first: int, most: int) -> Entries:
    """What get-entries answered (RFC 6962 section 4.6), most entries of it. FormatError: it is no such answer."""
    try:
        given = _ANSWER.decode(document).entries[:most]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"get-entries answered what is no list of entries: {str(error)[:200]}") from error
    if not given:
        raise FormatError(f"get-entries answered no entry, it was asked for {first} and more")
    inputs = [each.leaf_input for each in given]
    ends = np.cumsum([len(each) for each in inputs], dtype=np.int64)
    begins = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) + len(_HEAD)
    begins[[not each.startswith(_HEAD) for each in inputs]] = -1
    hashes = [leaf_hash(each) for each in inputs]
    return Entries(first, hashes, b"".join(inputs), begins, ends)


def of_tile(document: bytes, first: int, count: int, begin: int) -> Entries:
    """The entries of a data tile (static-ct-api) from index ``begin`` on.

    first: the index of its first; count: how many there are in it. FormatError: it is cut short or goes on.
    """
    at, begins, ends, hashes = 0, list[int](), list[int](), list[bytes]()
    try:
        for index in range(first, first + count):
            end, behind = _tile_leaf(document, at)
            if index >= begin:
                begins.append(at)
                ends.append(end)
                hashes.append(leaf_hash(_HEAD + document[at:end]))
            at = behind
    except (struct.error, _Broken):
        raise FormatError(f"the data tile of entries {first} to {first + count - 1} breaks off") from None
    if at != len(document):
        raise FormatError(f"the data tile of entries {first} to {first + count - 1} has more in it than those")
    return Entries(begin, hashes, document, np.array(begins, np.int64), np.array(ends, np.int64))


class _Broken(Exception):
    pass


_KIND = struct.Struct(">8xH")


def _tile_leaf(document: bytes, at: int) -> tuple[int, int]:
    """Where the TimestampedEntry of the TileLeaf at ``at`` ends, and the TileLeaf itself."""
    (kind,) = _KIND.unpack_from(document, at)
    if kind not in (_X509, _PRECERT):
        raise _Broken
    at += _KIND.size + 32 * (kind == _PRECERT)
    at = _behind(document, at, 3)
    end = _behind(document, at, 2)  # extensions
    at = _behind(document, end, 3) if kind == _PRECERT else end  # the precertificate
    at = _behind(document, at, 2)  # fingerprints of its chain
    return end, at


def _behind(document: bytes, at: int, width: int) -> int:
    """Behind an opaque vector whose length takes ``width`` octets."""
    behind = at + width + int.from_bytes(document[at : at + width])
    if behind > len(document) or at + width > len(document):
        raise _Broken
    return behind


class Certified:
    """What is in entries: names and, for each, its leaf. values, offsets: as Arrow keeps text; newest: the time of the
    newest leaf in microseconds, NO_TIME where none was read; leaves: how many there are."""

    def __init__(self, entries: Entries) -> None:
        count = len(entries.begins)
        octets = np.frombuffer(entries.octets or b"\0", np.uint8)
        most = len(octets) // leaves.LEAST_NAME + 1
        numbers = np.empty((count, leaves.WIDTH), np.int64)
        owners, offsets = np.empty(most, np.int32), np.zeros(most + 1, np.int32)
        values = np.empty(len(octets) + 2, np.uint8)
        refused = np.empty((KEPT, leaves.REFUSAL), np.int64)
        filled = np.array([0, 0, 0, KEPT], np.int64)
        begins = np.where(entries.begins < 0, entries.ends, entries.begins)
        self.names: int = leaves.read_leaves(
            octets, begins, entries.ends, count, numbers, values, offsets, owners, refused, filled
        )  # fmt: skip
        self.values, self.offsets = values[: filled[leaves.USED]].copy(), offsets[: self.names + 1].copy()
        self.leaves = count
        self.newest = int(numbers[:, leaves.LOGGED].max()) if count else leaves.NO_TIME
        self._refusals = int(filled[leaves.REFUSED])
        self._entries, self._numbers, self._owners = entries, numbers, owners[: self.names].copy()
        self._refused = refused[: min(self._refusals, KEPT)].copy()

    def rows(self, log: str, new: Any) -> pa.RecordBatch:
        """schema.CERTIFIED of the names that ``new`` (bool) marks."""
        rows = np.flatnonzero(new)
        owners = self._owners[rows]
        met, back = np.unique(owners, return_inverse=True)  # leaves that are left
        numbers, octets = self._numbers[met], self._entries.octets
        places = numbers[:, leaves.SERIAL : leaves.ISSUER_END + 1].tolist()
        serials = [octets[begin:end].removeprefix(b"\0").hex() for begin, end, _, _ in places]
        issuers = [issuer(octets[begin:end]) for _, _, begin, end in places]
        names = pa.StringArray.from_buffers(self.names, pa.py_buffer(self.offsets), pa.py_buffer(self.values))
        at = pa.array(back.astype(np.int32))
        columns = {
            "name": names.take(pa.array(rows)),
            "seen_at": _times(numbers[:, leaves.LOGGED]).take(at),
            "issuer": pa.array(issuers, pa.string()).take(at),
            "serial": pa.array(serials, pa.string()).take(at),
            "not_before": _times(numbers[:, leaves.NOT_BEFORE]).take(at),
            "not_after": _times(numbers[:, leaves.NOT_AFTER]).take(at),
            "log": pa.repeat(pa.scalar(log, pa.string()), len(rows)),
            "index": pa.array(owners.astype(np.int64) + self._entries.first),
        }
        return pa.RecordBatch.from_pydict(columns, schema=schema.CERTIFIED)

    def skipped(self, log: str) -> list[tuple[str, str, str | None]]:
        """Leaves and names that were refused: place, reason, excerpt."""
        told: list[tuple[str, str, str | None]] = []
        octets, first = self._entries.octets, self._entries.first
        for leaf in np.flatnonzero(self._numbers[:, leaves.OUTCOME])[:KEPT].tolist():
            reason = leaves.OUTCOMES[self._numbers[leaf, leaves.OUTCOME]]
            told.append((f"{log}:{first + leaf}", reason, None))
        for leaf, why, begin, end in self._refused.tolist():
            text = octets[begin:end][: 2 * _EXCERPT].decode(errors="backslashreplace")
            told.append((f"{log}:{first + leaf}", leaves.REASONS[why], excerpt(text)))
        if self._refusals > KEPT:
            told.append((log, "more", str(self._refusals - KEPT)))
        return told


def _times(microseconds: Any) -> pa.Array:
    return pa.array(microseconds, mask=microseconds == leaves.NO_TIME).cast(schema.TIME)


def excerpt(text: str) -> str:
    """At most so many characters that a terminal can show."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:_EXCERPT])
    return shown if len(shown) <= _EXCERPT else shown[: _EXCERPT - 1] + "…"


def skipped_rows(told: Sequence[tuple[str, str, str | None]]) -> pa.RecordBatch | None:
    """schema.SKIPPED, None where nothing was set aside."""
    columns = [list(column) for column in zip(*told, strict=True)]
    return pa.record_batch(columns, schema=schema.SKIPPED) if told else None


@lru_cache(maxsize=4096)  # authorities are a few hundred; whoever runs a log chooses which it takes
def issuer(name: bytes) -> str:
    """A Name (the content of its DER) as people know it: organisation and common name, else all there is of it."""
    width = (len(name).bit_length() + 7) // 8
    head = bytes([len(name)]) if len(name) < 0x80 else bytes([0x80 | width]) + len(name).to_bytes(width)
    try:
        read = x509.Name.from_bytes(b"\x30" + head + name)
        known = [each.value for kind in _KNOWN for each in read.get_attributes_for_oid(kind)]
        text = ", ".join(each for each in known if isinstance(each, str)) or read.rfc4514_string()
    except (ValueError, TypeError, LookupError):
        return ""
    return text[:_LONGEST_ISSUER]
