"""Whether what a configuration names is there and can be used: files, folders, keys, lists. Looked at, never made."""

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from khien.app.configuration import CONFIG, Site, document
from khien.app.parts import is_path
from khien.contracts import Store
from khien.errors import ConfigError, Error
from khien.listing import STANDS
from khien.model import Listing
from khien.names import places
from khien.packed import STANDARD_INPUT, advice, secret


def unusable(path: Path | None) -> list[str]:
    """A line for each file and folder that a source or channel is given and cannot use: ``file:line: what, and the
    cure``. path: as for assembly.load. ConfigError: the configuration cannot be read."""
    if path is None and not CONFIG.exists():
        return []
    path = path or CONFIG
    text, asked = document(path)
    faults = dict[places.Path, str]()
    for shelf in ("source", "channel"):
        for number, given in enumerate(asked.get(shelf, ())):
            kind = str(given.get("kind", "files"))
            for where, named in _named(kind, given):
                place = (shelf, number, *where)
                setting = ".".join(each for each in where if isinstance(each, str))
                try:
                    _look(kind, setting, path.parent / named)
                except Error as error:
                    faults[place] = f"{setting}: {error}"
                except (OSError, ValueError) as error:  # ValueError: a NUL in the path
                    faults[place] = f"{setting}: {path.parent / named}: {advice(error)}"
    lines = places.lines(text, faults)
    return [f"{path}:{lines[place]}: {said}" for place, said in faults.items()]


def unreachable(site: Site | None, store: Store) -> list[str]:
    """A line where sites stand listed and their owners are told nowhere whom to write to; an owner without DNS and
    without a place for a file has no other way."""
    if site is None or site.contact:
        return []
    counts = store.count(Listing, "state")
    stand = sum(counts.get((state,), 0) for state in STANDS)
    if not stand:
        return []
    return [f"site: contact is empty, and what stands listed is {stand}: say where owners write who object"]


def _named(kind: str, given: Mapping[str, Any]) -> Iterator[tuple[places.Path, str]]:
    """The settings of a part that name files or folders."""
    for setting, value in given.items():
        if isinstance(value, dict):
            yield from (((setting, *where), named) for where, named in _named(kind, value))
        elif setting == "paths" and isinstance(value, list):
            yield from (((setting, number), each) for number, each in enumerate(value) if each != STANDARD_INPUT)
        elif isinstance(value, str) and value and is_path(kind, setting) and "://" not in value:
            yield (setting,), value


def _look(kind: str, setting: str, path: Path) -> None:
    """Error, OSError, ValueError: it cannot be used."""
    name = setting.rpartition(".")[2]
    if name == "authorities_file":
        try:
            ssl.create_default_context(cafile=str(path))
        except ssl.SSLError as error:
            raise ConfigError(f"{path}: holds no certificates in PEM: give those that are to be trusted") from error
    elif name.endswith("_file"):
        _look_secret(name, str(path))
    elif (kind, name) == ("ctlog", "list"):
        from khien.ct import loglist

        with path.open("rb") as file:
            try:
                loglist.parse(file.read(loglist.LARGEST + 1))
            except Error as error:
                raise ConfigError(f"{path}: {error}: fetch it anew") from error
    else:
        os.stat(path)
        if not os.access(path, os.R_OK):
            raise PermissionError


def _look_secret(name: str, path: str) -> None:
    held = secret(path)
    if not held.strip():
        raise ConfigError(f"{path}: is empty: write the secret there, and nothing else")
    if name == "dkim_key_file":
        from khien.channels.mail import dkim

        dkim.key(held, path)
