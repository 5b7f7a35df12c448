"""What a scan came to, counted while it runs and told at the end."""

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from khien import words
from khien.words import number, printable

_PLACES = 3  # told of each reason for skipping


class Tally:
    """Counts of rows, findings, and what was set aside; memory is bounded by the number of reasons."""

    def __init__(self, summed_up: str) -> None:
        """summed_up: the phrase for what was read and found."""
        self._summed_up = summed_up
        self.rows = 0
        self.found = 0
        self._suppressed: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}

    @property
    def skipped(self) -> int:
        """How many rows were set aside."""
        return self._skipped.total()

    def suppress(self, findings: pa.RecordBatch) -> None:
        """Counts findings that are known good, by the reason why."""
        codes = findings["reasons"].flatten().field("code")
        counted = {each["values"]: each["counts"] for each in codes.value_counts().to_pylist()}
        self._suppressed.update({code: counted[code] for code in words.SUPPRESSIONS if code in counted})

    def skip(self, skipped: pa.RecordBatch) -> None:
        """Counts rows that were set aside (schema.SKIPPED)."""
        for place, reason, excerpt in zip(*(column.to_pylist() for column in skipped.columns), strict=True):
            self._skipped[reason] += int(excerpt) if reason == "more" else 1
            places = self._places.setdefault(reason, [])
            if len(places) < _PLACES:
                places.append(place)

    def lines(self, seconds: float, language: str, whole: bool) -> Iterator[str]:
        """Sentences for standard error. whole: all of them, else only what was skipped."""
        if whole:
            rate = number(self.rows / max(seconds, 1e-9), language)
            counts = {"rows": number(self.rows, language), "found": number(self.found, language)}
            yield words.phrase(self._summed_up, language, seconds=number(seconds, language, 1), rate=rate, **counts)
            if self._suppressed:
                why = [f"{words.phrase(code, language)} {number(n, language)}" for code, n in self._suppressed.items()]
                total = number(self._suppressed.total(), language)
                yield words.phrase("suppressed", language, count=total, reasons=", ".join(why))
        if self._skipped:
            yield words.phrase("skipped", language, count=number(self._skipped.total(), language))
        for code, count in self._skipped.most_common():
            places = ", ".join(map(printable, self._places[code])) + (", …" if count > len(self._places[code]) else "")
            said = {"count": number(count, language), "reason": words.skipped(code, language), "places": places}
            yield words.phrase("skipped-why", language, **said)
