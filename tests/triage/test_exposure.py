"""Accounts that leaked: who is told, how loud, and what it says."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from khien import schema, words
from khien.formats.letter import Beside, letter
from khien.model import Asset, Collection, Constituent, Delivery, Finding, Hearing, Notice, Proof, Reason, Text
from khien.triage import assets
from khien.triage.advice import advice
from khien.triage.decide import SETTLES, Situation, decide

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BANK = Constituent(id="bank", label="Bank", hears=(Hearing(channel="mail", address="soc@bank.example"),))
ASSET = Asset(
    id=schema.asset_id("mail-domain", "bank.example", "bank"),
    kind="mail-domain",
    value="bank.example",
    constituent="bank",
    proof=Proof(how="dns", at=NOON),
)
FORUM = Collection(
    id="forum-2026",
    number=1,
    label="Forum of gardeners",
    leaked=date(2026, 9, 1),
    kinds=("address", "password"),
    given_by="a partner",
    at=NOON,
    basis="a law",
    purpose="to warn",
    until=date(2027, 11, 22),
)
GARDENERS = msgspec.structs.replace(FORUM, kinds=())  # of which many are no worse than few


def exposed(domain: str = "bank.example", accounts: int = 3) -> Finding:
    return Finding(
        id=schema.finding_id("exposure", "mail-domain", domain, FORUM.id).hex(),
        detector="exposure",
        kind="mail-domain",
        subject=domain,
        claim=FORUM.id,
        score=accounts / (accounts + 1),
        reasons=(Reason(code="exposed", params={"count": str(accounts)}),),
        measures={"accounts": float(accounts)},
        raised=NOON,
    )


def told(finding: Finding | None = None, collection: Collection | None = FORUM) -> Notice | None:
    situation = Situation(finding or exposed(), owners=(BANK,), collection=collection, assets=(ASSET,))
    return next((each for each in decide(situation, NOON) if isinstance(each, Notice)), None)


def test_it_concerns_who_has_proven_the_mail_domain() -> None:
    assert assets.wanted(exposed()) == (("mail-domain", ("bank.example",)),)


@pytest.mark.parametrize(
    ("kinds", "accounts", "severity"),
    [
        ((), 5_000, "medium"),
        (("address", "name"), 5_000, "medium"),
        (("password-hash",), 1, "medium"),
        (("password",), 1, "high"),
        (("session", "address"), 999, "high"),
        (("identity-document",), 1_000, "critical"),
    ],
)
def test_what_others_can_act_with_at_once_weighs_more(kinds: Any, accounts: int, severity: str) -> None:
    notice = told(exposed(accounts=accounts), msgspec.structs.replace(FORUM, kinds=kinds))
    assert notice is not None
    assert notice.severity == severity


@pytest.mark.parametrize(
    "collection",
    [None, msgspec.structs.replace(FORUM, sensitive="dating"), msgspec.structs.replace(FORUM, gone=NOON)],
)
def test_of_some_collections_nobody_is_told(collection: Collection | None) -> None:
    assert told(collection=collection) is None


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_letter_says_where_how_many_and_what_to_do(language: str) -> None:
    notice = told()
    assert notice is not None
    said = letter(notice, language, UTC, Beside("https://csirt.example/x", "", "+84 24", "CSIRT"))
    assert "bank.example" in said.subject
    for each in ("Forum of gardeners", words.day("2026-09-01", language), "khien breach match"):
        assert each in said.text
    assert words.phrase("advice-leaked-password", language) in said.text
    assert "imitat" not in said.text
    assert "nhái" not in said.text


def test_a_collection_is_called_as_each_language_calls_it() -> None:
    notice = told(collection=msgspec.structs.replace(FORUM, label=Text(vi="Diễn đàn", en="Forum")))
    assert notice is not None
    assert ["“Diễn đàn”" in advice(notice, "vi", UTC).why[0], "“Forum”" in advice(notice, "en", UTC).why[0]] == [1, 1]


@pytest.mark.parametrize(
    ("before", "after", "again"), [(2, 3, 0), (2, 7, 1), (1_000, 1_023, 0), (700, 1_100, 1), (7, 2, 0)]
)
def test_it_is_told_again_when_there_is_about_twice_as_much(before: int, after: int, again: int) -> None:
    kept = decide(Situation(exposed(accounts=before), owners=(BANK,), collection=GARDENERS), NOON)
    notices = tuple(each for each in kept if isinstance(each, Notice))
    sent = tuple(msgspec.structs.replace(each, state="sent", sent=NOON) for each in kept if isinstance(each, Delivery))
    more = Situation(exposed(accounts=after), owners=(BANK,), collection=GARDENERS, notices=notices, deliveries=sent)
    later = [each for each in decide(more, NOON) if isinstance(each, Delivery)]
    assert [each.due for each in later] == [NOON + SETTLES] * again


def test_a_new_password_is_asked_for_only_where_it_is_of_use() -> None:
    for kinds, asked in ((("face", "health"), False), (("password-hash",), True)):
        notice = told(collection=msgspec.structs.replace(FORUM, kinds=kinds))
        assert notice is not None
        assert (words.notice("do-reset", "en") in advice(notice, "en", UTC).do) == asked


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_several_mail_domains_are_each_told_of(language: str) -> None:
    first = told()
    assert first is not None
    situation = Situation(exposed("bank.test", 1_200), owners=(BANK,), notices=(first,), collection=FORUM)
    (second,) = (each for each in decide(situation, NOON) if isinstance(each, Notice))
    assert second.id == first.id
    seen = advice(second, language, UTC).seen
    assert [name in line for name, line in zip(("bank.example", "bank.test"), seen, strict=True)] == [True, True]
    assert words.number(1200, language) in seen[1]


def test_what_is_known_of_it_already_says_nothing_new() -> None:
    first = told()
    assert first is not None
    situation = Situation(exposed(), owners=(BANK,), notices=(first,), collection=FORUM)
    assert not [each for each in decide(situation, NOON) if isinstance(each, Notice)]


def test_a_digest_gathers_it() -> None:
    hearing = Hearing(channel="mail", address="soc@bank.example", digest="daily")
    owner = msgspec.structs.replace(BANK, hears=(hearing,))
    situation = Situation(exposed(), owners=(owner,), collection=FORUM, assets=(ASSET,))
    notices = [each for each in decide(situation, NOON) if isinstance(each, Notice)]
    assert len(notices) == 2
    assert all(advice(each, "vi", UTC).headline for each in notices)
