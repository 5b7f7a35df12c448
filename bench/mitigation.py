"""Mitigation: what the rules against real floods drop and what they spare, in a model of the filter.

    python3 dev bench mitigation [--flows FOLDER]

Each attack of ../shared is sent to the host of a real export that is asked most, at the export's time: with what that
host has on ordinary days known, and not; and with the attack's sources and lengths unknown too. The attacked service is
the ports that take most of the attack. Nothing is timed.
"""

import argparse
import gzip
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from _filter import BURST, host, loads, passed
from _rows import HEADER, Bar, Row, skipped, table
from msgspec.structs import replace

from khien.flows import exports, pcap, records
from khien.flows.decoder import Decoder
from khien.flows.mitigation import MOST, PORTS, Attack, rules
from khien.flows.records import Columns
from khien.flows.vectors import SYN

Array = np.ndarray[Any, Any]

FLOWS = Path(__file__).parents[2] / "shared" / "data" / "flows"
BENIGN = "export_pcap/overflowd_netflow_first7s.pcap.gz"
ATTACKS = (
    "stopddos_pkt.TCP.synflood.spoofed",
    "stopddos_amp.TCP.reflection.SYNACK",
    "stopddos_amp.UDP.isakmp",
    "lucid_CIC-DDoS-2019-SynFlood",
    "suricata_ipv6-denial6-5",
)
LONG = 6.7  # seconds of the export
ALL, ATTACK, LITTLE = KNOWN = ("attack and ordinary days", "the attack", "its vectors and ports")
DROPPED = Bar(95, "%")
SPARED = Bar(1, "%", under=True)


class Mixed(NamedTuple):
    """An attack within other traffic: which rows are the attack, which go to its victim on ordinary days."""

    flows: Columns
    attack: Array
    ordinary: Array


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 dev bench mitigation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flows", type=Path, default=FLOWS, help="the folder of captures")
    rows = list(measure(parser.parse_args(sys.argv[1:]).flows))
    print(table(HEADER, [row.cells() for row in rows]), flush=True)
    return 0


def measure(folder: Path) -> Iterator[Row]:
    """Up to four rows an attack and state of knowledge: what is dropped of it, and of the rest."""
    if not (folder / BENIGN).is_file():
        yield skipped("mitigation", DROPPED, f"no {BENIGN} in {folder}")
        return
    benign = export(folder / BENIGN)
    for name in ATTACKS:
        mixed = mix(capture(folder / "attack_pcap" / f"{name}.pcap.gz"), benign)
        for known in KNOWN:
            yield from judge(name, mixed, known)


def judge(name: str, mixed: Mixed, known: str) -> Iterator[Row]:
    """What rules from a summary of the attack do to every flow."""
    flows, attack = mixed.flows, mixed.attack
    chosen = select(flows, attack)
    seconds = max(float(chosen.last.max() - chosen.first.min()), BURST) / 1e6
    found = loads(chosen, seconds)
    if known == LITTLE:
        found = tuple(replace(load, sources=(), lengths=None) for load in found)
    usual = loads(select(flows, mixed.ordinary), LONG) if known == ALL else None
    seen = Attack(victim=host(chosen.target[0].tobytes()), loads=found, usual=usual)
    made = rules(seen)
    lost = (1 - passed(flows, made)) * flows.packets
    service = attack & np.isin(flows.target_port, attacked(seen))
    how = f"{len(made)} rules; known: {known}"
    for part, bar, which in (
        ("outside the service", DROPPED, attack & ~service),
        ("the attacked service", None, service),
        ("the rest", SPARED, ~attack),
        ("the victim's own", None, mixed.ordinary),
    ):
        of = int(flows.packets[which].sum())
        if of:
            reached = 100 * float(lost[which].sum()) / of
            yield Row(f"{name}: {part}", bar, reached, f"{reached:.3f} % of {of}", how)


def attacked(attack: Attack) -> list[int]:
    """The ports that take most of a vector, where few do."""
    found: list[int] = []
    for load in attack.loads:
        shares = np.cumsum([share for _, share in load.ports[:PORTS]])
        if shares[-1] >= MOST and load.vector in ("syn", "ack", "udp", "tcp"):
            found += [port for port, _ in load.ports[: int(np.argmax(shares >= MOST)) + 1]]
    return found


def mix(attack: Columns, benign: Columns) -> Mixed:
    """An attack at the time of other traffic and, of the same IP version, on its busiest target."""
    targets, counts = np.unique(attack.target, axis=0, return_counts=True)
    attack = select(attack, (attack.target == targets[counts.argmax()]).all(axis=1))
    shift = int(np.median(benign.last) - attack.first.min())
    target = attack.target
    if attack.target[0].tobytes().startswith(records.MAPPED):
        target = np.broadcast_to(busiest(benign), attack.target.shape)
    attack = attack._replace(first=attack.first + shift, last=attack.last + shift, target=target)
    flows = Columns(*(np.concatenate(pair) for pair in zip(attack, benign, strict=True)))
    is_attack = np.arange(len(flows.first)) < len(attack.first)
    return Mixed(flows, is_attack, ~is_attack & (flows.target == target[0]).all(axis=1))


def busiest(flows: Columns) -> Array:
    """The target of the most connections: what rules about handshakes may hurt."""
    opened = flows.target[(flows.flags & SYN) != 0]
    targets, counts = np.unique(opened, axis=0, return_counts=True)
    return targets[counts.argmax()]


def select(flows: Columns, which: Array) -> Columns:
    """Some rows."""
    return Columns(*(column[which] for column in flows))


def capture(path: Path) -> Columns:
    """Raw traffic, a row a packet."""
    return _joined(pcap.flows(each)[0] for each in pcap.frames([gzip.decompress(path.read_bytes())]))


def export(path: Path) -> Columns:
    """What an exporter sent, in a capture."""
    decoder = Decoder()
    frames = pcap.frames([gzip.decompress(path.read_bytes())])
    return _joined(decoder.decode(exports.exports(each)[0]) for each in frames)


def _joined(parts: Iterable[pa.RecordBatch]) -> Columns:
    return records.columns(pa.Table.from_batches(parts).combine_chunks().to_batches()[0])


if __name__ == "__main__":
    sys.exit(main())
