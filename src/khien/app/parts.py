"""Sources, channels and watches as settings ask for them; the bundled samples; sources of files that are named."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_type_hints

import msgspec
import pyarrow as pa

from khien import model, registry, schema
from khien.app.configuration import Floods, Site
from khien.app.machine import NOTICES, clock, key_file, store
from khien.app.registers import FOLDER, lookalike
from khien.breach import wishes
from khien.contracts import Asks, Channel, Detector, Engine, Source, Store, Watch
from khien.errors import ConfigError, InputError
from khien.flows import records
from khien.flows.judge import FLOOD, QUIET, TAKES_PART
from khien.flows.vectors import NAMES
from khien.packed import STANDARD_INPUT, advice
from khien.pipeline.collect import Feed
from khien.sources.files import Files
from khien.triage import life

if TYPE_CHECKING:
    from khien.sources.captures import Captures
    from khien.stores.embedded.store import Embedded

SAMPLES = ("sample", "sample-flows")  # what comes with Khiên, as feeds
_SPOOL = "spool"  # below the data directory: what listeners hold until it is saved
_PAGE = 4 << 20  # bytes of text: larger pages are no faster, and findings should not wait
_FLOODS = 10_000  # that may be open at a time
_LATELY = timedelta(seconds=2 * QUIET)  # a flood that ended since may go on, or is still to be sealed


def feed(
    given: Mapping[str, Any],
    folder: Path,
    data: Path,
    detectors: Sequence[Detector],
    floods: Floods,
    asks: Asks,
    contact: str,
) -> Feed:
    """The source a table of the configuration asks for, with every detector that can read what it yields."""
    settings = dict(given)
    name, kind = settings.pop("name", None), settings.pop("kind", "files")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 80:
        raise ConfigError("a source has a name, of 80 characters at most")
    if name in SAMPLES:
        raise ConfigError(f"{name!r} is the name of a bundled sample: give the source another")
    if not isinstance(kind, str):
        raise ConfigError(f"source {name!r}: kind is {kind!r}: give one of {', '.join(registry.names('sources'))}")
    made = registry.load("sources", kind)
    yields = getattr(made, "yields", None)  # a property, where settings decide
    if isinstance(yields, pa.Schema) and schema.secret(yields):
        raise ConfigError(f"source {name!r}: {kind} yields what leaked, which no table takes: use khien breach import")
    spool = str(data / _SPOOL / _file_name(name))
    ours = {"spool": spool, "asks": asks, "contact": contact, "clock": clock}
    source = _part(made, f"source {name!r}", kind, settings, folder, ours)
    if source.yields == schema.FLOWS:
        return Feed(name, source, "flood_rates", watch=flood_watch(floods, whole=source.replayable))
    readers = tuple(each for each in detectors if not each.by and set(each.reads) <= set(source.yields))
    if asks_of(source):  # what few findings asked for is kept as evidence, and lands nowhere else
        return Feed(name, source, "", stands=_answered)
    tables = [table for table, columns in schema.TABLES.items() if columns == source.yields]
    table = "names" if source.yields == schema.CERTIFIED else tables[0] if tables else kind
    read = Feed(name, source, table, None, readers)
    return read._replace(stands=_stands) if kind == "ctlog" else read


def _answered(cursor: bytes) -> tuple[None, str]:
    """Of who asks others: whether anybody answers."""
    from khien.outward.asking import silence

    return None, silence(cursor)


def _stands(cursor: bytes) -> tuple[int, str]:
    """Of logs of certificates: how many entries are unread, and what is wrong with which of them."""
    from khien.ct.intervals import progress

    logs = progress(cursor)
    return sum(each.behind for each in logs), "; ".join(f"{each.name}: {each.trouble}" for each in logs if each.trouble)


@dataclasses.dataclass(frozen=True)
class Asking:
    """contracts.Asks of a data directory, which is looked into from the first question on."""

    directory: Path
    _opened: list[Embedded] = dataclasses.field(default_factory=list["Embedded"], init=False, repr=False, compare=False)

    def __call__(self, source: str, limit: int, /) -> Sequence[str]:
        """contracts.Asks"""
        if not self._opened:
            self._opened.append(store(self.directory))
        now, due = clock(), list[model.Inquiry]()
        for queue in model.Inquiry.queues(source):  # what was never asked first
            due += self._opened[0].find(model.Inquiry, order="due", limit=limit - len(due), queue=queue)
        return [each.subject for each in due if each.due <= now]


def channel(given: Mapping[str, Any], folder: Path, data: Path, site: Site) -> tuple[str, Channel]:
    """The channel a table of the configuration asks for, under its name."""
    settings = dict(given)
    kind = settings.pop("kind", None)
    if not isinstance(kind, str):
        raise ConfigError(f"a channel has a kind: give one of {', '.join(registry.names('channels'))}")
    name = settings.pop("name", kind)
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 80:
        raise ConfigError("a channel's name has 80 characters at most")
    made = registry.load("channels", kind)
    keys = {"key_file": str(key_file(data, NOTICES)), "opens_file": str(key_file(data, wishes.KEY))}
    ours = {**keys, "site": site.public, "contact": site.contact, "clock": clock}
    part = _part(made, f"channel {name!r}", kind, settings, folder, ours)
    if kind == "mail" and not (part.site or part.post.reply_to or part.contact):
        raise ConfigError(
            f"channel {name!r}: who is told could not answer: give [site] public, whose pages letters then link to, or"
            " reply_to in [channel.post], or contact"
        )
    return name, part


def letters(channels: Mapping[str, Channel]) -> dict[str, Any]:
    """The settings of the mail server by which people are written to, with whole paths: that of the first channel of
    mail; empty without one."""
    post = next((cast("Any", each).post for each in channels.values() if each.name == "mail"), None)
    settings: dict[str, Any] = {} if post is None else msgspec.to_builtins(post)
    whole = {name for name, value in settings.items() if name.endswith("_file") and value}
    return {name: str(Path(value).absolute()) if name in whole else value for name, value in settings.items()}


def asks_of(source: Source) -> bool:
    """Whether a source looks into what findings ask, and yields nothing else."""
    return any(field.name == "asks" for field in dataclasses.fields(cast("Any", source)))


def _part(
    made: type[Any], whose: str, kind: str, settings: Mapping[str, Any], folder: Path, ours: Mapping[str, Any]
) -> Any:
    """A part with its settings: paths among them are relative to folder; ours: what it is handed where it has the field
    and nothing else is said."""
    fields = [field.name for field in dataclasses.fields(made)]
    known = [each for each in fields if each not in ("asks", "clock")]
    if unknown := sorted(set(settings) - set(known)):
        raise ConfigError(f"{whose} has no setting {', '.join(unknown)}: {kind} takes {', '.join(known)}")
    hints = get_type_hints(made)
    given: dict[str, Any] = {each: value for each, value in ours.items() if each in fields}
    for setting, value in settings.items():
        try:
            given[setting] = _settled(kind, setting, msgspec.convert(value, hints[setting]), folder)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{whose}: {_unfit(setting, hints[setting], str(error))}") from error
    try:
        return made(**given)
    except TypeError as error:  # what it cannot do without
        raise ConfigError(f"{whose}: {str(error).partition('() ')[2]}: {kind} takes {', '.join(known)}") from error


def _unfit(setting: str, hint: Any, said: str) -> str:
    """What msgspec says of a setting, with what it may be."""
    what, _, where = said.partition(" - at `$")
    path, wanted = [setting], msgspec.inspect.type_info(hint)
    for each in re.findall(r"[A-Za-z_]+", where):
        path.append(each)
        if isinstance(wanted, msgspec.inspect.StructType):
            wanted = next(field.type for field in wanted.fields if field.encode_name == each)
    if unknown := re.match(r"Object contains unknown field `(.*)`", what):
        path.append(unknown[1])
        what = "there is no such setting"
    if isinstance(wanted, msgspec.inspect.StructType):
        what += f": there is {', '.join(field.encode_name for field in wanted.fields)}"
    if isinstance(wanted, msgspec.inspect.LiteralType):
        what += f": give {' or '.join(map(repr, wanted.values))}"
    return f"{'.'.join(path)}: {what}"


def is_path(kind: str, setting: str) -> bool:
    """Whether a setting of a part names a file or folder, unless it is a URL."""
    return setting == "path" or setting.endswith(("_file", "_folder")) or (kind, setting) == ("ctlog", "list")


def _settled(kind: str, setting: str, value: Any, folder: Path) -> Any:
    """A setting, with paths in it made relative to the configuration."""
    if setting == "paths":
        return tuple(each if each == STANDARD_INPUT else str(folder / each) for each in value)
    if value and isinstance(value, str) and is_path(kind, setting):
        return value if "://" in value else str(folder / value)
    if isinstance(value, model.Record):
        held = {name: _settled(kind, name, getattr(value, name), folder) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **held)
    return value


def _file_name(name: str) -> str:
    """The name of a source as that of a directory."""
    return "".join(each if each.isalnum() and each.isascii() else f"%{ord(each):x}" for each in name)


def flood_watch(floods: Floods, *, whole: bool) -> Callable[[Engine, Store | None], Watch]:
    """What watches a stream of flows for floods, from what the store knows of earlier ones and of what is usual."""
    from khien.detectors.flood import Flood  # these take longer to load than all that names need
    from khien.flows import watch
    from khien.folds.baselines import Baselines
    from khien.folds.flowcounts import FlowCounts

    expect_good(floods)
    detector = Flood(floods.floors)

    def made(engine: Engine, store: Store | None) -> Watch:
        def detect(rows: pa.RecordBatch, beside: Mapping[str, pa.Table]) -> Iterator[pa.RecordBatch]:
            return engine.run(detector, pa.RecordBatchReader.from_batches(rows.schema, [rows]), **beside)

        known = _open_floods(store) if store is not None else []
        baselines = store.scan("baselines").to_batches() if store is not None else []
        return watch.Watch(
            *(detect, FlowCounts(floods.customers), Baselines(), floods.floors, floods.home),
            known=known, baselines=baselines, whole=whole,
        )  # fmt: skip

    return made


def expect_good(floods: Floods) -> None:
    """ConfigError: a setting of how floods are looked for makes no sense."""
    for setting in ("customers", "home"):
        for each in getattr(floods, setting):
            try:
                records.target(each)
            except ValueError as error:
                raise ConfigError(f"floods: {setting}: {error}: give prefixes, for example 203.0.113.0/24") from error
    for kind in ("packets", "bits"):
        for vector, floor in getattr(floods.floors, kind).items():
            if vector not in NAMES:
                known = ", ".join(NAMES)
                raise ConfigError(f"floods.floors.{kind}: there is no vector {vector!r}: there is {known}")
            if not 0 < floor < math.inf:
                raise ConfigError(f"floods.floors.{kind}: {vector} is {floor:g}: give what is more than 0 a second")
    if not all(0 < times < math.inf for times in floods.floors.wide):
        raise ConfigError("floods.floors.wide: give three numbers above 0, for example [4, 8, 16]")


def _open_floods(store: Store) -> list[dict[str, Any]]:
    """The floods that were found and are not over for long, as of the newest of them."""
    claims = FLOOD, TAKES_PART
    met = [each for claim in claims for each in store.find(model.Finding, order="-day", limit=_FLOODS, claim=claim)]
    newest = max((each.end for each in met if each.end), default=None)
    return [life.row(each) for each in met if newest and each.end and newest - each.end <= _LATELY]


def samples() -> tuple[Feed, ...]:
    """The real, dated names and flows that come with Khiên, as feeds; who shows them says that it is a replay."""
    names, flows = (str(FOLDER / "sample" / each) for each in ("names.tsv.zst", "flows.pcap.zst"))
    return (
        Feed(SAMPLES[0], Files((names,), page_bytes=_PAGE), "names", None, (lookalike(),)),
        Feed(SAMPLES[1], captures((flows,)), "flood_rates", watch=flood_watch(Floods(), whole=True)),
    )


def names(paths: Sequence[str], format: str | None = None, column: str | None = None) -> Files:
    """The source of names in paths (``-``: standard input). InputError, before anything is read: one cannot be."""
    for path in paths:
        _expect_readable(path)
    return Files(tuple(paths), format, column, _PAGE)


def captures(paths: Sequence[str], format: str | None = None) -> Captures:
    """The source of flows in paths (``-``: standard input). InputError, before anything is read: one cannot be."""
    from khien.sources.captures import Captures

    for path in paths:
        _expect_readable(path)
    return Captures(tuple(paths), format)


def _expect_readable(path: str) -> None:
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("standard input is closed: give a file")
        return
    try:
        path.encode()
        os.stat(path)
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: the name is not UTF-8: rename the file, or give it as standard input") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError(f"{path}: {advice(error)}") from error
    if os.path.isdir(path):
        raise InputError(f"{path}: is a directory: name the files in it")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: {advice(PermissionError())}")
