"""The table of contents: shelf and name to class, loaded when asked for: one missing dependency breaks one part.

A plug-in adds a part with an entry point in the group ``khien.<shelf>``, for example ``khien.detectors``::

    [project.entry-points."khien.detectors"]
    parking = "our_plugin.parking:Parking"
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from khien.errors import ConfigError, ContractError, UnavailableError

SHELVES: Mapping[str, Mapping[str, str]] = {
    "sources": {
        "captures": "khien.sources.captures:Captures",
        "certstream": "khien.sources.live.certstream:Certstream",
        "ctlog": "khien.sources.ctlog.source:CtLog",
        "dnstap": "khien.sources.live.dnstap:Dnstap",
        "dumps": "khien.sources.dumps.source:Dumps",
        "files": "khien.sources.files:Files",
        "flows": "khien.sources.flows.source:Flows",
        "hashes": "khien.sources.dumps.hashes:Hashes",
        "lists": "khien.sources.live.lists:Lists",
        "mailbox": "khien.sources.live.mailbox:Mailbox",
        "rdap": "khien.sources.rdap.source:Rdap",
        "registrations": "khien.sources.live.registrations:Registrations",
        "resolver": "khien.sources.resolver:Resolver",
        "site": "khien.sources.site.source:Site",
        "zone": "khien.sources.live.zone:Zone",
    },
    "folds": {
        "baselines": "khien.folds.baselines:Baselines",
        "credentials": "khien.folds.credentials:Credentials",
        "flowcounts": "khien.folds.flowcounts:FlowCounts",
    },
    "detectors": {
        "exposure": "khien.detectors.exposure:Exposure",
        "flood": "khien.detectors.flood:Flood",
        "lookalike": "khien.detectors.lookalike:Lookalike",
        "lure": "khien.detectors.lure:Lure",
    },
    "engines": {
        "embedded": "khien.engines.embedded:Embedded",
    },
    "stores": {
        "embedded": "khien.stores.embedded.store:Embedded",
    },
    "channels": {
        "abuse": "khien.channels.mail.abuse:Abuse",
        "mail": "khien.channels.mail.notices:Mail",
        "webhook": "khien.channels.webhook:Webhook",
        "wishes": "khien.channels.mail.wishes:Wishes",
    },
    "formats": {
        "bird": "khien.formats.bird:Bird",
        "cisco": "khien.formats.cisco:Cisco",
        "constituents": "khien.formats.constituents:Constituents",
        "constituents-csv": "khien.formats.constituents:Sheet",
        "exabgp": "khien.formats.exabgp:Exabgp",
        "juniper": "khien.formats.juniper:Juniper",
        "listings-adblock": "khien.formats.blocklist:AdBlock",
        "listings-hosts": "khien.formats.blocklist:Hosts",
        "listings-json": "khien.formats.blocklist:Json",
        "listings-plain": "khien.formats.blocklist:Plain",
        "listings-rpz": "khien.formats.blocklist:Rpz",
    },
}


class _Place(NamedTuple):
    """Where a part is imported from, and the distribution that brings it."""

    reference: str
    distribution: str


def names(shelf: str) -> tuple[str, ...]:
    """The parts of a shelf, shipped and plugged in, in alphabetical order. ConfigError: no such shelf, or a clash."""
    return tuple(sorted(_places(shelf)))


def load(shelf: str, name: str) -> type[Any]:
    """The class of a part.

    ConfigError: no such shelf or part. UnavailableError: it needs a package that is not installed. ContractError: the
    table names a module or class that is not there.
    """
    places = _places(shelf)
    if name not in places:
        raise ConfigError(f"no {name!r} among the {shelf}: there is {', '.join(sorted(places)) or 'nothing'}")
    place = places[name]
    module, _, attribute = place.reference.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        missing = error.name or "?"
        if missing.partition(".")[0] == module.partition(".")[0]:
            raise ContractError(f"{shelf} {name}: registered as {place.reference}, there is no {missing}") from error
        wanted = f"pip install '{place.distribution}[{name}]'"
        raise UnavailableError(f"{shelf} {name} needs the module {missing}: {wanted}") from error
    except AttributeError as error:
        raise ContractError(f"{shelf} {name}: registered as {place.reference}, which is not there: {error}") from error


def _places(shelf: str) -> dict[str, _Place]:
    if shelf not in SHELVES:
        raise ConfigError(f"no shelf {shelf!r}: there is {', '.join(SHELVES)}")
    places = {name: _Place(reference, "khien") for name, reference in SHELVES[shelf].items()}
    for point in sorted(entry_points(group=f"khien.{shelf}")):
        distribution = point.dist.name if point.dist else "?"
        place = _Place(point.value, distribution)
        taken = places.setdefault(point.name, place)
        if taken != place:
            raise ConfigError(
                f"{shelf} {point.name}: {taken.distribution} ({taken.reference}) and {distribution} ({point.value})"
                " both bring it: uninstall one"
            )
    return places
