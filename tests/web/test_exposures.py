"""Findings of accounts that leaked: whom they concern hears of them, officers see them, and nobody else does."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from litestar.testing import TestClient

from khien import words
from khien.app import machine
from khien.detectors.lookalike import Lookalike
from khien.model import Finding, Notice
from khien.pipeline.warn import Triage
from khien.stores.embedded.store import Embedded
from khien.triage import tokens
from khien.web import reading
from khien.web import site as assembly
from tests.triage.test_exposure import ASSET, BANK, FORUM, NOON, exposed
from tests.web import filled
from tests.web.conftest import HOST, KEY
from tests.web.filled import secret

FOUND = exposed(accounts=1234)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with machine.store(tmp_path / "data") as store:
        filled.fill(store)
        store.save(BANK, ASSET, FORUM)
        store.save(*Triage().again(store, [FOUND], NOON))
        yield store


@pytest.fixture
def client(store: Embedded, tmp_path: Path, detector: Lookalike, labels: dict[str, str]) -> Iterator[TestClient]:  # type: ignore[type-arg]
    site = assembly.create(store, detector, labels, [HOST], audit=machine.audit(tmp_path / "data"), key=KEY)
    with TestClient(site, base_url=f"https://{HOST}") as client:
        yield client


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_public_is_not_told_whose_accounts_leaked(client: TestClient, language: str) -> None:  # type: ignore[type-arg]
    assert client.get(f"/{language}/findings/{FOUND.id}").status_code == 404
    assert client.get(f"/api/findings/{FOUND.id}").status_code == 404
    for page in (f"/{language}/", f"/{language}/findings", f"/{language}/findings?brand=forum-2026", "/api/findings"):
        answer = client.get(page)
        assert answer.status_code == 200
        assert "bank.example" not in answer.text.replace("[.]", ".").replace("<wbr>", ""), page


def test_it_is_not_the_story_of_the_first_page(store: Embedded) -> None:
    strongest = reading.strongest(store)
    assert strongest is None or strongest.id != FOUND.id
    assert FOUND.score > max(each.score for each in store.find(Finding) if each.id != FOUND.id)


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("page", ["findings", "desk/findings"])
def test_an_officer_sees_it_and_nothing_of_a_site_in_it(client: TestClient, language: str, page: str) -> None:  # type: ignore[type-arg]
    client.cookies.set("__Host-khien", secret("approver"))
    answer = client.get(f"/{language}/{page}/{FOUND.id}")
    assert answer.status_code == 200
    assert words.number(1234, language) in answer.text
    assert words.page("takedown-begin", language) not in answer.text
    assert words.page("exposure-kind", language) in answer.text


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_notice_reads_on_its_page_at_the_desk_and_in_the_feed(
    client: TestClient,  # type: ignore[type-arg]
    store: Embedded,
    language: str,
) -> None:
    (notice,) = (each for each in store.find(Notice, constituent=BANK.id))
    shown = client.get(tokens.notice_path(KEY, language, notice.id))
    assert shown.status_code == 200
    assert words.number(1234, language) in shown.text
    assert 'value="acknowledge"' in shown.text
    assert 'value="own"' not in shown.text
    client.cookies.set("__Host-khien", secret("officer"))
    assert words.number(1234, language) in client.get(f"/{language}/desk/notices/{notice.id}").text
    feed = client.get(f"{tokens.feed_path(KEY, BANK.id)}/atom.xml")
    assert feed.status_code == 200
    assert "bank.example" in feed.text


def test_it_can_be_dismissed(client: TestClient, store: Embedded) -> None:  # type: ignore[type-arg]
    client.cookies.set("__Host-khien", secret("officer"))
    client.post(f"/en/desk/findings/{FOUND.id}", data={"act": "dismiss", "why": "a test of ours"})
    (notice,) = (each for each in store.find(Notice, constituent=BANK.id))
    assert notice.state == "closed"
    assert NOON + timedelta(0) == FOUND.raised
