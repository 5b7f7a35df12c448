"""What this machine has of what leaked: its folder, the keys of an epoch, and the lock of who takes in."""

import ctypes
import resource
import secrets
import sys
from pathlib import Path

import msgspec

from khien.app import machine
from khien.app.configuration import CONFIG, Breach, document
from khien.app.epochs import Epochs
from khien.breach import accounts
from khien.breach.place import FOLDER, KEY, Place
from khien.contracts import Source, Store
from khien.detectors.exposure import Exposure
from khien.errors import ConfigError, UnavailableError
from khien.folds.credentials import Credentials
from khien.packed import advice
from khien.pipeline.exposed import Look
from khien.pipeline.intake import Taking
from khien.pipeline.warn import Triage
from khien.sources.dumps import forms
from khien.sources.dumps.hashes import Hashes
from khien.sources.dumps.source import Dumps
from khien.stores.embedded.lock import Lock

_PR_SET_DUMPABLE = 4  # prctl(2)


def place(data: Path) -> Place:
    """The breach room of a data directory, for its owner alone; made where there is none."""
    folder = data / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"{folder}: {advice(error)}") from error
    return Place(folder, machine.key(data, KEY))


def lock(where: Place) -> Lock:
    """Makes this the one process that changes the files there. ConflictError: another is."""
    return Lock(where.folder)


def look(store: Store, where: Place) -> Look:
    """Who is told that accounts leaked: looks into what is held there."""
    engine, detector = machine.engine(), Exposure()
    return Look(store, where, lambda rows, domains: engine.run(detector, rows, constituents=domains), Triage())


def settings() -> Breach:
    """What khien.toml says of stolen accounts, or the defaults. ConfigError: it is wrong."""
    given = document(CONFIG)[1].get("breach", {}) if CONFIG.exists() else {}
    try:
        return msgspec.convert(given, Breach)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{CONFIG}: breach: {error}: khien doctor says where") from error


def taking(store: Store, where: Place, ntlm: bool) -> Taking:
    """How something is taken in there. ntlm: passwords are kept as that, too."""
    data = where.folder.parent
    keyed = Epochs(data, settings()).keyed(secrets.token_bytes)
    fold = Credentials(where.key, ntlm=ntlm)
    return Taking(store, where, machine.clock, keyed.epoch, fold, accounts.canonical, keyed.outputs)


def source(path: Path, where: Place, form: str, encoding: str, hashed: bool) -> Source:
    """The source of a file of what leaked, with its settings. form: told, or "": seen from what the file holds."""
    seen = form or forms.recognised(str(path), encoding)
    key = where.keyed("skipped")
    if seen == "sha1" or seen == "ntlm":
        return Hashes(str(path), seen, key, encoding)
    return Dumps(str(path), key, form, encoding, hashed)


def shared() -> frozenset[int]:
    """The epochs whose key stands in shares, of which others hold some."""
    return frozenset(each.epoch for each in settings().holders)


def without_core() -> None:
    """Sees to it that this process leaves no image of its memory, however it ends; nobody else may look into it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # which asks a program that takes cores from a pipe whatever the limit says
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
