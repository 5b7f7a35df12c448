"""``khien lists``: the outputs of what is listed, as files."""

from datetime import timedelta
from pathlib import Path

import click

from khien import words
from khien.app import machine, registers
from khien.app.configuration import CONFIG, People, document
from khien.model import Register
from khien.pipeline import outputs
from khien.pipeline.outputs import Outputs
from khien.words import printable


def write(data: Path | None, folder: Path, language: str) -> int:
    """Writes all lists; answers the exit status."""
    place = machine.place(data)
    known = registers.known(Register(names=()))  # nothing is listed here
    with machine.store(place) as store:
        log = machine.listings(place, store, known, timedelta(hours=People().decide_hours))
        home = _home()
        published = Outputs(log, home).now()
        outputs.write(published, folder)
    said = {"path": printable(str(folder)), "version": str(published.version), "count": str(len(published.files))}
    click.echo(words.phrase("lists-written", language, **said))
    if not home:
        click.echo(words.phrase("lists-no-home", language), err=True)
    return 0


def _home() -> str:
    """Where khien.toml says that others reach the site."""
    site = document(CONFIG)[1].get("site") if CONFIG.exists() else None
    public = site.get("public", "") if isinstance(site, dict) else ""
    return public if isinstance(public, str) else ""
