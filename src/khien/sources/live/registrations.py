"""Lists of names that were newly registered, fetched again and again: the names that were not on them before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.contracts import Page
from khien.errors import ConfigError
from khien.formats import harmlist
from khien.names.reading import syntax
from khien.sources.live.followed import Change, Followed
from khien.sources.live.pace import paced
from khien.sources.live.remote import Document, Remote


@dataclass(frozen=True)
class Registrations:
    """A list of names, a line or row each, packed or not (gzip, bzip2, xz, zstd, zip); settings as those of Lists."""

    name: ClassVar[str] = "registrations"
    yields: ClassVar[pa.Schema] = schema.NAMES
    replayable: ClassVar[bool] = False

    url: str = ""
    path: str = ""
    every: float = 3600.0
    largest: int = 1 << 27
    allow: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    contact: str = ""
    spool: str = ""

    def __post_init__(self) -> None:
        if self.every and not 60 <= self.every <= 604_800:
            raise ConfigError(f"every is {self.every:g}: give seconds, 60 to 604,800")
        self._remote().expect_good()

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Names on the list that were not on it before; then, every so often, what is new. Errors as those of Lists."""
        followed = Followed(self._remote(), _names, _rows, self.every, self.spool)
        return paced(lambda over: followed.pages(cursor, over), self.yields, cursor)

    def _remote(self) -> Remote:
        return Remote(self.url, self.path, self.largest, self.allow, self.ports, self.contact)


def _names(document: Document) -> dict[str, str]:
    hosts = harmlist.read(document.text, document.suffix).hosts
    return {host: "" for host in hosts if syntax.fault(host) == syntax.GOOD}


def _rows(changes: Sequence[Change], at: datetime | None) -> pa.RecordBatch:
    came = [each.host for each in changes if each.came]
    return pa.record_batch([pa.array(came, pa.string()), pa.array([at] * len(came), schema.TIME)], schema=schema.NAMES)
