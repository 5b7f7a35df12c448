"""A certstream server on loopback, honest and not."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from khien.contracts import Page
from khien.errors import ConfigError, UnavailableError
from khien.formats.certstream import LARGEST
from khien.sources.live.certstream import Certstream


def message(*names: str) -> str:
    leaf = {"all_domains": names, "issuer": {"O": "An Authority"}, "serial_number": "1F"}
    return json.dumps({"message_type": "certificate_update", "data": {"leaf_cert": leaf, "seen": 1_760_000_000}})


@contextmanager
def server(*messages: Any, stay: bool = True) -> Iterator[str]:
    """A server that says messages to whoever comes, and then stays silent or leaves."""

    def speak(connection: ServerConnection) -> None:
        for each in messages:
            connection.send(each)
        if stay:
            for _ in connection:
                pass

    with serve(speak, "127.0.0.1", 0) as serving:
        thread = Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{serving.socket.getsockname()[1]}/"
        finally:
            serving.shutdown()
            thread.join()


def heard(source: Certstream, cursor: bytes | None, count: int) -> tuple[list[str], list[str], bytes]:
    """The first so many names, the reasons of what was set aside on the way, and the cursor behind."""
    found, reasons = list[str](), list[str]()
    with closing(source.read(cursor)) as pages:
        for page in islice(pages, 100):
            found += page.rows.column("name").to_pylist()
            reasons += page.skipped.column("reason").to_pylist() if page.skipped else []
            if len(found) >= count:
                return found, reasons, page.cursor
    raise AssertionError(found)


def test_hears_and_sets_aside(tmp_path: Path) -> None:
    said = [
        message("a.example", "person@mail.example"),
        "{",
        b"\xff",
        '{"message_type":"heartbeat"}',
        message("b.example"),
    ]
    with server(*said) as url:
        found, reasons, _ = heard(Certstream(url, spool=str(tmp_path)), None, 2)
    assert found == ["a.example", "b.example"]
    assert sorted(reasons) == ["bad-character", "no-message", "no-message"]
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"person" not in path.read_bytes()


def test_what_was_not_saved_is_told_again(tmp_path: Path) -> None:
    with server(message("a.example")) as url:
        heard(Certstream(url, spool=str(tmp_path)), None, 1)  # and abandoned before it was saved
    with server(message("b.example")) as url:
        found, _, cursor = heard(Certstream(url, spool=str(tmp_path)), None, 2)
    assert found == ["a.example", "b.example"]
    with server(message("c.example")) as url:
        assert heard(Certstream(url, spool=str(tmp_path)), cursor, 1)[0] == ["c.example"]


def test_yields_while_nothing_is_said() -> None:
    with server() as url, closing(Certstream(url).read(None)) as pages:
        assert [page.rows.num_rows for page in islice(pages, 3)] == [0, 0, 0]


@pytest.mark.parametrize("said", [["x" * (LARGEST + 1)], []])
def test_a_server_that_leaves_or_floods_is_named(said: list[str]) -> None:
    with (
        server(*said, stay=False) as url,
        closing(Certstream(url).read(None)) as pages,
        pytest.raises(UnavailableError, match=r"127\.0\.0\.1"),
    ):
        list[Page](islice(pages, 100))


def test_nobody_is_there() -> None:
    with closing(Certstream("ws://127.0.0.1:9/").read(None)) as pages, pytest.raises(UnavailableError):
        list[Page](islice(pages, 100))


def test_settings(tmp_path: Path) -> None:
    for url in ("https://a.example/", "wss:///", "ws://a.example:99999/", ""):
        with pytest.raises(ConfigError, match="url is"):
            Certstream(url)
    (tmp_path / "none.pem").write_text("x")
    for path in ("none.pem", "missing.pem"):
        source = Certstream("wss://127.0.0.1:9/", authorities_file=os.fspath(tmp_path / path))
        with closing(source.read(None)) as pages, pytest.raises(ConfigError, match="authorities"):
            list[Page](islice(pages, 100))
