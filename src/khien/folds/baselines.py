"""Rates into what prefixes are used to: a thin fold over ``flows.baseline``."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.flows import baseline


@dataclass(frozen=True)
class Baselines:
    """Rates of seconds in, how many seconds of an hour had which rate out; hosts are left out."""

    name: ClassVar[str] = "baselines"
    reads: ClassVar[pa.Schema] = schema.RATES
    by: ClassVar[tuple[str, ...]] = tuple(schema.BASELINES.names[:-1])
    yields: ClassVar[pa.Schema] = schema.BASELINES

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch:
        """schema.BASELINES of schema.RATES."""
        return baseline.fold(batch)

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        """One row for each key."""
        return baseline.merge(partials)
