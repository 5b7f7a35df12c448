"""Floods of every strength injected into a real export, through exporters of many settings: what is found, and what is
found that was never sent.

Captures of floods give their packets in their order, addresses, ports, flags and sizes, again and again, evenly in time
at the rate that is asked for; only the victim is another: a host of the export. The vectors that there is no capture of
are made up. All floods that one exporter sees are in one run, each on a /20 of its own. The seed of a run is its place.
"""

import gzip
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import _traffic
import numpy as np
from _encoded import part
from _rows import Bar, Row
from _traffic import START, Chance, Export, Exporter, attack, joined, sampled, select, together, vector_of
from mitigation import ATTACKS, BENIGN, capture

from khien.app import machine
from khien.app.configuration import Floods
from khien.app.parts import flood_watch
from khien.flows import exports, pcap, records
from khien.flows.counts import SECOND
from khien.flows.decoder import Decoder
from khien.flows.floors import FEW, OF_FEW, OURS
from khien.flows.records import ADDRESS, HOST, MAPPED, Columns
from khien.flows.vectors import NAMES

Array = np.ndarray[Any, Any]

MADE_UP = ("dns", "ntp", "memcached", "udp", "icmp", "ack", "fragment", "gre")
TIMES = (0.5, 1.0, 1.5, 2.0, 5.0, 20.0)  # the floor
SAMPLING = (1, 10, 100, 1000, 2000)
ACTIVE = (5, 60, 300)  # seconds
PRECISION, RECALL = Bar(0.98, "of findings"), Bar(0.95, "of floods")
ENOUGH, OVER = 30, 3  # samples expected in so many seconds: cells with fewer are shown, not scored
LEAST = 1.5  # times the floor, from which on a flood must be found
_LASTS = 20.0  # seconds of a flood more than the active time-out, of that _LONG at most
_LONG = 60.0
_EACH = 2  # strengths of each flood in a run: three runs have them all
_LEAD = 10.0  # seconds before the first flood
_INACTIVE = 15
_TIME_OUT = 60  # seconds: the active time-out of the export
HEADER = ("sampling", "active", *(f"{each:g} x" for each in TIMES), "found that was not sent")


class Flood(NamedTuple):
    """What was injected. times: of the floor; scored: enough of it is sampled; begin, end: microseconds."""

    victim: str
    vector: str
    times: float
    scored: bool
    begin: int
    end: int

    def is_found(self, row: Mapping[str, Any]) -> bool:
        """Whether a finding says so: the victim, the vector among those named, and a time in common."""
        start, end = (row[name].timestamp() * SECOND for name in ("start", "end"))
        return (
            row["subject"] == self.victim
            and self.vector in row["techniques"]
            and start < self.end
            and end + SECOND > self.begin
        )


class Outcome(NamedTuple):
    """Of one run: the floods and whether each was found, and the findings that nothing was sent for."""

    exporter: Exporter
    floods: tuple[tuple[Flood, bool], ...]
    stray: tuple[str, ...]


def measured(folder: Path, quick: bool) -> tuple[list[Row], list[list[str]]]:
    """Rows of precision and recall, and the matrix they are of."""
    benign = received(folder / BENIGN)
    exporters = [Exporter(active, min(active, _INACTIVE), each) for each in SAMPLING for active in ACTIVE]
    chosen = exporters[::6][:2] if quick else exporters
    outcomes = [_run(benign, folder, exporter, seed) for seed, exporter in enumerate(chosen)]
    return list(_rows(outcomes)), _lines(outcomes)


def _rows(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    scored = [(flood, found) for each in outcomes for flood, found in each.floods if flood.scored]
    sent = [found for flood, found in scored if flood.times >= LEAST]
    low = sum(found for flood, found in scored if flood.times < 1)
    stray = [said for each in outcomes for said in each.stray]
    hits = sum(found for flood, found in scored if flood.times >= 1)
    wrong = low + len(stray)
    said = f"{hits / max(hits + wrong, 1):.4f}: {low} below the floor, {len(stray)} never sent"
    how = f"{len(outcomes)} runs of {len(outcomes[0].floods)} floods in the real export repeated; {_most(stray)}"
    yield Row("precision", PRECISION, hits / max(hits + wrong, 1), said, how)
    missed = [
        f"{flood.vector} {flood.times:g} x at {each.exporter}"
        for each in outcomes
        for flood, found in each.floods
        if flood.scored and flood.times >= LEAST and not found
    ]
    said = f"{sum(sent) / max(len(sent), 1):.4f} of {len(sent)}"
    yield Row("recall, 1.5 times the floor and more", RECALL, sum(sent) / max(len(sent), 1), said, _most(missed))


def _most(cases: Sequence[str]) -> str:
    return ", ".join(f"{case} ({n})" for case, n in Counter(cases).most_common(6)) or "none of either"


def _lines(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """A line for each exporter: floods found of those injected, in brackets where they are not scored."""
    lines: list[list[str]] = []
    for exporter in dict.fromkeys(each.exporter for each in outcomes):
        here = [each for each in outcomes if each.exporter == exporter]
        cells: list[str] = []
        for times in TIMES:
            of = [(flood.scored, found) for each in here for flood, found in each.floods if flood.times == times]
            cells.append(" ".join(_cell([found for each, found in of if each == scored], scored) for scored in (1, 0)))
        strays = sum(len(each.stray) for each in here)
        lines.append([f"1:{exporter.sampling}", f"{exporter.active:g} s", *map(str.strip, cells), str(strays)])
    return lines


def _cell(found: Sequence[bool], scored: int) -> str:
    said = f"{sum(found)}/{len(found)}" if found else ""
    return said if scored or not said else f"({said})"


def _run(benign: Export, folder: Path, exporter: Exporter, seed: int) -> Outcome:
    """Every flood at some strengths, through one exporter."""
    chance = np.random.default_rng(seed)
    lasts = _LASTS + min(exporter.active, _LONG)
    victims = iter(_victims(benign.flows, chance))
    floods: list[Flood] = []
    packets: list[Columns] = []
    for number, (kind, times) in enumerate(_strengths(seed)):
        of = None if kind in MADE_UP else captured(folder / "attack_pcap" / f"{kind}.pcap.gz")
        victim = next(victims)
        if of is not None and not of.packets.target[0].tobytes().startswith(MAPPED):
            victim = np.frombuffer(records.target(f"2001:db8:{number:x}::1")[1], np.uint8)
        vector = kind if of is None else of.vector
        rate = times * (OURS.of(HOST, vector)[0] if of is None else of.floor)
        begin = START + int((_LEAD + 2 * chance.random()) * SECOND)
        if of is None:
            packets.append(attack(vector, victim[None], rate, begin, lasts, chance))
        else:
            packets.append(_again(of, victim, rate, begin, lasts, chance))
        scored = rate * OVER / exporter.sampling >= ENOUGH
        ends = begin + round(lasts * SECOND)
        floods.append(Flood(records.written(HOST, victim.tobytes())[0], vector, times, scored, begin, ends))
    sent = exporter.export(joined(*packets), chance)
    ordinary = _repeated(benign, int(sent.received[-1]), exporter.sampling, chance)
    rows = _found(together(ordinary, sent))
    found = tuple((flood, any(map(flood.is_found, rows))) for flood in floods)
    stray = [row for row in rows if not any(flood.is_found(row) for flood in floods)]
    return Outcome(exporter, found, tuple(f"{row['techniques'][0]} {_where(row, floods)}" for row in stray))


def _strengths(seed: int) -> Iterator[tuple[str, float]]:
    """Which floods a run has, at how many times the floor."""
    for number, kind in enumerate((*ATTACKS, *MADE_UP)):
        for each in range(_EACH):
            yield kind, TIMES[(number + seed + each * len(TIMES) // _EACH) % len(TIMES)]


def _where(row: Mapping[str, Any], floods: Sequence[Flood]) -> str:
    """What a stray finding is about."""
    hit = next((flood for flood in floods if flood.victim == row["subject"]), None)
    if hit is not None:
        return f"beside {hit.vector}"
    return "of a host left alone" if row["kind"] == "address" else "of a prefix"


def _found(sent: Export) -> list[Mapping[str, Any]]:
    """The floods that are found, as they are known in the end."""
    watch = flood_watch(Floods(), whole=False)(machine.engine(), None)
    seen = [watch.take(rows) for _, rows in sent.pages()] + [watch.finish()]
    latest = {row["id"]: row for each in seen for batch in each.findings for row in batch.to_pylist()}
    return list(latest.values())


class Captured(NamedTuple):
    """A captured flood: its packets to the victim, the vector of most, their share, and the floor that is for them."""

    packets: Columns
    vector: str
    share: float
    floor: float


@cache
def captured(path: Path) -> Captured:
    """Reads a flood. Its floor is that of few sources where it has few, and is of SYN."""
    packets = capture(path)
    targets, counts = np.unique(packets.target, axis=0, return_counts=True)
    packets = select(packets, (packets.target == targets[counts.argmax()]).all(axis=1))
    numbers = np.bincount(vector_of(packets), minlength=len(NAMES))
    vector = NAMES[int(numbers.argmax())]
    few = vector == "syn" and len(np.unique(packets.source, axis=0)) < FEW
    floor = OURS.of(HOST, vector)[0] * (OF_FEW if few else 1)
    return Captured(packets, vector, float(numbers.max() / numbers.sum()), floor)


def _again(of: Captured, victim: Array, rate: float, begin: int, seconds: float, chance: Chance) -> Columns:
    """A captured flood on another victim, its main vector at a rate."""
    rate /= of.share
    each = max(1, round(rate * seconds / _traffic.MOST))
    n = round(rate * seconds / each)
    rows = select(of.packets, np.arange(n) % len(of.packets.first))
    at = begin + ((np.arange(n) + chance.random(n)) / n * seconds * SECOND).astype(np.int64)
    target = np.broadcast_to(victim, (n, ADDRESS))
    return rows._replace(first=at, last=at, target=target, packets=rows.packets * each, bytes=rows.bytes * each)


def _victims(benign: Columns, chance: Chance) -> Iterator[Array]:
    """Hosts of the export by chance, no two of a /20."""
    targets = np.unique(benign.target, axis=0)
    met: set[int] = set()
    for row in chance.permutation(len(targets)).tolist():
        around = int.from_bytes(targets[row].tobytes()) >> 12
        if around not in met:
            met.add(around)
            yield targets[row]


def _repeated(benign: Export, until: int, sampling: int, chance: Chance) -> Export:
    """The export again and again, as if it went on; sampled anew each time.

    Each turn is of other hosts until the export's active time-out is over: a flow is exported once in that time, and to
    have it in every turn would multiply what its hosts got.
    """
    begin, end = int(benign.received[0]), int(benign.received[-1])
    turns = -(-_TIME_OUT * SECOND // (end - begin))
    parts: list[Export] = []
    for turn, shift in enumerate(range(START - begin, until - begin, end - begin)):
        flows, rows = sampled(benign.flows, sampling, chance)
        flows = flows._replace(
            first=flows.first + shift,
            last=flows.last + shift,
            source=_others(flows.source, turn % turns),
            target=_others(flows.target, turn % turns),
        )
        parts.append(Export(flows, benign.received[rows] + shift))
    return together(*parts)


def _others(hosts: Array, turn: int) -> Array:
    """As many other IPv4 hosts, alike in which of them are near each other; the same in turn 0."""
    others = hosts.copy()
    others[:, -3] ^= turn
    return others


def received(path: Path) -> Export:
    """The records of a capture of exports, each with the time its datagram came."""
    decoder = Decoder()
    parts: list[Export] = []
    for frames in pcap.frames([gzip.decompress(path.read_bytes())]):
        sent = exports.exports(frames)[0]
        for number in range(len(sent.begins)):
            rows = decoder.decode(part(sent, slice(number, number + 1)))
            parts.append(Export(records.columns(rows), np.full(rows.num_rows, sent.received[number])))
    return together(*parts)
