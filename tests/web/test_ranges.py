"""The range service on the wire: octet for octet what clients of Pwned Passwords expect, whatever they send."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from khien.app import breach, machine
from khien.breach.ranges import LEAST
from khien.model import Holding
from khien.pipeline import exports
from khien.stores.embedded.store import Embedded
from khien.web import ranges
from khien.web.ranges import Held, RangeSite
from tests.breach.held import made

LEAKED = {b"123456": 42_542_807, b"password": 10_434_004, "mật khẩu".encode(): 17, b"hunter2": 1}
SHA1 = {hashlib.sha1(each).digest(): count for each, count in LEAKED.items()}
NTLM = {bytes.fromhex("32ED87BDB5FDC5E9CBA88547376818D4"): 42_542_807}  # of 123456
PREFIX = hashlib.sha1(b"password").hexdigest()[:5].upper()
NOTHING = "[0-9A-F]{35}:0"  # rather than no row at all
ROW = hashlib.sha1(b"password").hexdigest()[5:].upper() + ":10434004"
DOCS = Path(__file__).parents[2] / "docs" / "passwords.md"


class Place(NamedTuple):
    directory: Path
    store: Embedded

    def hold(self, id: str, counts: dict[bytes, int]) -> None:
        """Makes a table what lookups read now."""
        table = made(self.directory / "breach", counts, id)
        now = machine.clock()
        self.store.save(Holding(id=id, file=table.path.name, entries=table.entries, at=now))

    @property
    def site(self) -> RangeSite:
        key = machine.key(self.directory, machine.PADDING)
        return RangeSite(Held(self.store, breach.place(self.directory), key))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with machine.store(tmp_path / "data") as store:
        yield Place(tmp_path / "data", store)


SERVED = """
from pathlib import Path
import os
from khien.app import breach, machine
from khien.web.ranges import Held, RangeSite
data = Path(os.environ["PLACE"])
app = RangeSite(Held(machine.store(data), breach.place(data), machine.key(data, machine.PADDING)))
"""


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_listening(child: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert child.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)


class Served(NamedTuple):
    """The application under granian, as the site is served; what it says on its output."""

    port: int
    output: Path

    def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in {"Accept_Encoding": "identity", **headers}.items()}
        return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", headers=sent, trust_env=False, timeout=60)

    def raw(self, sent: bytes, *, over: bool = False) -> bytes:
        """What comes back, up to the end of a body. over: it is said that nothing more will be sent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(sent)
            if over:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while not _whole(answer) and (piece := connection.recv(65536)):
                answer += piece
            return answer


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return bool(end) and len(body) >= int(length[1] if length else 0)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("ranges")
    with machine.store(folder / "data") as store:
        filled = Place(folder / "data", store)
        filled.hold("sha1", SHA1)
        filled.hold("ntlm", NTLM)
    (folder / "served.py").write_text(SERVED)
    port, output = free(), folder / "output"
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--port", str(port), "served:app"]
    environment = {**os.environ, "PLACE": str(folder / "data"), "PYTHONPATH": os.pathsep.join(sys.path)}
    with output.open("wb") as file:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        try:
            await_listening(child, port)
            yield Served(port, output)
        finally:
            child.terminate()
            child.wait(20)


def test_an_answer_is_what_pwned_passwords_says(served: Served) -> None:
    answer = served.get(f"/range/{PREFIX}")
    assert (answer.status_code, answer.content) == (200, ROW.encode())
    headers = dict(answer.headers)
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["cache-control"] == "public, max-age=2678400"
    assert headers["vary"] == "Add-Padding, Accept-Encoding"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-length"] == str(len(ROW))
    assert re.fullmatch('"[0-9a-f-]+"', headers["etag"])
    assert served.get(f"/range/{PREFIX.lower()}").content == answer.content
    assert served.get("/range/00000").status_code == 200
    assert re.fullmatch(NOTHING, served.get("/range/00000").text)


def test_ntlm_is_a_mode(served: Served) -> None:
    assert served.get("/range/32ED8?mode=ntlm").text == "7BDB5FDC5E9CBA88547376818D4:42542807"
    assert served.get("/range/32ed8?x=1&mode=ntlm&mode=sha1").text == "7BDB5FDC5E9CBA88547376818D4:42542807"
    assert re.fullmatch(NOTHING, served.get("/range/32ED8?mode=sha1").text)
    assert re.fullmatch(NOTHING, served.get("/range/32ED8?mode=NTLM").text), "as upstream has it"


def test_padding_is_asked_for_in_a_header(served: Served) -> None:
    answers = [served.get(f"/range/{each}", Add_Padding="true") for each in (PREFIX, "00000", "FFFFF")]
    assert {len(each.content) for each in answers} == {LEAST * 39 - 2}
    assert ROW in answers[0].text.split("\r\n")
    assert answers[0].content == served.get(f"/range/{PREFIX}", Add_Padding="True").content
    assert answers[0].headers["etag"] != served.get(f"/range/{PREFIX}").headers["etag"]
    assert served.get(f"/range/{PREFIX}", Add_Padding="false").text == ROW
    assert len(served.get("/range/32ED8?mode=ntlm", Add_Padding="true").content) == LEAST * 31 - 2


def test_gzip_is_for_who_takes_it(served: Served) -> None:
    plain = served.get(f"/range/{PREFIX}")
    for taken in ("gzip", "br, GZIP;q=0.5", "deflate,gzip ; q=1"):
        answer = served.get(f"/range/{PREFIX}", Accept_Encoding=taken)
        assert (answer.headers["content-encoding"], answer.text) == ("gzip", ROW), taken
        assert answer.headers["etag"] != plain.headers["etag"]
        again = served.get(f"/range/{PREFIX}", Accept_Encoding=taken, If_None_Match=answer.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
    for other in ("", "br", "gzip;q=0", "gzip; q=0.000", "*", "gzipped"):
        answer = served.get(f"/range/{PREFIX}", Accept_Encoding=other)
        assert (answer.headers["etag"], answer.content) == (plain.headers["etag"], ROW.encode()), other
    padded = served.get(f"/range/{PREFIX}", Accept_Encoding="gzip", Add_Padding="true")
    assert "content-encoding" not in padded.headers, "its length would tell what padding hides"


def test_what_is_known_is_not_sent_again(served: Served) -> None:
    tag = served.get(f"/range/{PREFIX}").headers["etag"]
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        answer = served.get(f"/range/{PREFIX}", If_None_Match=known)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    for other in ('"x"', tag.strip('"'), ""):
        assert served.get(f"/range/{PREFIX}", If_None_Match=other).status_code == 200
    assert served.get(f"/range/{PREFIX}", If_None_Match=tag, Add_Padding="true").status_code == 200


def test_a_page_of_any_site_may_ask(served: Served) -> None:
    answer = served.get(f"/range/{PREFIX}", "OPTIONS", Origin="https://example.org")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET"
    assert answer.headers["access-control-allow-headers"] == "Add-Padding"


WRONG = {
    "": "not in a valid format",
    "2": "not in a valid format",
    "21BD": "not in a valid format",
    "21BD11": "not in a valid format",
    "21BD1/": "not in a valid format",
    "0" * 4000: "not in a valid format",
    "../../etc/passwd": "not in a valid format",
    "..%2f..": "not valid hexadecimal",
    "21BD1%00": "not in a valid format",
    "21BDG": "not valid hexadecimal",
    "21%20D": "not in a valid format",
    "21B%001": "not valid hexadecimal",
    "+1BD1": "not valid hexadecimal",
    "0x1BD": "not valid hexadecimal",
    "1_2_3": "not valid hexadecimal",
    "%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91%EF%BC%91": "not valid hexadecimal",  # digits, and none of ASCII
    "%ff%ff%ff%ff%ff": "not ",
}


@pytest.mark.parametrize("prefix", WRONG)
def test_a_prefix_that_is_none_is_refused(served: Served, prefix: str) -> None:
    answer = served.raw(f"GET /range/{prefix} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert WRONG[prefix].encode() in body
    assert b"access-control-allow-origin: *" in head
    assert b"cache-control: no-store" in head


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "X" * 300])
def test_other_methods_are_refused(served: Served, method: str) -> None:
    answer = served.get(f"/range/{PREFIX}", method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert f"used the {method[:20]} verb" in answer.text


def test_a_body_is_not_read(served: Served) -> None:
    head = f"POST /range/{PREFIX} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n".encode()
    assert served.raw(head + b"x" * 100_000).startswith(b"HTTP/1.1 405 ")
    assert served.raw(head.replace(b"POST", b"GET")).startswith(b"HTTP/1.1 200 ")


HOSTILE = {
    "one header of a megabyte": b"GET /range/00000 HTTP/1.1\r\nHost: x\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n",
    "ten thousand headers": b"GET /range/00000 HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "a path of a megabyte": b"GET /range/" + b"0" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "no HTTP": bytes(range(256)) * 10,
    "half a head": b"GET /range/000",
    "two lengths": b"POST /range/00000 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_request_is_refused(served: Served, name: str) -> None:
    try:
        answer = served.raw(HOSTILE[name], over=True)
    except OSError:  # it did not want to hear the rest
        answer = b""
    assert not answer or re.match(rb"HTTP/1\.1 4\d\d ", answer), answer[:200]
    assert served.get(f"/range/{PREFIX}").status_code == 200


def test_a_slow_client_keeps_nobody_waiting(served: Served) -> None:
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(200)]
    try:
        for each in slow:
            each.sendall(b"GET /range/")
        assert served.get(f"/range/{PREFIX}").status_code == 200
    finally:
        for each in slow:
            each.close()


def test_nothing_of_what_was_asked_is_said_again(served: Served) -> None:
    served.get("/range/ABCDE")
    served.get("/range/ABCDE/x", "POST")
    assert "ABCDE" not in served.output.read_text()


def test_what_is_held_is_read_anew_without_a_gap(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(ranges, "monotonic", lambda: clock[0])
    place.hold("sha1", SHA1)
    site = place.site

    def asked() -> tuple[bytes, bytes]:
        status, headers, body = site.answer("GET", PREFIX, b"")
        assert status == 200
        return body, dict(headers)[b"etag"]

    first = asked()
    place.hold("sha1", {**SHA1, hashlib.sha1(b"password").digest(): 5})
    assert asked() == first, "looked at once a second"
    clock[0] += 1
    second = asked()
    assert second[0] == ROW.replace("10434004", "5").encode()
    assert second[1] != first[1]
    place.hold("public-sha1", {hashlib.sha1(b"password").digest(): 2})
    clock[0] += 1
    assert asked()[0] == ROW.replace("10434004", "7").encode()
    (place.directory / "breach" / next(iter(place.store.find(Holding))).file).unlink()
    place.store.save(Holding(id="ntlm", file="gone", entries=0, at=machine.clock()))
    clock[0] += 1
    assert asked()[0] == ROW.replace("10434004", "7").encode(), "what is mapped stays"


def test_without_a_list_nobody_is_told_that_a_password_is_good(place: Place) -> None:
    for mode in (b"", b"mode=ntlm"):
        status, headers, body = place.site.answer("GET", PREFIX, mode)
        assert (status, dict(headers)[b"retry-after"]) == (503, b"60")
        assert b"held" in body
    place.store.save(Holding(id="sha1", file="sha1-gone", entries=1, at=machine.clock()))
    status, _, body = place.site.answer("GET", PREFIX, b"")
    assert (status, body) == (503, b"not available just now: try again in a minute")


@pytest.fixture
def nginx(place: Place, tmp_path: Path) -> Iterator[int]:
    """nginx as the documentation sets it up, over exported files."""
    if shutil.which("nginx") is None and "CI" not in os.environ:
        pytest.skip("there is no nginx here")
    place.hold("sha1", SHA1)
    place.hold("ntlm", NTLM)
    for mode, only in (("sha1", PREFIX[:3]), ("ntlm", "32E")):
        held = place.site.held.of(mode)
        exports.files(held, tmp_path / "srv" / mode / "plain" / "range", only=only)
        exports.files(held, tmp_path / "srv" / mode / "padded" / "range", only=only, padded=True)
    port = free()
    match = re.search(r"```nginx\n(.*?)```", DOCS.read_text(), re.S)
    assert match
    shown = match[1].replace("listen 8461", f"listen 127.0.0.1:{port}").replace("/srv/khien", str(tmp_path / "srv"))
    kept = "".join(
        f"{each}_temp_path {tmp_path}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    head = f"daemon off; pid {tmp_path}/pid; error_log stderr crit; {user} events {{ }}\n"
    (tmp_path / "nginx.conf").write_text(f"{head}http {{ {kept}\n{shown} }}")
    child = subprocess.Popen(["nginx", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    try:
        await_listening(child, port)
        yield port
    finally:
        child.terminate()
        child.wait(20)


ASKED: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("GET", f"/range/{PREFIX}", {}),
    ("GET", f"/range/{PREFIX.lower()}", {}),
    ("GET", f"/range/{PREFIX}", {"Add-Padding": "true"}),
    ("GET", "/range/32ed8?mode=ntlm", {}),
    ("GET", "/range/32ED8?mode=ntlm", {"Add-Padding": "TRUE"}),
    ("GET", f"/range/{PREFIX[:3]}00", {}),
    ("GET", "/range/21BDG", {}),
    ("GET", "/range/21BD", {}),
    ("GET", "/range/21BD1/", {}),
    ("POST", f"/range/{PREFIX}", {}),
    ("OPTIONS", f"/range/{PREFIX}", {}),
)
SAME = {
    200: ("content-type", "cache-control", "access-control-allow-origin", "access-control-allow-headers"),
    400: ("content-type", "access-control-allow-origin"),
    405: ("content-type", "access-control-allow-origin"),
}


def test_nginx_says_the_same_from_files(nginx: int, place: Place, served: Served) -> None:
    for method, path, headers in ASKED:
        answers = [
            httpx.request(method, f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False)
            for port in (nginx, served.port)
        ]
        theirs, ours = answers
        assert theirs.status_code == ours.status_code, path
        if "Add-Padding" in headers or theirs.text.endswith(":0"):  # another key
            assert len(theirs.content) == len(ours.content)
            assert ("content-encoding" in theirs.headers) is ("Add-Padding" not in headers)
        else:
            assert theirs.content == ours.content, (method, path)
        for name in SAME[ours.status_code]:
            assert theirs.headers.get(name) == ours.headers.get(name), (method, path, name)
    plain = httpx.get(f"http://127.0.0.1:{nginx}/range/{PREFIX}", trust_env=False)
    assert plain.headers["content-encoding"] == "gzip", "packed before"
    assert "Add-Padding" in plain.headers["vary"]
    assert plain.headers["access-control-expose-headers"] == "ETag"
    asked = {"If-None-Match": plain.headers["etag"]}
    assert httpx.get(f"http://127.0.0.1:{nginx}/range/{PREFIX}", headers=asked, trust_env=False).status_code == 304
    assert httpx.head(f"http://127.0.0.1:{nginx}/range/{PREFIX}", trust_env=False).status_code == 200
    assert place.directory.exists()


def test_the_site_answers_before_all_else(place: Place, client_of: Any) -> None:
    place.hold("sha1", SHA1)
    client = client_of(place.site)
    answer = client.get(f"/range/{PREFIX}")
    assert answer.text == ROW
    assert "content-security-policy" not in answer.headers
    head = client.head(f"/range/{PREFIX}", headers={"Accept-Encoding": "identity"})
    assert (head.text, head.headers["content-length"]) == ("", str(len(ROW)))
    assert client.get("/rangers").status_code == 404
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/range/{prefix}", "/api/check"} <= set(paths)


@pytest.fixture
def client_of(place: Place, detector: Any, labels: dict[str, str]) -> Iterator[Any]:
    from litestar.testing import TestClient

    from khien.web import site as assembly

    opened: list[TestClient[Any]] = []

    def make(app: RangeSite) -> TestClient[Any]:
        audit = machine.audit(place.directory)
        site = assembly.create(place.store, detector, labels, ["testserver.local"], audit=audit, key=bytes(32))
        whole = assembly.beside(site, {ranges.PATH: assembly.Mounted(app, ranges.OPENAPI)})
        opened.append(TestClient(whole).__enter__())
        return opened[0]

    yield make
    for each in opened:
        each.__exit__()
