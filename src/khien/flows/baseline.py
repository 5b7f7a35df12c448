"""What prefixes are used to, hour by hour: so that what is much for one and usual for another is told apart.

Kept is only what adds up in any order: for each hour on the clock's grid, how many seconds had a rate in which bucket.
From that, when it is read, come the decayed mean (seconds count half after a week) and the median with its deviation.
Single hosts have no baseline, nor have the /64s of IPv6, because a table of them would be one of people: they are held
to that of their /24 or /48.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from khien import schema
from khien.flows.counts import SCOPES, SECOND
from khien.flows.records import ADDRESS, HOST, MAPPED
from khien.flows.vectors import VECTORS

GROWTH = 1.25  # from bucket to bucket: a rate is known within 12 %
BUCKETS = 96
HALF_LIFE = 7 * 24  # hours after which a second counts half
ENOUGH = 5400.0  # seconds of an hour of the day: those of two days at least, before anything is usual
_TIMES_MEAN, _TIMES_DEVIATION, _LEAST_DEVIATION = 3.0, 6.0, 0.1
_TIMES_HIGH, _HIGH = 1.5, 0.99
_MOST = 20_000  # keys held
_HOUR = 3600
HOUSEHOLD = SCOPES[1][0]

Array = np.ndarray[Any, Any]
Target = tuple[int, bytes]

_MIDDLE = GROWTH ** (np.arange(BUCKETS) - 0.5)  # packets a second


def bucket(packets: Array) -> Array:
    """The bucket of each rate (u1): 0 up to one packet a second, then GROWTH times as wide from one to the next."""
    return np.clip(np.ceil(np.log(np.maximum(packets, 1.0)) / np.log(GROWTH)), 0, BUCKETS - 1).astype(np.uint8)


def fold(rates: pa.RecordBatch) -> pa.RecordBatch:
    """schema.BASELINES of schema.RATES; hosts are left out, and the /64s of IPv6, each of which is one household's."""
    rates = rates.filter(pa.array(~np.isin(rates.column("scope").to_numpy(), (HOST, HOUSEHOLD))))
    second = rates.column("second").cast(pa.int64()).to_numpy() // SECOND
    return merge(
        pa.RecordBatch.from_arrays(
            [
                pa.array(second // _HOUR * _HOUR * SECOND).cast(schema.TIME),
                *(rates.column(name) for name in ("scope", "prefix", "vector")),
                pa.array(bucket(rates.column("packets").to_numpy())),
                pa.array(np.ones(rates.num_rows, np.int64)),
            ],
            schema=schema.BASELINES,
        )
    )


def merge(partials: pa.RecordBatch) -> pa.RecordBatch:
    """One row for each key, seconds added up."""
    by = schema.BASELINES.names[:-1]
    summed = pa.Table.from_batches([partials]).group_by(by, use_threads=False).aggregate([("seconds", "sum")])
    summed = summed.rename_columns(schema.BASELINES.names).cast(schema.BASELINES).combine_chunks()
    return summed.to_batches()[0] if summed.num_rows else partials.slice(0, 0)


class Baseline:
    """Baselines in memory, as of an hour: weights of (hour of the day, bucket) for each prefix and vector."""

    def __init__(self) -> None:
        self._weights: dict[tuple[int, bytes, int], Array] = {}
        self._as_of = 0  # hours since 1970: weights are as they were then

    def take(self, rows: pa.RecordBatch) -> None:
        """Adds schema.BASELINES."""
        for row in rows.to_pylist():
            key = row["scope"], row["prefix"], row["vector"]
            grid = int(row["grid"].timestamp()) // _HOUR
            self._move_to(max(grid, self._as_of))
            if key not in self._weights:
                if len(self._weights) >= _MOST:
                    continue
                self._weights[key] = np.zeros((24, BUCKETS), np.float32)
            weight = row["seconds"] * 0.5 ** ((self._as_of - grid) / HALF_LIFE)
            self._weights[key][grid % 24, min(row["bucket"], BUCKETS - 1)] += weight

    def usual(self, targets: Sequence[Target], second: int) -> Iterator[Mapping[str, Any]]:
        """Rows of schema.USUAL: what targets are used to at the hour of a second, as far as that is known."""
        hour = second // _HOUR % 24
        for scope, prefix in targets:
            held = around(prefix) if scope in (HOST, HOUSEHOLD) else (scope, prefix)
            for vector, weights in self._of(held):
                line = _line(weights[hour])
                if line:
                    yield {"scope": scope, "prefix": prefix, "vector": vector, "packets": line}

    def _of(self, target: Target) -> Iterator[tuple[int, Array]]:
        """The weights of a prefix, by vector."""
        for vector in range(len(VECTORS)):
            weights = self._weights.get((*target, vector))
            if weights is not None:
                yield vector, weights

    def _move_to(self, hour: int) -> None:
        if hour != self._as_of and self._as_of:
            for weights in self._weights.values():
                weights *= 0.5 ** ((hour - self._as_of) / HALF_LIFE)
        self._as_of = hour


def around(address: bytes) -> Target:
    """The narrowest prefix with a baseline around an address."""
    scope = SCOPES[0][0] if address.startswith(MAPPED) else SCOPES[1][1]
    return scope, address[: scope // 8].ljust(ADDRESS, b"\0")


def _line(weights: Array) -> float:
    """Packets a second that are no more usual: by the decayed mean, the median and its deviation, a high quantile."""
    whole = float(weights.sum())
    if whole < ENOUGH:
        return 0.0
    mean = float((weights * _MIDDLE).sum()) / whole
    median = _quantile(_MIDDLE, weights, 0.5)
    deviation = _quantile(np.abs(_MIDDLE - median), weights, 0.5)
    high = _quantile(_MIDDLE, weights, _HIGH)  # a quiet neighbour brings many seconds, and does not make these unusual
    return max(
        _TIMES_MEAN * mean, median + _TIMES_DEVIATION * max(deviation, _LEAST_DEVIATION * median), _TIMES_HIGH * high
    )


def _quantile(values: Array, weights: Array, share: float) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] * share)])
