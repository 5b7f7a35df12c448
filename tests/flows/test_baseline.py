"""What is usual: the same from any order of partials, of prefixes and never of hosts, and old hours count less."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien import schema
from khien.flows import baseline
from khien.flows.baseline import BUCKETS, ENOUGH, GROWTH, HALF_LIFE, Baseline
from khien.flows.vectors import NUMBERS
from tests.flows.rows import HOST, SLASH20, SLASH24, SLASH64, START, packed

SYN, UDP = NUMBERS["syn"], NUMBERS["udp"]
HOUR = 3600
NET = (SLASH24, packed("198.51.100.0"))


def rates(*rows: tuple[int, tuple[int, bytes], int, float]) -> pa.RecordBatch:
    """schema.RATES of second (behind START), target, vector, packets."""
    return pa.RecordBatch.from_pylist(
        [
            {"second": (START + second) * 1_000_000, "scope": scope, "prefix": prefix, "vector": vector,
             "packets": packets, "bytes": 0.0, "noise": 0.0, "seen": 1.0}
            for second, (scope, prefix), vector, packets in rows
        ],
        schema.RATES,
    )  # fmt: skip


def kept(hour: int, rate: float, seconds: int, target: tuple[int, bytes] = NET, vector: int = SYN) -> pa.RecordBatch:
    """schema.BASELINES of a rate that went on for so many seconds of an hour (behind START)."""
    return pa.RecordBatch.from_pylist(
        [
            {"grid": datetime.fromtimestamp(START, UTC) + timedelta(hours=hour), "scope": target[0],
             "prefix": target[1], "vector": vector, "bucket": int(baseline.bucket(np.array([rate]))[0]),
             "seconds": seconds}
        ],
        schema.BASELINES,
    )  # fmt: skip


def usual(*rows: pa.RecordBatch, hour: int = 0, target: tuple[int, bytes] = NET) -> dict[int, float]:
    known = Baseline()
    for each in rows:
        known.take(each)
    return {row["vector"]: row["packets"] for row in known.usual([target], START + hour * HOUR)}


@given(st.floats(0, 1e9))
def test_a_bucket_knows_a_rate_within_its_width(rate: float) -> None:
    (number,) = baseline.bucket(np.array([rate])).tolist()
    assert 0 <= number < BUCKETS
    if rate > 1 and number < BUCKETS - 1:
        assert GROWTH ** (number - 1) * (1 - 1e-9) <= rate <= GROWTH**number * (1 + 1e-9)


def test_buckets_take_whatever_comes() -> None:
    assert baseline.bucket(np.array([-5.0, 0.0, 1.0, 1e300, np.inf])).tolist() == [0, 0, 0, BUCKETS - 1, BUCKETS - 1]


def test_hosts_are_never_in_it() -> None:
    host = (HOST, packed("198.51.100.7"))
    household, six = (SLASH64, packed("2001:db8::")), (48, packed("2001:db8::"))
    made = baseline.fold(rates((0, host, SYN, 5.0), (0, NET, SYN, 5.0), (1, NET, SYN, 5.0), (HOUR, six, UDP, 9.0)))
    assert baseline.fold(rates((0, household, SYN, 5.0))).num_rows == 0
    assert made.schema == schema.BASELINES
    assert [(row["scope"], row["vector"], row["seconds"]) for row in made.to_pylist()] == [
        (SLASH24, SYN, 2),
        (48, UDP, 1),
    ]
    assert {row["grid"].timestamp() - START for row in made.to_pylist()} == {0, HOUR}
    assert baseline.fold(rates((0, host, SYN, 5.0))).num_rows == 0
    assert baseline.fold(rates()).num_rows == 0


def test_little_is_not_usual_yet() -> None:
    assert usual(kept(0, 100.0, int(ENOUGH) - 1)) == {}
    assert SYN in usual(kept(0, 100.0, int(ENOUGH)))


def test_usual_is_over_what_was_met_and_under_ten_times_of_it() -> None:
    (line,) = usual(kept(0, 1000.0, 7200)).values()
    assert 2500 < line < 4000
    steady_with_bursts = [kept(0, 1000.0, 6000), kept(0, 20_000.0, 20)]
    (line,) = usual(*steady_with_bursts).values()
    assert line < 5000, "a median is not moved by bursts"


def test_an_hour_of_the_day_is_held_to_itself() -> None:
    rows = [kept(8, 5000.0, 7200), kept(3, 10.0, 7200)]
    assert usual(*rows, hour=24 + 8)[SYN] > 10_000
    assert usual(*rows, hour=24 + 3)[SYN] < 100
    assert usual(*rows, hour=24 + 15) == {}, "of an hour that is not known nothing is"


def test_a_quiet_neighbour_does_not_make_busy_seconds_unusual() -> None:
    (line,) = usual(kept(0, 1000.0, 2000), kept(0, 1.0, 16_000)).values()
    assert line > 1000


def test_vectors_and_prefixes_have_their_own() -> None:
    wide = (SLASH20, packed("198.51.96.0"))
    rows = [kept(0, 5000.0, 7200), kept(0, 50.0, 7200, vector=UDP), kept(0, 90_000.0, 7200, wide)]
    mine = usual(*rows)
    assert set(mine) == {SYN, UDP}
    assert mine[UDP] < mine[SYN]
    assert usual(*rows, target=wide)[SYN] > 200_000
    assert usual(*rows, target=(SLASH24, packed("198.51.101.0"))) == {}


@pytest.mark.parametrize(("host", "net"), [("198.51.100.7", "198.51.100.0"), ("2001:db8::7", "2001:db8::")])
def test_a_host_is_held_to_its_prefix(host: str, net: str) -> None:
    around = (SLASH24 if "." in net else 48, packed(net))
    assert baseline.around(packed(host)) == around
    row = kept(0, 5000.0, 7200, around)
    assert usual(row, target=(HOST, packed(host))) == usual(row, target=around) != {}


def test_after_a_half_life_a_second_counts_half() -> None:
    new = kept(HALF_LIFE, 20.0, 3500)
    assert usual(kept(0, 10.0, 7200), new) == usual(kept(HALF_LIFE, 10.0, 3600), new)
    assert usual(kept(0, 10.0, 7200), new) != usual(kept(HALF_LIFE, 10.0, 7200), new)
    assert usual(kept(0, 10.0, int(ENOUGH)), kept(HALF_LIFE, 1.0, 1, vector=UDP)) == {}, "by now it is half of enough"


partials = st.builds(
    kept,
    st.integers(0, 1000),
    st.sampled_from([1.0, 30.0, 800.0, 20_000.0]),
    st.integers(1, 3600),
    vector=st.sampled_from([SYN, UDP]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(partials, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_in_any_order_it_is_the_same(rows: list[pa.RecordBatch], chance) -> None:
    newest = max(row.column("grid")[0].as_py() for row in rows)
    hour = int(newest.timestamp() - START) // HOUR
    again = list(rows)
    chance.shuffle(again)
    assert usual(*rows, hour=hour) == pytest.approx(usual(*again, hour=hour), rel=1e-3)
    merged = baseline.merge(pa.concat_batches(again))
    assert usual(merged, hour=hour) == pytest.approx(usual(*rows, hour=hour), rel=1e-3)
    assert merged.column("seconds").to_numpy().sum() == sum(row.column("seconds")[0].as_py() for row in rows)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "_MOST", 3)
    nets = [(SLASH24, packed(f"198.51.{n}.0")) for n in range(5)]
    known = Baseline()
    for each in nets:
        known.take(kept(0, 100.0, 7200, each))
    assert len(list(known.usual(nets, START))) == 3
