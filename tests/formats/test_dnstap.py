"""dnstap, made here by hand: which names are read, and that nothing is read of who asked."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.formats import dnstap
from tests.dnstap import CLIENT, SUBNET, frame, stream

KINDS = {1: "AUTH_QUERY", 2: "AUTH_RESPONSE", 3: "RESOLVER_QUERY", 4: "RESOLVER_RESPONSE", 5: "CLIENT_QUERY"}


@pytest.mark.parametrize("kind", range(16))
def test_only_what_a_resolver_asks_authorities_is_read(kind: int) -> None:
    asked = dnstap.asked(frame("Www.Example.VN", kind))
    assert asked == (dnstap.Asked("www.example.vn", 1_760_000_000_123_456) if kind in (3, 4) else None)


@pytest.mark.parametrize("kind", [3, 4, 5])
def test_nothing_of_a_client_is_read(kind: int) -> None:
    told = repr(dnstap.asked(frame("a.example", kind)))
    for secret in (CLIENT, SUBNET):
        for written in (repr(secret)[2:-1], secret.hex(), ".".join(map(str, secret))):
            assert written not in told


@pytest.mark.parametrize("name", ["4.3.2.1.in-addr.arpa", "example", "", "a b.example", "\u1ea1.example", "a.b/c"])
def test_what_is_no_host(name: str) -> None:
    assert dnstap.asked(frame(name, 3)) is None


def test_the_kind_may_stand_behind() -> None:
    assert dnstap.asked(frame("a.example", 4, kind_last=True)) == dnstap.asked(frame("a.example", 4))


def test_a_response_without_its_query() -> None:
    assert dnstap.asked(frame("a.example", 4, query=False)) == dnstap.Asked("a.example", 1_760_000_001_000_000)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x72",
        b"\x72\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x72\x05abc",
        b"\x77",
        b"\x78\x01\x72\x02\x08",
        frame("a.example", 3)[:-1],
        frame("a." * 200 + "example", 3),
        frame("x" * 64 + ".example", 3),
    ],
)
def test_broken_frames(octets: bytes) -> None:
    with pytest.raises(FormatError):
        dnstap.asked(octets)


@given(st.binary())
def test_nothing_else_escapes(octets: bytes) -> None:
    for each in (octets, b"\x78\x01\x72" + bytes([len(octets) % 128]) + octets):
        with suppress(FormatError):
            dnstap.asked(each)


def test_frames_however_they_are_cut() -> None:
    octets = stream(b"first", b"second" * 100)
    whole = list(dnstap.Frames().feed(octets))
    assert whole == [
        dnstap.Control(dnstap.START, (dnstap.CONTENT,)),
        b"first",
        b"second" * 100,
        dnstap.Control(dnstap.STOP),
    ]
    for size in (1, 2, 3, 5, 7, 100):
        frames = dnstap.Frames()
        pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
        assert [each for piece in pieces for each in frames.feed(piece)] == whole


@pytest.mark.parametrize(
    "octets",
    [
        struct.pack(">I", dnstap.LARGEST + 1),
        struct.pack(">II", 0, 513),
        struct.pack(">II", 0, 3) + b"abc",
        struct.pack(">IIIII", 0, 12, 2, 1, 5),
        struct.pack(">IIII", 0, 8, 2, 1),
    ],
)
def test_broken_streams(octets: bytes) -> None:
    with pytest.raises(FormatError):
        list(dnstap.Frames().feed(octets))
