"""Who sends: how many, how evenly, and who most, whatever the order and the parts they are counted in."""

import numpy as np
import pytest

from khien.flows import records
from khien.flows import senders as sending
from khien.flows.senders import Senders, gather
from khien.flows.vectors import NUMBERS
from tests.flows.conftest import interpret
from tests.flows.rows import batch, flow, packed

TARGET = (128, packed("198.51.100.7"))
AROUND = (120, packed("198.51.100.0"))
SYN, ACK, UDP = (NUMBERS[name] for name in ("syn", "ack", "udp"))


def addresses(n: int, begin: int = 0) -> np.ndarray:
    """So many IPv4 addresses one after the other, as sources are given."""
    octets = np.zeros((n, 16), np.uint8)
    octets[:, 10:12] = 255
    octets[:, 12:] = (np.arange(begin, begin + n) + (11 << 24)).astype(">u4").view(np.uint8).reshape(-1, 4)
    return octets.view(np.uint64)


def ones(n: int, value: int = 1) -> np.ndarray:
    return np.full(n, value, np.int64)


def taken(n: int, begin: int = 0, packets: int = 1) -> Senders:
    senders = Senders()
    senders.take(addresses(n, begin), ones(n, packets))
    return senders


@pytest.mark.parametrize("n", [0, 1, 2, 7, 50, 200])
def test_few_sources_are_counted_as_they_are(n: int) -> None:
    assert round(taken(n).distinct) == pytest.approx(n, abs=n // 50)


@pytest.mark.parametrize("n", [1_000, 4_096, 10_000, 14_000, 30_000, 100_000, 300_000])
@pytest.mark.parametrize("begin", [0, 7_000_000])
def test_many_sources_are_counted_within_a_twentieth(n: int, begin: int) -> None:
    assert taken(n, begin).distinct == pytest.approx(n, rel=0.05)


def test_a_source_that_sends_again_is_no_other() -> None:
    senders = taken(1000)
    before = senders.distinct
    for _ in range(20):
        senders.take(addresses(1000), ones(1000))
    assert senders.distinct == before
    assert senders.heaviest(1)[0][1] == 21
    assert senders.packets == 21_000


def test_how_evenly_they_send() -> None:
    assert taken(1).entropy == 0.0
    assert Senders().entropy == 0.0
    assert taken(100_000).entropy == pytest.approx(8.0, abs=0.01)
    assert taken(2).entropy == 1.0
    mostly = taken(1, packets=1_000_000)
    mostly.merge(taken(1000, begin=10))
    assert mostly.entropy < 0.05


def test_merged_in_any_order_they_are_the_same() -> None:
    def parts() -> list[Senders]:
        return [taken(500), taken(800, begin=300, packets=3), taken(5, begin=5000, packets=100)]

    def summed(order: tuple[int, ...]) -> tuple[object, ...]:
        each = parts()
        whole = Senders()
        for number in order:
            whole.merge(each[number])
        return whole.distinct, whole.entropy, whole.heaviest(50)

    assert summed((0, 1, 2)) == summed((2, 1, 0)) == summed((1, 2, 0))
    left, right = parts()[:2]
    left.merge(right)
    assert left.distinct == pytest.approx(1100, rel=0.05)
    assert left.heaviest(2)[0][1] == 4, "in both"
    assert left.packets == 500 + 800 * 3


def test_the_heaviest_are_found_among_many_and_memory_is_bounded() -> None:
    senders = Senders()
    for part in range(20):
        senders.take(addresses(20_000, part * 20_000), ones(20_000))
        senders.take(addresses(5, 9_000_000), ones(5, 1000) + np.arange(5))
    heaviest = senders.heaviest(5)
    assert [source for source, _ in heaviest] == [each.tobytes() for each in addresses(5, 9_000_000)[::-1]]
    assert [packets for _, packets in heaviest] == [20 * (1000 + n) for n in (4, 3, 2, 1, 0)]
    assert len(senders.heaviest(1 << 30)) <= 4 * sending.HEAVIEST


def test_networks_that_take_part() -> None:
    senders = Senders()
    sent = {"192.0.2.1": 30, "192.0.2.77": 30, "203.0.113.5": 20, "2001:db8:5:1::1": 20, "2001:db8:5:2::1": 20}
    senders.take(
        np.frombuffer(b"".join(map(packed, sent)), np.uint64).reshape(-1, 2), np.array([*sent.values()], np.int64)
    )
    assert [(records.network(each.scope, each.prefix), each.share) for each in senders.networks(2)] == [
        ("192.0.2.0/24", 0.5),
        ("2001:db8:5::/48", 1 / 3),
    ]
    assert len(senders.networks(10)) == 3
    assert Senders().networks(10) == []


def test_which_ports_and_how_long_packets_are() -> None:
    senders = Senders()
    assert (senders.ports(3), senders.lengths) == ([], None)
    senders.profile(np.array([80, 443, 80, 22]), np.array([60, 60, 1400, 99_999]), np.array([400, 300, 299, 1]))
    senders.profile(np.array([443]), np.array([60]), np.array([1000]))
    assert senders.ports(2) == [(443, 1300 / 2000), (80, 699 / 2000)]
    assert senders.lengths == (60, 1400), "all but one in a hundred"
    twice = Senders()
    twice.merge(senders)
    twice.merge(senders)
    assert (twice.ports(9), twice.lengths) == (senders.ports(9), senders.lengths)


def rows_to_many() -> list[dict]:
    here = [flow("198.51.100.7", "syn", source=f"192.0.2.{n}", packets=n) for n in range(1, 6)]
    others = [flow("198.51.100.8", "syn", source="203.0.113.1"), flow("198.51.101.7", "syn", source="203.0.113.2")]
    return [*here, flow("198.51.100.7", "ack", source="203.0.113.3", packets=99), *others]


def test_sources_are_counted_of_suspects_alone_and_by_vector() -> None:
    into: dict = {}
    gather(batch(*rows_to_many()), {TARGET: 1 << SYN}, into)
    assert {target: list(by_vector) for target, by_vector in into.items()} == {TARGET: [SYN]}
    assert dict(into[TARGET][SYN].heaviest(9)) == {packed(f"192.0.2.{n}"): n for n in range(1, 6)}
    assert into[TARGET][SYN].ports(1) == [(443, 1.0)]
    assert into[TARGET][SYN].lengths == (60, 60)
    gather(batch(*rows_to_many()), {TARGET: 1 << ACK, AROUND: 1 << SYN}, into)
    assert into[TARGET][ACK].heaviest(1) == [(packed("203.0.113.3"), 99)]
    assert into[TARGET][SYN].packets == 15
    assert round(into[AROUND][SYN].distinct) == len(into[AROUND][SYN].heaviest(9)) == 6


def test_nobody_is_counted_without_suspicion() -> None:
    into: dict = {}
    gather(batch(*rows_to_many()), {}, into)
    gather(batch(), {TARGET: 1 << SYN}, into)
    gather(batch(*rows_to_many()), {(128, packed("198.51.100.99")): (1 << 64) - 1}, into)
    gather(batch(*rows_to_many()), {TARGET: 1 << UDP}, into)
    assert into == {}


def test_many_suspects_are_told_apart() -> None:
    suspects = {(128, packed(f"198.51.{n // 256}.{n % 256}")): 1 << SYN for n in range(500)}
    into: dict = {}
    gather(batch(*(flow(records.written(*each)[0], source=f"192.0.{n // 256}.{n % 256}", packets=n + 1)
                   for n, each in enumerate(suspects))), suspects, into)  # fmt: skip
    assert [into[each][SYN].heaviest(2) for each in suspects] == [
        [(packed(f"192.0.{n // 256}.{n % 256}"), n + 1)] for n in range(500)
    ]


def test_interpreted_it_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> tuple[object, ...]:
        into: dict = {}
        gather(batch(*rows_to_many()), {TARGET: (1 << 64) - 1, AROUND: 1 << SYN}, into)
        told = taken(300)
        found = [
            (target, vector, one.heaviest(9), one.distinct, one.ports(9), one.lengths)
            for target, by_vector in into.items()
            for vector, one in by_vector.items()
        ]
        return found, told.distinct, told.entropy

    compiled = run()
    interpret(monkeypatch, sending)
    assert run() == compiled
