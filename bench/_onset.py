"""How soon a flood is found, from the moment the exported records imply it; whole prefixes too."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from _rows import Bar, Row
from _traffic import START, Chance, Export, Exporter, attack, connections, host, ipv4, joined

from khien.app import machine, parts
from khien.app.configuration import Floods
from khien.flows import records
from khien.flows.counts import SECOND
from khien.flows.floors import OURS
from khien.flows.records import HOST, Columns
from khien.flows.vectors import NUMBERS

Array = np.ndarray[Any, Any]

VECTORS = ("syn", "udp", "dns", "icmp", "ack", "ntp", "fragment")
FAST = Exporter(1, 1, 1)
OTHERS = (Exporter(15, 15), Exporter(60, 15), Exporter(1, 1, 100), Exporter(1, 1, 1000), Exporter(60, 15, 1000))
BARS = {1.1: 5.0, 1.5: 3.0, 2.0: 2.0, 5.0: 2.0, 10.0: 2.0}
FASTNETMON = {1.1: 9.7, 1.5: 6.0, 2.0: 3.4, 5.0: 1.5, 10.0: 1.6}
CARPET = Bar(3, "s", under=True)
HOSTS = 256
BEFORE, LASTS = 8.0, 12.0  # seconds of ordinary traffic before a flood, and of the flood
_STEP = SECOND // 50  # the oracle looks so often, and at so fine a grid
_VICTIM = "198.51.100.7"
_AROUND = "198.51.100.0/24"
_HEADER = ("exporter", "times the floor", "floods", "found", "median", "worst", "median from its first packet")


class Onset(NamedTuple):
    """One flood of a vector: seconds from the oracle's moment, and from its first packet, until it was found; None:
    never.

    complete: the first finding named the vector and the heaviest sources.
    """

    vector: str
    found: float | None
    from_packet: float | None
    complete: bool


def measured(quick: bool) -> Iterator[Row]:
    """A row for each rate, all vectors and seeds together; and carpet bombing."""
    chosen, seeds = (VECTORS[:3], 1) if quick else (VECTORS, 5)
    for times, limit in BARS.items():
        onsets = [_host(vector, times, FAST, seed) for vector in chosen for seed in range(seeds)]
        how = f"{len(chosen)} vectors, {seeds} seeds, exporter {FAST}; FastNetMon {FASTNETMON[times]} s"
        yield _row(f"time to find, {times:g} times the floor", Bar(limit, "s", under=True), onsets, how)
    onsets = [_prefix(vector, seed) for vector in ("syn", "udp", "dns")[: 1 if quick else 3] for seed in range(seeds)]
    how = f"{HOSTS} hosts at half the floor each, found as the /24; exporter {FAST}; FastNetMon: never"
    yield _row("carpet bombing, time to find", CARPET, onsets, how)


def curves(quick: bool) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The same for other exporters: shown, not scored."""
    lines: list[Sequence[str]] = []
    for exporter in OTHERS[: 1 if quick else None]:
        for times in (2.0, 10.0):
            onsets = [_host(vector, times, exporter, seed) for vector in ("syn", "dns", "udp") for seed in range(2)]
            found = [each.found for each in onsets if each.found is not None]
            whole = [each.from_packet for each in onsets if each.from_packet is not None]
            said = (f"{median(found):.1f} s", f"{max(found):.1f} s", f"{median(whole):.1f} s") if found else ("",) * 3
            lines.append((str(exporter), f"{times:g}", str(len(onsets)), str(len(found)), *said))
    return _HEADER, lines


def _row(name: str, bar: Bar, onsets: Sequence[Onset], how: str) -> Row:
    found = [each.found for each in onsets if each.found is not None]
    missed, part = len(onsets) - len(found), sum(not each.complete for each in onsets)
    slowest, of = max(((each.found, each.vector) for each in onsets if each.found is not None), default=(0.0, "none"))
    said = f"worst {slowest:.2f} s ({of}), median {median(found or [float('inf')]):.2f} s"
    worst = float("inf") if missed or part else slowest
    said += f"; {missed} missed" if missed else ""
    said += f"; {part} without vector or sources" if part else ""
    return Row(name, bar, worst, said, f"{len(onsets)} floods: {how}")


def _host(vector: str, times: float, exporter: Exporter, seed: int) -> Onset:
    """A flood of one host, of a rate of so many times its floor."""
    floor = OURS.of(HOST, vector)[0]
    return _one(vector, _VICTIM, host(_VICTIM)[None], floor, times * floor, exporter, seed)


def _prefix(vector: str, seed: int) -> Onset:
    """A flood of all hosts of a prefix, each at half its floor."""
    scope, prefix = records.target(_AROUND)
    hosts = ipv4(int.from_bytes(prefix[12:]) + np.arange(HOSTS))
    rate = HOSTS * OURS.of(HOST, vector)[0] / 2
    return _one(vector, _AROUND, hosts, OURS.of(scope, vector)[0], rate, FAST, seed)


def _one(vector: str, subject: str, targets: Array, floor: float, rate: float, exporter: Exporter, seed: int) -> Onset:
    """Floods targets beside ordinary traffic, from a chance moment on, and watches page by page until it is found."""
    chance = np.random.default_rng((seed, NUMBERS[vector], int(rate)))
    begin = START + int((BEFORE + chance.random()) * SECOND)
    flood = attack(vector, targets, rate, begin, LASTS + exporter.active, chance)
    sent = exporter.export(joined(flood, _ordinary(targets, LASTS + exporter.active, chance)), chance)
    implied = oracle(sent, subject, flood, floor)
    watch = parts.flood_watch(Floods(), whole=False)(machine.engine(), None)
    for at, rows in sent.pages():
        found = [row for batch in watch.take(rows).findings for row in batch.to_pylist() if row["subject"] == subject]
        if found:
            complete = vector in found[0]["techniques"]
            complete &= any(reason["code"] == "flood-heaviest" for reason in found[0]["reasons"])
            return Onset(vector, (at - (implied or at)) / SECOND, (at - begin) / SECOND, complete)
    return Onset(vector, None, None, complete=False)


def _ordinary(targets: Array, seconds: float, chance: Chance) -> Columns:
    """What the victims and others have on ordinary days."""
    servers = (targets[0], *ipv4(chance.integers(0x0C000000, 0x0D000000, 20)))
    return joined(*(connections(200, server, 100, START, BEFORE + seconds, chance) for server in servers))


def oracle(sent: Export, subject: str, flood: Columns, floor: float) -> int | None:
    """When the records received so far first imply a rate over the floor for one second (microseconds).

    That is: the packets of those records of the flood's flows to the subject, each spread evenly over the life of its
    record, come to the floor within some second. It looks at the beginning of each fiftieth of a second as if all that
    it brings were there: never later than it could know.
    """
    scope, prefix = records.target(subject)
    whole = np.arange(16) < scope // 8
    flows, row = sent.flows, slice(0, 1)
    mine = ((flows.target == np.frombuffer(prefix, np.uint8)) | ~whole).all(axis=1)
    for name in ("protocol", "fragment"):
        mine &= getattr(flows, name) == getattr(flood, name)[row]
    mine &= (flows.flags == flood.flags[row]) | (flood.flags[row] == 0)
    rows = np.flatnonzero(mine)
    first, last, packets, received = (each[rows] for each in (flows.first, flows.last, flows.packets, sent.received))
    bins = int(received.max() - START) // _STEP + 2 if len(rows) else 1
    slope, inside = np.zeros(bins), np.zeros(bins)
    step = received // _STEP
    for now in np.unique(step):
        new = step == now
        _spread(first[new] - START, last[new] - START, packets[new].astype(float), slope, inside)
        implied = np.cumsum(np.concatenate(([0.0], np.cumsum(slope) + inside)))
        seconds = SECOND // _STEP
        if (implied[seconds:] - implied[:-seconds]).max(initial=0) >= floor:
            return int(now) * _STEP
    return None


def _spread(first: Array, last: Array, packets: Array, slope: Array, inside: Array) -> None:
    """Adds records to a grid: inside, what lies in a bin itself; slope, by how much all bins from here on change."""
    at_once = last <= first
    np.add.at(inside, first[at_once] // _STEP, packets[at_once])
    rate = packets[~at_once] / (last - first)[~at_once]
    for sign, moment in ((1, first[~at_once]), (-1, last[~at_once])):
        bin_ = moment // _STEP
        np.add.at(inside, bin_, sign * rate * ((bin_ + 1) * _STEP - moment))
        np.add.at(slope, bin_ + 1, sign * rate * _STEP)
