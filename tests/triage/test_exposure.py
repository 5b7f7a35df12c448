"""Accounts that leaked: who is told, how loud, and what it says."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from khien import schema, words
from khien.formats.letter import Beside, letter
from khien.model import Asset, Collection, Constituent, Finding, Hearing, Notice, Proof, Reason
from khien.triage import assets
from khien.triage.advice import advice
from khien.triage.decide import Situation, decide

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
    for each in ("Forum of gardeners", "2026-09-01", "khien breach match"):
        assert each in said.text
    assert words.phrase("advice-leaked-password", language) in said.text
    assert "imitat" not in said.text
    assert "nhái" not in said.text


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
