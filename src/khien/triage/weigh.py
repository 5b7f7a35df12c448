"""How sure we are that a finding about a site means harm, and why: *watch* it, or *warn* of it.

Weights are log-odds, added up; they are round, since none is known better than that, and each has its ground beside it.
A name alone never warns: what lifts it is stated evidence. Warned is what is as likely as not.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import exp, log
from typing import NamedTuple

from khien.model import Evidence, Finding, ProtectedName, Reason, Severity
from khien.names.owners import registrable
from khien.names.register import folded
from khien.triage.evidence import LIST
from khien.triage.site import FRESH, OLD, Site, bare, place, registered_for

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")

# The score is the detector's own odds that a name imitates, among names picked to be hard. Of 12 million names a day 25
# imitate; with the error rates of docs/bench-names.md that moves these odds by -7.8 on ordinary sites and by -5.5 on
# streams of certificates and registrations. The strongest names measured are one imitation in nine: none is believed
# more for its name.
OF_A_DAY = -6.5
BEST_NAME = 5.0

# Lists name 47 to 83 % of phishing within 12 hours and none of 15,345 ordinary sites (Sheng et al., CEAS 2009): by the
# rule of three over 2,000 times as often. Lists differ and copy each other: counted as 1,000, and further ones little.
LISTED, LISTED_TOO = 7.0, 1.0
# Few ordinary sites are ever reported, though some people report what merely annoys them: taken as 400 times as often.
REPORTED, REPORTED_OFTEN = 6.0, 1.0
OFTEN = 3
SIGHTED = 6.0  # a partner's word, likewise
TITLED = 4.0  # of sites with such a name, one in a hundred calls itself by the other's; of those for phishing, most do
CONFIRMED = 8.0  # an officer looked, and said so

# What every new site has, good or bad, comes together: it is believed up to so much, and never lifts a name alone. 65 %
# of names registered for phishing are used within five days (Interisle, Phishing Landscape 2020), but so are others.
CIRCUMSTANCES = 1.0
RESOLVES, MAIL, FRESH_NAME, FRESH_CERTIFICATE = 0.25, 0.25, 0.5, 0.25
RECENT = timedelta(days=7)  # of a certificate

OLD_NAME = -1.0  # 17 % of names for phishing are used over 90 days after they were registered (Interisle 2020)
NOT_THERE = -2.0  # it does not resolve, nobody has registered it: harms nobody as it stands
SILENT = -0.5  # no page answers: who attacks may hide it from us
CLAIMED = -2.0  # the register says that it may be the brand's own

FADES = timedelta(days=7), timedelta(days=90)  # what was stated counts whole up to here, and from there on nothing

_STEPS = (log(9), log(99))  # odds from which a warning is high, and critical
_WEB = "www."  # people take a host with and without it for the same
_RUN = 5  # words in a title that may be one name written apart
_WITHIN = 8  # letters of a word that is met inside another by no chance


class Weight(NamedTuple):
    """What one fact adds to the odds; reason: the fact, for people to read."""

    odds: float
    reason: Reason


class Weighed(NamedTuple):
    """What a finding about a site comes to: log-odds that it means harm.

    weights: what they are made of beside the name, the weightiest first, for and against; reachable: as far as known.
    """

    odds: float
    weights: tuple[Weight, ...]
    site: Site
    reachable: bool

    @property
    def warns(self) -> bool:
        """Whether somebody is told: the odds are even or better."""
        return self.odds >= 0

    @property
    def score(self) -> float:
        """The odds as a number in [0, 1]."""
        return 1 / (1 + exp(-self.odds))

    @property
    def severity(self) -> Severity:
        """How sure, and a step less while there is nothing to be reached."""
        step = 1 + sum(self.odds >= least for least in _STEPS)
        return SEVERITIES[step if self.reachable else step - 1]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why, for and against."""
        return tuple(each.reason for each in self.weights)


def weigh(finding: Finding, evidence: Sequence[Evidence], protected: ProtectedName | None, at: datetime) -> Weighed:
    """Weighs a finding about a site with what is stated about it and about the names above it."""
    facts = about(finding, evidence)
    stands = standing(facts)
    site = place(finding, stands, at)
    weights = [
        *_told(finding, stands, protected, at),
        *_bounded(_circumstances(stands, at)),
        *_against(finding, stands, site, at),
    ]
    weights = sorted((each for each in weights if each.odds), key=lambda each: -abs(each.odds))
    name = min(_odds(finding.score), BEST_NAME) + OF_A_DAY
    reachable = not any(code in ("unresolved", "undelegated", "unregistered") for code in _codes(stands))
    return Weighed(name + sum(each.odds for each in weights), tuple(weights), site, reachable)


def about(finding: Finding, evidence: Sequence[Evidence]) -> list[Evidence]:
    """Of the evidence given, that about the site of a finding: about its host, and about who owns the names above.

    What is said of a domain below which anybody may put a site is not said of each.
    """
    host = bare(finding.subject)
    owner = registrable(host)
    return [
        each
        for each in evidence
        if each.subject.removeprefix(_WEB) == host.removeprefix(_WEB)
        or (_of_owners(each.topic) and _below(host, each.subject) and _below(each.subject, owner))
    ]


def _of_owners(topic: str) -> bool:
    return topic.startswith(LIST) or topic in ("registration", "report", "sighting")


def _below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def standing(evidence: Sequence[Evidence]) -> dict[str, Evidence]:
    """What stands, by topic: of what several sources state, and of several hosts, what was stated last."""
    return {each.topic: each for each in sorted(evidence, key=lambda each: (each.at, each.code, each.id))}


def names(title: str, protected: ProtectedName) -> bool:
    """Whether a title names a protected name: its label or one of its words, however written, blanks or not."""
    tokens = [token for token in (folded(each) for each in _words(title)) if token]
    most = max(_RUN, len(_words(protected.label)))
    runs = {"".join(tokens[i : j + 1]) for i in range(len(tokens)) for j in range(i, min(i + most, len(tokens)))}
    label = folded("".join(_words(protected.label)))  # K+ would be any k
    known = {*map(folded, (*protected.words, *protected.short)), label if len(label) > 1 else ""} - {""}
    return not known.isdisjoint(runs) or any(
        len(word) >= _WITHIN and any(word in token for token in tokens) for word in known
    )


def _words(title: str) -> list[str]:
    return "".join(each if each.isalnum() else " " for each in title).split()


def _told(
    finding: Finding, stands: Mapping[str, Evidence], protected: ProtectedName | None, at: datetime
) -> Iterator[Weight]:
    """What tells a harmful site from another."""
    listed = sorted((each for topic, each in stands.items() if topic.startswith(LIST)), key=lambda each: each.topic)
    odds = LISTED
    for each in listed:
        if each.code == "listed":
            yield _weight(odds * _faded(each, at), "evidence-listed", feed=each.params["list"])
            odds = LISTED_TOO
    if said := stands.get("report"):
        count = int(said.params["count"]) if said.params["count"].isdecimal() else 1
        odds = REPORTED + (REPORTED_OFTEN if count >= OFTEN else 0)
        yield _weight(odds * _faded(said, at), "evidence-reported", count=str(count))
    if said := stands.get("sighting"):
        yield _weight(SIGHTED * _faded(said, at), "evidence-sighted", partner=said.params["partner"])
    page = stands.get("page")
    if page and page.code == "answers" and protected and names(page.params["title"], protected):
        params = {"brand": protected.label, "title": page.params["title"]}
        yield _weight(TITLED * _faded(page, at), "evidence-titled", **params)
    if finding.state in ("confirmed", "acted-on"):
        yield _weight(CONFIRMED, "evidence-confirmed")


def _circumstances(stands: Mapping[str, Evidence], at: datetime) -> Iterator[Weight]:
    """What a new site has, whatever it is for."""
    said = stands.get("registration")
    age = registered_for(said, at)
    if said and age is not None and age <= FRESH:
        params = {"domain": said.params["domain"], "days": str(max(age.days, 0))}
        yield _weight(FRESH_NAME, "evidence-fresh-name", **params)
    said = stands.get("certificate")
    if said and at - said.at <= RECENT:
        yield _weight(FRESH_CERTIFICATE, "evidence-fresh-certificate", issuer=said.params["issuer"])
    said = stands.get("resolution")
    if said and said.code == "resolves":
        yield _weight(RESOLVES * _faded(said, at), "evidence-resolves", addresses=said.params["addresses"])
    said = stands.get("mail")
    if said and said.code == "mail":
        yield _weight(MAIL * _faded(said, at), "evidence-mail", hosts=said.params["hosts"])


def _bounded(weights: Iterator[Weight]) -> Iterator[Weight]:
    left = CIRCUMSTANCES
    for each in weights:
        yield each._replace(odds=min(each.odds, left))
        left -= min(each.odds, left)


def _against(finding: Finding, stands: Mapping[str, Evidence], site: Site, at: datetime) -> Iterator[Weight]:
    codes = _codes(stands)
    said = stands.get("registration")
    age = registered_for(said, at)
    if said and age is not None and age > OLD and site.domain == site.host and site.kind != "shared-hosting":
        params = {"domain": said.params["domain"], "years": str(age.days // 365)}
        yield _weight(OLD_NAME, "evidence-old-name", **params)
    if "unregistered" in codes or "unresolved" in codes:
        yield _weight(NOT_THERE, "evidence-not-there")
    elif "unanswered" in codes:
        yield _weight(SILENT, "evidence-silent")
    yield from (Weight(CLAIMED, each) for each in finding.reasons if each.code == "unverified-estate")


def _weight(odds: float, code: str, **params: str) -> Weight:
    return Weight(odds, Reason(code=code, params=params))


def _codes(stands: Mapping[str, Evidence]) -> set[str]:
    return {each.code for each in stands.values()}


def _odds(score: float) -> float:
    kept = min(max(score, 1e-6), 1 - 1e-6)
    return log(kept / (1 - kept))


def _faded(said: Evidence, at: datetime) -> float:
    """How much of it still counts, in [0, 1]."""
    whole, nothing = FADES
    return min(max((nothing - (at - said.at)) / (nothing - whole), 0.0), 1.0)
