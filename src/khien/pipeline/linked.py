"""Links, judged by what their names imitate, what is listed, whose they are, and what officers decided.

No link is visited: only its text is looked at.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal
from urllib.parse import unquote

import msgspec
import pyarrow as pa

from khien import canon, schema, words
from khien.contracts import Detector, Store
from khien.messages import question
from khien.model import Finding, Listing, ProtectedName, Reason
from khien.names.owners import FREE, is_platform, is_shared, is_shortener
from khien.pipeline.listings import covering
from khien.triage import life, proofs

Verdict = Literal["harmful", "looks-harmful", "nothing", "belongs"]
Sure = Literal["sure", "likely", "unsure"]

CERTAIN = 0.9  # a score from which a finding is likely right
CERTAINTY: tuple[Sure, ...] = ("unsure", "likely", "sure")
MOST_REASONS = 5  # of an answer, and of a link in it: nobody reads more

_LONGEST_NAME = 4  # words of a protected name in a message
_LEAST = 4  # letters of a name that is not in capitals
_LEAST_JOINED = 6  # letters of a name that is written in several words: fewer come about by chance
_STATE = (".gov.vn", ".mil.vn")  # nobody but the state has a name below these

_WORD = re.compile(r"\w+")
_PARTS = re.compile(r"(?:[a-z]+\s?[\[(]?:[\])]?[/\\]*)?[^/\\?#]*(.*)", re.I | re.S)  # [1]: what follows the host
_ADDRESS = re.compile(r"https?:|=[/\\]{2}", re.IGNORECASE)
_OWN = "own-estate"
_SEEN = ("asked-confirmed", "asked-dismissed")
_BESIDE = ("asked-shortened", "unverified-estate")
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

    @property
    def hacked(self) -> bool:
        """Whether it is the site of somebody who was broken into."""
        return any(each.code in ("asked-hacked", "asked-hacked-of") for each in self.reasons)

    @property
    def shortened(self) -> bool:
        """Whether it leads on to where nobody looked."""
        return any(each.code == "asked-shortened" for each in self.reasons)

    @property
    def beside(self) -> tuple[Reason, ...]:
        """What is to be said of it also where it is one link of a message."""
        return tuple(each for each in self.reasons if each.code in _BESIDE)

    @property
    def by_officer(self) -> bool:
        """Whether an officer looked at it, and no listing says more."""
        return any(each.code in _SEEN for each in self.reasons)


@dataclass(frozen=True)
class Judges:
    """Who judges. names: a detector over schema.NAMES; messages: one over schema.MESSAGES; protected: by id.

    tricks: those that a masked message uses and from whom it came, also where they are too few for a finding.
    """

    names: Detector
    messages: Detector
    protected: Mapping[str, ProtectedName]
    tricks: Callable[[str, str], tuple[str, ...]] = lambda _text, _sender: ()

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

    def label(self, claim: str) -> str:
        """What people call a protected name; empty where there is none of this id."""
        held = self.protected.get(claim)
        return held.label if held else ""

    def called(self, sender: str) -> str:
        """The label of the protected name that a sender calls itself; empty where it calls itself none's."""
        return self._called.get(sender.strip().casefold(), "")

    def claimed(self, name: str) -> Reason | None:
        """That a name is said to be an official domain, or below one, and nobody has confirmed it."""
        labels = name.split(".")
        above = (".".join(labels[at:]) for at in range(len(labels) - 1))
        held = next(((self._unverified[each], each) for each in above if each in self._unverified), None)
        return said("unverified-estate", brand=held[0], domain=held[1]) if held else None

    def claims(self, name: str) -> str:
        """The label of whose a name is said to be, unconfirmed; empty where nobody says so."""
        claimed = self.claimed(name)
        return claimed.params["brand"] if claimed else ""

    def strangers(self, text: str, met: Iterable[str], found: Iterable[Judged]) -> tuple[Reason, ...]:
        """That a message names somebody and leads to a site that is not known, or said, to be theirs: the first of
        those. met: its links."""
        strange = [each for each in found if each.verdict == "nothing" and not _excused(each)]
        label = self._mention(text, met) if strange else ""
        other = next((each for each in strange if self.claims(each.name) != label), None)
        return (said("asked-names-other", brand=label, domain=other.name),) if other and label else ()

    def _mention(self, text: str, met: Iterable[str]) -> str:
        """The label of the first protected name that a message has outside its links; empty where there is none."""
        for each in met:
            text = text.replace(each, "\n")
        for line in text.splitlines():
            written = _WORD.findall(line)
            spelled = [_plain(each) for each in written]
            for first in range(len(written)):
                for length in range(1, _LONGEST_NAME + 1):
                    joined = "".join(spelled[first : first + length])
                    least = _LEAST_JOINED if length > 1 else 1 if written[first].isupper() else _LEAST
                    if len(joined) >= least and joined in self._mentioned:
                        return self._mentioned[joined]
        return ""

    @cached_property
    def _mentioned(self) -> Mapping[str, str]:
        held = self.protected.values()
        return {_plain(word): each.label for each in held for word in (*each.words, *each.short)}

    @cached_property
    def _official(self) -> Mapping[str, Reason]:
        return {
            each.domain: said(_OWN, brand=held.label, domain=each.domain, source=each.source)
            for held in self.protected.values()
            for each in held.official
            if each.verified and not set(each.domain) & set("*{")
        }

    @cached_property
    def _unverified(self) -> Mapping[str, str]:
        return {
            each.domain: held.label
            for held in self.protected.values()
            for each in held.official
            if not each.verified and not set(each.domain) & set("*{")
        }

    @cached_property
    def _called(self) -> Mapping[str, str]:
        held = self.protected.values()
        return {word.casefold(): each.label for each in held for word in (*each.words, *each.short, each.label)}


def said(code: str, **params: str) -> Reason:
    """A reason."""
    return Reason(code=code, params=params)


def _excused(link: Judged) -> bool:
    """Whether a detector knows it for good, it is the state's, or it is no name."""
    good = any(each.suppressed for each in link.findings)
    return good or link.name.endswith(_STATE) or canon.is_address(link.name)


def _plain(word: str) -> str:
    """A word without case, marks and signs."""
    bare = unicodedata.normalize("NFD", word.casefold().replace("đ", "d"))
    return "".join(each for each in bare if each.isascii() and each.isalnum())


def sure(score: float) -> Sure:
    """How sure a score makes that something does harm."""
    return "likely" if score >= CERTAIN else "unsure"


def judged(texts: Sequence[str], judges: Judges, store: Store | None, at: datetime) -> tuple[Judged, ...]:
    """Each distinct host that links lead to, through one call of the detector; store: None where nothing is kept."""
    met = [(text, name) for text in texts if (name := question.host(text))]
    names = sorted({name for _, name in met if not canon.is_address(name)})
    found: list[Finding] = []
    kept: Sequence[Finding] = ()
    if names:
        rows = pa.record_batch([names, pa.nulls(len(names), schema.TIME)], schema=schema.NAMES)
        found = life.findings([judges.names(rows)], source="", at=at)
        kept = store.find(Finding, subject=tuple(names), limit=10 * len(names)) if store else ()
    answered: dict[str, Judged] = {}
    for text, name in met:
        page = question.page(text)
        covers = next((each for each in covering(store, page, at) if _counts(each)), None) if store else None
        if covers:
            answered[name] = _covered(name, covers, judges)
        elif canon.is_address(name):
            answered.setdefault(name, Judged(name, "nothing", "unsure", (said("asked-bare"), said("asked-unlisted"))))
        elif name not in answered:
            mine, decided = ([each for each in every if each.subject == name] for every in (found, kept))
            answered[name] = _named(name, mine, decided, judges)
        answered[name] = _written(answered[name], text, judges)
    return tuple(answered.values())


def _written(one: Judged, text: str, judges: Judges) -> Judged:
    """What a host comes to once the whole of a link is seen: a name before ``@`` is not where it leads, and of a page
    that anybody may have made, whose the host is says little."""
    before = question.host(canon.user(text))
    if before and question.is_mail(text) and not judges.owner(before):
        before = ""  # most people have a dot before the @ of their address
    code = "asked-before-at-mail" if question.is_mail(text) else "asked-before-at"
    if before and one.verdict != "harmful" and not any(each.code == code for each in one.reasons):
        mine, theirs = (each and each.params["brand"] for each in (judges.owner(one.name), judges.owner(before)))
        reasons = (said(code, part=before, domain=one.name), *one.reasons)[:MOST_REASONS]
        one = msgspec.structs.replace(one, reasons=reasons)
        if theirs and theirs != mine:
            one = msgspec.structs.replace(one, verdict="looks-harmful", sure="likely")
    if one.verdict == "belongs" and _anybodys(one.name, text):
        brand = next(each.params["brand"] for each in one.reasons if "brand" in each.params)
        reasons = (said("asked-anybody", brand=brand), said("asked-unlisted"))
        one = msgspec.structs.replace(one, verdict="nothing", sure="unsure", reasons=reasons)
    if one.verdict == "nothing" and is_shortener(one.name) and _path(text) and not one.shortened:
        one = msgspec.structs.replace(one, reasons=(said("asked-shortened"), *one.reasons)[:MOST_REASONS])
    return one


def _path(text: str) -> str:
    """What follows the host of a link."""
    parts = _PARTS.fullmatch(text.strip())
    return parts[1].strip("/") if parts else ""


def _anybodys(host: str, text: str) -> bool:
    """Whether a link leads to what anybody may have put on a host, or on from it to another."""
    labels = host.split(".")
    platform = any(is_platform(".".join(labels[at:])) for at in range(len(labels)))
    path = _path(text)
    return (is_shared(host) and host not in FREE) or ((platform or is_shared(host)) and bool(path)) or _leads_on(path)


def _leads_on(path: str) -> bool:
    """Whether a path or query has another address in it."""
    return bool(_ADDRESS.search(unquote(path)))


def _counts(listing: Listing) -> bool:
    """Whether it says something of all it covers: where somebody else's site is at the same host it does not."""
    return listing.blocks or listing.unit == "url" or listing.site == "hacked" or is_shared(listing.host)


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
    return Judged(name, "harmful", "sure", (*reasons, *listing.reasons)[:MOST_REASONS], listing.id)


def _named(name: str, found: Sequence[Finding], kept: Sequence[Finding], judges: Judges) -> Judged:
    """A name that no listing covers. kept: what the store has of it."""
    unlisted = said("asked-unlisted")
    held = [each for each in kept if each.detector == "lookalike" and each.state in _DECIDED and not each.suppressed]
    if held:
        return Judged(
            name, "looks-harmful", "likely", (said("asked-confirmed"), *held[0].reasons)[:MOST_REASONS], "", tuple(held)
        )
    known = tuple(each for each in found if each.suppressed)
    if owner := judges.owner(name, known):
        return Judged(name, "belongs", "sure", (owner, said("asked-none-lists-it")), "", known)
    dismissed = {each.id for each in kept if each.state == "dismissed"}
    left = tuple(each for each in found if not each.suppressed and each.id not in dismissed)
    strong = tuple(sorted((each for each in left if each.score >= words.LIKELY), key=lambda each: -each.score))
    claimed = judges.claimed(name)
    if claimed:  # a finding stands, but what is said to be theirs is not accused of imitating them
        strong = tuple(each for each in strong if judges.label(each.claim) != claimed.params["brand"])
    if strong:
        after = (*judges.official(strong[0].claim), unlisted)
        reasons = (*strong[0].reasons[: MOST_REASONS - len(after)], *after)
        return Judged(name, "looks-harmful", sure(strong[0].score), reasons, "", strong)
    if dismissed:
        first = said("asked-dismissed")
    elif claimed:
        first = claimed
    elif left and left[0].claim in judges.protected:
        first = said("asked-weak", brand=judges.protected[left[0].claim].label)
    else:
        first = said("asked-no-imitation", count=str(len(judges.protected)))
    beside = tuple(reason for each in known[:1] for reason in each.reasons)
    return Judged(name, "nothing", "unsure", (first, *beside[: MOST_REASONS - 2], unlisted), "", (*left, *known))
