"""Recall against findings per million benign names: how many imitations are found, at what price in wrong findings."""

from collections import defaultdict
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from _lists import Labelled, labelled, names
from _rows import Bar, Row

from khien import schema
from khien.app import registers
from khien.detectors.lookalike import Lookalike

RATES = (10, 50, 1_000, 5_000)  # findings per million benign names
BARS = {50: Bar(50, "%"), 1_000: Bar(90, "%"), 5_000: Bar(95, "%")}
BENIGN = ("vn_domains_benign.txt", "ct_stream.tsv.zst", "nrd_newest.txt.zst")  # beside the one that has the bar
BATCH = 100_000
Z_95 = 1.959964  # standard deviations that hold 95 % of a normal distribution


class Ranked(NamedTuple):
    """Scores of all findings in a list that are not suppressed, highest first, and how many names it has."""

    scores: np.ndarray
    names: int

    def threshold(self, rate: float) -> float:
        """The least score at which no more than ``rate`` findings per million names are emitted; 0 where all may be.

        Where scores are equal they go together, and a finding is whole: the list emits as many or fewer.
        """
        allowed = int(rate * self.names / 1e6)
        return 0.0 if allowed >= len(self.scores) else float(np.nextafter(self.scores[allowed], 2))

    def emitted(self, threshold: float) -> int:
        """Findings with at least this score."""
        return int((self.scores >= threshold).sum())


class Scored(NamedTuple):
    """A labelled host with its best score, of any brand and of its own; -1 where nothing was found."""

    brand: str
    best: float
    own: float


def findings(detector: Lookalike, hosts: Sequence[str]) -> tuple[list[str], list[str], np.ndarray]:
    """Subjects, claims and scores of the findings that nothing suppresses."""
    subjects: list[str] = []
    claims: list[str] = []
    scores: list[np.ndarray] = [np.empty(0)]
    for start in range(0, len(hosts), BATCH):
        some = pa.array(hosts[start : start + BATCH], pa.string())
        found = detector(pa.record_batch([some, pa.nulls(len(some), schema.TIME)], schema=detector.reads))
        found = found.filter(pc.invert(found["suppressed"]))
        subjects += found["subject"].to_pylist()
        claims += found["claim"].to_pylist()
        scores.append(found["score"].to_numpy())
    return subjects, claims, np.concatenate(scores)


def rank(detector: Lookalike, hosts: Sequence[str]) -> Ranked:
    """What a list of benign names, or a stream, would have people read."""
    return Ranked(np.sort(findings(detector, hosts)[2])[::-1], len(hosts))


def score(detector: Lookalike, positives: Sequence[Labelled]) -> list[Scored]:
    """The best scores of labelled hosts."""
    best: dict[str, float] = defaultdict(lambda: -1.0)
    own: dict[tuple[str, str], float] = defaultdict(lambda: -1.0)
    subjects, claims, scores = findings(detector, [each.host for each in positives])
    for subject, claim, reached in zip(subjects, claims, scores.tolist(), strict=True):
        best[subject] = max(best[subject], reached)
        own[subject, claim] = max(own[subject, claim], reached)
    keys = [each.host.lower().removesuffix(".") for each in positives]
    return [Scored(each.brand, best[key], own[key, each.brand]) for key, each in zip(keys, positives, strict=True)]


def wilson(found: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share, in [0, 1] (Wilson 1927); of nothing, all is possible."""
    if of == 0:
        return 0.0, 1.0
    share, z2 = found / of, Z_95**2
    middle = share + z2 / (2 * of)
    spread = Z_95 * sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return max(0.0, (middle - spread) / (1 + z2 / of)), min(1.0, (middle + spread) / (1 + z2 / of))


def over_brands(scored: Sequence[Scored], threshold: float) -> float:
    """The mean over brands of the share of each that is found, in [0, 1]."""
    by_brand: dict[str, list[bool]] = defaultdict(list)
    for each in scored:
        by_brand[each.brand].append(each.best >= threshold)
    return float(np.mean([np.mean(found) for found in by_brand.values()]))


def held(positives: Path, benign: Path) -> list[Row]:
    """Recall of one list at each rate of another, beside the bars."""
    detector = registers.lookalike()
    scored = score(detector, labelled(positives))
    ranked = rank(detector, names(benign))
    rows: list[Row] = []
    for rate in RATES:
        threshold = ranked.threshold(rate)
        found = sum(each.best >= threshold for each in scored)
        own = sum(each.own >= threshold for each in scored)
        low, high = wilson(found, len(scored))
        said = f"{found}/{len(scored)} = {found / len(scored):.1%} [{low:.1%}, {high:.1%}]"
        least = f"score ≥ {threshold:.4f}" if threshold else "any score"
        how = (
            f"{least}, {ranked.emitted(threshold):,} findings in {ranked.names:,} of {benign.name};"
            f" right brand {own / len(scored):.1%}; mean over brands {over_brands(scored, threshold):.1%}"
        )
        name = f"recall, {positives.name}, at {rate:,} a million"
        rows.append(Row(name, BARS.get(rate), 100 * found / len(scored), said, how))
    return rows


def further(folder: Path, positives: Path, benign: Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Recall of every labelled list at every rate of every other list: a header, and a line for each pair."""
    detector = registers.lookalike()
    lookalikes = folder / "vn_lookalike.tsv"
    lists = {
        positives.name: labelled(positives),
        **{f"{lookalikes.name}, {label}": labelled(lookalikes, label) for label in ("hand", "auto")},
    }
    scored = {label: score(detector, rows) for label, rows in lists.items() if rows}
    lines: list[tuple[str, ...]] = []
    for path in (benign, *(folder / name for name in BENIGN)):
        ranked = rank(detector, names(path))
        thresholds = [ranked.threshold(rate) for rate in RATES]
        for label, rows in scored.items():
            cells = (f"{np.mean([each.best >= threshold for each in rows]):.1%}" for threshold in thresholds)
            lines.append((f"{label} ({len(rows):,})", f"{path.name} ({ranked.names:,})", *cells))
    return ("recall of", "at findings a million of", *(f"{rate:,}" for rate in RATES)), lines
