"""What pages show of floods, made from records and rates: rules without input, output or markup."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import NamedTuple

import msgspec
import pyarrow as pa

from khien.errors import InputError
from khien.flows.judge import FLOOD, TAKES_PART
from khien.flows.mitigation import Attack, attack, mitigation
from khien.flows.vectors import NUMBERS
from khien.formats.bird import Bird
from khien.formats.cisco import Cisco
from khien.formats.exabgp import Exabgp
from khien.formats.juniper import Juniper
from khien.model import Finding, State
from khien.pipeline.figures import DECIDED
from khien.pipeline.standing import soon
from khien.words import RULES

DETECTOR = "flood"  # whose findings these are
MOST_BARS = 60  # of a chart: more are too thin to see on a telephone
MOST_VECTORS = 5  # that a chart tells apart
REST = ""  # the vectors beyond, together
ROUTERS: Mapping[str, Exabgp | Bird | Cisco | Juniper] = {
    "ExaBGP": Exabgp(),
    "BIRD": Bird(),
    "Cisco IOS XR": Cisco(),
    "Juniper Junos": Juniper(),
}


def claim(finding: Finding) -> str:
    """FLOOD of who is flooded, TAKES_PART of a network at home that sends, empty of a name."""
    return finding.claim if finding.detector == DETECTOR else ""


class Tile(msgspec.Struct, frozen=True):
    """Floods as the picture tells them. looked_at, dismissed: those a person decided about, and found to be none;
    at_home: networks at home found to take part.

    latest: how many of the newest the rest is of; largest: of these the one with most packets a second; seconds: the
    median from start until found, live as in Soon, None where none of them says.
    """

    findings: int
    looked_at: int
    dismissed: int
    at_home: int
    latest: int = 0
    largest: Finding | None = None
    seconds: float | None = None
    live: bool = False


def tile(counts: Mapping[tuple[str, State], int], latest: Sequence[Finding]) -> Tile:
    """What is told of floods. counts: findings by claim and state; latest: the newest that nobody took back."""
    states = {state: count for (claim, state), count in counts.items() if claim == FLOOD}
    told = [each for each in map(soon, latest) if each]
    live = any(each.live for each in told)
    return Tile(
        findings=sum(states.values()),
        looked_at=sum(states.get(each, 0) for each in DECIDED),
        dismissed=states.get("dismissed", 0),
        at_home=sum(count for (claim, _), count in counts.items() if claim == TAKES_PART),
        latest=len(latest),
        largest=max(latest, key=lambda each: each.measures.get("packets", 0.0), default=None),
        seconds=median(each.seconds for each in told if each.live == live) if told else None,
        live=live,
    )


class Bar(NamedTuple):
    """A stretch of a flood: when it begins, packets a second of each vector, and bits a second of all, on average."""

    start: datetime
    packets: tuple[float, ...]
    bits: float


class Rates(NamedTuple):
    """A flood over time. vectors: by packets, most first, REST at the end if it is there; step: seconds of a bar."""

    vectors: tuple[str, ...]
    step: int
    bars: tuple[Bar, ...]

    @property
    def most(self) -> float:
        """Packets a second of the tallest bar."""
        return max((sum(bar.packets) for bar in self.bars), default=0.0)


def rates(rows: pa.Table) -> Rates | None:
    """rows: schema.FLOOD_RATES of one flood. What was written twice counts once: the largest of it. None: no rows."""
    once = rows.group_by(["second", "vector"]).aggregate([("packets", "max"), ("bytes", "max")])
    seconds = once["second"].cast(pa.int64()).to_pylist()
    columns = (once[name].to_pylist() for name in ("vector", "packets_max", "bytes_max"))
    read = [
        _Rate(at // 1_000_000, vector, packets, octets * 8)
        for at, vector, packets, octets in zip(seconds, *columns, strict=True)
        if vector in NUMBERS
    ]
    return _rates(read) if read else None


class _Rate(NamedTuple):
    """Packets and bits of a vector in a second."""

    second: int
    vector: str
    packets: float
    bits: float


def _rates(rows: Sequence[_Rate]) -> Rates:
    first, last = min(row.second for row in rows), max(row.second for row in rows)
    step = -(-(last - first + 1) // MOST_BARS)
    vectors = _ranked(rows)
    starts = range(first, last + 1, step)
    packets = [[0.0] * len(vectors) for _ in starts]
    bits = [0.0 for _ in starts]
    for row in rows:
        at = (row.second - first) // step
        packets[at][vectors.index(row.vector if row.vector in vectors else REST)] += row.packets
        bits[at] += row.bits
    seen = [min(step, last + 1 - start) for start in starts]  # the last bar may be cut short
    bars = (
        Bar(datetime.fromtimestamp(start, UTC), tuple(amount / long for amount in amounts), size / long)
        for start, amounts, size, long in zip(starts, packets, bits, seen, strict=True)
    )
    return Rates(vectors, step, tuple(bars))


def _ranked(rows: Sequence[_Rate]) -> tuple[str, ...]:
    """The vectors, most packets first, as many as a chart tells apart."""
    together: dict[str, float] = {}
    for row in rows:
        together[row.vector] = together.get(row.vector, 0.0) + row.packets
    ranked = sorted(together, key=lambda vector: -together[vector])
    return tuple(ranked if len(ranked) <= MOST_VECTORS else [*ranked[: MOST_VECTORS - 1], REST])


def line(finding: Finding) -> float | None:
    """Packets a second from which the rule that fired calls it a flood; None where the rule counts something else."""
    for reason in finding.reasons:
        if reason.code in RULES and reason.code != "flood-bits":
            return float(reason.params["line"])
    return None


def consists_of(finding: Finding) -> Attack | None:
    """What reaches the victim at the peak; None of what is no flood, or does not say."""
    try:
        return attack(finding)
    except InputError:
        return None


def filters(flood: Attack, made: datetime) -> dict[str, str]:
    """What routers would be told, by what people call them; empty where nothing tells the attack apart."""
    told = mitigation(flood, made=made)
    return {name: writer.encode([told]).decode() for name, writer in ROUTERS.items()} if told.rules else {}
