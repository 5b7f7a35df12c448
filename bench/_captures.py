"""Captures without a configuration: which floods are found at whom, and that nothing else is."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from _rows import Bar, Row, skipped

from khien.app import machine, parts
from khien.app.configuration import Floods
from khien.contracts import Seen

ALL = Bar(100, "%")
NONE = Bar(1, "findings", under=True)


class Truth(NamedTuple):
    """A capture of a flood: its victim and main vector."""

    file: str
    victim: str
    vector: str


FLOODS = (
    Truth("stopddos_pkt.TCP.synflood.spoofed.pcap.gz", "10.10.10.10", "syn"),
    Truth("stopddos_amp.TCP.reflection.SYNACK.pcap.gz", "10.10.10.10", "syn-ack-reflection"),
    Truth("stopddos_amp.UDP.isakmp.pcap.gz", "10.10.10.10", "isakmp"),
    Truth("lucid_CIC-DDoS-2019-SynFlood.pcap.gz", "192.168.50.4", "syn"),
    Truth("suricata_ipv6-denial6-5.pcap.gz", "2001:db8:1::1", "ipv6-extension"),
    Truth("suricata_dhcp-request-flood.pcap.gz", "255.255.255.255", "dhcp"),
)
QUIET = {  # what nothing is found in; None: no bar
    "ordinary packets": ("benign_pcap/*", NONE),
    "scans and malware": ("flows/slips_*", NONE),
    "the real export": ("export_pcap/overflowd_netflow*", NONE),
    "other exports": ("export_pcap/[!o]*", NONE),
    "the real sFlow": ("export_pcap/overflowd_sflow*", NONE),
    "files of flow-tools, made up by a program": ("flows/spark-*", None),
}

Found = dict[bytes, tuple[str, str, float]]  # by the id of a finding: subject, main vector, packets a second


def measured(folder: Path) -> Iterator[Row]:
    """A row of floods, and one for each kind of what is none."""
    attacks = folder / "attack_pcap"
    if not attacks.is_dir():
        yield skipped("captures of floods", ALL, f"no {attacks.name} in {folder}")
        return
    wrong, others, packets = [], 0, 0
    for truth in FLOODS:
        rows, found = scan(attacks / truth.file)
        packets += rows
        hits = [each for each in found.values() if each[:2] == (truth.victim, truth.vector)]
        others += len(found) - len(hits)
        wrong += [] if hits else [truth.file]
    share = 100 * (1 - len(wrong) / len(FLOODS))
    said = f"{len(FLOODS) - len(wrong)} of {len(FLOODS)}{', not ' if wrong else ''}{', '.join(wrong)}"
    yield Row("captures: floods found, at their victim, by their main vector", ALL, share, said, f"{packets:,} packets")
    yield Row("captures: other findings in them", NONE, others, str(others), "victims of nothing")
    for name, (pattern, bar) in QUIET.items():
        yield _quiet(f"captures: {name}", bar, sorted(folder.glob(pattern)))


def _quiet(name: str, bar: Bar | None, paths: list[Path]) -> Row:
    rows, said = 0, list[str]()
    for path in paths:
        read, found = scan(path)
        rows += read
        said += [f"{path.name}: {subject} {vector} {rate:,.0f}/s" for subject, vector, rate in found.values()]
    return Row(name, bar, len(said), "; ".join(said) or "0 findings", f"{len(paths)} files, {rows:,} flows or packets")


def scan(path: Path) -> tuple[int, Found]:
    """How many rows a file has, and the floods in it, as ``khien scan flows`` finds them."""
    watch = parts.flood_watch(Floods(), whole=True)(machine.engine(), None)
    found: Found = {}
    rows = 0
    seen: list[Seen] = []
    for page in parts.captures([str(path)]).read(None):
        rows += page.rows.num_rows
        seen.append(watch.take(page.rows))
    for row in (row for each in (*seen, watch.finish()) for batch in each.findings for row in batch.to_pylist()):
        found[row["id"]] = row["subject"], row["techniques"][0], dict(row["measures"])["packets"]
    return rows, found
