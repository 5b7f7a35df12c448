"""What leaked, taken in: hashed and blinded page by page, kept as sorted runs, merged into what lookups read.

A page is done once its runs are on disk and one transaction has saved how far the source was read. Killed anywhere, it
goes on from there: the page that was being read gives the same runs under the same names. What lookups read follows
from the rows alone, and takes its place in one transaction, too. One process at a time takes in (app.breach.lock).

    runs/<intake>/sha1, ntlm                  digest | pair, a run a page
    runs/<intake>/sha1-counted, ntlm-counted  digest | count
    runs/<intake>/accounts-<epoch>            account | domain | collection
    runs/<intake>/known-<epoch>               keyed hash | account
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from khien import model, schema
from khien.breach import exposed, sorting, table
from khien.breach.exposed import Exposed
from khien.breach.place import Place
from khien.breach.sorting import Run
from khien.breach.table import Table
from khien.contracts import Fold, Page, Source, Store
from khien.errors import RefusedError, UnavailableError
from khien.model import Holding, Intake, Record
from khien.pipeline.exposed import removals
from khien.pipeline.saving import until_saved

R = TypeVar("R", bound=Record)

PASSWORDS = {"sha1": table.SHA1, "ntlm": table.NTLM}  # tables, to the octets of their digests
GRACE = timedelta(minutes=10)  # for which a file that was replaced stays for those who are opening it

_READ = b"read"  # the cursor of what was read to its end, and counted
_ACCOUNT, _NUMBER = exposed.ACCOUNT, 8  # octets
_KINDS = "accounts", "known"
_MET = 16 + _ACCOUNT  # of an account met before
_BLINDED = 512  # accounts a thread takes at once
_AT_ONCE = 8192  # accounts that are blinded, and kept as met, at once: about a second's work
_NAME = 16  # hex digits of a run's name
_SMALL = 32  # runs of accounts met before, until they become one
_TALLIED = 1 << 20  # rows of a counted run
_RUN = ".run"
_OURS = re.compile(r"[a-z0-9-]+-[0-9a-f]{24}|\..*")
_PAGE = 500  # records read at a time

Told = Callable[[int, int], None]  # rows merged, of
Rows = Any  # np.ndarray[n, width] of uint8


class Taken(NamedTuple):
    """What came of a page: how many rows, the source's cursor, and what was set aside (schema.SKIPPED)."""

    rows: int
    cursor: bytes
    skipped: pa.RecordBatch | None


@dataclass(frozen=True)
class Taking:
    """How something is taken in, and where. fold: of schema.LEAKED to HASHED; spelt: the account input of an account as
    met; blinded: the VOPRF outputs of account inputs under the key of epoch, from several threads at once."""

    store: Store
    place: Place
    clock: Callable[[], datetime]
    epoch: int
    fold: Fold
    spelt: Callable[[bytes], bytes | None] = field(repr=False)
    blinded: Callable[[Sequence[bytes]], Sequence[bytes]] = field(repr=False)

    def take(self, source: Source, collection: model.Collection, id: str) -> Iterator[Taken]:
        """Reads what was not read yet of what is to be taken in as id, and keeps its runs; abandoned, it goes on there.

        source yields schema.LEAKED or COUNTED. RefusedError: the collection is gone. UnavailableError: the disk is
        full, or who holds the other share of the key is away.
        """
        if collection.gone:
            raise RefusedError(f"{collection.id} was deleted: take it in as another collection, on a ground of its own")
        intake = self.store.load(Intake, id).get(id) or Intake(id=id, collection=collection.id, at=self.clock())
        cursor = self.store.cursor(_cursor(id))
        if intake.done or cursor == _READ:
            return
        known = _Known(self.place, id, self.epoch, self.place.holding(self.store, f"known-{self.epoch}"))
        for page in source.read(cursor):
            with _told(self.place):
                self._keep(id, _page(cursor), page.rows, collection.number, known)
            intake = _counted(intake, page)
            cursor = page.cursor
            self.store.save(intake, cursor=(_cursor(id), cursor))
            with _told(self.place):
                known.gather()
            yield Taken(page.rows.num_rows, cursor, page.skipped)
        with _told(self.place):
            accounts, fresh = self._tally(id)
        intake = msgspec.structs.replace(intake, accounts=accounts, fresh=fresh)
        self.store.save(intake, cursor=(_cursor(id), _READ))

    def _keep(self, id: str, page: str, rows: pa.RecordBatch, collection: int, known: "_Known") -> None:
        """Writes the runs of a page."""
        if rows.schema.equals(schema.COUNTED):
            for each in PASSWORDS:
                self._write(id, f"{each}-counted", page, _joined(rows, each, rows["count"]), counted=True)
            return
        hashed = self.fold(rows)
        for each in PASSWORDS:
            self._write(id, each, page, _joined(hashed, each, hashed["pair"]))
        keyed, domains, met = _accounts(hashed)
        found, there, kept = known.find(keyed)
        self._meet(id, known, keyed[there & ~kept], found[there & ~kept])
        asked = np.flatnonzero(~there)
        for some in (asked[at : at + _AT_ONCE] for at in range(0, len(asked), _AT_ONCE)):
            inputs = dict[int, bytes]()
            for at in some.tolist():
                if spelt := self.spelt(rows["account"][int(met[at])].as_py()):
                    inputs[at] = spelt
            for at, output in zip(inputs, self._blind(list(inputs.values())), strict=True):
                found[at], there[at] = np.frombuffer(output[:_ACCOUNT], np.uint8), True
            self._meet(id, known, keyed[some][there[some]], found[some][there[some]])
        self._write(id, f"accounts-{self.epoch}", page, exposed.rows(found[there], domains[there], collection))

    def _meet(self, id: str, known: "_Known", keyed: Rows, found: Rows) -> None:
        """Keeps that accounts were met, under a name that follows from them: none is blinded twice, whatever breaks."""
        rows = np.hstack([keyed, found])
        name = hashlib.sha256(rows.tobytes()).hexdigest()[:_NAME]
        path = self._write(id, f"known-{self.epoch}", name, rows)
        if path:
            known.add(path)

    def _write(self, id: str, table: str, page: str, rows: Rows, counted: bool = False) -> Path | None:
        """Writes a run, where there is something in it."""
        if not len(rows):
            return None
        folder = self.place.runs(id, table)
        for each in (*folder.parents[2::-1], folder):  # parents=True would let others in
            each.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{page}{_RUN}"
        sorting.write_run(path, np.ascontiguousarray(rows), counted=counted)
        return path

    def _blind(self, inputs: Sequence[bytes]) -> list[bytes]:
        chunks = [inputs[at : at + _BLINDED] for at in range(0, len(inputs), _BLINDED)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [output for outputs in pool.map(self.blinded, chunks) for output in outputs]

    def _tally(self, id: str) -> tuple[int, int]:
        """Makes counts of the pairs of an intake, for a pair counts once in it; answers how many accounts it has, and
        how many of them no look-up knew."""
        for each, width in PASSWORDS.items():
            pairs = _runs(self.place.runs(id, each))
            if pairs:  # what an earlier try left may be in other runs
                shutil.rmtree(self.place.runs(id, f"{each}-counted"), ignore_errors=True)
            merged = sorting.merged(pairs, width + _NUMBER, scratch=self.place.folder)
            for number, rows in enumerate(_tallied(merged, width)):
                self._write(id, f"{each}-counted", f"{number:016d}", rows, counted=True)
        return self._rows(id, "accounts-*", exposed.ROW), self._rows(id, "known-*", _MET)

    def _rows(self, id: str, tables: str, width: int) -> int:
        """How many distinct rows there are, of all epochs."""
        folders = sorted(self.place.runs(id, ".").glob(tables))
        batches = (sorting.merged(_runs(folder), width, scratch=self.place.folder) for folder in folders)
        return sum(len(rows) for each in batches for rows in each)


def settle(
    store: Store,
    place: Place,
    clock: Callable[[], datetime],
    beside: Callable[[Sequence[Intake]], Sequence[Record]],
    *,
    gone: Collection[int] = (),
    shared: Collection[int] = (),
    told: Told | None = None,
) -> tuple[Intake, ...]:
    """Merges what was read to its end into what lookups read, and answers which intakes those were.

    beside: further records for the same transaction, of those intakes, decided anew on a conflict. gone: collections
    that leave the files of accounts with it, by number. shared: epochs whose key stands in shares: what tells accounts
    met before is not kept of them. UnavailableError: the disk is full.
    """
    ready = tuple(each for each in _all(store, Intake) if not each.done and store.cursor(_cursor(each.id)) == _READ)
    ids = [each.id for each in ready]
    with _told(place):
        made = [*_passwords(store, place, ids, told), *_exposed(store, place, ids, gone, shared, told)]
    now = clock()
    done = tuple(msgspec.structs.replace(each, done=now) for each in ready)
    holdings = [Holding(id=name, file=path.name, entries=entries, at=now) for name, path, entries in made]
    replaced = [old for each in holdings if (old := place.holding(store, each.id)) and old.file != each.file]
    until_saved(store, lambda: [*holdings, *done, *beside(done)])
    with _told(place):
        for each in replaced:
            os.utime(place.path(each), (now.timestamp(), now.timestamp()))
        sweep(store, place, now)
    return done


def sweep(store: Store, place: Place, now: datetime) -> None:
    """Takes away runs that are merged or nobody wants, and files that were replaced some time ago."""
    gone = {each.id for each in _all(store, model.Collection) if each.gone}
    for each in _all(store, Intake):
        if (each.done or each.collection in gone) and place.runs(each.id, ".").exists():
            shutil.rmtree(place.runs(each.id, "."))
    used = {each.file for each in store.find(Holding, limit=_PAGE)}
    for path in place.folder.iterdir():
        old = path.stat().st_mtime < (now - GRACE).timestamp()
        if old and path.is_file() and path.name not in used and _OURS.fullmatch(path.name):
            path.unlink()


def _passwords(store: Store, place: Place, ids: Sequence[str], told: Told | None) -> Iterator[tuple[str, Path, int]]:
    """The next tables of passwords: what each is, its file and its entries."""
    for name, width in PASSWORDS.items():
        runs = [run for each in ids for run in _runs(place.runs(each, f"{name}-counted"))]
        if runs:
            held = place.holding(store, name)
            base = Table.open(place.path(held)) if held else None
            path = table.build(place.folder, name, width, runs, counted=True, base=base, told=told)
            yield name, path, Table.open(path).entries


def _exposed(
    store: Store,
    place: Place,
    ids: Sequence[str],
    gone: Collection[int],
    shared: Collection[int],
    told: Told | None,
) -> Iterator[tuple[str, Path, int]]:
    """The next files of accounts, and of accounts met before, of each epoch that there is something new of."""
    held = {each.id: place.path(each) for each in store.find(Holding, limit=_PAGE)}
    removed = removals(store)
    epochs = {folder.name.split("-")[1] for each in ids for folder in place.runs(each, ".").glob("accounts-*")}
    if gone:
        epochs |= {each.split("-")[1] for each in held if each.startswith("accounts-")}
    for epoch in sorted(epochs, key=int):
        runs = {kind: [run for each in ids for run in _runs(place.runs(each, f"{kind}-{epoch}"))] for kind in _KINDS}
        name = f"accounts-{epoch}"
        before = [Exposed.open(held[name]).blocks()] if name in held else []
        rows = sorting.merged(runs["accounts"], exposed.ROW, scratch=place.folder, beside=before, told=told)
        path = exposed.build(place.folder, name, int(epoch), rows, removed=removed, gone=gone)
        made = Exposed.open(path)
        yield name, path, made.entries
        name = f"known-{epoch}"
        if int(epoch) not in shared:
            met = [*runs["known"], *([held[name]] if name in held else [])]
            there = Run(path, made.rows(0, exposed.BUCKETS - 1))
            rest = _held(sorting.merged(met, _MET, scratch=place.folder, told=told), there if gone or removed else None)
            path = sorting.merge([], place.folder, name, _MET, beside=[rest])
            yield name, path, len(Run.open(path, _MET).rows)


def _held(met: Iterator[Rows], there: Run | None) -> Iterator[Rows]:
    """Accounts met before, without those that are in no collection any more."""
    for rows in met:
        yield rows if there is None else rows[there.find(np.ascontiguousarray(rows[:, -_ACCOUNT:])) >= 0]


class _Known:
    """Accounts met before, by the keyed hash of their spelling: those that lookups know, those of this intake, and
    those of others that wait to be merged."""

    def __init__(self, place: Place, id: str, epoch: int, holding: Holding | None) -> None:
        self._folder = place.runs(id, f"known-{epoch}")
        self._runs = {path: Run.open(path, _MET) for path in _runs(self._folder)}
        if holding:
            self._runs[place.path(holding)] = Run.open(place.path(holding), _MET)
        folders = place.runs(id, ".").parent.glob(f"*/known-{epoch}")
        self._others = [Run.open(path, _MET) for folder in folders if folder != self._folder for path in _runs(folder)]

    def add(self, path: Path) -> None:
        """What was met for the first time."""
        self._runs[path] = Run.open(path, _MET)

    def find(self, keyed: Rows) -> tuple[Rows, Any, Any]:
        """The accounts of keyed hashes (n, 16); which of them are known, and which are kept as known whatever becomes
        of other intakes, bool (n,) each."""
        found, there = np.zeros((len(keyed), _ACCOUNT), np.uint8), np.zeros(len(keyed), bool)
        for run in self._runs.values():
            _look(run, keyed, found, there)
        kept = there.copy()
        for run in self._others:
            _look(run, keyed, found, there)
        return found, there, kept

    def gather(self) -> None:
        """Makes one run of many small ones: each is looked into for every page."""
        small = [path for path in self._runs if path.suffix == _RUN]
        if len(small) >= _SMALL:
            self.add(sorting.merge(small, self._folder, "met", _MET))
            for path in small:
                del self._runs[path]
                path.unlink()


def _look(run: Run, keyed: Rows, found: Rows, there: Any) -> None:
    """Looks up what is not there yet."""
    asked = np.flatnonzero(~there)
    where = run.find(np.ascontiguousarray(keyed[asked]))
    met = where >= 0
    found[asked[met]] = run.rows[where[met], keyed.shape[1] :]
    there[asked[met]] = True


def _accounts(hashed: pa.RecordBatch) -> tuple[Rows, Rows, Any]:
    """The distinct accounts of a page: keyed hashes (n, 16), keyed domains (n, 8, zeros where there is none), and the
    row of what was read in which each is first met."""
    hashed = hashed.filter(hashed["account"].is_valid())
    keyed = _octets(hashed["account"])
    words = keyed.copy().view(">u8").astype(np.uint64)
    order = np.lexsort((words[:, 1], words[:, 0]))
    words = words[order]
    first = order[np.append(True, (words[1:] != words[:-1]).any(axis=1))] if len(order) else order
    domains = _octets(hashed["domain"].fill_null(bytes(exposed.DOMAIN)))
    return keyed[first], domains[first], hashed["row"].to_numpy()[first]


def _joined(rows: pa.RecordBatch, digest: str, number: pa.Array) -> Rows:
    """The digests that are there, each with a number of 8 octets behind it."""
    there = rows[digest].is_valid().to_numpy(zero_copy_only=False)
    numbers = number.to_numpy()[there].astype(">u8").view(np.uint8).reshape(-1, _NUMBER)
    return np.hstack([_octets(rows[digest])[there], numbers])


def _octets(column: Any) -> Rows:
    """Octets of fixed width, (n, width); of null whatever is there."""
    width = column.type.byte_width
    held = np.frombuffer(column.buffers()[1], np.uint8) if len(column) else np.empty(0, np.uint8)
    return held[column.offset * width : (column.offset + len(column)) * width].reshape(-1, width)


def _tallied(batches: Iterator[Rows], width: int) -> Iterator[Rows]:
    """Digests and how many pairs each has, of sorted distinct pairs; a digest may come once more in the next batch."""
    kept, rows = list[Rows](), 0
    for batch in batches:
        digests = batch[:, :width]
        begins = np.flatnonzero(np.append(True, (digests[1:] != digests[:-1]).any(axis=1)))
        counts = np.diff(np.append(begins, len(batch))).astype(">u8").view(np.uint8).reshape(-1, _NUMBER)
        kept.append(np.hstack([digests[begins], counts]))
        rows += len(begins)
        if rows >= _TALLIED:
            yield np.concatenate(kept)
            kept, rows = [], 0
    if kept:
        yield np.concatenate(kept)


def _counted(intake: Intake, page: Page) -> Intake:
    skipped = dict(intake.skipped)
    if page.skipped is not None:
        for each in page.skipped["reason"].value_counts().to_pylist():
            skipped[each["values"]] = skipped.get(each["values"], 0) + each["counts"]
    rows = intake.rows + page.rows.num_rows
    return msgspec.structs.replace(intake, rows=rows, skipped=skipped)


def _all(store: Store, kind: type[R]) -> Iterator[R]:
    """Every record of a kind whose id is text."""
    after = ""
    while page := store.find(kind, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id  # type: ignore[attr-defined]


def _runs(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*"))


def _cursor(id: str) -> str:
    return f"breach/{id}"


def _page(cursor: bytes | None) -> str:
    """What the page behind a cursor is called."""
    return hashlib.sha256(cursor or b"").hexdigest()[:_NAME]


@contextmanager
def _told(place: Place) -> Generator[None]:
    """What the disk refuses, as what to do about it."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"{place.folder}: cannot be written: {error.strerror or error}: make room, run it again: it goes on"
        ) from None
