"""``khien scan names``: pages of names in, rows out as they are found."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click
import pyarrow as pa
from pyarrow.compute import call_function

from khien.app import parts, registers
from khien.cli.columns import PLACES
from khien.cli.jsonl import Jsonl
from khien.cli.output import Output
from khien.cli.progress import Progress
from khien.cli.tally import Tally
from khien.errors import InputError
from khien.model import Register
from khien.pipeline import collect
from khien.sources.files import progress


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line says besides the inputs. language: of what people read."""

    language: str
    protect: Path | None
    format: str | None
    min_score: float
    suppressed: bool
    output: str | None
    column: str | None
    input_format: str | None
    verbose: bool


class Format(Protocol):
    """How rows are written."""

    def encode(self, batch: pa.RecordBatch, /) -> bytes: ...


def names(inputs: Sequence[str], settings: Settings) -> int:
    """Scans the inputs one after the other; answers the exit status."""
    started = time.perf_counter()
    source = parts.names(inputs, settings.input_format, settings.column)
    tally = Tally("read")
    expect_apart(inputs, settings.output)
    with Output(settings.output) as output:
        detector = registers.lookalike(settings.protect)
        encoded = _format(settings, output, detector.register)
        with Progress(inputs, settings.language, progress, "rate") as shown:
            for page in collect.scan(source, detector):
                tally.rows += page.rows
                if page.skipped is not None and page.skipped.num_rows:
                    tally.skip(page.skipped)
                rows = encoded.encode(_wanted(page.findings, settings, tally))
                shown.move(page.cursor, tally.rows)
                if rows and output.live:
                    with shown.aside():
                        output.write(rows)
                elif rows:
                    output.write(rows)
    whole = settings.verbose or (sys.stderr is not None and sys.stderr.isatty())
    for line in tally.lines(time.perf_counter() - started, settings.language, whole):
        click.echo(line, err=True)
    if not tally.rows and tally.skipped:
        raise InputError(f"no row of {', '.join(inputs)} holds a name: name its format or its column")
    return 1 if tally.found else 0


def expect_apart(inputs: Sequence[str], output: str | None) -> None:
    """InputError: what is to be read would be written over."""
    there = [path for path in (*inputs, output or "") if os.path.exists(path)]
    if output in there and any(os.path.samefile(path, output) for path in there[:-1]):
        raise InputError(f"{output}: is read from too: name another file with -o")


def _wanted(findings: pa.RecordBatch, settings: Settings, tally: Tally) -> pa.RecordBatch:
    """The findings to write, in their order; the others are only counted."""
    if settings.min_score:
        findings = findings.filter(pa.array(findings["score"].to_numpy().round(PLACES) >= settings.min_score))
    known = findings["suppressed"]
    tally.found += known.false_count
    if known.true_count:
        tally.suppress(findings.filter(known))
        return findings if settings.suppressed else findings.filter(call_function("invert", [known]))
    return findings


def _format(settings: Settings, output: Output, register: Register) -> Format:
    wanted = settings.format or _default(settings.output, output.live)
    if wanted == "csv":
        from khien.cli.sheet import Sheet

        return Sheet(settings.suppressed)
    if wanted == "table":
        from khien.cli.table import Table

        labels = {name.id: name.label for name in register.names}
        encoding = sys.stdout.encoding if output.live else "utf-8"
        return Table(labels, settings.language, None, output.live, encoding)
    return Jsonl()


def _default(path: str | None, live: bool) -> str:
    """The format of who asked for none."""
    if path is not None and path.lower().endswith(".csv"):
        return "csv"
    return "table" if live else "jsonl"
