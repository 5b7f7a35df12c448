"""All outputs of what stands listed, and the signed manifest by which others hold us to them.

They follow from the log of listings alone: the same log gives the same octets, whichever process makes them; what they
name is held to the log first. Their version is the size of the log, so that whatever changes them is said there first,
an end that was due too.
"""

import fcntl
import gzip
import hashlib
import io
import os
import re
from base64 import b64encode
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock
from time import sleep
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import numpy as np

from khien import ledger
from khien.breach import fuse
from khien.errors import ConflictError, UnavailableError
from khien.formats.blocklist import AdBlock, Edition, Hosts, Json, Plain, Rpz
from khien.ledger import Checkpoint
from khien.model import Listing
from khien.packed import refusal
from khien.pipeline import held, listed
from khien.pipeline.listings import Listings, ends, standing

MANIFEST = "manifest"
FILTER, RULES = "offline.filter", "offline.json"
FALSE_POSITIVES = 1 << 16  # one in so many names that are not listed
RULE = 32  # hex digits of a listing's id by which the offline rules name it

_ENCODERS = {
    "listings.json": Json,
    "domains.txt": Plain,
    "hosts.txt": Hosts,
    "adblock.txt": AdBlock,
    "rpz.zone": Rpz,
}
NAMES = (*_ENCODERS, FILTER, RULES)
_PACKING = 6  # what gzip takes to be worth its time
_LOOKS, _GLANCE = 200, 0.05  # how often, and how many seconds apart, a folder that others write is asked for
_HEAD = re.compile(rb"([^\n]{1,200})\nversion (\d{1,16})\n")  # how a manifest begins: its log, its version
_LARGEST_HEAD = 300  # octets
# What is not yet an output: as it is called, and as it was when each process had names of its own.
_PART = re.compile(rf"\.({'|'.join(map(re.escape, (*NAMES, MANIFEST)))})(\.part|-[a-z0-9_]{{8}})")


class Output(NamedTuple):
    """A file as it is given out. packed: by gzip, once for all who ask; digest: SHA-256 of the body in hex."""

    body: bytes
    packed: bytes
    media_type: str
    digest: str


class Published(NamedTuple):
    """All outputs of one version. checkpoint: the signed note of the log they are of; until: when the first of what
    stands ends, and they with it."""

    checkpoint: str
    version: int
    until: datetime | None
    files: Mapping[str, Output]


@dataclass(frozen=True)
class Outputs:
    """Makes them of a log when it has changed, and keeps them until it does again. home: the site's public address."""

    listings: Listings
    home: str = ""
    _made: list[Published] = field(default_factory=list[Published], init=False, repr=False)
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def now(self) -> Published:
        """The outputs of what stands now. CustodyError: a listing that they would name is not what the log says."""
        if made := self._fresh():
            return made
        with self._turn:
            made = self._fresh()
            if made is None:
                made = self._make()
                self._made[:] = [made]
            return made

    def _fresh(self) -> Published | None:
        made = next(iter(self._made), None)
        if made is None or made.checkpoint != listed.checkpoint(self.listings.store):
            return None
        return made if made.until is None or self.listings.audit.clock() < made.until else None

    def _make(self) -> Published:
        """What ends is entered first; whoever lists meanwhile makes it anew."""
        store = self.listings.store
        while True:
            self.listings.expire()
            note, at = listed.checkpoint(store), self.listings.audit.clock()
            stands = tuple(standing(store, at))
            if note == listed.checkpoint(store):
                break
        tree = ledger.parse_checkpoint(ledger.parse_note(note.encode()).text) if note else None
        last = listed.leaf(store, tree.size - 1) if tree else None
        edition = Edition(tree.size, last.at, self.home) if tree and last else Edition(home=self.home)
        named = [each for each in stands if each.blocks]
        if named:
            held.expect_standing(named, store, note, self.listings.verifier)
        files = dict(_files(named, edition))
        files[MANIFEST] = _output(self._manifest(tree, edition, files), "text/plain")
        until = min(map(ends, stands), default=None)
        return Published(note, edition.version, until, MappingProxyType(files))

    def _manifest(self, tree: Checkpoint | None, edition: Edition, files: Mapping[str, Output]) -> bytes:
        """A signed note: of what, version, date, size and root of the log, then SHA-256 and name of each file.

        Its second line begins with a word, so that nobody can take it for a checkpoint.
        """
        size, root = (tree.size, tree.root) if tree else (0, ledger.EMPTY)
        lines = [
            f"{self.listings.log.signer.name}/lists",
            f"version {edition.version}",
            f"date {edition.at:%Y-%m-%dT%H:%M:%SZ}",
            f"tree {size} {b64encode(root).decode()}",
            *(f"{each.digest} {name}" for name, each in files.items()),
        ]
        return self.listings.log.signer.sign("".join(f"{line}\n" for line in lines))


def _files(many: Sequence[Listing], edition: Edition) -> Iterable[tuple[str, Output]]:
    for name, encoder in _ENCODERS.items():
        yield name, _output(encoder(edition).encode(many), encoder.media_type)
    yield FILTER, _output(_filter(many, edition), "application/octet-stream")
    yield RULES, _output(_rules(many, edition), "application/json")


def _output(body: bytes, media_type: str) -> Output:
    return Output(body, gzip.compress(body, _PACKING, mtime=0), media_type, hashlib.sha256(body).hexdigest())


def _filter(many: Iterable[Listing], edition: Edition) -> bytes:
    """A fuse filter over the ids of what is listed (fuse has the format): never wrong about what is."""
    ids = sorted(bytes.fromhex(each.id) for each in many)
    rows = np.frombuffer(b"".join(ids), np.uint8).reshape(len(ids), -1) if ids else np.empty((0, 32), np.uint8)
    file = io.BytesIO()
    fuse.write(file, "sha256", 16, [rows], most=len(ids), generation=str(edition.version))
    return file.getvalue()


def _rules(many: Iterable[Listing], edition: Edition) -> bytes:
    """What the filter may have met, exactly: of each listing, by how its id begins, unit, harm and end."""
    rules = {each.id[:RULE]: (each.unit, each.harm, f"{each.until:%Y-%m-%dT%H:%M:%SZ}") for each in many}
    whole = {
        "version": edition.version,
        "date": edition.at,
        "false_positives": f"1/{FALSE_POSITIVES}",
        "home": edition.home,
        "rules": rules,
    }
    return msgspec.json.encode(whole) + b"\n"


def write(published: Published, folder: Path) -> None:
    """Puts all outputs into a folder, each whole or not at all, and none before all are on the disk; the manifest last.
    One process at a time does; what one left that was killed is taken away.

    UnavailableError: they could not be written, and what was there stays. ConflictError: later ones are there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            _expect_later(published, folder)
            _clear(folder)
            try:
                _replace(published, folder)
            finally:
                _clear(folder)
    except OSError as error:
        raise UnavailableError(f"{folder}: cannot be written: {refusal(error)}") from error


def _replace(published: Published, folder: Path) -> None:
    places = [(folder / f".{name}.part", folder / name) for name in published.files]
    for (beside, _), output in zip(places, published.files.values(), strict=True):
        with beside.open("xb") as file:
            file.write(output.body)
            os.fchmod(file.fileno(), 0o644)  # lists are public
            file.flush()
            os.fsync(file.fileno())
    for beside, place in places:
        os.replace(beside, place)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Holds the folder while the block runs. UnavailableError: another process does, and goes on doing so."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for left in reversed(range(_LOOKS)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if not left:
                    raise UnavailableError(f"{folder}: another process writes lists there: run it again") from error
                sleep(_GLANCE)
            except OSError as error:
                raise UnavailableError(
                    f"{folder}: cannot be locked ({error.strerror}): name a directory on a disk of this machine"
                ) from error
        yield
    finally:
        os.close(file)


def _expect_later(published: Published, folder: Path) -> None:
    """ConflictError: the manifest in a folder is of the same log, and of a later version."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            there = _HEAD.match(file.read(_LARGEST_HEAD))
    except FileNotFoundError:
        return
    ours = _HEAD.match(published.files[MANIFEST].body)
    if there and ours and there[1] == ours[1] and int(there[2]) > int(ours[2]):
        version = there[2].decode()
        raise ConflictError(
            f"{folder} has version {version}, and this is {published.version}: write them again, or elsewhere where the"
            " log was set back"
        )


def _clear(folder: Path) -> None:
    """Takes away what was written beside the outputs, and did not replace them."""
    for each in folder.iterdir():
        if _PART.fullmatch(each.name):
            each.unlink()
