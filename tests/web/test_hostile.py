"""What hostile people send is refused plainly, and never a fault."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import pyarrow as pa
import pytest
import schemathesis
from hypothesis import HealthCheck
from litestar import Litestar
from litestar.testing import TestClient
from schemathesis import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from khien import words
from khien.app import machine
from khien.detectors.lookalike import Lookalike
from khien.errors import ConfigError
from khien.web import site as assembly
from khien.web.refusal import HEADERS
from tests.web.conftest import HOST, KEY, Place

FORM = {"text": "a.example"}
OPERATIONS = ["GET /api/figures", "GET /api/picture", "GET /api/findings", "GET /api/findings/{id}", "POST /api/check"]
DESK = [  # for those who are let in: tests/web/test_desk_api.py
    "GET /api/sources",
    "GET /api/notices",
    "GET /api/notices/{id}",
    "POST /api/notices/{id}",
    "POST /api/findings/{id}",
    "GET /api/takedowns",
    "POST /api/takedowns",
    "GET /api/takedowns/{id}",
    "POST /api/takedowns/{id}/close",
    "GET /api/constituents",
    "GET /api/constituents/{id}",
    "POST /api/constituents/{id}/assets",
    "POST /api/constituents/{id}/proofs",
]
BREACH = [  # of stolen accounts: tests/web/test_accounts.py, test_wishes.py
    "GET /breach/keys",
    "POST /breach/evaluate",
    "GET /breach/accounts/{epoch}/{prefix}",
    "GET /breach/collections",
    "POST /breach/prove",
    "POST /breach/proven",
]
TAKES_ANYTHING = [
    "GET /api/figures",
    "GET /api/picture",
    "GET /api/findings/{id}",
]  # nothing given to them is wrong by its form


@pytest.fixture(scope="module")
def described(site: Litestar) -> dict[str, APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", site, headers={"Host": HOST})
    assert schema.raw_schema["openapi"].startswith("3.1")
    return {result.ok().label: result.ok() for result in schema.get_all_operations()}


def test_what_is_described_is_what_there_is(described: dict[str, APIOperation[Any, Any, Any, Any]]) -> None:
    assert sorted(described) == sorted([*OPERATIONS, *DESK, *BREACH])


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("label", OPERATIONS)
def test_the_described_interface_holds(
    described: dict[str, APIOperation[Any, Any, Any, Any]], label: str, mode: GenerationMode
) -> None:
    @hypothesis.settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @hypothesis.given(case=described[label].as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case) -> None:
        case.call_and_validate(
            headers={"Host": HOST}, excluded_checks=[positive_data_acceptance]
        )  # a text may hold no name

    if mode is GenerationMode.POSITIVE or label not in TAKES_ANYTHING:
        holds()


@pytest.mark.parametrize(
    "host", ["evil.example", f"{HOST}.evil.example", f"{HOST}:80", "", f"{HOST}@evil.example", "[::1"]
)
def test_another_host_is_refused(client: TestClient[Litestar], host: str) -> None:
    for path in ("/vi/", "/static/style.css", "/api/findings", "/"):
        assert client.get(path, headers={"Host": host}, follow_redirects=False).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/static/../site.py",
        "/static/..%2fsite.py",
        "/static/%2e%2e/%2e%2e/data/register-vn.toml",
        "/static//etc/passwd",
        "/static/..\\site.py",
        "/static/%00",
        "/static/",
        "/vi/../../etc/passwd",
        "/vi/findings/..%2f..%2fetc%2fpasswd",
        "/fr/",
        "/vi/findings/" + "g" * 64,
        "/vi/findings/" + "0" * 63,
        "/vi/findings/{{7*7}}",
        "/en/" + "a" * 5000,
    ],
)
def test_there_is_no_such_page(client: TestClient[Litestar], path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    language = "en" if path.startswith("/en") else "vi"
    assert words.page("error-missing", language) in answer.text
    assert "root:" not in answer.text
    assert "7*7" not in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "least=2",
        "least=-1",
        "least=inf",
        "least=x",
        "order=random",
        "state=gone%00",
        "state='%20OR%201=1",
        "known=maybe",
        "after=0",
        "after=" + "A" * 64,
        "brand=" + "b" * 101,
    ],
)
def test_a_query_that_makes_no_sense(client: TestClient[Litestar], query: str) -> None:
    for path in ("/en/findings", "/api/findings"):
        assert client.get(f"{path}?{query}").status_code == 400


@pytest.mark.parametrize(
    "query", ["after=" + "0" * 64, "brand=%00", "brand='%3B--", "least=nan", "unknown=1", "%ff=%ff"]
)
def test_a_query_that_finds_what_there_is(client: TestClient[Litestar], query: str) -> None:
    for path in ("/en/findings", "/api/findings"):
        assert client.get(f"{path}?{query}").status_code in (200, 400)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": f"http://{HOST}"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": f"http://{HOST}.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": f"http://{HOST}"}, 403),
    ],
)
def test_what_another_site_sends_is_refused(client: TestClient[Litestar], headers: dict[str, str], status: int) -> None:
    for language in words.LANGUAGES:
        answer = client.post(f"/{language}/check", data=FORM, headers=headers)
        assert answer.status_code == status
        assert (words.page("error-refused", language) in answer.text) == (status == 403)
    assert client.post("/api/check", json=FORM, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"text=" + b"a" * assembly.LARGEST_BODY, "application/x-www-form-urlencoded", 413),
        (b"x=1&" * 9000, "application/x-www-form-urlencoded", 400),
        (b"text=a.example&more=1", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe=\xff", "application/x-www-form-urlencoded", 400),
        (b"text=%ff%fe", "application/x-www-form-urlencoded", 422),
        (b'{"text": "a.example"}', "application/json", 400),
        (b"", "text/plain", 400),
    ],
)
def test_a_body_that_is_no_question(client: TestClient[Litestar], content: bytes, kind: str, status: int) -> None:
    answer = client.post("/vi/check", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"text": 1}', b'{"text": "a.example", "more": 1}', b"[" * 60_000, b"\xff"]
)
def test_a_json_body_that_is_no_question(client: TestClient[Litestar], body: bytes) -> None:
    answer = client.post("/api/check", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["status_code"] == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_another_method(client: TestClient[Litestar], method: str) -> None:
    answer = client.request(method, "/en/findings")
    assert answer.status_code == 405
    assert words.page("error-request", "en") in answer.text


@pytest.mark.parametrize(
    "path", ["/vi/", "/en/check", "/api/picture", "/static/style.css", "/vi/nowhere", "/api/nowhere"]
)
def test_every_answer_carries_the_headers(client: TestClient[Litestar], path: str) -> None:
    answer = client.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == ("max-age=86400" if path.startswith("/static") else "no-store")
    assert "set-cookie" not in answer.headers


def test_a_header_cannot_be_put_in(client: TestClient[Litestar]) -> None:
    for path in ("/vi/%0d%0aX-Put: 1", "/%0d%0aX-Put:%201", "/vi/findings?brand=%0d%0aX-Put:%201"):
        assert "x-put" not in client.get(path, follow_redirects=False).headers


class Broken:
    """A detector with a fault."""

    def __call__(self, batch: pa.RecordBatch) -> object:
        raise RuntimeError(f"no luck with {batch.to_pylist()}")


def test_a_fault_of_ours_tells_nobody_what_was_asked(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    broken = assembly.create(place.store, Broken(), {}, [HOST], audit=machine.audit(place.directory), key=KEY)  # type: ignore[arg-type]
    with TestClient(broken, base_url=f"http://{HOST}") as client:
        answer = client.post("/vi/check", data={"text": "secret.example"})
        assert answer.status_code == 500
        assert words.page("error-fault", "vi") in answer.text
        assert words.page("replay", "vi") not in answer.text  # this one is no replay
        assert client.post("/api/check", json={"text": "secret.example"}).json()["status_code"] == 500
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text + answer.text


def test_a_store_that_cannot_be_read(tmp_path: Path, detector: Lookalike) -> None:
    (tmp_path / "records.sqlite").write_bytes(b"no database" * 1000)
    broken = assembly.create(
        machine.store(tmp_path), detector, {}, [HOST], audit=machine.audit(tmp_path), key=KEY, replay=True
    )
    with TestClient(broken, base_url=f"http://{HOST}") as client:
        answer = client.get("/en/")
        assert answer.status_code >= 500
        assert words.page("replay", "en") in answer.text
        assert str(tmp_path) not in answer.text + client.get("/api/picture").text


def test_settings_are_for_the_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "site.json"
    monkeypatch.setenv("KHIEN_SITE", str(told))
    with pytest.raises(ConfigError, match="No such file"):
        assembly.told()
    told.write_text("{}", encoding="utf-8")
    told.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        assembly.told()
    told.chmod(0o600)
    with pytest.raises(ConfigError, match="data"):
        assembly.told()
    told.write_text(json.dumps({"data": "d", "site": {"hosts": ["a"]}}))
    assert assembly.told().site.hosts == ("a",)
