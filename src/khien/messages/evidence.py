"""What the words of a message say of it, beside the phrases: words, and words near each other, that scams or ordinary
messages have more often. What each weighs is learned over all tuning messages (generate/tricks.py), and how much all
of them together may weigh is bounded."""

from collections.abc import Iterable, Mapping
from math import fsum

from khien.messages.plain import BREAK, Plain

MOST = 10.0  # log-odds that words may add or take
NEAR = 3  # words of one sentence that meet


def spoken(message: Plain) -> set[str]:
    """The words of a message, bare and as they are written; two beside each other, and two near each other in a
    sentence, whichever stands first (``code~read``)."""
    words = message.words
    found = {word for word in (*words, *message.written) if word}
    for at, word in enumerate(words):
        if word == BREAK:
            continue
        for other in words[at + 1 : at + 1 + NEAR]:
            if other == BREAK:
                break
            found.add(f"{word}~{other}" if word <= other else f"{other}~{word}")
        if at + 1 < len(words) and words[at + 1] != BREAK:
            found.add(f"{word} {words[at + 1]}")
    return found - {BREAK}


def evidence(found: Iterable[str], weights: Mapping[str, float]) -> float:
    """What words and pairs add to the log-odds of a message: fsum, for a set has another order in each process."""
    return max(-MOST, min(MOST, fsum(weights[each] for each in found if each in weights)))
