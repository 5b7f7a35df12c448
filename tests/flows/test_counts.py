"""Packets lie in the seconds a flow lived in, whatever the flow, and none is lost or made."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien import schema
from khien.flows import counts
from khien.flows.vectors import NAMES
from tests.flows import rows
from tests.flows.conftest import interpret
from tests.flows.rows import HOST, SECOND, SLASH20, SLASH24, SLASH48, SLASH64, START, batch, flow

TARGETS = ("198.51.100.7", "198.51.100.8", "198.51.101.7", "203.0.113.9", "2001:db8:1::1", "2001:db8:1:1::1")
CUSTOMERS = ("198.51.100.0/25", "198.51.100.0/24", "198.51.100.0/22", "2001:db8::/32", "192.0.2.0/24")
AT_TWO = 2 * SECOND


def counted(*flows: dict, customers: tuple[str, ...] = ()) -> pa.RecordBatch:
    return counts.batch(counts.merged(counts.count(batch(*flows), customers)))


def held_to(counted: pa.RecordBatch, expected: rows.Rates) -> None:
    """The counts are the expected ones, to 1/1024 packet a second that a flow lived in; their sums are exact."""
    found = rows.rates(counted)
    assert found.keys() == expected.keys()
    for key, seconds in expected.items():
        assert found[key].keys() >= seconds.keys()
        assert sum(found[key].values()) == counts.PACKET * sum(seconds.values())
        for second, packets in found[key].items():
            assert abs(packets - counts.PACKET * seconds.get(second, 0)) <= len(seconds) + 1


LIVES = (0, 1, SECOND - 1, SECOND, SECOND + 1, AT_TWO - 1, AT_TWO, 7 * SECOND + 345_678, 1800 * SECOND)
FIRSTS = (0, 1, 499_999, SECOND - 1)


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("first", FIRSTS)
@pytest.mark.parametrize("packets", [0, 1, 3, 1000, 123_456_789])
def test_a_flow_is_spread_over_its_life(life: int, first: int, packets: int) -> None:
    one = flow(first=first, life=life, packets=packets, sampling=10)
    made = counted(one)
    held_to(made, rows.expected([one], "syn"))
    for column, whole in (("bytes", 60 * packets), ("noise", 9 * packets)):
        assert {sum(seconds.values()) for seconds in rows.rates(made, column).values()} == {whole}


def test_what_a_flow_of_three_seconds_leaves() -> None:
    made = counted(flow(first=500_000, life=3 * SECOND, packets=3000, size=100, sampling=11)).to_pylist()
    seen = [
        (int(row["second"].timestamp()) - START, row["packets"] / counts.PACKET, row["packets_step"] / counts.PACKET)
        for row in made
        if row["scope"] == HOST
    ]
    assert sorted(seen) == [(0, 500, 0), (1, 0, 1000), (3, 500, -1000)]
    assert sum(row["bytes"] for row in made if row["scope"] == HOST) == 100_000  # 200,000 lie between, as a step
    assert sum(row["noise"] for row in made if row["scope"] == HOST) == 10_000
    assert [row["flows"] for row in made if row["scope"] == HOST and row["flows"]] == [1]


def test_prefixes_and_customers_around_a_target() -> None:
    four, six = flow(TARGETS[0], packets=5), flow(TARGETS[4], packets=7)
    found = rows.rates(counted(four, six, customers=CUSTOMERS))
    widths = {key[:2]: sum(seconds.values()) // counts.PACKET for key, seconds in found.items()}
    assert widths == {
        **dict.fromkeys(rows.around(rows.packed(TARGETS[0]), CUSTOMERS), 5),
        **dict.fromkeys(rows.around(rows.packed(TARGETS[4]), CUSTOMERS), 7),
    }
    assert {scope for scope, _ in widths} == {HOST, SLASH24, SLASH20, SLASH64, SLASH48, 121, 118, 32}


def test_hostile_numbers_are_bounded_and_break_nothing() -> None:
    most = (1 << 63) - 1
    strange = [
        {**flow(), "packets": most, "bytes": most, "sampling": (1 << 32) - 1},
        {**flow(), "first": -most, "last": most},
        {**flow(), "first": most, "last": most},
        {**flow(), "first": START * SECOND, "last": (START - 9) * SECOND},  # ends before it begins
        {**flow(), "first": -1, "last": -1},
    ]
    for row in strange:
        found = rows.rates(counted(row))
        assert {key[0] for key in found} == {HOST, SLASH24, SLASH20}
        for seconds in found.values():
            assert all(0 <= packets <= (1 << 40) * counts.PACKET for packets in seconds.values())
            assert min(seconds) >= 0
            assert max(seconds) - min(seconds) <= 1 << 18
        assert all(each["flows"] in (0, 1) for each in counted(row).to_pylist())
    assert counted(*strange * 2).num_rows == counted(*strange).num_rows


def test_noise_is_the_variance_of_a_sample() -> None:
    (row,) = (each for each in counted(flow(packets=500, sampling=100)).to_pylist() if each["scope"] == HOST)
    assert row["noise"] == 500 * 99  # of n sampled packets that stand for N each: n N (N - 1)
    assert all(each["noise"] == 0 for each in counted(flow(packets=500)).to_pylist())


flow_rows = st.builds(
    flow,
    st.sampled_from(TARGETS),
    st.sampled_from(("syn", "udp", "ntp", "fragment")),
    first=st.integers(0, 8 * SECOND),
    life=st.one_of(st.sampled_from(LIVES[:-1]), st.integers(0, 9 * SECOND)),
    packets=st.integers(0, 10_000),
    size=st.integers(20, 1500),
    sampling=st.sampled_from((1, 100)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(flow_rows, max_size=12))
def test_many_flows_come_to_the_sum_of_each(flows: list[dict]) -> None:
    made = rows.rates(counted(*flows, customers=CUSTOMERS))
    summed: dict = {}
    for each in flows:
        for key, seconds in rows.rates(counted(each, customers=CUSTOMERS)).items():
            known = summed.setdefault(key, {})
            for second, packets in seconds.items():
                known[second] = known.get(second, 0) + packets
    assert made.keys() == summed.keys()
    for key, seconds in made.items():
        assert {second: value for second, value in seconds.items() if value} == {
            second: value for second, value in summed[key].items() if value
        }


@settings(max_examples=25, deadline=None)
@given(st.lists(flow_rows, max_size=9))
def test_interpreted_it_counts_the_same(flows: list[dict]) -> None:
    compiled = counted(*flows, customers=CUSTOMERS).to_pylist()
    with pytest.MonkeyPatch.context() as patch:
        interpret(patch, counts)
        assert counted(*flows, customers=CUSTOMERS).to_pylist() == compiled


@settings(max_examples=40, deadline=None)
@given(st.lists(flow_rows, max_size=12), st.randoms(use_true_random=False), st.integers(0, 12))
def test_order_and_splits_change_nothing(flows: list[dict], chance, cut: int) -> None:
    whole = counted(*flows)
    again = list(flows)
    chance.shuffle(again)
    parts = pa.concat_batches([counted(*again[cut:]), counted(*again[:cut])])
    merged = counts.batch(counts.merged(counts.of(parts)))
    assert sorted(map(repr, merged.to_pylist())) == sorted(map(repr, whole.to_pylist()))


def test_counts_of_a_slice_are_its_own() -> None:
    made = counted(flow(TARGETS[0]), flow(TARGETS[3], "udp"), flow(TARGETS[4], "ntp"))
    for begin in range(made.num_rows):
        part = made.slice(begin, 2)
        assert counts.batch(counts.of(part)).to_pylist() == part.to_pylist()
    assert counted().schema == schema.FLOW_COUNTS
    assert counted().num_rows == 0


def test_more_flows_than_are_looked_at_in_one_go() -> None:
    one = batch(*(flow(TARGETS[n % 4], first=n * 1000, packets=n) for n in range(100)))
    many = pa.concat_batches([one] * 3000)  # kernels take slices of these
    found = rows.rates(counts.batch(counts.merged(counts.count(many))))
    alone = rows.rates(counts.batch(counts.merged(counts.count(one))))
    assert found == {
        key: {second: 3000 * packets for second, packets in seconds.items()} for key, seconds in alone.items()
    }


def test_vectors_are_counted_apart() -> None:
    made = counted(flow(vector="syn", packets=2), flow(vector="ack", packets=3), flow(vector="dns", packets=5))
    found = {NAMES[row["vector"]]: row["packets"] // counts.PACKET for row in made.to_pylist() if row["scope"] == HOST}
    assert found == {"syn": 2, "ack": 3, "dns": 5}
