"""What leaked into keyed hashes and digests, before anything of it lands: a thin fold over ``breach``."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from khien import schema
from khien.breach import accounts, digests
from khien.breach.pairs import distinct
from khien.errors import ConfigError

_ACCOUNT, _DOMAIN, _PAIR = b"account", b"domain", b"pair"
_WIDE, _NARROW = 16, 8  # octets
_OF_ACCOUNT, _OF_SHA1 = 8, 15  # octets that a pair is hashed from: more would take SipHash another round


@dataclass(frozen=True)
class Credentials:
    """Accounts and secrets in, one row for each pair of them out; what holds neither is left out.

    key: of the house, 32 octets: keyed hashes are made with keys derived from it. country: the calling code of numbers
    written as at home. ntlm: whether secrets get an NTLM hash beside their SHA-1.
    """

    name: ClassVar[str] = "credentials"
    reads: ClassVar[pa.Schema] = schema.LEAKED
    by: ClassVar[tuple[str, ...]] = ("pair",)
    yields: ClassVar[pa.Schema] = schema.HASHED

    key: bytes = field(repr=False)
    country: str = accounts.VIET_NAM
    ntlm: bool = False

    def __post_init__(self) -> None:
        if not self.country.isdecimal() or not self.country.isascii() or len(self.country) > 3:
            raise ConfigError(f"country is {self.country!r}: give a calling code of 1 to 3 digits, such as 84")

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch:
        """schema.HASHED of schema.LEAKED."""
        spelled = accounts.spell(*_spans(batch.column("account")), self.country)
        account = self._keyed(_ACCOUNT, spelled.values, spelled.starts, spelled.ends, _WIDE)
        secrets, starts, ends = _spans(batch.column("secret"))
        sha1 = digests.sha1(secrets, starts, ends)
        known, open_ = spelled.kinds != accounts.NAME, ends > starts
        pair = self._pair(account, sha1)
        rows = distinct(pair, known | open_)
        values, starts, ends = secrets, starts[rows], ends[rows]
        ntlm = digests.ntlm(values, starts, ends) if self.ntlm else None
        mail = spelled.kinds[rows] == accounts.MAIL
        domain = self._keyed(_DOMAIN, spelled.values, spelled.domains[rows], spelled.ends[rows], _NARROW)
        columns = [
            pa.array(rows),
            _fixed(np.take(account, rows, axis=0), known[rows]),
            _fixed(domain, mail),
            _fixed(np.take(sha1, rows, axis=0), open_[rows]),
            pa.nulls(len(rows), pa.binary(_WIDE)) if ntlm is None else _fixed(ntlm, open_[rows]),
            pa.array(pair[rows]),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema.HASHED)

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        """One row for each pair, sorted by it; where it stood in its batch is forgotten."""
        pair = partials.column("pair").to_numpy()
        rows = distinct(pair, np.ones(len(pair), np.bool_))
        merged = partials.take(pa.array(rows[np.argsort(pair[rows])]))
        nowhere = pa.nulls(merged.num_rows, pa.int64())
        return merged.set_column(0, schema.HASHED.field(0), nowhere)

    def _keyed(self, label: bytes, values: Any, starts: Any, ends: Any, octets: int) -> Any:
        return digests.siphash(values, starts, ends, digests.derived(self.key, label), octets)

    def _pair(self, account: Any, sha1: Any) -> Any:
        """Of an account and a secret, as their hashes stand for them: as long for all rows."""
        both = np.concatenate((account[:, :_OF_ACCOUNT], sha1[:, :_OF_SHA1]), axis=1)
        starts = np.arange(0, both.size + 1, both.shape[1], dtype=np.int64)
        return self._keyed(_PAIR, both.reshape(-1), starts[:-1], starts[1:], _NARROW).view("<u8").reshape(-1)


def _spans(column: pa.Array) -> tuple[Any, Any, Any]:
    """The values of a column of octets, and where each begins and ends."""
    filled = pc.fill_null(column, b"") if column.null_count else column
    _, offsets, values = filled.buffers()
    places = np.frombuffer(offsets, np.int32)[filled.offset : filled.offset + len(filled) + 1].astype(np.int64)
    return np.frombuffer(values or b"", np.uint8), places[:-1], places[1:]


def _fixed(octets: Any, there: Any) -> pa.Array:
    """A column of digests, null where they are not there."""
    count, width = octets.shape
    bits = pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), count, [bits, pa.py_buffer(octets)])
