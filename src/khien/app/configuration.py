"""What ``khien.toml`` may say, and what of it the site is told."""

import re
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import msgspec

from khien import model
from khien.errors import ConfigError
from khien.flows.floors import OURS, Floors
from khien.names import register
from khien.packed import advice

SHIPPED = ("vn", "world")  # registers that come with Khiên, by name
DEFAULT = "vn"
CONFIG = Path("khien.toml")
SERVING = "KHIEN_SITE"
_LARGEST_CONFIG = 1 << 20  # bytes
HTTPS = "^https://"  # what an address begins with
_PATH = r"^[^\x00]*$"
_PUBLIC = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[1-9][0-9]{0,4})?/?")


def address(text: str, name: str) -> tuple[str, int]:
    """The address and port of a text. ConfigError: it is none; name: of the setting or option that gives it."""
    host, _, port = text.rpartition(":")
    try:
        number, host = int(port), str(ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 16:
        raise ConfigError(f"{name} is {text!r}: give address:port, for example 127.0.0.1:8460")
    return host, number


class Site(model.Record, frozen=True, kw_only=True):
    """listen: host and port of the site; hosts: names under which it answers, beside that one; public: the address
    under which others reach it, as links in notices have it; contact: who objects to a finding writes here."""

    listen: str = "127.0.0.1:8460"
    hosts: tuple[str, ...] = ()
    public: str = ""
    contact: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """The address and port of listen. ConfigError: it is none."""
        return address(self.listen, "site: listen")

    def expect_reachable(self) -> None:
        """ConfigError: public is not the beginning of an address that others can open."""
        match = _PUBLIC.fullmatch(self.public)
        if self.public and (match is None or not (match[1] == "https" or _is_this_machine(match[2]))):
            raise ConfigError(
                f"site: public is {self.public!r}: give https:// and a name, for example https://khien.example.org,"
                " without a path; http:// is for this machine alone"
            )


def _is_this_machine(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


class Holder(model.Record, frozen=True, kw_only=True):
    """Another institution that holds a share of an epoch's key. url: of its site, without a path; public: of its
    share, in hex; token_file: of the token it gave us, which lifts its limit when accounts are taken in."""

    epoch: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1
    url: Annotated[str, msgspec.Meta(pattern="^https?://[^/?#]+$", max_length=300)]
    public: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    token_file: str = ""


class Breach(model.Record, frozen=True, kw_only=True):
    """How stolen accounts are answered for. serve: whether the site does; epoch: of the key under which accounts are
    kept from now on; country: the calling code of numbers that are written as at home; holders: who else holds a share
    of a key, beside this house; evaluations: of blinded elements, for a network in an hour; daily: for who shows a
    token, in a day; admitted: who else's tokens do for that, by the name they were made for."""

    serve: bool = True
    epoch: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1
    country: Annotated[str, msgspec.Meta(pattern="^[1-9][0-9]{0,2}$")] = "84"  # Viet Nam
    holders: tuple[Holder, ...] = ()
    evaluations: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 2000
    daily: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 10_000_000
    admitted: tuple[str, ...] = ()


class People(model.Record, frozen=True, kw_only=True):
    """What the pages for people are told. contacts: a signed file of whom to turn to, plans: one of what to do, in
    place of those that come with Khiên; contacts_key: the verifier of who signs them. exit: the neutral page that the
    exit button leads to; decide_hours: in which an appeal against a listing is decided; servers: of
    names, asked whether who appeals owns what is listed, else the system's."""

    contacts: Annotated[str, msgspec.Meta(pattern=_PATH)] = ""
    plans: Annotated[str, msgspec.Meta(pattern=_PATH)] = ""
    contacts_key: str = ""
    exit: Annotated[str, msgspec.Meta(pattern=HTTPS, max_length=300)] = "https://vi.wikipedia.org/"
    decide_hours: Annotated[int, msgspec.Meta(ge=1, le=8_760)] = 72
    servers: tuple[str, ...] = ()


class Serving(model.Record, frozen=True, kw_only=True):
    """What the site is told by who starts it, in a file that the environment variable SERVING names.

    data: a data directory; protect: a register, empty for the default; replay: what is shown is dated. letters: the
    settings of the mail server by which people are written to, empty for none; wishes: to which their addresses are
    sealed, in hex.
    """

    data: str
    protect: str = ""
    site: Site = Site()
    breach: Breach = Breach()
    replay: bool = False
    letters: dict[str, Any] = {}
    wishes: str = ""
    people: People = People()


class Floods(model.Record, frozen=True, kw_only=True):
    """How floods are looked for in flow records. customers: prefixes that are watched as a whole, beside the host, /24
    and /20 (of IPv6 /64 and /48); home: prefixes of ours, whose devices are told of when they take part in a flood;
    floors: rates below which nothing is a flood."""

    customers: tuple[str, ...] = ()
    home: tuple[str, ...] = ()
    floors: Floors = OURS


class Config(model.Record, frozen=True, kw_only=True):
    """What ``khien run`` is told.

    data: the directory everything is kept in; protect: a register, by name or file; source: a name, a kind, and what
    that kind's fields are called; channel: likewise, named after its kind where it has no name; floods: how they are
    looked for; keep: of a table, for how many days its rows are kept: baselines 56, rates of floods 365, anything else
    for ever; breach: how stolen accounts are answered for; people: what pages for people are told; site: False for
    none.
    """

    data: str = "khien-data"
    protect: str = DEFAULT
    source: tuple[dict[str, Any], ...] = ()
    channel: tuple[dict[str, Any], ...] = ()
    floods: Floods = Floods()
    keep: dict[str, Annotated[int, msgspec.Meta(ge=1, le=36_500)]] = {}
    breach: Breach = Breach()
    people: People = People()
    site: Site | bool = Site()


def document(path: Path) -> tuple[str, dict[str, Any]]:
    """A configuration as text and as nested tables."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_CONFIG + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {advice(error)}") from error
    if len(content) > _LARGEST_CONFIG:
        raise ConfigError(f"{path}: is larger than {_LARGEST_CONFIG} bytes: no configuration is")
    return register.table(content, str(path))
