"""Commands about constituents: who they are, what is theirs, how they wish to hear."""

import functools
from pathlib import Path
from typing import Any

import click

from khien.cli.commands import options
from khien.words import LANGUAGES

ASSETS = {"domain": "DOMAIN", "brand": "ID", "prefix": "PREFIX", "mail-domain": "DOMAIN"}  # model.AssetKind
DIGESTS = ("at-once", "hourly", "daily")

_kind = click.option("--kind", type=click.Choice(ASSETS), help="Of the asset, where a value is claimed as two kinds.")


def _desk(command: Any) -> Any:
    """The options of whatever changes a constituent, handed on as one."""

    @functools.wraps(command)
    def changed(
        data: Path | None, protect: Path | None, by: str | None, why: str, language: str, **settings: Any
    ) -> int:
        from khien.cli.constituents import Desk

        return command(Desk(data, protect, by, why, language), **settings)

    for option in (options.lang, options.protect, options.data, options.why, options.by):
        changed = option(changed)
    return changed


def _claims(verb: str) -> Any:
    """An option for each kind of asset, handed on as claimed, by kind."""

    def decorated(command: Any) -> Any:
        @functools.wraps(command)
        def gathered(*given: Any, **settings: Any) -> int:
            claimed = {kind: settings.pop(kind.replace("-", "_")) for kind in ASSETS}
            return command(*given, claimed=claimed, **settings)

        for kind, what in reversed(ASSETS.items()):
            option = click.option(
                f"--{kind}", multiple=True, callback=options.texts, metavar=what, help=f"{verb}; may be repeated."
            )
            gathered = option(gathered)
        return gathered

    return decorated


@click.group()
def constituents() -> None:
    """Say who is protected, what is theirs, and how they wish to hear.

    What is theirs is claimed first and then proven: by a text in DNS, a code by mail, or an officer's word. Only what
    is proven decides who is told of a finding.

    \b
    Examples:
      khien constituents add saothuy --label "Ngân hàng Sao Thủy" --domain saothuybank.example
      khien constituents prove saothuy saothuybank.example
      khien constituents hear saothuy --channel mail --address soc@saothuybank.example
      khien constituents list
    """


@constituents.command("list")
@options.data
@options.text_or_jsonl
@options.lang
def constituents_list(data: Path | None, format: str, language: str) -> int:
    """List those who are constituents now.

    \b
    Examples:
      khien constituents list
      khien constituents list --format jsonl | jq -r .constituent.id
    """
    from khien.cli import constituents

    return constituents.everyone(data, format, language)


@constituents.command("show")
@click.argument("id", metavar="ID", callback=options.text)
@options.data
@options.text_or_jsonl
@options.lang
def constituents_show(id: str, data: Path | None, format: str, language: str) -> int:
    """Show one constituent: what is theirs, how that is proven, how they hear.

    \b
    Example:
      khien constituents show saothuy
    """
    from khien.cli import constituents

    return constituents.show(data, id, format, language)


@constituents.command("add")
@click.argument("id", metavar="ID", callback=options.text)
@click.option("--label", callback=options.text, help="What people call them.")
@click.option("--sector", callback=options.text, help="For example bank; citizen for a person, who is sent no links.")
@click.option("--note", callback=options.text, help="For officers.")
@click.option(
    "--patience", type=options.Span(), help="How long a notice may wait for an answer, as PT4H. Default: PT4H."
)
@_claims("Claim it for them")
@_desk
def constituents_add(desk: Any, id: str, claimed: Any, **own: Any) -> int:
    """Enter a constituent, or add to what is known of one.

    \b
    Examples:
      khien constituents add saothuy --label "Ngân hàng Sao Thủy" --sector bank --domain saothuybank.example
      khien constituents add saothuy --prefix 203.0.113.0/24 --mail-domain saothuybank.example
    """
    from khien.cli import constituents

    return constituents.add(desk, id, own, claimed)


@constituents.command("remove")
@click.argument("id", metavar="ID", callback=options.text)
@_claims("Let go of it alone")
@_desk
def constituents_remove(desk: Any, id: str, claimed: Any) -> int:
    """Let go of what is named, or of the constituent where nothing is.

    Who leaves hears nothing more, and where they heard is forgotten; the audit keeps who left when, and why.

    \b
    Examples:
      khien constituents remove saothuy --domain saothuybank.example --why "sold"
      khien constituents remove saothuy --why "asked to leave"
    """
    from khien.cli import constituents

    return constituents.remove(desk, id, claimed)


@constituents.command("prove")
@click.argument("id", metavar="ID", callback=options.text)
@click.argument("value", metavar="ASSET", callback=options.text)
@_kind
@click.option("--how", type=click.Choice(("dns", "mail", "officer")), help="Default: say what to publish in DNS.")
@click.option(
    "--server",
    default="",
    metavar="ADDRESS",
    callback=options.text,
    help="With dns: the name server to ask, not the system's.",
)
@click.option(
    "--code", default="", callback=options.text, help="With mail: the code. Without it, write the mails to be sent."
)
@_desk
def constituents_prove(desk: Any, id: str, value: str, kind: Any, how: str | None, server: str, code: str) -> int:
    """Prove that an asset is theirs, or say what they are to publish.

    A proof in DNS is looked up again every 90 days. A protected name is theirs while one of its official domains is.

    \b
    Examples:
      khien constituents prove saothuy saothuybank.example
      khien constituents prove saothuy saothuybank.example --how dns
      khien constituents prove saothuy saothuybank.example --how mail --code 2Y4KP-7QMXN
      khien constituents prove saothuy 203.0.113.0/24 --how officer --why "their contract with the registry"
    """
    from khien.cli import constituents

    if how is None or (how == "mail" and not code):
        return constituents.explain(desk, id, value, kind, how == "mail")
    return constituents.prove(desk, id, value, kind, how, code if how == "mail" else server)


@constituents.command("hear")
@click.argument("id", metavar="ID", callback=options.text)
@click.option(
    "--channel", required=True, callback=options.text, help="As the configuration calls it, for example mail."
)
@click.option("--address", default="", callback=options.text, help="A mail address, or the URL of a webhook.")
@click.option("--in", "written", type=click.Choice(LANGUAGES), default="vi", help="The language. Default: vi.")
@click.option(
    "--least", type=click.Choice(options.SEVERITIES), default="medium", help="From so severe on. Default: medium."
)
@click.option("--digest", type=click.Choice(DIGESTS), default="at-once", help="Default: at-once.")
@click.option("--quiet", metavar="HH:MM-HH:MM", callback=options.text, help="Hours in which only the critical is told.")
@click.option("--zone", callback=options.text, help="Of these hours. Default: Asia/Ho_Chi_Minh.")
@click.option(
    "--after", type=options.Span(), default="PT0H", help="Told here only when nobody has answered for so long."
)
@click.option("--secret-file", default="", callback=options.text, help="Of a webhook: the secret it is signed with.")
@click.option("--stop", is_flag=True, help="Take this way to hear away.")
@_desk
def constituents_hear(
    desk: Any, id: str, written: Any, quiet: str | None, zone: str | None, stop: bool, **own: Any
) -> int:
    """Say how a constituent wishes to hear; one way for each channel and address.

    \b
    Examples:
      khien constituents hear saothuy --channel mail --address soc@saothuybank.example --least high --quiet 22:00-06:00
      khien constituents hear saothuy --channel mail --address soc@saothuybank.example --stop
    """
    from khien.cli import constituents
    from khien.model import Hearing, Quiet

    if zone and not quiet:
        raise click.UsageError("--zone is that of --quiet: give the hours too, for example --quiet 22:00-06:00")
    begin, _, end = (quiet or "").partition("-")
    hours = Quiet(begin=begin, end=end, **({"zone": zone} if zone else {})) if quiet else None
    hearing = Hearing(language=written, quiet=hours, **own)
    return constituents.hear(desk, id, hearing, stop)


@constituents.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--format", type=click.Choice(("toml", "csv")), help="Default: by the ending of the file.")
@click.option("--vouch", is_flag=True, help="Give an officer's word, with --why, for what is not proven.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@_desk
def constituents_import(desk: Any, file: Path, format: str | None, vouch: bool, dry_run: bool) -> int:
    """Put the constituents of a document in place of those with the same ids; others stay.

    A document proves nothing: what is proven already stays proven.

    \b
    Examples:
      khien constituents import --dry-run ours.toml
      khien constituents import ours.csv --vouch --why "signed list of 2026-11-20"
    """
    from khien.cli import constituents

    return constituents.take_in(desk, file, format, vouch, dry_run)


@constituents.command("export")
@click.option("--format", type=click.Choice(("toml", "csv")), default="toml", help="Default: toml.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE.")
@options.data
def constituents_export(data: Path | None, format: str, output: str | None) -> int:
    """Write those who are constituents now as a document that import takes; no proofs are in it.

    \b
    Examples:
      khien constituents export -o ours.toml
      khien constituents export --format csv > ours.csv
    """
    from khien.cli import constituents

    return constituents.give_out(data, format, output)
