"""What is answered about stolen accounts, to whom, how much of it; and what is refused."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, get_args

import hypothesis
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck
from litestar import Litestar
from litestar.testing import TestClient
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from khien.app import machine
from khien.app.configuration import Breach
from khien.app.epochs import Epochs
from khien.breach import voprf
from khien.detectors.lookalike import Lookalike
from khien.model import Collection, Constituent, Holding, Leaked, Removed
from khien.stores.embedded.store import Embedded
from khien.triage import tokens
from khien.web import hold
from khien.web import site as assembly
from khien.web.accounts import Accounts
from khien.web.shares import Bounded, Shares, admitting
from tests import exposing
from tests.exposing import AN, AT, LAN, MINH
from tests.web.conftest import HOST, KEY, from_

LIMIT = 40
SCALARS = [voprf.scalar(bytes([n]) * 64) for n in (1, 2)]
ELEMENTS = [each.hex() for each in voprf.blind([LAN, MINH], SCALARS)]
TOKEN = f"bank.{tokens.token(KEY, tokens.MATCH, 'bank')}"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accounts") / "data"


@pytest.fixture(scope="module")
def store(data: Path) -> Iterator[Embedded]:
    with exposing.filled(data) as store:
        store.save(Constituent(id="bank", label="Bank"), Constituent(id="gone", label="Gone", left=AT))
        yield store


def made(store: Embedded, data: Path, detector: Lookalike) -> Litestar:
    def known(name: str) -> bool:
        found = store.load(Constituent, name).get(name)
        return bool(found and not found.left)

    epochs = Epochs(data, Breach(evaluations=LIMIT))
    shares = Shares.of(epochs, admitting(KEY, known), partial(epochs.live, store))
    accounts = Accounts(store, data / "breach", shares)
    audit = machine.audit(data)
    return assembly.create(store, detector, {}, [HOST], audit=audit, key=KEY, accounts=accounts)


@pytest.fixture
def client(store: Embedded, data: Path, detector: Lookalike) -> Iterator[TestClient[Litestar]]:
    """Of a site that nobody has asked yet."""
    with TestClient(made(store, data, detector), base_url=f"http://{HOST}") as client:
        yield client


def ask(client: TestClient[Litestar], headers: dict[str, str] | None = None, **changed: object) -> Any:
    question = {"epoch": 1, "elements": ELEMENTS, "proof": True} | changed
    return client.post("/breach/evaluate", json=question, headers=headers or {})


def test_from_a_blinded_point_to_the_answer(client: TestClient[Litestar]) -> None:
    answered = client.get("/breach/keys").json()
    assert (answered["suite"], len(answered["keys"])) == ("ristretto255-SHA512", 1)
    (key,) = answered["keys"]
    assert (key["epoch"], key["bits"], key["holders"][0]["url"]) == (1, 16, "")
    told = ask(client).json()
    evaluated = [bytes.fromhex(each) for each in told["evaluated"]]
    elements = [bytes.fromhex(each) for each in ELEMENTS]
    public = bytes.fromhex(key["holders"][0]["public"])
    assert voprf.verify(public, elements, evaluated, bytes.fromhex(told["proof"]))
    for output, known in zip(voprf.finalize([LAN, MINH], SCALARS, evaluated), ("shop", "shop,forum"), strict=True):
        rows = client.get(f"/breach/accounts/1/{output[:2].hex()}").text
        assert rows.rstrip() == f"{output[2:8].hex().upper()}:{known}"


def test_without_a_proof_there_is_none(client: TestClient[Litestar]) -> None:
    assert set(ask(client, proof=False).json()) == {"evaluated"}


def test_a_bucket_as_it_is_answered(client: TestClient[Litestar], data: Path) -> None:
    (output,) = exposing.outputs(data, [LAN])
    path = f"/breach/accounts/1/{output[:2].hex()}"
    answer = client.get(path)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, no-cache, no-transform"
    tag = answer.headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path.upper().replace("/BREACH/ACCOUNTS", "/breach/accounts")).content == answer.content
    empty = client.get("/breach/accounts/1/0000")
    assert (empty.status_code, empty.content.strip(b"\r\n")) == (200, b"")
    assert client.head(path).headers["content-length"] == answer.headers["content-length"]


def test_sensitive_collections_are_named_to_nobody(client: TestClient[Litestar], data: Path) -> None:
    (output,) = exposing.outputs(data, [AN])
    assert client.get(f"/breach/accounts/1/{output[:2].hex()}").content.strip() == b""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    buckets = [client.get(f"/breach/accounts/1/{n:02x}", headers=headers).text for n in range(256)]
    assert "shop" in "".join(buckets)
    assert "clinic" not in "".join(buckets)
    assert "clinic" not in {each["id"] for each in client.get("/breach/collections").json()["collections"]}


def test_all_answers_are_equally_long_and_change_together(
    client: TestClient[Litestar], store: Embedded, data: Path
) -> None:
    paths = [f"/breach/accounts/1/{each[:2].hex()}" for each in exposing.outputs(data, [LAN, MINH, AN])]
    accepts = {"Accept-Encoding": "gzip"}
    before = [client.get(each, headers=accepts) for each in (*paths, "/breach/accounts/1/0000")]
    assert len({each.headers["content-length"] for each in before}) == 1
    assert len({each.headers["etag"] for each in before}) == 1
    assert all("content-encoding" not in each.headers for each in before)
    token = {"Authorization": f"Bearer {TOKEN}"}
    assert len({len(client.get(f"/breach/accounts/1/{n:02x}", headers=token).content) for n in range(256)}) == 1
    forum = store.load(Collection, "forum")["forum"]
    store.save(msgspec.structs.replace(forum, sensitive="faith"))
    tag = {"If-None-Match": before[0].headers["etag"]}
    assert {client.get(each, headers=tag).status_code for each in paths} == {200}, "whichever of them changed"
    store.save(forum)
    assert {client.get(each, headers=tag).status_code for each in paths} == {304}


def test_while_two_epochs_are_live_two_digits_of_each_do(tmp_path: Path, detector: Lookalike) -> None:
    data = tmp_path / "data"
    with exposing.filled(data) as store:
        other = dict(zip(exposing.ACCOUNTS, exposing.outputs(data, [*exposing.ACCOUNTS], 2), strict=True))
        exposing.fill(store, data, other, epoch=2)
        with TestClient(made(store, data, detector), base_url=f"http://{HOST}") as client:
            keys = client.get("/breach/keys").json()["keys"]
            assert [(each["epoch"], each["bits"]) for each in keys] == [(1, 8), (2, 8)]
            (output,) = exposing.outputs(data, [LAN], 2)
            rows = client.get(f"/breach/accounts/2/{output[:1].hex()}").text
            assert f"{output[1:8].hex().upper()}:shop" in rows.split("\r\n")
            store.save(Holding(id="accounts-2", file="accounts-2-none", entries=0, at=AT))
            assert client.get(f"/breach/accounts/2/{output[:1].hex()}").status_code == 404
            assert client.get(f"/breach/accounts/1/{output[:1].hex()}").status_code == 401
            store.save(*(Holding(id=f"accounts-{n}", file="-", entries=1, at=AT) for n in (2, 3)))
            Epochs(data, Breach()).begin(3)
            assert client.get("/breach/keys").status_code == 503
            assert client.get("/breach/accounts/1/abcd").status_code == 503


def test_two_digits_are_for_a_roster(client: TestClient[Litestar], data: Path) -> None:
    (output,) = exposing.outputs(data, [MINH])
    path = f"/breach/accounts/1/{output[:1].hex()}"
    assert client.get(path).status_code == 401
    answer = client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
    assert f"{output[1:8].hex().upper()}:shop,forum" in answer.text.split("\r\n")


@pytest.mark.parametrize(
    "token", ["", "bank", "bank.", "bank.wrong", f"gone.{tokens.token(KEY, 'match', 'gone')}", "bank.\u1ebf",
              f"bank.{tokens.token(KEY, tokens.FEED, 'bank')}", f"other.{tokens.token(KEY, tokens.MATCH, 'bank')}"],
)  # fmt: skip
def test_a_wrong_token_admits_nobody(client: TestClient[Litestar], token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()}
    assert client.get("/breach/accounts/1/ab", headers=headers).status_code == 401  # pyright: ignore[reportArgumentType]
    assert ask(client, headers).status_code == 401  # pyright: ignore[reportArgumentType]


def test_what_is_told_of_collections(client: TestClient[Litestar]) -> None:
    told = client.get("/breach/collections").json()
    assert [each["id"] for each in told["collections"]] == ["forum", "shop"]
    assert told["collections"][1] == {
        "id": "shop",
        "label": {"vi": "Shop", "en": "Shop"},
        "about": {"vi": "", "en": ""},
        "leaked": "2026-09-01",
        "kinds": ["address", "password"],
    }
    assert set(told["kinds"]) == set(get_args(Leaked))
    assert all(set(each[text]) == {"en", "vi"} for each in told["kinds"].values() for text in ("name", "advice"))
    assert "a partner" not in client.get("/breach/collections").text


def test_what_changes_is_answered_at_once(client: TestClient[Litestar], store: Embedded, data: Path) -> None:
    (output,) = exposing.outputs(data, [LAN])
    path, tag = f"/breach/accounts/1/{output[:2].hex()}", output[2:8].hex().upper()
    met = client.get(path)
    assert met.text.strip() == f"{tag}:shop"
    store.save(Removed(id=output[:16].hex(), epoch=1, at=AT, by="khien"))
    now = client.get(path, headers={"If-None-Match": met.headers["etag"]})
    assert (now.text.strip(), len(now.content)) == ("", len(met.content))
    other = exposing.outputs(data, [b"mail:new@example.vn"])[0]
    before = store.load(Holding, "accounts-1")["accounts-1"]
    exposing.fill(store, data, {b"mail:new@example.vn": other}, {b"mail:new@example.vn": ("forum",)})
    (data / "breach" / before.file).unlink()
    assert client.get(f"/breach/accounts/1/{other[:2].hex()}").text.strip() == f"{other[2:8].hex().upper()}:forum"
    shop = store.load(Collection, "forum")["forum"]
    store.save(msgspec.structs.replace(shop, sensitive="faith"))
    assert client.get(f"/breach/accounts/1/{other[:2].hex()}").text.strip() == ""
    store.save(shop, before)
    exposing.fill(store, data, dict(zip(exposing.ACCOUNTS, exposing.outputs(data, [*exposing.ACCOUNTS]), strict=True)))
    assert client.get(path).text.strip() == "", "who was taken out stays out"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"elements": []}, 400),
        ({"elements": ELEMENTS[:1] * 257}, 400),
        ({"elements": ["00" * 32]}, 400),
        ({"elements": ["ff" * 32]}, 400),
        ({"elements": [ELEMENTS[0].upper()]}, 400),
        ({"elements": ["00" * 31]}, 400),
        ({"elements": [7]}, 400),
        ({"elements": "x"}, 400),
        ({"epoch": 2}, 404),
        ({"epoch": -1}, 404),
        ({"epoch": 1 << 80}, 404),
        ({"epoch": None}, 400),
        ({"proof": "yes"}, 400),
    ],
)
def test_wrong_questions(client: TestClient[Litestar], changed: dict[str, object], status: int) -> None:
    answer = ask(client, **changed)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["status_code"] == status


def test_wrong_requests(client: TestClient[Litestar]) -> None:
    for content, status in ((b"", 400), (b"[" * 60_000, 400), (b"\xff", 400), (b"{}", 400), (b" " * 70_000, 413)):
        assert client.post("/breach/evaluate", content=content).status_code == status
    for path in ("1/12", "1/123", "1/12345", "1/zzzz", "1/%00%00%00%00", "x/1234", "1/", "1", "1/12/34", "1/１２３４"):
        assert client.get(f"/breach/accounts/{path}").status_code in (401, 404), path
    for epoch in ("2", "0", "01", "-1", "1.0", "１", "9" * 20, "9" * 5000, "%00"):
        assert client.get(f"/breach/accounts/{epoch}/abcd").status_code == 404, epoch[:9]
    for body in (b'{"epoch": 1, "elements": ["\xff"]}', b'{"\xff": 1}'):
        assert client.post("/breach/evaluate", content=body).status_code == 400
    for method, path in (("PUT", "keys"), ("GET", "evaluate"), ("POST", "collections"), ("DELETE", "accounts/1/abcd")):
        assert client.request(method, f"/breach/{path}").status_code == 405, path


def test_pages_of_other_sites_may_ask(client: TestClient[Litestar]) -> None:
    elsewhere = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    for path in ("keys", "evaluate", "collections", "accounts/1/abcd"):
        allowed = client.options(f"/breach/{path}", headers={**elsewhere, "Access-Control-Request-Method": "POST"})
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-headers"] == "Authorization, Content-Type"
        assert allowed.headers["access-control-allow-origin"] == "*"
    assert ask(client, elsewhere).headers["access-control-allow-origin"] == "*"
    assert client.get("/breach/keys", headers=elsewhere).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in client.get("/en/check").headers


def test_a_network_asks_so_much_an_hour(client: TestClient[Litestar]) -> None:
    statuses = [ask(client, elements=ELEMENTS * 10).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = ask(client)
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert refused.headers["access-control-allow-origin"] == "*"
    assert ask(client, {"Authorization": f"Bearer {TOKEN}"}, elements=ELEMENTS * 100).status_code == 200
    elsewhere = {"X-Forwarded-For": "198.51.100.7"}
    assert ask(client, elsewhere).status_code == 429, "who is not on this machine says nothing of others"


def test_what_is_left_comes_back_and_what_is_kept_is_bounded() -> None:
    hourly = Bounded(60, timedelta(hours=1), lambda octets: b"s" * octets)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert [hourly.take("192.0.2.1", 30, now) for _ in range(3)] == [0, 0, 1800]
    assert hourly.take("192.0.2.2", 60, now) == 0
    assert hourly.take("192.0.2.1", 30, now + timedelta(minutes=30)) == 0
    assert hourly.take("192.0.2.1", 1, now + timedelta(minutes=30)) == 60
    assert hourly.take("192.0.2.3", 256, now) == 0, "more than there ever is comes once all is there"
    for n in range(100_100):
        hourly.take(str(n), 1, now)
    kept = hourly._met  # pyright: ignore[reportPrivateUsage]
    assert len(kept) == 100_000
    assert all(isinstance(each, bytes) and len(each) == 16 for each in kept)


def test_who_shows_a_token_asks_so_much_a_day_and_the_holder_sees_how_much(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "khien")
    epochs = Epochs(tmp_path, Breach(daily=5, admitted=("csirt", "bank")))
    admits = admitting(KEY, frozenset(epochs.settings.admitted).__contains__)
    bearers = [
        {"Authorization": f"Bearer {name}.{tokens.token(KEY, tokens.MATCH, name)}"} for name in epochs.settings.admitted
    ]
    with TestClient(hold.create(Shares.of(epochs, admits, epochs.begun), [HOST]), base_url=f"http://{HOST}") as client:
        assert [ask(client, bearers[0]).status_code for _ in range(3)] == [200, 200, 429]
        assert 0 < int(ask(client, bearers[0]).headers["retry-after"]) <= 86_400
        assert ask(client, bearers[1]).status_code == 200
        assert ask(client).status_code == 200
    told = [each.getMessage() for each in caplog.records]
    assert [re.sub("since .*:", "since then:", each) for each in told] == [
        f"evaluated for {name} since then: 2 elements" for name in ("csirt", "bank", "anybody")
    ], "once a minute, and of what was asked nothing"


def test_a_house_in_front_names_who_asks(store: Embedded, data: Path, detector: Lookalike) -> None:
    """However an address is written, it is one network."""
    spellings = ("192.0.2.7", "192.0.2.7:4711", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]:80", "x, 192.0.2.7")
    others = ("2001:db8::1", "[2001:db8::2]:443", "2001:db8:0:0:ffff::")
    for some in (spellings, others):
        site = from_(made(store, data, detector), "::ffff:127.0.0.1")
        with TestClient(site, base_url=f"http://{HOST}") as client:
            statuses = [ask(client, {"X-Forwarded-For": each}, elements=ELEMENTS * 10).status_code for each in some]
        assert statuses == [200, 200, *[429] * (len(some) - 2)]


def test_nothing_asked_is_kept_or_logged(
    client: TestClient[Litestar], store: Embedded, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    version = store.version()
    ask(client)
    ask(client, elements=["ff" * 32])
    client.get("/breach/accounts/1/abcd")
    assert store.version() == version
    logged = caplog.text
    written = b"".join(each.read_bytes() for each in data.rglob("*") if each.is_file())
    for asked in (*ELEMENTS, "ff" * 32, "abcd"):
        assert asked not in logged
        assert len(asked) < 8 or asked.encode() not in written


DESCRIBED = (
    "GET /breach/keys",
    "POST /breach/evaluate",
    "GET /breach/accounts/{epoch}/{prefix}",
    "GET /breach/collections",
)


@pytest.mark.parametrize("label", DESCRIBED)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_the_described_interface_holds(
    store: Embedded, data: Path, detector: Lookalike, label: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", made(store, data, detector), headers={"Host": HOST})
    described = {each.ok().label: each.ok() for each in schema.get_all_operations()}

    @hypothesis.settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @hypothesis.given(case=described[label].as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Host": HOST}, excluded_checks=[positive_data_acceptance])  # chance is no point

    if mode is GenerationMode.POSITIVE or label.startswith("POST"):
        holds()


def test_the_same_again_gives_the_same(client: TestClient[Litestar]) -> None:
    """Whoever heard a question may ask it again, and learns no more than its answer; of a proof nothing repeats."""
    one, other = (ask(client).json() for _ in range(2))
    assert one["evaluated"] == other["evaluated"]
    assert one["proof"] != other["proof"]


def test_a_second_holder_answers_two_questions_and_nothing_else(tmp_path: Path) -> None:
    epochs = Epochs(tmp_path, Breach(evaluations=2, admitted=("csirt",)))
    admits = admitting(KEY, frozenset(epochs.settings.admitted).__contains__)
    with TestClient(hold.create(Shares.of(epochs, admits, epochs.begun), [HOST]), base_url=f"http://{HOST}") as client:
        told = ask(client).json()
        public = bytes.fromhex(client.get("/breach/keys").json()["keys"][0]["holders"][0]["public"])
        elements, evaluated = ([bytes.fromhex(each) for each in some] for some in (ELEMENTS, told["evaluated"]))
        assert voprf.verify(public, elements, evaluated, bytes.fromhex(told["proof"]))
        assert ask(client).status_code == 429
        assert ask(client, {"Authorization": f"Bearer csirt.{tokens.token(KEY, 'match', 'csirt')}"}).status_code == 200
        assert client.post("/breach/evaluate", content=b'{"epoch": 1, "elements": ["\xff"]}').status_code == 400
        for path in ("/", "/en/", "/breach/accounts/1/abcd", "/breach/collections", "/api", "/metrics", "/schema"):
            answer = client.get(path)
            assert (answer.status_code, json.loads(answer.text)["detail"]) == (404, "Not Found"), path
        assert client.get("/breach/keys", headers={"Host": "other.example"}).status_code == 400


def test_where_nothing_is_served_nothing_is_there(store: Embedded, data: Path, detector: Lookalike) -> None:
    site = assembly.create(store, detector, {}, [HOST], audit=machine.audit(data), key=KEY)
    with TestClient(site, base_url=f"http://{HOST}") as client:
        for path in ("keys", "collections", "accounts/1/abcd"):
            assert client.get(f"/breach/{path}").status_code == 404
        assert ask(client).status_code == 404
