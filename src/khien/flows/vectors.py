"""Vectors: the ways of flooding, told apart by protocol, source port, TCP flags and fragments, never by content.

The names are published: findings, settings, router texts and partners' documents carry them. A vector says how packets
look, not that they attack: ordinary traffic has vectors too, and only a rate makes a flood of it.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from khien.compiled import inner

ICMP, TCP, UDP, GRE, ICMPV6 = 1, 6, 17, 47, 58  # IANA protocol numbers
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
CONTROL = 0x3F  # TCP control bits without ECN's, RFC 9293 section 3.1: a real SYN flood carries 0xc2


class Vector(NamedTuple):
    """A way of flooding, and what its packets have in common.

    name: its published id. protocols: IANA numbers; empty: any. ports: of their source, where that names a service
    that answers more than it was asked (an amplifier) or that is attacked in itself. flags: TCP control bits that all
    of them carry. amplified: they are answers of others' servers to questions nobody asked.
    """

    name: str
    protocols: tuple[int, ...] = ()
    ports: tuple[int, ...] = ()
    flags: int = 0
    amplified: bool = False


def _amplifier(name: str, *ports: int) -> Vector:
    return Vector(name, (UDP,), ports, amplified=True)


VECTORS = (  # the place in this table is the number in columns: add at the end, change none
    Vector("other"),
    Vector("syn", (TCP,), flags=SYN),
    Vector("syn-ack-reflection", (TCP,), flags=SYN | ACK, amplified=True),
    Vector("ack", (TCP,), flags=ACK),
    Vector("rst", (TCP,), flags=RST),
    Vector("fin", (TCP,), flags=FIN),
    Vector("tcp", (TCP,)),
    Vector("udp", (UDP,)),
    Vector("fragment"),
    Vector("icmp", (ICMP, ICMPV6)),
    Vector("gre", (GRE,)),
    Vector("ipv6-extension", (0, 43, 51, 60, 135, 139, 140)),
    _amplifier("dns", 53),
    _amplifier("ntp", 123),
    _amplifier("cldap", 389),
    _amplifier("memcached", 11211),
    _amplifier("ssdp", 1900),
    _amplifier("snmp", 161),
    _amplifier("chargen", 19),
    _amplifier("coap", 5683),
    _amplifier("ws-discovery", 3702),
    _amplifier("bacnet", 47808),
    _amplifier("dvr-dhcp", 37810),
    _amplifier("arms", 3283),
    _amplifier("isakmp", 500, 4500),
    _amplifier("stun", 3478),
    _amplifier("tftp", 69),
    _amplifier("portmap", 111),
    _amplifier("mdns", 5353),
    _amplifier("netbios", 137),
    _amplifier("ripv1", 520),
    _amplifier("qotd", 17),
    _amplifier("l2tp", 1701),
    _amplifier("openvpn", 1194),
    _amplifier("ubiquiti", 10001),
    _amplifier("mssql", 1434),
    _amplifier("plex", 32410, 32414),
    _amplifier("jenkins", 33848),
    _amplifier("sip", 5060),
    _amplifier("game-server", 27015, 27960),
    Vector("dhcp", (UDP,), (67, 68)),
    Vector("esp", (50,)),
    Vector("igmp", (2,)),
    Vector("quic", (UDP,), (443,)),  # by which people download, RFC 9000
)
NAMES = tuple(vector.name for vector in VECTORS)
NUMBERS = {name: number for number, name in enumerate(NAMES)}

_FRAGMENT = NUMBERS["fragment"]
_TCP, _UDP, _SYN_ACK = NUMBERS["tcp"], NUMBERS["udp"], NUMBERS["syn-ack-reflection"]
_SERVICES = 1024  # ports below are those of services, RFC 6335 section 6
_BY_FLAGS, _BY_PORT = 256, 256 + 64  # where these begin in the table of classify, behind the protocols


@cache
def table() -> "np.ndarray[Any, Any]":
    """What ``classify`` looks up (u1): the vector of each protocol, of each set of TCP flags, of each source port."""
    by_protocol, by_flags, by_port = (np.zeros(n, np.uint8) for n in (256, 64, 65536))
    for number, vector in enumerate(VECTORS):
        if not vector.ports and not vector.flags:
            by_protocol[list(vector.protocols)] = number
    by_port[:] = _UDP
    for number, vector in enumerate(VECTORS):
        by_port[list(vector.ports)] = number
    for flags in range(64):
        by_flags[flags] = NUMBERS[_of_flags(flags)]
    made = np.concatenate((by_protocol, by_flags, by_port))
    made.flags.writeable = False
    return made


def _of_flags(flags: int) -> str:
    """Of all the flags a flow has shown: the first sign of a handshake says most, then how it ends."""
    if flags & SYN:
        rest = flags & (FIN | RST | PUSH | ACK)
        return {0: "syn", ACK: "syn-ack-reflection"}.get(rest, "tcp")
    if flags & RST:
        return "rst"
    if flags & ACK and not flags & FIN:
        return "ack"
    return "fin" if flags & FIN else "tcp"


@inner
def classify(table, protocol, source_port, target_port, flags, fragment):
    """The number of a flow's vector.

    Routers that export no fragment bit write UDP fragments, which have no ports, with both ports 0. SYN and ACK in the
    record of one who asks a service are the first packet of a connection and those behind it, not an answer.
    """
    if fragment != 0 or (protocol == UDP and source_port == 0 and target_port == 0):
        return _FRAGMENT
    if protocol == TCP:
        vector = table[_BY_FLAGS + (flags & CONTROL)]
        if vector == _SYN_ACK and target_port < _SERVICES and source_port >= _SERVICES:
            return _TCP
        return vector
    if protocol == UDP:
        return table[_BY_PORT + source_port]
    return table[protocol]
