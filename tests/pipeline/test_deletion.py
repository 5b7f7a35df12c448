"""Collections whose day has come go by themselves: a real store, real files, and the lock of who takes in."""

import logging
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event, Thread

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien.audit import Audit
from khien.breach.exposed import Exposed
from khien.errors import ConflictError, InputError
from khien.model import Collection, Entry, Holding, Intake, Removed
from khien.pipeline import deletion
from khien.pipeline.deletion import Deleting
from khien.stores.embedded.lock import Lock
from tests.pipeline.test_intake import FORUM, NOON, ROWS, SHOP, Given, Room, output

BINH, LAN = b"mail:binh@example.vn", b"mail:lan.nguyen@example.vn"
DAY = datetime(2027, 11, 22, 0, 0, 1, tzinfo=NOON.tzinfo)  # SHOP's


class Kept:
    """A data directory with two collections, of which SHOP is due on its DAY. now: the time it is."""

    def __init__(self, data: Path) -> None:
        self.now = NOON
        self.room = room = Room(data)
        room.store.save(SHOP, msgspec.structs.replace(FORUM, until=SHOP.until + timedelta(days=1)))
        room.read(ROWS, "shop-a")
        room.read(ROWS[:1], "forum-a", FORUM)
        room.settle()
        audit = Audit(Ed25519PrivateKey.from_private_bytes(bytes(32)), self.clock, lambda size: bytes(size))
        self.deleting = Deleting(room.store, room.place, audit, lambda: Lock(room.place.folder))

    def clock(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def watch(self, told: list[str]) -> None:
        last = Event()
        last.set()
        deletion.watch(self.deleting, Event(), last, lambda each: told.append(each.id))

    def entries(self) -> list[tuple[str, str, str, dict[str, str]]]:
        return [(each.by, each.act, each.what, each.params) for each in self.room.store.find(Entry)]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(deletion, "_OPENING", 0.01)
    return Kept(tmp_path / "data")


def test_nothing_goes_before_its_day(kept: Kept) -> None:
    before, told = kept.room.held(), list[str]()
    kept.now = DAY - timedelta(seconds=2)
    kept.watch(told)
    assert (told, kept.room.held(), kept.entries()) == ([], before, [])


def test_what_is_due_goes_and_is_told(kept: Kept) -> None:
    kept.now, told = DAY, list[str]()
    before = {each.file for each in kept.room.store.find(Holding)}
    kept.watch(told)
    assert told == ["shop"]
    assert kept.room.collections(BINH) == ()
    assert kept.room.collections(LAN) == (2,)
    assert kept.room.store.load(Collection, "shop")["shop"].gone
    assert kept.entries() == [("khien", "collection-deleted", "shop", {"until": "2027-11-22"})]
    files = {each.name for each in kept.room.place.folder.iterdir()}
    assert not {each for each in before & files if each.startswith(("accounts", "known"))}, "not even for a while"
    kept.watch(told)
    assert (told, len(kept.entries())) == (["shop"], 1)


def test_it_waits_for_who_takes_in(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "_AGAIN", 0.1)
    kept.now, told, stop = DAY, list[str](), Event()

    def heard(collection: Collection) -> None:
        told.append(collection.id)
        stop.set()

    with Lock(kept.room.place.folder):
        with pytest.raises(ConflictError):
            kept.deleting.keep(kept.now)
        watching = Thread(target=deletion.watch, args=(kept.deleting, stop, Event(), heard))
        watching.start()
        assert not stop.wait(0.5)
    assert stop.wait(30)
    watching.join(30)
    assert told == ["shop"]


def test_what_cannot_be_deleted_is_said(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    holding = kept.room.place.holding(kept.room.store, "accounts-1")
    assert holding
    kept.room.place.path(holding).write_bytes(b"damaged")
    kept.now, told = DAY, list[str]()
    with caplog.at_level(logging.ERROR):
        kept.watch(told)
    assert not told
    assert "does not end as it was written" in caplog.text
    assert kept.room.store.load(Collection, "shop")["shop"].gone is None


def test_who_was_taken_out_leaves_the_files_within_a_day(kept: Kept) -> None:
    kept.room.store.save(Removed(id=output(BINH).hex(), epoch=1, at=NOON, by="khien"))
    kept.watch([])
    assert output(BINH) not in b"".join(kept.room.held().values())
    assert Exposed.open(next(kept.room.place.folder.glob("accounts-1-*"))).entries, "the others stay"


def test_an_import_that_broke_off_before_the_end_is_told_of_too(kept: Kept) -> None:
    kept.room.read(ROWS, "forum-b", FORUM)
    kept.deleting.delete("shop", by="lan", why="the shop asked")
    assert kept.entries() == [
        ("lan", "collection-deleted", "shop", {"why": "the shop asked"}),
        ("lan", "leak-taken-in", "forum", {"intake": "forum-b", "rows": "6"}),
    ]
    assert kept.room.store.load(Intake, "forum-b")["forum-b"].done
    with pytest.raises(InputError, match="shop was deleted on"):
        kept.deleting.delete("shop", by="lan", why="again")
    with pytest.raises(InputError, match="no collection"):
        kept.deleting.delete("bank", by="lan", why="there is none")


def test_one_that_was_killed_is_finished(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {each.file for each in kept.room.store.find(Holding)}
    with monkeypatch.context() as patched:
        patched.setattr(deletion.time, "sleep", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            kept.deleting.delete("shop", by="lan", why="the shop asked")
    assert all((kept.room.place.folder / each).exists() for each in before)
    with pytest.raises(InputError, match="shop was deleted on"):
        kept.deleting.delete("shop", by="lan", why="the shop asked")
    files = {each.name for each in kept.room.place.folder.iterdir()}
    assert not {each for each in before & files if each.startswith(("accounts", "known"))}
    assert [each[:3] for each in kept.entries()] == [("lan", "collection-deleted", "shop")]


def test_what_is_half_taken_in_is_given_up(kept: Kept) -> None:
    room = kept.room
    before = room.held()
    list(islice(room.taking.take(Given(ROWS), FORUM, "forum-b"), 1))
    for wanted in ("bank", "shop", "forum-a"):
        with pytest.raises(InputError, match="nothing is half taken in"):
            kept.deleting.give_up(wanted, by="lan", why="it is damaged")
    assert [each.id for each in kept.deleting.give_up("forum", by="lan", why="it is damaged")] == ["forum-b"]
    assert not [*room.place.runs(".", ".").iterdir()]
    assert "forum-b" not in room.store.load(Intake, "forum-b")
    assert kept.entries() == [("lan", "leak-given-up", "forum", {"intake": "forum-b", "why": "it is damaged"})]
    room.settle()
    assert room.held() == before
    list(islice(room.taking.take(Given(ROWS), FORUM, "forum-b"), 1))
    assert room.read(ROWS, "forum-b", FORUM) == len(ROWS) - 2, "from its start, and then on"


def test_who_is_taken_out_leaves_the_files(kept: Kept) -> None:
    before = {each.file for each in kept.room.store.find(Holding)}
    kept.room.store.save(Removed(id=output(BINH).hex(), epoch=1, at=NOON, by="khien"))
    kept.deleting.take_out("lan")
    for path in kept.room.place.folder.iterdir():
        assert path.is_dir() or output(BINH) not in path.read_bytes(), path
    after = {each.file for each in kept.room.store.find(Holding)}
    assert {each.split("-")[0] for each in before - after} == {"accounts", "known"}
    kept.deleting.take_out("lan")
    assert {each.file for each in kept.room.store.find(Holding)} == after
