"""dnstap as resolvers write it, put together octet by octet, with a client in every place where one may stand."""

import struct

from khien.formats import dnstap

CLIENT = bytes((198, 51, 100, 77))  # of who asked the resolver
SUBNET = bytes((203, 0, 113))  # of whom the resolver asks, RFC 7871
SECONDS, NANO = 1_760_000_000, 123_456_789


def frame(name: str, kind: int, *, kind_last: bool = False, query: bool = True) -> bytes:
    """A Dnstap message of a Message of that kind (RESOLVER_QUERY is 3)."""
    fields = [
        _number(2, 1),
        _number(3, 1),
        _octets(4, CLIENT),
        _octets(5, bytes((192, 0, 2, 53))),
        _number(6, 40_000),
        _number(7, 53),
        *([_number(8, SECONDS), _fixed(9, NANO), _octets(10, question(name))] if query else []),
        _octets(11, b"\0"),
        _number(12, SECONDS + 1),
        _fixed(13, 0),
        _octets(14, question(name)),
    ]
    fields.insert(len(fields) if kind_last else 0, _number(1, kind))
    return _octets(1, b"resolver") + _octets(14, b"".join(fields)) + _number(15, 1)


def question(name: str) -> bytes:
    """A DNS message that asks for the addresses of name, for a client's subnet."""
    labels = name.encode().split(b".") if name else []
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    option = struct.pack(">HHHBB", 8, 4 + len(SUBNET), 1, 24, 0) + SUBNET
    return (
        struct.pack(">HHHHHH", 1, 0, 1, 0, 0, 1)
        + wire
        + b"\0\1\0\1"
        + b"\0\0\x29\x10\0\0\0\0\0"
        + _size(option)
        + option
    )


def stream(*frames: bytes) -> bytes:
    """A stream of one direction: what a resolver writes into a file."""
    framed = b"".join(struct.pack(">I", len(each)) + each for each in frames)
    return dnstap.control(dnstap.START) + framed + dnstap.control(dnstap.STOP)


def _size(option: bytes) -> bytes:
    return struct.pack(">H", len(option))


def _varint(number: int) -> bytes:
    octets = bytearray()
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*octets, number))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _fixed(field: int, value: int) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<I", value)


def _octets(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
