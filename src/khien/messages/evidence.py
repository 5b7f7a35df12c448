"""What the words of a message say of it, beside the phrases: words and pairs of words that scams, or ordinary messages,
have more often. What each weighs is learned over all tuning messages (generate/tricks.py), and how much all of them
together may weigh is bounded."""

from collections.abc import Iterable
from itertools import pairwise

from khien.messages.plain import BREAK
from khien.messages.weights import BY_WORD

MOST = 5.0  # log-odds that words may add or take


def spoken(words: list[str]) -> set[str]:
    """The bare words of a message and the pairs that stand beside each other in a sentence."""
    pairs = {f"{one} {other}" for one, other in pairwise(words) if BREAK not in (one, other)}
    return pairs.union(words) - {BREAK}


def evidence(words: Iterable[str]) -> float:
    """What words and pairs add to the log-odds of a message."""
    return max(-MOST, min(MOST, sum(BY_WORD[each] for each in words if each in BY_WORD)))
