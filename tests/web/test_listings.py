"""What is listed, in public: pages and lists, an owner's objection from proof to the end, and who decides."""

import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import dns.message
import dns.rrset
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from khien import words
from khien.app import machine
from khien.detectors.lookalike import Lookalike
from khien.errors import UnavailableError
from khien.model import Listing, Text
from khien.outward import http
from khien.pipeline import held
from khien.pipeline.control import KEPT, Control, forget
from khien.pipeline.listings import Listings
from khien.pipeline.outputs import NAMES, Outputs
from khien.web import site as assembly
from khien.web.listings import AGAIN
from khien.web.lists import Listed
from tests import listing
from tests.listing import AT
from tests.loopback import Liar, Web, certificate, reply
from tests.web import filled
from tests.web.conftest import HOST, HOSTILE, KEY
from tests.web.filled import secret
from tests.web.test_pages import Shape

WHY = "We are a bakery in Huế and sell bread"


class Clock:
    """A clock that is set; sessions of officers are of the hour it begins with."""

    def __init__(self) -> None:
        self.now = machine.clock()

    def __call__(self) -> datetime:
        return self.now


class Public(NamedTuple):
    """A site that lists, its log, its clock, who asks, and what stands in the DNS (names to texts)."""

    client: TestClient[Litestar]
    listings: Listings
    clock: Clock
    zone: dict[str, str]
    control: Control

    def by(self, role: str) -> TestClient[Litestar]:
        """The same with the session of an officer; nobody's where there is no role."""
        self.client.cookies.clear()
        if role:
            self.client.cookies.set("__Host-khien", secret(role))
        return self.client

    def list_(self, value: str = "bakery.example", **more: object) -> Listing:
        given = {"at": self.clock(), "until": self.clock() + timedelta(days=30), **more}
        return self.listings.list_(listing.proposal("host", value, site="unclear", **given), by="lan")

    def publish(self, one: Listing) -> None:
        asked = self.control.challenge(one)
        self.zone[asked.names[0]] = asked.text

    def object(self, one: Listing, how: str = "dns", why: str = WHY) -> int:
        path = f"/en/listings/{one.id}/appeal"
        return self.by("").post(path, data={"how": how, "why": why}, follow_redirects=False).status_code

    def outputs(self) -> str:
        return "\n".join(self.by("").get(f"/lists/{name}").content.decode("latin-1") for name in NAMES)


def nowhere(name: str, _seconds: float) -> list[str]:
    raise UnavailableError(f"{name} does not resolve")


@pytest.fixture
def public(tmp_path: Path, detector: Lookalike, labels: dict[str, str]) -> Iterator[Public]:
    clock, zone = Clock(), dict[str, str]()

    def say(question: dns.message.Message) -> bytes:
        answer = dns.message.make_response(question)
        name = question.question[0].name
        if text := zone.get(name.to_text().rstrip(".")):
            answer.answer.append(dns.rrset.from_text(name, 0, "IN", "TXT", f'"{text}"'))
        return answer.to_wire()

    audit = machine.audit(tmp_path / "data")
    with machine.store(tmp_path / "data") as store, Liar(say) as names, http.client("test", resolve=nowhere) as client:
        filled.fill(store)
        listings = listing.log(store, clock, audit=type(audit)(audit.key, clock, audit.chance))
        control = Control(KEY, (names.at,), client)
        made = Listed(Outputs(listings, "https://khien.example"), control)
        site = assembly.create(store, detector, labels, [HOST], audit=listings.audit, key=KEY, listed=made)
        with TestClient(site, base_url=f"https://{HOST}") as asking:
            yield Public(asking, listings, clock, zone, control)


def test_every_page_is_whole_in_both_languages(public: Public) -> None:
    hostile = Text(vi=HOSTILE, en=HOSTILE)
    one, other = public.list_(note=hostile), public.list_("removed.example")
    public.listings.remove(other.id, by="lan", why=HOSTILE)
    pages = ["watch", "listings", "listings?state=removed", f"listings/{one.id}", f"listings/{one.id}/appeal"]
    pages += [f"listings/{other.id}", f"listings/{other.id}/appeal"]
    pages += [f"desk/listings?state={each}" for each in ("contested", "listed", "removed")]
    pages += [f"desk/listings/{one.id}"]
    for page in pages:
        headings = []
        for language in words.LANGUAGES:
            answer = public.by("approver").get(f"/{language}/{page}")
            assert answer.status_code == 200, page
            shape = Shape(answer.text)
            assert shape.headings.count(1) == 1, page
            assert len(shape.ids) == len(set(shape.ids)), page
            assert "<script>alert" not in answer.text
            assert "http://bakery" not in answer.text, "names are shown defanged"
            headings.append(shape.headings)
        assert headings[0] == headings[1]


def test_a_site_without_listings_says_so(public: Public, detector: Lookalike) -> None:
    site = assembly.create(public.listings.store, detector, {}, [HOST], audit=public.listings.audit, key=KEY)
    with TestClient(site, base_url=f"https://{HOST}") as client:
        for path in ("/vi/watch", "/vi/listings", "/lists/manifest", "/ledger/checkpoint"):
            assert client.get(path).status_code == 404
        assert client.get("/lists/manifest").json()["detail"] == "no listings are kept here"


def test_lists_and_log_are_for_everybody(public: Public) -> None:
    public.list_()
    paths = [*(f"/lists/{name}" for name in (*NAMES, "manifest"))]
    paths += [f"/ledger/{each}" for each in ("checkpoint", "tile/0/000.p/1", "leaf/0", "proof/0", "text/000.p/1")]
    tags = list[str]()
    for path in paths:
        answer = public.by("").get(path)
        tags.append(answer.headers["etag"])
        assert answer.status_code == 200, path
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "public" in answer.headers["cache-control"]
        assert "set-cookie" not in answer.headers
        again = public.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert public.client.head(path).status_code == 200
    public.list_("another.example")
    assert public.client.get(paths[0], headers={"If-None-Match": tags[0]}).status_code == 200
    for path in ("/lists/else", "/ledger/leaf/7", "/ledger/proof/-1", "/ledger/tile/0/001", "/ledger/../listings"):
        assert public.client.get(path).status_code == 404, path
    bare = public.client.get("/lists/listings.json", headers={"Accept-Encoding": "identity"})
    refused = public.client.get("/lists/listings.json", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in refused.headers
    packed = public.client.get("/lists/listings.json", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in bare.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert (packed.headers["etag"], packed.content) == (bare.headers["etag"], bare.content)
    proof = public.client.get("/ledger/proof/1").content
    assert held.check(proof, public.listings.verifier)[0].listing


def test_an_objection_from_proof_to_the_end(public: Public) -> None:
    one = public.list_()
    page = f"/en/listings/{one.id}"
    asked = public.control.challenge(one)
    form = public.by("").get(f"{page}/appeal").text
    assert asked.names[0] == "_khien-challenge.bakery.example"
    assert asked.text in form
    assert "https://bakery.example/.well-known/khien-challenge.txt" in form
    public.publish(one)
    assert public.object(one) == 303
    told = public.client.get(page).text
    assert "72 hours left" in told
    assert "bakery.example" in public.outputs()
    assert public.object(one) == 409, "it is being decided"
    everything = told + public.client.get("/en/watch").text + public.client.get("/ledger/text/000.p/2").text
    assert WHY not in everything + public.outputs(), "officers alone read why"
    desk = f"/en/desk/listings/{one.id}"
    assert WHY in public.by("approver").get(desk).text
    assert public.by("officer").post(desk, data={"act": "remove", "why": "x"}).status_code == 403
    assert public.by("approver").post(desk, data={"act": "remove", "why": " "}).status_code == 400
    assert public.by("approver").post(desk, data={"act": "approve"}).status_code == 400
    done = public.by("approver").post(desk, data={"act": "remove", "why": "A bakery it is"}, follow_redirects=False)
    assert done.status_code == 303
    assert "bakery.example" not in public.outputs()
    assert one.id[:32] not in public.outputs()
    told = public.client.get(page).text
    assert "the listing was wrong, and is removed" in told
    assert "A bakery it is" in told
    assert "<strong>1</strong> of them were wrong" in public.client.get("/en/watch").text
    assert held.verify(public.listings.store, public.listings.verifier).size == 3
    public.list_()
    public.listings.approve(one.id, by="nga")
    told = public.client.get("/en/watch").text
    assert "<strong>1</strong> were removed" in told, "it is listed again; what was wrong stays wrong"
    assert "<strong>1</strong> of them were wrong" in told


def test_who_listed_does_not_keep_and_what_is_kept_is_heard_again_later(public: Public) -> None:
    one = public.listings.list_(
        listing.proposal("host", "evil.example", at=public.clock(), until=public.clock() + timedelta(days=90)),
        by="approver",
    )
    public.publish(one)
    assert public.object(one) == 303
    desk = f"/en/desk/listings/{one.id}"
    assert public.by("approver").post(desk, data={"act": "keep", "why": "it phishes"}).status_code == 403
    assert public.by("administrator").post(desk, data={"act": "keep", "why": "it phishes"}).status_code == 200
    assert "evil.example" in public.outputs()
    assert public.object(one) == 409
    assert "An objection was just decided" in public.client.get(f"/en/listings/{one.id}/appeal").text
    public.clock.now += AGAIN
    assert public.object(one) == 303


def test_what_an_owner_said_is_forgotten_a_year_after_the_decision(public: Public) -> None:
    one = public.list_()
    public.publish(one)
    assert public.object(one) == 303
    assert forget(public.listings.store, public.clock.now + 3 * KEPT) == 0, "it is not decided"
    public.listings.decide(one.id, False, by="mai", why="a bakery")
    store, decided = public.listings.store, public.clock.now
    assert forget(store, decided + KEPT - timedelta(seconds=1)) == 0
    assert forget(store, decided + KEPT) == 1
    assert forget(store, decided + KEPT) == 0
    files = [each for each in Path(str(store.disk)).rglob("*") if each.is_file()]
    assert not [each for each in files if WHY.encode() in each.read_bytes()]
    assert held.verify(store, public.listings.verifier).size == 3


def test_who_shows_nothing_is_refused_and_soon_not_looked_at(public: Public) -> None:
    one = public.list_()
    assert [public.object(one) for _ in range(11)] == [422] * 10 + [429]
    public.publish(one)
    assert public.object(one) == 429
    assert public.listings.store.load(Listing, one.id)[one.id].state == "listed"


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_who_tries_in_vain_keeps_what_they_chose_and_reads_why_in_their_language(public: Public, language: str) -> None:
    one = public.list_()
    for how, trouble in (("dns", "dns-missing"), ("file", "file-silent")):
        given = {"how": how, "why": WHY}
        answer = public.by("").post(f"/{language}/listings/{one.id}/appeal", data=given)
        assert answer.status_code == 422
        assert words.page(f"appeal-trouble-{trouble}", language) in answer.text
        assert f'value="{how}" checked' in answer.text
        assert answer.text.count(" checked>") == 1
        assert f">{WHY}</textarea>" in answer.text
        assert "TXT record khien" not in answer.text, "what the machine says is for the log"


def test_nobody_answers_for_a_name() -> None:
    one = listing.proposal("host", "bakery.example", at=AT)
    with Liar(lambda _: b"") as names:
        assert Control(KEY, (names.at,), http.client("x")).trouble(one, "dns") == "dns-silent"
    client = http.client("test", resolve=nowhere)
    assert Control(KEY, (), client).trouble(one, "file") == "file-silent"


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_who_can_show_nothing_is_told_whom_to_ask(public: Public, detector: Lookalike, language: str) -> None:
    """A shop on a platform of many has neither its DNS nor a place for a file."""
    one = public.list_()
    page = f"/{language}/listings/{one.id}/appeal"
    form = public.by("").get(page).text
    assert words.page("appeal-neither", language) in form
    assert "069 219 4053" in form, "nobody is named to write to: the office that answers for this"
    named = Listed(Outputs(public.listings), public.control)
    site = assembly.create(
        public.listings.store, detector, {}, [HOST], audit=public.listings.audit, key=KEY, listed=named,
        contact="soc@khien.csirt.example",
    )  # fmt: skip
    with TestClient(site, base_url=f"https://{HOST}") as client:
        form = client.get(page).text
    assert "soc@khien.csirt.example" in form
    assert "069 219 4053" not in form


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_shop_that_was_wrongly_listed_is_not_accused_any_more(public: Public, language: str) -> None:
    one, other = public.list_(), public.list_("ended.example")
    why, was, wrong = (words.page(f"listing-{each}", language) for each in ("why", "was", "wrong"))
    told = public.by("").get(f"/{language}/listings/{one.id}").text
    assert why in told
    assert was not in told
    public.publish(one)
    assert public.object(one) == 303
    public.listings.decide(one.id, False, by="mai", why="a bakery")
    told = public.client.get(f"/{language}/listings/{one.id}").text
    assert why not in told
    assert told.index(was) < told.index(wrong) < told.index("facts"), "said before what it is about"
    public.clock.now += timedelta(days=31)
    told = public.client.get(f"/{language}/listings/{other.id}").text
    assert was in told, "it has ended, although nobody has entered that yet"
    assert wrong not in told
    public.list_()
    public.listings.approve(one.id, by="nga")
    told = public.client.get(f"/{language}/listings/{one.id}").text
    assert why in told
    assert wrong not in told, "it is listed again, and nobody has said that this is wrong"


@pytest.mark.parametrize(
    "sent",
    [
        {"how": "word", "why": "x"},
        {"how": "dns"},
        {"how": "dns", "why": ""},
        {"how": "dns", "why": " \n"},
        {"how": "dns", "why": "x" * 2001},
        {"how": "dns", "why": "x", "more": "y"},
    ],
)
def test_what_is_no_objection_is_refused(public: Public, sent: dict[str, str]) -> None:
    one = public.list_()
    public.publish(one)
    assert public.by("").post(f"/en/listings/{one.id}/appeal", data=sent).status_code == 400
    assert public.client.post("/en/listings/nope/appeal", data={"how": "dns", "why": "x"}).status_code == 404


def test_nobody_makes_us_ask_an_address_inside(public: Public) -> None:
    """The listed host leads to this machine: it is not asked, whatever the form says."""
    with Web(lambda connection, *_: reply(connection, b"khien-proof=")) as inside:
        one = public.list_("inside.example")
        client = http.client("test", resolve=lambda *_: ["127.0.0.1"], ports=[inside.port])
        assert Control(KEY, (), client, inside.port).trouble(one, "file") == "file-inside"
        assert public.object(one, "file") == 422
        assert inside.asked == []


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        ("200 OK", "TEXT", ""),
        ("200 OK", "TEXT\r\n", ""),
        ("200 OK", "khien-proof=aaaaaaaaaaaaaaaaaaaaaaaaaa", "file-other"),
        ("200 OK", "see TEXT", "file-other"),
        ("404 Not Found", "TEXT", "file-missing"),
        ("302 Found", "TEXT", "file-elsewhere"),
        ("200 OK", "TEXT" + " " * 4000 + "x", ""),  # what is beyond is not read
    ],
)
def test_a_file_at_the_host_shows_control(tmp_path: Path, status: str, body: str, trouble: str) -> None:
    tls, trusted = certificate(tmp_path, "bakery.example")
    one = listing.proposal("url", "https://bakery.example/order", at=AT)
    asked = Control(KEY, (), http.client("x")).challenge(one).text

    def answer(connection: ssl.SSLSocket, path: str, _lines: list[str]) -> None:
        assert path == "/.well-known/khien-challenge.txt"
        reply(connection, body.replace("TEXT", asked).encode(), "Location: https://else.example/", status=status)

    with Web(answer, tls) as web:  # type: ignore[arg-type]
        client = http.client(
            "test", allow=["127.0.0.1/32"], ports=[web.port], resolve=lambda *_: ["127.0.0.1"], authorities=str(trusted)
        )
        control = Control(KEY, (), client, web.port)
        assert control.trouble(one, "file") == trouble


def test_what_was_never_listed_has_no_public_page(public: Public) -> None:
    proposed = listing.proposal("host", "waits.example", at=public.clock())
    public.listings.store.save(proposed)
    assert public.by("").get(f"/en/listings/{proposed.id}").status_code == 404
    assert public.by("viewer").get(f"/en/desk/listings/{proposed.id}").status_code == 200
    assert "waits" not in public.outputs()
