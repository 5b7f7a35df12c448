"""``khien protect check``: what a register holds, or everything that is wrong with it."""

from pathlib import Path

import click

from khien import words
from khien.app import registers
from khien.errors import ConfigError
from khien.model import Register
from khien.words import number, printable


def check(file: Path, language: str) -> int:
    """Answers the exit status; violations go to standard error, one a line."""
    try:
        register = registers.load(file)
    except ConfigError as error:
        for line in str(error).splitlines():
            click.echo(f"khien: {printable(line)}", err=True)
        return 2
    click.echo(words.phrase("register-good", language, file=printable(str(file))))
    counts = {what: number(count, language) for what, count in _counts(register).items()}
    for line in ("names", "words", "official", "suppliers"):
        click.echo(words.phrase(f"register-{line}", language, **counts))
    return 0


def _counts(register: Register) -> dict[str, int]:
    names = register.names
    official = [domain for name in names for domain in name.official]
    return {
        "names": len(names),
        "sectors": len({name.sector for name in names}),
        "words": sum(len(name.words) for name in names),
        "short": sum(len(name.short) for name in names),
        "lures": sum(len(name.lures) for name in names),
        "official": len(official),
        "verified": sum(domain.verified for domain in official),
        "suppliers": sum(len(name.suppliers) for name in names),
        "reserved": len(register.reserved_suffixes),
    }
