"""What is a constituent's: one spelling for an asset of each kind, and which assets a finding concerns.

An asset has bounds (labels of a name, bits of a prefix), so that all that may hold what was found can be written out
and looked up as it stands.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network

from khien import canon, schema
from khien.errors import InputError
from khien.model import Asset, AssetKind, Finding

MOST_LABELS = 16  # of a domain that is an asset
KINDS: tuple[AssetKind, ...] = ("domain", "brand", "prefix", "mail-domain")

_BITS = {4: range(8, 33), 6: (*range(16, 65), 128)}  # lengths of a prefix that is an asset, by version
_BELOW = 4  # bits: of a network that is hit, its parts so much longer are looked up too
_ADDRESSES = ("address", "network")  # kinds of observable

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Known:
    """What assets are held to. brands: the ids of protected names; is_suffix: whether a name is a public suffix."""

    brands: Collection[str]
    is_suffix: Callable[[str], bool]

    def canonical(self, kind: AssetKind, text: str) -> str:
        """The one spelling of an asset. InputError: it is none, and why."""
        if kind == "prefix":
            return str(_prefix(text.strip()))
        if kind == "brand":
            if (name := text.strip()) not in self.brands:
                raise InputError(f"there is no protected name {name[:64]!r}: give the id of one in the register")
            return name
        name = canon.domain(text)
        if self.is_suffix(name):
            raise InputError(f"{name!r} is a public suffix, under which others register names: give the name below it")
        if name.count(".") >= MOST_LABELS:
            raise InputError(f"{name!r} has more than {MOST_LABELS} labels: give the name above it")
        return name

    def asset(self, constituent: str, kind: AssetKind, text: str) -> Asset:
        """An asset that is claimed, not proven. InputError as of canonical."""
        value = self.canonical(kind, text)
        return Asset(id=schema.asset_id(kind, value, constituent), kind=kind, value=value, constituent=constituent)


def _prefix(text: str) -> Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise InputError(f"{text[:64]!r} is no prefix: write one as 203.0.113.0/24 or 2001:db8::/32") from None
    if "%" in text:
        raise InputError(f"{text[:64]!r} names an interface of one machine: leave out what follows %")
    exact = str(network.network_address) == str(ip_interface(text).ip)
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        if mapped := network.network_address.ipv4_mapped:
            network = ip_network((mapped, network.prefixlen - 96))
    if network.prefixlen not in _BITS[network.version]:
        needed = "8 to 32" if network.version == 4 else "16 to 64, or 128"
        raise InputError(f"{text[:64]!r}: the length of an IPv{network.version} prefix is {needed} here")
    if not exact:
        raise InputError(f"{text[:64]!r} has bits behind its length: write {network}, or the address alone")
    return network


def wanted(finding: Finding) -> tuple[tuple[AssetKind, tuple[str, ...]], ...]:
    """By kind, the values of assets that a finding concerns, the narrowest first, at most 100.

    Of accounts that leaked: their mail domain.
    Of an address or network that is hit or takes part: the prefixes that hold it, and parts of it. Of a site: the brand
    that it imitates, and the domain it is, or is below, as a hacked one is somebody's.
    """
    if finding.kind in _ADDRESSES:
        return (("prefix", tuple(map(str, _around(ip_network(finding.subject))))),)
    if finding.kind == "mail-domain":
        return (("mail-domain", (finding.subject,)),)
    labels = finding.subject.split(".")
    above = (".".join(labels[at:]) for at in range(max(0, len(labels) - MOST_LABELS), len(labels) - 1))
    return ("brand", (finding.claim,)), ("domain", tuple(above))


def _around(network: Network) -> Iterator[Network]:
    """Prefixes that are or hold a network, and those a few bits longer inside it."""
    possible = _BITS[network.version]
    for bits in range(min(network.prefixlen + _BELOW, network.max_prefixlen), network.prefixlen, -1):
        if bits in possible:
            yield from network.subnets(new_prefix=bits)
    yield from (network.supernet(new_prefix=bits) for bits in reversed(possible) if bits <= network.prefixlen)
