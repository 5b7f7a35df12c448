"""A configuration made into the parts it asks for, or a line for everything that is wrong with it."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from khien import schema
from khien.app import guides, parts
from khien.app.configuration import CONFIG, HTTPS, SHIPPED, Breach, Config, Holder, People, Site, document
from khien.app.registers import lookalike
from khien.contracts import Channel
from khien.errors import ConfigError
from khien.names import places
from khien.pipeline.collect import Feed
from khien.pipeline.exposed import WISHES
from khien.pipeline.warn import Triage

_KEEP = {"baselines": 56, "flood_rates": 365}  # days, where nothing else is said


class Configured(NamedTuple):
    """A configuration, and the parts it asks for."""

    data: Path
    protect: Path
    feeds: tuple[Feed, ...]
    channels: Mapping[str, Channel]
    triage: Triage
    keep: Mapping[str, timedelta]
    site: Site | None
    breach: Breach
    people: People = People()


def load(path: Path | None, place: Path | None = None) -> Configured:
    """The parts a TOML file asks for; paths in it are relative to it. None: khien.toml, or the defaults without it.

    place: the data directory, in place of the one that the file names.

    ConfigError: a line for everything that is wrong, ``file:line: what, and the cure``.
    """
    if path is None and CONFIG.exists():
        path = CONFIG
    text, asked = ("", dict[str, Any]()) if path is None else document(path)
    name, folder = str(path), Path() if path is None else path.parent
    try:
        config = msgspec.convert(asked, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_located(str(error), text, name)) from error
    protect = config.protect if config.protect in SHIPPED else str(folder / config.protect)
    try:
        names = lookalike(Path(protect))
    except ConfigError as error:
        raise ConfigError(f"{name}: protect: {error}" if config.protect not in SHIPPED else str(error)) from error
    site = config.site if isinstance(config.site, Site) else Site() if config.site else None
    data = place or folder / config.data
    feeds, channels = list[Feed](), list[tuple[str, Channel]]()
    faults = dict[places.Path, str]()
    for number, given in enumerate(config.source):
        try:
            feeds.append(
                parts.feed(given, folder, data, (names,), config.floods, parts.Asking(data), (site or Site()).contact)
            )
        except ConfigError as error:
            faults["source", number, *_blamed(given, str(error))] = str(error)
    for number, given in enumerate(config.channel):
        try:
            channels.append(parts.channel(given, folder, data, site or Site()))
        except ConfigError as error:
            faults["channel", number, *_blamed(given, str(error))] = str(error)
    for shelf, taken in (("source", [each.name for each in feeds]), ("channel", [name for name, _ in channels])):
        for each, count in Counter(taken).items():
            if count > 1:
                faults[shelf,] = f"{count} {shelf}s are called {each!r}: give each a name of its own"
    people = _found(config.people, folder)
    try:
        guides.load(people)
    except ConfigError as error:
        faults["people",] = f"people: {error}"
    try:
        parts.expect_good(config.floods)
    except ConfigError as error:
        faults["floods",] = str(error)
    if not config.data or "\0" in config.data:
        faults["data",] = "data is no directory: name one"
    timed = [table for table, columns in schema.TABLES.items() if schema.TIME in columns.types]
    for table in sorted(set(config.keep) - set(timed)):
        faults["keep", table] = f"keep: {table!r} is no table of what has a time: there is {', '.join(timed)}"
    for setting, expect in (
        ("listen", lambda: site and site.address),
        ("public", lambda: site and site.expect_reachable()),
    ):
        try:
            expect()
        except ConfigError as error:
            faults["site", setting] = str(error)
    if faults:
        lines = places.lines(text, faults)
        raise ConfigError("\n".join(f"{name}:{lines[place]}: {said}" for place, said in faults.items()))
    keep = {table: timedelta(days=days) for table, days in {**_KEEP, **config.keep}.items()}
    consulted = tuple({each.source.name for each in feeds if parts.asks_of(each.source)})
    triage = Triage(consulted, {each.id: each for each in names.register.names})
    named = dict(channels)
    if letters := parts.letters(named):  # who wished to be told hears by the same server
        wishes = {"kind": WISHES, "post": letters}
        named = dict([parts.channel(wishes, folder, data, site or Site())]) | named
    breach = _absolute(config.breach, folder)
    return Configured(data, Path(protect), tuple(feeds), named, triage, keep, site, breach, people)


def _absolute(breach: Breach, folder: Path) -> Breach:
    """The same for whoever has another directory as the current one."""
    return msgspec.structs.replace(
        breach,
        holders=tuple(
            msgspec.structs.replace(each, token_file=str((folder / each.token_file).resolve()))
            if each.token_file
            else each
            for each in breach.holders
        ),
    )


def _found(people: People, folder: Path) -> People:
    """The same for whoever has another directory as the current one."""
    named = {name: getattr(people, name) for name in ("contacts", "plans")}
    paths = {name: str((folder / given).resolve()) for name, given in named.items() if given}
    return msgspec.structs.replace(people, **paths)


def _blamed(given: Mapping[str, Any], said: str) -> places.Path:
    """The setting of a part that is at fault, as far as what is said of it tells: it names it, or its value."""
    for each in re.findall(r"[A-Za-z_.]+", re.sub(r"^(?:source|channel) '.*?'", "", said)):
        path = tuple(each.strip(".").split("."))
        if path[0] in given:
            return path
    texts = ((key, value) for key, value in given.items() if isinstance(value, str) and value and key != "name")
    return tuple(key for key, value in texts if value in said)[:1]


def _located(message: str, text: str, name: str) -> str:
    """What msgspec says, with file and line, in the words of the document."""
    what, _, where = message.partition(" - at `$")
    if what.endswith(f"regex {HTTPS!r}"):
        what = "write an address that begins with https://"
    path = tuple(int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]`]+", where))
    if unknown := re.match(r"Object contains unknown field `(.*)`", what):
        path = (*path, unknown[1])
        settings = {"site": Site, "people": People, "breach": Holder if "holders" in path else Breach}
        known = settings.get(str(path[0]), Config)
        what = f"there is no setting {unknown[1]!r}: there is {', '.join(known.__struct_fields__)}"
    line = places.lines(text, [path])[path]
    return f"{name}:{line}: {'.'.join(map(str, path))}: {what}"
