"""Rows of bench/people.py: messages. What share of scams is found where one ordinary message in a hundred is.

Messages were written from the taxonomy of docs/scams.md by people who had not seen the rules: those under
``bench/messages/held*.jsonl`` before any rule was tuned, those in ``tuning*.jsonl``, by twelve other writers, to tune
by. None of them was met in the field. Beside the rules stands naive Bayes over words, made of the messages the rules
were tuned by. From outside: false alarms on the ordinary messages of the UCI SMS Spam Collection (English, of 2006 to
2012); to find its spam is no aim: advertisements and ring tones are no scams.
"""

import csv
import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from _rows import Bar, Row, skipped

from khien.app import registers
from khien.messages.judge import LIKELY
from khien.messages.mask import masked

FOLDER = Path(__file__).parent / "messages"
UCI = Path(__file__).parents[2] / "shared/data/messages/uci_sms_spam_collection.csv"
RATE = 0.01
RECALL = Bar(0.70, "recall")
ALARMS = Bar(0.01, "of the ordinary", under=True)
SPEED = Bar(2.0, "ms", under=True)

Message = dict[str, str]
Score = Callable[[Message], float]


def messages(quick: bool) -> Iterator[Row]:
    """Recall, false alarms and speed of the judge of messages."""
    judge = registers.lure(registers.load()).judge

    def rules(each: Message) -> float:
        return judge.judged(masked(each["text"]), masked(each.get("sender", ""))).score

    tuning = [each for path in sorted(FOLDER.glob("tuning*.jsonl")) for each in _read(path)]
    held = [each for path in sorted(FOLDER.glob("held*.jsonl")) for each in _read(path)]
    if held:
        yield from _recall("messages, held out", held, rules)
        yield _compared("messages, held out: naive Bayes beside it", held, _bayes(tuning))
    else:
        yield skipped("messages, held out", RECALL, f"there are none in {FOLDER.name}")
    yield _at_rate("messages it was tuned by", None, tuning, rules)
    yield _outside(rules, 300 if quick else None)
    yield _speed(rules)


def _recall(name: str, rows: Sequence[Message], score: Score) -> Iterator[Row]:
    yield _at_rate(name, RECALL, rows, score)
    ordinary = [each for each in rows if each["label"] != "scam"]
    kinds = {
        "without link or brand": lambda each: not each["anchored"],
        **{
            f"spelled {name}": lambda each, name=name: each["spelling"] == name
            for name in ("full", "bare", "teen", "en")
        },
    }
    for kind, holds in kinds.items():
        chosen = [each for each in rows if each["label"] == "scam" and holds(each)]
        if chosen:
            yield _at_rate(f"{name}, {kind}", None, [*chosen, *ordinary], score)
    scams = [each for each in rows if each["label"] == "scam"]
    found = sum(score(each) >= LIKELY for each in scams) / len(scams)
    alarms = sum(score(each) >= LIKELY for each in ordinary)
    yield Row(
        f"{name}, at the threshold people meet",
        ALARMS,
        alarms / len(ordinary),
        f"{alarms} of {len(ordinary)}; recall {found:.3f}",
        f"ordinary messages with a score from {LIKELY} on",
    )


def _at_rate(name: str, bar: Bar | None, rows: Sequence[Message], score: Score) -> Row:
    ordinary = sorted((score(each) for each in rows if each["label"] != "scam"), reverse=True)
    scams = [score(each) for each in rows if each["label"] == "scam"]
    line = ordinary[int(RATE * len(ordinary))]
    reached = sum(each > line for each in scams) / len(scams)
    how = f"{len(scams)} scams above the score that {RATE:.0%} of {len(ordinary)} ordinary messages exceed ({line:.2f})"
    return Row(name, bar, reached, f"{reached:.3f}", how)


def _compared(name: str, rows: Sequence[Message], score: Score) -> Row:
    row = _at_rate(name, None, rows, score)
    return row._replace(how=f"{row.how}; made of the messages the rules were tuned by")


def _outside(score: Score, most: int | None) -> Row:
    name = "messages, UCI ordinary SMS"
    if not UCI.exists():
        return skipped(name, None, f"{UCI.name} is not here")
    with UCI.open(encoding="utf-8", newline="") as file:
        rows = [{"text": row["text"]} for row in csv.DictReader(file) if row["label"] == "ham"][:most]
    alarms = sum(score(each) >= LIKELY for each in rows)
    said = f"{alarms / len(rows):.4f} ({alarms} of {len(rows)})"
    return Row(
        name,
        None,
        alarms / len(rows),
        said,
        f"false alarms at {LIKELY}; they were looked at twice while rules were made",
    )


def _speed(score: Score) -> Row:
    sentence = (
        "Anh vui lòng chuyển khoản gấp 5 triệu vào tài khoản cá nhân của nhân viên, đọc em mã OTP trước 17h nhé. "
    )
    message = {"text": (sentence * 20)[:2_000]}
    took: list[float] = []
    for _ in range(50):
        begun = time.perf_counter()
        score(message)
        took.append(1_000 * (time.perf_counter() - begun))
    reached = sorted(took)[len(took) // 2]
    return Row(
        "messages, one of 2,000 characters", SPEED, reached, f"{reached:.1f} ms", "median of 50, masking with it"
    )


def _bayes(rows: Sequence[Message]) -> Score:
    """Naive Bayes over the words of a message, each counted once."""
    counts = {"scam": Counter[str](), "ordinary": Counter[str]()}
    totals = Counter[str]()
    for each in rows:
        label = "scam" if each["label"] == "scam" else "ordinary"
        counts[label].update(_words(each))
        totals[label] += 1

    def score(each: Message) -> float:
        return sum(
            math.log((counts["scam"][word] + 0.5) / (totals["scam"] + 1))
            - math.log((counts["ordinary"][word] + 0.5) / (totals["ordinary"] + 1))
            for word in _words(each)
        )

    return score


def _words(each: Message) -> set[str]:
    return set(re.findall(r"\w+", masked(each["text"]).lower()))


def _read(path: Path) -> list[Message]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
