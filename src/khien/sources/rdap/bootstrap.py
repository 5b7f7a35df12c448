"""Whom to ask: IANA's bootstrap files (RFC 9224), as they lie at data.iana.org/rdap."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import msgspec

from khien.errors import ConfigError

_LARGEST = 8 << 20  # octets; dns.json has 0.2 million

Network = IPv4Network | IPv6Network


class _Document(msgspec.Struct):
    services: list[tuple[list[str], list[str]]]  # what is served, and by whom


class Bootstrap:
    """The servers that know of a domain or an address. ConfigError: a file is missing, or is no bootstrap file."""

    def __init__(self, folder: Path) -> None:
        self._domains = {label.lower().strip("."): url for label, url in _services(folder / "dns.json").items()}
        self._networks: Mapping[Network, str] = {
            _network(prefix, folder / name): url
            for name in ("ipv4.json", "ipv6.json")
            for prefix, url in _services(folder / name).items()
        }
        self._scopes = sorted({each.prefixlen for each in self._networks}, reverse=True)

    def of_domain(self, domain: str) -> str | None:
        """The base URL for a domain, of the longest suffix that is listed; None: nobody is."""
        labels = domain.split(".")
        suffixes = (".".join(labels[at:]) for at in range(len(labels)))
        return next((self._domains[each] for each in suffixes if each in self._domains), None)

    def of_address(self, address: str) -> str | None:
        """The base URL for an address, of the longest prefix that is listed; None: nobody is."""
        longest = ip_address(address).max_prefixlen
        networks = (ip_network((address, each), strict=False) for each in self._scopes if each <= longest)
        return next((self._networks[each] for each in networks if each in self._networks), None)


def _services(path: Path) -> dict[str, str]:
    """Base URLs by what they serve: https where a service has it (section 3)."""
    try:
        with path.open("rb") as file:
            document = msgspec.json.decode(file.read(_LARGEST), type=_Document)
        return {entry: _best(urls) for entries, urls in document.services for entry in entries}
    except OSError as error:
        cure = f"fetch it from https://data.iana.org/rdap/{path.name}"
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): {cure}") from error
    except (msgspec.DecodeError, RecursionError, ValueError) as error:  # ValueError: not UTF-8, or no URL
        raise ConfigError(f"{path}: is no bootstrap file of RFC 9224: fetch it anew") from error


def _best(urls: list[str]) -> str:
    best = min(urls, key=lambda each: not each.startswith("https:"))
    return best if best.endswith("/") else best + "/"


def _network(prefix: str, path: Path) -> Network:
    try:
        return ip_network(prefix)
    except ValueError as error:
        raise ConfigError(f"{path}: {prefix!r} is no prefix: fetch it anew") from error
