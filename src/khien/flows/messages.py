"""Exports kept in files as they were sent: IPFIX files (RFC 5655: messages one after the other), and lone datagrams.

Neither says when the message came or from whom: it counts as received when its header says it was exported, or when the
file was written where it says nothing, from the unspecified address.
"""

from collections.abc import Iterator

from khien.errors import FormatError
from khien.flows.datagrams import Datagrams, datagrams
from khien.flows.fields import OLDEST
from khien.flows.reading import Refused, Take, exactly

_NOBODY = bytes(16)
_IPFIX, _HEADER = b"\x00\x0a", 16  # version, and bytes of a message's header: RFC 7011 section 3.1
_LARGEST = 65535  # bytes of a message, and of a datagram
_BATCH = 1 << 20  # bytes of messages decoded together
_EXPORTED_AT = {b"\0\x05": 8, b"\0\x07": 8, b"\0\x09": 8, _IPFIX: 4}  # where a header's seconds are, by version
_SFLOW = b"\x00\x00\x00\x05"


def is_ipfix(head: bytes) -> bool:
    """Whether a file that begins like this holds IPFIX messages."""
    return head[:2] == _IPFIX and int.from_bytes(head[2:4]) >= _HEADER


def is_datagram(head: bytes) -> bool:
    """Whether a file that begins like this is a datagram of NetFlow v5, v7 or v9, or of sFlow v5."""
    return (head[:2] in _EXPORTED_AT and len(head) >= 20) or head[:4] == _SFLOW


def ipfix(take: Take, written: int) -> Iterator[tuple[int, Datagrams, tuple[Refused, ...]]]:
    """Messages by the megabyte, and where they begin. written: as for ``datagram``.

    Where one has a version or length that cannot be, reading ends: nothing says where the next begins. A few bytes at
    the end that are no header belong to the last message, whose exporter counts less than it sends.
    """
    at, left = 0, True
    while left:
        batch: list[tuple[int, bytes, bytes]] = []
        refused: tuple[Refused, ...] = ()
        size = 0
        while size < _BATCH and left:
            head = exactly(take, _HEADER)
            length = int.from_bytes(head[2:4])
            left = len(head) == _HEADER and is_ipfix(head)
            if left:
                message = head + exactly(take, length - _HEADER)
                left = len(message) == length
                if left:
                    batch.append((_exported(message, written), _NOBODY, message))
                    size += length
                else:
                    refused = (Refused(at + size, "cut-short"),)
            elif batch and len(head) < _HEADER and head[:2] != _IPFIX:
                received, peer, message = batch.pop()
                batch.append((received, peer, message + head))
            elif head:
                refused = (Refused(at + size, "cut-short" if len(head) < _HEADER else "bad-length"),)
        if batch or refused:
            yield at, datagrams(batch), refused
        at += size


def datagram(take: Take, written: int) -> Datagrams:
    """The one datagram in a file. written: microseconds since 1970, for what does not say when it was sent.

    FormatError: it is longer than a datagram can be.
    """
    message = exactly(take, _LARGEST + 1)
    if len(message) > _LARGEST:
        raise FormatError(f"begins as a datagram of an exporter, and goes on behind {_LARGEST:,} bytes: give a capture")
    return datagrams([(_exported(message, written), _NOBODY, message)])


def _exported(message: bytes, written: int) -> int:
    at = _EXPORTED_AT.get(message[:2])
    exported = 0 if at is None else int.from_bytes(message[at : at + 4]) * 1_000_000
    return exported if exported >= OLDEST else written
