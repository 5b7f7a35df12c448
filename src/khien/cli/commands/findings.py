"""Commands about findings: what was found, and what became of it."""

from pathlib import Path
from typing import Any

import click

from khien.cli.commands import options

STATES = ("new", "confirmed", "dismissed", "acted-on", "gone", "back")  # model.State
ACTS = {  # life.MOVES: what a person may do
    "confirm": "Say that a finding is right.",
    "dismiss": "Say that a finding is wrong, or harmless.",
    "act": "Say that something was done about it.",
    "lose": "Say that what was found is gone.",
    "reopen": "Take a dismissal back.",
}


@click.group(invoke_without_command=True)
@options.data
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these. May be repeated.")
@click.option("--brand", metavar="ID", help="Only those that imitate this protected name.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.5,
    metavar="X",
    callback=options.number,
    help="From X. Default: 0.5.",
)
@click.option("--suppressed", is_flag=True, help="Also what is known good.")
@click.option("--newest", is_flag=True, help="The newest first, not the strongest.")
@options.limit
@options.text_or_jsonl
@options.lang
@click.pass_context
def findings(ctx: click.Context, data: Path | None, format: str, language: str, **wanted: Any) -> int:
    """List what was found, or say what became of it.

    A finding is named by its id, or by the name it is about. Every step is kept with who took it, when and why.

    \b
    Examples:
      khien findings
      khien findings --newest --state new --format jsonl
      khien findings show vneid-otp.example.top
      khien findings confirm vneid-otp.example.top --why "asks for the one-time code"
      khien findings dismiss vneid-otp.example.top --why "the bank's own shop"
    """
    ctx.obj = data  # for the commands below, which may also be given it themselves
    if ctx.invoked_subcommand:
        return 0
    from khien.cli import findings

    return findings.show(ctx.obj, findings.Wanted(**wanted), format, language)


@findings.command("show")
@click.argument("reference", metavar="ID_OR_NAME")
@options.data
@options.text_or_jsonl
@options.lang
@click.pass_obj
def findings_show(given: Path | None, reference: str, data: Path | None, format: str, language: str) -> int:
    """Show one finding, its reasons, and what became of it.

    \b
    Example:
      khien findings show vneid-otp.example.top --lang vi
    """
    from khien.cli import findings

    return findings.tell(data or given, reference, format, language)


def _findings_act(act: str, says: str) -> None:
    example = f"khien findings {act} vneid-otp.example.top --why 'what was seen'"

    @findings.command(act, help=f"{says}\n\n\b\nExample:\n  {example}")
    @click.argument("reference", metavar="ID_OR_NAME")
    @click.option("--why", default="", callback=options.text, help="The reason; it is kept with the step.")
    @options.by
    @options.data
    @options.lang
    @click.pass_obj
    def _act(given: Path | None, reference: str, why: str, by: str | None, data: Path | None, language: str) -> int:
        from khien.cli import findings

        return findings.act(data or given, reference, act, by, why, language)


for _name, _says in ACTS.items():
    _findings_act(_name, _says)
