"""Flow records as columns and back, and targets as people write them."""

import numpy as np
import pyarrow as pa
import pytest

from khien import schema
from khien.flows import records
from tests.flows.rows import START, batch, flow

WRITTEN = [
    ("198.51.100.7", (128, bytes(10) + b"\xff\xff\xc6\x33\x64\x07"), "address"),
    ("198.51.100.0/24", (120, bytes(10) + b"\xff\xff\xc6\x33\x64\x00"), "network"),
    ("198.51.96.0/20", (116, bytes(10) + b"\xff\xff\xc6\x33\x60\x00"), "network"),
    ("0.0.0.0/0", (96, bytes(10) + b"\xff\xff" + bytes(4)), "network"),
    ("2001:db8::1", (128, b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01"), "address"),
    ("2001:db8:1:2::/64", (64, b"\x20\x01\x0d\xb8\x00\x01\x00\x02" + bytes(8)), "network"),
    ("2001:db8::/32", (32, b"\x20\x01\x0d\xb8" + bytes(12)), "network"),
]


@pytest.mark.parametrize(("text", "target", "kind"), WRITTEN)
def test_targets_are_written_and_read(text: str, target: tuple[int, bytes], kind: str) -> None:
    assert records.written(*target) == (text, kind)
    assert records.target(text) == target


def test_an_address_as_a_network() -> None:
    assert records.network(*WRITTEN[0][1]) == "198.51.100.7/32"
    assert records.network(*WRITTEN[4][1]) == "2001:db8::1/128"
    for each in ("198.51.100.7/24", "2001:db8::1/32", "nowhere", ""):
        with pytest.raises(ValueError, match=r"does not appear|has host bits"):
            records.target(each)


def test_what_lies_in_what() -> None:
    host, slash24, slash20, everything = (target for _, target, _ in WRITTEN[:4])
    assert records.inside(host, slash24)
    assert records.inside(slash24, slash20)
    assert records.inside(host, everything)
    assert not records.inside(host, host)
    assert not records.inside(slash24, host)
    assert not records.inside(records.target("198.51.101.7"), slash24)
    assert not records.inside(WRITTEN[4][1], everything), "IPv6 is no part of IPv4"


def test_columns_are_views_of_rows_and_the_other_way_round() -> None:
    rows = batch(*(flow(f"198.51.100.{n}", first=n, packets=n) for n in range(5)))
    columns = records.columns(rows)
    assert columns.packets.tolist() == [0, 1, 2, 3, 4]
    assert columns.first.tolist() == [START * 1_000_000 + n for n in range(5)]
    assert columns.target[3].tobytes() == records.target("198.51.100.3")[1]
    assert records.batch(columns, 5).equals(rows)
    assert records.batch(columns, 2).equals(rows.slice(0, 2))
    part = records.columns(rows.slice(2, 2))
    assert (part.packets.tolist(), part.target[0].tobytes()[-1]) == ([2, 3], 2)


def test_no_rows() -> None:
    for none in (records.batch(records.empty(0), 0), batch(), batch(flow()).slice(1)):
        assert all(len(column) == 0 for column in records.columns(none))
        assert records.columns(none).source.shape == (0, 16)


def test_every_column_has_the_width_that_kernels_expect() -> None:
    kinds = {name: column.dtype for name, column in records.empty(3)._asdict().items()}
    assert kinds["source_port"] == np.uint16
    assert kinds["sampling"] == np.uint32
    assert {kinds[name] for name in ("first", "last", "packets", "bytes")} == {np.dtype(np.int64)}
    full = records.batch(records.Columns(*(np.zeros_like(column) for column in records.empty(3))), 3)
    full.validate(full=True)
    assert full.schema == schema.FLOWS
    assert full.column("first").type == pa.timestamp("us", tz="UTC")
