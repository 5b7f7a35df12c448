"""Commands about officers, and about the audit of what they did."""

from pathlib import Path
from typing import Any

import click

from khien.cli.commands import options

ROLES = ("viewer", "officer", "approver", "administrator")  # model.ROLES


@click.group(invoke_without_command=True)
@options.data
@options.text_or_jsonl
@options.lang
@click.pass_context
def officers(ctx: click.Context, data: Path | None, format: str, language: str) -> int:
    """List who works here, invite them, give them a role, let them go.

    Who is invited brings a passkey on the page that the command names. The first administrator is invited here.

    \b
    Examples:
      khien officers
      khien officers invite lan --role administrator --label "Nguyễn Thị Lan"
      khien officers role lan approver
      khien officers leave lan
    """
    ctx.obj = data
    if ctx.invoked_subcommand:
        return 0
    from khien.cli import officers

    return officers.show(data, format, language)


@officers.command("invite")
@click.argument("id", metavar="NAME", callback=options.text)
@click.option("--role", type=click.Choice(ROLES), help="Of a new officer, or another one for who is here.")
@click.option("--label", default="", callback=options.text, help="What people call them. Default: NAME.")
@click.option("--anew", is_flag=True, help="Passkeys, sessions and tokens they have let nobody in any more.")
@options.by
@options.data
@options.lang
@click.pass_obj
def officers_invite(given: Path | None, id: str, role: Any, data: Path | None, **settings: Any) -> int:
    """Invite an officer, and print the code that lets them bring a passkey: once, within three days.

    \b
    Examples:
      khien officers invite lan --role administrator
      khien officers invite lan --anew
    """
    from khien.cli import officers

    return officers.invite(data or given, id, role, **settings)


@officers.command("role")
@click.argument("id", metavar="NAME", callback=options.text)
@click.argument("role", metavar="ROLE", type=click.Choice(ROLES))
@options.by
@options.data
@options.lang
@click.pass_obj
def officers_role(given: Path | None, id: str, role: Any, data: Path | None, by: str | None, language: str) -> int:
    """Give an officer another role.

    \b
    Example:
      khien officers role lan approver
    """
    from khien.cli import officers

    return officers.grant(data or given, id, role, by, language)


@officers.command("leave")
@click.argument("id", metavar="NAME", callback=options.text)
@options.by
@options.data
@options.lang
@click.pass_obj
def officers_leave(given: Path | None, id: str, data: Path | None, by: str | None, language: str) -> int:
    """Let an officer go: nothing lets them in any more.

    \b
    Example:
      khien officers leave lan
    """
    from khien.cli import officers

    return officers.leave(data or given, id, by, language)


@click.group()
def audit() -> None:
    """Show what officers did, and find out whether anybody rewrote it.

    \b
    Examples:
      khien audit show
      khien audit verify
      khien audit checkpoint > /media/elsewhere/audit.note
    """


@audit.command("show")
@options.limit
@options.data
@options.text_or_jsonl
@options.lang
def audit_show(data: Path | None, limit: int, format: str, language: str) -> int:
    """List what was done, the latest first.

    \b
    Examples:
      khien audit show
      khien audit show --limit 1000 --format jsonl | jq -r .by
    """
    from khien.cli import audit

    return audit.show(data, limit, format, language)


@audit.command("verify")
@click.argument("export", required=False, type=click.Path(path_type=Path))
@click.option(
    "--key", "verifier", metavar="KEY", callback=options.text, help="Hold it to this key, not to the one beside it."
)
@click.option(
    "--against", type=click.Path(path_type=Path), metavar="FILE", help="A checkpoint that was kept elsewhere."
)
@options.data
@options.lang
def audit_verify(
    data: Path | None, export: Path | None, verifier: str | None, against: Path | None, language: str
) -> int:
    """Say whether anything was changed, removed or moved, and where. Needs no network.

    EXPORT is a file of khien audit export; without it the data directory is looked at. Exit status: 0 it holds, 2 it
    does not.

    \b
    Examples:
      khien audit verify
      khien audit verify audit.jsonl --against /media/elsewhere/audit.note
    """
    from khien.cli import audit

    return audit.verify(data, export, verifier, against, language)


@audit.command("export")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE. Default: standard output.")
@options.data
@options.lang
def audit_export(data: Path | None, output: str | None, language: str) -> int:
    """Write the whole log as JSON Lines, for khien audit verify on another machine.

    \b
    Example:
      khien audit export -o audit.jsonl
    """
    from khien.cli import audit

    return audit.write(data, output, language)


@audit.command("checkpoint")
@click.option("--key", is_flag=True, help="Print the key it is signed with instead.")
@options.data
def audit_checkpoint(data: Path | None, key: bool) -> int:
    """Print the signed checkpoint: kept elsewhere, it tells whether anything before it was rewritten.

    \b
    Examples:
      khien audit checkpoint > audit.note
      khien audit checkpoint --key
    """
    from khien.cli import audit

    return audit.checkpoint(data, key)
