"""Commands about flow records: the floods in them, and what helps against one."""

from pathlib import Path
from typing import Any

import click

from khien.cli.commands import options

FLOW_FORMATS = ("traffic", "exports", "nfdump", "ipfix", "flow-tools", "csv", "datagram")
ROUTERS = ("exabgp", "bird", "cisco", "juniper")


@click.command("flows")
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
@options.lang
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
    from khien.app.configuration import Floods
    from khien.cli import flows

    return flows.scan(inputs, flows.Settings(floods=Floods(customers=customers), **settings))


@click.group()
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
@options.text_or_jsonl
@options.lang
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
@options.data
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
