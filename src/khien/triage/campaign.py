"""Which findings are of one hand: a constituent hears of the first at once, and the rest come to the same notice.

A finding leaves marks, and joins the newest open notice of the same constituent, detector and claim that bears one of
them, or two kinds of those that strangers share too. On a day with many, those that share no mark join too: of n
protected names come at most n + 2 notices.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_network

from khien.model import Evidence, Finding, Notice
from khien.triage.site import Site
from khien.triage.takedown import is_cdn

LASTS = timedelta(days=30)  # since it was last revised: later ones are another campaign
DAY = timedelta(days=1)
FREELY = 3  # notices in a day, of whatever claims; beyond these, the first of each further claim

_MOST, _LONGEST = 64, 120  # marks that a notice keeps, the newest; characters of one
_EACH = 8  # marks of one kind that a finding leaves
_SHARED = frozenset({"certified", "front"})  # kinds of marks that strangers have too: none counts alone
_AROUND = {4: 20, 6: 48}  # bits of the prefix within which floods at one time are one attack


def of_site(site: Site, stands: Mapping[str, Evidence]) -> tuple[str, ...]:
    """The marks of a finding about a site.

    Its registrable domain; the shape of its label, digits left out; its addresses, of a CDN as its front; its name
    servers; who registered it on which day; who certified it within which hour (UTC).
    """
    label = site.domain.partition(".")[0]
    marks = [("domain", site.domain), ("shape", re.sub(r"[0-9-]+", "#", label))]
    network = stands.get("network")
    where = "front" if network and is_cdn(network) else "address"
    marks += [(where, each) for each in _several(stands, "resolution", "addresses")[:_EACH]]
    if servers := _several(stands, "nameservers", "hosts"):
        marks.append(("servers", ",".join(servers)))
    if (said := stands.get("registration")) and said.params.get("registrar") and said.params["created"]:
        marks.append(("registered", f"{said.params['registrar']}/{said.params['created'][:10]}"))
    if (said := stands.get("certificate")) and said.params["not_before"]:
        marks.append(("certified", f"{said.params['issuer']}/{said.params['not_before'][:13]}"))
    return tuple("_".join(f"{kind}:{text}".split())[:_LONGEST] for kind, text in marks)


def _several(stands: Mapping[str, Evidence], topic: str, param: str) -> list[str]:
    """What a parameter lists, in alphabetical order; nothing where what stands has no such parameter."""
    said = stands.get(topic)
    return sorted({each.strip() for each in said.params.get(param, "").split(",")} - {""}) if said else []


def of_flood(finding: Finding) -> tuple[str, ...]:
    """The mark of a flood: the network around its target."""
    network = ip_network(finding.subject)
    around = network.supernet(new_prefix=min(network.prefixlen, _AROUND[network.version]))
    return (f"around:{around}",)


def joined(campaign: str, marks: Iterable[str]) -> str:
    """The marks of a notice with those of one more finding."""
    every = dict.fromkeys((*campaign.split(), *marks))
    return " ".join(list(every)[-_MOST:])


def find(notices: Iterable[Notice], finding: Finding, marks: Iterable[str], at: datetime) -> Notice | None:
    """Of a constituent's open notices the one that a new finding joins; None: it is the first."""
    newest = sorted(notices, key=lambda each: (each.raised, each.id), reverse=True)
    alike = [each for each in newest if each.detector == finding.detector]
    same = [each for each in alike if any(subject.claim == finding.claim for subject in each.subjects)]
    left = frozenset(marks)
    for each in same:
        if at - each.revised <= LASTS and _one_hand(left.intersection(each.campaign.split())):
            return each
    crowded = sum(at - each.raised < DAY for each in alike) >= FREELY
    return next((each for each in same if crowded and at - each.raised < DAY), None)


def _one_hand(common: Iterable[str]) -> bool:
    """Whether what two findings have in common tells that the same people made them."""
    kinds = {each.partition(":")[0] for each in common}
    return len(kinds) > 1 or not kinds <= _SHARED
