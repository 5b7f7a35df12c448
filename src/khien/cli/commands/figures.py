"""Commands about what is told in numbers, and what trainers take along."""

from datetime import datetime
from pathlib import Path

import click

from khien.cli.commands import options

_DAY = click.DateTime(("%Y-%m-%d",))


@click.group(invoke_without_command=True)
@click.option("--from", "first", type=_DAY, metavar="DAY", help="The first day, UTC. Default: from the first on.")
@click.option("--to", "last", type=_DAY, metavar="DAY", help="The last day, UTC. Default: until now.")
@click.option(
    "--verify", "report", type=click.Path(path_type=Path), metavar="FILE",
    help="Hold the figures.json of a report to its signature, and count its period again.",
)  # fmt: skip
@click.option("--verifier", metavar="KEY", callback=options.text, help="Who signed it. Default: this house.")
@options.data
@click.option("--format", type=click.Choice(("text", "jsonl", "csv")), default="text", help="Default: text.")
@options.lang
@click.pass_context
def figures(
    context: click.Context,
    first: datetime | None,
    last: datetime | None,
    report: Path | None,
    verifier: str | None,
    data: Path | None,
    format: str,
    language: str,
) -> int:
    """Count every number that Khiên tells anew, from the store and the signed logs, and say how each is counted.

    Of fewer than ten people no number is said. Exit status with --verify: 0 every number is as the report says, 1 some
    are not.

    \b
    Examples:
      khien figures
      khien figures --from 2026-07-01 --to 2026-12-31 --format csv
      khien figures report --half 2026-2 -o report
      khien figures --verify report/figures.json
    """
    if context.invoked_subcommand is not None:
        context.obj = data
        return 0
    from khien.cli import figures

    if report is not None:
        return figures.verify(data, report, verifier, language)
    period = (first and first.date(), last and last.date())
    return figures.show(data, period, format, language)


@figures.command("report")
@click.option("--half", required=True, metavar="YEAR-HALF", callback=options.text, help="2026-2 is July to December.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Where it goes.")
@options.data
@options.lang
@click.pass_obj
def figures_report(given: Path | None, half: str, output: Path, data: Path | None, language: str) -> int:
    """Write the report of half a year: HTML and PDF in both languages, the figures, and a note that signs them.

    \b
    Example:
      khien figures report --half 2026-2 -o report
    """
    from khien.cli import figures

    return figures.report(data or given, half, output, language)


@click.command()
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Where it goes.")
@click.option("--site", default="", metavar="ADDRESS", callback=options.text, help="Printed on them.")
@options.protect
@options.data
@options.lang
def kit(output: Path, site: str, protect: Path | None, data: Path | None, language: str) -> int:
    """Write slides and posters for trainers, HTML and PDF in both languages, with the confirmed cases of late.

    \b
    Examples:
      khien kit -o kit
      khien kit -o kit --site https://khien.example
    """
    from khien.cli import figures

    return figures.kit(data, protect, output, site, language)
