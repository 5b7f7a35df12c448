"""The rules by which a rate is a flood, one by one: when it is raised, goes on, is over, and what is said of it."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.flows import judge
from khien.flows.judge import Flood, Rates, floods
from khien.flows.vectors import NUMBERS

LINE = 1000.0  # packets a second
BYTE_LINE = 1e9  # bytes a second: packets of 60 bytes come nowhere near
SYN, UDP, ACK, RST, FIN, TCP = (NUMBERS[name] for name in ("syn", "udp", "ack", "rst", "fin", "tcp"))
SYN_ACK = NUMBERS["syn-ack-reflection"]


def of(
    *rows: Sequence[float], vectors: Sequence[int] = (), sampling: int = 1, size: int = 60, seen: float = 1
) -> Rates:
    """Rates in packets of so many bytes, each row a vector: udp, unless they are named."""
    packets = np.array(rows, float)
    return Rates(
        vectors=tuple(vectors) or (UDP,),
        packets=packets,
        bytes=packets * size,
        noise=packets * (sampling - 1),
        seen=np.full(packets.shape[1], seen, float),
    )


def found(rates: Rates, line: float = LINE, byte_line: float = BYTE_LINE) -> list[Flood]:
    n = len(rates.vectors)
    return floods(rates, np.full(n, line), np.full(n, byte_line))


def at(rates: Rates, **lines: float) -> list[tuple[int, int, int, int]]:
    return [(each.start, each.raised, each.peak, each.end) for each in found(rates, **lines)]


def test_one_bin_at_five_times_the_line() -> None:
    assert at(of([0, 0, 5000, 0])) == [(2, 2, 2, 2)]
    assert at(of([0, 0, 4999, 0])) == []


def test_two_bins_of_three_over_the_line() -> None:
    assert at(of([0, 1000, 1000, 0])) == [(1, 2, 1, 2)]
    assert at(of([0, 1200, 0, 1300, 0])) == [(1, 3, 3, 3)]
    assert at(of([0, 4000, 0, 0, 4000, 0])) == []
    assert at(of([0, 999, 999, 999, 999])) == []
    assert at(of([4000])) == []


def test_no_target_no_time_no_rate() -> None:
    assert found(of([0.0] * 10)) == []
    assert found(of([-5000.0, -5000.0])) == []


def test_by_bits() -> None:
    big = of([500, 500, 500], size=1500)
    assert at(big, byte_line=750_000) == [(0, 1, 0, 2)]
    assert at(big, byte_line=750_001) == []
    (flood,) = found(big, byte_line=100_000)
    assert (flood.rule, flood.rate, flood.line) == ("bits", 6_000_000, 800_000)
    (flood,) = found(of([9000, 9000]))
    assert (flood.rule, flood.rate, flood.line) == ("packets", 9000, 1000)


def test_samples_must_be_over_the_line_at_their_lower_bound() -> None:
    assert at(of([0, 1300, 1300, 0], sampling=1)) != []
    assert at(of([0, 1300, 1300, 0], sampling=100)) == [], "13 samples may be chance"
    assert at(of([0, 1300, 1300, 0], sampling=2)) != []
    assert at(of([0, 7000, 0, 0], sampling=1000)) == [], "7 samples"
    assert at(of([0, 70_000, 0, 0], sampling=1000)) != []


def test_longer_means_say_more_of_samples() -> None:
    steady = of([0] * 4 + [1500] * 8, sampling=100)
    (flood,) = found(steady)
    assert (flood.start, flood.end) == (4, 11)
    assert 6 <= flood.raised <= 11, "one second does not say it, several do"
    assert at(of([0] * 4 + [1050] * 8, sampling=1000)) == []


def test_the_error_is_that_of_the_peak() -> None:
    (flood,) = found(of([0, 10_000, 20_000], sampling=101))
    assert flood.peak == 2
    assert flood.error == pytest.approx(np.sqrt(20_000 * 100))
    assert found(of([0, 10_000, 20_000]))[0].error == 0.0


def test_start_peak_and_end() -> None:
    rates = of([100, 0, 600, 800, 2000, 6000, 3000, 900, 501, 499, 20, 0])
    assert at(rates) == [(2, 5, 5, 8)], "it goes on down to half of the line"
    (flood,) = found(rates)
    assert (flood.packets, flood.bytes) == (6000, 360_000)


def test_what_was_long_before_is_no_start() -> None:
    assert at(of([700, 700, 0, 0, 0, 0, 3000, 3000])) == [(6, 7, 6, 7)]
    assert at(of([700, 700, 0, 0, 3000, 3000])) == [(0, 5, 4, 5)], "a pause of two seconds is none"


def test_pauses_do_not_end_it_and_long_ones_do() -> None:
    burst = [6000.0, 6000.0]
    for pause, n in ((5, 1), (judge.QUIET - 1, 1), (judge.QUIET, 2), (200, 2)):
        assert len(found(of(burst + [0.0] * pause + burst))) == n, pause
    first, second = found(of(burst + [0.0] * 80 + [9000.0, 0]))
    assert (first.start, first.end) == (0, 1)
    assert (second.start, second.raised, second.peak, second.end) == (82, 82, 82, 82)


@given(st.lists(st.sampled_from([1100.0, 900.0, 700.0]), min_size=1, max_size=115))
def test_a_rate_that_dances_round_the_line_is_one_flood(dance: list[float]) -> None:
    (flood,) = found(of([1100.0, 1100.0, *dance]))
    assert (flood.start, flood.raised, flood.end) == (0, 1, len(dance) + 1)


@given(st.lists(st.floats(0, 999), min_size=1, max_size=100))
def test_below_the_line_nothing_is_a_flood(rates: list[float]) -> None:
    assert found(of(rates)) == []


def test_connections_begin_with_syn() -> None:
    busy = [20_000.0] * 5
    assert at(of([1200.0] * 5, busy, vectors=(SYN, ACK)), line=1000, byte_line=1e12)[0][0] == 0, "ack is over itself"
    lines = np.array([1000.0, 1e9])
    assert floods(of([4900.0] * 5, busy, vectors=(SYN, ACK)), lines, lines * 1e6) == []
    (flood,) = floods(of([7000.0] * 5, busy, vectors=(SYN, ACK)), lines, lines * 1e6)
    assert flood.vectors == (SYN,)
    assert len(floods(of([4900.0] * 5, vectors=(SYN,)), lines[:1], lines[:1] * 1e6)) == 1


@pytest.mark.parametrize("vector", [SYN, SYN_ACK, RST, FIN])
def test_what_goes_with_connections_is_none_of_it(vector: int) -> None:
    lines = np.array([1000.0, 1e9])
    assert floods(of([2000.0] * 5, [10_000.0] * 5, vectors=(vector, TCP)), lines, lines * 1e6) == []
    assert len(floods(of([2000.0] * 5, [1000.0] * 5, vectors=(vector, TCP)), lines, lines * 1e6)) == 1


def test_vectors_that_take_part_are_named_by_what_they_bring() -> None:
    quiet, some, most = [10.0] * 4, [3000.0] * 4, [9000.0] * 4
    (flood,) = found(of(some, quiet, most, vectors=(SYN, RST, UDP)))
    assert flood.vectors == (UDP, SYN)
    assert flood.vector == UDP
    assert flood.packets == 12_000
    assert flood.loads == ((UDP, 9000.0, 540_000.0), (SYN, 3000.0, 180_000.0))


def test_what_begins_later_joins() -> None:
    (flood,) = found(of([6000.0] * 8, [0.0] * 5 + [6000.0] * 3, vectors=(SYN, UDP)))
    assert set(flood.vectors) == {SYN, UDP}
    assert (flood.start, flood.raised, flood.peak, flood.end) == (0, 0, 5, 7)


def test_a_capture_shorter_than_a_second() -> None:
    assert at(of([1500.0], seen=0.5)) == [(0, 0, 0, 0)], "3,000 a second"
    assert at(of([400.0], seen=0.1)) == [], "4,000 a second, but only 400"
    assert at(of([900.0], seen=0.5)) == []
    (flood,) = found(of([2000.0], seen=0.5))
    assert (flood.packets, flood.rate) == (4000, 4000)
    assert at(of([700.0, 700.0], seen=0.3)) == [(0, 0, 0, 1)], "both say it"


def test_lines_are_floors_or_what_is_usual() -> None:
    floors = {SYN: (1000.0, 8e6), UDP: (5000.0, 8e9)}
    packets, sizes = judge.lines(floors, {SYN: 4000.0, UDP: 100.0}, (SYN, UDP), most=10.0)
    assert packets.tolist() == [4000.0, 5000.0]
    assert sizes.tolist() == [4e6, 1e9], "as often more bits as packets are usual"
    assert judge.lines(floors, {}, (UDP,), most=3.0)[0].tolist() == [5000.0]
    assert judge.lines(floors, {SYN: 9e9}, (SYN,), most=3.0)[0].tolist() == [3000.0], "whatever we were taught"
