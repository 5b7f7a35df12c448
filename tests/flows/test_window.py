"""The window holds what its horizon holds, whatever the order of arrival, and never more than it has room for."""

from collections import defaultdict
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.flows import window
from khien.flows.counts import PACKET, SUMS, Counts, joined, of_columns
from khien.flows.floors import OURS
from khien.flows.vectors import NUMBERS, VECTORS
from khien.flows.window import Lines, Window
from tests.flows.conftest import interpret
from tests.flows.rows import HOST, SLASH24, START, packed

HORIZON = 20
ROOM = 1 << 14  # keys for which there is always room
SYN, UDP = NUMBERS["syn"], NUMBERS["udp"]
TARGETS = [(HOST, packed("198.51.100.7")), (HOST, packed("2001:db8::1")), (SLASH24, packed("198.51.100.0"))]
LINE = 100.0  # packets and bytes a second, of any vector
LINES = Lines(np.zeros(129, np.uint8), np.full((1, len(VECTORS)), LINE), np.full((1, len(VECTORS)), LINE))


class Row(NamedTuple):
    """A row of counts. second: behind START."""

    second: int
    target: tuple[int, bytes]
    vector: int = SYN
    packets: int = 0
    bytes: int = 0
    step: int = 0  # of packets and bytes


def counts_of(*rows: Row) -> Counts:
    sums = [(row.packets, row.bytes, row.packets, row.step, row.step, row.step, 0) for row in rows]
    return of_columns(
        second=np.array([START + row.second for row in rows], np.int64),
        scope=np.array([row.target[0] for row in rows], np.uint8),
        prefix=np.frombuffer(b"".join(row.target[1] for row in rows), np.uint64).reshape(-1, 2),
        vector=np.array([row.vector for row in rows], np.uint8),
        sums=np.array(sums, np.int64).reshape(-1, len(SUMS)),
    )


def made(horizon: int = HORIZON, most_keys: int = ROOM) -> Window:
    return Window(LINES, horizon, most_keys)


def lived(second: int, life: int, each: int, target: tuple[int, bytes], vector: int = SYN) -> tuple[Row, ...]:
    """What a flow leaves that brings so much a second."""
    if life == 0:
        return (Row(second, target, vector, each, each),)
    ends = Row(second + life, target, vector, each, each, -each if life > 1 else 0)
    begins = Row(second, target, vector, each, each)
    return (begins, ends, Row(second + 1, target, vector, step=each)) if life > 1 else (begins, ends)


flows = st.builds(
    lived,
    st.integers(0, 60),
    st.integers(0, 50),
    st.integers(1, 60_000),
    st.sampled_from(TARGETS),
    st.sampled_from((SYN, UDP)),
)


def expected(rows: list[Row], oldest: int, newest: int) -> dict[Any, list[tuple[int, int]]]:
    """Packets and bytes in each second of the horizon, of each key that has any."""
    series: dict[Any, list[tuple[int, int]]] = {}
    by_key: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        by_key[row.target, row.vector].append(row)
    for key, mine in by_key.items():
        values = []
        for second in range(oldest, newest + 1):
            going = sum(row.step for row in mine if row.second <= second)
            here = [row for row in mine if row.second == second]
            values.append((sum(row.packets for row in here) + going, sum(row.bytes for row in here) + going))
        if any(map(any, values)):
            series[key] = values
    return series


def held(one: Window, targets: list[tuple[int, bytes]]) -> dict[Any, list[tuple[int, int]]]:
    series = one.series(targets)
    assert series.oldest == one.oldest
    return {
        (target, vector): list(map(tuple, series.amounts[number, vector, :, :2].tolist()))
        for number, target in enumerate(targets)
        for vector in range(len(VECTORS))
        if series.amounts[number, vector].any()
    }


def in_order(flows: list[tuple[Row, ...]]) -> list[tuple[Row, ...]]:
    """As routers send them: a flow is told of when it has ended."""
    return sorted(flows, key=lambda rows: max(row.second for row in rows))


def take_all(one: Window, flows: list[tuple[Row, ...]]) -> None:
    newest = 0
    for rows in flows:
        newest = max(newest, *(row.second for row in rows))
        one.take(counts_of(*rows), START + newest)


@settings(max_examples=150, deadline=None)
@given(st.lists(flows, max_size=12), st.randoms(use_true_random=False), st.integers(0, 100))
def test_any_order_of_arrival_gives_the_same(flows: list[tuple[Row, ...]], chance, late: int) -> None:
    flows = in_order(flows)
    some = flows[: late % (len(flows) + 1)]
    chance.shuffle(some)  # late rows of some, and all at once
    flows[: len(some)] = some
    one = made()
    take_all(one, flows)
    newest = max((row.second for rows in flows for row in rows), default=0)
    assert one.newest == (START + newest if flows else 0)
    if flows:
        rows = [row for each in flows for row in each]
        assert held(one, TARGETS) == expected(rows, max(newest - HORIZON + 1, -START), newest)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(flows, max_size=4), max_size=6))
def test_whoever_has_a_second_over_a_line_is_looked_at(batches: list[list[tuple[Row, ...]]]) -> None:
    one, rows, newest = made(), list[Row](), 0
    for batch in batches:
        here = [row for each in batch for row in each]
        newest = max([newest, *(row.second for row in here)])
        rows += here
        one.take(counts_of(*here), START + newest)
        over = one.over()
        changed = {(row.target, row.vector) for row in here if row.second > newest - HORIZON}
        for key, values in expected(rows, newest - HORIZON + 1, newest).items():
            if key in changed and any(packets >= LINE * PACKET or size >= LINE for packets, size in values):
                assert key[0] in over
        assert list(over) == sorted(set(over))
        assert not one.over(), "nothing changed since"


def test_who_stays_below_every_line_is_passed_over() -> None:
    one = made()
    one.take(
        counts_of(Row(0, TARGETS[0], packets=99 * PACKET, bytes=99), Row(1, TARGETS[1], packets=50 * PACKET)), START
    )
    assert one.over() == []
    one.take(counts_of(Row(0, TARGETS[0], packets=PACKET)), START)
    assert one.over() == TARGETS[:1]
    one.take(counts_of(Row(1, TARGETS[1], bytes=100)), START)
    assert one.over() == TARGETS[1:2]
    one.take(counts_of(Row(2, TARGETS[2], step=100 * PACKET)), START)
    assert one.over() == one.wide(1.0) == TARGETS[2:]
    assert one.wide(1.1) == []


def test_lines_are_those_of_scope_and_vector() -> None:
    one = Window(OURS.lines(0.5))
    host, slash24 = TARGETS[0], TARGETS[2]
    packets, _ = OURS.of(HOST, "syn")
    most = int(packets / 2 * PACKET)
    one.take(counts_of(Row(0, host, packets=most - 1), Row(0, slash24, packets=most)), START)
    assert one.over() == []
    one.take(counts_of(Row(0, host, packets=1), Row(0, host, UDP, packets=most)), START)
    assert one.over() == [host]


def test_flows_that_began_before_the_horizon_go_on_in_it() -> None:
    one = made()
    one.take(counts_of(*lived(0, 100, 7 * PACKET, TARGETS[0])), START + 100)
    assert held(one, TARGETS) == {(TARGETS[0], SYN): [(7 * PACKET, 7 * PACKET)] * HORIZON}
    one.take(counts_of(*lived(10, 95, 2 * PACKET, TARGETS[0])), START + 105)
    before, both = (7 + 2) * PACKET, 2 * PACKET
    assert [packets for packets, _ in held(one, TARGETS)[TARGETS[0], SYN]] == [before] * 15 + [both] * 5


def test_what_is_over_is_forgotten() -> None:
    one = made()
    one.take(counts_of(*lived(0, 30, PACKET, TARGETS[0]), Row(30, TARGETS[1], packets=1)), START + 30)
    assert one.keys == 2
    one.take(counts_of(Row(60, TARGETS[2], packets=1)), START + 60)
    assert one.keys == 1
    assert held(one, TARGETS) == {(TARGETS[2], SYN): [(0, 0)] * 19 + [(1, 0)]}
    assert one.left == 0


def test_time_never_goes_back() -> None:
    one = made()
    one.take(counts_of(Row(50, TARGETS[0], packets=3)), START + 50)
    one.take(counts_of(Row(2, TARGETS[1], packets=5), Row(40, TARGETS[1], packets=4)), START + 2)
    assert one.newest == START + 50
    assert [sum(packets for packets, _ in values) for values in held(one, TARGETS).values()] == [3, 4]


def many(n: int, begin: int = 0) -> np.ndarray:
    return np.arange(begin, begin + n, dtype=np.uint64)


def one_packet_each(numbers: np.ndarray, second: int) -> Counts:
    sums = np.zeros((len(numbers), len(SUMS)), np.int64)
    sums[:, 0] = PACKET
    prefix = np.zeros((len(numbers), 2), np.uint64)
    prefix[:, 1] = numbers
    whole = np.full(len(numbers), START + second, np.int64)
    return of_columns(whole, HOST, prefix, SYN, sums)


def live(one: Window, numbers: np.ndarray) -> list[bool]:
    targets = [(HOST, bytes(8) + int(number).to_bytes(8, "little")) for number in numbers]
    return one.series(targets).amounts.any(axis=(1, 2, 3)).tolist()


def test_of_more_keys_than_there_is_room_for_the_oldest_leave_first() -> None:
    one = made(most_keys=ROOM)
    for second in range(5):
        one.take(one_packet_each(many(10_000, second * 10_000), second), START + second)
        assert one.keys <= ROOM
    assert one.left >= 50_000 - ROOM
    assert all(live(one, many(5000, 45_000)))
    assert not any(live(one, many(30_000)))


def test_with_room_for_all_none_leaves() -> None:
    one = made(most_keys=1 << 17)
    for second in range(HORIZON - 1):
        one.take(one_packet_each(many(5000, second * 5000), second), START + second)
    assert (one.keys, one.left) == (5000 * (HORIZON - 1), 0)
    assert all(live(one, many(5000 * (HORIZON - 1), 0)[::97]))


def test_a_table_that_grows_amid_a_flow_loses_none_of_it() -> None:
    begins, ends, step = lived(0, 100, 7 * PACKET, TARGETS[0])
    one = made(most_keys=1 << 17)
    one.take(joined([counts_of(begins, step), one_packet_each(many(40_000), 100), counts_of(ends)]), START + 100)
    assert held(one, TARGETS) == {(TARGETS[0], SYN): [(7 * PACKET, 7 * PACKET)] * HORIZON}


def test_few_keys_that_are_there_every_second_fill_no_more_than_the_room() -> None:
    one = made(horizon=120, most_keys=ROOM)
    for second in range(130):
        one.take(one_packet_each(many(500), second), START + second)
    assert one.keys == 500


@settings(max_examples=15, deadline=None)
@given(st.lists(flows, min_size=1, max_size=6))
def test_interpreted_it_holds_the_same(flows: list[tuple[Row, ...]]) -> None:
    def run() -> Any:
        one = made()
        take_all(one, in_order(flows))
        return one.over(), one.wide(0.5), held(one, TARGETS), one.keys

    compiled, small = run(), partial(window._Tables, 64)
    with pytest.MonkeyPatch.context() as patch:
        interpret(patch, window)
        patch.setattr(window, "_Tables", lambda _: small())  # as it stands, it is slow
        assert run() == compiled
