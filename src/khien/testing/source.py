"""A source, held to its contract."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from khien import schema
from khien.contracts import Source
from khien.testing.hold import as_counts, hold, hold_part, hold_same_schema


def check_source(source: Source) -> None:
    """A source resumes from each of its cursors without skipping a row, and may be abandoned at any page.

    For a source that ends. Reads it once more for every page it has: try it with few.
    """
    whose = f"source {source.name}"
    hold_part(source, "name", "yields", "replayable")
    pages = list(source.read(None))
    for page in pages:
        hold_same_schema(whose, "a page", page.rows.schema, source.yields)
        hold(type(page.cursor) is bytes, f"{whose} gives a cursor that is not bytes: {page.cursor!r}")
        if page.skipped is not None:
            hold_same_schema(whose, "what it skipped", page.skipped.schema, schema.SKIPPED)
    moved = [page.cursor for page in pages if page.rows.num_rows]
    hold(len(set(moved)) == len(moved), f"{whose} yields rows without moving its cursor: they would replace each other")

    for number, page in enumerate(pages):
        remaining = _counted(later.rows for later in pages[number + 1 :])
        resumed = _counted(later.rows for later in source.read(page.cursor))
        hold(remaining <= resumed, f"{whose} skips {list(remaining - resumed)[:3]} after the cursor {page.cursor!r}")
        for _ in islice(source.read(None), number + 1):  # and abandoned there
            pass
    whole = _counted(page.rows for page in pages)
    again = _counted(page.rows for page in source.read(None))
    hold(whole <= again or not source.replayable, f"{whose} is replayable, but does not give the same rows again")


def _counted(batches: Iterator[pa.RecordBatch]) -> Counter[str]:
    return sum(map(as_counts, batches), Counter[str]())
