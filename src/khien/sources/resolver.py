"""What name servers say of a name: whether and where it resolves, who serves its domain, who takes its mail."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pyarrow as pa

from khien import canon, schema
from khien.contracts import Asks, Page
from khien.errors import ConfigError, ObservableError, UnavailableError
from khien.outward.asking import Asking, Fact, Reached
from khien.outward.dns import NXDOMAIN, Names, Records, registered
from khien.outward.pace import Pace

_MOST = 16  # addresses or hosts that are told
_LOOKS = 3
_SHORT = 1.0  # seconds for what only adds to what is known already


@dataclass(frozen=True)
class Resolver:
    """What findings ask of name servers, for as long as it is read: topics resolution, nameservers and mail.

    servers: recursive name servers as address or address:port, those of the system without any. at_once: names that are
    looked into at a time. rate: questions a second. seconds: until no answer is one; a name of which no server says
    anything in that time is unknown. Private addresses in an answer are told like others: nothing is connected to.
    """

    name: ClassVar[str] = "resolver"
    yields: ClassVar[pa.Schema] = schema.EVIDENCE
    replayable: ClassVar[bool] = False

    asks: Asks
    servers: tuple[str, ...] = ()
    at_once: int = 20
    rate: float = 200.0
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if not (1 <= self.at_once <= 100 and 0 < self.rate <= 10_000 and 0.1 <= self.seconds <= 60):
            raise ConfigError("give at_once 1 to 100, rate above 0 to 10000 questions a second, seconds 0.1 to 60")
        Names(self.servers)

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Facts as they come to be known; what was not saved is asked for again. It never ends."""
        reached = Reached(cursor)
        looking = _Looking(Names(self.servers), Pace(self.rate, self.at_once), self.seconds, reached)
        looks = (looking.resolution, looking.delegation, looking.mail)
        for rows in Asking(partial(self.asks, self.name), looks, _LOOKS * self.at_once).rows():
            yield Page(pa.RecordBatch.from_pylist(rows, schema.EVIDENCE), reached.cursor(rows))


@dataclass(frozen=True)
class _Looking:
    """Looks for Asking: a fact each, none where no server says."""

    names: Names
    pace: Pace
    seconds: float
    reached: Reached

    def resolution(self, host: str) -> Sequence[Fact]:
        """To which addresses a name leads."""
        addresses, found = dict[str, None](), Records((), host)
        for kind in ("A", "AAAA"):
            try:
                found = self._ask(host, kind, _SHORT if addresses else self.seconds)
            except UnavailableError:
                if addresses:
                    break
                self.reached.note(answered=False)
                return (Fact("resolution", "unknown", {}),)
            addresses |= dict.fromkeys(found.values)
            if found.rcode == NXDOMAIN:
                break
        self.reached.note(answered=True)
        if not addresses:
            return (Fact("resolution", "unresolved", {"rcode": found.rcode}),)
        told = {"addresses": ",".join([*addresses][:_MOST]), "canonical": _host(found.canonical)}
        return (Fact("resolution", "resolves", told),)

    def delegation(self, host: str) -> Sequence[Fact]:
        """Who serves the domain of a name."""
        return self._hosts(registered(host), "NS", "nameservers", "delegated", "undelegated")

    def mail(self, host: str) -> Sequence[Fact]:
        """Who takes the mail of a name; of a null MX (RFC 7505) nobody."""
        return self._hosts(host, "MX", "mail", "mail", "no-mail")

    def _hosts(self, name: str, kind: str, topic: str, some: str, none: str) -> Sequence[Fact]:
        try:
            found = self._ask(name, kind, self.seconds)
        except UnavailableError:
            return ()
        hosts = sorted({_host(each.rpartition(" ")[2]) for each in found.values} - {""})
        return (Fact(topic, some, {"hosts": ",".join(hosts[:_MOST])}) if hosts else Fact(topic, none, {}),)

    def _ask(self, name: str, kind: str, seconds: float) -> Records:
        if self.pace.turn("", seconds):
            raise UnavailableError("more is asked than the rate allows")
        return self.names.ask(name, kind, seconds)


def _host(name: str) -> str:
    """A host as we spell it, empty for what is none: a label may hold any octet."""
    try:
        return canon.domain(name)
    except ObservableError:
        return ""
