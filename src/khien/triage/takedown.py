"""The life of a takedown: whom to write to about a harmful site, when again, and whether it is gone.

Invariants: MOVES says what follows what. The registrar is never asked about a hacked or shared site: it could only take
away everything else that stands there. Nobody is told that a site is up while what was seen last says that it is down.
Of a page whose address is known only an answer of that page counts, and of a host its root; a name that resolves no
more is down. The hours a site was up are the sum of its spells, each from where it was seen up to where it was not.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from khien import schema
from khien.errors import InputError, TransitionError
from khien.model import Delivery, Evidence, Finding, Language, Report, SiteClass, Step, Takedown, TakedownState
from khien.names.owners import FREE, is_shared, registrable
from khien.triage import site
from khien.triage.life import KHIEN

BEGIN, REPORT, LOSE, SEE, CLOSE = "begin", "report", "lose", "see", "close"

MOVES: dict[tuple[TakedownState, str], TakedownState] = {  # docs/takedown.md has them as a table, held against this one
    ("asked", REPORT): "reported",
    ("asked", LOSE): "gone",
    ("asked", CLOSE): "closed",
    ("reported", REPORT): "reported",
    ("reported", LOSE): "gone",
    ("reported", CLOSE): "closed",
    ("gone", SEE): "back",
    ("gone", CLOSE): "closed",
    ("back", REPORT): "reported",
    ("back", LOSE): "gone",
    ("back", CLOSE): "closed",
    ("closed", BEGIN): "asked",
}
CHANNEL = "abuse"  # which carries reports
FACTS: Mapping[str, tuple[str, str]] = {  # what a report says beside the brand, and of which evidence it is
    "url": ("page", "url"),
    "title": ("page", "title"),
    "address": ("network", "address"),
    "network": ("network", "network"),
    "country": ("network", "country"),
    "registrar": ("registration", "registrar"),
    "created": ("registration", "created"),
}

Role = Literal["registrar", "host", "cdn", "owner"]
ROUNDS: Mapping[SiteClass, tuple[tuple[Role, ...], ...]] = {  # whom a round of reports adds to those before it
    "registered-for-harm": (("registrar", "host", "cdn"),),
    "unclear": (("host", "cdn"), ("registrar",)),
    "hacked": (("owner", "host"), ("cdn",)),
    "shared-hosting": (("host", "cdn"),),
}
AGAIN = (timedelta(hours=24), timedelta(hours=72))  # after the first round, after the second
WEEKLY = timedelta(days=7)  # after each other
UNKNOWN = timedelta(minutes=10)  # until it is looked again whether somebody is known to whom to write
SILENT = timedelta(hours=1)  # for which a page gives no answer before it is gone: servers are restarted
KEPT = timedelta(days=90)  # for which a site that is gone is watched

_CDNS = re.compile("cloudflare|fastly|akamai|cloudfront|bunny|cdn77|stackpath|imperva|incapsula|sucuri", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z0-9._%+=-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE | re.ASCII)
_LONGEST_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, without the brackets
_WEB = "www."  # people take it for the same site
_OF_HOST = ("page", "resolution", "network")  # topics that say nothing of what is below their subject
_GONE = ("404", "410", "451")  # RFC 9110 sections 15.5.5 and 15.5.11, RFC 7725
_STARTS = (BEGIN, SEE)  # steps from which rounds are counted


class Contact(NamedTuple):
    """Who can end it, and where they are written to."""

    role: Role
    address: str


class Chased(NamedTuple):
    """A takedown as it stands, and the reports that are due."""

    takedown: Takedown
    deliveries: tuple[Delivery, ...] = ()


def begin(finding: Finding, evidence: Iterable[Evidence], *, by: str, at: datetime, why: str = "") -> Takedown:
    """A takedown of the site of a finding. Who begins it says that it is up, unless what was seen says when.

    evidence: of its subject and the names above it. InputError: the finding is about no site.
    """
    if finding.kind != "domain":
        raise InputError(f"finding {finding.id[:12]} is about {finding.kind} {finding.subject}: give one of a site")
    stands = _stands(evidence, site.bare(finding.subject))
    meant = site.place(finding, stands, at)
    brands = (each.params.get("brand", "") for each in finding.reasons)
    seen = _seen(stands, meant.value if meant.unit == "url" else "")
    up = seen.since if seen and seen.up else at
    return Takedown(
        id=finding.id,
        subject=meant.host,
        url=meant.value if meant.unit == "url" else "",
        unit=meant.unit,
        site=meant.kind,
        claim=finding.claim,
        due=at,
        up=up,
        spells=() if seen and not seen.up else ((up, None),),
        facts={"brand": next(filter(None, brands), finding.claim), **_facts(stands)},
        steps=(Step(at=at, act=BEGIN, by=by, why=why),),
    )


def move(takedown: Takedown, act: str, *, by: str, at: datetime, why: str = "") -> Takedown:
    """The takedown after an act of somebody's. TransitionError: in its state this cannot be done; says what can.

    Begun again, or seen again, it is due at once, and begins a spell; lost or closed, a spell ends.
    """
    state = MOVES.get((takedown.state, act))
    if state is None:
        possible = ", ".join(each for met, each in MOVES if met == takedown.state)
        raise TransitionError(f"takedown {takedown.id[:12]} is {takedown.state}: it takes {possible}, not {act}")
    spells, due = takedown.spells, takedown.due
    if act in _STARTS:
        due = at
        if not spells or spells[-1][1] is not None:
            spells = (*spells, (at, None))
    elif act in (LOSE, CLOSE):
        due = at + KEPT
        if spells and spells[-1][1] is None:
            spells = (*spells[:-1], (spells[-1][0], max(at, spells[-1][0])))
    step = Step(at=at, act=act, by=by, why=why)
    return msgspec.structs.replace(takedown, state=state, spells=spells, due=due, steps=(*takedown.steps, step))


def chase(takedown: Takedown, evidence: Iterable[Evidence], at: datetime) -> Chased:
    """What becomes of a takedown by what is known at a time: it is gone, back, or a round of reports is due.

    Nothing new: the very takedown, and no deliveries. Asked as often as one likes, a round goes out once.
    """
    if takedown.state == "closed":
        return Chased(takedown)
    stands = _stands(evidence, takedown.subject)
    seen = _seen(stands, takedown.url)
    if takedown.state == "gone":
        if seen is not None and seen.up and seen.at > takedown.steps[-1].at:
            takedown = move(takedown, SEE, by=KHIEN, at=seen.at)
        elif takedown.due <= at:
            return Chased(move(takedown, CLOSE, by=KHIEN, at=at))
    elif seen is not None and not seen.up:
        if seen.why == "unanswered" and seen.at - seen.since < SILENT:
            return Chased(takedown)
        return Chased(move(takedown, LOSE, by=KHIEN, at=max(seen.since, _started(takedown)), why=seen.why))
    if takedown.state == "gone" or takedown.due > at:
        return Chased(takedown)
    return _report(takedown, stands, at)


class _Seen(NamedTuple):
    """What the newest look at a site says, since when, and when it was."""

    up: bool
    why: str
    since: datetime
    at: datetime


def _stands(evidence: Iterable[Evidence], host: str) -> dict[str, Evidence]:
    """Of each topic what was stated last, of the host itself before what is about a name above it."""
    bare = host.removeprefix(_WEB)
    ours = (each for each in evidence if each.topic not in _OF_HOST or each.subject.removeprefix(_WEB) == bare)
    return {each.topic: each for each in sorted(ours, key=lambda each: (each.subject == host, each.at, each.id))}


def _seen(stands: Mapping[str, Evidence], url: str) -> _Seen | None:
    """Whether the site is up; None: nobody has looked."""
    resolution, page = stands.get("resolution"), stands.get("page")
    if resolution is not None and resolution.code == "unresolved":
        if page is None or page.at <= resolution.at or page.code != "answers":
            return _Seen(False, "unresolved", resolution.since, resolution.at)
    if page is None or (url and page.params.get("url") != url):
        return None
    if page.code == "unanswered":
        return _Seen(False, "unanswered", page.since, page.at)
    if page.code != "answers":
        return None
    status = page.params.get("status", "")
    if status in _GONE:
        return _Seen(False, status, page.at, page.at)  # it answered all along: since when with this is not known
    return _Seen(True, status, page.since, page.at)


def _started(takedown: Takedown) -> datetime:
    return max(each.at for each in takedown.steps if each.act in _STARTS)


def _report(takedown: Takedown, stands: Mapping[str, Evidence], at: datetime) -> Chased:
    """A round of reports, or another look at who there is to write to."""
    written = contacts(takedown, stands)
    if not written:
        return Chased(msgspec.structs.replace(takedown, due=at + UNKNOWN))
    done = _rounds(takedown)
    revision = takedown.revision + 1
    due = at + (AGAIN[done] if done < len(AGAIN) else WEEKLY)
    reported = msgspec.structs.replace(
        move(takedown, REPORT, by=KHIEN, at=at),
        revision=revision,
        due=due,
        facts={**takedown.facts, **_facts(stands)},
        reports=(*takedown.reports, *(Report(role=each.role, address=each.address, at=at) for each in written)),
    )
    deliveries = tuple(
        Delivery(
            id=schema.delivery_id(takedown.id, revision, CHANNEL, each.address),
            about=takedown.id,
            revision=revision,
            channel=CHANNEL,
            address=each.address,
            language=_language(each.role, takedown, stands),
            due=at,
        )
        for each in written
    )
    return Chased(reported, deliveries)


def _rounds(takedown: Takedown) -> int:
    """How many rounds went out since it was begun, or back."""
    started = _started(takedown)
    return sum(each.act == REPORT and each.at >= started for each in takedown.steps)


def contacts(takedown: Takedown, stands: Mapping[str, Evidence]) -> tuple[Contact, ...]:
    """Whom to write to next: those of all rounds so far and of one more; of later ones where these know nobody.

    stands: of each topic what was stated last. Each address once, in the order of ROUNDS.
    """
    rounds = ROUNDS[takedown.site]
    for count in range(min(_rounds(takedown) + 1, len(rounds)), len(rounds) + 1):
        found: dict[str, Role] = {}
        roles: list[Role] = [role for each in rounds[:count] for role in each]
        for role in roles:
            for address in _addresses(role, takedown, stands):
                found.setdefault(address.lower(), role)
        if found:
            return tuple(Contact(role, address) for address, role in found.items())
    return ()


def _addresses(role: Role, takedown: Takedown, stands: Mapping[str, Evidence]) -> Iterator[str]:
    """The mail addresses of who has a role, where evidence says or RFC 2142 names them."""
    network, domain = stands.get("network"), registrable(takedown.subject)
    match role:
        case "registrar":
            yield from _mail(stands.get("registration"), "registered")
        case "owner":
            if "mail" in stands and stands["mail"].code == "mail":
                yield f"webmaster@{domain}"
        case "host" | "cdn":
            if role == "host" and takedown.site == "shared-hosting":
                below = is_shared(domain) and domain not in FREE  # a suffix that is the platform's
                yield f"abuse@{domain.partition('.')[2] if below else domain}"
            if network is not None and is_cdn(network) == (role == "cdn"):
                yield from _mail(network, "hosted")


def _language(role: Role, takedown: Takedown, stands: Mapping[str, Evidence]) -> Language:
    """Who is in Viet Nam is written to in Vietnamese."""
    if role == "registrar":
        return "vi" if takedown.subject.endswith(".vn") else "en"
    network = stands.get("network")
    return "vi" if network is not None and network.params.get("country") == "VN" else "en"


def _mail(said: Evidence | None, code: str) -> Iterator[str]:
    """The address that is said to take reports of abuse, where it is one."""
    given = said.params.get("abuse", "").strip() if said is not None and said.code == code else ""
    if len(given) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(given):
        yield given


def is_cdn(network: Evidence) -> bool:
    """Whether who has the network hands on what stands elsewhere."""
    return any(_CDNS.search(network.params.get(each, "")) for each in ("network", "handle", "abuse"))


def _facts(stands: Mapping[str, Evidence]) -> dict[str, str]:
    """What evidence says that a report repeats, by the names in FACTS."""
    found = {name: stands[topic].params.get(param, "") for name, (topic, param) in FACTS.items() if topic in stands}
    if "resolution" in stands:
        found.setdefault("address", stands["resolution"].params.get("addresses", "").partition(",")[0])
    return {name: text for name, text in found.items() if text}
