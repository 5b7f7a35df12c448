"""dnstap over Frame Streams: the names a resolver asked authorities for, and nothing of who asked the resolver.

Frame Streams (https://farsightsec.github.io/fstrm) carries frames, length first; dnstap (https://dnstap.info, protobuf)
says in each what kind of message it tells of. Only RESOLVER_QUERY and RESOLVER_RESPONSE are read: the resolver itself
sent the one and received the other. FORWARDER_* are left out although a resolver sends them too: a forwarder may stand
in one household, and then what it asks follows those who live there; nor does it ask an authority. Of a message that
is read, addresses and ports are passed over, and so is all of the DNS message behind its first question: an EDNS Client
Subnet (RFC 7871) stands there. Names below ``arpa`` are addresses and numbers written as names: left out.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from khien.errors import FormatError

CONTENT = b"protobuf:dnstap.Dnstap"
LARGEST = 1 << 18  # octets of a frame: two DNS messages of 65,535, and what is around them
ACCEPT, START, STOP, READY, FINISH = range(1, 6)  # kinds of control frames

_LARGEST_CONTROL = 512
_CONTENT_TYPE = 1  # the one field a control frame may have
_MESSAGE_FRAME = 1  # Dnstap.type
_RESOLVER = (3, 4)  # Message.type: RESOLVER_QUERY, RESOLVER_RESPONSE
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5  # wire types of protobuf
_DNSTAP_MESSAGE, _DNSTAP_TYPE = 14, 15
_TYPE, _QUERY_TIME, _QUERY_NANO, _QUERY, _RESPONSE_TIME, _RESPONSE_NANO, _RESPONSE = 1, 8, 9, 10, 12, 13, 14
_NUMBERS = (_TYPE, _QUERY_TIME, _QUERY_NANO, _RESPONSE_TIME, _RESPONSE_NANO)
_HEADER = 12  # octets of a DNS message before its question
_YEAR_10000 = 253_402_300_800
_HOST = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class Control(NamedTuple):
    """A control frame, and the content types it offers."""

    kind: int
    contents: tuple[bytes, ...] = ()


class Asked(NamedTuple):
    """A name a resolver asked an authority for, in lower case without the last dot; when: microseconds since 1970."""

    name: str
    moment: int | None


class Frames:
    """Takes octets as they come, gives frames: memory is bounded by LARGEST and what is fed at once."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def feed(self, octets: bytes) -> Iterator[Control | bytes]:
        """The frames that are whole now. FormatError: a frame is larger than any, or a control frame is none."""
        held = self._octets
        held += octets
        at = 0
        try:
            while len(held) - at >= 4:
                size, begin = int.from_bytes(held[at : at + 4]), at + 4
                if size == 0:
                    if len(held) - begin < 4:
                        return
                    size, begin = int.from_bytes(held[begin : begin + 4]), begin + 4
                    if size > _LARGEST_CONTROL:
                        raise FormatError(f"a control frame has {size:,} octets: this is no stream of frames")
                    if len(held) - begin < size:
                        return
                    yield _control(bytes(held[begin : begin + size]))
                else:
                    if size > LARGEST:
                        raise FormatError(f"a frame has {size:,} octets: this is no stream of dnstap")
                    if len(held) - begin < size:
                        return
                    yield bytes(held[begin : begin + size])
                at = begin + size
        finally:
            del held[:at]


def control(kind: int) -> bytes:
    """A control frame as it is sent; those that name a content name dnstap."""
    field = b"" if kind in (STOP, FINISH) else struct.pack(">II", _CONTENT_TYPE, len(CONTENT)) + CONTENT
    return struct.pack(">III", 0, 4 + len(field), kind) + field


def _control(frame: bytes) -> Control:
    if len(frame) < 4:
        raise FormatError("a control frame is cut short")
    kind, at, contents = int.from_bytes(frame[:4]), 4, list[bytes]()
    while at < len(frame):
        if len(frame) - at < 8:
            raise FormatError("a control frame is cut short")
        field, size = struct.unpack_from(">II", frame, at)
        if field != _CONTENT_TYPE or size > len(frame) - at - 8:
            raise FormatError("a control frame has a field that is none")
        contents.append(frame[at + 8 : at + 8 + size])
        at += 8 + size
    return Control(kind, tuple(contents))


def asked(frame: bytes) -> Asked | None:
    """The name that a data frame says a resolver asked for; None: it tells of something else. FormatError."""
    view = memoryview(frame)
    kind, message = 0, None
    for field, value in _fields(view):
        if field == _DNSTAP_TYPE and isinstance(value, int):
            kind = value
        elif field == _DNSTAP_MESSAGE and not isinstance(value, int):
            message = value
    if kind != _MESSAGE_FRAME or message is None:
        return None
    numbers, texts = dict[int, int](), dict[int, memoryview]()
    for field, value in _fields(message):
        if isinstance(value, int):
            if field in _NUMBERS:
                numbers[field] = value
        elif field in (_QUERY, _RESPONSE):
            texts[field] = value
    if numbers.get(_TYPE) not in _RESOLVER:  # it may stand behind what it decides about
        return None
    text = texts.get(_QUERY) or texts.get(_RESPONSE)
    name = _question(text) if text is not None else None
    return Asked(name, _moment(numbers)) if name is not None else None


def _moment(numbers: Mapping[int, int]) -> int | None:
    """When the query was sent, else when the response came."""
    seconds, nano = (_QUERY_TIME, _QUERY_NANO) if _QUERY_TIME in numbers else (_RESPONSE_TIME, _RESPONSE_NANO)
    if not 0 < numbers.get(seconds, 0) < _YEAR_10000:
        return None
    return numbers[seconds] * 1_000_000 + min(numbers.get(nano, 0), 999_999_999) // 1000


def _question(message: memoryview) -> str | None:
    """The name in the first question (RFC 1035 section 4.1.2); None: there is none, or it is none of a host."""
    if len(message) < _HEADER or not int.from_bytes(message[4:6]):
        return None
    labels, at = list[str](), _HEADER
    while True:
        size = message[at] if at < len(message) else 64
        if size == 0:
            break
        at += 1
        label = message[at : at + size]
        if size > 63 or len(label) < size or at > _HEADER + 255:
            raise FormatError("a DNS message has a question that is none")
        if not _HOST.issuperset(label):
            return None
        labels.append(bytes(label).decode("ascii").lower())
        at += size
    return ".".join(labels) if len(labels) > 1 and labels[-1] != "arpa" else None


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message: numbers as they are, what has a length uncopied. FormatError."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield field, value
            continue
        size = 8 if wire == _FIXED64 else 4
        if wire == _DELIMITED:
            size, at = _varint(message, at)
        elif wire not in (_FIXED32, _FIXED64):
            raise FormatError(f"a field has the wire type {wire}, which protobuf does not have")
        if size > end - at:
            raise FormatError("a field is longer than its message")
        piece = message[at : at + size]
        yield field, piece if wire == _DELIMITED else int.from_bytes(piece, "little")
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise FormatError("a number is cut short")
        octet = message[at]
        at += 1
        number |= (octet & 0x7F) << shift
        if octet < 0x80:
            return number, at
    raise FormatError("a number has more than ten octets")
