"""Blocks of datagrams: filled by the thread that receives, spooled as they are, decoded, and filled again."""

from typing import Any, NamedTuple

import numpy as np

from khien.compiled import inner, kernel
from khien.flows.datagrams import Datagrams
from khien.flows.records import ADDRESS

Array = np.ndarray[Any, Any]

ROOM = 4 << 20  # octets of a block; the largest datagram is far smaller
MOST = 8192  # datagrams of a block
PLACES = 2 * MOST  # of the table that finds an address among a block's peers

# What recvmmsg(2) fills, in words of 8 octets, on any Linux of 64 bits.
MESSAGE = 8  # words of a struct mmsghdr
LENGTH = 7  # the word of it that holds the length of the datagram
NAME = 32  # octets of room for an address: struct sockaddr_in or sockaddr_in6
CONTROL = 8  # words of room for SO_TIMESTAMPNS: a struct cmsghdr of two, then seconds, then nanoseconds
NETWORK = 32  # octets of an address and its mask
LOW = 0xFFFFFFFF  # of a word whose lower half is the field
IPV4 = 2  # AF_INET

COUNT, USED, PEERS, REFUSED = range(4)  # of Block.state: datagrams, their octets, peers, datagrams refused


@inner
def read_address(names, begin, peers, at):
    """Writes the address of a struct sockaddr as 16 octets, IPv4 mapped into IPv6."""
    if names[begin] + names[begin + 1] == IPV4:
        for k in range(10):
            peers[at + k] = 0
        peers[at + 10] = 255
        peers[at + 11] = 255
        for k in range(4):
            peers[at + 12 + k] = names[begin + 4 + k]
    else:
        for k in range(16):
            peers[at + k] = names[begin + 8 + k]


@inner
def is_allowed(peers, at, networks, n_networks):
    """Whether an address lies in a network; each is 16 octets of address and 16 of mask. Without any, all are."""
    for n in range(n_networks):
        inside = True
        for k in range(16):
            mask = networks[NETWORK * n + 16 + k]
            inside = inside and (peers[at + k] & mask) == networks[NETWORK * n + k]
        if inside:
            return True
    return n_networks == 0


@inner
def find_peer(peers, n_peers, places):
    """The number of the address behind the last peer: that of the peer it equals, else n_peers, which it is then."""
    hashed = 0x811C9DC5
    for k in range(16):
        hashed = ((hashed ^ int(peers[16 * n_peers + k])) * 0x01000193) & LOW
    at = (hashed ^ (hashed >> 15)) & (PLACES - 1)
    while places[at] >= 0:
        same = True
        for k in range(16):
            same = same and peers[16 * places[at] + k] == peers[16 * n_peers + k]
        if same:
            return places[at]
        at = (at + 1) & (PLACES - 1)
    places[at] = n_peers
    return n_peers


@kernel("i8", "i8*", "i8", "i8", "u1*", "i8", "u1*", "i8*", "u1*", "i8",
        "u1*", "i8*", "i8*", "i4*", "u1*", "i4*", "i8*")  # fmt: skip
def pack(
    messages, first, count, slots, stride, names, controls, networks, n_networks,
    octets, ends, received, exporters, peers, places, state,
):  # fmt: skip
    """Moves received datagrams from their slots to the end of a block; answers the first that found no room, or count.

    messages, names, controls: what recvmmsg filled, a row a slot of stride octets. peers has room for one more.
    """
    for i in range(first, count):
        length = messages[MESSAGE * i + LENGTH] & LOW
        n, used, n_peers = state[COUNT], state[USED], state[PEERS]
        if n == MOST or used + length > ROOM:
            return i
        read_address(names, NAME * i, peers, 16 * n_peers)
        if not is_allowed(peers, 16 * n_peers, networks, n_networks):
            state[REFUSED] += 1
            continue
        exporter = find_peer(peers, n_peers, places)
        exporters[n] = exporter
        state[PEERS] = max(n_peers, exporter + 1)
        received[n] = controls[CONTROL * i + 2] * 1_000_000 + controls[CONTROL * i + 3] // 1000
        for k in range(length):
            octets[used + k] = slots[stride * i + k]
        state[USED] = used + length
        ends[n] = used + length
        state[COUNT] = n + 1
    return count


class Block(NamedTuple):
    """Room for datagrams one after the other; fields as Datagrams has them, but for what is not filled yet."""

    octets: Array  # u1, ROOM
    ends: Array  # i8, MOST
    received: Array  # i8
    exporters: Array  # i4
    peers: Array  # u1: 16 of each, and of the one that is being looked up
    places: Array  # i4: numbers of peers by the hash of their address; -1: free
    state: Array  # i8: COUNT, USED, PEERS, REFUSED

    @classmethod
    def make(cls) -> "Block":
        """An empty one."""
        return cls(
            octets=np.empty(ROOM, np.uint8),
            ends=np.empty(MOST, np.int64),
            received=np.empty(MOST, np.int64),
            exporters=np.empty(MOST, np.int32),
            peers=np.empty(ADDRESS * (MOST + 1), np.uint8),
            places=np.full(PLACES, -1, np.int32),
            state=np.zeros(4, np.int64),
        )

    def clear(self) -> None:
        """Empties it; datagrams made of it are gone."""
        self.places.fill(-1)
        self.state.fill(0)

    @property
    def touched(self) -> bool:
        """Whether there is anything to tell of it."""
        return bool(self.state.any())

    @property
    def refused(self) -> int:
        """How many came from outside the networks allowed, and are not there."""
        return int(self.state[REFUSED])

    def datagrams(self) -> Datagrams:
        """What is in it, without a copy: good until it is cleared."""
        count, used, peers = (int(number) for number in self.state[: PEERS + 1])
        addresses = self.peers[: ADDRESS * peers].tobytes()
        return Datagrams(
            octets=self.octets[:used],
            begins=begins(self.ends[:count]),
            ends=self.ends[:count],
            received=self.received[:count],
            exporters=self.exporters[:count],
            peers=tuple(addresses[at : at + ADDRESS] for at in range(0, len(addresses), ADDRESS)),
        )


def begins(ends: Array) -> Array:
    """Where datagrams begin that stand one after the other."""
    found = np.zeros_like(ends)
    found[1:] = ends[:-1]
    return found
