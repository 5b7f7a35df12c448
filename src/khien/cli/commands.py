"""The commands: their words, arguments and help. What they do is imported when one runs."""

from pathlib import Path
from typing import Any

import click

from khien.cli.terminal import language

LANGUAGES = ("en", "vi")  # words.LANGUAGES, without loading it
INPUT_FORMATS = ("plain", "csv", "tsv", "json", "zone", "hosts", "adblock", "parquet")

_protect = click.option(
    "--protect",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Register of protected names (TOML), or one that Khiên ships: vn (the default), world.",
)
_lang = click.option(
    "--lang",
    "language",
    type=click.Choice(LANGUAGES),
    callback=lambda _context, _parameter, asked: language(asked),
    help="Language for people. Default: that of the environment.",
)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"khien {version('khien')}")
        except PackageNotFoundError:  # run from its sources
            click.echo("khien, not installed")
        ctx.exit()


def _number(_context: click.Context, _parameter: click.Parameter, score: float) -> float:
    if score != score:  # lies in every range, and nothing is above it
        raise click.BadParameter("nan is no number")
    return score


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def khien() -> None:
    """Khiên sees attacks on people early.

    Exit status: 0 nothing found, 1 found, 2 cannot, 130 interrupted.

    \b
    Examples:
      khien check vietcombank.example.top
      khien scan names certificates.txt.zst
      khien scan names --help
    """


@khien.group()
def scan() -> None:
    """Scan what others have collected.

    \b
    Example:
      khien scan names newly-registered.txt
    """


@scan.command("names")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@_protect
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
    callback=_number,
    help="Leave out scores below X.",
)
@click.option("--suppressed", is_flag=True, help="Also show what is known good, with the reason.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, always: it is empty when nothing was found.")
@click.option(
    "--column", metavar="NAME", help="Column or JSON member of the names. Default: domain, host, name or the first."
)
@click.option("--input-format", type=click.Choice(INPUT_FORMATS), help="Default: recognised by what the input holds.")
@click.option("-v", "--verbose", is_flag=True, help="Sum up at the end even when nobody watches.")
@_lang
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


@khien.command()
@click.argument("name", metavar="NAME_OR_URL")
@_protect
@click.option("--format", type=click.Choice(("text", "jsonl", "csv")), default="text", help="Default: text.")
@_lang
def check(name: str, protect: Path | None, format: str, language: str) -> int:
    """Say whether one name imitates a protected brand or service, and why.

    Takes a name, a URL or a mail address, also defanged. Looks at the name only, and visits nothing.

    \b
    Examples:
      khien check vietcombank.example.top
      khien check 'hxxps://dang-nhap[.]example[.]com/otp' --lang vi
    """
    from khien.cli import check

    return check.check(name, protect, format, language)


@khien.group()
def protect() -> None:
    """Work on a register of protected names.

    \b
    Example:
      khien protect check ours.toml
    """


@protect.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@_lang
def protect_check(file: Path, language: str) -> int:
    """Say what a register holds, or everything that is wrong with it.

    \b
    Example:
      khien protect check ours.toml
    """
    from khien.cli import protect

    return protect.check(file, language)


@khien.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what teaches a shell to complete khien's commands.

    \b
    Examples:
      khien completion bash > ~/.local/share/bash-completion/completions/khien
      khien completion zsh > ~/.zfunc/_khien
      khien completion fish > ~/.config/fish/completions/khien.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # click has these three
    click.echo(kind(khien, {}, "khien", "_KHIEN_COMPLETE").source())
