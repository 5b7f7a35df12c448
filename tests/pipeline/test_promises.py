"""A promise made under one key holds under the next: real imports into real stores, with a key for each epoch."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from khien.breach import voprf
from khien.breach.exposed import Exposed
from khien.errors import UnavailableError
from khien.model import Removed, Wish
from khien.pipeline import intake, promises
from khien.pipeline.owners import Owners
from khien.pipeline.promises import standing
from tests.pipeline.test_intake import FORUM, NOON, ROWS, SHOP, Given, Room

LAN, BINH = b"mail:lan.nguyen@example.vn", b"mail:binh@example.vn"
KEYS = {epoch: voprf.derive(bytes(32), b"test %d" % epoch) for epoch in (1, 2, 3)}


def account(spelled: bytes, epoch: int) -> str:
    return voprf.direct(KEYS[epoch], [spelled])[0][:16].hex()


class House(Room):
    """Takes in under the newest of its epochs. asked: the inputs that were blinded, by epoch."""

    epochs: tuple[int, ...] = (1,)

    def begin(self, *epochs: int) -> None:
        """Goes over to other epochs."""
        self.epochs = epochs
        self.under: dict[int, list[bytes]] = {each: [] for each in epochs}
        earlier = {each: partial(self.made, each) for each in standing(self.store, epochs[-1])}
        newest = epochs[-1]
        self.taking = replace(self.taking, epoch=newest, blinded=partial(self.made, newest), earlier=earlier)

    def made(self, epoch: int, inputs: Sequence[bytes]) -> list[bytes]:
        self.under[epoch] += inputs
        return voprf.direct(KEYS[epoch], inputs)

    @property
    def owners(self) -> Owners:
        return Owners(self.store, self.place, self.accounts)

    def accounts(self, spelled: bytes) -> dict[int, bytes]:
        return {each: bytes.fromhex(account(spelled, each)) for each in self.epochs}

    def met(self, spelled: bytes, epoch: int) -> tuple[int, ...]:
        holding = self.place.holding(self.store, f"accounts-{epoch}")
        return Exposed.open(self.place.path(holding)).collections(self.accounts(spelled)[epoch]) if holding else ()


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path / "data")
    made.begin(1)
    return made


def wish(house: House, spelled: bytes, at: datetime = NOON) -> None:
    house.owners.tell(spelled, "vi", bytes(range(32)), lambda size: bytes([7]) * size, at)


def test_who_was_taken_out_stays_out_under_later_keys(house: House) -> None:
    house.read(ROWS, "shop-a")
    house.settle()
    house.owners.remove(BINH, by="khien", at=NOON)
    house.settle()
    house.begin(1, 2)
    house.read(ROWS, "forum-a", FORUM)
    house.settle()
    assert house.met(BINH, 2) == ()
    assert house.met(LAN, 2) == (2,)
    assert house.under[1] == [BINH], "the others' outputs are known"
    assert [(each.epoch, each.carried) for each in house.store.find(Removed)].count((2, False)) == 1
    house.begin(2, 3)
    assert [*house.taking.earlier] == [2], "what a later key has needs no earlier one"
    house.read(ROWS, "shop-b", SHOP)
    house.settle()
    assert house.met(BINH, 3) == ()
    assert sorted((each.epoch, each.carried) for each in house.store.find(Removed)) == [
        (1, True),
        (2, True),
        (3, False),
    ]
    assert {each.at for each in house.store.find(Removed)} == {NOON}


def test_wishes_are_met_under_later_keys(house: House) -> None:
    wish(house, LAN)
    house.begin(1, 2)
    house.read(ROWS, "shop-a")
    (first, second) = sorted(house.store.find(Wish), key=lambda each: each.epoch)
    assert (first.id, first.carried) == (account(LAN, 1), True)
    assert (second.id, second.carried) == (account(LAN, 2), False)
    assert (second.sealed, second.at, second.until) == (first.sealed, first.at, first.until)
    house.owners.forget(LAN)
    assert not house.store.find(Wish)


def test_a_wish_that_was_taken_back_does_not_come_again(house: House) -> None:
    wish(house, LAN)
    house.begin(1, 2)
    pages = house.taking.take(Given(ROWS[1:], 1), SHOP, "shop-a")
    house.owners.forget(LAN)
    assert sum(each.rows for each in pages) == 5
    assert not house.store.find(Wish)


def test_what_is_promised_under_both_keys_takes_the_later_one_alone(house: House) -> None:
    house.begin(1, 2)
    wish(house, LAN)
    house.owners.remove(BINH, by="lan", at=NOON)
    assert standing(house.store, 2) == ()
    assert standing(house.store, 3) == (2,)
    assert {(each.epoch, each.carried) for each in promises.of(house.store, 1)} == {(1, True)}


def test_who_asks_again_after_a_new_key_needs_the_old_one_no_more(house: House) -> None:
    house.owners.remove(BINH, by="lan", at=NOON)
    wish(house, LAN)
    house.begin(1, 2)
    assert standing(house.store, 2) == (1,)
    house.owners.remove(BINH, by="khien", at=NOON.replace(hour=13))
    wish(house, LAN, NOON.replace(hour=13))
    assert standing(house.store, 2) == ()
    assert {each.epoch: each.by for each in house.store.find(Removed)} == {1: "lan", 2: "khien"}
    assert {each.epoch: each.at.hour for each in house.store.find(Wish)} == {1: 12, 2: 13}


def test_an_import_that_broke_off_keeps_promises_when_it_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was met is kept before a page is done: the promise is kept before that."""
    house.owners.remove(BINH, by="khien", at=NOON)
    house.begin(1, 2)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(intake.Taking, "_meet", full)
        with pytest.raises(UnavailableError, match="make room"):
            house.read(ROWS[4:], "shop-a")
    house.read(ROWS, "shop-a")
    house.settle()
    assert house.met(BINH, 2) == ()
    assert house.met(LAN, 2) == (1,)


def test_an_old_key_is_asked_only_where_something_was_promised(house: House) -> None:
    house.read(ROWS, "shop-a")
    house.settle()
    house.begin(1, 2)
    assert not house.taking.earlier
    house.read([(b"new@example.vn", b"x")], "forum-a", FORUM)
    assert house.under == {1: [], 2: [b"mail:new@example.vn"]}


def test_promises_of_an_epoch(house: House) -> None:
    ids = [f"{each:032x}" for each in range(1100)]
    there = [Removed(id=each, epoch=1 + at % 2, at=NOON, by="khien") for at, each in enumerate(ids)]
    until = date(2028, 11, 22)
    kept = Wish(id=ids[0], epoch=2, sealed="", at=datetime(2026, 1, 1, tzinfo=UTC), until=until)
    house.store.save(*there, kept)
    assert len(promises.of(house.store, 1)) == 550
    assert len(promises.of(house.store, 2)) == 551
    assert promises.removals(house.store) == frozenset(map(bytes.fromhex, ids))
