"""Public lists of harmful sites, fetched again and again: which hosts are on them, and which no longer are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

import pyarrow as pa

from khien import schema
from khien.contracts import Page
from khien.errors import ConfigError
from khien.formats import harmlist
from khien.sources.live.followed import Change, Followed
from khien.sources.live.pace import paced
from khien.sources.live.remote import Remote


@dataclass(frozen=True)
class Lists:
    """A list as OpenPhish, URLhaus, PhishTank, Phishing.Database, hosts files and AdBlock filters are written.

    list: what it is called in evidence; harm: what its entries do; url, or path of a file that something else fetches;
    every: seconds between two looks, 0: one look, and no more; largest: octets, unpacked. allow, ports: private
    networks and unusual ports it may be fetched from. contact: who we are, to who publishes it. spool: a directory that
    remembers what was listed; empty: what was delisted while nothing ran is not noticed.
    """

    name: ClassVar[str] = "lists"
    yields: ClassVar[pa.Schema] = schema.EVIDENCE
    replayable: ClassVar[bool] = False

    list: str
    url: str = ""
    path: str = ""
    harm: Literal["fraud", "theft", "malware", "attack"] = "fraud"
    every: float = 3600.0
    largest: int = 1 << 26
    allow: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    contact: str = ""
    spool: str = ""

    def __post_init__(self) -> None:
        if not self.list.isprintable() or not 0 < len(self.list) <= 80:
            raise ConfigError("list is what the list is called, of 80 characters at most")
        if self.every and not 60 <= self.every <= 604_800:
            raise ConfigError(f"every is {self.every:g}: give seconds, 60 to 604,800")
        self._remote().expect_good()

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Listed and delisted hosts since cursor; then, every so often, what changed.

        UnavailableError: the list cannot be had whole now. ConfigError: the spool cannot be made.
        """
        followed = Followed(
            self._remote(),
            lambda document: harmlist.read(document.text, document.suffix).hosts,
            self._rows,
            self.every,
            self.spool,
        )
        return paced(lambda over: followed.pages(cursor, over), self.yields, cursor)

    def _remote(self) -> Remote:
        return Remote(self.url, self.path, self.largest, self.allow, self.ports, self.contact)

    def _rows(self, changes: Sequence[Change], at: datetime | None) -> pa.RecordBatch:
        count = len(changes)
        said = [[("list", self.list), ("url", each.said), ("harm", self.harm)] for each in changes]
        columns = [
            [each.host for each in changes],
            [f"list/{self.list}"] * count,
            ["listed" if each.came else "delisted" for each in changes],
            [at] * count,
            said,
        ]
        arrays = [pa.array(column, each.type) for column, each in zip(columns, schema.EVIDENCE, strict=True)]
        return pa.record_batch(arrays, schema=schema.EVIDENCE)
