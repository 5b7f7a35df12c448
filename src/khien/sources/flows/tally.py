"""What was lost or could not be read, counted by exporter and told as rows of schema.SKIPPED."""

from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv6Address

import pyarrow as pa

from khien import schema

DROPPED, REFUSED = "datagrams-dropped", "exporter-not-allowed"
_REASONS = {  # by what Decoder counts
    "lost": "records-lost",
    "dropped": "no-template",
    **{each: each for each in ("unknown-version", "cut-short", "broken-set", "broken-template", "too-many-templates")},
}
_ROWS = 32  # told at once: whoever forges addresses names thousands
_SECONDS = 1.0  # between two times that it is told


class Tally:
    """place: what stands for the listener itself, and for exporters that are too many to be named."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._untold: Counter[tuple[str, str]] = Counter()
        self._known: Mapping[bytes, Mapping[str, int]] = {}
        self._told = 0.0

    def count(self, reason: str, times: int) -> None:
        """So many datagrams of the listener."""
        self._untold[self._place, reason] += times

    def is_due(self, now: float) -> bool:
        """Whether a second has gone since it was told."""
        return now - self._told >= _SECONDS

    def tell(self, counts: Mapping[bytes, Mapping[str, int]], now: float) -> pa.RecordBatch | None:
        """What was counted since it was told before, how often as the excerpt; counts: as Decoder.counts has them."""
        for exporter, of in counts.items():
            before = self._known.get(exporter, {})
            for name, reason in _REASONS.items():
                self._untold[_address(exporter), reason] += max(0, of[name] - before.get(name, 0))
        self._known, self._told = counts, now
        told = Counter[tuple[str, str]]()
        for number, ((place, reason), times) in enumerate((+self._untold).most_common()):
            told[place if number < _ROWS else self._place, reason] += times
        self._untold.clear()
        rows = [{"place": place, "reason": why, "excerpt": f"{times}"} for (place, why), times in told.items()]
        return pa.RecordBatch.from_pylist(rows, schema.SKIPPED) if rows else None


def _address(exporter: bytes) -> str:
    address = IPv6Address(exporter)
    return str(address.ipv4_mapped or address)
