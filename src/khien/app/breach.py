"""What this machine has of what leaked: its folder, the keys of an epoch, and the lock of who takes in."""

import secrets
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from khien.app import machine
from khien.app.configuration import CONFIG, Breach, document
from khien.app.epochs import Epochs
from khien.breach import accounts
from khien.breach.place import FOLDER, KEY, SKIPPED, Place
from khien.contracts import Source, Store
from khien.detectors.exposure import Exposure
from khien.errors import ConfigError, UnavailableError
from khien.folds.credentials import Credentials
from khien.packed import advice
from khien.pipeline import promises
from khien.pipeline.deletion import Deleting
from khien.pipeline.exposed import Look
from khien.pipeline.intake import Taking
from khien.pipeline.warn import Triage
from khien.sources.dumps import forms
from khien.sources.dumps.hashes import Hashes
from khien.sources.dumps.source import Dumps
from khien.stores.embedded.lock import Lock


def place(data: Path) -> Place:
    """The breach room of a data directory, for its owner alone; made where there is none."""
    folder = data / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"{folder}: {advice(error)}") from error
    return Place(folder, partial(machine.key, data, KEY))


def lock(where: Place) -> Lock:
    """Makes this the one process that changes the files there. ConflictError: another is."""
    return Lock(where.folder, "wait until it ends")


def look(store: Store, where: Place) -> Look:
    """Who is told that accounts leaked: looks into what is held there."""
    engine, detector = machine.engine(), Exposure()
    return Look(store, where, lambda rows, domains: engine.run(detector, rows, constituents=domains), Triage())


def deleting(store: Store, where: Place) -> Deleting:
    """What lets go of collections there, in nobody's way."""
    return Deleting(store, where, machine.audit(where.folder.parent), partial(lock, where), shared())


def settings() -> Breach:
    """What khien.toml says of stolen accounts, or the defaults. ConfigError: it is wrong."""
    given = document(CONFIG)[1].get("breach", {}) if CONFIG.exists() else {}
    try:
        return msgspec.convert(given, Breach)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{CONFIG}: breach: {error}: khien doctor says where") from error


def taking(store: Store, where: Place, ntlm: bool) -> Taking:
    """How something is taken in there. ntlm: passwords are kept as that, too."""
    ours = settings()
    keys = (ours.epoch, *promises.standing(store, ours.epoch))
    epochs = Epochs(where.folder.parent, ours)
    epochs.live(store)  # or ConfigError
    outputs = {each: epochs.outputs(each, secrets.token_bytes) for each in keys}
    fold, spelt = Credentials(where.key(), ours.country, ntlm), partial(accounts.canonical, country=ours.country)
    return Taking(store, where, machine.clock, ours.epoch, fold, spelt, outputs.pop(ours.epoch), outputs)


class Manner(NamedTuple):
    """How a file of what leaked is to be read, as sources.dumps has it. form: told, or "": seen from what it holds;
    ntlm: as in taking."""

    form: str
    encoding: str
    hashed: bool
    columns: str
    ntlm: bool

    def said(self, form: str) -> dict[str, str]:
        """What an intake keeps of it. form: that was seen."""
        told = {**self._asdict(), "form": form, "country": settings().country}
        return {name: "yes" if value is True else f"{value}" for name, value in told.items() if value}


def seen(path: Path, how: Manner) -> forms.Seen:
    """What a file of what leaked looks like. InputError: it cannot be read."""
    return forms.seen(str(path), how.encoding, how.form, how.columns)


def source(path: Path, where: Place, how: Manner, form: str) -> Source:
    """The source of a file of what leaked, with its settings. form: that was seen."""
    key = where.keyed(SKIPPED)
    if form == "sha1" or form == "ntlm":
        return Hashes(str(path), form, key, how.encoding)
    return Dumps(str(path), key, how.form, how.encoding, how.hashed, how.columns, settings().country)


def shared() -> frozenset[int]:
    """The epochs whose key stands in shares, of which others hold some."""
    return frozenset(each.epoch for each in settings().holders)
