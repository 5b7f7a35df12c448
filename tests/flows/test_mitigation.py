"""Rules against floods, replayed in a model of the filter: what they drop, what they spare, and what they never do."""

import importlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import _filter
from khien.errors import InputError
from khien.flows import mitigation, records
from khien.flows.mitigation import DISCARD, LEAST, Attack, Load, Match, Network, Rule
from khien.flows.records import Columns
from khien.flows.vectors import ACK, FIN, NAMES, PUSH, RST, SYN, TCP, UDP

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data" / "flows"
VICTIM = "198.51.100.7"
MADE = datetime(2026, 11, 22, 3, tzinfo=UTC)
SECOND = 1_000_000


def packed(address: str) -> bytes:
    made = ip_address(address)
    return made.packed if made.version == 6 else records.MAPPED + made.packed


def flows(count: int, *, target: str = VICTIM, source: str = "", over: int = SECOND, **fields: Any) -> Columns:
    """So many flows in a row over some time; source: one, else ever another. Fields: numbers, or columns of them."""
    made = records.empty(count)
    numbers = np.arange(count)
    values = {"source_port": 40000, "target_port": 443, "protocol": TCP, "flags": 0, "fragment": 0, "packets": 1}
    for name, value in {**values, "bytes": 60, "sampling": 1, **fields}.items():
        getattr(made, name)[:] = value
    made.first[:] = numbers * over // count
    made.last[:] = made.first
    made.target[:] = np.frombuffer(packed(target), np.uint8)
    made.source[:] = np.frombuffer(packed(source or "203.0.113.9"), np.uint8)
    if not source:
        made.source[:, 12] = numbers * 7 % 223 + 1
        made.source[:, 13] = numbers // 223 % 256
    return made


def joined(*parts: Columns) -> Columns:
    return Columns(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


WEB = joined(  # a site on an ordinary day: visits, its own look-ups, its clock, and others beside it
    flows(200, target_port=443, flags=SYN | ACK | PUSH | FIN, packets=12, bytes=3000),
    flows(20, source="9.9.9.9", source_port=53, target_port=33000, protocol=UDP, bytes=180),
    flows(2, source="203.0.113.123", source_port=123, target_port=123, protocol=UDP, bytes=76),
    flows(500, target="198.51.100.8", target_port=80, flags=SYN | ACK | PUSH | FIN, packets=20, bytes=9000),
    flows(500, target="192.0.2.1", source_port=53, target_port=5300, protocol=UDP, bytes=900),
)
OWN = Columns(*(column[:222] for column in WEB))
RANDOM = np.arange(10_000) * 7919 % 64000 + 1024

FLOODS = {
    "syn": flows(10_000, target_port=443, flags=SYN, bytes=60),
    "syn to every port": flows(10_000, target_port=RANDOM, flags=SYN | 0xC0, bytes=60),
    "syn without options": flows(10_000, target_port=443, flags=SYN, bytes=40),
    "syn of one network": flows(10_000, source="192.0.2.66", flags=SYN, bytes=60),
    "syn-ack": flows(10_000, source_port=443, target_port=RANDOM, flags=SYN | ACK, bytes=60),
    "rst": flows(10_000, target_port=RANDOM, flags=RST, bytes=40),
    "ntp": flows(10_000, source_port=123, target_port=RANDOM, protocol=UDP, bytes=468),
    "memcached": joined(
        flows(5_000, source_port=11211, target_port=RANDOM[:5_000], protocol=UDP, bytes=1428),
        flows(5_000, source_port=0, target_port=0, protocol=UDP, fragment=1, bytes=1428),
    ),
    "dns": flows(10_000, source_port=53, target_port=RANDOM, protocol=UDP, bytes=1480),
    "udp to one port": flows(10_000, target_port=9999, protocol=UDP, source_port=RANDOM + 1, bytes=900),
    "udp": flows(10_000, target_port=RANDOM, protocol=UDP, bytes=900),
    "icmp": flows(10_000, source_port=0, target_port=8 << 8, protocol=1, bytes=84),
    "gre": flows(10_000, source_port=0, target_port=0, protocol=47, bytes=500),
    "every protocol": flows(10_000, source_port=0, target_port=0, protocol=np.arange(10_000) % 256, bytes=500),
    "other": flows(10_000, source_port=0, target_port=0, protocol=255, bytes=500),
    "carpet": flows(10_000, source_port=389, target_port=RANDOM, protocol=UDP, bytes=1480),
}


def summed(name: str, *, known: bool) -> Attack:
    prefix = ip_network("198.51.100.0/24" if name == "carpet" else VICTIM)
    return Attack(
        victim=prefix, loads=_filter.loads(FLOODS[name], 1.0), usual=_filter.loads(OWN, 1.0) if known else None
    )


@pytest.mark.parametrize("known", [True, False], ids=["usual known", "usual unknown"])
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_dropped_and_the_rest_is_spared(name: str, known: bool) -> None:
    flood = FLOODS[name]
    both = joined(flood, WEB)
    share = _filter.passed(both, mitigation.rules(summed(name, known=known)))
    passed = share * both.packets
    attack = np.arange(len(both.first)) < len(flood.first)
    assert passed[attack].sum() <= 0.05 * both.packets[attack].sum()
    others = ~attack & ~(both.target == flood.target[0]).all(axis=1)
    assert (share[others] == 1).all()
    if name != "syn":  # the attacked service itself is slowed down: nothing tells its visitors from the attack
        own = ~attack & ~others
        if known or name not in ("syn to every port", "udp", "dns"):
            assert passed[own].sum() >= 0.99 * both.packets[own].sum()


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("vector", NAMES)
def test_no_rule_takes_all_the_victim_gets(vector: str, version: int) -> None:
    victim = ip_network(VICTIM if version == 4 else "2001:db8::7")
    for usual in (None, (), (Load(vector=vector, packets=10, bits=8000, ports=((443, 1.0),)),)):
        for rule in mitigation.rules(
            Attack(victim=victim, loads=(Load(vector=vector, packets=1e6, bits=1e9),), usual=usual)
        ):
            assert rule.match != Match(destination=victim)
            assert rule.match.destination == victim
            assert rule.rate == DISCARD or rule.rate >= LEAST
            assert rule.vector == vector


def test_the_model_lets_a_rate_through_and_loses_connections_with_their_first_packet() -> None:
    victim = ip_network(VICTIM)
    packets = flows(1000, protocol=UDP, bytes=100)
    limit = Rule(match=Match(destination=victim, protocols=(UDP,)), rate=10_000, vector="udp")
    assert (_filter.passed(packets, [limit]) * packets.bytes).sum() == pytest.approx(10_000)
    visit = flows(1, flags=SYN | ACK | PUSH | FIN, packets=12, bytes=3000)
    syn = Rule(match=Match(destination=victim, protocols=(TCP,), flags=(SYN, SYN | ACK)), rate=DISCARD, vector="syn")
    answer = Rule(match=Match(destination=victim, flags=(SYN | ACK, SYN | ACK)), rate=DISCARD, vector="syn")
    assert [_filter.passed(visit, [rule])[0] for rule in (syn, answer)] == [0, 1]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the captures are not there")
def test_bars_hold_on_real_captures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "bench")
    rows = list(importlib.import_module("mitigation").measure(SHARED))
    assert len(rows) > 40
    assert [row for row in rows if row.holds is False] == []


def rule_for(load: Load, usual: tuple[Load, ...] | None = None, victim: str = VICTIM) -> tuple[Rule, ...]:
    return mitigation.rules(Attack(victim=ip_network(victim), loads=(load,), usual=usual))


def test_answers_the_victim_lives_by_are_slowed_down_not_discarded() -> None:
    load = Load(vector="dns", packets=1e5, bits=1e9)
    usual = Load(vector="dns", packets=100, bits=80_000)
    assert [rule.rate for rule in rule_for(load, (usual,))] == [20_000]  # 80,000 bit/s, doubled, in bytes
    assert [rule.rate for rule in rule_for(load)] == [2_500_000]  # 2 % of the attack
    assert [rule.rate for rule in rule_for(load, ())] == [DISCARD]  # it never asks


def test_a_length_that_is_not_usual_tells_answers_apart() -> None:
    load = Load(vector="isakmp", packets=1e4, bits=2e7, lengths=(232, 232))
    apart = [(rule.match.lengths, rule.rate) for rule in rule_for(load)]
    assert apart == [((232, 232), DISCARD), (None, 50_000)]
    alike = Load(vector="isakmp", packets=10, bits=10 * 232 * 8)
    assert [rule.match.lengths for rule in rule_for(load, (alike,))] == [None]


def test_a_service_stays_within_reach_of_new_connections() -> None:
    usual = (Load(vector="tcp", packets=1000, bits=8e6, ports=((443, 0.9), (25, 0.1))),)
    made = rule_for(Load(vector="syn", packets=1e5, bits=5e7, ports=((443, 0.95),)), usual)
    assert [(rule.match.destination_ports, rule.rate) for rule in made] == [
        ((25,), 6000),
        ((443,), 6000),
        ((), DISCARD),
    ]


def test_echo_is_matched_by_its_type_and_never_discarded() -> None:
    load = Load(vector="icmp", packets=1e5, bits=5e7, ports=((8 << 8, 1.0),))
    (rule,) = rule_for(load, ())
    assert (rule.match.protocols, rule.match.icmp_types, rule.rate) == ((1,), (8,), LEAST)
    (rule,) = rule_for(Load(vector="icmp", packets=1e5, bits=5e7), (), "2001:db8::7")
    assert (rule.match.protocols, rule.match.icmp_types, rule.rate) == ((58,), (), LEAST)


def test_few_networks_are_named_and_many_are_not() -> None:
    few = tuple((ip_network(f"203.0.{n}.0/24"), 0.0995) for n in range(10))
    made = rule_for(Load(vector="ack", packets=1e5, bits=5e7, sources=few))
    assert [rule.match.source for rule in made] == [network for network, _ in few]
    assert {rule.rate for rule in made} == {DISCARD}
    many = tuple((ip_network(f"203.0.{n}.0/24"), 0.005) for n in range(200))
    assert [rule.match.source for rule in rule_for(Load(vector="ack", packets=1e5, bits=5e7, sources=many))] == [None]


def test_routers_look_past_extension_headers_so_their_sources_are_named() -> None:
    source = ip_network("2001:db8:1::/48")
    load = Load(vector="ipv6-extension", packets=1e5, bits=5e7, sources=((source, 1.0),))
    (rule,) = rule_for(load, None, "2001:db8::7")
    assert rule.match == Match(destination=ip_network("2001:db8::7"), source=source)


def test_a_flood_of_every_protocol_is_met_by_those_that_no_vector_has() -> None:
    (rule,) = rule_for(Load(vector="other", packets=1e5, bits=1e9, protocols=tuple(range(100, 250))), ())
    assert mitigation.spans(rule.match.protocols)[:3] == [(3, 5), (7, 16), (18, 42)]
    assert not {1, 6, 17, 47, 50, 58} & set(rule.match.protocols)


def test_what_nothing_tells_apart_gets_no_rule() -> None:
    assert rule_for(Load(vector="other", packets=1e5, bits=1e9, protocols=())) == ()


@pytest.mark.parametrize("vector", ["syn", "ack", "udp"])
def test_what_goes_beside_the_attacked_port_is_met_too(vector: str) -> None:
    load = Load(vector=vector, packets=1e5, bits=1e9, ports=((443, 0.95),))
    assert [rule.match.destination_ports for rule in rule_for(load)] == [(443,), ()]
    alone = Load(vector=vector, packets=1e5, bits=1e9, ports=((443, 0.995),))
    assert [rule.match.destination_ports for rule in rule_for(alone)] == [(443,)]


def test_traces_get_no_rule() -> None:
    fin, rst, ack = (Load(vector=name, packets=900, bits=9e6) for name in ("fin", "rst", "ack"))
    loads = (Load(vector="syn", packets=1e5, bits=1e9), fin)
    made = mitigation.rules(Attack(victim=ip_network(VICTIM), loads=loads))
    assert [rule.vector for rule in made] == ["syn"]
    made = mitigation.rules(Attack(victim=ip_network(VICTIM), loads=(*loads, rst, ack)))
    assert len(made) == 2  # three traces together are none


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (Load(vector="ntp; discard", packets=1, bits=1), "no vector 'ntp; discard': there is other, syn"),
        (Load(vector="syn", packets=1, bits=1, sources=((ip_network("2001:db8::/48"), 1.0),)), "another IP version"),
    ],
)
def test_what_is_no_attack_is_refused(load: Load, told: str) -> None:
    with pytest.raises(InputError, match=told):
        rule_for(load)


def test_order_is_that_of_routers() -> None:
    """The first two pairs are of RFC 8955 section 5.1: prefixes by their length, then by their octets."""
    victim = ip_network("192.0.2.0/24")
    ordered = [
        Match(destination=ip_network("192.0.2.0/25"), protocols=(17,)),
        Match(destination=victim, source=ip_network("10.0.0.0/24")),
        Match(destination=victim, source=ip_network("10.0.0.0/8")),
        Match(destination=victim, source=ip_network("11.0.0.0/24")),
        Match(destination=victim, protocols=(6,), destination_ports=(25,), flags=(2, 18)),
        Match(destination=victim, protocols=(6,), destination_ports=(443,), flags=(2, 18)),
        Match(destination=victim, protocols=(6,), flags=(2, 18)),
        Match(destination=victim, protocols=(17,), source_ports=(53,), lengths=(1000, 1500)),
        Match(destination=victim, protocols=(17,), source_ports=(53,)),
        Match(destination=victim, protocols=(17,)),
        Match(destination=victim, fragment=True),
        Match(destination=ip_network("192.0.3.0/24"), protocols=(6,)),
    ]
    assert sorted(set(ordered), key=mitigation.place) == ordered


@given(st.permutations(range(5)))
def test_rules_do_not_hang_on_the_order_of_loads(order: list[int]) -> None:
    names = ("syn", "ntp", "udp", "fragment", "ack")
    loads = [Load(vector=name, packets=1e5, bits=1e9) for name in names]
    made = mitigation.rules(Attack(victim=ip_network(VICTIM), loads=tuple(loads[each] for each in order)))
    assert made == mitigation.rules(Attack(victim=ip_network(VICTIM), loads=tuple(loads)))


@pytest.mark.parametrize("victim", ["198.51.100.7/32", "2001:db8::/48"])
def test_a_mitigation_is_dated_and_says_what_it_costs(victim: str) -> None:
    network: Network = ip_network(victim)
    attack = Attack(victim=network, loads=(Load(vector="other", packets=1, bits=1),))
    made = mitigation.mitigation(attack, made=MADE, lasts=timedelta(minutes=30))
    told = mitigation.remarks([made], ["Chỗ đặt"])
    assert (
        told[0]
        == f"Khien: against a flood on {victim}. Made 2026-11-22 03:00 UTC; take it out by 2026-11-22 03:30 UTC."
    )
    assert told[2].startswith("No rule")
    assert told[-1] == "Cho dat"
    given_up = mitigation.remarks([mitigation.blackhole(attack, made=MADE)], [])
    assert given_up[2].startswith(f"LAST RESORT: all traffic to {victim} is lost")
    assert all(line.isascii() for line in told + given_up)
