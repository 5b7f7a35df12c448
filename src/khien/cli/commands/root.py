"""The command ``khien``, and every command below it."""

import click

from khien.cli.commands import (
    breach,
    constituents,
    contacts,
    figures,
    findings,
    flows,
    listings,
    lists,
    names,
    notices,
    people,
    run,
)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"khien {version('khien')}")
        except PackageNotFoundError:  # run from its sources
            click.echo("khien, not installed")
        ctx.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def khien() -> None:
    """Khiên sees attacks on people early.

    Exit status: 0 nothing found, 1 found, 2 cannot, 130 interrupted.

    \b
    Examples:
      khien check vietcombank.example.top
      khien scan names certificates.txt.zst
      khien replay
      khien run khien.toml
      khien findings
    """


@click.group()
def scan() -> None:
    """Scan what others have collected.

    \b
    Example:
      khien scan names newly-registered.txt
    """


@click.command()
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


scan.add_command(names.scan_names)
scan.add_command(flows.scan_flows)
for _command in (
    scan,
    flows.flows,
    names.check,
    run.run,
    run.replay,
    run.web,
    figures.figures,
    figures.kit,
    findings.findings,
    breach.breach,
    constituents.constituents,
    contacts.contacts,
    lists.lists,
    listings.list_,
    listings.delist,
    listings.listings,
    listings.ledger,
    run.sources,
    notices.notices,
    notices.takedown,
    run.status,
    run.doctor,
    people.officers,
    people.audit,
    names.protect,
    completion,
):
    khien.add_command(_command)
