"""What is told at the end of a scan."""

import pyarrow as pa

from khien import schema
from khien.cli.tally import Tally


def skipped(*rows: tuple[str, str, str]) -> pa.RecordBatch:
    return pa.record_batch([list(column) for column in zip(*rows, strict=True)], schema=schema.SKIPPED)


def test_skipped_rows_with_their_first_places() -> None:
    tally = Tally("read")
    tally.rows = 12_345
    tally.skip(skipped(("f:1", "no-dot", "x"), ("f:2", "empty", ""), ("f\x1b:3", "no-dot", "y")))
    tally.skip(skipped(("f:4", "no-dot", "z"), ("f:5", "no-dot", "z"), ("f", "more", "1200")))
    lines = list(tally.lines(2.0, "en", whole=True))
    assert lines == [
        "names read: 12,345 in 2.0 s (6,172 a second), findings: 0",
        "rows skipped: 1,205",
        "  1,200: more, only counted (f, …)",
        "  4: no dot in it (f:1, f\\x1b:3, f:4, …)",
        "  1: there is no name (f:2)",
    ]
    assert next(tally.lines(2.0, "vi", whole=False)) == "số dòng bỏ qua: 1.205"


def test_nothing_to_tell() -> None:
    assert list(Tally("read").lines(0.0, "en", whole=False)) == []
    assert list(Tally("read").lines(0.0, "vi", whole=True)) == [
        "đã đọc 0 tên trong 0,0 giây (0 tên mỗi giây), phát hiện: 0"
    ]
