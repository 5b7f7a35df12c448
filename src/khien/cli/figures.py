"""``khien figures`` and ``khien kit``: every number counted anew, reports of them, and what trainers take along."""

import csv
import io
from datetime import date
from pathlib import Path

import click
import msgspec

from khien import words
from khien.app import counting, machine
from khien.app.configuration import Site
from khien.cli import serve
from khien.cli.run import replayed
from khien.cli.sheet import cell
from khien.errors import FormatError, InputError
from khien.ledger import LARGEST_NOTE
from khien.packed import advice
from khien.pipeline import figures, reports, tables
from khien.pipeline.figures import Figure, Figures, Period
from khien.words import LANGUAGES, number, printable

_HEADER = ("code", "part", "value", "unit", "withheld", "of", "source", *(f"counted_{each}" for each in LANGUAGES))


def show(data: Path | None, days: tuple[date | None, date | None], format: str, language: str) -> int:
    """Every figure of a period, and how it is counted; answers the exit status."""
    period = Period(*days)
    if period.first and period.last and period.last < period.first:
        raise InputError(f"the period ends on {period.last} before it begins on {period.first}: turn them round")
    counted = _counted(data, period)
    if format == "text":
        click.echo("\n".join(_lines(counted, language)))
    elif format == "jsonl":
        for each in counted.figures:
            click.echo(msgspec.json.encode(each))
    else:
        click.echo(_sheet(counted), nl=False)
    return 0


def _counted(data: Path | None, period: Period) -> Figures:
    directory = machine.place(data)
    with machine.store(directory) as store:
        return counting.counted(directory, store, period, machine.clock())


def _lines(counted: Figures, language: str) -> list[str]:
    lines: list[str] = []
    for group, rows in tables.rows(counted, language).items():
        lines.append(words.phrase(f"figures-{group}", language))
        for row in rows:
            lines.append(f"  {row.label}: {row.value}")
            lines += [f"    {row.counted}"] if row.counted else []
    return lines


def _sheet(counted: Figures) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    for each in counted.figures:
        said = (each.code, cell(each.part), each.value, each.unit, each.withheld, each.of, each.source)
        writer.writerow([*said, *(tables.counting(each, language) for language in LANGUAGES)])
    return text.getvalue()


def verify(data: Path | None, report: Path, verifier: str | None, language: str) -> int:
    """Holds a report to its signature, and its figures to what is counted now; answers the exit status: 1 where one
    differs. CustodyError: it is not what was signed."""
    directory = machine.place(data)
    document, note = _read(report, reports.LARGEST), _read(report.with_name(reports.NOTE), LARGEST_NOTE)
    reports.held(report.name, document, note, verifier or reports.signer(counting.signer(directory)).verifier)
    try:
        before = reports.parse(document)
    except FormatError as error:
        raise FormatError(f"{report}: {error}") from error
    now = _counted(data, Period(before.first, before.last))
    differ = [*figures.differing(before, now)]
    for told, counted in differ:
        which = told or counted
        assert which is not None  # one of both there is
        said = {"before": _value(told, language), "now": _value(counted, language)}
        click.echo(words.phrase("figures-differ", language, figure=tables.label(which, language), **said))
    if not differ:
        click.echo(words.phrase("figures-hold", language, count=number(len(before.figures), language)))
    return 1 if differ else 0


def _value(figure: Figure | None, language: str) -> str:
    return words.phrase("figures-gone", language) if figure is None else tables.written(figure, language)


def _read(path: Path, most: int) -> bytes:
    """As far as anything that is meant goes."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {advice(error)}") from error


def report(data: Path | None, half: str, folder: Path, language: str) -> int:
    """Writes the report of half a year."""
    counting.half(half, machine.clock().date())
    directory = machine.place(data)
    with machine.store(directory) as store:
        dated = replayed(store)
    serve.write("halfyear", folder, half, data=directory, protect=None, replay=dated)
    key = reports.signer(counting.signer(directory)).verifier
    click.echo(words.phrase("report-written", language, path=printable(str(folder)), key=key))
    return 0


def kit(data: Path | None, protect: Path | None, folder: Path, site: str, language: str) -> int:
    """Writes slides and posters. site: the address of the site, printed on them; empty for none."""
    Site(public=site).expect_reachable()
    directory = machine.place(data)
    with machine.store(directory) as store:
        dated = replayed(store)
    serve.write("handout", folder, data=directory, protect=protect, replay=dated, public=site)
    click.echo(words.phrase("kit-written", language, path=printable(str(folder))))
    return 0
