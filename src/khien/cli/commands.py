"""The commands: their words, arguments and help. What they do is imported when one runs."""

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
FLOW_FORMATS = ("traffic", "exports", "nfdump", "ipfix", "flow-tools", "csv", "datagram")
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
@_lang
def run(config: Path | None, data: Path | None, once: bool, with_site: bool, language: str) -> int:
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
    """
    from khien.cli import run

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
    from khien.cli import run

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
