"""How packets look decides their vector: every protocol, port and set of flags has one, and the names stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import words
from khien.flows import vectors
from khien.flows.floors import OURS
from khien.flows.vectors import GRE, ICMP, ICMPV6, NAMES, NUMBERS, TCP, UDP, VECTORS
from tests.flows.rows import PLAIN, flow

FIN, SYN, RST, PUSH, ACK, URGENT, ECN = 1, 2, 4, 8, 16, 32, 0xC0


def vector(protocol: int, source_port: int = 1024, target_port: int = 1024, flags: int = 0, fragment: int = 0) -> str:
    table = vectors.table().tolist()
    return NAMES[vectors.classify(table, protocol, source_port, target_port, flags, fragment)]


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (SYN, "syn"),
        (SYN | ECN, "syn"),  # a real flood carries ECN's bits
        (SYN | URGENT, "syn"),
        (SYN | ACK, "syn-ack-reflection"),
        (SYN | ACK | ECN, "syn-ack-reflection"),
        (SYN | ACK | PUSH, "tcp"),  # a whole connection
        (SYN | ACK | FIN, "tcp"),
        (SYN | RST, "tcp"),
        (RST, "rst"),
        (RST | ACK, "rst"),
        (ACK, "ack"),
        (ACK | PUSH, "ack"),
        (ACK | FIN, "fin"),
        (FIN, "fin"),
        (0, "tcp"),  # null
        (FIN | PUSH | URGENT, "fin"),  # xmas
    ],
)
def test_tcp_by_its_flags(flags: int, name: str) -> None:
    assert vector(TCP, flags=flags) == name
    assert vector(TCP, source_port=53, flags=flags) == name, "ports say nothing of TCP"


def test_udp_by_the_port_it_comes_from() -> None:
    for each in VECTORS:
        for port in each.ports:
            assert vector(UDP, port) == each.name
            assert vector(TCP, port, flags=ACK) == "ack"
    assert vector(UDP, 40_000, 53) == "udp", "questions, not answers"
    assert vector(UDP, 40_000) == "udp"


@pytest.mark.parametrize(
    ("protocol", "name"),
    [(ICMP, "icmp"), (ICMPV6, "icmp"), (GRE, "gre"), (2, "igmp"), (50, "esp"), (51, "ipv6-extension"),
     (0, "ipv6-extension"), (43, "ipv6-extension"), (60, "ipv6-extension"), (132, "other"), (255, "other")],
)  # fmt: skip
def test_the_rest_by_protocol(protocol: int, name: str) -> None:
    assert vector(protocol) == name


def test_fragments_before_all_else() -> None:
    for protocol in range(256):
        assert vector(protocol, 53, 53, SYN, fragment=1) == "fragment"
    assert vector(UDP, 0, 0) == "fragment", "as routers write it that know no fragment bit"
    assert vector(UDP, 0, 80) == "udp"
    assert vector(TCP, 0, 0, SYN) == "syn"


@given(*(st.integers(0, most) for most in (255, 65535, 65535, 255, 1)))
def test_everything_has_a_vector(protocol: int, source: int, target: int, flags: int, fragment: int) -> None:
    assert vector(protocol, source, target, flags, fragment) in NAMES


def test_names_are_published_and_stay() -> None:
    assert len(set(NAMES)) == len(NAMES) <= 64, "suspicion is a bit for each"
    assert NAMES[:13] == (
        *("other", "syn", "syn-ack-reflection", "ack", "rst", "fin", "tcp", "udp", "fragment", "icmp", "gre"),
        *("ipv6-extension", "dns"),
    )
    asked = "ntp cldap memcached ssdp snmp chargen coap ws-discovery bacnet dvr-dhcp arms isakmp stun tftp portmap mdns"
    assert set(asked.split()) < set(NAMES)
    assert not vectors.table().flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_floor_and_words(name: str) -> None:
    packets, bits = OURS.of(128, name)
    assert packets >= 1000
    assert bits >= 1e8
    assert words.technique(name, "vi")
    assert words.technique(name, "en")


@pytest.mark.parametrize("name", PLAIN)
def test_flows_of_these_tests_are_what_they_say(name: str) -> None:
    row = flow(vector=name)
    asked = (row[each] for each in ("protocol", "source_port", "target_port", "flags", "fragment"))
    assert vector(*asked) == name
    assert NUMBERS[name] == NAMES.index(name)
