"""What leaked, taken in by a real store: what is held follows from rows alone, however they come, whatever breaks."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pyarrow as pa
import pytest

from khien import schema
from khien.app import breach
from khien.breach import accounts, digests, voprf
from khien.breach.exposed import Exposed
from khien.breach.place import Place
from khien.breach.table import Table
from khien.contracts import Page
from khien.errors import RefusedError, UnavailableError
from khien.folds.credentials import Credentials
from khien.model import Collection, Holding, Intake, Removed
from khien.pipeline import intake
from khien.pipeline.intake import Taking
from khien.stores.embedded.store import Embedded

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = voprf.derive(bytes(32), b"test")
SHOP = Collection(
    id="shop",
    number=1,
    label="Shop",
    given_by="the shop",
    at=NOON,
    basis="its report",
    purpose="to warn",
    until=date(2027, 11, 22),
)
FORUM = msgspec.structs.replace(SHOP, id="forum", number=2, label="Forum")
ROWS = [
    (b"Lan.Nguyen@example.vn", b"matkhau1"),
    (b"lan.nguyen@example.vn", b"matkhau1"),
    (b"0912345678", b"matkhau1"),
    (b"lan_n", b"matkhau2"),
    (b"binh@example.vn", b""),
    (b"binh@example.vn", b"khac"),
]


@dataclass(frozen=True)
class Given:
    """Rows, so many a page."""

    name: ClassVar[str] = "given"
    yields: ClassVar[pa.Schema] = schema.LEAKED
    replayable: ClassVar[bool] = True

    rows: Sequence[tuple[bytes, bytes]]
    page: int = 2

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Pages behind cursor."""
        for at in range(int(cursor or b"0"), len(self.rows), self.page):
            accounts, secrets = zip(*self.rows[at : at + self.page], strict=True)
            columns = [pa.array(accounts, pa.binary()), pa.array(secrets, pa.binary())]
            broken = {"place": str(at), "reason": "row-empty", "excerpt": "00"}
            skipped = pa.RecordBatch.from_pylist([broken] if at == 0 else [], schema.SKIPPED)
            yield Page(pa.RecordBatch.from_arrays(columns, schema=schema.LEAKED), b"%d" % (at + self.page), skipped)


class Room:
    """A data directory in which something is taken in. asked: the inputs that were blinded."""

    def __init__(self, data: Path, ntlm: bool = False) -> None:
        self.store = Embedded.at(data, lambda: NOON)
        self.place = Place(data / "breach", lambda: bytes(32))
        self.asked: list[bytes] = []
        fold = Credentials(self.place.key(), ntlm=ntlm)
        self.taking = Taking(self.store, self.place, lambda: NOON, 1, fold, accounts.canonical, self.blinded)

    def blinded(self, inputs: Sequence[bytes]) -> list[bytes]:
        self.asked += inputs
        return voprf.direct(KEY, inputs)

    def read(self, rows: Sequence[tuple[bytes, bytes]], id: str, collection: Collection = SHOP, page: int = 2) -> int:
        return sum(taken.rows for taken in self.taking.take(Given(rows, page), collection, id))

    def settle(self, **settings: Any) -> tuple[Intake, ...]:
        return intake.settle(self.store, self.place, lambda: NOON, lambda _: (), **settings)

    def held(self) -> dict[str, bytes]:
        return {each.id: self.place.path(each).read_bytes() for each in self.store.find(Holding)}

    def table(self, id: str) -> Table:
        holding = self.place.holding(self.store, id)
        assert holding is not None
        return Table.open(self.place.path(holding))

    def collections(self, account: bytes) -> tuple[int, ...]:
        holding = self.place.holding(self.store, "accounts-1")
        assert holding is not None
        return Exposed.open(self.place.path(holding)).collections(output(account))


def output(account: bytes) -> bytes:
    return voprf.direct(KEY, [account])[0][:16]


def sha1(secret: bytes) -> bytes:
    return hashlib.sha1(secret, usedforsecurity=False).digest()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "data")


def test_what_lookups_find(room: Room) -> None:
    assert room.read(ROWS, "shop-a") == len(ROWS)
    assert room.held() == {}, "nothing is looked up before it is merged"
    (done,) = room.settle()
    assert (done.rows, done.accounts, done.fresh, done.skipped) == (6, 3, 3, {"row-empty": 1})
    assert room.store.load(Holding, "accounts-1")["accounts-1"].met == {"1": 3}
    assert room.table("sha1").count(sha1(b"matkhau1")) == 2, "of one account twice, but as the same pair"
    assert room.table("sha1").count(sha1(b"matkhau2")) == 1, "of a name that is not kept"
    assert room.table("sha1").count(sha1(b"")) == 0
    assert room.collections(b"mail:lan.nguyen@example.vn") == (1,)
    assert room.collections(b"phone:+84912345678") == (1,)
    assert room.collections(b"mail:nobody@example.vn") == ()
    assert not room.place.runs("shop-a", ".").exists()
    assert room.place.holding(room.store, "ntlm") is None


def test_ntlm_where_asked(tmp_path: Path) -> None:
    room = Room(tmp_path, ntlm=True)
    room.read([(b"a@example.vn", b"password")], "shop-a")
    room.settle()
    assert room.table("ntlm").count(bytes.fromhex("8846f7eaee8fb117ad06bdd830b7586c")) == 1


def test_again_adds_nothing_and_blinds_nothing(room: Room) -> None:
    room.read(ROWS, "shop-a")
    room.settle()
    before, asked = room.held(), len(room.asked)
    assert room.read(ROWS, "shop-a") == 0
    assert room.settle() == ()
    assert room.held() == before
    room.read(ROWS, "forum-a", FORUM)
    room.settle()
    assert len(room.asked) == asked, "known accounts cost a keyed hash"
    assert room.collections(b"mail:binh@example.vn") == (1, 2)
    assert room.table("sha1").count(sha1(b"matkhau1")) == 4


def rows(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"user%d@example%d.vn" % (each % 300, each % 7), b"secret%d" % (each % 90)) for each in range(count)]


def test_the_same_whatever_the_order_and_the_batches(tmp_path: Path) -> None:
    many = rows(300)
    one, other = Room(tmp_path / "one"), Room(tmp_path / "other")
    one.read(many[:200], "shop-a", page=200)
    one.read(many[200:], "forum-b", FORUM, page=30)
    one.settle()
    other.read(many[200:][::-1], "forum-b", FORUM, page=100)
    other.settle()
    other.read(many[:200][::-1], "shop-a", page=50)
    other.settle()
    assert one.held() == other.held()
    assert {*one.held()} == {"sha1", "accounts-1", "known-1"}


def test_left_anywhere_it_goes_on(tmp_path: Path) -> None:
    many = rows(200)
    whole = Room(tmp_path / "whole")
    whole.read(many, "shop-a", page=10)
    whole.settle()
    broken = Room(tmp_path / "broken")
    for pages in (1, 0, 3, 9, 2, 0):
        list(islice(broken.taking.take(Given(many, 10), SHOP, "shop-a"), pages))
    broken.read(many, "shop-a", page=10)
    broken.settle()
    assert broken.held() == whole.held()
    (one,), (other,) = whole.store.find(Intake), broken.store.find(Intake)
    assert one == other


@pytest.mark.parametrize("lost", ["save", "write_run", "merge", "merged", "build"])
def test_what_breaks_comes_again(tmp_path: Path, lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step fails once at each of its calls: what was written before it stays, and is not counted twice."""
    many = rows(100)
    whole = Room(tmp_path / "whole")
    whole.read(many, "shop-a", page=20)
    whole.settle()
    room, calls = Room(tmp_path / "room"), 0
    target: Any = {"save": Embedded, "build": intake.table}.get(lost, intake.sorting)
    real: Callable[..., Any] = getattr(target, lost)
    fails = {1, 2, 3, 5, 8, 13, 34, 60}

    def breaks(*given: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        made = real(*given, **settings) if calls % 2 else None  # after it was done, or before
        if calls in fails:
            raise OSError(28, "No space left on device")
        return real(*given, **settings) if made is None else made

    monkeypatch.setattr(target, lost, breaks)
    for _ in range(len(fails) + 1):
        try:
            room.read(many, "shop-a", page=20)
            room.settle()
        except (UnavailableError, OSError):
            continue
        break
    assert room.held() == whole.held()
    assert calls > 1


def test_a_page_that_breaks_off_blinds_nothing_twice(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_AT_ONCE", 10)
    many = rows(100)
    real = room.taking.blinded
    broken = replace(room.taking, blinded=lambda inputs: real(inputs) if len(room.asked) < 50 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(broken.take(Given(many, 100), SHOP, "shop-a"))
    assert len(room.asked) == 50
    room.read(many, "shop-a", page=100)
    (done,) = room.settle()
    assert len(room.asked) == 100
    assert (done.accounts, done.fresh) == (100, 100)


def test_a_full_disk_is_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(intake.sorting, "write_run", full)
    with pytest.raises(UnavailableError, match="No space left on device: make room, run it again"):
        room.read(ROWS, "shop-a")


def test_many_pages_leave_few_runs(room: Room) -> None:
    many = rows(140)
    room.read(many, "shop-a", page=4)
    assert len(list(room.place.runs("shop-a", "known-1").iterdir())) < 10
    room.settle()
    assert len(room.asked) == len(set(room.asked)) == 140


def test_another_intake_that_waits_spares_the_blinding(room: Room, tmp_path: Path) -> None:
    """And what is held does not depend on whether it was there."""
    room.read(ROWS, "shop-a")
    asked = len(room.asked)
    room.read(ROWS, "forum-a", FORUM)
    assert len(room.asked) == asked
    shutil.rmtree(room.place.runs("shop-a", "."))
    room.store.save(msgspec.structs.replace(room.store.load(Intake, "shop-a")["shop-a"], done=NOON))
    room.settle()
    alone = Room(tmp_path / "alone")
    alone.read(ROWS, "forum-a", FORUM)
    alone.settle()
    assert room.held() == alone.held()


def test_a_kill_in_the_first_page_leaves_nothing_that_stays(room: Room) -> None:
    """What was read belongs to an intake from the first run on, and runs that belong to none are swept away."""
    broken = replace(room.taking, blinded=lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(broken.take(Given(ROWS), SHOP, "shop-a"))
    assert list(room.place.runs("shop-a", ".").rglob("*.run"))
    (begun,) = room.store.find(Intake)
    assert (begun.id, begun.rows, begun.done) == ("shop-a", 0, None)
    intake.sweep(room.store, room.place, NOON)
    assert list(room.place.runs("shop-a", ".").rglob("*.run")), "it goes on"
    gone = msgspec.structs.replace(SHOP, gone=NOON)
    intake.settle(room.store, room.place, lambda: NOON, lambda _: [gone], gone=[SHOP.number])
    assert not list(room.place.runs(".", ".").iterdir())


def test_runs_that_no_intake_names_go(room: Room) -> None:
    room.read(ROWS, "shop-a")
    left = room.place.runs("shop-b", "sha1")
    left.mkdir(parents=True)
    (left / "00.run").write_bytes(b"left")
    room.settle()
    assert not list(room.place.runs(".", ".").iterdir())


def test_what_is_deleted_is_in_no_file(room: Room) -> None:
    room.read(ROWS, "shop-a")
    room.read(ROWS[:1], "forum-a", FORUM)
    room.settle()
    gone = msgspec.structs.replace(SHOP, gone=NOON)
    intake.settle(room.store, room.place, lambda: NOON, lambda _: [gone], gone=[SHOP.number])
    assert room.collections(b"mail:lan.nguyen@example.vn") == (2,)
    assert room.collections(b"mail:binh@example.vn") == ()
    assert output(b"mail:lan.nguyen@example.vn") in room.held()["known-1"]
    assert output(b"mail:binh@example.vn") not in room.held()["known-1"], "nothing tells that it was met"
    with pytest.raises(RefusedError, match="shop was deleted"):
        room.read(ROWS, "shop-b", gone)


def test_runs_of_what_is_deleted_go_too(room: Room) -> None:
    list(islice(room.taking.take(Given(ROWS), SHOP, "shop-a"), 1))
    intake.settle(room.store, room.place, lambda: NOON, lambda _: [msgspec.structs.replace(SHOP, gone=NOON)], gone=[1])
    assert not room.place.runs("shop-a", ".").exists()


def test_who_was_removed_stays_out(room: Room) -> None:
    room.store.save(Removed(id=output(b"mail:binh@example.vn").hex(), epoch=1, at=NOON, by="khien"))
    room.read(ROWS, "shop-a")
    room.settle()
    assert room.collections(b"mail:binh@example.vn") == ()
    assert output(b"mail:binh@example.vn") not in room.held()["known-1"]
    assert room.collections(b"mail:lan.nguyen@example.vn") == (1,)


def test_the_rows_of_who_was_removed_go_with_any_merge(room: Room) -> None:
    room.read(ROWS, "shop-a")
    room.settle()
    room.store.save(Removed(id=output(b"mail:binh@example.vn").hex(), epoch=1, at=NOON, by="khien"))
    room.settle()
    assert output(b"mail:binh@example.vn") not in b"".join(room.held().values())
    assert room.collections(b"mail:lan.nguyen@example.vn") == (1,)
    before = room.held()
    room.settle()
    assert room.held() == before


def test_with_a_shared_key_nothing_tells_accounts_met_before(room: Room) -> None:
    room.read(ROWS, "shop-a")
    room.settle(shared=[1])
    assert {*room.held()} == {"sha1", "accounts-1"}
    room.read(ROWS, "forum-a", FORUM)
    room.settle(shared=[1])
    assert len(room.asked) == 6


def test_a_list_of_hashes(room: Room) -> None:
    digests = pa.array([sha1(b"matkhau1"), sha1(b"x")], pa.binary(20))
    columns = [digests, pa.nulls(2, pa.binary(16)), pa.array([41, 7])]
    page = Page(pa.RecordBatch.from_arrays(columns, schema=schema.COUNTED), b"over", None)

    class Counted:
        name: ClassVar[str] = "counted"
        yields: ClassVar[pa.Schema] = schema.COUNTED
        replayable: ClassVar[bool] = True

        def read(self, cursor: bytes | None, /) -> Iterator[Page]:
            if cursor is None:
                yield page

    list(room.taking.take(Counted(), SHOP, "shop-hashes"))
    room.read(ROWS, "shop-a")
    room.settle()
    assert room.table("sha1").count(sha1(b"matkhau1")) == 43
    assert room.table("sha1").count(sha1(b"x")) == 7


def test_files_that_were_replaced_go_after_a_while(room: Room) -> None:
    room.read(ROWS, "shop-a")
    room.settle()
    old = {room.place.path(each) for each in room.store.find(Holding)}
    room.read(rows(5), "shop-b")
    room.settle()
    assert all(path.exists() for path in old), "somebody may be opening them"
    intake.sweep(room.store, room.place, NOON + 2 * intake.GRACE)
    assert {path for path in room.place.folder.iterdir() if path.is_file()} == {
        room.place.path(each) for each in room.store.find(Holding)
    }


def test_the_place_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    place = breach.place(tmp_path / "data")
    room = Room(tmp_path / "data")
    room.read(ROWS, "shop-a")
    for each in [place.folder, *place.folder.rglob("*")]:
        assert each.stat().st_mode & 0o077 == 0, each
    room.settle()
    for each in [place.folder, *place.folder.rglob("*")]:
        assert each.stat().st_mode & 0o077 == 0, each


def test_what_takes_in_does_not_show_its_keys(room: Room) -> None:
    shown = repr(room.taking)
    assert room.place.folder.name in shown
    assert repr(room.place.key()) not in shown
    assert repr(digests.derived(room.place.key(), b"account")) not in shown
