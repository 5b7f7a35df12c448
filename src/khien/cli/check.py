"""``khien check``: one name through the same detector, answered in sentences."""

from collections.abc import Iterator
from pathlib import Path

import click
import pyarrow as pa

from khien import canon, schema, words
from khien.app import registers
from khien.cli.columns import Columns, columns
from khien.cli.jsonl import Jsonl
from khien.cli.sheet import Sheet
from khien.cli.table import sentence
from khien.cli.terminal import shown
from khien.words import number, printable


def check(text: str, protect: Path | None, format: str, language: str) -> int:
    """Answers the exit status. ObservableError: there is no name in text."""
    name = canon.domain(canon.host_of(text))
    detector = registers.lookalike(protect)
    found = detector(pa.record_batch([[name], pa.nulls(1, schema.TIME)], schema=schema.NAMES))
    findings = columns(found)
    if format == "text":
        labels = {each.id: each.label for each in detector.register.names}
        click.echo("\n".join(_told(name, findings, labels, language)))
    else:
        encoded = Jsonl() if format == "jsonl" else Sheet(suppressed=True)
        click.echo(encoded.encode(found), nl=False)
    return 0 if all(findings.suppressed) else 1


def _told(name: str, findings: Columns, labels: dict[str, str], language: str) -> Iterator[str]:
    """Lines for people. A name in which nothing was found may still do harm, and is never called safe."""
    if all(findings.suppressed):
        count = number(len(labels), language)
        yield words.phrase("nothing-found", language, domain=shown(name), count=count)
    for _, brand, _, score, _, known, reasons in findings.rows():
        named = {"domain": shown(name), "brand": printable(labels.get(brand, brand))}
        yield words.phrase(words.verdict(score, known), language, **named, score=number(score, language, 2))
        yield from (f"  - {sentence(findings.whys[n], language)}" for n in reasons)
