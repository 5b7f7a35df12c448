"""Commands about what goes out: notices to constituents, and takedowns."""

from pathlib import Path
from typing import Any

import click

from khien.cli.commands import options

NOTICES = ("open", "acknowledged", "ours", "closed")  # model.NoticeState
ANSWERS = {  # answers.MOVES: what each says, and a reason for it
    "acknowledge": ("Say for a constituent that they have a notice in hand.", "called, they have it in hand"),
    "own": ("Say for a constituent that what a notice tells of is theirs.", "the site is their own"),
    "withdraw": ("Take a notice back: what has not gone out never will.", "the name is for sale, and nothing more"),
}
TAKEDOWNS = ("asked", "reported", "gone", "back", "closed")  # model.TakedownState


@click.group()
def notices() -> None:
    """Show what constituents were told, and answer for them.

    \b
    Examples:
      khien notices list
      khien notices show 6759fd29613a
      khien notices acknowledge 6759fd29613a --why "called, they have it in hand"
      khien notices withdraw 6759fd29613a --why "the name is for sale, and nothing more"
    """


@notices.command("list")
@click.option("--state", type=click.Choice(NOTICES), help="Only these. Default: all.")
@click.option("--severity", type=click.Choice(options.SEVERITIES), help="Only these.")
@click.option("--constituent", default="", metavar="ID", callback=options.text, help="Only to this constituent.")
@options.limit
@options.data
@options.text_or_jsonl
@options.lang
def notices_list(data: Path | None, format: str, language: str, **wanted: Any) -> int:
    """List notices, the newest first.

    \b
    Examples:
      khien notices list --state open
      khien notices list --constituent saothuy --format jsonl | jq -r .id
    """
    from khien.cli import notices

    return notices.listed(data, format=format, language=language, **wanted)


@notices.command("show")
@click.argument("reference", metavar="ID", callback=options.text)
@options.data
@options.text_or_jsonl
@options.lang
def notices_show(reference: str, data: Path | None, format: str, language: str) -> int:
    """Show one notice: what it says, where it went, what became of it. The first characters of its id are enough.

    \b
    Example:
      khien notices show 6759fd29613a --lang vi
    """
    from khien.cli import notices

    return notices.tell(data, reference, format, language)


def _notices_act(act: str, says: str, reason: str) -> None:
    example = f'khien notices {act} 6759fd29613a --why "{reason}"'

    @notices.command(act, help=f"{says}\n\n\b\nExample:\n  {example}")
    @click.argument("reference", metavar="ID", callback=options.text)
    @options.why
    @options.by
    @options.data
    @options.lang
    def _act(reference: str, why: str, by: str | None, data: Path | None, language: str) -> int:
        from khien.cli import notices

        return notices.act(data, reference, act, by, why, language)


for _name, (_says, _reason) in ANSWERS.items():
    _notices_act(_name, _says, _reason)


@click.group()
def takedown() -> None:
    """Have harmful sites taken down, and see for how long each was up.

    \b
    Examples:
      khien takedown begin vneid-otp.example.top
      khien takedown list
      khien takedown show vneid-otp.example.top
      khien takedown close vneid-otp.example.top --why "the registrar holds the name"
    """


@takedown.command("list")
@click.option("--state", type=click.Choice(TAKEDOWNS), help="Only these. Default: all.")
@options.limit
@options.data
@options.text_or_jsonl
@options.lang
def takedown_list(state: Any, limit: int, data: Path | None, format: str, language: str) -> int:
    """List takedowns, with the hours that each site was up.

    \b
    Examples:
      khien takedown list --state reported
      khien takedown list --format jsonl | jq -r .subject
    """
    from khien.cli import takedowns

    return takedowns.listed(data, state, limit, format, language)


@takedown.command("show")
@click.argument("reference", metavar="ID_OR_NAME", callback=options.text)
@options.data
@options.text_or_jsonl
@options.lang
def takedown_show(reference: str, data: Path | None, format: str, language: str) -> int:
    """Show one takedown: when the site was up, to whom it was reported.

    \b
    Example:
      khien takedown show vneid-otp.example.top
    """
    from khien.cli import takedowns

    return takedowns.tell(data, reference, format, language)


@takedown.command("begin")
@click.argument("reference", metavar="ID_OR_NAME", callback=options.text)
@options.by
@options.data
@options.lang
def takedown_begin(reference: str, by: str | None, data: Path | None, language: str) -> int:
    """Begin to have taken down what a finding is about: those who can end it are written to until it is gone.

    \b
    Example:
      khien takedown begin vneid-otp.example.top --by lan
    """
    from khien.cli import takedowns

    return takedowns.begin(data, reference, by, language)


@takedown.command("close")
@click.argument("reference", metavar="ID_OR_NAME", callback=options.text)
@options.why
@options.by
@options.data
@options.lang
def takedown_close(reference: str, why: str, by: str | None, data: Path | None, language: str) -> int:
    """End a takedown: nobody is written to about it any more.

    \b
    Example:
      khien takedown close vneid-otp.example.top --why "it was the bank's own"
    """
    from khien.cli import takedowns

    return takedowns.close(data, reference, by, why, language)
