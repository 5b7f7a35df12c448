"""What pages show of floods, before it is markup."""

from datetime import datetime, timedelta

import msgspec
import pyarrow as pa
import pytest

from khien import schema
from khien.model import Finding
from khien.pipeline import standing
from khien.web import floods
from tests.web.conftest import AT, LASTED, VECTORS, course, flooded

FLOOD = flooded("198.51.100.0/24")


def with_times(raised: datetime, start: datetime | None, episode: datetime | None = None) -> Finding:
    return msgspec.structs.replace(FLOOD, raised=raised, start=start, episode=episode)


@pytest.mark.parametrize(
    ("finding", "soon"),
    [
        (with_times(AT, AT - timedelta(seconds=2.5)), standing.Soon(2.5, True)),
        (with_times(AT, AT - timedelta(days=9), AT - timedelta(days=9)), standing.Soon(1.0, False)),  # a replay
        (
            with_times(AT, AT + timedelta(seconds=9), AT + timedelta(seconds=12)),
            standing.Soon(4.0, False),
        ),  # a clock ahead
        (with_times(AT, AT - timedelta(days=9)), None),
        (with_times(AT, None), None),
    ],
)
def test_how_soon_a_flood_was_found(finding: Finding, soon: standing.Soon | None) -> None:
    assert standing.soon(finding) == soon


def test_the_tile_prefers_what_a_clock_has_measured() -> None:
    live = [with_times(AT, AT - timedelta(seconds=n)) for n in (1, 2, 9)]
    dated = with_times(AT, AT - timedelta(days=1), AT - timedelta(days=1))
    told = floods.tile({("flood", "new"): 4, ("flood", "confirmed"): 1, ("flood-source", "new"): 9}, [*live, dated])
    assert (told.findings, told.looked_at, told.at_home) == (5, 1, 9)
    assert (told.latest, told.seconds, told.live) == (4, 2.0, True)
    assert floods.tile({}, [dated]).seconds == 1.0
    empty = floods.tile({}, [])
    assert (empty.largest, empty.seconds) == (None, None)


def test_rates_of_a_long_flood_keep_its_packets() -> None:
    rates = floods.rates(pa.table(course(FLOOD)))
    assert rates is not None
    assert rates.vectors == ("dns", "syn", "ntp", "fragment", floods.REST)
    assert len(rates.bars) <= floods.MOST_BARS
    assert rates.step == 3
    assert {bar.packets for bar in rates.bars} == {(90_000.0, 40_000.0, 30_000.0, 20_000.0, 1_700.0)}
    assert len(rates.bars) * rates.step == LASTED


def test_the_last_bar_may_be_short() -> None:
    rows = course(FLOOD).slice(0, 61 * len(VECTORS) * 2)
    rates = floods.rates(pa.table(rows))
    assert rates is not None
    assert rates.step == 2
    assert rates.bars[-1].packets == rates.bars[0].packets


def test_what_is_unknown_is_left_out() -> None:
    row = {"second": AT, "finding": FLOOD.id, "vector": "<b>", "packets": 1.0, "bytes": 1.0}
    assert floods.rates(pa.Table.from_pylist([row], schema.FLOOD_RATES)) is None
    assert floods.rates(schema.FLOOD_RATES.empty_table()) is None
    assert floods.consists_of(msgspec.structs.replace(FLOOD, measures={"packets": 1.0})) is None


def test_filters_name_the_victim_and_the_vectors() -> None:
    attack = floods.consists_of(FLOOD)
    assert attack is not None
    texts = floods.filters(attack, AT)
    assert list(texts) == list(floods.ROUTERS)
    assert all("198.51.100.0" in text and "2026-11-22" in text for text in texts.values())
    assert "dns" in texts["ExaBGP"]


def test_the_line_is_one_of_packets() -> None:
    assert floods.line(FLOOD) == 8000.0
    (first, *rest) = FLOOD.reasons
    by_bits = msgspec.structs.replace(FLOOD, reasons=(msgspec.structs.replace(first, code="flood-bits"), *rest))
    assert floods.line(by_bits) is None
