"""What looks like a flood and is none: nothing may be found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _rows import Bar, Row, skipped
from _traffic import START, Chance, Exporter, connections, host, ipv4, joined, made
from mitigation import capture

from khien.app import machine, parts
from khien.app.configuration import Floods
from khien.flows.counts import SECOND
from khien.flows.records import Columns
from khien.flows.vectors import ACK, ICMP, PUSH, RST, SYN, TCP, UDP

Array = np.ndarray[Any, Any]

NONE = Bar(1, "findings", under=True)
CAPTURES = ("zeek_echo-connections.pcap.gz", "pcpp_ip-frag.pcap.gz")
_EXPORTERS = (Exporter(1, 1), Exporter(60, 15), Exporter(60, 15, 100), Exporter(60, 15, 1000))
_LASTS = 20  # seconds
_US, _THEM = host("198.51.100.7"), host("192.0.2.9")


def measured(folder: Path, quick: bool) -> Iterator[Row]:
    """A row for each kind of traffic, through exporters of different settings; captures as they were taken."""
    exporters = _EXPORTERS[:2] if quick else _EXPORTERS
    for name, make in _MADE_UP.items():
        chance = np.random.default_rng(1)
        packets = make(chance)
        found = {str(each): _found(packets, each, chance) for each in exporters}
        yield _row(name, found, f"{_LASTS} s of {int(packets.packets.sum()) / _LASTS:,.0f} packets/s; exporters: ")
    for name in CAPTURES:
        path = folder / "benign_pcap" / name
        if not path.is_file():
            yield skipped(name, NONE, f"no {path.name} in {path.parent}")
            continue
        packets, chance = capture(path), np.random.default_rng(1)
        found = {str(each): _found(packets, each, chance) for each in exporters}
        yield _row(name, found, f"{len(packets.first):,} packets as captured; exporters: ")


def _row(name: str, found: Mapping[str, Sequence[str]], how: str) -> Row:
    said = "; ".join(f"{exporter}: {', '.join(rows)}" for exporter, rows in found.items() if rows)
    n = sum(map(len, found.values()))
    return Row(f"hard negative: {name}", NONE, n, said or "0 findings", how + "; ".join(found))


def _found(packets: Columns, exporter: Exporter, chance: Chance) -> list[str]:
    watch = parts.flood_watch(Floods(), whole=False)(machine.engine(), None)
    seen = [watch.take(rows) for _, rows in exporter.export(packets, chance).pages()] + [watch.finish()]
    rows = [row for each in seen for batch in each.findings for row in batch.to_pylist()]
    return sorted({f"{row['subject']} {'+'.join(row['techniques'])}" for row in rows})


def _steady(rate: float) -> Array:
    """Moments, evenly."""
    return START + (np.arange(round(rate * _LASTS)) / rate * SECOND).astype(np.int64)


def _scan(targets: Callable[[int], Array], ports: Callable[[int], Array]) -> Columns:
    """One source knocks 1,000 times a second; most ports are closed."""
    at = _steady(1000)
    n = len(at)
    asked = targets(n), ports(n)
    knock = made(at, _THEM, asked[0], TCP, 60, source_port=40_000, target_port=asked[1], flags=SYN)
    refuse = made(at + 500, asked[0], _THEM, TCP, 54, source_port=asked[1], target_port=40_000, flags=RST | ACK)
    return joined(knock, refuse)


def _of_ports(_: Chance) -> Columns:
    return _scan(lambda n: np.broadcast_to(_US, (n, 16)), lambda n: 1 + np.arange(n) % 65_535)


def _of_hosts(_: Chance) -> Columns:
    return _scan(lambda n: ipv4(0xC6120000 + np.arange(n)), lambda n: np.full(n, 23))


def _slow_http(chance: Chance) -> Columns:
    """Connections held open by a packet now and then."""
    at = _steady(2)
    port = chance.integers(1024, 1074, len(at))
    return made(at, _THEM, _US, TCP, 70, source_port=port, target_port=80, flags=PUSH | ACK)


def _slow_reflection(chance: Chance) -> Columns:
    at = _steady(1)
    return made(at, ipv4(chance.integers(1 << 24, 224 << 24, len(at))), _US, TCP, 60, source_port=443, flags=SYN | ACK)


def _backup(_: Chance) -> Columns:
    """One connection at 900 Mbit/s in packets of 1,500 bytes, its receiver answering every other."""
    at = _steady(900e6 / 8 / 1500 / 3)  # three packets a row
    flags = np.where(np.arange(len(at)) % 20 == 0, PUSH | ACK, ACK)
    there = made(at, _THEM, _US, TCP, 1500, source_port=50_000, target_port=22, flags=flags, packets=3)
    back = made(at, _US, _THEM, TCP, 52, source_port=22, target_port=50_000, flags=ACK)
    begin = made(at[:1] - 1000, _THEM, _US, TCP, 60, source_port=50_000, target_port=22, flags=SYN)
    return joined(begin, there, back)


def _video_call(_: Chance) -> Columns:
    at = _steady(400)
    there = made(at, _THEM, _US, UDP, 1100, source_port=50_000, target_port=3480)
    return joined(there, made(at + 700, _US, _THEM, UDP, 1100, source_port=3480, target_port=50_000))


def _resolver(chance: Chance) -> Columns:
    """What a resolver asks of others' name servers, and their answers."""
    at = _steady(1000)
    of = ipv4(0x0D000000 + (chance.pareto(0.5, len(at)) * 10).clip(0, 20_000).astype(np.int64))
    port = chance.integers(1024, 65536, len(at))
    asked = made(at, _US, of, UDP, 75, source_port=port, target_port=53)
    return joined(asked, made(at + 20_000, of, _US, UDP, 180, source_port=53, target_port=port))


def _nfs(_: Chance) -> Columns:
    """A client writes 8 KiB at a time over UDP: six fragments each, 2,000 a second."""
    return made(_steady(2000), _THEM, _US, UDP, 1400, fragment=1)


def _monitoring(chance: Chance) -> Columns:
    """Fifty probes ping a router, 200 times a second in all."""
    at = _steady(200)
    return made(at, ipv4(0x0B000000 + chance.integers(0, 50, len(at))), _US, ICMP, 84, target_port=8 << 8)


def _crowd(chance: Chance) -> Columns:
    return connections(20_000, _US, 20_000, START, _LASTS, chance)


_MADE_UP: Mapping[str, Callable[[Chance], Columns]] = {
    "scan of one host's ports": _of_ports,
    "scan of many hosts": _of_hosts,
    "flash crowd, 20,000 packets/s": _crowd,
    "slow HTTP, 2 packets/s": _slow_http,
    "TCP reflection, 1 packet/s": _slow_reflection,
    "backup, 900 Mbit/s": _backup,
    "video call": _video_call,
    "resolver, 1,000 answers/s": _resolver,
    "NFS over UDP, 2,000 fragments/s": _nfs,
    "pings, 200/s": _monitoring,
}
