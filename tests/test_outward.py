"""Reaching out: where a client does not go, what it does not wait for, and what it does not take in."""

import gzip
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import ConfigError, Error, FormatError, RefusedError, UnavailableError
from khien.outward import asking, http
from khien.outward.addresses import is_outside, server, system
from khien.outward.asking import Asking, Fact
from khien.outward.pace import Kept, Pace
from tests.loopback import Answer, Web, bomb, certificate, reply

LARGEST = 1 << 20
HERE = ("127.0.0.0/8",)


@pytest.fixture
def web() -> Iterator[Callable[..., Web]]:
    with ExitStack() as opened:
        yield lambda answer, tls=None: opened.enter_context(Web(answer, tls))


def ask(
    url: str, *ports: int, seconds: float = 5, largest: int = LARGEST, cut: bool = False, **settings: Any
) -> http.Answer:
    settings = {"allow": HERE, "ports": (*http.PORTS, *ports), **settings}
    with http.client("test (csirt@example)", **settings) as client:
        return http.get(client, url, largest, seconds=seconds, cut=cut)


def at(web: Web, path: str = "/", **settings: Any) -> http.Answer:
    return ask(web.url + path, web.port, **settings)


def replies(body: bytes = b"", *fields: str, status: str = "200 OK") -> Answer:
    return lambda connection, *_: reply(connection, body, *fields, status=status)


OUTSIDE = (
    "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.0 172.32.0.1 192.0.1.1 223.255.255.255 2606:4700::1111"
    " 64:ff9b::808:808 ::ffff:8.8.8.8"
)
INSIDE = (
    "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1"
    " 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1"
    " ::127.0.0.1 64:ff9b::a00:1 64:ff9b::7f00:1 64:ff9b:1::808:808 100::1 2001::1 2001:db8::1 2002:a00:1::"
    " 2002:808:808:: 3fff::1 5f00::1 fc00::1 fd12::1 fe80::1 fe80::1%lo 2606:4700::1111%lo ff02::1"
)


@pytest.mark.parametrize("address", OUTSIDE.split())
def test_an_address_of_the_internet_is_outside(address: str) -> None:
    assert is_outside(address)


@pytest.mark.parametrize("address", [*INSIDE.split(), "", "a.example", "1.1.1", "1.1.1.1/8"])
def test_any_other_is_not(address: str) -> None:
    assert not is_outside(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1]"],
)
def test_nothing_inside_is_connected_to_however_it_is_written(address: str, web: Callable[..., Web]) -> None:
    here = web(replies())
    with pytest.raises(RefusedError, match="not of the public Internet"):
        ask(f"http://{address}:{here.port}/", here.port, allow=())
    assert not here.asked


@pytest.mark.parametrize(
    "led", ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[::1]/", "http://[64:ff9b::7f00:1]/"]
)
def test_a_redirect_leads_nowhere_inside(led: str, web: Callable[..., Web]) -> None:
    with pytest.raises(RefusedError, match="not of the public Internet"):
        at(web(replies(b"", f"Location: {led}", status="302 Found")))


@pytest.mark.parametrize(
    "led", ["file:///etc/passwd", "ftp://a.example/", "gopher://a.example/", "http://127.0.0.1:22/"]
)
def test_a_redirect_leads_to_no_other_scheme_or_port(led: str, web: Callable[..., Web]) -> None:
    with pytest.raises(RefusedError, match=r"only http and https are|port 22 is not asked"):
        at(web(replies(b"", f"Location: {led}", status="302 Found")))


def test_a_name_is_checked_each_time_it_is_resolved(web: Callable[..., Web]) -> None:
    here = web(replies(b"", "Location: /again", status="302 Found"))
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    with pytest.raises(RefusedError, match=r"10\.0\.0\.1"):
        ask(f"http://a.example:{here.port}/", here.port, resolve=lambda *_: answers.pop(0))
    assert len(here.asked) == 1


def test_of_the_addresses_of_a_name_only_those_outside_are_tried(web: Callable[..., Web]) -> None:
    here = web(replies(b"there"))
    addresses = ["10.0.0.1", "127.9.9.9", "127.0.0.1"]  # refused, closed, and there
    answer = ask(f"http://a.example:{here.port}/", here.port, resolve=lambda *_: addresses)
    assert answer.body == b"there"
    assert f"Host: a.example:{here.port}" in here.asked[0]


def test_a_server_is_told_who_asks_and_nothing_else(web: Callable[..., Web], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    here = web(
        lambda connection, path, _: reply(
            connection,
            b"",
            "Set-Cookie: a=b",
            *(["Location: /b"] if path == "/" else []),
            status="302 Found" if path == "/" else "200 OK",
        )
    )
    answer = at(here)
    assert (answer.status, answer.url) == (200, f"{here.url}/b")
    assert "set-cookie" not in answer.headers
    fields = {line.partition(":")[0].lower() for lines in here.asked for line in lines[1:]}
    assert fields <= {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert "User-Agent: test (csirt@example)" in here.asked[0]


def test_redirects_end(web: Callable[..., Web]) -> None:
    here = web(replies(b"", "Location: /", status="302 Found"))
    with pytest.raises(FormatError, match="again and again"):
        at(here)
    assert len(here.asked) == 6


def endless(head: bytes, again: bytes, pause: float = 0) -> Answer:
    def answer(connection: socket.socket, *_: object) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(again)
            time.sleep(pause)

    return answer


OK = b"HTTP/1.1 200 OK\r\n"
EITHER = "cannot be reached|in time"  # whichever comes first: on a busy machine even a flood takes its time


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (endless(b"", b"", 0.05), "in time"),  # silence
        (endless(OK, b"a", 0.02), "in time"),  # an octet at a time, of the head
        (endless(OK + b"\r\n", b"a", 0.02), "in time"),  # and of the body
        (endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001), "in time"),
        (endless(OK, b"A: " + b"b" * 1000 + b"\r\n"), EITHER),  # a flood of fields
        (endless(b"\xff" * 2000, b"\0" * 100), EITHER),
        (lambda connection, *_: connection.sendall(OK + b"Content-Length: 9\r\n\r\nshort"), "cannot be reached"),
        (lambda connection, *_: connection.close(), "cannot be reached"),
    ],
)
def test_a_server_that_does_not_come_to_an_end_is_left(answer: Answer, error: str, web: Callable[..., Web]) -> None:
    with pytest.raises(UnavailableError, match=error):
        at(web(answer), seconds=0.7)


def test_the_body_of_a_redirect_is_not_waited_for(web: Callable[..., Web]) -> None:
    def answer(connection: socket.socket, path: str, _: list[str]) -> None:
        if path == "/":
            endless(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n", bytes(1000))(connection, path, _)
        reply(connection, b"there")

    assert at(web(answer)).body == b"there"


@pytest.mark.parametrize(
    "answer",
    [
        endless(OK + b"\r\n", bytes(65536)),
        endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"400\r\n" + bytes(1024) + b"\r\n"),
    ],
)
def test_a_body_is_bounded(answer: Answer, web: Callable[..., Web]) -> None:
    with pytest.raises(FormatError, match="more than 100,000 octets"):
        at(web(answer), largest=100_000)
    assert len(at(web(answer), largest=100_000, cut=True).body) == 100_000


def test_what_is_packed_is_bounded_unpacked(web: Callable[..., Web]) -> None:
    here = web(replies(bomb(50 << 20), "Content-Encoding: gzip"))
    with pytest.raises(FormatError, match="more than"):
        at(here)
    with http.client("test", allow=HERE, ports=(here.port,)) as client, http.opened(client, here.url) as answer:
        assert max(len(next(answer.chunks)) for _ in range(100)) <= 1 << 16


@settings(deadline=None)
@given(parts=st.lists(st.binary(max_size=300_000), min_size=1, max_size=3), size=st.integers(1, 70_000))
def test_packed_bodies_come_whole_in_whatever_pieces(parts: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, parts))
    pieces = (packed[at : at + size] for at in range(0, len(packed), size))
    response = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, content=pieces, request=httpx.Request("GET", "http://a.example")
    )
    assert b"".join(http._unpacked(response)) == b"".join(parts)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(b"a" * 1000, mtime=0)[:-9], "gzip"),
        (b"no gzip at all", "gzip"),
        (b"a", "br"),
        (b"a", "gzip, gzip"),
        (b"", "gzip"),
    ],
)
def test_a_damaged_answer_is_named(body: bytes, coding: str, web: Callable[..., Web]) -> None:
    with pytest.raises(FormatError, match=r"^127\.0\.0\.1"):
        at(web(replies(body, f"Content-Encoding: {coding}")))


def test_certificates_are_checked_unless_it_is_said_that_they_are_not(tmp_path: Path, web: Callable[..., Web]) -> None:
    context, trusted = certificate(tmp_path, "a.example")
    here = web(replies(b"there"), context)
    url, to = f"https://a.example:{here.port}/", {"resolve": lambda *_: ["127.0.0.1"]}
    with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(url, here.port, **to)
    with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(url.replace("a.", "b."), here.port, authorities=str(trusted), **to)
    assert ask(url, here.port, authorities=str(trusted), **to).body == b"there"
    assert ask(url.replace("a.", "b."), here.port, unverified=True, **to).body == b"there"
    expired = web(replies(), certificate(tmp_path, "c.example", ends=timedelta(days=-1))[0])
    with pytest.raises(UnavailableError, match="expired"):
        ask(f"https://c.example:{expired.port}/", expired.port, authorities=str(tmp_path / "c.example.crt"), **to)


def test_tls_where_there_is_none_is_named(web: Callable[..., Web]) -> None:
    here = web(replies())
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1 (cannot be reached|does not answer)"):
        ask(here.url.replace("http:", "https:"), here.port, seconds=0.5)


def test_what_is_posted_goes_once_and_no_redirect_is_followed(web: Callable[..., Web]) -> None:
    here = web(replies(bytes(100_000), "Location: http://10.0.0.1/", "Retry-After: 7", status="307 Temporary Redirect"))
    with http.client("test", allow=HERE, ports=(here.port,)) as client:
        answer = http.post(client, here.url, b"{}", headers={"Content-Type": "application/json"}, largest=10)
    assert (answer.status, len(answer.body), http.retry_after(answer.headers)) == (307, 10, 7)
    assert here.asked[0][0] == "POST / HTTP/1.1"


def test_an_error_names_the_host_and_keeps_the_rest_to_itself(web: Callable[..., Web]) -> None:
    here = web(replies(bytes(1000)))
    for path, largest in (("/secret?token=secret", 10), ("/secret", 1)):
        with pytest.raises(FormatError) as caught:
            at(here, path, largest=largest)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "//a.example",
        "http://",
        "http:///a",
        "http://\0/",
        "http://a b/",
        "http://[::1",
        "http://a:99999/",
        "http://" + "a" * 300 + ".example/",
        "http://\u200b.example/",
        "http://xn--/",
    ],
)
def test_a_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises((FormatError, RefusedError, UnavailableError)):
        ask(url, seconds=1, resolve=system)


def nowhere(name: str, _: float) -> Sequence[str]:
    raise UnavailableError(f"{name} does not resolve")


@pytest.fixture(scope="module")
def lost() -> Iterator[httpx.Client]:
    with http.client("test", resolve=nowhere) as client:
        yield client


@settings(deadline=None)
@given(url=st.text(max_size=60) | st.from_regex(r"https?://[^/]{0,20}/.{0,10}"))
def test_of_any_text_the_error_is_ours(url: str, lost: httpx.Client) -> None:
    with pytest.raises(Error):
        http.get(lost, url, LARGEST, seconds=1)


@pytest.mark.parametrize(
    "settings",
    [{"allow": ("10.0.0.1/8",)}, {"allow": ("here",)}, {"authorities": "no/such.pem"}, {"authorities": __file__}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^(allow|authorities): "):
        http.client("test", **settings)


@pytest.mark.parametrize(
    ("said", "date", "seconds"),
    [
        ("120", "", 120),
        ("0", "", 0),
        ("9" * 5000, "", 86_400),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 30),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:30 GMT", 0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "", None),
        ("Wed, 21 Oct 2026 07:28:30 -0000", "Wed, 21 Oct 2026 07:28:30 GMT", None),
        ("-1", "", None),
        ("soon", "", None),
        ("²", "", None),
        ("", "", None),
    ],
)
def test_how_long_a_server_asks_us_to_wait(said: str, date: str, seconds: float | None) -> None:
    headers = httpx.Headers({"Retry-After": said.encode(), "Date": date.encode()})
    assert http.retry_after(headers) == seconds


@settings(deadline=None)
@given(
    said=st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,5} [A-Z][a-z]{2} \d{1,9} \d\d:\d\d:\d\d [A-Z+-]\d{0,9}")
)
def test_whatever_it_says_is_a_wait_or_none(said: str) -> None:
    text = said.encode("utf-8", "replace").replace(b"\n", b"")
    wait = http.retry_after(httpx.Headers({"Retry-After": text, "Date": text}))
    assert wait is None or 0 <= wait <= 86_400


@settings(deadline=None)
@given(steps=st.lists(st.floats(0, 3), max_size=40), rate=st.floats(0.1, 5), burst=st.integers(1, 5))
def test_no_more_is_asked_than_the_rate_and_the_burst_allow(steps: list[float], rate: float, burst: int) -> None:
    pace, now, taken = Pace(rate, burst), 1000.0, list[float]()
    for step in steps:
        now += step
        wait = pace.take("a", now)
        if not wait:
            taken.append(now)
        else:
            assert not pace.take("b" + str(now), now), "another server is not held up"
            assert pace.take("a", now) == wait, "to be told to wait costs nothing"
            now += wait + 1e-6
            assert not pace.take("a", now)
            taken.append(now)
    for begin in range(len(taken)):
        for end in range(begin, len(taken)):
            assert end - begin + 1 <= burst + (taken[end] - taken[begin]) * rate + 0.001


def test_a_server_that_asks_for_patience_is_left_so_long_and_few_are_remembered() -> None:
    pace = Pace(1, burst=3, most=2)
    pace.hold("a", 60.0)
    assert pace.take("a", 0.0) == pytest.approx(60)
    assert pace.turn("b", 0) == 0
    for each in "bcd":
        pace.take(each, 0.0)
    assert len(pace._spent) == 2


def test_an_answer_is_kept_as_long_as_it_may_be() -> None:
    kept = Kept[str](age=10, most=2)
    kept.put("a", "one", 0)
    assert (kept.get("a", 9.9), kept.get("a", 10), kept.get("b", 0)) == ("one", None, None)
    for each in "bc":
        kept.put(each, each, 20)
    assert kept.get("a", 0) is None


def test_the_system_resolves_in_bounded_time() -> None:
    assert "127.0.0.1" in system("localhost", 5)
    with pytest.raises(UnavailableError, match="does not resolve"):
        system("a" * 64 + ".example", 5)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:DB8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5", ("2001:db8::1", 5)),
    ],
)
def test_a_server_is_an_address_and_perhaps_a_port(text: str, where: tuple[str, int]) -> None:
    assert server(text, 53) == where


@pytest.mark.parametrize(
    "text", ["", "ns.example", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "[192.0.2.1", "::1:x", "192.0.2.1:53\n"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no address of a server"):
        server(text, 53)


def test_a_look_that_fails_stops_no_other_and_one_whose_turn_has_not_come_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried = dict[str, int]()

    def look(subject: str) -> Sequence[Fact] | None:
        tried[subject] = tried.get(subject, 0) + 1
        if subject == "fault":
            raise KeyError(subject)
        return None if subject == "later" and tried[subject] < 3 else (Fact("page", "answers", {"status": "200"}),)

    reading = Asking(lambda limit: ["fault", "later", "good"][:limit], (look,), 1).rows()
    told = list[str]()
    while len(told) < 2:
        told += [row["subject"] for row in next(reading)]
    assert told == ["good", "later"]
    assert tried == {"fault": 1, "later": 3, "good": 1}
    assert "fault: a fault of Khiên's" in caplog.text


def test_a_look_that_is_abandoned_says_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    begun, abandoned, ended = Event(), Event(), Event()

    def look(_: str) -> Sequence[Fact] | None:
        begun.set()
        abandoned.wait(5)
        try:
            raise RuntimeError("the client is closed")
        finally:
            ended.set()

    reading = Asking(lambda limit: ["a"][:limit], (look,), 1).rows()
    assert next(reading) == []
    assert begun.wait(5)
    reading.close()
    abandoned.set()
    assert ended.wait(5)
    assert not caplog.text


def test_what_is_no_longer_due_is_told_of_anew_when_it_is_again() -> None:
    due = ["a"]
    reading = Asking(lambda limit: due[:limit], (lambda _: (Fact("page", "unanswered", {}),),), 5).rows()
    for _ in range(2):
        assert next(rows for rows in reading if rows)[0]["subject"] == "a"
        due.clear()
        for _ in range(2):
            assert next(reading) == []
        due.append("a")


def test_looks_whose_turn_never_comes_make_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_AGAIN", 0.001)
    stuck = [f"stuck{number}" for number in range(600)]
    reading = Asking(
        lambda limit: [*stuck, "good"][:limit],
        (lambda subject: (Fact("page", "answers", {}),) if subject == "good" else None,),
        50,
    ).rows()
    told = next(rows for rows in reading if rows)
    assert [row["subject"] for row in told] == ["good"]


def test_as_many_are_asked_at_a_time_as_who_asks_says(web: Callable[..., Web]) -> None:
    most = 24
    together = Barrier(most)

    def answer(connection: socket.socket, *_: object) -> None:
        together.wait(20)
        reply(connection, b"there")

    here = web(answer)
    with http.client("test", allow=HERE, ports=(here.port,)) as client, ThreadPoolExecutor(most) as threads:
        answers = list(threads.map(lambda _: http.get(client, here.url, LARGEST, seconds=20).body, range(most)))
    assert answers == [b"there"] * most


def test_where_only_the_inside_is_allowed_nothing_outside_is_reached(web: Callable[..., Web]) -> None:
    assert at(web(replies(b"there")), inside=True).body == b"there"
    with pytest.raises(RefusedError, match="not in a network that is allowed"):
        ask("http://8.8.8.8/", inside=True)


def test_who_reaches_nobody_is_told_until_somebody_answers() -> None:
    reached = asking.Reached(b"7 3")
    assert (reached.cursor([]), reached.cursor(["row"])) == (b"7 3", b"8")
    for _ in range(19):
        reached.note(answered=False)
    assert asking.silence(reached.cursor(["row"])) == ""
    reached.note(answered=False)
    assert asking.silence(reached.cursor([])) == ""  # where nothing is told nothing moves
    assert "none of the last 20 looks was answered" in asking.silence(reached.cursor(["row"]))
    reached.note(answered=True)
    assert asking.silence(reached.cursor(["row"])) == ""
