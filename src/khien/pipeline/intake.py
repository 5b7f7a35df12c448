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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from khien import model, schema
from khien.audit import Act
from khien.breach import exposed, sorting, table
from khien.breach.exposed import Exposed
from khien.breach.place import Place, accounts_of, epoch_of, known_of, on_disk
from khien.breach.sorting import Run
from khien.breach.table import Table
from khien.contracts import Fold, Page, Source, Store
from khien.errors import RefusedError
from khien.model import Holding, Intake, Record
from khien.pipeline import promises
from khien.pipeline.met import MET, Met, every_run
from khien.pipeline.paging import every
from khien.pipeline.saving import until_saved

GRACE = timedelta(minutes=10)  # for which a file that was replaced stays for those who are opening it

_READ = b"read"  # the cursor of what was read to its end, and counted
_ACCOUNT, _NUMBER = exposed.ACCOUNT, 8  # octets
_BLINDED = 512  # accounts a thread takes at once
_AT_ONCE = 8192  # accounts that are blinded, and kept as met, at once: about a second's work
_NAME = 16  # hex digits of a run's name
_TALLIED = 1 << 20  # rows of a counted run
_OURS = re.compile(r"[a-z0-9-]+-[0-9a-f]{24}|\..*")

Blinded = Callable[[Sequence[bytes]], Sequence[bytes]]
Rows = Any  # np.ndarray[n, width] of uint8


class Taken(NamedTuple):
    """What came of a page: how many rows, the source's cursor, and what was set aside (schema.SKIPPED)."""

    rows: int
    cursor: bytes
    skipped: pa.RecordBatch | None


@dataclass(frozen=True)
class Taking:
    """How something is taken in, and where. fold: of schema.LEAKED to HASHED; spelt: the account input of an account as
    met; blinded: the VOPRF outputs of account inputs under the key of epoch, from several threads at once; earlier: the
    same under the keys of epochs before it that a promise takes (promises.standing)."""

    store: Store
    place: Place
    clock: Callable[[], datetime]
    epoch: int
    fold: Fold
    spelt: Callable[[bytes], bytes | None] = field(repr=False)
    blinded: Blinded = field(repr=False)
    earlier: Mapping[int, Blinded] = field(default_factory=dict[int, Blinded], repr=False)

    def take(
        self, source: Source, collection: model.Collection, id: str, how: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[Taken]:
        """Reads what was not read yet of what is to be taken in as id, and keeps its runs; abandoned, it goes on there.

        source yields schema.LEAKED or COUNTED; how: of an Intake. RefusedError: the collection is gone.
        UnavailableError: the disk is full, or who holds the other share of the key is away.
        """
        if collection.gone:
            raise RefusedError(f"{collection.id} was deleted: take it in as another collection, on a ground of its own")
        kept = self.store.load(Intake, id).get(id)
        intake = kept or Intake(id=id, collection=collection.id, at=self.clock(), how=dict(how))
        cursor = self.store.cursor(_cursor(id)) if kept else None  # one that was given up has left another
        if intake.done or cursor == _READ:
            return
        known = {epoch: Met(self.store, self.place, id, epoch) for epoch in (self.epoch, *self.earlier)}
        for page in source.read(cursor or None):
            if kept is None:  # before its first run: sweep takes away those that no intake names
                self.store.save(kept := intake, cursor=(_cursor(id), b""))
            with on_disk(self.place.folder):
                self._keep(id, _page(cursor), page.rows, collection.number, known)
            intake = _counted(intake, page)
            cursor = page.cursor
            self.store.save(intake, cursor=(_cursor(id), cursor))
            with on_disk(self.place.folder):
                known[self.epoch].gather()
            yield Taken(page.rows.num_rows, cursor, page.skipped)
        with on_disk(self.place.folder):
            accounts, fresh = self._tally(id)
        intake = msgspec.structs.replace(intake, accounts=accounts, fresh=fresh)
        self.store.save(intake, cursor=(_cursor(id), _READ))

    def _keep(self, id: str, page: str, rows: pa.RecordBatch, collection: int, met: Mapping[int, Met]) -> None:
        """Writes the runs of a page. met: accounts met before, by epoch."""
        if rows.schema.equals(schema.COUNTED):
            for each in table.WIDTHS:
                self._write(id, f"{each}-counted", page, _joined(rows, each, rows["count"]), counted=True)
            return
        hashed = self.fold(rows)
        for each in table.WIDTHS:
            self._write(id, each, page, _joined(hashed, each, hashed["pair"]))
        keyed, domains, places = _accounts(hashed)
        known = met[self.epoch]
        found, there, kept = known.find(keyed)
        self._meet(id, known, keyed[there & ~kept], found[there & ~kept])
        asked = np.flatnonzero(~there)
        for some in (asked[at : at + _AT_ONCE] for at in range(0, len(asked), _AT_ONCE)):
            inputs = dict[int, bytes]()
            for at in some.tolist():
                if spelt := self.spelt(rows["account"][int(places[at])].as_py()):
                    inputs[at] = spelt
            for at, output in zip(inputs, _blind(self.blinded, list(inputs.values())), strict=True):
                found[at], there[at] = np.frombuffer(output[:_ACCOUNT], np.uint8), True
            self._promised(inputs, keyed, found, met)
            self._meet(id, known, keyed[some][there[some]], found[some][there[some]])
        self._write(id, accounts_of(self.epoch), page, exposed.rows(found[there], domains[there], collection))

    def _promised(self, inputs: Mapping[int, bytes], keyed: Rows, found: Rows, met: Mapping[int, Met]) -> None:
        """Sees to promises that earlier epochs made to accounts, before these are kept as met: what breaks off here
        does it again."""
        rows, spelled = [*inputs], [*inputs.values()]
        for epoch, blinded in self.earlier.items():
            before, there, _ = met[epoch].find(keyed[rows])
            asked = np.flatnonzero(~there).tolist()
            for at, output in zip(asked, _blind(blinded, [spelled[at] for at in asked]), strict=True):
                before[at] = np.frombuffer(output[:_ACCOUNT], np.uint8)
            pairs = {old.tobytes().hex(): new.tobytes().hex() for old, new in zip(before, found[rows], strict=True)}
            promises.carry(self.store, pairs, self.epoch)

    def _meet(self, id: str, known: Met, keyed: Rows, found: Rows) -> None:
        """Keeps that accounts were met, under a name that follows from them: none is blinded twice, whatever breaks."""
        rows = np.hstack([keyed, found])
        name = hashlib.sha256(rows.tobytes()).hexdigest()[:_NAME]
        path = self._write(id, known_of(self.epoch), name, rows)
        if path:
            known.add(path)

    def _write(self, id: str, table: str, page: str, rows: Rows, counted: bool = False) -> Path | None:
        """Writes a run, where there is something in it."""
        if not len(rows):
            return None
        folder = self.place.runs(id, table)
        for each in (*folder.parents[2::-1], folder):  # parents=True would let others in
            each.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{page}.run"
        sorting.write_run(path, np.ascontiguousarray(rows), counted=counted)
        return path

    def _tally(self, id: str) -> tuple[int, int]:
        """Makes counts of the pairs of an intake, for a pair counts once in it; answers how many accounts it has, and
        how many of them no look-up knew."""
        for each, width in table.WIDTHS.items():
            pairs = every_run(self.place.runs(id, each))
            if pairs:  # what an earlier try left may be in other runs
                shutil.rmtree(self.place.runs(id, f"{each}-counted"), ignore_errors=True)
            merged = sorting.merged(pairs, width + _NUMBER, scratch=self.place.folder)
            for number, rows in enumerate(_tallied(merged, width)):
                self._write(id, f"{each}-counted", f"{number:016d}", rows, counted=True)
        return self._rows(id, "accounts-*", exposed.ROW), self._rows(id, "known-*", MET)

    def _rows(self, id: str, tables: str, width: int) -> int:
        """How many distinct rows there are, of all epochs."""
        folders = sorted(self.place.runs(id, ".").glob(tables))
        batches = (sorting.merged(every_run(folder), width, scratch=self.place.folder) for folder in folders)
        return sum(len(rows) for each in batches for rows in each)


def settle(
    store: Store,
    place: Place,
    clock: Callable[[], datetime],
    beside: Callable[[Sequence[Intake]], Sequence[Record]],
    *,
    gone: Collection[int] = (),
    shared: Collection[int] = (),
) -> tuple[Intake, ...]:
    """Merges what was read to its end into what lookups read, and answers which intakes those were.

    beside: further records for the same transaction, of those intakes, decided anew on a conflict. gone: collections
    that leave the files of accounts with it, by number. shared: epochs whose key stands in shares: what tells accounts
    met before is not kept of them. UnavailableError: the disk is full.
    """
    ready = tuple(each for each in every(store, Intake) if not each.done and store.cursor(_cursor(each.id)) == _READ)
    ids = [each.id for each in ready]
    with on_disk(place.folder):
        made = [*_passwords(store, place, ids), *_exposed(store, place, ids, gone, shared)]
    now = clock()
    done = tuple(msgspec.structs.replace(each, done=now) for each in ready)
    holdings = [
        Holding(id=name, file=path.name, entries=entries, met=_collected(name, path), at=now)
        for name, path, entries in made
    ]
    replaced = [old for each in holdings if (old := place.holding(store, each.id)) and old.file != each.file]
    until_saved(store, lambda: [*holdings, *done, *beside(done)])
    with on_disk(place.folder):
        for each in replaced:
            os.utime(place.path(each), (now.timestamp(), now.timestamp()))
        sweep(store, place, now)
    return done


def _collected(name: str, path: Path) -> dict[str, int]:
    """How many rows of a file of accounts each collection has."""
    if epoch_of(name) is None:
        return {}
    return {str(number): rows for number, rows in Exposed.open(path).counts().items()}


def acts(done: Sequence[Intake], by: str) -> list[Act]:
    """What the audit keeps of intakes that were merged."""
    return [Act(by, "leak-taken-in", each.collection, {"intake": each.id, "rows": str(each.rows)}) for each in done]


def sweep(store: Store, place: Place, now: datetime, grace: timedelta = GRACE) -> None:
    """Takes away runs that are merged or nobody wants, and files that were replaced so long ago. Who takes in holds the
    lock: no run is being written."""
    gone = {each.id for each in every(store, model.Collection) if each.gone}
    wanted = {each.id for each in every(store, Intake) if not each.done and each.collection not in gone}
    for folder in place.runs(".", ".").glob("*"):
        if folder.name not in wanted:
            shutil.rmtree(folder)
    used = {each.file for each in every(store, Holding)}
    for path in place.folder.iterdir():
        old = path.stat().st_mtime <= (now - grace).timestamp()
        if old and path.is_file() and path.name not in used and _OURS.fullmatch(path.name):
            path.unlink()


def _passwords(store: Store, place: Place, ids: Sequence[str]) -> Iterator[tuple[str, Path, int]]:
    """The next tables of passwords: what each is, its file and its entries."""
    for name, width in table.WIDTHS.items():
        runs = _runs(place, ids, f"{name}-counted")
        if runs:
            held = place.holding(store, name)
            base = Table.open(place.path(held)) if held else None
            path = table.build(place.folder, name, width, runs, base=base)
            yield name, path, Table.open(path).entries


def _exposed(
    store: Store, place: Place, ids: Sequence[str], gone: Collection[int], shared: Collection[int]
) -> Iterator[tuple[str, Path, int]]:
    """The next files of accounts, and of accounts met before, of each epoch that there is something new of."""
    held = {each.id: place.path(each) for each in every(store, Holding)}
    removed = promises.removals(store)
    epochs = {epoch_of(folder.name) for each in ids for folder in place.runs(each, ".").glob("*")}
    epochs |= {epoch_of(each) for each, path in held.items() if _leaves(each, path, gone, removed)}
    for epoch in sorted(each for each in epochs if each):
        name = accounts_of(epoch)
        before = [Exposed.open(held[name]).blocks()] if name in held else []
        rows = sorting.merged(_runs(place, ids, name), exposed.ROW, scratch=place.folder, beside=before)
        path = exposed.build(place.folder, name, epoch, rows, removed=removed, gone=gone)
        made = Exposed.open(path)
        yield name, path, made.entries
        name = known_of(epoch)
        if epoch not in shared:
            met = [*_runs(place, ids, name), *([held[name]] if name in held else [])]
            there = Run(path, made.rows(0, exposed.BUCKETS - 1))
            rest = _held(sorting.merged(met, MET, scratch=place.folder), there if gone or removed else None)
            path = sorting.merge([], place.folder, name, MET, beside=[rest])
            yield name, path, len(Run.open(path, MET).rows)


def _runs(place: Place, ids: Sequence[str], table: str) -> list[Path]:
    return [run for each in ids for run in every_run(place.runs(each, table))]


def _leaves(name: str, path: Path, gone: Collection[int], removed: Collection[bytes]) -> bool:
    """Whether somebody has to leave a holding: with a collection, or who was taken out since its last merge."""
    if epoch_of(name) is None:
        return False
    return bool(gone) or any(map(Exposed.open(path).collections, removed))


def _held(met: Iterator[Rows], there: Run | None) -> Iterator[Rows]:
    """Accounts met before, without those that are in no collection any more."""
    for rows in met:
        yield rows if there is None else rows[there.find(np.ascontiguousarray(rows[:, -_ACCOUNT:])) >= 0]


def _blind(blinded: Blinded, inputs: Sequence[bytes]) -> list[bytes]:
    chunks = [inputs[at : at + _BLINDED] for at in range(0, len(inputs), _BLINDED)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [output for outputs in pool.map(blinded, chunks) for output in outputs]


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


def _cursor(id: str) -> str:
    return f"breach/{id}"


def _page(cursor: bytes | None) -> str:
    """What the page behind a cursor is called."""
    return hashlib.sha256(cursor or b"").hexdigest()[:_NAME]
