"""Lists that are fetched again and again, from a server on loopback that is honest, broken or hostile."""

import bz2
import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from khien import schema
from khien.errors import ConfigError, InputError, UnavailableError
from khien.sources.live.lists import Lists
from khien.sources.live.registrations import Registrations
from khien.testing.source import check_source

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


class Publisher(ThreadingHTTPServer):
    """Answers every GET with body, as long as it is not known to the asker by its ETag; length: what it claims."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.body, self.status, self.etag = b"", 200, '"1"'
        self.length: int | None = None
        self.path = "/list.txt"
        self.asked: list[str | None] = []

    def settings(self) -> dict[str, Any]:
        port = self.server_address[1]
        url = f"http://127.0.0.1:{port}{self.path}"
        return {"url": url, "allow": ("127.0.0.0/8",), "ports": (port,), "every": 0.0}


class _Answer(BaseHTTPRequestHandler):
    server: Publisher  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        ours = self.server
        ours.asked.append(self.headers["If-None-Match"])
        known = self.headers["If-None-Match"] == ours.etag
        self.send_response_only(304 if known else ours.status)
        self.send_header("Date", DATE)
        self.send_header("ETag", ours.etag)
        self.send_header("Content-Length", str(0 if known else ours.length or len(ours.body)))
        self.end_headers()
        if not known:
            self.wfile.write(ours.body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as made:
        thread = Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def told(source: Lists, cursor: bytes | None = None) -> tuple[list[tuple[str, str, str]], bytes]:
    """What a look brings: subject, code and URL; and the cursor behind."""
    found, last = list[tuple[str, str, str]](), cursor or b""
    for page in source.read(cursor):
        rows = page.rows.to_pylist()
        found += [(row["subject"], row["code"], dict(row["params"])["url"]) for row in rows]
        last = page.cursor
    return found, last


def test_listed_and_delisted(publisher: Publisher, tmp_path: Path) -> None:
    source = Lists("openphish", **publisher.settings(), harm="theft", spool=str(tmp_path))
    publisher.body = b"https://a.example/x?victim=1\nhttps://b.example/\nhttps://c.example/\n"
    with closing(source.read(None)) as pages:
        page = next(page for page in pages if page.rows.num_rows)
    assert page.rows.to_pylist()[0] == {
        "subject": "a.example",
        "topic": "list/openphish",
        "code": "listed",
        "seen_at": datetime(2026, 11, 22, 10, tzinfo=UTC),
        "params": [("list", "openphish"), ("url", "https://a.example/x"), ("harm", "theft")],
    }
    assert told(source, page.cursor) == ([], page.cursor), "the server says that nothing changed"
    publisher.body, publisher.etag = b"https://b.example/\nhttps://c.example/new\nhttps://d.example/\n", '"2"'
    assert told(source, page.cursor)[0] == [
        ("c.example", "listed", "https://c.example/new"),
        ("d.example", "listed", "https://d.example/"),
        ("a.example", "delisted", "https://a.example/x"),
    ]
    assert publisher.asked == [None, '"1"', '"1"']


def test_a_change_is_told_to_its_end_however_often_it_is_cut_off(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("khien.sources.live.followed._PAGE", 7)
    source = Lists("x", **publisher.settings(), spool=str(tmp_path))
    publisher.body = "\n".join(f"old{n:02}.example" for n in range(50)).encode()
    _, cursor = told(source)
    publisher.body = "\n".join(f"{'old' if n < 25 else 'new'}{n:02}.example" for n in range(50)).encode()
    publisher.etag = '"2"'
    whole, _ = told(source, cursor)
    assert len(whole) == 50
    found = list[tuple[str, str, str]]()
    for _ in range(100):
        with closing(source.read(cursor)) as pages:
            page = next(page for page in pages if page.cursor != cursor)
        cursor = page.cursor
        found += [(row["subject"], row["code"], dict(row["params"])["url"]) for row in page.rows.to_pylist()]
        publisher.body = b"never.example"  # it changes while it is told: first what was begun is ended
        if len(found) == 50:
            break
    assert found == whole


def test_what_breaks_off_is_never_a_list(publisher: Publisher, tmp_path: Path) -> None:
    source = Lists("x", **publisher.settings(), spool=str(tmp_path))
    publisher.body = b"".join(b"n%d.example\n" % n for n in range(100))
    _, cursor = told(source)
    broken: list[Callable[[], object]] = [
        lambda: setattr(publisher, "length", 10_000),
        lambda: setattr(publisher, "status", 503),
        lambda: setattr(publisher, "body", b""),
        lambda: setattr(publisher, "body", b"<html>We are back soon</html>"),
        lambda: setattr(publisher, "body", gzip.compress(b"a.example\n" * 9)[:-9]),
    ]
    for number, breaks in enumerate(broken):
        publisher.status, publisher.length, publisher.etag = 200, None, f'"broken {number}"'
        breaks()
        with pytest.raises(UnavailableError):
            told(source, cursor)
    publisher.status, publisher.length, publisher.etag, publisher.body = 200, None, '"short"', b"n1.example\n"
    assert told(source, cursor)[0] == [], "who lost more than half is believed the second time"


def test_who_says_twice_that_half_is_gone_is_believed(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.body = b"".join(b"n%d.example\n" % n for n in range(9))
    _, cursor = told(Lists("x", **publisher.settings(), spool=str(tmp_path)))
    publisher.body, publisher.etag = b"n1.example\n", '"2"'
    source = Lists("x", **publisher.settings() | {"every": 60.0}, spool=str(tmp_path))
    monkeypatch.setattr("threading.Event.wait", lambda *_: None)  # the hour goes by at once
    with closing(source.read(cursor)) as pages:
        page = next(page for page in islice(pages, 100) if page.rows.num_rows)
    assert {*page.rows.column("code").to_pylist()} == {"delisted"}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed(publisher: Publisher, pack: Callable[[bytes], bytes]) -> None:
    publisher.body, publisher.path = pack(b"url\nhttps://a.example/,\n"), "/list.csv.gz"
    assert told(Lists("x", **publisher.settings()))[0] == [("a.example", "listed", "https://a.example/")]


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("domain-names.txt", content)
    return file.getvalue()


def test_bombs(publisher: Publisher) -> None:
    for pack in (gzip.compress, bz2.compress, zipped):
        publisher.body = pack(b"a.example\n" * 1_000_000)
        with pytest.raises(UnavailableError, match="unpacks to more than"):
            told(Lists("x", **publisher.settings(), largest=1 << 20))
    publisher.body = b"a.example\n" * 1_000_000
    with pytest.raises(UnavailableError, match="more than"):
        told(Lists("x", **publisher.settings(), largest=1 << 20))


def test_new_registrations(publisher: Publisher, tmp_path: Path) -> None:
    source = Registrations(**publisher.settings(), spool=str(tmp_path))
    publisher.body = zipped(b"b.example\na.example\n192.0.2.1\n")
    pages = list(source.read(None))
    assert pages[-1].rows.to_pylist() == [
        {"name": name, "seen_at": datetime(2026, 11, 22, 10, tzinfo=UTC)} for name in ("a.example", "b.example")
    ]
    publisher.body, publisher.etag = zipped(b"c.example\na.example\n"), '"2"'
    names = [name for page in source.read(pages[-1].cursor) for name in page.rows.column("name").to_pylist()]
    assert names == ["c.example"]


def test_what_was_remembered_is_lost(publisher: Publisher, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    publisher.body = b"a.example\n"
    source = Lists("x", **publisher.settings(), spool=str(tmp_path))
    first, cursor = told(source)
    for each in tmp_path.iterdir():
        each.unlink()
    assert told(source, cursor)[0] == first
    assert "is told anew" in caplog.text


def test_yields_while_it_waits(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.example\n")
    with closing(Registrations(path=str(tmp_path / "list.txt")).read(None)) as pages:
        assert [page.rows.num_rows for page in islice(pages, 3)][1:] == [0, 0]
        assert next(pages).rows.schema == schema.NAMES


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"url": "ftp://a.example/"},
        {"url": "https://a.example/", "path": "x"},
        {"path": "x", "every": 1},
        {"path": "x", "largest": 0},
    ],
)
def test_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Lists("x", **settings)
    with pytest.raises(ConfigError):
        Registrations(**settings)


def test_refuses(tmp_path: Path, publisher: Publisher) -> None:
    with pytest.raises(ConfigError, match="is what the list is called"):
        Lists("", path="x")
    with pytest.raises(InputError, match="no cursor of a list"):
        told(Lists("x", path="x"), b"1:2")
    with pytest.raises(UnavailableError, match="No such file"):
        told(Lists("x", path=str(tmp_path / "none"), every=0))
    settings = publisher.settings() | {"allow": ()}
    with pytest.raises(UnavailableError, match="not of the public Internet"):
        told(Lists("x", **settings))


def test_keep_the_contract_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khien.sources.live.followed._PAGE", 3)
    path = tmp_path / "list.txt"
    path.write_text("".join(f"https://n{n}.example/\n" for n in range(10)))
    check_source(Lists("x", path=str(path), every=0, spool=str(tmp_path / "lists")))
    check_source(Registrations(path=str(path), every=0, spool=str(tmp_path / "registrations")))
