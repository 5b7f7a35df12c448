"""What those who steer are shown: who is a constituent now, what is theirs now, and how soon people were told."""

from datetime import timedelta

import msgspec
import pytest

from khien import schema
from khien.contracts import Store
from khien.model import Asset, Constituent
from khien.pipeline import standing
from khien.triage import tokens
from tests.pipeline.told import BANK, FOUND, NOON, SENT, TOLD, delivery, notice, place

KEY = bytes(32)


def asset(value: str, constituent: str = "bank", gone: bool = False) -> Asset:
    known = schema.asset_id("domain", value, constituent)
    return Asset(id=known, kind="domain", value=value, constituent=constituent, left=NOON if gone else None)


def constituent(id: str, gone: bool = False) -> Constituent:
    return Constituent(id=id, label=id, left=NOON if gone else None)


def listed(store: Store, limit: int) -> list[str]:
    """The constituents of all pages."""
    met, page = list[str](), standing.constituents(store, limit=limit)
    met += [each.constituent.id for each in page.members]
    while page.after:
        page = standing.constituents(store, page.after, limit)
        met += [each.constituent.id for each in page.members]
        assert len(page.members) <= limit
    return met


def test_what_was_given_up_is_not_shown() -> None:
    store = place(BANK, TOLD, asset("kept.example"), asset("sold.example", gone=True))
    member = standing.constituent(store, "bank")
    assert member
    assert [each.value for each in member.assets] == ["kept.example"]
    assert [each.id for each in member.notices] == [TOLD.id]
    (one,) = standing.constituents(store).members
    assert [each.value for each in one.assets] == ["kept.example"]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_who_left_is_not_listed_and_every_page_is_full(limit: int) -> None:
    store = place(*(constituent(f"c{n}", gone=n % 3 == 0) for n in range(9)))
    assert listed(store, limit) == ["c1", "c2", "c4", "c5", "c7", "c8"]
    assert standing.constituent(store, "c3") is None
    assert standing.constituent(store, "c4")


def test_a_notice_of_who_left_leads_to_nobody() -> None:
    for of, known in ((BANK, True), (constituent("bank", gone=True), False)):
        whole = standing.notice(place(of, TOLD, SENT), TOLD.id)
        assert whole
        assert (whole.of is not None, whole.deliveries) == (known, (SENT,))


def test_a_citizens_code_is_known_however_many_notices_went_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "CODES", 2)
    told = notice("hoa", sector=tokens.CITIZEN, raised=NOON - timedelta(days=1))
    others = [
        notice(finding=msgspec.structs.replace(FOUND, id=f"{n}" * 64), raised=NOON + timedelta(seconds=n))
        for n in range(5)
    ]
    store = place(told, *others)
    assert standing.by_code(store, tokens.code(KEY, told.id), KEY) == told
    assert standing.by_code(store, tokens.code(KEY, others[0].id), KEY) is None  # theirs is a link


def test_what_was_agreed_to_wait_is_no_delay() -> None:
    soon = notice(first_sign=NOON - timedelta(seconds=4))
    digest = notice("shop", campaign=standing.DIGEST, first_sign=NOON - timedelta(days=1))
    again = delivery(soon.id, 2, state="sent", sent=NOON + timedelta(hours=4))
    gathered = delivery(digest.id, state="sent", sent=NOON)
    store = place(soon, digest, SENT, again, gathered)
    assert list(standing.waits(store, 100)) == [4]
    assert list(standing.waits(place(soon, again), 100)) == []
