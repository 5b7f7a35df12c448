"""Who registered a domain through whom and when, and whose network an address is in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import ClassVar

import httpx
import pyarrow as pa

from khien import schema
from khien.contracts import Asks, Page
from khien.errors import ConfigError, FormatError, RefusedError, UnavailableError
from khien.outward import http
from khien.outward.addresses import is_outside
from khien.outward.asking import Asking, Fact, Reached
from khien.outward.dns import Names, registered
from khien.outward.pace import Kept, Pace
from khien.sources.rdap import reader
from khien.sources.rdap.bootstrap import Bootstrap

_LARGEST = 1 << 18  # octets of an answer
_PATIENCE = 2.0  # seconds that a look waits for its turn before it makes room for others
_BUSY = 60.0  # seconds for which a server that is busy is left when it does not say for how long
_LOOKS = 2

Read = Callable[[bytes], Mapping[str, str]]


@dataclass(frozen=True)
class Rdap:
    """What findings ask of registries over RDAP, for as long as it is read: topics registration and network.

    bootstrap_folder: holds dns.json, ipv4.json and ipv6.json as IANA publishes them; they say whom to ask, and nothing
    is fetched to learn it. contact: who we are, told to every server. servers: name servers, see the source resolver.
    at_once: looks at a time. rate: requests a second to one server; one that says ``Retry-After`` is left so long.
    seconds: until no answer is one. keep: seconds for which an answer does for other names of the same domain or
    at the same address. allow, ports: private networks that may be reached, and where, for a mirror in the house.
    """

    name: ClassVar[str] = "rdap"
    yields: ClassVar[pa.Schema] = schema.EVIDENCE
    replayable: ClassVar[bool] = False

    asks: Asks
    bootstrap_folder: str
    contact: str = ""
    servers: tuple[str, ...] = ()
    at_once: int = 20
    rate: float = 1.0
    seconds: float = 10.0
    keep: float = 3600.0
    allow: tuple[str, ...] = ()
    ports: tuple[int, ...] = http.PORTS

    def __post_init__(self) -> None:
        if not (1 <= self.at_once <= 100 and 0 < self.rate <= 1000 and 0.1 <= self.seconds <= 60 and self.keep >= 0):
            raise ConfigError("give at_once 1 to 100, rate above 0 to 1000, seconds 0.1 to 60, keep 0 or more seconds")
        Bootstrap(Path(self.bootstrap_folder))
        self._client(Names(self.servers)).close()

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Facts as they come to be known; what was not saved is asked for again. It never ends."""
        names, reached = Names(self.servers), Reached(cursor)
        with self._client(names) as client:
            looking = _Looking(self, client, names, Bootstrap(Path(self.bootstrap_folder)), reached)
            looks = (looking.registration, looking.network)
            for rows in Asking(partial(self.asks, self.name), looks, self.at_once).rows():
                yield Page(pa.RecordBatch.from_pylist(rows, schema.EVIDENCE), reached.cursor(rows))

    def _client(self, names: Names) -> httpx.Client:
        return http.client(self.contact, allow=self.allow, ports=self.ports, resolve=names.addresses)


class _Later(Exception):
    """Others have their turn with a server first."""


class _Looking:
    """Looks for Asking."""

    def __init__(self, part: Rdap, client: httpx.Client, names: Names, bootstrap: Bootstrap, reached: Reached) -> None:
        self._part, self._client, self._names, self._bootstrap = part, client, names, bootstrap
        self._reached = reached
        self._pace = Pace(part.rate, max(1, part.rate))
        self._kept = Kept[Mapping[str, str]](part.keep)

    def registration(self, host: str) -> Sequence[Fact] | None:
        """What the registry of a name's domain says of it; unknown where nobody says."""
        domain = registered(host)
        base = self._bootstrap.of_domain(domain)
        if base is None:
            return (Fact("registration", "unknown", {}),)
        try:
            told = self._ask(base, f"domain/{domain}", reader.domain)
        except _Later:
            return None
        except (UnavailableError, FormatError, RefusedError):
            self._reached.note(answered=False)
            return (Fact("registration", "unknown", {}),)
        self._reached.note(answered=True)
        return (Fact("registration", "registered" if told else "unregistered", {"domain": domain, **told}),)

    def network(self, host: str) -> Sequence[Fact] | None:
        """In whose network the first public address of a name is; nothing where nobody says."""
        try:
            address = next(filter(is_outside, self._names.addresses(host, self._part.seconds)), "")
            base = self._bootstrap.of_address(address) if address else None
            told = self._ask(base, f"ip/{address}", reader.network) if base else {}
        except _Later:
            return None
        except (UnavailableError, FormatError, RefusedError):
            return ()
        return (Fact("network", "hosted", {"address": address, **told}),) if told else ()

    def _ask(self, base: str, path: str, read: Read) -> Mapping[str, str]:
        """What a server says, empty where it knows nothing (404, RFC 7480 section 5.3)."""
        url, server = base + path, httpx.URL(base).netloc.decode()
        if (known := self._kept.get(url, monotonic())) is not None:
            return known
        if wait := self._pace.turn(server, _PATIENCE):
            if wait < _PATIENCE + 1 / self._part.rate:  # our own rate makes nobody wait for longer
                raise _Later
            raise UnavailableError(f"{server} is not to be asked for {wait:.0f} s yet")
        headers = {"Accept": "application/rdap+json"}
        answer = http.get(self._client, url, _LARGEST, headers=headers, seconds=self._part.seconds)
        if answer.status in (429, 503):
            self._pace.hold(server, monotonic() + (http.retry_after(answer.headers) or _BUSY))
        if answer.status not in (200, 404):
            raise UnavailableError(f"{server} answers with status {answer.status}")
        told = read(answer.body) if answer.status == 200 else {}
        self._kept.put(url, told, monotonic())
        return told
