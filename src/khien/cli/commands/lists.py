"""Commands about the outputs of what is listed."""

from pathlib import Path

import click

from khien.cli.commands import options


@click.group()
def lists() -> None:
    """Write what is listed for resolvers, browsers and programs, signed.

    \b
    Example:
      khien lists write /var/lib/khien-lists
    """


@lists.command("write")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@options.data
@options.lang
def lists_write(folder: Path, data: Path | None, language: str) -> int:
    """Write all lists into FOLDER, and a manifest with the digest of each, signed with the key of the log.

    None is replaced before all are on the disk, and each is replaced whole; what has ended is taken out of the log
    first. docs/howto/lists.md says what takes which.

    \b
    Examples:
      khien lists write /var/lib/khien-lists
      khien lists write lists --data khien-data
    """
    from khien.cli import lists

    return lists.write(data, folder, language)
