"""Datagrams of exporters in a row, as columns: what is received or read from a capture, and what decoders take."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Datagrams(NamedTuple):
    """UDP payloads as exporters sent them.

    octets: all of them, one after the other (u1); begins, ends: where each is in there (i8); received: when it came,
    microseconds since 1970 (i8); exporters: which of ``peers`` sent it (i4); peers: addresses of 16 bytes.
    """

    octets: Array
    begins: Array
    ends: Array
    received: Array
    exporters: Array
    peers: tuple[bytes, ...]


def datagrams(each: Iterable[tuple[int, bytes, bytes]]) -> Datagrams:
    """Of (received in microseconds, address of the exporter in 16 bytes, payload)."""
    rows = list(each)
    peers = {address: number for number, address in enumerate(dict.fromkeys(address for _, address, _ in rows))}
    ends = np.cumsum(np.array([len(payload) for _, _, payload in rows], np.int64), dtype=np.int64)
    return Datagrams(
        octets=np.frombuffer(b"".join(payload for _, _, payload in rows), np.uint8),
        begins=np.concatenate((np.zeros(min(len(rows), 1), np.int64), ends[:-1])),
        ends=ends,
        received=np.array([at for at, _, _ in rows], np.int64),
        exporters=np.array([peers[address] for _, address, _ in rows], np.int32),
        peers=tuple(peers),
    )
