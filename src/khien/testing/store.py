"""A store, held to its contract."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from khien import schema
from khien.contracts import Store
from khien.errors import ConflictError
from khien.model import ProtectedName
from khien.testing.hold import as_counts, hold, hold_part, hold_same


def check_store(make_store: Callable[[], Store]) -> None:
    """A store shows all of a save or nothing of it, replaces what has the same id, and forgets what it should.

    make_store opens the same place each time it is called; at first the place is empty.
    """
    store = make_store()
    whose = f"store {store.name}"
    hold_part(store, "name")
    _check_landing(whose, make_store)
    _check_conflict(whose, make_store)
    _check_records(whose, make_store)
    _check_blobs(whose, make_store)
    _check_expiry(whose, make_store)


_DAY = datetime(2026, 1, 1, tzinfo=UTC)


_ROWS = pa.RecordBatch.from_pylist(
    [{"name": f"{letter}.example", "seen_at": _DAY + timedelta(days=n)} for n, letter in enumerate("abcd")],
    schema.NAMES,
)


def _check_landing(whose: str, make_store: Callable[[], Store]) -> None:
    store = make_store()
    hold(store.cursor("somewhere") is None, f"{whose} knows a cursor nobody saved")
    store.save(landed=[store.land("names", _ROWS.slice(0, 1), id="first")], cursor=("somewhere", b"1"))
    store.land("names", _ROWS.slice(3, 1), id="second")
    _hold_rows(whose, "before a save", store, "names", _ROWS.slice(0, 1))
    again = store.land("names", _ROWS.slice(1, 1), id="second")
    hold(
        (again.table, again.id, again.rows) == ("names", "second", 1), f"{whose} tells wrongly what it landed: {again}"
    )
    _hold_rows(whose, "before a save, opened anew", make_store(), "names", _ROWS.slice(0, 1))
    other = store.land("others", _ROWS, id="second")
    store.save(_protected("a"), landed=[again, other], cursor=("somewhere", b"2"))
    for opened in (store, make_store()):
        _hold_rows(whose, "after a save", opened, "names", _ROWS.slice(0, 2))
        _hold_rows(whose, "after a save of two tables", opened, "others", _ROWS)
        hold(opened.cursor("somewhere") == b"2", f"{whose} does not move the cursor with the save")
        hold(opened.load(ProtectedName, "a") == _protected("a"), f"{whose} does not show a record with the save")
    store.save(landed=[store.land("others", _ROWS.slice(2, 1), id="second")])
    _hold_rows(whose, "after the same id was saved again", make_store(), "others", _ROWS.slice(2, 1))
    met = store.lookup("names", "name", pa.array(["b.example", "nobody.example"]))
    hold(met.to_pylist() == _ROWS.slice(1, 1).to_pylist(), f"{whose} looks up {met.to_pylist()} for b.example")
    none = store.lookup("names", "name", pa.array([], pa.string()))
    hold(none.num_rows == 0 and none.schema == schema.NAMES, f"{whose} looks up {none.schema} for no values")


def _check_conflict(whose: str, make_store: Callable[[], Store]) -> None:
    store, rival = make_store(), make_store()
    version = store.save(_protected("b"))
    later = store.save(_protected("c"), expect=version)
    hold(later > version, f"{whose} answers version {later} after {version}")
    rival.save(_protected("d"), expect=later)
    late = store.land("names", _ROWS, id="late")
    try:
        store.save(_protected("late"), landed=[late], cursor=("somewhere", b"late"), expect=later)
    except ConflictError:
        pass
    else:
        raise AssertionError(f"{whose} saves over version {later}, which had moved: ConflictError is due")
    hold(store.load(ProtectedName, "late") is None, f"{whose} shows a record of a save that failed")
    hold(store.cursor("somewhere") == b"2", f"{whose} moves the cursor of a save that failed")
    _hold_rows(whose, "after a save that failed", store, "names", _ROWS.slice(0, 2))


def _check_records(whose: str, make_store: Callable[[], Store]) -> None:
    store = make_store()
    store.save(_protected("e", "energy"), _protected("f", "energy"), _protected("g", "energy"))
    store.save(_protected("f", "bank"))
    for opened in (store, make_store()):
        hold(opened.load(ProtectedName, "nobody") is None, f"{whose} loads a record nobody saved")
        hold(opened.load(ProtectedName, "f") == _protected("f", "bank"), f"{whose} does not replace a record")
        energy = opened.find(ProtectedName, sector="energy")
        hold(list(energy) == [_protected("e", "energy"), _protected("g", "energy")], f"{whose} finds {energy}")
        everything = opened.find(ProtectedName)
        ids = [record.id for record in everything if isinstance(record, ProtectedName)]
        hold(ids == sorted(ids) and len(ids) == len(everything), f"{whose} finds in the order {ids}, not by id")
        paged = [*opened.find(ProtectedName, limit=2), *opened.find(ProtectedName, after=ids[1])]
        hold(paged == list(everything), f"{whose} loses or repeats records between two pages")


def _check_blobs(whose: str, make_store: Callable[[], Store]) -> None:
    store = make_store()
    digests = [store.put(blob) for blob in (b"", b"one", b"two")]
    hold(len(set(digests)) == 3, f"{whose} gives two blobs one digest")
    hold(store.put(b"one") == digests[1], f"{whose} gives one blob two digests")
    kept = [make_store().get(digest) for digest in digests]
    hold(kept == [b"", b"one", b"two"], f"{whose} gives back other blobs than it was given")


def _check_expiry(whose: str, make_store: Callable[[], Store]) -> None:
    """Of a table, what lies before a time by its first column of schema.TIME."""
    store = make_store()
    store.save(landed=[store.land("fleeting", _ROWS, id="all")])
    gone = store.expire("fleeting", _DAY + timedelta(days=2))
    hold(gone == 2, f"{whose} expires {gone} of 4 rows, 2 are older")
    for opened in (store, make_store()):
        _hold_rows(whose, "after expiry", opened, "fleeting", _ROWS.slice(2))
    hold(store.expire("fleeting", _DAY) == 0, f"{whose} expires rows that are not older")


def _protected(id: str, sector: str = "bank") -> ProtectedName:
    return ProtectedName(id=id, label=id.upper(), sector=sector, words=(id,))


def _hold_rows(whose: str, when: str, store: Store, table: str, wanted: pa.RecordBatch) -> None:
    hold_same(f"{whose}, table {table},", when, as_counts(store.scan(table).to_table()), as_counts(wanted))
