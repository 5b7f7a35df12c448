"""Slow clients, by the thousand, against the site as it runs: others are answered, and nobody is waited for long."""

import asyncio
import http.client
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Request, post
from litestar.testing import TestClient
from litestar.types import Message, Scope

from khien import words
from khien.app import machine
from khien.app.configuration import Breach, Site
from khien.cli import serve
from khien.cli.serve import Served
from khien.web.patience import Patience

HEADERS, BODIES = 3_000, 500
BEFORE = 45.0  # seconds until which none of them is waited for any more, on a machine that has other things to do
GROWTH = 192 << 20  # bytes that all of them may take
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module", autouse=True)
def files() -> Iterator[None]:
    """As many open files as this process may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    if before[1] < 2 * (HEADERS + BODIES) + 500:
        pytest.skip(f"this process may have {before[1]} files open, and the test needs more: raise ulimit -Hn")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def listen() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def connected(host: str, first: bytes) -> socket.socket:
    """A connection that says so much, and no more."""
    name, _, port = host.partition(":")
    connection = socket.create_connection((name, int(port)), timeout=10)
    connection.sendall(first)
    connection.setblocking(False)
    return connection


def resident(site: Served) -> int:
    """Bytes of memory of the site's workers."""
    children = Path(f"/proc/{site.child.pid}/task/{site.child.pid}/children").read_text().split()
    statuses = (Path(f"/proc/{each}/status").read_text() for each in children)
    return sum(int(text.partition("VmRSS:")[2].split()[0]) << 10 for text in statuses)


def asked(host: str, path: str, body: str = "", kind: str = FORM) -> int:
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("POST" if body else "GET", path, body or None, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def ended(waiting: list[socket.socket]) -> list[bytes]:
    """What each was told, in the order of waiting, once all of them were let go."""
    told = dict.fromkeys(waiting, b"")
    open_, until = {each.fileno(): each for each in waiting}, time.monotonic() + BEFORE
    poll = select.poll()
    for number in open_:
        poll.register(number, select.POLLIN)
    while open_:
        assert time.monotonic() < until, f"{len(open_)} are waited for"
        for number, _ in poll.poll(500):
            try:
                met = open_[number].recv(65_536)
            except ConnectionResetError:
                met = b""
            told[open_[number]] += met
            if not met:
                poll.unregister(number)
                del open_[number]
    return [told[each] for each in waiting]


class Slow:
    """Thousands of slow clients of one server, who began to ask and do not go on, while others are answered."""

    def __init__(self, site: Served, path: str, kind: str, others: Callable[[str], None]) -> None:
        self._site, self._others = site, others
        self._host = site.address.removeprefix("http://").removesuffix("/")
        others(self._host)
        before = resident(site)
        first = f"GET / HTTP/1.1\r\nHost: {self._host}\r\nX-Slow: ".encode()
        body = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {kind}\r\nContent-Length: 60000\r\n\r\n{{"
        self._waiting = [connected(self._host, each) for each in [first] * HEADERS + [body.encode()] * BODIES]
        for _ in range(20):
            others(self._host)
        assert resident(site) - before < GROWTH

    def told(self) -> list[bytes]:
        """What those were told who gave no body."""
        told = ended(self._waiting)
        for each in self._waiting:
            each.close()
        self._others(self._host)
        assert set(told[:HEADERS]) == {b""}
        return told[HEADERS:]


def test_slow_clients_do_not_keep_others_from_the_site_nor_from_who_holds_a_share(tmp_path: Path) -> None:
    def people(host: str) -> None:
        assert asked(host, "/vi/check") == 200
        assert asked(host, "/vi/check", "text=a.example") == 200

    def holders(host: str) -> None:
        assert asked(host, "/breach/keys") == 200

    with machine.store(tmp_path):
        pass
    site = serve.site(tmp_path, None, Site(listen=listen()), replay=False)
    with site as served, serve.holder(tmp_path, Site(listen=listen()), Breach()) as holder:
        slow = Slow(served, "/vi/check", FORM, people), Slow(holder, "/breach/evaluate", "application/json", holders)
        ours, theirs = (each.told() for each in slow)
    assert all(each.startswith(b"HTTP/1.1 408 ") for each in (*ours, *theirs))
    assert all(words.page("error-request", "vi").encode() in each for each in ours)


@post("/", status_code=200)
async def long(request: Request[Any, Any, Any]) -> int:
    return len(await request.body())


async def trickled(patience: Patience, parts: list[float]) -> int:
    """The status that a body gets whose pieces come so many seconds apart."""
    site = Litestar([long], middleware=[patience], openapi_config=None)
    statuses: list[int] = []
    waits = iter(parts)

    async def receive() -> Message:
        wait = next(waits, None)
        if wait is None:
            return {"type": "http.request", "body": b"", "more_body": False}  # type: ignore[return-value]
        await asyncio.sleep(wait)
        return {"type": "http.request", "body": b"x", "more_body": True}  # type: ignore[return-value]

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Scope = {  # type: ignore[typeddict-item, assignment]
        "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "",
        "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "http_version": "1.1",
        "headers": [(b"content-type", b"application/octet-stream")], "extensions": {}, "asgi": {"version": "3.0"},
        "state": {},
    }  # fmt: skip
    await site(scope, receive, send)  # type: ignore[arg-type]
    return statuses[0]


def test_a_body_that_trickles_is_not_waited_for() -> None:
    assert asyncio.run(trickled(Patience(longest=30), [0.0] * 50)) == 200
    assert asyncio.run(trickled(Patience(longest=0.2), [0.02] * 500)) == 408


def test_one_body_too_many_is_told_to_come_later() -> None:
    with TestClient(Litestar([long], middleware=[Patience(most=0)], openapi_config=None)) as client:
        answer = client.post("/", content=b"x")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "10"
