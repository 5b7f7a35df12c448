"""A store, held to its contract."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pyarrow as pa

from khien import schema
from khien.contracts import Store
from khien.errors import ConflictError, ContractError, InputError
from khien.model import Expiry, Finding, ProtectedName, Record, State
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
    _check_pages(whose, make_store)
    _check_counts(whose, make_store)
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
        shown = opened.load(ProtectedName, "a") == {"a": _protected("a")}
        hold(shown, f"{whose} does not show a record with the save")
    store.save(landed=[store.land("others", _ROWS.slice(2, 1), id="second")])
    _hold_rows(whose, "after the same id was saved again", make_store(), "others", _ROWS.slice(2, 1))
    _check_scans(whose, make_store())
    _check_secrets(whose, make_store())
    met = store.lookup("names", "name", pa.array(["b.example", "nobody.example"]))
    hold(met.to_pylist() == _ROWS.slice(1, 1).to_pylist(), f"{whose} looks up {met.to_pylist()} for b.example")
    none = store.lookup("names", "name", pa.array([], pa.string()))
    hold(none.num_rows == 0 and none.schema == schema.NAMES, f"{whose} looks up {none.schema} for no values")


def _check_secrets(whose: str, store: Store) -> None:
    for columns in (schema.LEAKED, schema.COUNTED):
        rows = pa.RecordBatch.from_pylist([], columns)
        _hold_refused(
            f"{whose} lands what is secret", lambda rows=rows: store.land("leaked", rows, id="a"), ContractError
        )


def _check_scans(whose: str, store: Store) -> None:
    """What is there has the rows of names a and b, of which b is a day younger."""
    since = store.scan("names", since=_DAY + timedelta(days=1)).to_table()
    hold("b.example" in since.column("name").to_pylist(), f"{whose} leaves out rows that are not older than since")
    _hold_rows(whose, "before anything landed", store, "skipped", pa.RecordBatch.from_pylist([], schema.SKIPPED))
    _hold_refused(f"{whose} scans a table it does not know", lambda: store.scan("nowhere"), ContractError)


def _check_conflict(whose: str, make_store: Callable[[], Store]) -> None:
    store, rival = make_store(), make_store()
    version = store.save(_protected("b"))
    seen = (store.version(), rival.version())
    hold(seen == (version, version), f"{whose} saved version {version} and says it is at {seen}")
    later = store.save(_protected("c"), expect=version)
    hold(later > version, f"{whose} answers version {later} after {version}")
    rival.save(_protected("d"), expect=later)
    late = store.land("names", _ROWS, id="late")
    _hold_refused(
        f"{whose} saves over version {later}, which had moved: ConflictError is due",
        lambda: store.save(_protected("late"), landed=[late], cursor=("somewhere", b"late"), expect=later),
        ConflictError,
    )
    hold(not store.load(ProtectedName, "late"), f"{whose} shows a record of a save that failed")
    hold(store.cursor("somewhere") == b"2", f"{whose} moves the cursor of a save that failed")
    _hold_rows(whose, "after a save that failed", store, "names", _ROWS.slice(0, 2))
    store.save(landed=[late], expect=rival.version())
    everything = pa.concat_batches([_ROWS.slice(0, 2), _ROWS])
    _hold_rows(whose, "when what stayed staged is saved after all", make_store(), "names", everything)


def _check_records(whose: str, make_store: Callable[[], Store]) -> None:
    store = make_store()
    store.save(_protected("e", "energy"), _protected("f", "energy"), _protected("g", "energy"))
    store.save(_protected("f", "bank"))
    for opened in (store, make_store()):
        loaded = opened.load(ProtectedName, "f", "nobody", "e", "f")
        kept = {"f": _protected("f", "bank"), "e": _protected("e", "energy")}
        hold(loaded == kept, f"{whose} loads {loaded} for f, which was replaced, e and nobody")
        energy = opened.find(ProtectedName, sector="energy")
        hold(list(energy) == [_protected("e", "energy"), _protected("g", "energy")], f"{whose} finds {energy}")
        everything = opened.find(ProtectedName)
        ids = [record.id for record in everything]
        hold(ids == sorted(ids) and len(ids) == len(everything), f"{whose} finds in the order {ids}, not by id")
    store.save(_protected("h", "energy"), gone=(_protected("g", "energy"), _protected("nobody")))
    for opened in (store, make_store()):
        left = [record.id for record in opened.find(ProtectedName, sector="energy")]
        hold(left == ["e", "h"] and not opened.load(ProtectedName, "g"), f"{whose} has {left} when g is gone")
    _hold_refused(
        f"{whose} finds by a field that is not indexed", lambda: store.find(ProtectedName, label="E"), ContractError
    )
    nothing = store.find(Unsaved), store.load(Unsaved, "a"), store.count(Unsaved), store.count(Unsaved, "id")
    hold(
        [*map(bool, nothing)] == [False, False, True, False] and nothing[2] == {(): 0},
        f"{whose} has {nothing} of a kind that nobody saved",
    )


class Unsaved(Record, frozen=True):
    """A kind that nobody saves."""

    id: str


def _check_pages(whose: str, make_store: Callable[[], Store]) -> None:
    """Pages follow each other in every order, also among equals, and wherever the last record of a page now stands."""
    store = make_store()
    known = [_finding(number) for number in range(30)]
    store.save(*known)
    store.save(*known[7:9])
    wanted = {"claim": ("claim-0", "claim-2"), "suppressed": False}
    some = [each for each in known if each.claim in ("claim-0", "claim-2") and not each.suppressed]
    for order in ("id", "-id", "score", "-score", "day", "-day", "-subject"):
        for equal, expected in (({}, known), (wanted, some)):
            name, down = order.removeprefix("-"), order.startswith("-")
            expected = sorted(expected, key=lambda each, name=name: (getattr(each, name), each.id), reverse=down)
            found = _paged(store, order, equal)
            hold(found == expected, f"{whose} pages by {order} as {_told(found)} instead of {_told(expected)}")
    last = store.find(Finding, order="-score", limit=3)[-1]
    moved = msgspec.structs.replace(last, score=0.05)
    store.save(moved)
    rest = store.find(Finding, order="-score", after=moved.id)
    hold(all(each.score <= 0.05 for each in rest), f"{whose} goes on from where a record was, not from where it is")
    store.save(last)


def _paged(store: Store, order: str, equal: Mapping[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    page: Sequence[Finding] = store.find(Finding, order=order, limit=4, **equal)
    while page:
        found += page
        page = store.find(Finding, order=order, after=page[-1].id, limit=4, **equal)
    return found


def _told(findings: list[Finding]) -> str:
    return " ".join(each.id[-2:] for each in findings)


def _check_counts(whose: str, make_store: Callable[[], Store]) -> None:
    """Beside the findings of ``_check_pages``, revised and replaced."""
    store = make_store()
    store.save(_finding(0, "confirmed"), _finding(1, "confirmed"))
    store.save(_finding(1, "dismissed"))
    for opened in (store, make_store()):
        counts = opened.count(Finding, "state")
        hold(counts == {("new",): 28, ("confirmed",): 1, ("dismissed",): 1}, f"{whose} counts {counts}")
        hold(opened.count(Finding) == {(): 30}, f"{whose} counts {opened.count(Finding)} of 30 findings")
        some = opened.count(Finding, "day", "suppressed", claim=("claim-0", "claim-1"))
        listed = opened.find(Finding, claim=("claim-0", "claim-1"), limit=1000)
        hold(dict(some) == Counter((each.day, each.suppressed) for each in listed), f"{whose} counts {some} by day")


def _finding(number: int, state: State = "new") -> Finding:
    return Finding(
        id=sha256(b"%d" % number).hexdigest(),
        detector="toy",
        kind="domain",
        subject=f"{number % 7}.example",
        claim=f"claim-{number % 3}",
        score=number % 5 / 10,
        raised=_DAY + timedelta(hours=number // 4 * 9),
        suppressed=number % 4 == 0,
        state=state,
    )


def _check_blobs(whose: str, make_store: Callable[[], Store]) -> None:
    store = make_store()
    digests = [store.put(blob) for blob in (b"", b"one", b"two")]
    hold(len(set(digests)) == 3, f"{whose} gives two blobs one digest")
    hold(store.put(b"one") == digests[1], f"{whose} gives one blob two digests")
    kept = [make_store().get(digest) for digest in digests]
    hold(kept == [b"", b"one", b"two"], f"{whose} gives back other blobs than it was given")
    for digest in ("0" * 64, "../records", ""):
        _hold_refused(
            f"{whose} has a blob {digest!r} that nobody put", lambda digest=digest: store.get(digest), InputError
        )


def _check_expiry(whose: str, make_store: Callable[[], Store]) -> None:
    """Of a table, what lies before a time by its first column of schema.TIME."""
    store = make_store()
    undated = pa.RecordBatch.from_pylist([{"name": "undated.example"}], schema.NAMES)
    rows = pa.concat_batches([_ROWS, undated])
    store.save(landed=[store.land("fleeting", rows, id="all")])
    version = store.version()
    proof = store.expire("fleeting", _DAY + timedelta(days=2))
    hold(proof.rows == 2, f"{whose} expires {proof.rows} of 4 rows that have a time, 2 are older")
    hold(store.version() > version, f"{whose} does not count an expiry as a save")
    for opened in (store, make_store()):
        _hold_rows(whose, "after expiry", opened, "fleeting", rows.slice(2))
        hold(opened.load(Expiry, proof.id) == {proof.id: proof}, f"{whose} keeps no proof of an expiry")
    hold(store.expire("fleeting", _DAY).rows == 0, f"{whose} expires rows that are not older")
    store.save(landed=[store.land("fleeting", rows, id="all")])
    _hold_rows(whose, "when expired rows are saved again", make_store(), "fleeting", rows)


def _hold_refused(told: str, verb: Callable[[], object], reaction: type[Exception]) -> None:
    try:
        verb()
    except reaction:
        return
    raise AssertionError(told)


def _protected(id: str, sector: str = "bank") -> ProtectedName:
    return ProtectedName(id=id, label=id.upper(), sector=sector, words=(id,))


def _hold_rows(whose: str, when: str, store: Store, table: str, wanted: pa.RecordBatch) -> None:
    hold_same(f"{whose}, table {table},", when, as_counts(store.scan(table).to_table()), as_counts(wanted))
