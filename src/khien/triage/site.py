"""Whose site it is: the narrowest unit that is meant, and whether it was registered for harm, is hacked, or shared."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from khien.model import Evidence, Finding, SiteClass, Unit
from khien.names.owners import is_shared, registrable

FRESH = timedelta(days=30)  # 45 % of names for phishing are used within 14 days (Interisle, Phishing Landscape 2020)
OLD = timedelta(days=365)  # one that was renewed; who registers for harm seldom keeps a name so long

_WEB = "www."  # people take a host with and without it for the same
_BELOW = frozenset({"subdomain", "official-in-subdomain"})  # techniques that leave the registrable label alone


class Site(NamedTuple):
    """A site that is meant: its unit and the value of that, whose fault it is; host and domain (registrable)."""

    unit: Unit
    value: str
    kind: SiteClass
    host: str
    domain: str


def place(finding: Finding, stands: Mapping[str, Evidence], at: datetime) -> Site:
    """The site of a finding, as far as evidence, by topic, tells it.

    Hacked: an old name that does not imitate itself, only what is below it does. Registered for harm: a name that
    imitates itself and is fresh. Of a hacked and of a shared site no more is meant than the URL, where it is known.
    """
    host = bare(finding.subject)
    domain = registrable(host)
    age = registered_for(stands.get("registration"), at)
    beneath = domain != host and not _BELOW.isdisjoint(finding.techniques)
    kind: SiteClass = "unclear"
    if is_shared(host) or any(each.code == "hosting" for each in finding.reasons):
        kind = "shared-hosting"
    elif beneath and age is not None and age > OLD:
        kind = "hacked"
    elif not beneath and age is not None and age <= FRESH:
        kind = "registered-for-harm"
    if kind not in ("hacked", "shared-hosting"):
        return Site("host", host, kind, host, domain) if beneath else Site("domain", domain, kind, host, domain)
    url = next((each.params["url"] for each in stands.values() if each.code == "listed" and each.params["url"]), "")
    return Site("url", url, kind, host, domain) if url else Site("host", host, kind, host, domain)


def bare(subject: str) -> str:
    """The host of a name as it was met."""
    return subject.removeprefix("*.")


def spellings(subject: str) -> tuple[str, str, str]:
    """The host, the one that people take for the same, and the name of a certificate for what is below it."""
    host = bare(subject).removeprefix(_WEB)
    return host, _WEB + host, f"*.{host}"


def above(subject: str) -> Iterator[str]:
    """A host, what people take for the same, and the names above it."""
    host, web, _ = spellings(subject)
    yield from (host, web)
    labels = host.split(".")
    yield from (".".join(labels[n:]) for n in range(1, len(labels) - 1))


def registered_for(registration: Evidence | None, at: datetime) -> timedelta | None:
    """For how long a domain has been registered; None: nobody says."""
    if registration is None or registration.code != "registered":
        return None
    try:
        created = datetime.fromisoformat(registration.params["created"])
    except ValueError:
        return None
    return at - created if created.tzinfo else at - created.replace(tzinfo=at.tzinfo)
