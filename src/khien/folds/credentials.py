"""What leaked into keyed hashes and digests, before anything of it lands: a thin fold over ``breach``."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from khien import schema
from khien.breach import accounts, digests
from khien.breach.pairs import distinct
from khien.breach.place import ACCOUNT, DOMAIN, PAIR
from khien.errors import ConfigError

_WIDE, _NARROW = 16, 8  # octets


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
        account = self._keyed(ACCOUNT, spelled.values, spelled.starts, spelled.ends, _WIDE, padded=True)
        secrets, starts, ends = _spans(batch.column("secret"))
        sha1 = digests.sha1(secrets, starts, ends)
        pair = digests.pairs(account, sha1, digests.derived(self.key, PAIR))
        known, opened, domains = spelled.kinds != accounts.NAME, ends > starts, spelled.domains
        rows = distinct(pair, known, opened, domains, account, sha1)
        pair, known, opened, domains, account, sha1 = (
            each[: len(rows)] for each in (pair, known, opened, domains, account, sha1)
        )
        ntlm = digests.ntlm(secrets, starts[rows], ends[rows]) if self.ntlm else None
        hosts = self._keyed(DOMAIN, spelled.hosts, spelled.places[:-1], spelled.places[1:], _NARROW).view(np.uint64)
        domain = hosts.reshape(-1).take(domains).view(np.uint8).reshape(-1, _NARROW)
        columns = [
            pa.array(rows),
            _fixed(account, known),
            _fixed(domain, domains > 0),
            _fixed(sha1, opened),
            pa.nulls(len(rows), pa.binary(_WIDE)) if ntlm is None else _fixed(ntlm, opened),
            pa.array(pair),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema.HASHED)

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        """One row for each pair, sorted by it; where it stood in its batch is forgotten."""
        _, rows = np.unique(partials.column("pair").to_numpy(), return_index=True)
        nowhere = pa.nulls(len(rows), pa.int64())
        return partials.take(pa.array(rows)).set_column(0, schema.HASHED.field(0), nowhere)

    def _keyed(self, label: bytes, values: Any, starts: Any, ends: Any, octets: int, padded: bool = False) -> Any:
        return digests.siphash(values, starts, ends, digests.derived(self.key, label), octets, padded)


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
