"""Constituents as TOML, which people write and keep, and as CSV, which they have in a spreadsheet.

A document says who they are, how they hear and what they claim; that something is theirs is proven, never written down.
Both are read to the same tables, so that both are held to the same rules; all that is wrong is told with its line.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

import msgspec
import tomli_w

from khien.errors import ConfigError, FormatError, InputError
from khien.model import Asset, AssetKind, Constituent, Hearing, Record
from khien.names import places, register
from khien.triage import enrolment
from khien.triage.assets import Known
from khien.triage.enrolment import Enrolment

MOST, MOST_ASSETS, MOST_ROWS = 20_000, 100_000, 50_000  # in a document: constituents, what is theirs, rows of a sheet

_SHOWN = 20  # of what is wrong
_TABLE = "constituents"
_ASSETS: Mapping[str, AssetKind] = {
    "domains": "domain",
    "brands": "brand",
    "prefixes": "prefix",
    "mail_domains": "mail-domain",
}
_OWN = ("id", "label", "sector", "patience", "note", *_ASSETS)
_HEARING = ("channel", "address", "language", "least", "digest", "quiet", "secret_file", "after")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # OWASP, CSV injection; and what marks a cell that begins so
_QUIET = re.compile(r"(?P<begin>[^\s-]+)-(?P<end>[^\s-]+)(?:\s+(?P<zone>\S+))?")

_Place = Callable[[Sequence[places.Path]], Mapping[places.Path, int]]  # the lines on which values stand


class _Table(Record, frozen=True, kw_only=True):
    """A constituent as documents have it."""

    id: str
    label: str
    sector: str = ""
    patience: timedelta = Constituent(id="", label="").patience
    note: str = ""
    hears: tuple[Hearing, ...] = ()
    domains: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    mail_domains: tuple[str, ...] = ()


@dataclass(frozen=True)
class Constituents:
    """TOML: a table ``[[constituents]]`` each. file: what messages call the document."""

    name: ClassVar[str] = "constituents"
    media_type: ClassVar[str] = "application/toml"
    carries: ClassVar[type] = Enrolment

    known: Known
    file: str = "constituents.toml"

    def encode(self, records: Iterable[Enrolment], /) -> bytes:
        """Those who are constituents now, with what is theirs now; no proofs."""
        return tomli_w.dumps({_TABLE: [_plain(each) for each in _current(records)]}).encode()

    def decode(self, document: bytes, /) -> Iterator[Enrolment]:
        """FormatError: everything that is wrong, ``file:line: field: what, and the cure``."""
        try:
            text, tables = register.table(document, self.file)
        except ConfigError as error:
            raise FormatError(str(error)) from error
        faults = _Faults()
        for key in tables.keys() - {_TABLE}:
            faults.add((key,), f"there is no such setting: write [[{_TABLE}]]")
        given = tables.get(_TABLE, [])
        if not isinstance(given, list):
            faults.add((_TABLE,), f"is no list of tables: write [[{_TABLE}]]")
            given = []
        made = _read(given, self.known, faults)
        faults.tell(self.file, lambda paths: places.lines(text, paths))
        yield from made


@dataclass(frozen=True)
class Sheet:
    """CSV: a row for each way in which a constituent hears; lists are parted by blanks. file: as of Constituents."""

    name: ClassVar[str] = "constituents-csv"
    media_type: ClassVar[str] = "text/csv"
    carries: ClassVar[type] = Enrolment

    known: Known
    file: str = "constituents.csv"

    def encode(self, records: Iterable[Enrolment], /) -> bytes:
        """As of Constituents; no cell is taken for a formula."""
        text = io.StringIO()
        writer = csv.DictWriter(text, (*_OWN, *_HEARING), lineterminator="\n")
        writer.writeheader()
        for each in _current(records):
            table = _plain(each)
            own = {name: " ".join(value) if name in _ASSETS else value for name, value in table.items() if name in _OWN}
            for hearing in table.get("hears", [{}]):
                if quiet := hearing.get("quiet"):
                    hearing = hearing | {"quiet": f"{quiet['begin']}-{quiet['end']} {quiet.get('zone', '')}".rstrip()}
                row = own | hearing
                writer.writerow({k: "'" + v if v.startswith(_FORMULA) else v for k, v in row.items()})
                own = {"id": own["id"]}
        return text.getvalue().encode()

    def decode(self, document: bytes, /) -> Iterator[Enrolment]:
        """FormatError: as of Constituents."""
        faults = _Faults()
        given: dict[str, dict[str, Any]] = {}
        paths: dict[str, places.Path] = {}
        lines: dict[places.Path, int] = {}
        for line, row in _rows(document, self.file):
            table = given.setdefault(row["id"], {"id": row["id"], "hears": []})
            path = paths.setdefault(row["id"], (_TABLE, len(paths)))
            lines.setdefault(path, line)
            _join(table, row, path, faults)
            if hearing := _hearing(row):
                lines[*path, "hears", len(table["hears"])] = line
                table["hears"].append(hearing)
        made = _read(list(given.values()), self.known, faults)
        faults.tell(self.file, lambda paths: {path: _nearest(lines, path) for path in paths})
        yield from made


@dataclass
class _Faults:
    """What is wrong with a document: the first are kept, the others counted."""

    kept: list[tuple[places.Path, str]] = field(default_factory=list[tuple[places.Path, str]])
    count: int = 0

    def add(self, path: places.Path, what: str) -> None:
        self.count += 1
        if len(self.kept) < _SHOWN:
            self.kept.append((path, what))

    def tell(self, file: str, place: _Place) -> None:
        """FormatError, where anything is wrong."""
        if not self.count:
            return
        lines = place([path for path, _ in self.kept])
        ordered = sorted(self.kept, key=lambda fault: lines[fault[0]])
        told = [f"{file}:{lines[path]}: {_field(path)}{what}" for path, what in ordered]
        more = [f"{file}: and {self.count - len(told)} more"] if self.count > len(told) else []
        raise FormatError("\n".join([*told, *more]))


def _field(path: places.Path) -> str:
    written = "".join(f"[{each}]" if isinstance(each, int) else f".{each[:64]}" for each in path)
    return f"{written.removeprefix('.')}: "


def _read(given: Sequence[Any], known: Known, faults: _Faults) -> list[Enrolment]:
    """The enrolments of tables; what is wrong with them is added."""
    if len(given) > MOST:
        faults.add((_TABLE,), f"{len(given)} of them, at most {MOST} are read: split the file")
        return []
    made = list[Enrolment]()
    met = set[str]()
    assets = 0
    for number, table in enumerate(given):
        path: places.Path = (_TABLE, number)
        try:
            one = msgspec.convert(table, _Table)
        except (msgspec.ValidationError, OverflowError) as error:
            where, what = _located(str(error))
            faults.add((*path, *where), what)
            continue
        if one.id in met:
            faults.add((*path, "id"), f"{one.id[:64]!r} is given to two: give each its own")
        met.add(one.id)
        assets += sum(len(getattr(one, name)) for name in _ASSETS)
        if assets > MOST_ASSETS:
            faults.add(path, f"more than {MOST_ASSETS} assets by here: split the file")
            return []
        enrolled = _enrolled(one, path, known, faults)
        for where, what in enrolment.faults(enrolled):
            faults.add((*path, *where), what)
        made.append(enrolled)
    return made


def _enrolled(one: _Table, path: places.Path, known: Known, faults: _Faults) -> Enrolment:
    assets = dict[str, Asset]()
    for name, kind in _ASSETS.items():
        for number, text in enumerate(getattr(one, name)):
            try:
                asset = known.asset(one.id, kind, text)
            except InputError as error:
                faults.add((*path, name, number), str(error))
            else:
                assets[asset.id] = asset
    kept = {name: getattr(one, name) for name in ("id", "label", "sector", "patience", "note", "hears")}
    return Enrolment(constituent=Constituent(**kept), assets=tuple(assets.values()))


def _located(message: str) -> tuple[places.Path, str]:
    """What msgspec says, as where and what, in the words of the document."""
    what, _, where = message.partition(" - at `$")
    path = tuple(int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]`]+", where))
    if unknown := re.match(r"Object contains unknown field `(.*)`", what):
        known = Hearing if "hears" in path else _Table
        return (*path, unknown[1]), f"there is no such setting: there is {', '.join(known.__struct_fields__)}"
    if missing := re.match(r"Object missing required field `(.*)`", what):
        return path, f"{missing[1]} is missing"
    return path, what


def _current(records: Iterable[Enrolment]) -> Iterator[Enrolment]:
    return (each for each in records if each.constituent.left is None)


def _plain(enrolled: Enrolment) -> dict[str, Any]:
    """A constituent as a table, without what is as it would be if it were not said."""
    one = enrolled.constituent
    theirs = {name: [each.value for each in enrolled.current if each.kind == kind] for name, kind in _ASSETS.items()}
    told = {"id": one.id, "label": one.label, **_said(one, ("sector", "patience", "note"))}
    hears = [{"channel": each.channel, **_said(each, Hearing.__struct_fields__[1:])} for each in one.hears]
    return told | {name: values for name, values in theirs.items() if values} | ({"hears": hears} if hears else {})


def _said(record: Record, names: Iterable[str]) -> dict[str, Any]:
    """The fields that are not their defaults, as TOML has them."""
    defaults = {each.name: each.default for each in msgspec.structs.fields(record)}
    values = ((name, getattr(record, name)) for name in names)
    return {
        name: enrolment.span(value) if isinstance(value, timedelta) else msgspec.to_builtins(value)
        for name, value in values
        if value != defaults[name]
    }


def _rows(document: bytes, file: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a sheet, by column, each with its line. FormatError: it is none."""
    if len(document) > register.LARGEST_FILE:
        raise FormatError(f"{file}: {len(document)} bytes, at most {register.LARGEST_FILE} are read: split the file")
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = document.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{file}:{line}: is not UTF-8: save the file as CSV UTF-8") from error
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in header else ",", strict=True)
    columns = list[str]()
    line = 1
    try:
        for cells in reader:
            if not columns:
                columns = _columns(cells, file)
            elif len(cells) > len(columns):
                raise FormatError(f"{file}:{line}: has {len(cells)} cells for {len(columns)} columns: quote commas")
            elif any(cells):
                plain = (each.removeprefix("'").strip() for each in cells)
                yield line, dict.fromkeys((*_OWN, *_HEARING), "") | dict(zip(columns, plain, strict=False))
            line = reader.line_num + 1
            if line > MOST_ROWS:
                raise FormatError(f"{file}:{line}: more than {MOST_ROWS} rows: split the file")
    except csv.Error as error:
        raise FormatError(f"{file}:{line}: is no CSV: {error}") from error


def _columns(cells: Sequence[str], file: str) -> list[str]:
    columns = [each.strip() for each in cells]
    unknown = [each for each in columns if each not in (*_OWN, *_HEARING)]
    if unknown or "id" not in columns or len(set(columns)) < len(columns):
        what = f"there is no column {unknown[0][:64]!r}" if unknown else "each column is there once, id among them"
        raise FormatError(f"{file}:1: {what}: there is {', '.join((*_OWN, *_HEARING))}")
    return columns


def _join(table: dict[str, Any], row: Mapping[str, str], path: places.Path, faults: _Faults) -> None:
    """Adds what a further row says of a constituent."""
    for name in _OWN:
        if name in _ASSETS:
            table.setdefault(name, []).extend(row[name].split())
        elif row[name] and table.setdefault(name, row[name]) != row[name]:
            faults.add((*path, name), f"{row[name][:64]!r} here, {table[name][:64]!r} in a row above: say it once")


def _hearing(row: Mapping[str, str]) -> dict[str, Any]:
    """The way to hear in a row; nothing where it has none."""
    given: dict[str, Any] = {name: row[name] for name in _HEARING if row[name]}
    if match := _QUIET.fullmatch(row["quiet"]):
        given["quiet"] = {name: value for name, value in match.groupdict().items() if value}
    return given


def _nearest(lines: Mapping[places.Path, int], path: places.Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
