"""Where a data directory keeps what leaked, hashed and blinded: its files, and the keys of its keyed hashes."""

from dataclasses import dataclass, field
from pathlib import Path

from khien.breach import digests
from khien.contracts import Store
from khien.model import Holding

FOLDER = "breach"  # below the data directory
KEY = "intake"  # the key of the house from which those of the keyed hashes follow


@dataclass(frozen=True)
class Place:
    """The folder of one data directory, and the house's key of 32 octets for it; app.breach.place makes one."""

    folder: Path
    key: bytes = field(repr=False)

    def keyed(self, label: str) -> bytes:
        """The 16 octets under which SipHash hashes what label names: account, domain, pair or skipped."""
        return digests.derived(self.key, label.encode())

    def holding(self, store: Store, id: str) -> Holding | None:
        """What lookups read now: ``sha1``, ``ntlm``, ``accounts-<epoch>``, ``known-<epoch>``; None: nothing yet."""
        return store.load(Holding, id).get(id)

    def path(self, holding: Holding) -> Path:
        """Its file. Once another took its place it may be gone: read the holding again, then."""
        return self.folder / holding.file

    def runs(self, intake: str, table: str) -> Path:
        """The folder of an intake's sorted runs of a table: sha1, ntlm, accounts or known."""
        return self.folder / "runs" / intake / table
