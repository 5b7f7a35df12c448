"""Who is told that accounts leaked: by real files of accounts, a store, and the detector on its engine."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import numpy as np
import pytest

from khien import schema
from khien.app import breach
from khien.breach import exposed as file
from khien.breach.digests import siphash
from khien.breach.place import DOMAIN
from khien.contracts import Store
from khien.model import (
    Asset,
    Collection,
    Constituent,
    Delivery,
    Finding,
    Hearing,
    Holding,
    Intake,
    Notice,
    Proof,
    Removed,
    Wish,
)
from khien.pipeline import exposed
from khien.pipeline.exposed import Look
from tests import toy

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BANK = Constituent(id="bank", label="Bank", hears=(Hearing(channel="mail", address="soc@bank.example"),))
SCHOOL = Constituent(id="school", label="School", hears=(Hearing(channel="mail", address="it@school.example"),))


def collection(id: str, number: int, **fields: Any) -> Collection:
    given: dict[str, Any] = {
        "id": id,
        "number": number,
        "label": f"Collection {number}",
        "leaked": date(2026, 9, 1),
        "kinds": ("address", "password"),
        "given_by": "a partner",
        "at": NOON,
        "basis": "a law",
        "purpose": "to warn",
        "until": date(2027, 11, 22),
    }
    return Collection(**(given | fields))


FORUM, SHOP, CLINIC = (
    collection("forum-2026", 1),
    collection("shop-2026", 2, kinds=("address",)),
    collection("clinic-2026", 3, sensitive="health"),
)


def asset(constituent: str, domain: str, proven: bool = True) -> Asset:
    return Asset(
        id=schema.asset_id("mail-domain", domain, constituent),
        kind="mail-domain",
        value=domain,
        constituent=constituent,
        proof=Proof(how="dns", at=NOON) if proven else None,
    )


def account(number: int) -> bytes:
    return number.to_bytes(2, "big") * 8


class Held:
    """A place with accounts: (account, mail domain, collection)."""

    def __init__(self, data: Path) -> None:
        self.place = breach.place(data)
        self.store: Store = toy.Memory(toy.Place())
        self.look: Look = breach.look(self.store, self.place)

    def hold(self, *rows: tuple[int, str, int], at: datetime = NOON) -> None:
        made = sorted(self._row(*each) for each in rows)
        block = np.frombuffer(b"".join(made), np.uint8).reshape(-1, file.ROW)
        path = file.build(self.place.folder, "accounts-1", 1, [block])
        taken = {number for _, _, number in rows}
        intakes = [
            Intake(id=f"{each.id}-{at:%H}", collection=each.id, at=at, done=at)
            for each in (FORUM, SHOP, CLINIC)
            if each.number in taken
        ]
        self.store.save(Holding(id="accounts-1", file=path.name, entries=len(rows), at=at), *intakes)

    def _row(self, number: int, domain: str, collection: int) -> bytes:
        return account(number) + (self.tag(domain) if domain else bytes(8)) + collection.to_bytes(4, "big")

    def tag(self, domain: str) -> bytes:
        octets = np.frombuffer(domain.encode(), np.uint8)
        starts, ends = np.array([0], np.int64), np.array([len(octets)], np.int64)
        return bytes(siphash(octets, starts, ends, self.place.keyed(DOMAIN), 8)[0])

    def told(self) -> dict[str, Notice]:
        return {each.constituent: each for each in self.store.find(Notice)}


@pytest.fixture
def held(tmp_path: Path) -> Held:
    made = Held(tmp_path)
    made.store.save(BANK, SCHOOL, FORUM, SHOP, CLINIC, asset("bank", "bank.example"))
    return made


MET = ((1, "bank.example", 1), (2, "bank.example", 1), (3, "other.example", 1), (4, "", 1), (5, "bank.example", 3))


def test_a_proven_mail_domain_hears_how_many_of_which_collection_and_never_of_a_sensitive_one(held: Held) -> None:
    held.hold(*MET)
    held.look.exposed(NOON)
    (finding,) = held.store.find(Finding)
    assert (finding.subject, finding.claim, finding.measures) == ("bank.example", "forum-2026", {"accounts": 2.0})
    notice = held.told()["bank"]
    assert (notice.severity, notice.measures) == ("high", {"bank.example.accounts": 2.0})
    assert [each.code for each in notice.reasons] == ["leaked-on", "leaked-kinds"]
    (delivery,) = held.store.find(Delivery)
    assert (delivery.about, delivery.due, delivery.address) == (notice.id, NOON, "soc@bank.example")


def test_looking_again_changes_nothing(held: Held) -> None:
    held.hold(*MET)
    held.look.exposed(NOON)
    version = held.store.version()
    held.look.exposed(NOON + HOUR)
    assert held.store.version() == version


def test_nobody_hears_of_a_domain_that_they_have_not_proven(held: Held) -> None:
    held.store.save(asset("school", "other.example", proven=False))
    held.hold(*MET)
    held.look.exposed(NOON)
    assert held.told().keys() == {"bank"}


def test_a_domain_that_is_proven_later_is_found_then(held: Held) -> None:
    held.hold(*MET)
    before = held.look.seen()
    held.look.exposed(NOON)
    assert held.look.seen() == before
    held.store.save(asset("school", "other.example"))
    assert held.look.seen() != before
    held.look.exposed(NOON + HOUR)
    assert held.told()["school"].measures == {"other.example.accounts": 1.0}


def test_one_that_two_have_proven_is_told_to_both(held: Held) -> None:
    held.hold(*MET)
    held.look.exposed(NOON)
    held.store.save(asset("school", "bank.example"))
    held.look.exposed(NOON + HOUR)
    assert held.told().keys() == {"bank", "school"}


def test_several_domains_of_one_constituent_come_to_one_notice(held: Held) -> None:
    held.store.save(asset("bank", "other.example"))
    held.hold(*MET)
    held.look.exposed(NOON)
    assert held.told()["bank"].measures == {"bank.example.accounts": 2.0, "other.example.accounts": 1.0}
    assert len(held.store.find(Delivery)) == 1


def test_more_of_the_same_is_counted_and_not_told_again(held: Held) -> None:
    held.hold(*MET)
    held.look.exposed(NOON)
    held.hold(*MET, (7, "bank.example", 1), at=NOON + HOUR)
    held.look.exposed(NOON + HOUR)
    notice = held.told()["bank"]
    assert (notice.revision, notice.measures) == (2, {"bank.example.accounts": 3.0})
    assert len(held.store.find(Delivery)) == 1


def test_a_collection_without_secrets_weighs_less(held: Held) -> None:
    held.hold((1, "bank.example", 2))
    held.look.exposed(NOON)
    assert held.told()["bank"].severity == "medium"


def test_a_collection_that_is_deleted_is_over(held: Held) -> None:
    held.hold(*MET)
    held.look.exposed(NOON)
    held.store.save(msgspec.structs.replace(FORUM, gone=NOON + HOUR))
    held.look.exposed(NOON + HOUR)
    (finding,) = held.store.find(Finding)
    assert finding.state == "gone"
    assert held.told()["bank"].state == "closed"
    assert held.store.find(Delivery)[0].state == "withdrawn"


def test_a_collection_that_turns_out_to_be_sensitive_is_told_no_more(held: Held) -> None:
    held.hold(*MET)
    held.look.exposed(NOON)
    before = held.look.seen()
    held.store.save(msgspec.structs.replace(FORUM, sensitive="faith"))
    assert held.look.seen() != before
    held.look.exposed(NOON + HOUR)
    assert held.told()["bank"].state == "closed"


def test_an_account_that_was_taken_out_is_not_counted(held: Held) -> None:
    held.store.save(Removed(id=account(1).hex(), epoch=1, at=NOON, by="khien"))
    held.hold(*MET)
    held.look.exposed(NOON)
    assert held.told()["bank"].measures == {"bank.example.accounts": 1.0}


def test_when_the_last_account_is_taken_out_it_is_over_and_back_with_the_next(held: Held) -> None:
    held.hold((1, "bank.example", 1))
    held.look.exposed(NOON)
    held.store.save(Removed(id=account(1).hex(), epoch=1, at=NOON, by="khien"))
    held.look.exposed(NOON + HOUR)
    assert [each.state for each in held.store.find(Finding)] == ["gone"]
    assert held.told()["bank"].state == "closed"
    held.hold((1, "bank.example", 1), (2, "bank.example", 1), at=NOON + 2 * HOUR)
    held.look.exposed(NOON + 2 * HOUR)
    assert [each.state for each in held.store.find(Finding)] == ["back"]
    assert held.told()["bank"].state == "open"


def wish(number: int, at: datetime = NOON, until: date = date(2028, 11, 22)) -> Wish:
    return Wish(id=account(number).hex(), epoch=1, sealed="sealed", at=at, until=until)


def letters(held: Held) -> Sequence[Delivery]:
    return held.store.find(Delivery, about=tuple(account(each).hex() for each in range(10)))


def test_who_wished_for_it_gets_one_letter_for_each_collection_that_comes_later(held: Held) -> None:
    held.store.save(wish(5), wish(9))
    held.hold(*MET, at=NOON + HOUR)
    held.look.exposed(NOON + HOUR)
    held.look.exposed(NOON + 2 * HOUR)
    (letter,) = letters(held)
    assert (letter.about, letter.channel) == (account(5).hex(), exposed.WISHES)
    assert CLINIC.id not in msgspec.json.encode(letter).decode()
    held.hold(*MET, (5, "bank.example", 2), at=NOON + 3 * HOUR)
    held.look.exposed(NOON + 3 * HOUR)
    assert len(letters(held)) == 2


def test_what_was_there_before_the_wish_is_no_news(held: Held) -> None:
    held.hold(*MET)
    held.store.save(wish(5, at=NOON + HOUR))
    held.look.exposed(NOON + 2 * HOUR)
    assert not letters(held)


def test_a_wish_that_is_over_is_there_no_more(held: Held) -> None:
    held.store.save(wish(5, until=NOON.date()))
    held.hold(*MET, at=NOON + HOUR)
    held.look.exposed(NOON + 2 * HOUR)
    assert not letters(held)
    assert not held.store.find(Wish)


def test_a_watch_looks_at_the_start_and_when_something_changed(held: Held) -> None:
    held.hold(*MET)
    last, times = Event(), list[datetime]()

    def clock() -> datetime:
        times.append(NOON)
        if len(times) == 2:
            last.set()
        if len(times) == 1:
            held.store.save(SCHOOL)
        return NOON

    exposed.watch(held.look, clock, Event(), last)
    assert held.told().keys() == {"bank"}


def test_without_anything_held_there_is_nothing_to_tell(held: Held) -> None:
    held.look.exposed(NOON)
    assert not held.store.find(Finding)
