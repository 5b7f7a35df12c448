"""Records in SQLite: a table a kind, a row a record: its id, what it is found and counted by, and itself as JSON.

What a person pages through is read in order from an index: there is one for each field that ranks (a number, a time,
a day), and one for each of these behind each text, by which people filter. How many records there are is kept by
triggers, in the transaction of the save.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, product
from math import prod
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import apsw
import msgspec

from khien.errors import ContractError, InputError
from khien.model import Record
from khien.stores.embedded.database import rows_of, value_of

R = TypeVar("R", bound=Record)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIE = "substr(id, 1, 8)"  # enough of an id to put equals in order without reading them
_ENOUGH = 10_000  # rows: more are not worth sorting
_FEW = 8  # values of one field, from which on one statement looks for all of them
_MOST_VALUES = 10_000  # of one field, that it may look for
_MOST_WAYS = 100  # combinations of values that one search may ask for: SQLite joins at most 500 searches
_CHUNK = 1000  # records rebuilt at a time


class Column(NamedTuple):
    """A field a kind is found or counted by. of: the type of its values, null apart."""

    name: str
    of: type
    nullable: bool

    @property
    def ranks(self) -> bool:
        """Whether people page in its order."""
        return self.of in (float, datetime, date)

    def kept(self, value: object) -> object:
        """A value as SQLite keeps it: a time in microseconds since 1970, a day in ISO 8601."""
        if isinstance(value, str) and value.isascii():
            return value
        if isinstance(value, datetime):
            return (value - _EPOCH) // timedelta(microseconds=1)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise InputError(f"{self.name} {value!r} is no text: remove what is not Unicode") from error
        elif value is not None and not isinstance(value, bool | int | float):
            raise ContractError(f"{self.name} is a {type(value).__name__}: what is indexed is a number, text or time")
        return value

    def given(self, value: Any) -> Any:
        """The value that was kept."""
        if value is None:
            return None
        if self.of is datetime:
            return _EPOCH + timedelta(microseconds=value)
        return date.fromisoformat(value) if self.of is date else bool(value) if self.of is bool else value


class Kind(NamedTuple):
    """A kind of record, as the store keeps it."""

    record: type[Record]
    name: str
    columns: Mapping[str, Column]
    counted: tuple[str, ...]

    @property
    def tally(self) -> str:
        return f"_count_{self.name}"

    def indexes(self) -> Mapping[str, tuple[str, ...]]:
        """The name of each index, and its columns: at its end those few-valued ones that most searches filter by."""
        return _indexes(self.record)

    def definition(self) -> str:
        """What has to be the same for the table to be as this Khiên wants it."""
        return _definition(self.record)


@cache
def kind_of(record: type[Record]) -> Kind:
    """ContractError: a kind without an id, or what cannot be indexed or counted."""
    name = record.__name__
    if "id" not in record.__struct_fields__ or not name.isalnum():
        raise ContractError(f"{name} cannot be kept: it has no field id")
    columns = {each: _column(record, each) for each in ("id", *record.indexed, *record.counted)}
    if vague := [each for each in record.counted if columns[each].nullable]:
        raise ContractError(f"{name} is counted by {', '.join(vague)}, which may be null")
    return Kind(record, name, columns, record.counted)


@cache
def _indexes(record: type[Record]) -> Mapping[str, tuple[str, ...]]:
    kind = kind_of(record)
    ranks = [each.name for each in kind.columns.values() if each.ranks]
    few = [name for name in record.indexed if name in kind.counted and name not in ranks]
    ways: list[tuple[str, ...]] = []
    for name in record.indexed:
        if name in ranks or not ranks:
            ways.append((name,))
        elif kind.columns[name].of is str:
            ways += [(name, rank) for rank in ranks]
    return {
        "_".join((kind.name, *way)): (
            *(f'"{each}"' for each in way),
            _TIE,
            *(f'"{each}"' for each in few if each not in way),
        )
        for way in ways
    }


@cache
def _definition(record: type[Record]) -> str:
    kind = kind_of(record)
    fields = [(each.name, each.of.__name__, each.nullable) for each in kind.columns.values()]
    return json.dumps([fields, list(kind.indexes().items()), kind.counted])


def _column(record: type[Record], name: str) -> Column:
    declared = getattr(record, name, None)
    owner, key = (declared.fget, "return") if isinstance(declared, property) else (record, name)
    hint = get_type_hints(owner).get(key)
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    types = [each for each in options if each is not NoneType]
    of = types[0] if len(types) == 1 else None
    of = of if isinstance(of, type) else str if get_args(of) and isinstance(get_args(of)[0], str) else None
    if of not in (str, int, float, bool, date, datetime):
        raise ContractError(f"{record.__name__}.{name} is {hint}: what is indexed is a number, text or time")
    return Column(name, of, len(types) < len(options))


def prepare(connection: apsw.Connection, kind: Kind) -> None:
    """Inside a transaction: makes a kind's table, or makes it anew from the records where what is indexed changed."""
    found = _met(connection, kind)
    if found == kind.definition():
        return
    if found is not None:
        connection.execute(f'ALTER TABLE "{kind.name}" RENAME TO _old; DROP TABLE IF EXISTS "{kind.tally}"')
        named = "SELECT type, name FROM sqlite_schema WHERE tbl_name = '_old' AND type != 'table' AND sql NOT NULL"
        for what, name in rows_of(connection, named):
            connection.execute(f'DROP {what} "{name}"')
    _create(connection, kind)
    if found is not None:
        decoder = msgspec.json.Decoder(kind.record)
        bodies = (body for (body,) in connection.execute("SELECT body FROM _old"))
        while some := list(islice(bodies, _CHUNK)):
            put(connection, kind, [decoder.decode(body) for body in some])
        connection.execute("DROP TABLE _old")
    for index, fields in kind.indexes().items():
        connection.execute(f'CREATE INDEX "{index}" ON "{kind.name}" ({", ".join(fields)})')
    connection.execute("INSERT OR REPLACE INTO _kinds VALUES (?, ?)", (kind.name, kind.definition()))


def is_prepared(connection: apsw.Connection, kind: Kind) -> bool | None:
    """None: no such record was ever saved."""
    found = _met(connection, kind)
    return None if found is None else found == kind.definition()


def _met(connection: apsw.Connection, kind: Kind) -> str | None:
    return value_of(connection, "SELECT columns FROM _kinds WHERE name = ?", kind.name)


def _create(connection: apsw.Connection, kind: Kind) -> None:
    name = kind.name
    others = [each for each in kind.columns if each != "id"]
    columns = "".join(f', "{each}"' for each in others)
    connection.execute(f'CREATE TABLE "{name}" (id TEXT PRIMARY KEY NOT NULL{columns}, body BLOB NOT NULL)')
    if kind.counted:
        _create_tally(connection, kind)


def _create_tally(connection: apsw.Connection, kind: Kind) -> None:
    name = kind.name
    key = ", ".join(f'"{each}"' for each in kind.counted)
    connection.execute(f'CREATE TABLE "{kind.tally}" ({key}, n INTEGER NOT NULL, PRIMARY KEY ({key})) WITHOUT ROWID')

    def step(row: str, by: int) -> str:
        values = ", ".join(f'{row}."{each}"' for each in kind.counted)
        return f'INSERT INTO "{kind.tally}" VALUES ({values}, {by}) ON CONFLICT DO UPDATE SET n = n + {by};'

    moved = " OR ".join(f'old."{each}" IS NOT new."{each}"' for each in kind.counted)
    connection.execute(f"""
        CREATE TRIGGER "{name}_in" AFTER INSERT ON "{name}" BEGIN {step("new", 1)} END;
        CREATE TRIGGER "{name}_out" AFTER DELETE ON "{name}" BEGIN {step("old", -1)} END;
        CREATE TRIGGER "{name}_move" AFTER UPDATE ON "{name}" WHEN {moved} BEGIN {step("old", -1)} {step("new", 1)} END;
    """)


def put(connection: apsw.Connection, kind: Kind, records: Sequence[Record]) -> None:
    """Inside a transaction, of a kind that is prepared: what has the same id is replaced."""
    columns = list(kind.columns.values())
    names = ", ".join(f'"{each.name}"' for each in columns)
    marks = ", ".join("?" * (len(columns) + 1))
    changes = ", ".join(f'"{each.name}" = excluded."{each.name}"' for each in columns[1:])
    statement = (
        f'INSERT INTO "{kind.name}" ({names}, body) VALUES ({marks})'
        f" ON CONFLICT (id) DO UPDATE SET {changes}{', ' if changes else ''}body = excluded.body"
    )
    kept = [[each.kept(getattr(record, each.name)) for record in records] for each in columns]
    connection.executemany(statement, zip(*kept, map(msgspec.json.Encoder().encode, records), strict=True))


def remove(connection: apsw.Connection, kind: Kind, records: Sequence[Record]) -> None:
    """Inside a transaction, likewise: of these ids there is no record any more."""
    column = kind.columns["id"]
    ids = ((column.kept(getattr(record, column.name)),) for record in records)
    connection.executemany(f'DELETE FROM "{kind.name}" WHERE id = ?', ids)


def load(connection: apsw.Connection, record: type[R], ids: Sequence[str]) -> dict[str, R]:
    """The records of these ids that are there."""
    kind = kind_of(record)
    known = [kind.columns["id"].kept(each) for each in dict.fromkeys(ids)]
    decode = msgspec.json.Decoder(record).decode
    statement = f'SELECT id, body FROM "{kind.name}" WHERE id IN (SELECT value FROM json_each(?))'
    return {id_: decode(body) for id_, body in rows_of(connection, statement, json.dumps(known))}


def find(
    connection: apsw.Connection, record: type[R], order: str, after: str, limit: int, equal: Mapping[str, Any]
) -> list[R]:
    """contracts.Store.find"""
    kind = kind_of(record)
    down, name = order.startswith("-"), order.removeprefix("-")
    _expect_indexed(kind, (name, *equal), (*record.indexed, "id"))
    if order == "id" and not after and any(isinstance(each, tuple) and len(each) > _FEW for each in equal.values()):
        return _among(connection, kind, record, limit, equal)
    column = kind.columns[name]
    slices = _slices(connection, kind, column, down, after) if after else [("1", ())]
    way_down = " DESC" if down else ""
    sorting = ", ".join(f"{each}{way_down}" for each in (["id"] if name == "id" else [f'"{name}"', _TIE, "id"]))
    selects: list[str] = []
    values: list[object] = []
    for way in _ways(kind, equal):
        where = [f'"{each}" IS ?' for each in way]
        via = _via(connection, kind, way, column)
        for condition, bounds in slices:
            selects.append(
                f'SELECT * FROM (SELECT body, "{name}", id FROM "{kind.name}" {via}'
                f" WHERE {' AND '.join([*where, condition])} ORDER BY {sorting} LIMIT ?)"
            )
            values += [*way.values(), *bounds, max(limit, 0)]
    if not selects:
        return []
    whole = f"{' UNION ALL '.join(selects)} ORDER BY 2{way_down}, 3{way_down} LIMIT ?"
    decode = msgspec.json.Decoder(record).decode
    return [decode(row[0]) for row in rows_of(connection, whole, *values, limit)]


def _among(connection: apsw.Connection, kind: Kind, record: type[R], limit: int, equal: Mapping[str, Any]) -> list[R]:
    """Records that have one of many values: a look into the index for each, in one statement."""
    conditions: list[str] = []
    values: list[object] = []
    for name, value in equal.items():
        options = [kind.columns[name].kept(each) for each in (value if isinstance(value, tuple) else (value,))]
        if len(options) > _MOST_VALUES:
            raise InputError(f"{len(options)} values of {name} are asked for at once: ask for at most {_MOST_VALUES}")
        null = f' OR "{name}" IS NULL' if None in options else ""
        conditions.append(f'("{name}" IN (SELECT value FROM json_each(?)){null})')
        values.append(json.dumps(options))
    decode = msgspec.json.Decoder(record).decode
    statement = f'SELECT body FROM "{kind.name}" WHERE {" AND ".join(conditions)} ORDER BY id LIMIT ?'
    return [decode(row[0]) for row in rows_of(connection, statement, *values, max(limit, 0))]


def _expect_indexed(kind: Kind, names: Sequence[str], known: Sequence[str]) -> None:
    if unknown := [each for each in names if each not in known]:
        raise ContractError(f"{kind.name} is not indexed by {', '.join(unknown)}, only by {', '.join(known)}")


def _ways(kind: Kind, equal: Mapping[str, Any]) -> list[dict[str, object]]:
    """The combinations of single values that are asked for."""
    options = [
        list(dict.fromkeys(kind.columns[name].kept(each) for each in (value if isinstance(value, tuple) else (value,))))
        for name, value in equal.items()
    ]
    count = prod(map(len, options))
    if count > _MOST_WAYS:
        raise InputError(f"{count} combinations of values are asked for at once: ask for at most {_MOST_WAYS}")
    return [dict(zip(equal, each, strict=True)) for each in product(*options)]


def _via(connection: apsw.Connection, kind: Kind, way: Mapping[str, object], order: Column) -> str:
    """The index to go through: of a filter that leaves few rows, which are then sorted, or one that is in order."""
    known = {f"sqlite_autoindex_{kind.name}_1": ('"id"',), **kind.indexes()}
    ordered = next((index for index, fields in known.items() if fields[0] == f'"{order.name}"'), None)
    if ordered is None or "id" in way:
        return ""
    chosen, fewest = ordered, _ENOUGH
    for name, value in way.items():
        both = f"{kind.name}_{name}_{order.name}"
        own = [index for index, fields in known.items() if fields[0] == f'"{name}"']
        index = both if both in own else next(iter(own), ordered)
        if index == ordered:
            continue
        enough = f'SELECT 1 FROM "{kind.name}" INDEXED BY "{index}" WHERE "{name}" IS ? LIMIT {_ENOUGH}'
        rows = value_of(connection, f"SELECT count(*) FROM ({enough})", value)
        if rows < fewest or (chosen == ordered and index == both):
            chosen, fewest = index, rows
    return f'INDEXED BY "{chosen}"'


def _slices(
    connection: apsw.Connection, kind: Kind, column: Column, down: bool, after: str
) -> list[tuple[str, tuple[object, ...]]]:
    """What comes behind a record, as conditions that an index answers each at once: its equals, then the rest."""
    known, beyond = kind.columns["id"].kept(after), "<" if down else ">"
    if column.name == "id":
        return [(f"id {beyond} ?", (known,))]
    name = f'"{column.name}"'
    met = rows_of(connection, f'SELECT {name} FROM "{kind.name}" WHERE id = ?', known)
    if not met:
        raise InputError(f"there is no {kind.name} {after!r} to go on from: begin at the first page")
    ((value,),) = met
    slices: list[tuple[str, tuple[object, ...]]] = []
    slices.append((f"{name} IS ? AND {_TIE} {beyond}= substr(?, 1, 8) AND id {beyond} ?", (value, known, known)))
    if value is not None:
        slices.append((f"{name} {beyond} ?", (value,)))
    if column.nullable and down == (value is not None):  # null is the least of all
        slices.append((f"{name} IS {'' if down else 'NOT '}NULL", ()))
    return slices


def count(
    connection: apsw.Connection, record: type[Record], by: Sequence[str], equal: Mapping[str, Any]
) -> dict[tuple[Any, ...], int]:
    """contracts.Store.count: of what is counted, from the numbers that are kept; else from the records."""
    kind = kind_of(record)
    _expect_indexed(kind, (*by, *equal), tuple(kind.columns))
    kept = kind.counted and {*by, *equal} <= {*kind.counted}
    number, table = ("sum(n)", kind.tally) if kept else ("count(*)", kind.name)
    conditions: list[str] = []
    values: list[object] = []
    for name, value in equal.items():
        options = value if isinstance(value, tuple) else (value,)
        conditions.append("(" + (" OR ".join([f'"{name}" IS ?'] * len(options)) or "0") + ")")
        values += [kind.columns[name].kept(each) for each in options]
    keys = ", ".join(f'"{each}"' for each in by)
    grouped = f" GROUP BY {keys}" if keys else ""
    rows = rows_of(
        connection,
        f'SELECT {keys + ", " if keys else ""}coalesce({number}, 0) AS total FROM "{table}"'
        f" WHERE {' AND '.join(conditions) or '1'}{grouped}{' HAVING total > 0' if keys else ''}",
        *values,
    )
    columns = [kind.columns[each] for each in by]
    return {tuple(column.given(each) for column, each in zip(columns, row[:-1], strict=True)): row[-1] for row in rows}
