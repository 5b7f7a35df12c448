"""Commands about whom people are told to turn to, and what they are told to do."""

from pathlib import Path

import click

from khien.cli.commands import options

_file = click.argument("file", type=click.Path(path_type=Path))
_plans = click.option("--plans", is_flag=True, help="FILE holds plans (what to do), not contacts.")


@click.group()
def contacts() -> None:
    """Show, check and sign whom the help pages send people to.

    \b
    Examples:
      khien contacts show
      khien contacts check contacts.toml
      khien contacts sign contacts.toml
    """


@contacts.command("show")
@options.text_or_jsonl
@options.lang
def contacts_show(format: str, language: str) -> int:
    """List the contacts in use, those of khien.toml or those that come with Khiên, and how far each may be trusted.

    Exit status: 0 all are checked, 1 some are to be checked, 2 cannot.

    \b
    Example:
      khien contacts show --format jsonl
    """
    from khien.cli import contacts

    return contacts.show(format, language)


@contacts.command("check")
@_file
@_plans
@options.lang
def contacts_check(file: Path, plans: bool, language: str) -> int:
    """Say everything that is wrong with a file of contacts or plans, and what in it is to be checked.

    Exit status: 0 nothing, 1 contacts are to be checked, 2 the file does not keep its form.

    \b
    Examples:
      khien contacts check contacts.toml
      khien contacts check --plans help.toml
    """
    from khien.cli import contacts

    return contacts.check(file, plans, language)


@contacts.command("sign")
@_file
@_plans
@options.data
@options.lang
def contacts_sign(file: Path, plans: bool, data: Path | None, language: str) -> int:
    """Sign a file of contacts or plans, and write its note beside it.

    The key is made in the data directory when it is first needed. Sign elsewhere than where the site runs: whoever has
    the key decides whom people call.

    \b
    Examples:
      khien contacts sign contacts.toml --data /media/stick
      khien contacts sign --plans help.toml --data /media/stick
    """
    from khien.cli import contacts

    return contacts.sign(file, plans, data, language)
