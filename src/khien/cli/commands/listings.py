"""Commands about what is listed, and about the log that says so."""

from pathlib import Path
from typing import Any

import click

from khien.cli.commands import options

UNITS = ("url", "host", "domain")  # model.Unit
SITES = ("registered-for-harm", "hacked", "shared-hosting", "unclear")  # model.SiteClass
CONDUCTS = ("form", "payload", "imitation")  # model.Conduct
STATES = ("proposed", "listed", "contested", "removed", "expired")  # model.ListingState

_public = click.option("--why", required=True, callback=options.text, help="The reason, which everybody may read.")
_key = click.option(
    "--key", "verifier", metavar="KEY", callback=options.text, help="Hold it to this key, not to the house's own."
)
_against = click.option(
    "--against", type=click.Path(path_type=Path), metavar="FILE", help="A checkpoint that was kept elsewhere."
)


@click.command("list")
@click.argument("what", metavar="URL_OR_HOST", callback=options.text)
@click.option("--harm", required=True, callback=options.text, help="fraud, theft, malware or attack; nothing else.")
@click.option(
    "--conduct",
    multiple=True,
    type=click.Choice(CONDUCTS),
    help="What it does: asks for secrets, hands out malware, is proven to pass for another. May be repeated.",
)
@click.option("--evidence", type=click.Path(path_type=Path), metavar="FILE", help="What shows it: kept, never shown.")
@click.option("--note", default="", callback=options.text, help="What the site does, in Vietnamese, for everybody.")
@click.option("--note-en", default="", callback=options.text, help="The same in English; both or none.")
@click.option(
    "--unit", type=click.Choice(UNITS), help="What is meant. Default: the page, where there is a path; the host."
)
@click.option("--site", type=click.Choice(SITES), default="unclear", help="Whose fault it is. Default: unclear.")
@click.option("--finding", default="", metavar="ID", callback=options.text, help="The finding that tells of it.")
@click.option("--days", type=click.IntRange(1), default=90, metavar="N", help="For how long, 365 at most. Default: 90.")
@options.protect
@options.by
@options.data
@options.lang
def list_(what: str, data: Path | None, protect: Path | None, by: str | None, language: str, **asked: Any) -> int:
    """List a site that does harm, publicly. A name or an opinion is never listed; docs/listing.md has the rules.

    What is hacked or shared by many is listed and not blocked. A page of a popular site or a platform, an address, and
    what is only said to imitate another take a second person.

    \b
    Examples:
      khien list https://vneid-otp.example/login --harm fraud --conduct form --evidence page.html \\
        --note "Hỏi mã OTP của người dùng" --note-en "Asks people for their codes"
    """
    from khien.cli import listings

    return listings.list_(data, protect, what, by, language, **asked)


@click.command()
@click.argument("reference", metavar="ID_OR_VALUE", callback=options.text)
@_public
@options.protect
@options.by
@options.data
@options.lang
def delist(reference: str, why: str, protect: Path | None, by: str | None, data: Path | None, language: str) -> int:
    """Take a listing out, publicly: it is gone from every output, and the log says why.

    \b
    Example:
      khien delist vneid-otp.example --why "the site is gone"
    """
    from khien.cli import listings

    return listings.delist(data, protect, reference, by, why, language)


@click.group(invoke_without_command=True)
@click.option("--state", type=click.Choice(STATES), help="Only these. Default: all.")
@options.limit
@options.data
@options.text_or_jsonl
@options.lang
@click.pass_context
def listings(ctx: click.Context, state: Any, limit: int, data: Path | None, format: str, language: str) -> int:
    """Show what is listed, the newest first; approve, decide, import.

    \b
    Examples:
      khien listings
      khien listings --state proposed
      khien listings approve vneid-otp.example
    """
    if ctx.invoked_subcommand:
        ctx.obj = data
        return 0
    from khien.cli import listings

    return listings.show(data, state, limit, format, language)


@listings.command("show")
@click.argument("reference", metavar="ID_OR_VALUE", callback=options.text)
@options.data
@options.lang
@click.pass_obj
def listings_show(given: Path | None, reference: str, data: Path | None, language: str) -> int:
    """Show one listing whole, with all that the log says of it.

    \b
    Example:
      khien listings show vneid-otp.example
    """
    from khien.cli import listings

    return listings.tell(data or given, reference, language)


@listings.command("approve")
@click.argument("reference", metavar="ID_OR_VALUE", callback=options.text)
@options.protect
@options.by
@options.data
@options.lang
@click.pass_obj
def listings_approve(
    given: Path | None, reference: str, protect: Path | None, by: str | None, data: Path | None, language: str
) -> int:
    """List, as the second person, what another one proposed. Both are officers: khien officers invite.

    \b
    Example:
      khien listings approve vneid-otp.example --by mai
    """
    from khien.cli import listings

    return listings.approve(data or given, protect, reference, by, language)


@listings.command("change")
@click.argument("reference", metavar="ID_OR_VALUE", callback=options.text)
@click.option("--site", type=click.Choice(SITES), help="Whose fault it is.")
@click.option("--note", default="", callback=options.text, help="What the site does, in Vietnamese.")
@click.option("--note-en", default="", callback=options.text, help="The same in English; both or none.")
@click.option("--evidence", type=click.Path(path_type=Path), metavar="FILE", help="What shows it.")
@click.option("--days", type=click.IntRange(1), metavar="N", help="For how long from now on.")
@_public
@options.protect
@options.by
@options.data
@options.lang
@click.pass_obj
def listings_change(given: Path | None, reference: str, data: Path | None, **asked: Any) -> int:
    """Change what a listing says; what is not given stays. Another place is another listing.

    \b
    Example:
      khien listings change vneid-otp.example --site hacked --why "its owner called"
    """
    from khien.cli import listings

    return listings.change(data or given, reference, **asked)


@listings.command("decide")
@click.argument("reference", metavar="ID_OR_VALUE", callback=options.text)
@click.argument("outcome", type=click.Choice(("keep", "remove")))
@_public
@options.protect
@options.by
@options.data
@options.lang
@click.pass_obj
def listings_decide(given: Path | None, reference: str, outcome: str, data: Path | None, **decided: Any) -> int:
    """Decide on the objection of an owner. Who listed a site does not decide that it stays.

    \b
    Example:
      khien listings decide vneid-otp.example remove --why "it was the bank's own test"
    """
    from khien.cli import listings

    return listings.decide(data or given, reference, keep=outcome == "keep", **decided)


@listings.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@options.protect
@options.by
@options.data
@options.lang
@click.pass_obj
def listings_import(
    given: Path | None, file: Path, protect: Path | None, by: str | None, data: Path | None, language: str
) -> int:
    """List many sites: JSON Lines with value, harm, conduct, evidence (SHA-256), note ({"vi": ..., "en": ...}), and as
    wished unit, site, days.

    Each is held to the same rules; what they refuse is counted and left out.

    \b
    Example:
      khien listings import partner.jsonl --by lan
    """
    from khien.cli import listings

    return listings.import_(data or given, protect, file, by, language)


@click.group()
def ledger() -> None:
    """Hold the log of listings to its key, copy it, prove what it says.

    \b
    Examples:
      khien ledger verify
      khien ledger mirror /media/copy
      khien ledger proof 12 > 12.tlog-proof
    """


@ledger.command("verify")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@_key
@_against
@options.data
@options.lang
def ledger_verify(
    folder: Path | None, verifier: str | None, against: Path | None, data: Path | None, language: str
) -> int:
    """Say whether anything was changed, removed or moved, and where. Needs no network.

    FOLDER is a copy that khien ledger mirror made; without it the data directory is looked at. A copy far from
    that needs --key. Exit status: 0 it holds, 2 it does not.

    \b
    Examples:
      khien ledger verify
      khien ledger verify --against /media/elsewhere/listings.note
      khien ledger verify copy --key khien-listings-0badcafe+...
    """
    from khien.cli import ledger

    return ledger.verify(data, folder, verifier, against, language)


@ledger.command("mirror")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from", "source", metavar="URL", callback=options.text, help="The log of another Khiên: https://.../ledger"
)
@_key
@_against
@click.option("--allow", multiple=True, metavar="NETWORK", help="A private network that may be asked. May be repeated.")
@options.data
@options.lang
def ledger_mirror(data: Path | None, folder: Path, language: str, **asked: Any) -> int:
    """Copy the log into FOLDER, checking all of it; run again, only what is new is fetched.

    Laid out as c2sp.org/tlog-tiles says, with the texts of leaves beside. What is fetched needs the --key of who signs.

    \b
    Examples:
      khien ledger mirror copy
      khien ledger mirror copy --from https://khien.example/ledger --key khien-listings-0badcafe+...
    """
    from khien.cli import ledger

    return ledger.mirror(data, folder, language, **asked)


@ledger.command("proof")
@click.argument("reference", metavar="ID_OR_INDEX", callback=options.text)
@options.data
@options.lang
def ledger_proof(reference: str, data: Path | None, **_language: str) -> int:
    """Print what shows anybody that a leaf is in the log (c2sp.org/tlog-proof). Of a listing: its last leaf.

    \b
    Example:
      khien ledger proof 12 > 12.tlog-proof
    """
    from khien.cli import ledger

    return ledger.prove(data, reference)


@ledger.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@_key
@options.data
@options.lang
def ledger_check(file: Path, verifier: str | None, data: Path | None, language: str) -> int:
    """Hold a proof to a key, and print what its leaf says. Needs neither network nor, with --key, a data directory.

    \b
    Example:
      khien ledger check 12.tlog-proof --key khien-listings-0badcafe+...
    """
    from khien.cli import ledger

    return ledger.check(data, file, verifier, language)


@ledger.command("checkpoint")
@click.option("--key", is_flag=True, help="Print the key it is signed with instead.")
@options.data
@options.lang
def ledger_checkpoint(key: bool, data: Path | None, **_language: str) -> int:
    """Print the signed checkpoint: kept elsewhere, it tells whether anything before it was rewritten.

    \b
    Example:
      khien ledger checkpoint > listings.note
    """
    from khien.cli import ledger

    return ledger.checkpoint(data, key)


@ledger.command("redact")
@click.argument("reference", metavar="ID_OR_INDEX", callback=options.text)
@_public
@options.by
@options.data
@options.lang
def ledger_redact(reference: str, why: str, by: str | None, data: Path | None, language: str) -> int:
    """Take the text out of a leaf for ever. The log says so, and all its proofs still hold.

    \b
    Example:
      khien ledger redact 12 --why "it named a person" --by mai
    """
    from khien.cli import ledger

    return ledger.redact(data, reference, by, why, language)
