"""Which addresses are of the public Internet, and which a name has as the system resolves it."""

import re
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread

from khien.errors import ConfigError, UnavailableError

Resolve = Callable[[str, float], Sequence[str]]  # name, seconds it may take -> addresses; UnavailableError: none

_INSIDE = [  # RFC 6890 and IANA's registries of special-purpose addresses, of 2025-10; of IPv6 see _is_outside
    ip_network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
        "2001::/23",  # for protocols, Teredo among them
        *("2001:db8::/32", "2002::/16", "3fff::/20"),  # documentation; 6to4, which RFC 7526 ended
    )
]
_LONGEST = 86_400.0  # seconds that can be waited for
_UNICAST = ip_network("2000::/3")  # all of IPv6 that is given out, RFC 4291 section 2.4
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address is in its last 32 bits, as in a mapped one


def system(name: str, seconds: float) -> Sequence[str]:
    """The addresses of a name as the system resolves it. UnavailableError: none, or not in that time."""
    found: SimpleQueue[Sequence[str]] = SimpleQueue()

    def resolve() -> None:
        try:
            known = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            found.put([str(address[0]) for *_, address in known])
        except (OSError, UnicodeError):  # UnicodeError: a label that is too long
            found.put(())

    Thread(target=resolve, daemon=True).start()  # the system's resolver cannot be told how long it may take
    with suppress(Empty):
        if addresses := found.get(timeout=max(0, min(seconds, _LONGEST))):
            return addresses
    raise UnavailableError(f"{name} does not resolve")


def is_outside(address: str) -> bool:
    """Whether an address is one of the public Internet: none of a private, local, shared, documentation or multicast
    network, also where it is embedded in an IPv6 address. False for what is no address."""
    try:
        return _is_outside(address)
    except ValueError:
        return False


def _is_outside(address: str) -> bool:
    number = ip_address(address)
    if isinstance(number, IPv6Address):
        if number.scope_id is not None:
            return False
        if number.ipv4_mapped is not None or number in _NAT64:
            return _is_outside(str(ip_address(int(number) & 0xFFFF_FFFF)))
        if number not in _UNICAST:
            return False
    return not any(number in each for each in _INSIDE)


def server(text: str, port: int) -> tuple[str, int]:
    """The address and port of ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``; port: where
    none is given. ConfigError: it is none of them."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", text)
    try:
        address = str(ip_address(found[1] or found[2] if found else text))
        number = int(found[3]) if found else port
    except ValueError:
        number, address = 0, ""
    if not 0 < number < 1 << 16:
        raise ConfigError(f"{text!r} is no address of a server: give 192.0.2.1, or [2001:db8::1]:5353 with a port")
    return address, number
