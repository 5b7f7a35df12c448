"""Links, judged by what their names imitate, what is listed, whose they are, and what officers decided.

No link is visited: only its text is looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

import msgspec
import pyarrow as pa

from khien import schema, words
from khien.contracts import Detector, Store
from khien.messages import question
from khien.model import Finding, Listing, ProtectedName, Reason
from khien.pipeline.listings import covering
from khien.triage import life, proofs

Verdict = Literal["harmful", "looks-harmful", "nothing", "belongs"]
Sure = Literal["sure", "likely", "unsure"]

CERTAIN = 0.9  # a score from which a finding is likely right

_OWN = "own-estate"
_DECIDED = ("confirmed", "acted-on")  # states in which officers hold a finding to be right


class Judged(msgspec.Struct, frozen=True):
    """One link. name: its host as canon writes it; findings: beside the verdict; listing: the id of what covers it."""

    name: str
    verdict: Verdict
    sure: Sure
    reasons: tuple[Reason, ...]
    listing: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def score(self) -> float:
        """Of the strongest finding that is not known good."""
        return max((each.score for each in self.findings if not each.suppressed), default=0.0)


@dataclass(frozen=True)
class Judges:
    """Who judges. names: a detector over schema.NAMES; messages: one over schema.MESSAGES; protected: by id."""

    names: Detector
    messages: Detector
    protected: Mapping[str, ProtectedName]

    def owner(self, name: str, known: Iterable[Finding] = ()) -> Reason | None:
        """That a name is a confirmed official domain, or below one: whose, and who says so; known: what a detector
        suppressed of it."""
        labels = name.split(".")
        above = (".".join(labels[at:]) for at in range(len(labels) - 1))
        held = (self._official[each] for each in above if each in self._official)
        matched = (reason for each in known for reason in each.reasons if reason.code == _OWN)  # by a pattern, maybe
        return next(held, None) or next(matched, None)

    def official(self, claim: str) -> tuple[Reason, ...]:
        """Where a protected name really is, as far as somebody confirmed it."""
        held = self.protected.get(claim)
        domain = next(proofs.official(held), "") if held else ""
        return (said("asked-official", brand=held.label, official=domain),) if held and domain else ()

    def called(self, sender: str) -> str:
        """The label of the protected name that a sender calls itself; empty where it calls itself none's."""
        return self._called.get(sender.strip().casefold(), "")

    @cached_property
    def _official(self) -> Mapping[str, Reason]:
        return {
            each.domain: said(_OWN, brand=held.label, domain=each.domain, source=each.source)
            for held in self.protected.values()
            for each in held.official
            if each.verified and not set(each.domain) & set("*{")
        }

    @cached_property
    def _called(self) -> Mapping[str, str]:
        held = self.protected.values()
        return {word.casefold(): each.label for each in held for word in (*each.words, *each.short, each.label)}


def said(code: str, **params: str) -> Reason:
    """A reason."""
    return Reason(code=code, params=params)


def sure(score: float) -> Sure:
    """How sure a score makes that something does harm."""
    return "likely" if score >= CERTAIN else "unsure"


def judged(texts: Sequence[str], judges: Judges, store: Store | None, at: datetime) -> tuple[Judged, ...]:
    """Each distinct host that links lead to, through one call of the detector; store: None where nothing is kept."""
    met = [(question.page(text), name) for text in texts if (name := question.host(text))]
    names = sorted({name for _, name in met if not question.is_address(name)})
    found: list[Finding] = []
    kept: Sequence[Finding] = ()
    if names:
        rows = pa.record_batch([names, pa.nulls(len(names), schema.TIME)], schema=schema.NAMES)
        found = life.findings([judges.names(rows)], source="", at=at)
        kept = store.find(Finding, subject=tuple(names), limit=10 * len(names)) if store else ()
    answered: dict[str, Judged] = {}
    for page, name in met:
        covers = next((each for each in covering(store, page, at) if _counts(each)), None) if store else None
        if covers:
            answered[name] = _covered(name, covers, judges)
        elif question.is_address(name):
            answered.setdefault(name, Judged(name, "nothing", "unsure", (said("asked-bare"), said("asked-unlisted"))))
        elif name not in answered:
            mine, decided = ([each for each in every if each.subject == name] for every in (found, kept))
            answered[name] = _named(name, mine, decided, judges)
    return tuple(answered.values())


def _counts(listing: Listing) -> bool:
    """Whether it says something of all it covers: a host that many share is theirs too of whom nothing is listed."""
    return listing.blocks or listing.unit == "url" or listing.site == "hacked"


def _covered(name: str, listing: Listing, judges: Judges) -> Judged:
    """What a listing says of a name; whose it is beside, where it was broken into."""
    reasons = [
        said(f"asked-listed-{listing.harm}", since=f"{listing.since:%Y-%m-%d}"),
        said(f"asked-unit-{listing.unit}", domain=listing.value if listing.unit == "domain" else listing.host),
    ]
    if listing.site == "hacked":
        owner = judges.owner(name)
        reasons.append(said("asked-hacked-of", brand=owner.params["brand"]) if owner else said("asked-hacked"))
    if listing.state == "contested":
        reasons.append(said("asked-contested"))
    return Judged(name, "harmful", "sure", (*reasons, *listing.reasons), listing.id)


def _named(name: str, found: Sequence[Finding], kept: Sequence[Finding], judges: Judges) -> Judged:
    """A name that no listing covers. kept: what the store has of it."""
    unlisted = said("asked-unlisted")
    held = [each for each in kept if each.detector == "lookalike" and each.state in _DECIDED and not each.suppressed]
    if held:
        return Judged(name, "looks-harmful", "likely", (said("asked-confirmed"), *held[0].reasons), "", tuple(held))
    known = tuple(each for each in found if each.suppressed)
    if owner := judges.owner(name, known):
        return Judged(name, "belongs", "sure", (owner, said("asked-none-lists-it")), "", known)
    dismissed = {each.id for each in kept if each.state == "dismissed"}
    left = tuple(each for each in found if not each.suppressed and each.id not in dismissed)
    strong = tuple(sorted((each for each in left if each.score >= words.LIKELY), key=lambda each: -each.score))
    if strong:
        reasons = (*strong[0].reasons, *judges.official(strong[0].claim), unlisted)
        return Judged(name, "looks-harmful", sure(strong[0].score), reasons, "", strong)
    if dismissed:
        first = said("asked-dismissed")
    elif left and left[0].claim in judges.protected:
        first = said("asked-weak", brand=judges.protected[left[0].claim].label)
    else:
        first = said("asked-no-imitation", count=str(len(judges.protected)))
    beside = tuple(reason for each in known[:1] for reason in each.reasons)
    return Judged(name, "nothing", "unsure", (first, *beside, unlisted), "", (*left, *known))
