"""The desk, over a real store: what officers see, and what their acts do."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from khien import audit, officers, words
from khien.app import machine
from khien.detectors.lookalike import Lookalike
from khien.model import Asset, Delivery, Entry, Finding, Notice, Takedown
from khien.stores.embedded.store import Embedded
from khien.web import site as assembly
from tests.web import filled
from tests.web.conftest import HOST, KEY
from tests.web.filled import Filled, secret
from tests.web.test_pages import Shape

PAGES = [
    "sources",
    "notices",
    "notices?state=",
    "notices?state=&severity=high&constituent=saothuy",
    "notices/{notice}",
    "notices/{hostile}",
    "findings/{finding}",
    "takedowns",
    "takedowns?state=gone",
    "takedowns/{takedown}",
    "constituents",
    "constituents/{constituent}",
]


class Desk(NamedTuple):
    """A filled store, the ids of what is in it, and somebody who asks."""

    store: Embedded
    ids: Filled
    client: TestClient[Litestar]

    def by(self, role: str) -> TestClient[Litestar]:
        """The same with the session of an officer."""
        self.client.cookies.clear()
        self.client.cookies.set("__Host-khien", secret(role))
        return self.client


@pytest.fixture
def desk(tmp_path: Path, detector: Lookalike, labels: dict[str, str]) -> Iterator[Desk]:
    with machine.store(tmp_path / "data") as store:
        ids = filled.fill(store)
        names = {each.id: each for each in detector.register.names}
        made = {"audit": machine.audit(tmp_path / "data"), "key": KEY, "names": names, "contact": "doi@example.org"}
        site = assembly.create(store, detector, labels, [HOST, "127.0.0.1:8460", "localhost:8460"], **made)  # type: ignore[arg-type]
        with TestClient(site, base_url=f"https://{HOST}") as client:
            yield Desk(store, ids, client)


def acts(store: Embedded) -> list[tuple[str, str, str]]:
    """What the audit says was done: by whom, what, to what."""
    return [(each.by, each.act, each.what) for each in audit.read(store) if each.act != "refused"]


def test_every_page_is_whole_in_both_languages(desk: Desk) -> None:
    for page in PAGES:
        path = page.format(**desk.ids._asdict())
        headings = []
        for language in words.LANGUAGES:
            answer = desk.by("approver").get(f"/{language}/desk/{path}")
            assert answer.status_code == 200, (path, answer.text[-500:])
            shape = Shape(answer.text)
            assert shape.languages[0] == language
            assert shape.headings.count(1) == 1
            assert all(after - before <= 1 for before, after in pairwise(shape.headings)), path
            assert len(shape.ids) == len(set(shape.ids)), path
            assert "<script>alert" not in answer.text
            assert "{{7*7}}" not in answer.text or "&lt;script&gt;" in answer.text
            headings.append(shape.headings)
        assert headings[0] == headings[1]


def test_nobody_sees_the_desk_who_is_not_let_in(desk: Desk) -> None:
    for page in PAGES:
        desk.client.cookies.clear()
        assert desk.client.get(f"/vi/desk/{page.format(**desk.ids._asdict())}").status_code == 401, page


def test_a_notice_is_answered_on_behalf_of_who_got_it(desk: Desk) -> None:
    path = f"/en/desk/notices/{desk.ids.notice}"
    assert desk.by("viewer").post(path, data={"act": "acknowledge"}).status_code == 403
    assert '<button name="act"' not in desk.by("viewer").get(path).text
    answer = desk.by("officer").post(path, data={"act": "withdraw", "why": "a test"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    kept = desk.store.load(Notice, desk.ids.notice)[desk.ids.notice]
    assert (kept.state, kept.steps[-1].by, kept.steps[-1].why) == ("closed", "officer", "a test")
    sent = {each.channel: each.state for each in desk.store.find(Delivery, about=desk.ids.notice)}
    assert sent == {"mail": "sent", "webhook": "withdrawn"}
    assert acts(desk.store) == [("officer", "notice-withdrawn", desk.ids.notice)]
    again = desk.by("officer").post(path, data={"act": "acknowledge"})
    assert again.status_code == 409
    assert desk.by("officer").post(path, data={"act": "burn"}).status_code == 400
    assert len(acts(desk.store)) == 1


def test_a_name_stands_once_and_a_digest_says_that_it_is_one(desk: Desk) -> None:
    alone = desk.store.load(Notice, desk.ids.notice)[desk.ids.notice]
    web = msgspec.structs.replace(alone.subjects[0], finding="f" * 64, value=f"www.{filled.SUBJECT}")
    twice = (*alone.subjects, *alone.subjects, web)
    desk.store.save(msgspec.structs.replace(alone, id="e" * 64, subjects=twice, campaign="digest"))
    listed = desk.by("viewer").get("/en/desk/notices").text
    assert words.page("desk-more", "en", count="2") not in listed
    assert listed.count(f"{words.page('notice-digest', 'en')}: ") == 1
    shown = desk.by("viewer").get(f"/en/desk/notices/{'e' * 64}").text
    assert shown.count(f'href="/en/desk/findings/{alone.subjects[0].finding}"') == 1


def test_a_finding_is_decided_about(desk: Desk) -> None:
    path = f"/vi/desk/findings/{desk.ids.finding}"
    assert desk.by("officer").post(path, data={"act": "confirm", "why": "asks for the code"}).status_code == 200
    assert desk.store.load(Finding, desk.ids.finding)[desk.ids.finding].state == "confirmed"
    assert acts(desk.store) == [("officer", "finding-moved", desk.ids.finding)]
    text = desk.by("viewer").get(path).text
    assert words.page("weighed-warn", "vi") in text
    assert "203[.]0[.]113[.]9" in text.replace("<wbr>", "")
    told = desk.client.get(f"/vi/findings/{desk.ids.finding}").text
    assert words.page("evidence", "vi") in told


def test_what_a_constituent_calls_theirs_is_not_said_to_be_told_and_its_takedown_is_questioned(desk: Desk) -> None:
    desk.by("officer").post(f"/en/desk/notices/{desk.ids.notice}", data={"act": "own", "why": "our own shop"})
    desk.by("officer").post(f"/en/desk/findings/{desk.ids.finding}", data={"act": "confirm"})
    story = desk.client.get(f"/en/findings/{desk.ids.finding}").text
    assert words.page("weighed-ours", "en") in story
    assert words.page("weighed-warn", "en") not in story
    for page in (f"findings/{desk.ids.finding}", f"takedowns/{desk.ids.takedown}"):
        assert words.page("takedown-ours", "en") in desk.by("viewer").get(f"/en/desk/{page}").text


def test_a_takedown_is_begun_and_closed_by_an_approver(desk: Desk) -> None:
    path = f"/vi/desk/takedowns/{desk.ids.takedown}"
    assert desk.by("officer").post(path, data={"act": "close"}).status_code == 403
    assert desk.by("approver").post(path, data={"act": "close", "why": "x"}).status_code == 200
    assert desk.store.load(Takedown, desk.ids.takedown)[desk.ids.takedown].state == "closed"
    assert desk.by("officer").post("/vi/desk/takedowns", data={"finding": desk.ids.finding}).status_code == 403
    assert desk.by("approver").post("/vi/desk/takedowns", data={"finding": desk.ids.finding}).status_code == 200
    kept = desk.store.load(Takedown, desk.ids.takedown)[desk.ids.takedown]
    assert (kept.state, kept.steps[-1].by) == ("asked", "approver")
    assert [act for _, act, _ in acts(desk.store)] == ["takedown-closed", "takedown-begun"]


def test_what_is_theirs_is_added_and_proven_by_word(desk: Desk) -> None:
    path = f"/en/desk/constituents/{desk.ids.constituent}"
    added = desk.by("officer").post(f"{path}/assets", data={"kind": "domain", "value": "SaoThuyBank.com."})
    assert added.status_code == 200
    found = {each.value: each for each in desk.store.find(Asset, constituent=desk.ids.constituent)}
    assert found["saothuybank.com"].proof is None
    wrong = desk.by("officer").post(f"{path}/assets", data={"kind": "domain", "value": "com.vn"})
    assert wrong.status_code == 422
    assert words.page("asset-refused", "en", value="com[.]vn") in wrong.text
    proven = desk.by("officer").post(f"{path}/proofs", data={"asset": desk.ids.unproven, "why": "they came to us"})
    assert proven.status_code == 200
    proof = desk.store.load(Asset, desk.ids.unproven)[desk.ids.unproven].proof
    assert proof is not None
    assert (proof.how, proof.by, proof.why) == ("officer", "officer", "they came to us")
    assert desk.by("officer").post(f"{path}/proofs", data={"asset": desk.ids.unproven, "why": " "}).status_code == 400
    assert [act for _, act, _ in acts(desk.store)] == ["constituent-changed", "proof-given"]


def test_the_same_for_programs(desk: Desk) -> None:
    def asked(role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {officers.TOKEN}{secret(role)}"}

    client = desk.client
    ids = desk.ids
    assert client.get("/api/notices").status_code == 401
    listed = client.get("/api/notices?limit=1", headers=asked("viewer")).json()
    assert len(listed["notices"]) == 1
    rest = client.get(f"/api/notices?after={listed['after']}", headers=asked("viewer")).json()
    assert (len(rest["notices"]), rest["after"]) == (2, "")
    whole = client.get(f"/api/notices/{ids.notice}", headers=asked("viewer")).json()
    assert {each["channel"] for each in whole["deliveries"]} == {"mail", "webhook"}
    answer = {"act": "acknowledge"}
    assert client.post(f"/api/notices/{ids.notice}", json=answer, headers=asked("viewer")).status_code == 403
    moved = client.post(f"/api/notices/{ids.notice}", json=answer, headers=asked("officer"))
    assert moved.json()["state"] == "acknowledged"
    again = client.post(f"/api/notices/{ids.notice}", json=answer, headers=asked("officer"))
    assert again.status_code == 409
    assert "it takes own, withdraw" in again.json()["detail"]
    act = {"act": "dismiss", "why": "theirs"}
    moved = client.post(f"/api/findings/{ids.finding}", json=act, headers=asked("officer"))
    assert moved.json()["state"] == "dismissed"
    assert client.get(f"/api/takedowns/{ids.takedown}", headers=asked("viewer")).json()["takedown"]["state"] == "gone"
    closed = client.post(f"/api/takedowns/{ids.takedown}/close", json={}, headers=asked("approver"))
    assert closed.json()["state"] == "closed"
    begun = client.post("/api/takedowns", json={"finding": ids.finding}, headers=asked("approver"))
    assert (begun.status_code, begun.json()["state"]) == (201, "asked")
    claimed = {"kind": "prefix", "value": "203.0.113.0/24"}
    made = client.post(f"/api/constituents/{ids.constituent}/assets", json=claimed, headers=asked("officer"))
    assert "203.0.113.0/24" in {each["value"] for each in made.json()["assets"]}
    sources = client.get("/api/sources", headers=asked("viewer")).json()["sources"]
    assert {each["state"]["id"]: each["lag"] for each in sources}["ct"] == 90
    missing = client.get("/api/notices/none", headers=asked("viewer"))
    assert missing.status_code == 404


def test_every_act_stands_in_an_audit_that_verifies(desk: Desk) -> None:
    desk.by("officer").post(f"/vi/desk/notices/{desk.ids.notice}", data={"act": "own"})
    desk.by("officer").post(f"/vi/desk/findings/{desk.ids.finding}", data={"act": "confirm"})
    assert len(desk.store.find(Entry)) == 2


def test_who_is_concerned_is_told_as_soon_as_an_officer_confirms(desk: Desk) -> None:
    ids = desk.ids
    proof = {"asset": ids.unproven, "why": "they came to us"}
    assert desk.by("officer").post(f"/vi/desk/constituents/{ids.constituent}/proofs", data=proof).status_code == 200
    assert desk.by("officer").post(f"/vi/desk/findings/{ids.finding}", data={"act": "confirm"}).status_code == 200
    revised = desk.store.load(Notice, ids.notice)[ids.notice]
    assert "evidence-confirmed" in {each.code for each in revised.reasons}
    dismissed = {"act": "dismiss", "why": "their own shop"}
    assert desk.by("officer").post(f"/vi/desk/findings/{ids.finding}", data=dismissed).status_code == 200
    assert desk.store.load(Notice, ids.notice)[ids.notice].state == "closed"
