"""The page that people ask, the same for programs; and that nothing of what was asked is kept, or visited."""

import json
import os
import re
import shutil
import socket
import threading
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from khien import words
from khien.app.configuration import Site
from khien.cli import serve
from khien.model import Reason
from khien.web import check
from tests.pipeline.test_asked import PAYS, listed
from tests.web.conftest import HOSTILE, Place

Ask = tuple[str, str, str]  # text, verdict, what the page says beside

ANSWERS: list[Ask] = [
    ("http://vneid-otp.example.top/login?x=1", "looks-harmful", "VNeID"),
    ("lan@vneid-otp[.]example[.]top", "looks-harmful", "VNeID"),
    ("Xem vneid-otp.example.top ngay nhé", "looks-harmful", "VNeID"),
    ("www.vietcombank.com.vn", "belongs", "Vietcombank"),
    ("quiet.example", "nothing", "quiet"),
    ("0912 345 678", "nothing", "0912345678"),
    (PAYS, "nothing", "Vietcombank"),
    (HOSTILE, "nothing", "&lt;script&gt;"),
    ("127.0.0.1", "nothing", "127"),
]


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize(("text", "verdict", "beside"), ANSWERS)
def test_an_answer(client: TestClient[Litestar], text: str, verdict: str, beside: str, language: str) -> None:
    answer = client.post(f"/{language}/check", data={"text": text})
    assert answer.status_code == 200
    said = client.post("/api/check", json={"text": text}).json()
    assert said["verdict"] == verdict
    assert len(said["reasons"][language]) >= 2
    assert said["advice"][language]
    told = (
        answer.text.partition('id="ask-form"')[0].replace("<wbr>", "").replace("&#39;", "'")
    )  # what was asked stands there
    for sentence in (*said["said"][language], *said["reasons"][language], *said["advice"][language]):
        assert sentence in told.replace("&#34;", '"') or "&lt;" in told, sentence
    assert beside in told
    assert "<script>alert" not in told
    assert "\u202e" not in told


def test_a_page_of_a_listing_is_linked(client: TestClient[Litestar], place: Place) -> None:
    listing = listed("listed.example.top")
    place.store.save(listing)
    assert client.post("/api/check", json={"text": "listed.example.top"}).json()["listing"] == listing.id
    found = re.search(
        r'href="([^"]*)">' + words.phrase("asked-why", "en"),
        client.post("/en/check", data={"text": "listed.example.top"}).text,
    )
    assert found
    assert listing.id in found[1]


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("text", ["", "   ", "!!", "a" * 5_001, "00020101021"])
def test_there_is_nothing_to_look_at(client: TestClient[Litestar], text: str, language: str) -> None:
    answer = client.post(f"/{language}/check", data={"text": text})
    assert answer.status_code == 422
    assert words.page("check-no-name", language) in answer.text
    assert client.post("/api/check", json={"text": text}).status_code == 400


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_help_that_is_linked_says_what_it_is_for(client: TestClient[Litestar], language: str) -> None:
    text = "Tao có clip nóng của mày. Không chuyển 5 triệu tao gửi cho cả trường coi, tung lên mạng."
    for asked, plans in (("vneid-otp.example.top", {"paid", "entered"}), (text, {"no-image", "young"})):
        answer = client.post(f"/{language}/check", data={"text": asked}).text.partition('id="ask-form"')[0]
        assert dict(re.findall(r'<li>[^<]* <a href="([^"]*)">([^<]*)</a></li>', answer)) == {
            f"/{language}/help/{check.HELPS[code][1]}": words.phrase(f"asked-see-{code}", language) for code in plans
        }


def test_what_was_asked_stands_in_the_box_again(client: TestClient[Litestar]) -> None:
    answer = client.post("/vi/check", data={"text": "</textarea><b>\"'", "sender": '"><b>'}).text
    assert "&lt;/textarea&gt;&lt;b&gt;" in answer
    assert 'value="&#34;&gt;&lt;b&gt;"' in answer


def test_the_api_is_described(client: TestClient[Litestar]) -> None:
    described = client.get("/api/openapi.json").json()
    asked = described["paths"]["/api/check"]["post"]
    assert {"200", "400"} <= set(asked["responses"])
    assert "verdict" in json.dumps(described["components"]["schemas"])


def test_what_was_noticed_is_marked() -> None:
    noticed = [
        Reason(code="x", params={"said": said, "span": span})
        for said, span in (("cd", "2-4"), ("de", "3-5"), ("ab", "0-2"))
    ]
    wrong = [Reason(code="x", params={"span": span}) for span in ("", "-", "4-2", "0-99", "²-³", "-1-2")]
    pieces = check.pieces("abcdef", [*noticed, *wrong], "vi")
    assert pieces == (("ab", 2), ("cd", 1), ("ef", 0))
    assert check.marks("abcdef", [*noticed, *wrong]) == {0: 1, 2: 2}
    assert check.pieces("", (), "vi") == ()


def test_masks_are_shown_as_words_and_marks_stay_in_place() -> None:
    text = "vào stk <account>, gọi <phone>"
    noticed = [Reason(code="x", params={"span": "4-17"})]
    assert check.pieces(text, noticed, "vi") == (
        ("vào ", 0),
        ("stk [số tài khoản]", 1),
        (", gọi [số điện thoại]", 0),
    )


def test_marks_are_numbered_as_the_reasons_beside_them(client: TestClient[Litestar]) -> None:
    text = "BIDV: chuyển tiền gấp vào stk 123456789012 để nhận thưởng, gọi 0912345678"
    answer = client.post("/vi/check", data={"text": text}).text
    marked = [int(each) for each in re.findall(r"</mark><sup>(\d+)</sup>", answer)]
    assert sorted(marked) == [*range(1, len(marked) + 1)]
    assert [int(each) for each in re.findall(r"<sup>(\d+)</sup></li>", answer)] == sorted(marked)
    assert "&lt;account&gt;" not in answer


class Asked:
    """What is asked of a real site: fifty distinctive things, each in its own form, hostile ones too."""

    def __init__(self, port: int) -> None:
        self.secrets = [f"zq{number:02}kept{'x' * (number % 3)}" for number in range(50)]
        forms = (
            "https://{}.example.top/login?khach={}",
            "{}.example",
            f"http://127.0.0.1:{port}/{{}}",
            f"http://localhost:{port}/{{}} bấm ngay để nhận thưởng, gọi 0912345678",
            "{}@example.org",
            "Mã OTP của {} là 123456, đừng đưa ai",
            "'; DROP TABLE records; -- {}",
            "<script>{}</script>{{{{7*7}}}}",
            "../../../etc/passwd {}",
            "000201{}",
        )
        self.texts = [forms[number % len(forms)].replace("{}", each) for number, each in enumerate(self.secrets)]


def _post(address: str, path: str, body: str, kind: str) -> int:
    connection = HTTPConnection(address, timeout=30)
    connection.request("POST", path, body.encode(), {"Content-Type": kind})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_nothing_that_was_asked_is_kept_and_no_link_is_visited(
    place: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, scratch = tmp_path / "data", tmp_path / "tmp"
    shutil.copytree(place.directory, data)
    scratch.mkdir()
    visited: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as trap, pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(scratch))
        threading.Thread(target=_take, args=(trap, visited), daemon=True).start()
        asked = Asked(trap.getsockname()[1])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        with serve.site(data, None, Site(listen=listen), replay=True) as served:
            for text in asked.texts:
                form = urlencode({"text": text, "sender": f"{text[:40]}"})
                assert _post(listen, "/vi/check", form, "application/x-www-form-urlencoded") in (200, 422)
                assert _post(listen, "/api/check", json.dumps({"text": text}), "application/json") in (200, 400)
                _post(listen, "/api/check", json.dumps({"text": text, "no": text}), "application/json")
                _post(listen, f"/vi/check?{quote(text)}", f"text={text}&text={text}", "text/plain")
            opened = Path(f"/proc/{served.child.pid}/fd")
            held = [os.readlink(each) for each in opened.iterdir()] if opened.exists() else []
            assert not any(str(scratch) in each for each in held)
        said = "".join(capfd.readouterr())
    assert visited == []
    written = {path: path.read_bytes() for root in (data, scratch) for path in root.rglob("*") if path.is_file()}
    assert written
    for secret in asked.secrets:
        assert secret not in said
        assert [path for path, content in written.items() if secret.encode() in content] == []


def _take(trap: socket.socket, visited: list[object]) -> None:
    while True:
        try:
            connection, address = trap.accept()
        except OSError:
            return
        visited.append(address)
        connection.close()
