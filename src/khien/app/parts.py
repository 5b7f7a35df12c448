"""Configuration in, running parts out: the only place that assembles."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import hashlib
import math
import os
import re
import secrets
import signal
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast, get_type_hints

import msgspec
import pyarrow as pa
from publicsuffixlist import PSLFILE

from khien import model, registry, schema
from khien.compiled import kept
from khien.contracts import Asks, Channel, Detector, Engine, Source, Store, Watch
from khien.detectors.lookalike import Lookalike
from khien.errors import ConfigError, CustodyError, InputError, UnavailableError
from khien.flows import records
from khien.flows.floors import OURS, Floors
from khien.flows.judge import FLOOD, QUIET, TAKES_PART
from khien.flows.vectors import NAMES
from khien.model import Register
from khien.names import places, register
from khien.packed import STANDARD_INPUT
from khien.pipeline.collect import Feed
from khien.sources.files import Files
from khien.stores.embedded import database
from khien.stores.embedded.lock import Lock, holder
from khien.triage import life

if TYPE_CHECKING:
    from khien.audit import Audit
    from khien.pipeline.warn import Triage
    from khien.sources.captures import Captures
    from khien.stores.embedded.store import Embedded

SHIPPED = ("vn", "world")  # registers that come with Khiên, by name
DEFAULT = "vn"
_SHIPPED = Path(__file__).parent / "data"
_PAGE = 4 << 20  # bytes of text: larger pages are no faster, and findings should not wait
CONFIG = Path("khien.toml")
SERVING = "KHIEN_SITE"
SAMPLES = ("sample", "sample-flows")  # what comes with Khiên, as feeds
_KEEP = {"baselines": 56, "flood_rates": 365}  # days, where nothing else is said
KEYS = "keys"  # below the data directory
NOTICES = "notices"  # the key from which links and codes of notices follow
_KEY = 32  # octets
SPOOL = "spool"  # below the data directory: what listeners hold until it is saved
_FLOODS = 10_000  # that may be open at a time
_LATELY = timedelta(seconds=2 * QUIET)  # a flood that ended since may go on, or is still to be sealed
_LARGEST_CONFIG = 1 << 20  # bytes
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Site(model.Record, frozen=True, kw_only=True):
    """listen: host and port of the site; hosts: names under which it answers, beside that one; public: the address
    under which others reach it, as links in notices have it; contact: who objects to a finding writes here."""

    listen: str = "127.0.0.1:8460"
    hosts: tuple[str, ...] = ()
    public: str = ""
    contact: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """The address and port of listen. ConfigError: it is none."""
        host, _, port = self.listen.rpartition(":")
        try:
            number, host = int(port), str(ip_address(host.removeprefix("[").removesuffix("]")))
        except ValueError:
            number = -1
        if not 0 <= number < 1 << 16:
            raise ConfigError(f"site: listen is {self.listen!r}: give address:port, for example 127.0.0.1:8460")
        return host, number


class Serving(model.Record, frozen=True, kw_only=True):
    """What the site is told by who starts it, in a file that the environment variable SERVING names.

    data: a data directory; protect: a register, empty for the default; replay: what is shown is dated.
    """

    data: str
    protect: str = ""
    site: Site = Site()
    replay: bool = False


class Floods(model.Record, frozen=True, kw_only=True):
    """How floods are looked for in flow records. customers: prefixes that are watched as a whole, beside the host, /24
    and /20 (of IPv6 /64 and /48); home: prefixes of ours, whose devices are told of when they take part in a flood;
    floors: rates below which nothing is a flood."""

    customers: tuple[str, ...] = ()
    home: tuple[str, ...] = ()
    floors: Floors = OURS


class Config(model.Record, frozen=True, kw_only=True):
    """What ``khien run`` is told.

    data: the directory everything is kept in; protect: a register, by name or file; source: a name, a kind, and what
    that kind's fields are called; channel: likewise, named after its kind where it has no name; floods: how they are
    looked for; keep: of a table, for how many days its rows are
    kept: baselines 56, rates of floods 365, anything else for ever; site: False for none.
    """

    data: str = "khien-data"
    protect: str = DEFAULT
    source: tuple[dict[str, Any], ...] = ()
    channel: tuple[dict[str, Any], ...] = ()
    floods: Floods = Floods()
    keep: dict[str, Annotated[int, msgspec.Meta(ge=1, le=36_500)]] = {}
    site: Site | bool = Site()


class Configured(NamedTuple):
    """A configuration, and the parts it asks for."""

    data: Path
    protect: Path
    feeds: tuple[Feed, ...]
    channels: Mapping[str, Channel]
    triage: Triage
    keep: Mapping[str, timedelta]
    site: Site | None


def load_config(path: Path | None) -> Configured:
    """The parts a TOML file asks for; paths in it are relative to it. None: khien.toml, or the defaults without it.

    ConfigError: a line for everything that is wrong, ``file:line: what, and the cure``.
    """
    if path is None and CONFIG.exists():
        path = CONFIG
    text, document = ("", dict[str, Any]()) if path is None else _document(path)
    name, folder = str(path), Path() if path is None else path.parent
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_located(str(error), text, name)) from error
    protect = config.protect if config.protect in SHIPPED else str(folder / config.protect)
    try:
        names = lookalike(Path(protect))
    except ConfigError as error:
        raise ConfigError(f"{name}: protect: {error}" if config.protect not in SHIPPED else str(error)) from error
    site = config.site if isinstance(config.site, Site) else Site() if config.site else None
    data = folder / config.data
    feeds, channels = list[Feed](), list[tuple[str, Channel]]()
    faults = dict[places.Path, str]()
    for number, given in enumerate(config.source):
        try:
            feeds.append(_feed(given, folder, data, (names,), config.floods, Asking(data), (site or Site()).contact))
        except ConfigError as error:
            faults["source", number] = str(error)
    for number, given in enumerate(config.channel):
        try:
            channels.append(_channel(given, folder, data, site or Site()))
        except ConfigError as error:
            faults["channel", number] = str(error)
    for shelf, taken in (("source", [each.name for each in feeds]), ("channel", [name for name, _ in channels])):
        for each, count in Counter(taken).items():
            if count > 1:
                faults[shelf,] = f"{count} {shelf}s are called {each!r}: give each a name of its own"
    try:
        _expect_good(config.floods)
    except ConfigError as error:
        faults["floods",] = str(error)
    if not config.data or "\0" in config.data:
        faults["data",] = "data is no directory: name one"
    timed = [table for table, columns in schema.TABLES.items() if schema.TIME in columns.types]
    for table in sorted(set(config.keep) - set(timed)):
        faults["keep", table] = f"keep: {table!r} is no table of what has a time: there is {', '.join(timed)}"
    try:
        _ = site and site.address
    except ConfigError as error:
        faults["site", "listen"] = str(error)
    if faults:
        lines = places.lines(text, faults)
        raise ConfigError("\n".join(f"{name}:{lines[place]}: {said}" for place, said in faults.items()))
    keep = {table: timedelta(days=days) for table, days in {**_KEEP, **config.keep}.items()}
    asked = tuple({each.source.name for each in feeds if asks_of(each.source)})
    from khien.pipeline.warn import Triage  # takes longer to load than all that a scan needs

    triage = Triage(asked, {each.id: each for each in names.register.names})
    return Configured(data, Path(protect), tuple(feeds), dict(channels), triage, keep, site)


def place(asked: Path | None) -> Path:
    """The data directory asked for, else that of khien.toml, else the default. InputError: there is none yet."""
    directory = asked
    if directory is None:
        given = _document(CONFIG)[1].get("data") if CONFIG.exists() else None
        directory = Path(given if isinstance(given, str) else Config().data)
    if not is_place(directory):
        raise InputError(f"{directory}: there is no such data directory: khien run makes one, --data names another")
    return directory


def protected(asked: Path | None) -> Register:
    """The register asked for, else that of khien.toml, else the default. ConfigError as load_register's."""
    given = _document(CONFIG)[1].get("protect") if asked is None and CONFIG.exists() else None
    return load_register(Path(given) if isinstance(given, str) else asked)


def _document(path: Path) -> tuple[str, dict[str, Any]]:
    """A configuration as text and as nested tables."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_CONFIG + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {_advice(error)}") from error
    if len(content) > _LARGEST_CONFIG:
        raise ConfigError(f"{path}: is larger than {_LARGEST_CONFIG} bytes: no configuration is")
    return register.table(content, str(path))


def _located(message: str, text: str, name: str) -> str:
    """What msgspec says, with file and line, in the words of the document."""
    what, _, where = message.partition(" - at `$")
    path = tuple(int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]`]+", where))
    if unknown := re.match(r"Object contains unknown field `(.*)`", what):
        path = (*path, unknown[1])
        known = Site if path[:1] == ("site",) else Config
        what = f"there is no setting {unknown[1]!r}: there is {', '.join(known.__struct_fields__)}"
    line = places.lines(text, [path])[path]
    return f"{name}:{line}: {'.'.join(map(str, path))}: {what}"


def _feed(
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
    spool = str(data / SPOOL / _file_name(name))
    source = _part(made, f"source {name!r}", kind, settings, folder, {"spool": spool, "asks": asks, "contact": contact})
    if source.yields == schema.FLOWS:
        return Feed(name, source, "flood_rates", watch=flood_watch(floods, whole=source.replayable))
    readers = tuple(each for each in detectors if not each.by and set(each.reads) <= set(source.yields))
    if asks_of(source):  # what few findings asked for is kept as evidence, and lands nowhere else
        return Feed(name, source, "")
    tables = [table for table, columns in schema.TABLES.items() if columns == source.yields]
    table = "names" if source.yields == schema.CERTIFIED else tables[0] if tables else kind
    feed = Feed(name, source, table, None, readers)
    return feed._replace(stands=_stands) if kind == "ctlog" else feed


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
        due = self._opened[0].find(model.Inquiry, order="due", limit=limit, source=source)
        return [each.subject for each in due if each.due <= clock()]


def _channel(given: Mapping[str, Any], folder: Path, data: Path, site: Site) -> tuple[str, Channel]:
    """The channel a table of the configuration asks for, under its name."""
    settings = dict(given)
    kind = settings.pop("kind", None)
    if not isinstance(kind, str):
        raise ConfigError(f"a channel has a kind: give one of {', '.join(registry.names('channels'))}")
    name = settings.pop("name", kind)
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 80:
        raise ConfigError("a channel's name has 80 characters at most")
    made = registry.load("channels", kind)
    ours = {"key_file": str(key_file(data, NOTICES)), "site": site.public, "contact": site.contact, "clock": clock}
    return name, _part(made, f"channel {name!r}", kind, settings, folder, ours)


def key_file(directory: Path, name: str) -> Path:
    """Where a key of the house is: 32 random bytes, made when first needed, for its owner alone."""
    return directory / KEYS / f"{name}.key"


def key(directory: Path, name: str) -> bytes:
    """A key of the house, made where there is none. CustodyError: others may read it, or it is no key."""
    path = key_file(directory, name)
    try:
        if not path.exists():
            _make_key(path)
    except OSError as error:
        raise UnavailableError(f"{path}: {_advice(error)}") from error
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise CustodyError(f"{path}: may be read by others: make a new one, chmod 600, and tell whom it concerns")
        found = file.read(_KEY + 1)
    if len(found) != _KEY:
        raise CustodyError(f"{path}: is no key of {_KEY} octets: restore it from the last backup")
    return found


def _make_key(path: Path) -> None:
    """Makes a key whole or not at all; one that is there meanwhile stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:  # mode 0600
        file.write(secrets.token_bytes(_KEY))
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def audit(directory: Path) -> Audit:
    """Who writes down what officers do, in the log of a data directory."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from khien.audit import LEDGER, Audit

    return Audit(Ed25519PrivateKey.from_private_bytes(key(directory, LEDGER)), clock, secrets.token_bytes)


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
            given[setting] = _settled(setting, msgspec.convert(value, hints[setting]), folder)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{whose}: {setting}: {error}") from error
    try:
        return made(**given)
    except TypeError as error:  # what it cannot do without
        raise ConfigError(f"{whose}: {str(error).partition('() ')[2]}: {kind} takes {', '.join(known)}") from error


def _settled(setting: str, value: Any, folder: Path) -> Any:
    """A setting, with paths in it made relative to the configuration."""
    if setting == "paths":
        return tuple(each if each == STANDARD_INPUT else str(folder / each) for each in value)
    if value and isinstance(value, str) and (setting in ("path", "list") or setting.endswith(("_file", "_folder"))):
        return value if "://" in value else str(folder / value)
    if isinstance(value, model.Record):
        held = {name: _settled(name, getattr(value, name), folder) for name in value.__struct_fields__}
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

    _expect_good(floods)
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


def _expect_good(floods: Floods) -> None:
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


def end_with_parent() -> None:
    """Asks that this process ends when the one that started it does, however that ends; only Linux has a way."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def clock() -> datetime:
    """The time it is, UTC."""
    return datetime.now(UTC)


def store(directory: Path) -> Embedded:
    """The store in a directory, made where there is none. CustodyError: what says what its files are is gone."""
    if is_place(directory) and not (directory / database.FILE).exists():
        raise CustodyError(
            f"{directory / database.FILE} is gone and what it kept is there: restore it from the last backup, or move"
            f" {directory} away"
        )
    return registry.load("stores", "embedded").at(directory, clock)


def engine() -> Engine:
    """What runs detectors in this process."""
    return registry.load("engines", "embedded")()


def is_place(directory: Path) -> bool:
    """Whether something was ever kept in a directory: to look into one should not make it one."""
    return any((directory / each).exists() for each in (database.FILE, "tables", "blobs"))


def lock(directory: Path) -> Lock:
    """Makes this the one process that lands rows in a directory. ConflictError: another is, and how to go on."""
    return Lock(directory)


def running(directory: Path) -> int | None:
    """The process that lands rows in a directory; None where none does."""
    return holder(directory)


def samples() -> tuple[Feed, ...]:
    """The real, dated names and flows that come with Khiên, as feeds; who shows them says that it is a replay."""
    names, flows = (str(_SHIPPED / "sample" / each) for each in ("names.tsv.zst", "flows.pcap.zst"))
    return (
        Feed(SAMPLES[0], Files((names,), page_bytes=_PAGE), "names", None, (lookalike(),)),
        Feed(SAMPLES[1], captures((flows,)), "flood_rates", watch=flood_watch(Floods(), whole=True)),
    )


def load_register(path: Path | None = None) -> Register:
    """The register in a file, or one that Khiên ships by its name; without either, the Vietnamese one.

    What was read once is kept on this machine, since reading TOML with care takes longer than a million names.
    ConfigError: it cannot be read, or does not keep the format: everything that is wrong, a line each, with file, line
    and field.
    """
    path = _SHIPPED / f"register-{path or DEFAULT}.toml" if path is None or str(path) in SHIPPED else path
    try:
        with path.open("rb") as file:
            text = file.read(register.LARGEST_FILE + 1)  # one more: parse says what is too large
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError(f"{path}: {_advice(error)}") from error
    digest = hashlib.sha256(text)
    for module in (register, model):  # what it is read into, and how
        digest.update(_bytes(Path(str(module.__file__))))
    packed = kept(
        f"register-{digest.hexdigest()[:32]}.msgpack",
        lambda: msgspec.msgpack.encode(register.parse(text, str(path))),
    )
    return msgspec.msgpack.decode(packed, type=Register)


def lookalike(protect: Path | None = None) -> Lookalike:
    """The detector of imitations, for a file's protected names or the shipped ones. ConfigError as load_register's."""
    return Lookalike(
        register=load_register(protect),
        lures=register.parse_lures(_shipped("lures.toml"), "lures.toml"),
        fold=_shipped("fold.bin"),
        lexicon=_unpacked("lexicon.tsv.zst"),
        popular=_unpacked("popular.tsv.zst"),
        suffixes=_bytes(Path(PSLFILE)),
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
        raise InputError(f"{path}: {_advice(error)}") from error
    if os.path.isdir(path):
        raise InputError(f"{path}: is a directory: name the files in it")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: {_advice(PermissionError())}")


def _advice(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file: check the path"
    if isinstance(error, IsADirectoryError):
        return "is a directory: name a file"
    if isinstance(error, PermissionError):
        return "may not be read: ask its owner for the right to read it"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def _shipped(name: str) -> bytes:
    return _bytes(_SHIPPED / name)


def _unpacked(name: str) -> bytes:
    with pa.input_stream(pa.py_buffer(_shipped(name)), compression="zstd") as text:
        return text.read()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(f"{path} belongs to Khiên and {_advice(error)}: install it anew") from error
