"""Where a data directory keeps what leaked, hashed and blinded: its files, and the keys of its keyed hashes."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from khien.breach import digests
from khien.contracts import Store
from khien.errors import UnavailableError
from khien.model import Holding
from khien.packed import refusal

FOLDER = "breach"  # below the data directory
KEY = "intake"  # the key of the house from which those of the keyed hashes follow
ACCOUNT, DOMAIN, PAIR, SKIPPED = b"account", b"domain", b"pair", b"skipped"  # what keyed hashes are made of

_ACCOUNTS, _KNOWN = "accounts-", "known-"


def accounts_of(epoch: int) -> str:
    """What the accounts of an epoch are called: as a holding, as a file, as a folder of runs."""
    return f"{_ACCOUNTS}{epoch}"


def known_of(epoch: int) -> str:
    """Likewise accounts met before, by their keyed hashes."""
    return f"{_KNOWN}{epoch}"


def epoch_of(name: str) -> int | None:
    """The epoch whose accounts are called so; None: something else is."""
    kind, _, epoch = name.rpartition("-")
    return int(epoch) if f"{kind}-" == _ACCOUNTS else None


@contextmanager
def on_disk(folder: Path) -> Generator[None]:
    """UnavailableError: the disk refuses what is done in the folder, and what to do about it."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{folder}: cannot be written: {refusal(error)}") from None


@dataclass(frozen=True)
class Place:
    """The folder of one data directory, and what reads the house's key of 32 octets for it: who takes in and who tells
    constituents, never who answers. app.breach.place makes one."""

    folder: Path
    key: Callable[[], bytes] = field(repr=False)

    def keyed(self, label: bytes) -> bytes:
        """The 16 octets under which SipHash hashes what label names: ACCOUNT, DOMAIN, PAIR or SKIPPED."""
        return digests.derived(self.key(), label)

    def holding(self, store: Store, id: str) -> Holding | None:
        """What lookups read now: ``sha1``, ``ntlm``, ``accounts-<epoch>``, ``known-<epoch>``; None: nothing yet."""
        return store.load(Holding, id).get(id)

    def path(self, holding: Holding) -> Path:
        """Its file. Once another took its place it may be gone: read the holding again, then."""
        return self.folder / holding.file

    def runs(self, intake: str, table: str) -> Path:
        """The folder of an intake's sorted runs of a table: sha1, ntlm, accounts or known."""
        return self.folder / "runs" / intake / table
