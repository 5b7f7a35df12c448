"""The list of security requirements, docs/security.md, and those of its tests that have no better place."""

import ast
import gzip
import http.client
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from khien import words
from khien.web.doors import ACCESS
from khien.web.refusal import HEADERS
from tests.web.conftest import HOST

ROOT = Path(__file__).parents[2]
ASKED = {  # of each section of ASVS 5.0.0, how many requirements of levels 1 and 2 it has: they come first in it
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4,
    "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5,
    "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4,
    "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4,
    "17.3": 2,
}  # fmt: skip
HOSTILE = (
    "<svg onload=alert(1)>",
    "{{7*7}}${7*7}<%=7*7%>",
    "../../../../etc/passwd",
    "..\\..\\etc\\passwd",
    "http://169.254.169.254/latest/meta-data",
    "' OR 1=1 --",
    "%00\x00",
    "\r\nX-Put: 1",
    "\u202e\ud7ff",
    "a" * 5000,
    "ế" * 100,
    "a/" * 2000,
    "-1",
    "9" * 400,
)


def page() -> str:
    return (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_each_requirement_stands_there_once() -> None:
    chapters = page().partition("## V1 ")[2]
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \|", chapters, re.MULTILINE)
    not_ours = re.findall(r"^Does not apply: .*?(?:\n\n|\Z)", chapters, re.MULTILINE | re.DOTALL)
    others = re.findall(r"\d+\.\d+\.\d+", " ".join(not_ours))
    asked = [f"{section}.{number + 1}" for section, count in ASKED.items() for number in range(count)]
    assert len(asked) == 253
    assert Counter(rows + others) == Counter(asked)


def test_each_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`([\w/]+\.py)::(\w+)`", page()))
    assert len(named) > 60
    assert [f"{path}::{name}" for path, name in sorted(named) if name not in held(path)] == []


@cache
def held(path: str) -> frozenset[str]:
    """Names of the tests of a file."""
    text = (ROOT / "tests" / path).read_text(encoding="utf-8")
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE))


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Whatever Khiên calls when it runs: khien.testing is for those who add to it."""
    for path in sorted(set((ROOT / "src").rglob("*.py")) - set((ROOT / "src/khien/testing").rglob("*.py"))):
        yield from ((path, each) for each in ast.walk(ast.parse(path.read_bytes())) if isinstance(each, ast.Call))


def test_nothing_is_evaluated_unpickled_or_run_in_a_shell() -> None:
    never = re.compile(r"(builtins\.)?(eval|exec|compile)|os\.(system|popen|exec\w+|spawn\w+)|pickle\.\w+|marshal\.\w+")
    for path, each in calls():
        assert not never.fullmatch(ast.unparse(each.func)), (path, each.lineno)
        assert not any(one.arg == "shell" for one in each.keywords), (path, each.lineno)


def test_a_browser_comes_back_by_tls_alone(client: TestClient[Litestar]) -> None:
    """RFC 6797: over plain HTTP a browser passes over it, as on loopback."""
    assert HEADERS["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert client.get("/vi/").headers["strict-transport-security"] == HEADERS["Strict-Transport-Security"]


class Answer(NamedTuple):
    """What the site said."""

    status: int
    headers: Mapping[str, str]
    text: str


def fetch(served: str, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    """What the site says as it runs, over a connection of its own."""
    with closing(http.client.HTTPConnection(served.removeprefix("http://"), timeout=20)) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        told = {name.lower(): text for name, text in answer.getheaders()}
        return Answer(answer.status, told, answer.read().decode(errors="replace"))


@pytest.mark.parametrize("route", sorted(route for route in ACCESS if "{" in route.replace("{lang}", "")))
def test_nothing_hostile_in_an_address_is_a_fault_or_comes_back_as_markup(served: str, route: str) -> None:
    method, path = route.replace("{lang}", "en").split(" ")
    for each in HOSTILE:
        asked = re.sub(r"\{\w+\}", lambda _, text=each: quote(text, safe=""), path)
        for way in (asked, f"{asked}?q={quote(each)}"):
            answer = fetch(served, method, way)
            assert answer.status < 500, way
            assert "x-put" not in answer.headers
            said = answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""
            assert not any(text in said for text in ("<svg onload", "49${", "root:")), way


@pytest.mark.parametrize("route", sorted(route for route in ACCESS if route.startswith("POST ")))
def test_no_other_site_changes_anything(served: str, route: str) -> None:
    path = re.sub(r"\{\w+\}", "1", route.removeprefix("POST ").replace("{lang}", "vi"))
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json", "multipart/form-data"):
        answer = fetch(served, "POST", path, b"{}", Sec_Fetch_Site="cross-site", Content_Type=kind)
        elsewhere = answer.headers.get("access-control-allow-origin") == "*"  # which answers anybody, without cookies
        assert answer.status == 403 or (elsewhere and answer.status in (400, 404)), (path, kind, answer)


def test_each_answer_says_what_it_is(served: str) -> None:
    kinds = {
        "/vi/": "text/html; charset=utf-8",
        "/api/picture": "application/json",
        "/api/openapi.json": "application/vnd.oai.openapi+json",
        "/static/style.css": "text/css; charset=utf-8",
        "/static/check.js": "text/javascript; charset=utf-8",
        "/static/icon.svg": "image/svg+xml",
        "/nowhere": "text/html; charset=utf-8",
    }
    assert {path: fetch(served, "GET", path).headers["content-type"] for path in kinds} == kinds


def test_trace_is_not_answered(served: str) -> None:
    for path in ("/", "/vi/check", "/api/check", "/static/style.css"):
        assert fetch(served, "TRACE", path).status in (400, 405)


def test_a_packed_body_is_not_unpacked(served: str) -> None:
    """A bomb of a thousand times its size, to whatever takes a body."""
    bomb = gzip.compress(b"text=" + b"a" * 50_000_000)
    for path in ("/vi/check", "/api/check", "/breach/evaluate"):
        for kind in ("application/x-www-form-urlencoded", "application/json"):
            answer = fetch(served, "POST", path, bomb, Content_Encoding="gzip", Content_Type=kind)
            assert 400 <= answer.status < 500, (path, kind)


def test_a_message_ends_where_it_says(served: str) -> None:
    """Requests that two servers in a row might take apart in two ways (RFC 9112, sections 6.1 and 6.3)."""
    host = served.removeprefix("http://")
    crooked = (
        b"Content-Length: 6\r\nContent-Length: 7\r\n\r\ntext=a",
        b"Content-Length: +6\r\n\r\ntext=a",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    )
    for each in crooked:
        with socket.create_connection(tuple(host.split(":")), timeout=20) as connection:  # type: ignore[arg-type]
            connection.sendall(b"POST /vi/check HTTP/1.1\r\nHost: " + host.encode() + b"\r\n" + each)
            assert re.match(rb"HTTP/1\.1 4\d\d ", connection.recv(1000)), each


def test_a_parameter_that_comes_twice_is_no_trick(client: TestClient[Litestar]) -> None:
    for path in ("/en/findings?least=0&least=2", "/api/findings?order=new&order=evil"):
        assert client.get(path).status_code == 400
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/vi/check", content=b"text=a.example&text=b.example", headers=kind)
    assert answer.status_code in (200, 400)


def test_signing_out_leaves_nothing_in_the_browser(client: TestClient[Litestar]) -> None:
    """Pages of the desk are not kept; what a session is known by is forgotten, also by the store."""
    for path in ("/vi/desk", "/vi/desk/notices"):
        answer = client.get(path, headers={"Host": HOST})
        assert answer.headers["cache-control"] == "no-store"
    assert words.page("error-signed-out", "vi") in client.get("/vi/desk/notices").text
