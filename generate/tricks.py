"""Makes src/khien/messages/weights.py: what each sign, and each meeting of signs, adds to the log-odds of a message.

Logistic regression whose ridge pulls each weight not to nought but to what reasoning says of it (BY_HAND, and SIDES for
the rest): four hundred messages are few, and were written, not met. Prints the recall that five-fold cross-validation
leaves at rates of false alarms, and the messages it gets wrong with ``--wrong``.

    python3 generate/tricks.py [--wrong] bench/messages/tuning.jsonl
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from khien.app import registers
from khien.messages.judge import GROUPS, LENGTHS, PAIRS, TRICKS_MOST, Judge
from khien.messages.mask import masked

TARGET = Path(__file__).parent.parent / "src/khien/messages/weights.py"
TRICK, ORDINARY, PAIR, STORY = 0.35, -0.8, 0.35, 0.15  # what a sign adds that reasoning knows no better of
BY_HAND = {
    "bias": -3.0,
    "wants-code": 1.2,
    "wants-secret": 0.9,
    "safe-account": 1.5,
    "pays-person": 1.0,
    "card-codes": 1.2,
    "crypto": 0.6,
    "takes-control": 1.0,
    "wants-app": 0.5,
    "secrecy": 0.8,
    "isolates": 0.8,
    "exposes": 1.0,
    "holds-images": 0.9,
    "mismatch": 1.5,
    "number-claims": 0.5,
    "fee-first": 0.6,
    "new-number": 0.5,
    "wants-payment": 0.1,
    "clicks": 0.1,
    "urgent": 0.2,
    "deadline": 0.1,
    "brand": 0.0,
    "denied": -0.4,
    "speaks-of-fraud": -0.3,
    "asks-about": -1.2,
    "wants-intimate": 1.0,
    "warns": -2.2,
    "code-notice": -2.0,
    "ordinary-2": -0.4,
    "ordinary-3": -0.4,
    "long-60": -0.3,
    "long-110": -0.5,
    "tricks-1": 0.1,
    "tricks-2": 0.4,
    "tricks-3": 0.5,
    "tricks-4": 0.5,
    "tricks-5": 0.4,
    "tricks-6": 0.3,
}
RIDGE = 4.0
NEAR = 3.0  # how far below the line an ordinary message is still shown
RATES = (0.0, 0.01, 0.02, 0.05)
FOLDS = 5


def names(judge: Judge) -> list[str]:
    """All terms there are."""
    signs = [each.id for each in judge.signs]
    counted = [f"tricks-{n}" for n in range(1, TRICKS_MOST + 1)]
    counted += [f"long-{n}" for n in LENGTHS]
    pairs = [f"{one}+{other}" for one, other in PAIRS]
    return [
        "bias",
        *signs,
        "brand",
        "mismatch",
        "number-claims",
        "denied",
        *counted,
        "ordinary-2",
        "ordinary-3",
        *pairs,
    ]


def expected(judge: Judge, terms: Sequence[str]) -> np.ndarray:
    """What reasoning says of each term."""
    signs = {each.id: each for each in judge.signs}

    def of(term: str) -> float:
        if term in BY_HAND:
            return BY_HAND[term]
        if "+" in term:
            return -PAIR if term.endswith("+ordinary") else PAIR
        if term in GROUPS["ordinary"]:
            return ORDINARY
        return TRICK if signs[term].trick else STORY

    return np.array([of(term) for term in terms])


def fit(x: np.ndarray, y: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The weights nearest to the messages and to reasoning (Newton's method)."""
    weights = centre.copy()
    penalty = np.full(x.shape[1], RIDGE)
    penalty[0] = 0.01
    for _ in range(200):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (y - p) - penalty * (weights - centre)
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty), gradient)
        weights += step * min(1.0, 1.0 / abs(step).max())  # no further than a person would go at once
        if abs(step).max() < 1e-7:
            break
    return weights


def recall(scores: np.ndarray, y: np.ndarray, rate: float) -> tuple[float, float]:
    """The share of scams above the score that so many of the ordinary ones reach, and that score."""
    ordinary = np.sort(scores[y == 0])[::-1]
    line = ordinary[int(rate * len(ordinary))]
    return float(np.mean(scores[y == 1] > line)), float(line)


def main() -> None:
    path = Path(sys.argv[-1])
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    judge = registers.lure(registers.load()).judge
    terms = names(judge)
    place = {term: n for n, term in enumerate(terms)}
    x = np.zeros((len(rows), len(terms)))
    x[:, 0] = 1
    for n, row in enumerate(rows):
        for term in judge.terms(masked(row["text"]), masked(row["sender"])):
            x[n, place[term]] = 1
    y = np.array([row["label"] == "scam" for row in rows], float)
    centre = expected(judge, terms)
    folds = np.arange(len(rows)) % FOLDS
    left_out = np.zeros(len(rows))
    for fold in range(FOLDS):
        left_out[folds == fold] = x[folds == fold] @ fit(x[folds != fold], y[folds != fold], centre)
    weights = fit(x, y, centre)
    for label, scores in (("by reasoning", x @ centre), ("left out", left_out), ("fitted", x @ weights)):
        said = "  ".join("{}: {:.3f} above {:.2f}".format(rate, *recall(scores, y, rate)) for rate in RATES)
        print(f"{label:13} {said}")
    line = recall(left_out, y, 0.01)[1]
    if "--wrong" in sys.argv:
        for n in np.argsort(-left_out):
            if (left_out[n] > line - NEAR) if y[n] == 0 else (left_out[n] < line):
                met = sorted(term for term in terms if x[n, place[term]] and "+" not in term)
                print(f"{left_out[n]:6.2f} {'SCAM' if y[n] else 'ordinary'} {rows[n]['text'][:300]}")
                print("      ", *met)
    weights[0] -= line  # so that a score of LIKELY is where one ordinary message in a hundred is
    kept = "".join(f'    "{term}": {value:.2f},\n' for term, value in zip(terms, weights, strict=True))
    TARGET.write_text(
        '"""Weights of the terms of judge.py, made by generate/tricks.py: what each adds to the log-odds."""\n\n'
        f"BY_TERM: dict[str, float] = {{\n{kept}}}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
