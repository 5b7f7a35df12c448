"""A constituent with what is theirs: how they are entered, changed and let go, and what is wrong with them."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Literal, NamedTuple
from zoneinfo import available_timezones

import msgspec

from khien import canon
from khien.errors import ObservableError
from khien.model import Asset, Constituent, Hearing, Record

MOST_ASSETS, MOST_HEARINGS = 1_000, 20  # of one constituent

UNPROVEN = "unproven"

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HOUR = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([^@\s]+)")  # local part: RFC 5322 dot-atom, ASCII
_WEB = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?(?:[/?][!-~]*)?")
_LENGTHS = {"id": 64, "label": 200, "sector": 64, "note": 2_000}
_LONGEST_ADDRESS = 2_000
_MINUTE, _LONGEST_WAIT = timedelta(minutes=1), timedelta(days=30)


class Enrolment(Record, frozen=True, kw_only=True):
    """A constituent and what is theirs, or was."""

    constituent: Constituent
    assets: tuple[Asset, ...] = ()

    @property
    def current(self) -> tuple[Asset, ...]:
        """What is theirs now, by kind and value."""
        return tuple(sorted((each for each in self.assets if each.left is None), key=lambda it: (it.kind, it.value)))


class Change(NamedTuple):
    """One difference that a change makes; field: of the constituent, ``hears`` or the kind of an asset; name: which.

    was, now: as text, empty where there is none; of an asset how it is proven, or UNPROVEN.
    """

    act: Literal["add", "change", "remove"]
    constituent: str
    field: str
    name: str = ""
    was: str = ""
    now: str = ""


def replace(kept: Enrolment | None, wanted: Enrolment, at: datetime) -> Enrolment:
    """What is kept once wanted stands in place of it: what stays keeps its proof, what is not wanted is left."""
    known = {each.id: each for each in kept.assets} if kept else {}
    stays = [known[each.id] if _stays(known.get(each.id)) else each for each in wanted.assets]
    ids = {each.id for each in stays}
    gone = [_left(each, at) for each in known.values() if each.id not in ids]
    return Enrolment(constituent=wanted.constituent, assets=(*stays, *gone))


def leave(kept: Enrolment, at: datetime) -> Enrolment:
    """Who is no constituent any more: nothing is proven, and nothing is known of who they were and where they heard."""
    one = kept.constituent
    constituent = Constituent(id=one.id, label=one.id, sector=one.sector, left=one.left or at)
    return Enrolment(constituent=constituent, assets=tuple(_left(each, at) for each in kept.assets))


def _stays(asset: Asset | None) -> bool:
    return asset is not None and asset.left is None


def _left(asset: Asset, at: datetime) -> Asset:
    return msgspec.structs.replace(asset, proof=None, left=asset.left or at)


def records(kept: Enrolment | None, made: Enrolment) -> list[Record]:
    """What is to be saved so that made is kept: nothing where nothing changed."""
    known = {each.id: each for each in kept.assets} if kept else {}
    moved = [each for each in made.assets if known.get(each.id) != each]
    return [*([] if kept and kept.constituent == made.constituent else [made.constituent]), *moved]


def changes(kept: Enrolment | None, made: Enrolment) -> Iterator[Change]:
    """The differences, in the order in which a constituent is read."""
    before, after = ({} if each is None or each.constituent.left else _written(each) for each in (kept, made))
    for key in sorted(before.keys() | after.keys(), key=_place):
        was, now = before.get(key, ""), after.get(key, "")
        if was != now:
            yield Change("change" if was and now else "add" if now else "remove", made.constituent.id, *key, was, now)


def _written(enrolment: Enrolment) -> Mapping[tuple[str, str], str]:
    """Each part as text, by what it is."""
    one = enrolment.constituent
    texts = {(name, ""): getattr(one, name) for name in ("label", "sector", "note")}
    hears = {("hears", f"{each.channel} {each.address}"): told(each) for each in one.hears}
    theirs = {(each.kind, each.value): each.proof.how if each.proof else UNPROVEN for each in enrolment.current}
    return texts | {("patience", ""): span(one.patience)} | hears | theirs


def _place(key: tuple[str, str]) -> tuple[int, tuple[str, str]]:
    order = ("label", "sector", "note", "patience", "hears")
    return order.index(key[0]) if key[0] in order else len(order), key


def told(hearing: Hearing) -> str:
    """How a constituent hears, but for the channel and address, in one line."""
    quiet = hearing.quiet
    parts = [
        *(hearing.language, hearing.least, hearing.digest),
        f"{quiet.begin}-{quiet.end} {quiet.zone}" if quiet else "",
        hearing.secret_file,
        f"after {span(hearing.after)}" if hearing.after else "",
    ]
    return ", ".join(filter(None, parts))


def span(time: timedelta) -> str:
    """A span of whole minutes as ISO 8601 writes it: PT4H."""
    minutes = time // _MINUTE
    return f"PT{minutes}M" if minutes % 60 else f"PT{minutes // 60}H"


def faults(enrolment: Enrolment) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong with a constituent, each with its field and what would be right."""
    one = enrolment.constituent
    if not _ID.fullmatch(one.id):
        yield ("id",), f"{one.id[:64]!r} is no id: write a-z, 0-9 and single hyphens"
    for name, most in _LENGTHS.items():
        if not _plain(getattr(one, name), most):
            yield (name,), f"has at most {most} characters, all of them printable, and no blanks around them"
    if not one.label.strip():
        yield ("label",), "is empty: write what people call them"
    if not _MINUTE <= one.patience <= _LONGEST_WAIT or one.patience % _MINUTE:
        yield ("patience",), "is of whole minutes, one at least and 30 days at most: write PT4H for four hours"
    if len(one.hears) > MOST_HEARINGS:
        yield ("hears",), f"{len(one.hears)} of them: at most {MOST_HEARINGS} are kept"
    if len(enrolment.current) > MOST_ASSETS:
        yield ("assets",), f"{len(enrolment.current)} of them: at most {MOST_ASSETS} are kept, give what holds several"
    met = set[tuple[str, str]]()
    for number, each in enumerate(one.hears[:MOST_HEARINGS]):
        yield from ((("hears", number, *where), what) for where, what in _wrong(each))
        if (way := (each.channel, each.address)) in met:
            yield ("hears", number), f"{each.channel} {each.address} is given twice: keep one"
        met.add(way)


def _wrong(hearing: Hearing) -> Iterator[tuple[tuple[str, ...], str]]:
    if not _ID.fullmatch(hearing.channel) or len(hearing.channel) > _LENGTHS["id"]:
        yield ("channel",), f"{hearing.channel[:64]!r} is no channel: mail, webhook or another that is set up"
    if what := _wrong_address(hearing):
        yield ("address",), what
    if hearing.channel == "webhook" and not hearing.secret_file:
        yield ("secret_file",), "is missing: what is posted is signed, name the file that holds the secret for it"
    if not timedelta(0) <= hearing.after <= _LONGEST_WAIT or hearing.after % _MINUTE:
        yield ("after",), "is of whole minutes, 30 days at most: write PT2H for two hours"
    if hearing.quiet is None:
        return
    for name in ("begin", "end"):
        if not _HOUR.fullmatch(getattr(hearing.quiet, name)):
            yield ("quiet", name), f"{getattr(hearing.quiet, name)[:64]!r} is no hour: write 22:00"
    if hearing.quiet.zone not in _zones():
        yield ("quiet", "zone"), f"{hearing.quiet.zone[:64]!r} is no time zone (IANA): write Asia/Ho_Chi_Minh"


@cache
def _zones() -> set[str]:
    return available_timezones()


def _plain(text: str, most: int) -> bool:
    return len(text) <= most and text.isprintable() and text == text.strip()


def _wrong_address(hearing: Hearing) -> str:
    """What is wrong with where a channel is to go to; empty where nothing is."""
    address = hearing.address
    if not _plain(address, _LONGEST_ADDRESS) or not _plain(hearing.secret_file, _LONGEST_ADDRESS):
        return "is one line of printable characters, and so is the path of its secret"
    if hearing.channel == "webhook" and not _is_web(address):
        return f"{address[:64]!r} is no https address of a webhook: write https://example.vn/khien"
    if hearing.channel == "mail":
        match = _MAIL.fullmatch(address)
        try:
            domain = canon.domain(match[1] if match else "")
        except ObservableError:
            domain = ""
        if "." not in domain:  # a mail server takes none of one label: RFC 5321 section 2.3.5
            return f"{address[:64]!r} is no mail address: write one as soc@example.vn"
    return ""


def _is_web(address: str) -> bool:
    """Whether a webhook is posted to over TLS, or to a private address that is written out: there it may do without."""
    match = _WEB.fullmatch(address)
    if match is None:
        return False
    try:
        inside = ip_address(match[2].strip("[]")).is_private
    except ValueError:
        inside = False
    return match[1] == "https" or inside
