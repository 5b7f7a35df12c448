"""Rows of a bench: what the bar is, what was reached, how it was measured; and the tables they are printed as."""

from collections.abc import Sequence
from typing import NamedTuple


class Bar(NamedTuple):
    """What must be reached: at least so much, or less than so much."""

    value: float
    unit: str
    under: bool = False

    def holds(self, reached: float) -> bool:
        """Whether a figure keeps the bar."""
        return reached < self.value if self.under else reached >= self.value

    def __str__(self) -> str:
        return f"{'<' if self.under else '≥'} {self.value:g} {self.unit}"


class Row(NamedTuple):
    """One measurement: reached in the bar's unit, None where it was not measured and ``how`` says why."""

    name: str
    bar: Bar | None
    reached: float | None
    said: str
    how: str

    @property
    def holds(self) -> bool | None:
        """None: there is no bar, or nothing was measured."""
        return None if self.bar is None or self.reached is None else self.bar.holds(self.reached)

    def cells(self) -> tuple[str, ...]:
        """As it stands in the table."""
        verdict = {None: "", True: "yes", False: "NO"}[self.holds]
        return self.name, str(self.bar or ""), self.said, verdict, self.how

    def record(self) -> dict[str, object]:
        """As it stands in JSON."""
        return {**self._asdict(), "bar": self.bar and self.bar._asdict(), "holds": self.holds}


HEADER = ("row", "bar", "reached", "holds", "how it was measured")


def skipped(name: str, bar: Bar | None, why: str) -> Row:
    """A row that was not measured."""
    return Row(name, bar, None, "skipped", why)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
