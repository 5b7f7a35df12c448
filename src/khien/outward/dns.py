"""Asking name servers: what a name has of one type, and to which addresses it leads."""

from collections.abc import Sequence
from functools import cache
from time import monotonic
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.resolver
from publicsuffixlist import PublicSuffixList

from khien.errors import ConfigError, UnavailableError
from khien.outward.addresses import server
from khien.outward.pace import Kept

NXDOMAIN, NODATA = "NXDOMAIN", "NODATA"
_MOST = 100  # records of an answer that are looked at
_TRY = 2.0  # seconds after which another name server is asked
_LEAST = 0.1  # seconds a question has, however little is left
_AGE = 30.0  # seconds for which an answer is kept: those who look for what changed come back after longer


class Records(NamedTuple):
    """Values as in a zone file, in order; canonical: the name they belong to, behind every CNAME. rcode: why there are
    none, empty where there are. secure: the name server says that DNSSEC holds for them (AD, RFC 6840 section 5.8)."""

    values: tuple[str, ...]
    canonical: str
    rcode: str = ""
    secure: bool = False


class Names:
    """Asks recursive name servers: those given as address or address:port, IPv6 in brackets, else the system's.

    Of any number of threads. ConfigError: a server is no address, or the system names none.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration as error:
            raise ConfigError("the system names no name server: give one as servers") from error
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(*server(each, 53)) for each in servers]
        self._resolver.timeout = _TRY
        self._resolver.flags = dns.flags.RD | dns.flags.AD
        self._kept = Kept[Records](_AGE)

    def ask(self, name: str, kind: str, seconds: float) -> Records:
        """The records of a name, of a type such as ``MX``.

        UnavailableError: no server says, in that time, whether there are any.
        """
        key, now = f"{kind} {name}", monotonic()
        if (known := self._kept.get(key, now)) is not None:
            return known
        try:
            answer = self._resolver.resolve(
                dns.name.from_text(name + "."), kind, raise_on_no_answer=False, lifetime=seconds, search=False
            )
            values = tuple(sorted(each.to_text() for each in list(answer)[:_MOST])) if answer.rrset else ()
            canonical, flags = answer.canonical_name.to_text(omit_final_dot=True), answer.response.flags
            found = Records(values, canonical, "" if values else NODATA, bool(flags & dns.flags.AD))
        except dns.resolver.NXDOMAIN:
            found = Records((), name, NXDOMAIN)
        except (dns.exception.DNSException, OSError, ValueError) as error:  # ValueError: a name that is none
            raise UnavailableError(f"{name}: no name server says what it has of {kind}") from error
        self._kept.put(key, found, now)
        return found

    def addresses(self, name: str, seconds: float) -> Sequence[str]:
        """addresses.Resolve: of IPv4 first, and of IPv6 as well only where it has none."""
        until = monotonic() + seconds
        for kind in ("A", "AAAA"):
            if found := self.ask(name, kind, max(until - monotonic(), _LEAST)).values:
                return found
        raise UnavailableError(f"{name} does not resolve")


def registered(host: str) -> str:
    """The domain a registry gave out, at or above a host, by the public suffix list without its private part; the host
    itself where there is none."""
    return _suffixes().privatesuffix(host) or host


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)
