"""Flows into counts per second, target, prefixes around it, and vector: a thin fold over ``flows.counts``."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.flows import counts


@dataclass(frozen=True)
class FlowCounts:
    """Many flows in, a row a second, prefix and vector out; packets lie where they were in the life of their flow.

    customers: prefixes (``203.0.113.0/25``) that are counted beside the host, /24 and /20 (of IPv6 /64 and /48).
    """

    name: ClassVar[str] = "flowcounts"
    reads: ClassVar[pa.Schema] = schema.FLOWS
    by: ClassVar[tuple[str, ...]] = ("second", "scope", "prefix", "vector")
    yields: ClassVar[pa.Schema] = schema.FLOW_COUNTS

    customers: tuple[str, ...] = ()

    def __call__(self, batch: pa.RecordBatch, /) -> pa.RecordBatch:
        """schema.FLOW_COUNTS of schema.FLOWS."""
        return counts.batch(counts.count(batch, self.customers))

    def merge(self, partials: pa.RecordBatch, /) -> pa.RecordBatch:
        """One row for each key."""
        return counts.batch(counts.merged(counts.of(partials)))
