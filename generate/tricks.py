"""Makes src/khien/data/messages.tsv.zst: what signs, meetings of signs and words add to the log-odds of a message.

One logistic regression over signs and words. Its ridge pulls the weight of a sign not to nought but to what reasoning
says of it (``expected``), and that of a word to nought, the more so the less a word tells scams from the ordinary by
itself (Wang and Manning, Baselines and bigrams, 2012): some thousand messages are few, and were written, not met.
What is measured is LEAVE ONE WRITER OUT: each file is one writer's; weights are made of the others' messages, and the
recall is that on the messages of the one left out, at rates of false alarms. ``--wrong`` prints the messages it gets
wrong so. It takes some minutes.

    python3 generate/tricks.py [--wrong] bench/messages/tuning*.jsonl
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from khien.app import registers
from khien.messages.evidence import MOST
from khien.messages.judge import GROUPS, LENGTHS, PAIRS, TRICKS_MOST, Judge
from khien.messages.mask import masked
from khien.messages.weights import Weights, written

TARGET = Path(__file__).parent.parent / "src/khien/data/messages.tsv.zst"
BELIEF = 0.5  # how much of what reasoning says is taken for true before anything is learned
UNLEARNED = "mismatch"  # links of written messages lead nowhere: nothing can be learned of it
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
    "mismatch": 3.5,
    "number-claims": 0.5,
    "fee-first": 1.2,
    "tasks": 1.2,
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
    "small-talk": -0.4,
    "long-15": 0.0,
    "long-30": 0.0,
    "long-60": -0.3,
    "long-110": -0.5,
    "tricks-1": 0.1,
    "tricks-2": 0.4,
    "tricks-3": 0.5,
    "tricks-4": 0.5,
    "tricks-5": 0.4,
    "tricks-6": 0.3,
}
SIGN, WORD = 1.0, 1.0  # how strongly the ridge holds weights of signs and of words
SEEN = 0.25  # messages of each label that a word is taken to have been met in, beside those it was
OFTEN, WRITERS = 4, 2  # messages and writers that a word is met in, at the least
LEAST = 0.01  # a weight of a word that is kept
NEAR = 3.0  # how far below the line an ordinary message is still shown
RATES = (0.01, 0.02, 0.05)


class Messages(NamedTuple):
    """Messages of all writers, and passages of long ones. signs: (parts, terms); words: (parts, words); both nought or
    one; the first parts are the messages, of says whose the others are. writer: which file each message is of."""

    rows: list[dict[str, str]]
    signs: np.ndarray
    words: np.ndarray
    of: np.ndarray
    scam: np.ndarray
    writer: np.ndarray


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

    return np.array([of(term) if term == UNLEARNED else BELIEF * of(term) for term in terms])


def read(paths: Sequence[Path], judge: Judge, terms: Sequence[str]) -> tuple[Messages, list[str]]:
    """The messages of files, one of each writer, and the words that are weighed."""
    rows = [
        (n, json.loads(line)) for n, path in enumerate(paths) for line in path.read_text(encoding="utf-8").splitlines()
    ]
    parts = [judge.terms(masked(row["text"]), masked(row["sender"])) for _, row in rows]
    met = [whole for whole, *_ in parts]
    counted = Counter(word for _, words in met for word in words)
    writers = Counter(
        word for word, _ in {(word, n) for (n, _), (_, words) in zip(rows, met, strict=True) for word in words}
    )
    kept = [word for word in sorted(counted) if counted[word] >= OFTEN and writers[word] >= WRITERS]

    def table(columns: Sequence[str], held: Sequence[set[str]]) -> np.ndarray:
        places = {column: n for n, column in enumerate(columns)}
        rows = np.zeros((len(held), len(columns)), np.float32)
        for row, each in zip(rows, held, strict=True):
            row[[places[word] for word in each if word in places]] = 1
        return rows

    met += [passage for _, *passages in parts for passage in passages]
    return Messages(
        [row for _, row in rows],
        table(terms, [{"bias", *each} for each, _ in met]),
        table(kept, [words for _, words in met]),
        np.array([*range(len(rows)), *(n for n, (_, *passages) in enumerate(parts) for _ in passages)]),
        np.array([row["label"] == "scam" for _, row in rows], float),
        np.array([n for n, _ in rows]),
    ), kept


def fit(seen: Messages, chosen: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of signs and of words, nearest to the chosen messages and to reasoning: Newton's method over the
    messages (kernel logistic regression), of which there are fewer than words."""
    messages = np.flatnonzero(chosen)
    signs, y = seen.signs[messages], seen.scam[messages]
    telling = ratios(seen.words[messages], y)
    words = seen.words[messages] * telling
    kernel = (signs[:, 1:] @ signs[:, 1:].T) / SIGN + (words @ words.T).astype(float) / WORD
    prior = signs @ centre
    count = len(y)
    each, bias = np.zeros(count), 0.0

    def loss(each: np.ndarray, bias: float) -> float:
        reached = kernel @ each
        odds = prior + reached + bias
        return float(np.logaddexp(0, odds).sum() - y @ odds + each @ reached / 2)

    least = loss(each, bias)
    for _ in range(50):
        odds = np.clip(prior + kernel @ each + bias, -30, 30)
        p = 1 / (1 + np.exp(-odds))
        steep = np.maximum(p * (1 - p), 1e-3)
        aim = odds - prior + (y - p) / steep
        solved = np.linalg.solve(kernel + np.diag(1 / steep), np.c_[aim, np.ones(count)])
        new_bias = solved[:, 0].sum() / solved[:, 1].sum()
        new = solved[:, 0] - new_bias * solved[:, 1]
        step = 1.0
        while (reached := loss(each + step * (new - each), bias + step * (new_bias - bias))) > least and step > 1e-3:
            step /= 2
        each, bias = each + step * (new - each), bias + step * (new_bias - bias)
        if least - reached < 1e-4:
            break
        least = reached
    weights = centre.copy()
    weights[1:] += signs[:, 1:].T @ each / SIGN
    weights[0] += bias
    heard = telling * (words.T @ each) / WORD
    return weights, np.where(np.abs(heard) < LEAST, 0, heard)


def ratios(words: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How many times as often each word is met in scams as in ordinary messages, as a logarithm."""
    often, seldom = (SEEN + words[y == label].sum(0, dtype=float) for label in (1, 0))
    return np.log(often / y.sum() / (seldom / (1 - y).sum())).astype(np.float32)


def scored(seen: Messages, weights: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The log-odds of messages, as messages.judge has them: those of the part that has most."""
    scores = np.full(len(seen.rows), -np.inf)
    np.maximum.at(scores, seen.of, seen.signs @ weights[0] + np.clip(seen.words @ weights[1], -MOST, MOST))
    return scores


def recall(scores: np.ndarray, y: np.ndarray, rate: float) -> tuple[float, float]:
    """The share of scams above the score that so many of the ordinary ones reach, and that score."""
    ordinary = np.sort(scores[y == 0])[::-1]
    line = ordinary[int(rate * len(ordinary))]
    return float(np.mean(scores[y == 1] > line)), float(line)


def show(label: str, scores: np.ndarray, y: np.ndarray) -> None:
    """Prints a line of recalls."""
    said = "  ".join("{:.0%}: {:.3f} above {:.2f}".format(rate, *recall(scores, y, rate)) for rate in RATES)
    print(f"{label:28} {said}")


def wrong(seen: Messages, scores: np.ndarray, line: float, terms: Sequence[str]) -> None:
    """Prints ordinary messages near and above the line, and scams below it."""
    for n in np.argsort(-scores):
        if (scores[n] > line - NEAR) if seen.scam[n] == 0 else (scores[n] < line):
            met = [term for term, held in zip(terms, seen.signs[n], strict=True) if held and "+" not in term]
            kind = "SCAM" if seen.scam[n] else "ordinary"
            print(f"{scores[n]:6.2f} {kind} {seen.rows[n]['text'][:300]}\n       ", *met)


def main() -> None:
    paths = [Path(each) for each in sys.argv[1:] if not each.startswith("--")]
    judge = registers.lure(registers.load()).judge
    terms = names(judge)
    seen, words = read(paths, judge, terms)
    centre = expected(judge, terms)
    left_out = np.zeros(len(seen.rows))
    for n, path in enumerate(paths):
        own = seen.writer == n
        left_out[own] = scored(seen, fit(seen, ~own, centre))[own]
        show(f"left out: {path.stem}", left_out[own], seen.scam[own])
    weights = fit(seen, np.ones(len(seen.rows), bool), centre)
    for label, scores in (("all left out", left_out), ("fitted", scored(seen, weights))):
        show(label, scores, seen.scam)
    line = recall(left_out, seen.scam, 0.01)[1]
    if "--wrong" in sys.argv:
        wrong(seen, left_out, line, terms)
    weights[0][0] -= line  # so that a score of LIKELY is where one ordinary message in a hundred is
    table = written(Weights(*(dict(zip(*each, strict=True)) for each in zip((terms, words), weights, strict=True))))
    with pa.output_stream(TARGET, compression="zstd") as file:
        file.write(table)


if __name__ == "__main__":
    main()
