"""What a message comes to: the story it tells, the tricks it uses, why, and how sure that is.

A score is the logistic of a sum: what each sign, each meeting of signs and each word adds is in a table of weights.
docs/scams.md says how it comes about and what it cannot do.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from khien.messages.claims import Brands, Claim, from_number
from khien.messages.evidence import evidence, spoken
from khien.messages.plain import Plain, passages
from khien.messages.tricks import Met, Sign, Tricks
from khien.messages.weights import Weights, read
from khien.model import Reason, Register
from khien.words import STORIES

LIKELY = 0.5  # a score from which a person is told that a message looks harmful
UNEXPLAINED = 0.4  # the highest score of a message in which no trick is seen
OTHER = "other"  # a message whose tricks belong to no story
MOST_REASONS = 5
SURE = {"holds-images", "exposes"}  # who has pictures and says who will see them: likely, whatever stands around
TELLS = {"warns", "reports"}  # signs of a message about scams
LONGEST_QUOTE = 80

GROUPS: Mapping[str, frozenset[str]] = {  # signs that do the same, for what they come to together
    name: frozenset(signs.split())
    for name, signs in {
        "pay": "wants-payment pays-person safe-account fee-first card-codes crypto borrows new-account",
        "odd-pay": "pays-person safe-account fee-first card-codes crypto stuck overpaid new-account",
        "secret": "wants-code wants-secret wants-identity wants-intimate",
        "control": "wants-app takes-control",
        "move": "moves calls-number",
        "link": "clicks",
        "press": "urgent deadline scarce",
        "threat": "legal-threat cut-threat loss-threat exposes holds-images harsh debt",
        "hide": "secrecy isolates excuse",
        "gain": "reward benefit easy-job tasks returns",
        "claim": "claims-police claims-state claims-bank claims-staff claims-boss new-number claims-kin brand",
        "forceful": "wants-code wants-secret safe-account pays-person takes-control wants-app exposes holds-images"
        " card-codes",
        "need": "distress begging borrows romance",
        "ordinary": "code-notice warns official-way ledger-notice thanks open-to-check no-hurry open-books everyday"
        " asks-about formal-job reports shared-past on-the-spot asks-nothing complains small-talk",
    }.items()
}
PAIRS = [
    tuple(pair.split("+"))
    for pair in (
        "pay+press pay+hide pay+gain pay+claim pay+threat odd-pay+press odd-pay+hide odd-pay+gain odd-pay+claim"
        " odd-pay+need odd-pay+threat secret+claim secret+press secret+gain secret+threat secret+hide move+gain"
        " move+claim move+threat move+pay move+secret link+claim link+gain link+threat link+secret link+pay"
        " control+claim control+hide control+secret need+hide need+pay"
        " pay+ordinary secret+ordinary gain+ordinary threat+ordinary claim+hide"
    ).split()
]
TRICKS_MOST = 6
LENGTHS = (15, 30, 60, 110)  # words: the more there are, the more they show by accident


class Judged(NamedTuple):
    """What a message comes to. kind: of words.STORIES; score in [0, 1]; tricks and reasons, the heaviest first."""

    kind: str
    score: float
    tricks: tuple[str, ...]
    reasons: tuple[Reason, ...]


class _Read(NamedTuple):
    """What is found in a message or a part of one."""

    met: list[Met]
    claim: Claim | None
    words: Plain


class Judge:
    """Judges messages: brands for what they claim to be, tricks: the contents of ``tricks.toml``, weights: those of
    ``messages.tsv``."""

    def __init__(self, brands: Register, tricks: bytes, weights: bytes) -> None:
        self._brands, self._tricks, self.weights = Brands(brands), Tricks(tricks), read(weights)

    def judged(self, text: str, sender: str) -> Judged:
        """What a masked message comes to: all of it or one of its passages, so that small talk around hides nothing."""
        parts = self._parts(text, sender)
        return max((self._judged(text[at:to], sender, read, at) for at, to, read in parts), key=_score)

    def _judged(self, text: str, sender: str, read: _Read, at: int) -> Judged:
        """What a part of a message comes to that begins at a character."""
        met, claim, words = read
        present = terms(met, claim, sender, len(words.words))
        signs, heard = self.weights
        odds = math.fsum(signs.get(term, 0.0) for term in ("bias", *present)) + evidence(spoken(words), heard)
        score = 1 / (1 + math.exp(-odds))
        told = _heaviest(met, self.weights)
        tricks = dict.fromkeys(each.sign.trick for each in told if each.sign.trick)
        if claim and claim.host:
            tricks["strange-link"] = None
        if present >= SURE and "warns" not in present:
            score = max(score, LIKELY)
        if not tricks:  # words alone are no reason that anybody could be told
            score = min(score, UNEXPLAINED)
        kind = _kind(told, claim)
        return Judged(kind, score, tuple(tricks), tuple(_reasons(kind, text, told, claim, sender, at)))

    def used(self, text: str, sender: str) -> tuple[str, ...]:
        """The tricks that a masked message uses, however little they come to."""
        met, claim, _ = self._read(text, sender)
        tricks = dict.fromkeys(each.sign.trick for each in met if each.sign.trick and not each.denied)
        return (*tricks, *(("strange-link",) if claim and claim.host else ()))

    @property
    def signs(self) -> tuple[Sign, ...]:
        """All signs that are looked for."""
        return self._tricks.signs

    def terms(self, text: str, sender: str) -> list[tuple[set[str], set[str]]]:
        """What holds of a masked message, and then of each of its passages, that may have a weight: signs, words."""
        parts = self._parts(text, sender)
        return [(terms(met, claim, sender, len(words.words)), spoken(words)) for _, _, (met, claim, words) in parts]

    def _parts(self, text: str, sender: str) -> Iterator[tuple[int, int, _Read]]:
        """A message and its passages: where each begins and ends, and what is found there. Whom it claims to be is said
        at its beginning: what a passage begins with claims nothing."""
        whole = self._read(text, sender)
        yield 0, len(text), whole
        if any(each.sign.id in TELLS and not each.denied for each in whole.met):
            return  # it tells of scams, and does none
        for at, to in passages(whole.words):
            share = min(1.0, 2 * (to - at) / len(text))  # they overlap by half
            words = self._tricks.plain(text[at:to])
            yield at, to, _Read([*self._tricks.find(words, share)], whole.claim, words)

    def _read(self, text: str, sender: str) -> _Read:
        words = self._tricks.plain(text)
        return _Read([*self._tricks.find(words)], self._brands.claim(text, words, self._tricks.plain(sender)), words)


def terms(met: Iterable[Met], claim: Claim | None, sender: str, length: int) -> set[str]:
    """The terms of a message of so many words: its signs, what it claims, how many tricks, and which of them meet."""
    met = list(met)
    present = {each.sign.id for each in met if not each.denied}
    if any(each.denied and each.sign.trick for each in met):
        present.add("denied")
    if claim:
        present.add("brand")
        if claim.host:
            present.add("mismatch")
    groups = {name for name, signs in GROUPS.items() if signs & present}
    used = len({each.sign.trick for each in met if each.sign.trick and not each.denied})
    if "warns" in present:  # what a warning names, it does not do: what adds up is left out
        return present - GROUPS["forceful"] | {f"long-{n}" for n in LENGTHS if length > n}
    if from_number(sender) and "claim" in groups:
        present.add("number-claims")
    ordinary = len(GROUPS["ordinary"] & present)
    present |= {f"tricks-{n}" for n in range(1, min(used, TRICKS_MOST) + 1)}
    present |= {f"long-{n}" for n in LENGTHS if length > n}
    present |= {f"ordinary-{n}" for n in (2, 3) if ordinary >= n}
    return present | {f"{one}+{other}" for one, other in PAIRS if one in groups and other in groups}


def _score(judged: Judged) -> float:
    return judged.score


def _heaviest(met: Iterable[Met], weights: Weights) -> list[Met]:
    """The first of each sign that is not denied, what weighs most first."""
    first: dict[str, Met] = {}
    for each in met:
        if not each.denied and each.sign.id not in GROUPS["ordinary"]:
            first.setdefault(each.sign.id, each)
    return sorted(first.values(), key=lambda each: (-weights.signs.get(each.sign.id, 0.0), each.first))


def _kind(told: Iterable[Met], claim: Claim | None) -> str:
    counted: dict[str, float] = dict.fromkeys(STORIES, 0.0)
    for each in told:
        for story in each.sign.stories:
            counted[story] += 1 / len(each.sign.stories)
    if claim and claim.brand.sector in ("bank", "wallet", "consumer-credit"):
        counted["bank"] += 1
    kind = max(counted, key=lambda each: counted[each])
    return kind if counted[kind] else OTHER


def _reasons(kind: str, text: str, told: Iterable[Met], claim: Claim | None, sender: str, at: int) -> Iterable[Reason]:
    if claim and claim.host:
        yield Reason(code="lure-mismatch", params={"brand": claim.brand.label, "domain": claim.host})
    elif claim and from_number(sender):
        yield Reason(code="lure-sender", params={"brand": claim.brand.label})
    quoted: dict[str, Met] = {}
    for each in told:
        if each.sign.trick:
            quoted.setdefault(each.sign.trick, each)
    for trick, each in [*quoted.items()][:MOST_REASONS]:
        said = " ".join(text[each.first : each.behind].split())
        shown = said if len(said) <= LONGEST_QUOTE else said[: LONGEST_QUOTE - 1] + "…"
        yield Reason(code=f"lure-{trick}", params={"said": shown, "span": f"{at + each.first}-{at + each.behind}"})
    yield Reason(code=f"lure-story-{kind}")
