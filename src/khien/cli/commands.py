"""The commands: their words, arguments and help. What they do is imported when one runs."""

import functools
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from khien.cli.terminal import language
from khien.words import LANGUAGES

STATES = ("new", "confirmed", "dismissed", "acted-on", "gone", "back")  # model.State
ACTS = {  # life.MOVES: what a person may do
    "confirm": "Say that a finding is right.",
    "dismiss": "Say that a finding is wrong, or harmless.",
    "act": "Say that something was done about it.",
    "lose": "Say that what was found is gone.",
    "reopen": "Take a dismissal back.",
}
ROLES = ("viewer", "officer", "approver", "administrator")  # model.ROLES
NOTICES = ("open", "acknowledged", "ours", "closed")  # model.NoticeState
ANSWERS = {  # answers.MOVES
    "acknowledge": "Say for a constituent that they have a notice in hand.",
    "own": "Say for a constituent that what a notice tells of is theirs.",
    "withdraw": "Take a notice back: what has not gone out never will.",
}
TAKEDOWNS = ("asked", "reported", "gone", "back", "closed")  # model.TakedownState
FLOW_FORMATS = ("traffic", "exports", "nfdump", "ipfix", "flow-tools", "csv", "datagram")
ASSETS = {"domain": "DOMAIN", "brand": "ID", "prefix": "PREFIX", "mail-domain": "DOMAIN"}  # model.AssetKind
SEVERITIES = ("low", "medium", "high", "critical")  # model.Severity
DIGESTS = ("at-once", "hourly", "daily")
ROUTERS = ("exabgp", "bird", "cisco", "juniper")
INPUT_FORMATS = ("plain", "csv", "tsv", "json", "zone", "hosts", "adblock", "parquet")

_protect = click.option(
    "--protect",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Register of protected names (TOML), or one that Khiên ships: vn (the default), world.",
)
_lang = click.option(
    "--lang",
    "language",
    type=click.Choice(LANGUAGES),
    callback=lambda _context, _parameter, asked: language(asked),
    help="Language for people. Default: that of the environment.",
)


_data = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Directory everything is kept in. Default: khien.toml's, else ./khien-data.",
)
_text_or_jsonl = click.option("--format", type=click.Choice(("text", "jsonl")), default="text", help="Default: text.")


def _text(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
    try:
        (given or "").encode()
    except UnicodeEncodeError as error:
        raise click.BadParameter("is not UTF-8") from error
    return given


def _texts(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_text(context, parameter, each) or "" for each in given)


class _Span(click.ParamType[timedelta]):
    """A span of time as ISO 8601 writes it."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        import msgspec

        try:
            return msgspec.convert(value, timedelta)
        except msgspec.ValidationError:
            return self.fail(
                f"{value!r} is no span of time: write PT4H for four hours, PT30M for thirty minutes", param, ctx
            )


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"khien {version('khien')}")
        except PackageNotFoundError:  # run from its sources
            click.echo("khien, not installed")
        ctx.exit()


def _number(_context: click.Context, _parameter: click.Parameter, score: float) -> float:
    if score != score:  # lies in every range, and nothing is above it
        raise click.BadParameter("nan is no number")
    return score


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


@khien.group()
def scan() -> None:
    """Scan what others have collected.

    \b
    Example:
      khien scan names newly-registered.txt
    """


@scan.command("names")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@_protect
@click.option(
    "--format",
    type=click.Choice(("table", "jsonl", "csv")),
    help="Default: by the ending of the output file; table on a terminal; else jsonl.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="X",
    callback=_number,
    help="Leave out scores below X.",
)
@click.option("--suppressed", is_flag=True, help="Also show what is known good, with the reason.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, always: it is empty when nothing was found.")
@click.option(
    "--column", metavar="NAME", help="Column or JSON member of the names. Default: domain, host, name or the first."
)
@click.option("--input-format", type=click.Choice(INPUT_FORMATS), help="Default: recognised by what the input holds.")
@click.option("-v", "--verbose", is_flag=True, help="Sum up at the end even when nobody watches.")
@_lang
def scan_names(inputs: tuple[str, ...], **settings: Any) -> int:
    """Find the names that imitate a protected brand or service.

    INPUT is a file, or - for standard input: a plain list, CSV, TSV, JSON lines, certstream messages, a zone, a hosts
    file, an AdBlock list or Parquet; packed with gzip, zstd, bzip2 or xz or not.

    \b
    Examples:
      khien scan names names.txt
      khien scan names --min-score 0.8 -o found.csv zone.gz
      zstdcat names.zst | khien scan names - | jq -r .domain
      khien scan names --protect ours.toml --suppressed --format jsonl names.csv
    """
    from khien.cli import scan

    return scan.names(inputs, scan.Settings(**settings))


@scan.command("flows")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--format", type=click.Choice(("table", "jsonl")), help="Default: table on a terminal; else jsonl.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, always: it is empty when nothing was found.")
@click.option("--input-format", type=click.Choice(FLOW_FORMATS), help="Default: recognised by what the input holds.")
@click.option(
    "--customer",
    "customers",
    multiple=True,
    metavar="PREFIX",
    help="Also watch this prefix as a whole. May be repeated.",
)
@click.option("-v", "--verbose", is_flag=True, help="Sum up at the end even when nobody watches.")
@_lang
def scan_flows(inputs: tuple[str, ...], customers: tuple[str, ...], **settings: Any) -> int:
    """Find the floods in flow records: who is hit, with what, since when, how hard and by how many.

    INPUT is a file, or - for standard input: a capture (pcap, pcapng) of NetFlow, IPFIX or sFlow exports or of raw
    traffic, told apart by what it holds; an nfdump, IPFIX, flow-tools or Argus file, or CSV; packed or not. Of packets
    only the headers are looked at.

    \b
    Examples:
      khien scan flows router.pcap
      khien scan flows nfcapd.202611220500 --format jsonl | jq -r .victim
      khien scan flows --customer 203.0.113.0/25 -o floods.jsonl *.pcapng.zst
    """
    from khien.app import Floods
    from khien.cli import flows

    return flows.scan(inputs, flows.Settings(floods=Floods(customers=customers), **settings))


@khien.group()
def flows() -> None:
    """Look into flow records, and help who is flooded.

    \b
    Examples:
      khien flows top router.pcap
      khien flows mitigate 203.0.113.9 --router juniper
    """


@flows.command("top")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--by", type=click.Choice(("packets", "bytes", "flows")), default="packets", help="Default: packets.")
@click.option("--limit", type=click.IntRange(1), default=10, metavar="N", help="At most N. Default: 10.")
@click.option("--input-format", type=click.Choice(FLOW_FORMATS), help="Default: recognised by what the input holds.")
@_text_or_jsonl
@_lang
def flows_top(inputs: tuple[str, ...], **settings: Any) -> int:
    """List the targets that got most, and by which vector most of it came. INPUT as for khien scan flows.

    \b
    Examples:
      khien flows top router.pcap
      khien flows top --by bytes --limit 50 nfcapd.202611220500
    """
    from khien.cli import flows

    return flows.top(inputs, **settings)


@flows.command("mitigate")
@click.argument("reference", metavar="ID_OR_ADDRESS")
@click.option("--router", type=click.Choice(ROUTERS), required=True, help="In whose words.")
@click.option("--blackhole", is_flag=True, help="Give the victim up, so that others are reached: the last resort.")
@click.option(
    "--hours", type=click.FloatRange(0, 24 * 7, min_open=True), default=1.0, metavar="H", help="Meant for. Default: 1."
)
@_data
def flows_mitigate(data: Path | None, reference: str, router: str, blackhole: bool, hours: float) -> int:
    """Write what a router may be told against a flood: it drops the attack and spares the rest.

    Khiên applies nothing itself: read the text, make it yours, then enter it.

    \b
    Examples:
      khien flows mitigate 203.0.113.9 --router exabgp
      khien flows mitigate 203.0.113.9 --router cisco --blackhole --hours 2
    """
    from khien.cli import flows

    return flows.mitigate(data, reference, router, blackhole, hours)


@khien.command()
@click.argument("name", metavar="NAME_OR_URL")
@_protect
@click.option("--format", type=click.Choice(("text", "jsonl", "csv")), default="text", help="Default: text.")
@_lang
def check(name: str, protect: Path | None, format: str, language: str) -> int:
    """Say whether one name imitates a protected brand or service, and why.

    Takes a name, a URL or a mail address, also defanged. Looks at the name only, and visits nothing.

    \b
    Examples:
      khien check vietcombank.example.top
      khien check 'hxxps://dang-nhap[.]example[.]com/otp' --lang vi
    """
    from khien.cli import check

    return check.check(name, protect, format, language)


@khien.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@_data
@click.option("--once", is_flag=True, help="Stop when every source has come to its end; no site.")
@click.option("--site/--no-site", "with_site", default=True, help="Serve the site beside it. Default: yes.")
@click.option(
    "--log-format",
    type=click.Choice(("text", "json")),
    default="text",
    help="Of what it says on standard error. Default: text.",
)
@_lang
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


@khien.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep them in DIR. Default: a directory that is removed at the end.",
)
@click.option("--report", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the pages to FOLDER and end.")
@click.option("--listen", default="127.0.0.1:8460", metavar="HOST:PORT", help="Where the site is served.")
@click.option("--open/--no-open", "opened", default=False, help="Open the site in a browser.")
@_lang
def replay(data: Path | None, report: Path | None, listen: str, opened: bool, language: str) -> int:
    """Replay the real, dated names that come with Khiên, and show what it finds.

    Dated names are no current accusations, and every page says so. They are kept in a directory that is removed at the
    end, unless --data names one.

    \b
    Examples:
      khien replay --open
      khien replay --report ./report
    """
    from khien.app import Site
    from khien.cli import journal, run

    journal.begin("text")
    return run.replay(data, report, Site(listen=listen), opened, language)


@khien.group(invoke_without_command=True)
@_data
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these. May be repeated.")
@click.option("--brand", metavar="ID", help="Only those that imitate this protected name.")
@click.option(
    "--min-score", type=click.FloatRange(0, 1), default=0.5, metavar="X", callback=_number, help="From X. Default: 0.5."
)
@click.option("--suppressed", is_flag=True, help="Also what is known good.")
@click.option("--newest", is_flag=True, help="The newest first, not the strongest.")
@click.option("--limit", type=click.IntRange(1), default=50, metavar="N", help="At most N. Default: 50.")
@_text_or_jsonl
@_lang
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
@_data
@_text_or_jsonl
@_lang
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
    @click.option("--why", default="", callback=_text, help="The reason; it is kept with the step.")
    @click.option("--by", metavar="NAME", callback=_text, help="Who decides. Default: who is logged in.")
    @_data
    @_lang
    @click.pass_obj
    def _act(given: Path | None, reference: str, why: str, by: str | None, data: Path | None, language: str) -> int:
        from khien.cli import findings

        return findings.act(data or given, reference, act, by, why, language)


for _name, _says in ACTS.items():
    _findings_act(_name, _says)


_by = click.option("--by", metavar="NAME", callback=_text, help="Who decides. Default: who is logged in.")
_why = click.option("--why", default="", callback=_text, help="The reason; the audit keeps it.")
_kind = click.option("--kind", type=click.Choice(ASSETS), help="Of the asset, where a value is claimed as two kinds.")


def _desk(command: Any) -> Any:
    """The options of whatever changes a constituent, handed on as one."""

    @functools.wraps(command)
    def changed(
        data: Path | None, protect: Path | None, by: str | None, why: str, language: str, **settings: Any
    ) -> int:
        from khien.cli.constituents import Desk

        return command(Desk(data, protect, by, why, language), **settings)

    for option in (_lang, _protect, _data, _why, _by):
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
                f"--{kind}", multiple=True, callback=_texts, metavar=what, help=f"{verb}; may be repeated."
            )
            gathered = option(gathered)
        return gathered

    return decorated


@khien.group()
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
@_data
@_text_or_jsonl
@_lang
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
@click.argument("id", metavar="ID", callback=_text)
@_data
@_text_or_jsonl
@_lang
def constituents_show(id: str, data: Path | None, format: str, language: str) -> int:
    """Show one constituent: what is theirs, how that is proven, how they hear.

    \b
    Example:
      khien constituents show saothuy
    """
    from khien.cli import constituents

    return constituents.show(data, id, format, language)


@constituents.command("add")
@click.argument("id", metavar="ID", callback=_text)
@click.option("--label", callback=_text, help="What people call them.")
@click.option("--sector", callback=_text, help="For example bank; citizen for a person, who is sent no links.")
@click.option("--note", callback=_text, help="For officers.")
@click.option("--patience", type=_Span(), help="How long a notice may wait for an answer, as PT4H. Default: PT4H.")
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
@click.argument("id", metavar="ID", callback=_text)
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
@click.argument("id", metavar="ID", callback=_text)
@click.argument("value", metavar="ASSET", callback=_text)
@_kind
@click.option("--how", type=click.Choice(("dns", "mail", "officer")), help="Default: say what to publish in DNS.")
@click.option(
    "--server",
    default="",
    metavar="ADDRESS",
    callback=_text,
    help="With dns: the name server to ask, not the system's.",
)
@click.option("--code", default="", callback=_text, help="With mail: the code. Without it, write the mails to be sent.")
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
@click.argument("id", metavar="ID", callback=_text)
@click.option("--channel", required=True, callback=_text, help="As the configuration calls it, for example mail.")
@click.option("--address", default="", callback=_text, help="A mail address, or the URL of a webhook.")
@click.option("--in", "written", type=click.Choice(LANGUAGES), default="vi", help="The language. Default: vi.")
@click.option("--least", type=click.Choice(SEVERITIES), default="medium", help="From so severe on. Default: medium.")
@click.option("--digest", type=click.Choice(DIGESTS), default="at-once", help="Default: at-once.")
@click.option("--quiet", metavar="HH:MM-HH:MM", callback=_text, help="Hours in which only the critical is told.")
@click.option("--zone", default="Asia/Ho_Chi_Minh", callback=_text, help="Their time zone. Default: Asia/Ho_Chi_Minh.")
@click.option("--after", type=_Span(), default="PT0H", help="Told here only when nobody has answered for so long.")
@click.option("--secret-file", default="", callback=_text, help="Of a webhook: the secret it is signed with.")
@click.option("--stop", is_flag=True, help="Take this way to hear away.")
@_desk
def constituents_hear(desk: Any, id: str, written: Any, quiet: str | None, zone: str, stop: bool, **own: Any) -> int:
    """Say how a constituent wishes to hear; one way for each channel and address.

    \b
    Examples:
      khien constituents hear saothuy --channel mail --address soc@saothuybank.example --least high --quiet 22:00-06:00
      khien constituents hear saothuy --channel mail --address soc@saothuybank.example --stop
    """
    from khien.cli import constituents
    from khien.model import Hearing, Quiet

    begin, _, end = (quiet or "").partition("-")
    hearing = Hearing(language=written, quiet=Quiet(begin=begin, end=end, zone=zone) if quiet else None, **own)
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
@_data
def constituents_export(data: Path | None, format: str, output: str | None) -> int:
    """Write those who are constituents now as a document that import takes; no proofs are in it.

    \b
    Examples:
      khien constituents export -o ours.toml
      khien constituents export --format csv > ours.csv
    """
    from khien.cli import constituents

    return constituents.give_out(data, format, output)


@khien.command()
@_data
@_text_or_jsonl
@_lang
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


@khien.group()
def notices() -> None:
    """Show what constituents were told, and answer for them.

    \b
    Examples:
      khien notices list
      khien notices show 6759fd29613a
      khien notices acknowledge 6759fd29613a --why "called, they have it in hand"
      khien notices withdraw 6759fd29613a --why "the site is their own"
    """


@notices.command("list")
@click.option("--state", type=click.Choice(NOTICES), help="Only these. Default: all.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only these.")
@click.option("--constituent", default="", metavar="ID", callback=_text, help="Only to this constituent.")
@click.option("--limit", type=click.IntRange(1), default=50, metavar="N", help="At most N. Default: 50.")
@_data
@_text_or_jsonl
@_lang
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
@click.argument("reference", metavar="ID", callback=_text)
@_data
@_text_or_jsonl
@_lang
def notices_show(reference: str, data: Path | None, format: str, language: str) -> int:
    """Show one notice: what it says, where it went, what became of it. The first characters of its id are enough.

    \b
    Example:
      khien notices show 6759fd29613a --lang vi
    """
    from khien.cli import notices

    return notices.tell(data, reference, format, language)


def _notices_act(act: str, says: str) -> None:
    example = f"khien notices {act} 6759fd29613a --why 'what they said'"

    @notices.command(act, help=f"{says}\n\n\b\nExample:\n  {example}")
    @click.argument("reference", metavar="ID", callback=_text)
    @_why
    @_by
    @_data
    @_lang
    def _act(reference: str, why: str, by: str | None, data: Path | None, language: str) -> int:
        from khien.cli import notices

        return notices.act(data, reference, act, by, why, language)


for _name, _says in ANSWERS.items():
    _notices_act(_name, _says)


@khien.group()
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
@click.option("--limit", type=click.IntRange(1), default=50, metavar="N", help="At most N. Default: 50.")
@_data
@_text_or_jsonl
@_lang
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
@click.argument("reference", metavar="ID_OR_NAME", callback=_text)
@_data
@_text_or_jsonl
@_lang
def takedown_show(reference: str, data: Path | None, format: str, language: str) -> int:
    """Show one takedown: when the site was up, to whom it was reported.

    \b
    Example:
      khien takedown show vneid-otp.example.top
    """
    from khien.cli import takedowns

    return takedowns.tell(data, reference, format, language)


@takedown.command("begin")
@click.argument("reference", metavar="ID_OR_NAME", callback=_text)
@_by
@_data
@_lang
def takedown_begin(reference: str, by: str | None, data: Path | None, language: str) -> int:
    """Begin to have taken down what a finding is about: those who can end it are written to until it is gone.

    \b
    Example:
      khien takedown begin vneid-otp.example.top --by lan
    """
    from khien.cli import takedowns

    return takedowns.begin(data, reference, by, language)


@takedown.command("close")
@click.argument("reference", metavar="ID_OR_NAME", callback=_text)
@_why
@_by
@_data
@_lang
def takedown_close(reference: str, why: str, by: str | None, data: Path | None, language: str) -> int:
    """End a takedown: nobody is written to about it any more.

    \b
    Example:
      khien takedown close vneid-otp.example.top --why "it was the bank's own"
    """
    from khien.cli import takedowns

    return takedowns.close(data, reference, by, why, language)


@khien.command()
@_data
@click.option("--format", type=click.Choice(("text", "json")), default="text", help="Default: text.")
@_lang
def status(data: Path | None, format: str, language: str) -> int:
    """Say how far the sources are, what was found, and what it takes on the disk.

    \b
    Examples:
      khien status
      khien status --format json | jq .findings
    """
    from khien.cli import status

    return status.status(data, format, language)


@khien.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@_data
@click.option("--deep", is_flag=True, help="Also read every file whole, and hold it to its digest.")
@_lang
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


@khien.group(invoke_without_command=True)
@_data
@_text_or_jsonl
@_lang
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
@click.argument("id", metavar="NAME", callback=_text)
@click.option("--role", type=click.Choice(ROLES), help="Of a new officer, or another one for who is here.")
@click.option("--label", default="", callback=_text, help="What people call them. Default: NAME.")
@click.option("--anew", is_flag=True, help="Passkeys, sessions and tokens they have let nobody in any more.")
@_by
@_data
@_lang
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
@click.argument("id", metavar="NAME", callback=_text)
@click.argument("role", type=click.Choice(ROLES))
@_by
@_data
@_lang
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
@click.argument("id", metavar="NAME", callback=_text)
@_by
@_data
@_lang
@click.pass_obj
def officers_leave(given: Path | None, id: str, data: Path | None, by: str | None, language: str) -> int:
    """Let an officer go: nothing lets them in any more.

    \b
    Example:
      khien officers leave lan
    """
    from khien.cli import officers

    return officers.leave(data or given, id, by, language)


@khien.group()
def audit() -> None:
    """Show what officers did, and find out whether anybody rewrote it.

    \b
    Examples:
      khien audit show
      khien audit verify
      khien audit checkpoint > /media/elsewhere/audit.note
    """


@audit.command("show")
@click.option("--limit", type=click.IntRange(1), default=50, metavar="N", help="At most N. Default: 50.")
@_data
@_text_or_jsonl
@_lang
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
@click.option("--key", "verifier", metavar="KEY", callback=_text, help="Hold it to this key, not to the one beside it.")
@click.option(
    "--against", type=click.Path(path_type=Path), metavar="FILE", help="A checkpoint that was kept elsewhere."
)
@_data
@_lang
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
@_data
@_lang
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
@_data
def audit_checkpoint(data: Path | None, key: bool) -> int:
    """Print the signed checkpoint: kept elsewhere, it tells whether anything before it was rewritten.

    \b
    Examples:
      khien audit checkpoint > audit.note
      khien audit checkpoint --key
    """
    from khien.cli import audit

    return audit.checkpoint(data, key)


@khien.group()
def protect() -> None:
    """Work on a register of protected names.

    \b
    Example:
      khien protect check ours.toml
    """


@protect.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@_lang
def protect_check(file: Path, language: str) -> int:
    """Say what a register holds, or everything that is wrong with it.

    \b
    Example:
      khien protect check ours.toml
    """
    from khien.cli import protect

    return protect.check(file, language)


@khien.command()
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
