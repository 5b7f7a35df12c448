"""``khien sources``: how far each source is, what it set aside, and what keeps it."""

from pathlib import Path

import click
import msgspec

from khien import words
from khien.app import machine
from khien.model import SourceState
from khien.pipeline import standing
from khien.words import number, printable


def show(data: Path | None, format: str, language: str) -> int:
    """Every source; answers the exit status: 1 where one stands still."""
    with machine.store(machine.place(data)) as store:
        found = standing.sources(store)
    for each in found.sources:
        if format == "jsonl":
            click.echo(msgspec.json.encode(each).decode())
        else:
            click.echo(line(each.state, language))
    if format == "text":
        if not found.sources:
            click.echo(words.page("sources-none", language), err=True)
        for reason, count in found.aside.items():
            click.echo(f"  {words.skipped(reason, language)}: {number(count, language)}")
    return 1 if any(each.state.trouble for each in found.sources) else 0


def line(state: SourceState, language: str) -> str:
    """How far a source is, in a line."""
    counts = {"rows": state.rows, "findings": state.findings, "skipped": state.skipped}
    told = [words.phrase("source-state", language, **{name: number(n, language) for name, n in counts.items()})]
    told.append(f"{state.read_at:%Y-%m-%d %H:%M:%S} UTC" if state.read_at else "-")
    late = standing.lag(state)
    if late is not None:
        told.append(words.phrase("source-lag", language, seconds=number(late, language, 1)))
    if state.behind is not None:
        told.append(words.phrase("source-behind", language, rows=number(state.behind, language)))
    if end := words.phrase("source-ended", language) if state.ended else printable(state.trouble):
        told.append(end)
    return f"{printable(state.id)}: {'; '.join(told)}"
