"""Commands that run Khiên, and say how it is."""

from pathlib import Path

import click

from khien.cli.commands import options


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@options.data
@click.option("--once", is_flag=True, help="Stop when every source has come to its end; no site.")
@click.option("--site/--no-site", "with_site", default=True, help="Serve the site beside it. Default: yes.")
@click.option(
    "--log-format",
    type=click.Choice(("text", "json")),
    default="text",
    help="Of what it says on standard error. Default: text.",
)
@options.lang
def run(config: Path | None, data: Path | None, once: bool, with_site: bool, log_format: str, language: str) -> int:
    """Read the sources of a configuration, keep what is found, and serve the site.

    CONFIG is a TOML file; default: khien.toml where there is one. Goes on until it is told to stop (Ctrl-C, SIGTERM);
    whatever ends it, it goes on where it was.

    \b
    The least of a configuration:
      [[source]]
      name = "new registrations"
      paths = ["names.txt"]

    \b
    Examples:
      khien run
      khien run khien.toml
      khien run --once --data ./trial khien.toml
      khien run --log-format json khien.toml 2> khien.jsonl
    """
    from khien.cli import journal, run

    journal.begin(log_format)
    return run.run(config, data, once, with_site, language)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep them in DIR. Default: a directory that is removed at the end.",
)
@click.option("--report", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the pages to FOLDER and end.")
@click.option("--listen", default="127.0.0.1:8460", metavar="HOST:PORT", help="Where the site is served.")
@click.option("--open/--no-open", "opened", default=False, help="Open the site in a browser.")
@options.lang
def replay(data: Path | None, report: Path | None, listen: str, opened: bool, language: str) -> int:
    """Replay the real, dated names that come with Khiên, and show what it finds.

    Dated names are no current accusations, and every page says so. They are kept in a directory that is removed at the
    end, unless --data names one.

    \b
    Examples:
      khien replay --open
      khien replay --report ./report
    """
    from khien.app.configuration import Site
    from khien.cli import journal, run

    journal.begin("text")
    return run.replay(data, report, Site(listen=listen), opened, language)


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@options.data
@click.option("--listen", metavar="HOST:PORT", help="Where the site is served. Default: the configuration's.")
@options.lang
def web(config: Path | None, data: Path | None, listen: str | None, language: str) -> int:
    """Serve the site alone, over what a data directory holds; khien run may read sources beside it.

    \b
    Examples:
      khien web --data ./khien-data
      khien web khien.toml --listen 127.0.0.1:8461
    """
    from khien.cli import journal, run

    journal.begin("text")
    return run.web(config, data, listen, language)


@click.command()
@options.data
@options.text_or_jsonl
@options.lang
def sources(data: Path | None, format: str, language: str) -> int:
    """Say how far each source is, what was set aside and why.

    Exit status: 0 all go on, 1 one stands still.

    \b
    Examples:
      khien sources
      khien sources --format jsonl | jq '{id: .state.id, lag}'
    """
    from khien.cli import sources

    return sources.show(data, format, language)


@click.command()
@options.data
@click.option("--format", type=click.Choice(("text", "json")), default="text", help="Default: text.")
@options.lang
def status(data: Path | None, format: str, language: str) -> int:
    """Say how far the sources are, what was found, and what it takes on the disk.

    \b
    Examples:
      khien status
      khien status --format json | jq .findings
    """
    from khien.cli import status

    return status.status(data, format, language)


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@options.data
@click.option("--deep", is_flag=True, help="Also read every file whole, and hold it to its digest.")
@options.lang
def doctor(config: Path | None, data: Path | None, deep: bool, language: str) -> int:
    """Check a configuration and its data directory; say what is wrong and how to mend it.

    Exit status: 0 all is well, 1 something is wrong.

    \b
    Examples:
      khien doctor khien.toml
      khien doctor --data ./khien-data --deep
    """
    from khien.cli import status

    return status.doctor(config, data, deep, language)
