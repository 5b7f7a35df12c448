"""``khien breach import``, ``collections`` and ``delete``: what leaked taken in, on what ground, and let go of."""

import hashlib
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec
import pyarrow as pa

from khien import words
from khien.app import breach, machine
from khien.audit import Act, Audit
from khien.breach.place import Place
from khien.cli.acting import acting
from khien.cli.output import Output
from khien.cli.progress import Progress
from khien.cli.tally import Tally
from khien.contracts import Source, Store
from khien.errors import ContractError, Error, InputError
from khien.model import Collection, Intake, Record
from khien.names.register import table
from khien.packed import advice
from khien.pipeline import intake, provenance
from khien.sources.dumps.walk import progress
from khien.words import number, printable

_LARGEST = 1 << 20  # octets of a description
_ID = 24  # hex digits of what a file holds
_OPENING = 2.0  # seconds within which who was about to open a file that was replaced has it open


def take_in(
    files: Sequence[Path],
    data: Path | None,
    collection: str,
    form: str | None,
    encoding: str,
    hashed: bool,
    ntlm: bool,
    set_aside: str | None,
    by: str | None,
    format: str,
    language: str,
) -> int:
    """Takes in files one after the other, and makes lookups know of them; answers the exit status."""
    with _unseen(), _room(data) as room, ExitStack() as stack:
        name = acting(room.store, by)
        held = provenance.one(room.store, collection)
        breach.without_core()
        stack.enter_context(breach.lock(room.place))
        aside = stack.enter_context(Output(set_aside)) if set_aside else None

        def source(path: Path) -> Source:
            return breach.source(path, room.place, form or "", encoding, hashed)

        reading = _Reading(room, held, source, ntlm, language, aside)
        ids = reading.all(files)
        _merge(room, name)
        breach.look(room.store, room.place).exposed(machine.clock())
        _sums(room.store, ids, held, reading.tally, time.perf_counter() - reading.started, format, language)
    if reading.refused:
        raise reading.refused
    return 0


@dataclass(frozen=True)
class _Room:
    """Where a command works: the store, the breach room, the log of who did what."""

    store: Store
    place: Place
    audit: Audit


@contextmanager
def _room(data: Path | None) -> Generator[_Room]:
    directory = machine.place(data)
    with machine.store(directory) as store:
        yield _Room(store, breach.place(directory), machine.audit(directory))


@contextmanager
def _unseen() -> Generator[None]:
    """A fault of ours is told without its text, which may hold what was read."""
    try:
        yield
    except (Error, OSError, click.ClickException, click.Abort):
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        raise ContractError(f"{type(error).__name__} in {where}, a fault of Khiên's: please report it") from None


@dataclass
class _Reading:
    """Files on their way in."""

    room: _Room
    collection: Collection
    source: Callable[[Path], Source]
    ntlm: bool
    language: str
    aside: Output | None
    tally: Tally = field(default_factory=lambda: Tally("breach-read"))
    started: float = field(default_factory=time.perf_counter)
    refused: InputError | None = None

    def all(self, files: Sequence[Path]) -> list[str]:
        """Reads each; answers the ids of their intakes. One that cannot be read keeps none of the others."""
        taking = breach.taking(self.room.store, self.room.place, self.ntlm)
        ids, at = list[str](), 0
        with Progress([*map(str, files)], self.language, lambda cursor: (at, progress(cursor)), "breach-rate") as shown:
            for at, path in enumerate(files):  # noqa: B007 # the bar asks for it
                try:
                    ids.append(f"{self.collection.id}-{_digest(path)[:_ID]}")
                    for taken in taking.take(self.source(path), self.collection, ids[-1]):
                        self.tally.rows += taken.rows
                        self._set_aside(path, taken.skipped)
                        shown.move(taken.cursor, self.tally.rows)
                except InputError as error:
                    self.refused = self.refused or error
        return ids

    def _set_aside(self, path: Path, skipped: pa.RecordBatch | None) -> None:
        if skipped is None or not skipped.num_rows:
            return
        self.tally.skip(skipped)
        if self.aside:
            lines = ({"file": str(path), **each} for each in skipped.to_pylist())
            self.aside.write(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))


def _merge(room: _Room, name: str) -> None:
    def acts(done: Sequence[Intake]) -> Sequence[Record]:
        told = (
            Act(name, "leak-taken-in", each.collection, {"intake": each.id, "rows": str(each.rows)}) for each in done
        )
        return room.audit.entries(room.store, *told) if done else ()

    intake.settle(room.store, room.place, machine.clock, acts, shared=breach.shared())


def _digest(path: Path) -> str:
    """What a file holds, as 64 hex digits: by that it is known when it is given again."""
    try:
        if not path.is_file():
            raise InputError(f"{path}: is no file: name one, it may have to be read again")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {advice(error)}") from None


def _sums(
    store: Store, ids: Sequence[str], held: Collection, tally: Tally, seconds: float, format: str, language: str
) -> None:
    """What came of the files; those that were taken in before, too."""
    for line in tally.lines(seconds, language, whole=True):
        click.echo(line, err=True)
    met = store.load(Intake, *ids)
    made = [met[each] for each in dict.fromkeys(ids) if each in met]
    if format == "json":
        click.echo(msgspec.json.encode({"collection": held.id, "intakes": made}))
        return
    for each in made:
        click.echo(_intake(each, language))


def enter(file: Path, data: Path | None, by: str | None, language: str) -> int:
    """Enters a collection from its description."""
    with _room(data) as room:
        name = acting(room.store, by)
        try:
            with file.open("rb") as stream:
                content = stream.read(_LARGEST)
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: {advice(error)}") from error
        try:
            given = provenance.read(table(content, str(file))[1], machine.clock())
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        made = provenance.enter(room.store, room.audit, given, by=name)
    click.echo(words.phrase("collection-entered", language, name=made.id, until=f"{made.until}"))
    return 0


def everything(data: Path | None, format: str, language: str) -> int:
    """The collections that are held."""
    with machine.store(machine.place(data)) as store:
        found = [each for each in provenance.every(store) if each.gone is None]
    for each in found:
        click.echo(_json(each) if format == "jsonl" else _short(each))
    if not found and format == "text":
        click.echo(words.phrase("collection-none", language), err=True)
    return 0


def show(id: str, data: Path | None, format: str, language: str) -> int:
    """One collection whole, with what was taken in of it."""
    with machine.store(machine.place(data)) as store:
        found = provenance.one(store, id)
        taken = sorted(provenance.intakes(store, id), key=lambda each: each.at)
    if format == "jsonl":
        click.echo(msgspec.json.encode({"collection": found, "intakes": taken}))
        return 0
    click.echo("\n".join([*_whole(found, language), *(f"  {_intake(each, language)}" for each in taken)]))
    return 0


def delete(id: str, data: Path | None, why: str, by: str | None, language: str) -> int:
    """Deletes a collection's accounts, whatever file they are in."""
    with _room(data) as room:
        name = acting(room.store, by)
        if not why.strip():
            raise InputError(f"{id} would go whole, and nothing brings it back: say --why")
        with breach.lock(room.place):
            found = provenance.one(room.store, id)
            if found.gone:
                raise InputError(f"{id} was deleted on {found.gone:%Y-%m-%d}")
            gone = msgspec.structs.replace(found, gone=machine.clock())

            def records(_done: Sequence[Intake]) -> Sequence[Record]:
                return [gone, *room.audit.entries(room.store, Act(name, "collection-deleted", id, {"why": why}))]

            shared = breach.shared()
            intake.settle(room.store, room.place, machine.clock, records, gone=[found.number], shared=shared)
            time.sleep(_OPENING)
            intake.sweep(room.store, room.place, machine.clock() + intake.GRACE)
        breach.look(room.store, room.place).exposed(machine.clock())
    click.echo(words.phrase("collection-deleted", language, name=id))
    return 0


def _json(record: Record) -> str:
    return msgspec.json.encode(record).decode()


def _short(one: Collection) -> str:
    return f"{one.id:<20}  {one.until}  {printable(one.label)}"


def _whole(one: Collection, language: str) -> Iterator[str]:
    yield f"{one.id}  {printable(one.label)}"
    if one.about:
        yield f"  {printable(one.about)}"
    told = {
        "leaked": f"{one.leaked or ''}",
        "kinds": ", ".join(words.phrase(f"leaked-{each}", language) for each in one.kinds),
        "sensitive": one.sensitive and words.phrase(f"sensitive-{one.sensitive}", language),
        "given-by": printable(one.given_by),
        "at": f"{one.at:%Y-%m-%d}",
        "basis": printable(one.basis),
        "purpose": printable(one.purpose),
        "until": f"{one.until}",
        "gone": f"{one.gone:%Y-%m-%d}" if one.gone else "",
    }
    for what, text in told.items():
        if text:
            yield f"  {words.phrase(f'collection-{what}', language)}: {text}"


def _intake(one: Intake, language: str) -> str:
    counts = {"rows": one.rows, "skipped": sum(one.skipped.values()), "accounts": one.accounts, "fresh": one.fresh}
    told = {what: number(count, language) for what, count in counts.items()}
    at = f"{one.done or one.at:%Y-%m-%d %H:%M}"
    state = words.phrase("intake-done" if one.done else "intake-waits", language, at=at)
    return f"{one.id}  {words.phrase('intake-line', language, **told)}; {state}"
