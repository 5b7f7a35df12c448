"""A fold, held to its contract."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from khien.contracts import Fold
from khien.testing.hold import as_counts, hold, hold_part, hold_same, hold_same_schema, shuffled
from khien.testing.purity import forbidden_inside

_PLACE = "row"  # where in its batch a row stood: no part of what is folded


def check_fold(fold: Fold, rows: pa.RecordBatch, *, seed: int = 0) -> None:
    """A fold gives the same rows whatever the splits, and however its partials are ordered, grouped and replaced.

    The key ``by`` names columns of ``yields``; merged rows are one a key. A column ``row``, which tells where in its
    batch a row stood, is not looked at: merged rows stood in several.
    """
    whose = f"fold {fold.name}"
    hold_part(fold, "name", "reads", "by", "yields")
    hold_same_schema(whose, "the rows to try it with", rows.schema, fold.reads)
    hold(set(fold.by) <= set(fold.yields.names), f"{whose} does not yield all columns of by {fold.by}")

    def folded(batch: pa.RecordBatch) -> pa.RecordBatch:
        with forbidden_inside():
            partial = fold(batch)
        hold_same_schema(whose, "a partial", partial.schema, fold.yields)
        return partial

    def merged(partials: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        with forbidden_inside():
            result = fold.merge(pa.concat_batches(partials))
        hold_same_schema(whose, "what it merged", result.schema, fold.yields)
        return result

    def counts(batch: pa.RecordBatch) -> Counter[str]:
        return as_counts(batch.select([name for name in batch.schema.names if name != _PLACE]))

    whole = folded(rows)
    truth = counts(whole)
    keys = whole.select(list(fold.by)).to_pylist()
    hold(len(set(map(repr, keys))) == len(keys), f"{whose} gives two rows for one key")
    hold(folded(rows.slice(0, 0)).num_rows == 0, f"{whose} makes rows of no rows")
    hold_same(whose, "when one partial is merged", counts(merged([whole])), truth)
    for cuts in (1, 2, 5):
        order = np.array(shuffled(rows.num_rows, seed), np.int64)
        batches = [rows.take(pa.array(part)) for part in np.array_split(order, cuts + 1)]
        partials = [folded(batch) for batch in batches]
        hold_same(whose, f"when {cuts + 1} partials are merged", counts(merged(partials)), truth)
        hold_same(whose, "when partials come in another order", counts(merged(partials[::-1])), truth)
        grouped = [merged(partials[:cuts]), *partials[cuts:]]
        hold_same(whose, "when partials are merged in groups", counts(merged(grouped)), truth)
        for batch, partial in zip(batches, partials, strict=True):
            hold_same(whose, "when a batch is folded again", counts(folded(batch)), counts(partial))
