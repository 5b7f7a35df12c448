"""What a page says of itself, asked of servers on loopback: good ones, and those that would do us harm."""

import gzip
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.errors import ConfigError
from khien.sources.site.source import Site
from khien.sources.site.title import cleaned, title
from tests.loopback import Answer, Due, Liar, Web, bomb, certificate, reply, says, told

HERE = ("127.0.0.0/8",)
CLOSED = 9  # discard: nobody listens
HTML = "Content-Type: text/html; charset=utf-8"
PAGE = "<!doctype html><html><head><title>\n Vietcombank &#8211; Đăng\tnhập </title><script src=x></script>".encode()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def look(
    stack: ExitStack, answer: Answer | None, tls: Answer | None = None, folder: Path = Path(), **settings: Any
) -> tuple[str, dict[str, str]]:
    """What is told of a.example, where servers of http and of https answer so."""
    names = stack.enter_context(Liar(settings.pop("say", says("127.0.0.1"))))
    http = stack.enter_context(Web(answer)).port if answer else CLOSED
    https = stack.enter_context(Web(tls, certificate(folder, "b.example")[0])).port if tls else CLOSED
    settings = {"allow": HERE, "ports": (https, http), "servers": (names.at,), "seconds": 1.5, **settings}
    ((_, topic, code, params),) = told(Site(Due("a.example"), **settings), 1)
    assert topic == "page"
    return code, params


def test_a_page_tells_its_status_and_title_and_where_it_is(stack: ExitStack, tmp_path: Path) -> None:
    def page(connection: socket.socket, path: str, lines: list[str]) -> None:
        assert "User-Agent: Khien (csirt@example)" in lines
        if path == "/":
            reply(connection, b"", "Location: /login", status="302 Found")
        else:
            reply(connection, PAGE, HTML, status="403 Forbidden")

    code, params = look(stack, None, page, tmp_path, contact="csirt@example")  # under a certificate of another name
    assert (code, params["status"], params["title"]) == ("answers", "403", "Vietcombank – Đăng nhập")
    assert params["url"].startswith("https://a.example:")
    assert params["url"].endswith("/login")


def test_without_https_it_is_asked_over_http(stack: ExitStack) -> None:
    code, params = look(
        stack, lambda connection, *_: reply(connection, gzip.compress(PAGE), HTML, "Content-Encoding: gzip")
    )
    assert (code, params["title"]) == ("answers", "Vietcombank – Đăng nhập")
    assert params["url"].startswith("http://")


def endless(head: bytes, again: bytes) -> Answer:
    def answer(connection: socket.socket, *_: object) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(again)
            time.sleep(0.001)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        endless(b"HTTP/1.1 200 OK\r\n\r\n" + PAGE, b"a" * 1000),
        endless(b"HTTP/1.1 200 OK\r\n\r\n" + PAGE, b"a"),
        lambda connection, *_: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + PAGE),
        lambda connection, *_: reply(connection, gzip.compress(PAGE) + bomb(50 << 20), "Content-Encoding: gzip"),
    ],
)
def test_of_a_page_without_end_what_came_is_told(answer: Answer, stack: ExitStack) -> None:
    code, params = look(stack, answer)
    assert (code, params["status"], params["title"]) == ("answers", "200", "Vietcombank – Đăng nhập")


def test_of_a_page_packed_as_was_not_asked_for_there_is_the_status(stack: ExitStack) -> None:
    code, params = look(stack, lambda connection, *_: reply(connection, b"?", "Content-Encoding: br"))
    assert (code, params["status"], params["title"]) == ("answers", "200", "")


def redirects(led: str) -> Answer:
    return lambda connection, *_: reply(connection, b"", f"Location: {led}", status="302 Found")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "unreachable"),
        (lambda connection, *_: connection.close(), "unreachable"),
        (lambda connection, *_: connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n"), "unreachable"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), "timeout"),
        (endless(b"", b""), "timeout"),
        (redirects("http://169.254.169.254/latest/meta-data"), "not-followed"),
        (redirects("http://[::ffff:10.0.0.1]/"), "not-followed"),
        (redirects("http://10.0.0.1:6379/"), "not-followed"),
        (redirects("/"), "malformed"),
    ],
)
def test_why_a_page_does_not_answer(answer: Answer | None, why: str, stack: ExitStack) -> None:
    code, params = look(stack, answer)
    assert (code, params) == ("unanswered", {"why": why})


def test_a_name_that_leads_inside_is_not_followed(stack: ExitStack) -> None:
    asked = stack.enter_context(Web(lambda connection, *_: reply(connection)))
    code, params = look(stack, None, say=says("127.0.0.1"), allow=(), ports=(asked.port, asked.port))
    assert (code, params, asked.asked) == ("unanswered", {"why": "not-followed"}, [])


def test_a_name_that_leads_inside_the_second_time_is_not_followed(stack: ExitStack) -> None:
    code, params = look(stack, redirects("http://c.example/"), say=says("127.0.0.1", "10.0.0.1"))
    assert (code, params) == ("unanswered", {"why": "not-followed"})


def test_one_page_that_is_silent_keeps_no_other_waiting(stack: ExitStack) -> None:
    def answer(connection: socket.socket, _: str, lines: list[str]) -> None:
        if any(line.startswith("Host: slow") for line in lines):
            time.sleep(2)
        reply(connection, PAGE)

    names, web = stack.enter_context(Liar(says("127.0.0.1"))), stack.enter_context(Web(answer))
    due = Due(*(f"slow{number}.example" for number in range(5)), "quick.example")
    source = Site(due, servers=(names.at,), ports=(CLOSED, web.port), allow=HERE, seconds=3)
    ((subject, *_),) = told(source, 1)
    assert subject == "quick.example"


@pytest.mark.parametrize("settings", [{"at_once": 0}, {"rate": 0.0}, {"allow": ("x",)}, {"servers": ("x",)}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="give"):
        Site(Due(), **settings)


def page(text: str, codec: str = "utf-8") -> bytes:
    return f"<html><head><title>{text}</title></head>".encode(codec)


@pytest.mark.parametrize(
    ("content", "kind", "wanted"),
    [
        (page("Ngân hàng"), "", "Ngân hàng"),
        (page("Ngân hàng", "utf-16"), "", "Ngân hàng"),
        (page("日本語", "shift_jis"), "text/html; charset=Shift_JIS", "日本語"),
        (page("日本語", "euc-jp"), "text/html;charset='euc-jp'", "日本語"),
        (
            b'<meta http-equiv="Content-Type" content="text/html; charset=windows-1258">' + page("Vi", "cp1258"),
            "",
            "Vi",
        ),
        (b"<meta charset=gb2312>" + page("银行", "gbk"), "", "银行"),
        (page("Müller", "latin-1"), "text/html; charset=iso-8859-1", "Müller"),
        (page("a"), "text/html; charset=zlib_codec", "a"),
        (page("a"), "text/html; charset=unicode_escape", "a"),
        (page("a"), "text/html; charset=../../x", "a"),
        (b"\xff<title>\xff</title>", "", "\ufffd"),
        (b"<TITLE lang=vi>A&amp;B</TITLE >", "", "A&B"),
        (b"<!-- <title>no</title> --><title>yes</title>", "", "yes"),
        (b"<titles>no</titles><title>yes", "", "yes"),
        (b"<title></title>", "", ""),
        (b"<!-- <title>no</title>", "", ""),
        (b"", "", ""),
        (page("a\u202eb\u200b\u0000c\u0007\r\n\t d"), "", "abc d"),
        (page("&#8238;a&#0;&#x110000;&#" + "9" * 3000 + ";b"), "", "a\ufffd\ufffd\ufffdb"),
        (page("ab " * 200), "", ("ab " * 200)[:200].rstrip()),
    ],
)
def test_a_title_is_read_as_browsers_read_it_and_cleaned(content: bytes, kind: str, wanted: str) -> None:
    assert title(content, kind) == wanted


@settings(deadline=None)
@given(content=st.binary(max_size=300), kind=st.text(max_size=60))
def test_whatever_a_page_holds_its_title_can_be_shown(content: bytes, kind: str) -> None:
    found = title(b"<title>" + content, kind)
    assert len(found) <= 200
    assert found.isprintable()
    assert cleaned(found) == found


@pytest.mark.parametrize("piece", [b"<title ", b"<!--", b"<title>&#", b"&amp", b"<title", b"charset="])
def test_a_page_of_one_thing_over_and_over_is_read_at_once(piece: bytes) -> None:
    assert len(title((piece * 65_536)[:65_536])) <= 200
