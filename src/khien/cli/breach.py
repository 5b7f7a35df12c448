"""``khien breach import``, ``collections`` and ``delete``: what leaked taken in, on what ground, and let go of."""

import hashlib
import time
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec
import pyarrow as pa

from khien import words
from khien.app import breach, machine
from khien.audit import Audit
from khien.breach.place import Place
from khien.breach.table import WIDTHS
from khien.cli.acting import acting
from khien.cli.output import Output
from khien.cli.progress import Progress
from khien.cli.tally import Tally
from khien.contracts import Store
from khien.errors import ContractError, Error, InputError
from khien.model import Collection, Intake, Record, Text
from khien.names import places
from khien.names.register import table
from khien.packed import advice
from khien.pipeline import intake, provenance
from khien.pipeline.paging import every
from khien.sources.dumps.forms import Seen
from khien.sources.dumps.walk import progress
from khien.words import number, printable

_LARGEST = 1 << 20  # octets of a description
_ID = 24  # hex digits of what a file holds
_FEW = 20  # rows an account, from which on something may be wrong


def take_in(
    files: Sequence[Path],
    data: Path | None,
    collection: str,
    form: str | None,
    columns: str,
    encoding: str,
    hashed: bool,
    ntlm: bool,
    set_aside: str | None,
    by: str | None,
    format: str,
    language: str,
) -> int:
    """Takes in files one after the other, and makes lookups know of them; answers the exit status."""
    how = breach.Manner(form or "", encoding, hashed, columns, ntlm)
    with _unseen(), _going_on(language), _room(machine.place(data)) as room, ExitStack() as stack:
        name = acting(room.store, by)
        held = provenance.one(room.store, collection)
        machine.without_core()
        stack.enter_context(breach.lock(room.place))
        aside = stack.enter_context(Output(set_aside)) if set_aside else None
        reading = _Reading(room, held, how, language, aside)
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
def _room(directory: Path) -> Generator[_Room]:
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


@contextmanager
def _going_on(language: str) -> Generator[None]:
    """Who stops an import is told that nothing is lost."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        click.echo(words.phrase("breach-stopped", language), err=True)
        raise


@dataclass
class _Reading:
    """Files on their way in."""

    room: _Room
    collection: Collection
    how: breach.Manner
    language: str
    aside: Output | None
    tally: Tally = field(default_factory=lambda: Tally("breach-read"))
    started: float = field(default_factory=time.perf_counter)
    refused: InputError | None = None

    def all(self, files: Sequence[Path]) -> list[str]:
        """Reads each; answers the ids of their intakes. One that cannot be read keeps none of the others."""
        taking = breach.taking(self.room.store, self.room.place, self.how.ntlm)
        ids, at = list[str](), 0
        with Progress(
            [*map(str, files)], self.language, lambda cursor: (at, progress(cursor)), "breach-rate", "breach-reading"
        ) as shown:
            for at, path in enumerate(files):  # noqa: B007 # the bar asks for it
                try:
                    ids.append(f"{self.collection.id}-{_digest(path)[:_ID]}")
                    seen = breach.seen(path, self.how)
                    how = self.how.said(seen.form)
                    with shown.aside():
                        self._announce(path, seen, self._before(path, ids[-1], how))
                    source = breach.source(path, self.room.place, self.how, seen.form)
                    for taken in taking.take(source, self.collection, ids[-1], how):
                        self.tally.rows += taken.rows
                        self._set_aside(path, taken.skipped)
                        shown.move(taken.cursor, self.tally.rows)
                except InputError as error:
                    self.refused = self.refused or error
        return ids

    def _before(self, path: Path, id: str, how: Mapping[str, str]) -> Intake | None:
        """How far the file was taken in before. InputError: it was read in another manner."""
        kept = self.room.store.load(Intake, id).get(id)
        if kept is None or not kept.how or kept.how == how:
            return kept
        said = ", ".join(f"{name} {value}" for name, value in kept.how.items())
        if kept.done is None:
            raise InputError(
                f"{path}: was begun on {kept.at:%Y-%m-%d} with {said}: say the same to go on, or give up what was read:"
                f" khien breach give-up {id}"
            )
        raise InputError(
            f"{path}: was taken in on {kept.done:%Y-%m-%d} with {said}: to read it otherwise, delete {kept.collection}"
            " (khien breach delete), and take it in with a collection of another id"
        )

    def _announce(self, path: Path, seen: Seen, before: Intake | None) -> None:
        """Tells what is read of a file, where that is not all or nothing."""
        if before and before.done:
            at = f"{before.done:%Y-%m-%d %H:%M}"
            click.echo(words.phrase("intake-again", self.language, file=printable(str(path)), at=at), err=True)
        elif seen.names:
            none = words.phrase("columns-none", self.language)
            said = {what: printable(", ".join(names)) or none for what, names in seen.names._asdict().items()}
            click.echo(words.phrase("columns-read", self.language, file=printable(str(path)), **said), err=True)

    def _set_aside(self, path: Path, skipped: pa.RecordBatch | None) -> None:
        if skipped is None or not skipped.num_rows:
            return
        places = pa.array([f"{path.name} byte {place}" for place in skipped["place"].to_pylist()], pa.string())
        self.tally.skip(skipped.set_column(0, skipped.schema.field(0), places))
        if self.aside:
            lines = ({"file": str(path), **each} for each in skipped.to_pylist())
            self.aside.write(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))


def _merge(room: _Room, name: str) -> None:
    def told(done: Sequence[Intake]) -> Sequence[Record]:
        return room.audit.entries(room.store, *intake.acts(done, name)) if done else ()

    intake.settle(room.store, room.place, machine.clock, told, shared=breach.shared())


def _digest(path: Path) -> str:
    """What a file holds, as 64 hex digits: by that it is known when it is given again."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f"{path}: is no file, and may have to be read again: write it into one first")
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
        if each.how.get("form") not in WIDTHS and _FEW * each.accounts < each.rows:
            counts = {"accounts": number(each.accounts, language), "rows": number(each.rows, language)}
            form = each.how.get("form", "")
            click.echo(words.phrase("intake-few", language, name=each.id, form=form, **counts), err=True)


def enter(file: Path, data: Path | None, by: str | None, language: str) -> int:
    """Enters a collection from its description."""
    with _room(machine.named(data)) as room:
        name = acting(room.store, by)
        try:
            with file.open("rb") as stream:
                content = stream.read(_LARGEST)
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: {advice(error)}") from error
        text, tables = table(content, str(file))
        try:
            given = provenance.read(tables, machine.clock())
        except InputError as error:
            field = str(error).partition(":")[0]
            line = f":{places.lines(text, [(field,)])[field,]}" if field in tables else ""
            raise InputError(f"{file}{line}: {error}") from error
        made = provenance.enter(room.store, room.audit, given, by=name)
    click.echo(words.phrase("collection-entered", language, name=made.id, until=f"{made.until}"))
    return 0


def everything(data: Path | None, format: str, language: str) -> int:
    """The collections that are held."""
    with machine.store(machine.place(data)) as store:
        found = [each for each in every(store, Collection) if each.gone is None]
        taken = {each.id: list(every(store, Intake, collection=each.id)) for each in found}
    for each in found:
        click.echo(_json(each) if format == "jsonl" else _short(each, taken[each.id], language))
    if not found and format == "text":
        click.echo(words.phrase("collection-none", language), err=True)
    return 0


def show(id: str, data: Path | None, format: str, language: str) -> int:
    """One collection whole, with what was taken in of it."""
    with machine.store(machine.place(data)) as store:
        found = provenance.one(store, id)
        taken = sorted(every(store, Intake, collection=id), key=lambda each: each.at)
    if format == "jsonl":
        click.echo(msgspec.json.encode({"collection": found, "intakes": taken}))
        return 0
    click.echo("\n".join([*_whole(found, language), *(f"  {_intake(each, language)}" for each in taken)]))
    return 0


def delete(id: str, data: Path | None, why: str, by: str | None, language: str) -> int:
    """Deletes a collection's accounts, whatever file they are in."""
    with _room(machine.place(data)) as room:
        name = acting(room.store, by)
        if not why.strip():
            raise InputError(f"{id} would go whole, and nothing brings it back: say --why")
        breach.deleting(room.store, room.place).delete(id, by=name, why=why)
        breach.look(room.store, room.place).exposed(machine.clock())
    click.echo(words.phrase("collection-deleted", language, name=id))
    return 0


def give_up(id: str, data: Path | None, why: str, by: str | None, language: str) -> int:
    """Takes away what was read of files that cannot be taken in to their end."""
    with _room(machine.place(data)) as room:
        name = acting(room.store, by)
        if not why.strip():
            raise InputError("the audit keeps why something is given up: say --why")
        for each in breach.deleting(room.store, room.place).give_up(id, by=name, why=why):
            click.echo(words.phrase("intake-given-up", language, name=each.id))
    return 0


def _json(record: Record) -> str:
    return msgspec.json.encode(record).decode()


def _short(one: Collection, taken: Sequence[Intake], language: str) -> str:
    accounts, waiting = sum(each.accounts for each in taken), sum(each.done is None for each in taken)
    notes = [words.phrase("collection-accounts", language, count=number(accounts, language))]
    if one.sensitive:
        what = words.phrase(f"sensitive-{one.sensitive}", language)
        notes.append(f"{words.phrase('collection-sensitive', language)}: {what}")
    if waiting:
        notes.append(words.phrase("collection-waiting", language, count=number(waiting, language)))
    return f"{one.id:<20}  {_until(one, language)}  {_said(one.label, language)}  ({'; '.join(notes)})"


def _said(text: str | Text, language: str) -> str:
    return printable(Text.of(text).said(language))


def _until(one: Collection, language: str) -> str:
    due = provenance.is_due(one, machine.clock())
    return f"{one.until} ({words.phrase('collection-due', language)})" if due else f"{one.until}"


def _whole(one: Collection, language: str) -> Iterator[str]:
    yield f"{one.id}  {_said(one.label, language)}"
    if one.about:
        yield f"  {_said(one.about, language)}"
    told = {
        "leaked": f"{one.leaked or ''}",
        "kinds": ", ".join(words.phrase(f"leaked-{each}", language) for each in one.kinds),
        "sensitive": one.sensitive and words.phrase(f"sensitive-{one.sensitive}", language),
        "given-by": printable(one.given_by),
        "at": f"{one.at:%Y-%m-%d}",
        "basis": printable(one.basis),
        "purpose": printable(one.purpose),
        "until": _until(one, language),
        "gone": f"{one.gone:%Y-%m-%d}" if one.gone else "",
    }
    for what, text in told.items():
        if text:
            yield f"  {words.phrase(f'collection-{what}', language)}: {text}"


def _intake(one: Intake, language: str) -> str:
    counts = {"rows": one.rows, "skipped": sum(one.skipped.values()), "accounts": one.accounts, "fresh": one.fresh}
    told = {what: number(count, language) for what, count in counts.items()}
    at = f"{one.done or one.at:%Y-%m-%d %H:%M}"
    state = words.phrase("intake-done" if one.done else "intake-waits", language, at=at, name=one.id)
    return f"{one.id}  {words.phrase('intake-line', language, **told)}; {state}"
