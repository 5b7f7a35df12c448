"""Floods in what targets got: a thin detector over the knowledge in ``flows``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from khien import schema
from khien.flows import judge
from khien.flows.counts import SECOND
from khien.flows.floors import CONNECTIONS, FEW, OF_FEW, OURS, Floors
from khien.flows.records import HOST, network, written
from khien.flows.vectors import NAMES, NUMBERS, VECTORS

MOST_OF_HOST, MOST_OF_PREFIX = 3.0, 10.0  # times the floor that what is usual may lift a line
TOP = 10  # sources and networks that a finding names
LEAST_SHARE = 0.01  # of a vector's packets: less is not told of a port or network

_CONNECTIONS = {NUMBERS[name] for name in CONNECTIONS}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Array = np.ndarray[Any, Any]
Target = tuple[int, bytes]


@dataclass(frozen=True)
class Flood:
    """Finds which targets are flooded, with what, since when, how hard and by how many.

    Its rows are the trailing horizon of targets (hosts and prefixes). usual: what they are used to at this hour; open:
    floods of theirs that are found already and not over for long; senders: their sources as far as they were counted.
    """

    name: ClassVar[str] = "flood"
    reads: ClassVar[pa.Schema] = schema.RATES
    by: ClassVar[tuple[str, ...]] = ("scope", "prefix")
    beside: ClassVar[Mapping[str, pa.Schema]] = {
        "usual": schema.USUAL,
        "open": schema.OPEN_FLOODS,
        "senders": schema.SENDERS,
    }

    floors: Floors = OURS

    def __call__(self, batch: pa.RecordBatch, /, **beside: pa.Table) -> pa.RecordBatch:
        """schema.FINDINGS, one for each flood of a target."""
        used: dict[Target, dict[int, float]] = {}
        for row in beside["usual"].to_pylist():
            used.setdefault((row["scope"], row["prefix"]), {})[row["vector"]] = row["packets"]
        known: dict[Target, list[dict[str, Any]]] = {}
        for row in beside["open"].to_pylist():
            known.setdefault((row["scope"], row["prefix"]), []).append(row)
        sent = {(row["scope"], row["prefix"]): row for row in beside["senders"].to_pylist()}
        rows = [
            finding
            for target, oldest, rates in _targets(batch)
            for finding in self._findings(
                target, oldest, rates, used.get(target, {}), known.get(target, []), sent.get(target)
            )
        ]
        return pa.RecordBatch.from_pylist(rows, schema.FINDINGS)

    def _findings(
        self,
        target: Target,
        oldest: int,
        rates: judge.Rates,
        usual: Mapping[int, float],
        known: list[dict[str, Any]],
        sent: dict[str, Any] | None,
    ) -> Iterator[dict[str, Any]]:
        scope, prefix = target
        floors = {each: self.floors.of(scope, NAMES[each]) for each in rates.vectors}
        if sent is not None and sent["distinct"] < FEW:
            for each in _CONNECTIONS & floors.keys():
                floors[each] = floors[each][0] * OF_FEW, floors[each][1] * OF_FEW
        packets, byte_counts = judge.lines(
            floors, usual, rates.vectors, MOST_OF_HOST if scope == HOST else MOST_OF_PREFIX
        )
        for flood in judge.floods(rates, packets, byte_counts):
            start, end, peak = (
                _EPOCH + timedelta(seconds=oldest + each) for each in (flood.start, flood.end, flood.peak)
            )
            before = next((each for each in known if _same(each, start, end)), None)
            names = [NAMES[each] for each in flood.vectors]
            measures = {
                "packets": flood.packets,
                "bits": flood.bytes * 8,
                "peak": peak.timestamp(),
                "error": flood.error,
            }
            episode = _EPOCH + timedelta(seconds=oldest + flood.raised)
            if before is not None:
                episode, start = before["episode"], min(start, before["start"])
                end = max(end, before["end"])
                names += [NAMES[each] for each in before["vectors"] if NAMES[each] not in names]
                if before["packets"] > flood.packets:
                    measures |= {"packets": before["packets"], "bits": before["bytes"] * 8}
                    measures["peak"] = before["peak"].timestamp()
            measures |= _loads(flood, sent)
            if sent is not None:
                measures |= {"sources": round(sent["distinct"]), "entropy": sent["entropy"]}
            shared = {
                "detector": self.name,
                "episode": episode,
                "score": 1 - 0.5 / max(flood.rate / flood.line, 1.0),
                "start": start,
                "end": end,
                "techniques": names,
                "suppressed": False,
            }
            reasons = list(_reasons(flood, scope, usual, sent))
            yield _finding(target, judge.FLOOD, **shared, reasons=reasons, measures=list(measures.items()))
            victim = written(scope, prefix)[0]
            for each in sent["home"] if sent is not None else ():
                reasons = list(_at_home(victim, flood, each["devices"]))
                yield _finding((each["scope"], each["prefix"]), judge.TAKES_PART, **shared, reasons=reasons)


def _finding(target: Target, claim: str, **told: Any) -> dict[str, Any]:
    """A row of schema.FINDINGS."""
    subject, kind = written(*target)
    identity = schema.finding_id(Flood.name, kind, subject, claim, told["episode"].isoformat())
    return {"id": identity, "kind": kind, "subject": subject, "claim": claim, **told}


def _at_home(victim: str, flood: judge.Flood, devices: list[bytes]) -> Iterator[dict[str, Any]]:
    worst = VECTORS[flood.vector]
    yield _reason("home-part", victim=victim, count=str(len(devices)), vector=worst.name)
    yield _reason("home-amplifier" if worst.amplified else "home-infected")
    yield _reason("home-devices", sources=", ".join(written(HOST, each)[0] for each in devices[:TOP]))


def _loads(flood: judge.Flood, sent: Mapping[str, Any] | None) -> dict[str, float]:
    """What each vector brings, as measures that flows.mitigation reads: figures, and shares of its packets."""
    measures: dict[str, float] = {}
    for vector, packets, size in flood.loads:
        measures |= {f"{NAMES[vector]}.packets": packets, f"{NAMES[vector]}.bits": size * 8}
    for load in sent["loads"] if sent is not None else ():
        name = NAMES[load["vector"]]
        if f"{name}.packets" not in measures:
            continue
        for each in load["ports"]:
            if each["port"] and each["share"] >= LEAST_SHARE:
                measures[f"{name}.port.{each['port']}"] = each["share"]
        for each in load["networks"]:
            if each["share"] >= LEAST_SHARE:
                measures[f"{name}.from.{network(each['scope'], each['prefix'])}"] = each["share"]
        if load["longest"] is not None:
            measures |= {f"{name}.shortest": load["shortest"], f"{name}.longest": load["longest"]}
    return measures


def _same(known: Mapping[str, Any], start: datetime, end: datetime) -> bool:
    """Whether a flood that is known goes on in one between start and end."""
    quiet = timedelta(seconds=judge.QUIET)
    return start <= known["end"] + quiet and end >= known["start"] - quiet


def _targets(batch: pa.RecordBatch) -> Iterator[tuple[Target, int, judge.Rates]]:
    """The rows of each target as vectors x seconds, from its oldest second on."""
    if not batch.num_rows:
        return
    second = batch.column("second").cast(pa.int64()).to_numpy() // SECOND
    scope = batch.column("scope").to_numpy()
    prefix = np.frombuffer(b"".join(batch.column("prefix").to_pylist()), np.uint64).reshape(-1, 2)
    vector = batch.column("vector").to_numpy()
    amounts = [batch.column(name).to_numpy() for name in ("packets", "bytes", "noise", "seen")]
    order = np.lexsort((second, prefix[:, 1], prefix[:, 0], scope))
    key = np.stack((scope[order].astype(np.uint64), prefix[order, 0], prefix[order, 1]), axis=1)
    bounds = np.flatnonzero((key[1:] != key[:-1]).any(axis=1)) + 1
    for rows in np.split(order, bounds):
        yield _target(int(scope[rows[0]]), prefix[rows[0]].tobytes(), rows, second, vector, amounts)


def _target(
    scope: int, prefix: bytes, rows: Array, second: Array, vector: Array, amounts: list[Array]
) -> tuple[Target, int, judge.Rates]:
    oldest = int(second[rows].min())
    met, at = np.unique(vector[rows], return_inverse=True)
    shape = len(met), int(second[rows].max()) - oldest + 1
    packets, byte_counts, noise = (np.zeros(shape) for _ in range(3))
    seen = np.ones(shape[1])
    bins = second[rows] - oldest
    for grid, amount in zip((packets, byte_counts, noise), amounts[:3], strict=True):
        grid[at, bins] = amount[rows]
    seen[bins] = amounts[3][rows]
    return (scope, prefix), oldest, judge.Rates(tuple(met.tolist()), packets, byte_counts, noise, seen)


def _reasons(
    flood: judge.Flood, scope: int, usual: Mapping[int, float], sent: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    rule = f"flood-{flood.rule}" if flood.line > usual.get(flood.vector, 0.0) else "flood-usual"
    yield _reason(
        rule,
        vector=NAMES[flood.vector],
        rate=f"{flood.rate:.0f}",
        line=f"{flood.line:.0f}",
        times=f"{flood.rate / flood.line:.1f}",
    )
    if scope != HOST:
        yield _reason("flood-carpet")
    if flood.error:
        low, high = (max(flood.packets + each * 1.96 * flood.error, 0) for each in (-1, 1))
        yield _reason("flood-sampled", low=f"{low:.0f}", high=f"{high:.0f}")
    if sent is None:
        return
    parts = [
        f"{network(each['scope'], each['prefix'])} {each['share']:.0%}"
        for each in sent["networks"][:TOP]
        if each["share"] >= LEAST_SHARE
    ]
    if parts:
        yield _reason("flood-sources", count=f"{sent['distinct']:.0f}", networks=", ".join(parts))
    else:
        yield _reason("flood-scattered", count=f"{sent['distinct']:.0f}")
    if sent["heaviest"]:
        heaviest = [written(HOST, each["source"])[0] for each in sent["heaviest"][:TOP]]
        yield _reason("flood-heaviest", sources=", ".join(heaviest))


def _reason(code: str, **params: str) -> dict[str, Any]:
    return {"code": code, "params": list(params.items())}
