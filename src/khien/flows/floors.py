"""Floors: the rates below which nothing is called a flood, by vector and by how much of the net a target is.

Measured on captures of floods and of ordinary traffic (docs/bench-floods.md); every one of them is a setting.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from khien.flows.vectors import NAMES
from khien.flows.window import Lines
from khien.model import Record

Array = np.ndarray[Any, Any]

CLASSES = 4  # of scopes: a host; a /24 or /64; a /20 or /48; what customers have
FEW = 8  # sources: a scan of a host's ports, or one fast download, looks like a flood of connections by fewer
OF_FEW = 5.0  # times the floor that connections of few sources must reach
CONNECTIONS = ("syn", "ack", "tcp", "quic")

_MEGA = 1e6
_ODD = 1_000.0, 100 * _MEGA  # packets and bits a second: of what hosts get little of unless it is sent to harm them
_WORK = 5_000.0, 1_000 * _MEGA  # of what some hosts get much of
_BULK = 30_000.0, 2_000 * _MEGA  # of what people download by

_OF_VECTOR: Mapping[str, tuple[float, float]] = {  # one host; what is not here is _ODD
    "ack": _BULK,
    "tcp": _BULK,
    "quic": _BULK,
    "udp": (15_000.0, 1_000 * _MEGA),
    "esp": _BULK,
    "openvpn": _BULK,
    "l2tp": _BULK,
    "gre": (10_000.0, 1_000 * _MEGA),
    "isakmp": (2_000.0, 500 * _MEGA),  # port 4500 carries tunnels people work through
    "fragment": _WORK,
    "rst": _WORK,
    "fin": _WORK,
    "syn-ack-reflection": (3_000.0, 1_000 * _MEGA),
    "dns": (2_000.0, 100 * _MEGA),
    "stun": _WORK,
    "game-server": _WORK,
    "sip": _WORK,
    "other": _WORK,
}


class Floors(Record, frozen=True, kw_only=True):
    """packets, bits: a second at one host, of vectors that are to have another floor than ours; wide: how many times
    the floor of a host a /24 (or /64), a /20 (or /48) and a customer's prefix must reach."""

    packets: dict[str, float] = {}
    bits: dict[str, float] = {}
    wide: tuple[float, float, float] = (4.0, 8.0, 16.0)

    def of(self, scope: int, vector: str) -> tuple[float, float]:
        """Packets and bits a second of a vector from which on a prefix is flooded."""
        times = (1.0, *self.wide)[self.level(scope)]
        packets, bits = _OF_VECTOR.get(vector, _ODD)
        return self.packets.get(vector, packets) * times, self.bits.get(vector, bits) * times

    def level(self, scope: int) -> int:
        """How wide a scope is: 0 for a host, up to CLASSES - 1."""
        return int(_CLASS[scope])

    def lines(self, share: float) -> Lines:
        """A share of the floors, as a window takes them."""
        of = [[self.of(scope, name) for name in NAMES] for scope in _EXAMPLES]
        packets = np.array([[packets for packets, _ in row] for row in of])
        byte_counts = np.array([[bits / 8 for _, bits in row] for row in of])
        return Lines(_CLASS, packets * share, byte_counts * share)


_EXAMPLES = (128, 120, 116, 0)  # a scope of each class
_CLASS = np.full(129, 3, np.uint8)
for _scopes, _class in (((128,), 0), ((120, 64), 1), ((116, 48), 2)):
    _CLASS[list(_scopes)] = _class
OURS = Floors()
