"""Commands about names: one, many, and the registers they are held against."""

from pathlib import Path
from typing import Any

import click

from khien.cli.commands import options

INPUT_FORMATS = ("plain", "csv", "tsv", "json", "zone", "hosts", "adblock", "parquet")


@click.command("names")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@options.protect
@click.option(
    "--format",
    type=click.Choice(("table", "jsonl", "csv")),
    help="Default: by the ending of the output file; table on a terminal; else jsonl.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="X",
    callback=options.number,
    help="Leave out scores below X.",
)
@click.option("--suppressed", is_flag=True, help="Also show what is known good, with the reason.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, always: it is empty when nothing was found.")
@click.option(
    "--column", metavar="NAME", help="Column or JSON member of the names. Default: domain, host, name or the first."
)
@click.option("--input-format", type=click.Choice(INPUT_FORMATS), help="Default: recognised by what the input holds.")
@click.option("-v", "--verbose", is_flag=True, help="Sum up at the end even when nobody watches.")
@options.lang
def scan_names(inputs: tuple[str, ...], **settings: Any) -> int:
    """Find the names that imitate a protected brand or service.

    INPUT is a file, or - for standard input: a plain list, CSV, TSV, JSON lines, certstream messages, a zone, a hosts
    file, an AdBlock list or Parquet; packed with gzip, zstd, bzip2 or xz or not.

    \b
    Examples:
      khien scan names names.txt
      khien scan names --min-score 0.8 -o found.csv zone.gz
      zstdcat names.zst | khien scan names - | jq -r .domain
      khien scan names --protect ours.toml --suppressed --format jsonl names.csv
    """
    from khien.cli import scan

    return scan.names(inputs, scan.Settings(**settings))


@click.command()
@click.argument("text", metavar="TEXT|-", callback=options.text)
@click.option("--from", "sender", default="", callback=options.text, metavar="WHO", help="Who sent it, as shown.")
@click.option("--about", type=click.Choice(("link", "message", "number", "payment")), help="Default: recognised.")
@options.data
@options.protect
@options.text_or_jsonl
@options.lang
def check(text: str, **settings: Any) -> int:
    """Say what is known of a link, a name, a message, a number or a payment code, and what to do.

    TEXT may be defanged; - reads standard input. Looks at the text only, visits nothing, and keeps nothing. Beside the
    register it asks what the data directory holds, where there is one. Exit status 1: it does harm, or looks like it.

    \b
    Examples:
      khien check vietcombank.example.top
      khien check 'hxxps://dang-nhap[.]example[.]com/otp' --lang vi
      khien check - --from +63912345678 < message.txt
    """
    from khien.cli import check

    return check.check(text, check.Settings(**settings))


@click.group()
def protect() -> None:
    """Work on a register of protected names.

    \b
    Example:
      khien protect check ours.toml
    """


@protect.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@options.lang
def protect_check(file: Path, language: str) -> int:
    """Say what a register holds, or everything that is wrong with it.

    \b
    Example:
      khien protect check ours.toml
    """
    from khien.cli import protect

    return protect.check(file, language)
