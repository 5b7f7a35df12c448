"""Makes src/khien/names/weights.py: the weights of the terms of judge.py.

Logistic regression (iteratively reweighted least squares, ridge penalty) over the matches in the development halves
under `../shared/data/names`: imitations read by a person weigh most, automatic labels little, benign names and the
streams are the other side. Some weights are set by knowledge instead, because the lists hold hardly a case (BY_HAND),
and some are kept from pointing the wrong way (AT_LEAST). Prints five-fold cross-validated recall at rates of findings.

    python3 generate/weights.py ../shared/data
"""

import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from khien.app import registers
from khien.names import place, program, scan
from khien.names.judge import TERMS

TARGET = Path(__file__).parent.parent / "src/khien/names/weights.py"
BY_HAND = {
    "homoglyph": 4.5,
    "marked": 2.5,
    "official-inside": 3.0,
    "claimed": -3.0,
    "transposed": 0.5,
    "inside": -3.5,
}
AT_LEAST = {
    "exact-length": 0.0,
    "changed-length": 1.5,
    "edit-length": 0.5,
    "telling": 0.5,
    "loose-letters": -0.5,
    "more-lures": 1.0,
}
SIDES = (
    ("benign.txt.zst", 1.0),
    ("vn_domains_benign.txt", 1.0),
    ("gov_vn.txt", 1.0),
    ("ct_stream.tsv.zst", 0.6),
    ("nrd_newest.txt.zst", 0.6),
)
HAND, AUTO = 6.0, 0.5
RATES = (10, 50, 200, 1000, 5000)  # findings per million benign


class Sample(NamedTuple):
    """Matches of one list: terms, whether they imitate, their weight, the name each is of, and that name's fold."""

    terms: np.ndarray
    imitates: bool
    weight: float
    name: np.ndarray
    fold: np.ndarray
    names: int


def read(path: Path) -> list[list[str]]:
    """Rows of a list, whole."""
    with pa.input_stream(path, compression="zstd" if path.suffix == ".zst" else None) as stream:
        return [line.split("\t") for line in stream.read().decode().splitlines() if line]


def sample(
    ready: program.Program, names: Sequence[str], brands: Sequence[str | None], imitates: bool, weight: float
) -> Sample:
    """The matches of names that nothing known suppresses; those of another brand than the label's are left out."""
    ids = registers.load().names
    _, offsets, row = pa.array(names, pa.string()).buffers()
    found = program.run(ready, np.frombuffer(offsets, np.int32), np.frombuffer(row, np.uint8), -np.inf, keep_terms=True)
    parts = list(found)
    numbers = np.concatenate([part.numbers for part in parts])
    terms = np.concatenate([part.terms for part in parts])
    verified = (numbers[:, scan.ESTATE] >= 0) & (numbers[:, scan.ESTATE] & place.VERIFIED > 0)
    keep = ~verified & (numbers[:, scan.POPULAR_AT] < 0)
    owners = ready.owners[numbers[:, scan.WORD]] >> 1
    keep &= np.array([brands[n] in (None, ids[o].id) for n, o in zip(numbers[:, scan.ROW], owners, strict=True)])
    name = numbers[keep, scan.ROW]
    fold = np.array([zlib.crc32(".".join(names[n].lower().split(".")[-2:]).encode()) % 5 for n in name])
    return Sample(terms[keep], imitates, weight, name, fold, len(names))


def fit(samples: Sequence[Sample], left_out: int = -1, ridge: float = 2.0) -> np.ndarray:
    """The weights, from all folds but one."""
    parts = [(each, each.fold != left_out) for each in samples]
    x = np.concatenate([each.terms[rows] for each, rows in parts])
    y = np.concatenate([np.full(rows.sum(), float(each.imitates)) for each, rows in parts])
    w = np.concatenate([np.full(rows.sum(), each.weight) for each, rows in parts])
    fixed = {TERMS.index(name): value for name, value in BY_HAND.items()}
    while True:
        weights = _newton(x, y, w, fixed, ridge)
        wrong = {TERMS.index(name): least for name, least in AT_LEAST.items() if weights[TERMS.index(name)] < least}
        if not wrong.keys() - fixed.keys():
            return weights
        fixed |= wrong


def _newton(x: np.ndarray, y: np.ndarray, w: np.ndarray, fixed: dict[int, float], ridge: float) -> np.ndarray:
    weights = np.zeros(x.shape[1])
    weights[list(fixed)] = list(fixed.values())
    free = np.array([i for i in range(x.shape[1]) if i not in fixed])
    penalty = np.where(free == 0, 1e-3, ridge)
    for _ in range(40):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x[:, free].T @ (w * (y - p)) - penalty * weights[free]
        hessian = (x[:, free] * (w * p * (1 - p))[:, None]).T @ x[:, free] + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        weights[free] += step
        if abs(step).max() < 1e-6:
            break
    return weights


def best(one: Sample, weights: Sequence[np.ndarray]) -> np.ndarray:
    """The best score of each name that has one, highest first; weights go by fold."""
    scores = np.array([terms @ weights[fold] for terms, fold in zip(one.terms, one.fold, strict=True)])
    tops = np.full(one.names, -np.inf)
    np.maximum.at(tops, one.name, scores)
    return np.sort(tops)[::-1]


def main() -> None:
    shared = Path(sys.argv[1]) / "names"
    ready = registers.lookalike().program
    samples = []
    for file, weight in SIDES:
        names = [row[0] for row in read(shared / file)]
        samples.append(sample(ready, names, [None] * len(names), False, weight))
    hand = [row for row in read(shared / "vn_hand_labelled.tsv")[1:] if row[1] != "-"]
    auto = [row for row in read(shared / "vn_lookalike.tsv")[1:] if row[7] == "auto"]
    for rows, weight in ((hand, HAND), (auto, AUTO)):
        samples.append(sample(ready, [row[0] for row in rows], [row[1] for row in rows], True, weight))
    folds = [fit(samples, fold) for fold in range(5)]
    for label, positives in (("hand", samples[-2]), ("auto", samples[-1])):
        tops = best(positives, folds)
        for (file, _), negatives in zip(SIDES, samples, strict=False):
            ranked = best(negatives, folds)
            recalls = (f"{rate}: {np.mean(tops > ranked[int(rate * negatives.names / 1e6)]):.3f}" for rate in RATES)
            print(f"{label:5} {file:22} {'  '.join(recalls)}")
    weights = fit(samples)
    rows = "".join(f'    "{name}": {value:.3f},\n' for name, value in zip(TERMS, weights, strict=True))
    TARGET.write_text(
        '"""Weights of the terms of judge.py, made by generate/weights.py: what each adds to the log-odds."""\n\n'
        "import numpy as np\n\nfrom khien.names.judge import TERMS\n\n"
        f"BY_TERM = {{\n{rows}}}\nWEIGHTS = np.array([BY_TERM[term] for term in TERMS])\n"
    )


if __name__ == "__main__":
    main()
