"""Pictures on the check page, in a browser over the real site: what is read of them, and that none of it is sent."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from khien import words
from khien.errors import FormatError
from khien.messages.payment import BANKS, payment
from khien.web.render import FOLDER
from tests.web.test_browser import browser, violations

__all__ = ["browser"]
STATIC = FOLDER / "static"
PICTURES = Path(__file__).parent / "pictures"
CASES = json.loads((Path(__file__).parent / "pay.json").read_text(encoding="utf-8"))
ACCOUNT = "0011001234567"  # in payment.gif
TELEPHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "device_scale_factor": 3}
LARGEST = 6 << 20  # octets of all that reads text
LARGEST_QR = 40_000  # under gzip
MESSAGE = "Tài khoản của quý khách sắp bị khóa. Đăng nhập vcb-otp.example.top để xác thực trong 24 giờ."
Open = Callable[..., Page]


@pytest.fixture
def sent() -> list[Request]:
    """What the browser asked for."""
    return []


@pytest.fixture
def opened(browser: Browser, served: str, sent: list[Request]) -> Iterator[Open]:
    """Opens the check page; at the end the console is empty, and nothing was kept or asked of anybody else."""
    said: list[str] = []
    contexts = []

    def open_page(language: str = "vi", **settings: object) -> Page:
        context = browser.new_context(**{**TELEPHONE, **settings})  # type: ignore[arg-type]
        contexts.append(context)
        context.on("request", lambda request: sent.append(request))
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{served}/{language}/check")
        return page

    yield open_page
    for context in contexts:
        assert context.cookies() == []
        context.close()
    assert said == []
    assert [each.url for each in sent if not each.url.startswith(served)] == []


def choose(page: Page, *names: str) -> None:
    page.set_input_files("#pictures input >> nth=0", [PICTURES / name for name in names])


def answer(page: Page, code: str, language: str = "vi") -> None:
    expect(page.locator("#pictures [role=status]")).to_contain_text(words.page(code, language), timeout=60_000)


def screenshot(page: Page) -> bytes:
    """A message as a telephone shows it."""
    chat = page.context.new_page()
    chat.set_content(f"<p style='font: 16px sans-serif; padding: 12px; background: #eee'>{MESSAGE}</p>")
    seen = chat.screenshot(clip={"x": 0, "y": 0, "width": 360, "height": 160})
    chat.close()
    return seen


def uploaded(sent: list[Request], served: str) -> list[str]:
    """What was asked for but files of the site, by GET, and the page."""
    return [
        f"{each.method} {each.url}"
        for each in sent
        if each.method != "GET" or each.post_data or not re.match(f"{served}/(static/|vi/check$)", each.url)
    ]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_payment_code_tells_whom_it_would_pay(opened: Open, sent: list[Request], language: str) -> None:
    page = opened(language)
    choose(page, "payment.gif")
    answer(page, "paid-heading", language)
    told = page.locator("#pictures .facts").inner_text()
    for each in ("Vietcombank", "*********4567", "NGUYEN VAN MAU", "PHI HO SO 123", words.number(2_500_000, language)):
        assert each in told
    assert ACCOUNT not in page.content()
    assert page.locator("#pictures strong").count() == 0
    page.get_by_role("button", name=words.page("leaks-show", language)).first.click()
    expect(page.locator("#pictures .facts")).to_contain_text(ACCOUNT)
    assert violations(page) == []
    page.get_by_role("button", name=words.page("check-button", language)).first.click()
    expect(page.locator("#told #answer")).to_be_focused()
    (question,) = (each for each in sent if each.method == "POST")
    left = unquote_plus(question.post_data or "")
    assert ACCOUNT not in left
    assert payment(left.partition("text=")[2].partition("&")[0]).whole
    assert ACCOUNT not in " ".join(each.url for each in sent)


def test_a_payment_code_that_was_changed_is_said_to_be(opened: Open) -> None:
    page = opened()
    choose(page, "changed.gif")
    answer(page, "paid-broken")


def test_a_link_is_put_into_the_box_and_not_opened(opened: Open, sent: list[Request], served: str) -> None:
    page = opened()
    choose(page, "link.gif")
    answer(page, "pictures-code")
    expect(page.locator("#ask-text")).to_have_value("https://vneid-otp.example.top/login?a=1")
    expect(page.locator("#ask-text")).to_be_focused()
    assert uploaded(sent, served) == []


def test_a_hostile_code_becomes_text(opened: Open) -> None:
    page = opened()
    choose(page, "hostile.gif")
    answer(page, "pictures-code")
    assert page.input_value("#ask-text").startswith("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0


def test_the_text_of_a_screenshot_is_read_on_the_device(opened: Open, sent: list[Request], served: str) -> None:
    page = opened()
    picture = screenshot(page)
    page.set_input_files("#pictures input >> nth=0", {"name": "a.png", "mimeType": "image/png", "buffer": picture})
    answer(page, "pictures-read")
    assert " ".join(page.input_value("#ask-text").split()) == MESSAGE
    assert uploaded(sent, served) == []
    assert [each.url for each in sent if "simd.wasm" in each.url]
    kept = page.evaluate("async () => [(await indexedDB.databases()).length, (await caches.keys()).length]")
    assert kept == [0, 0]


def test_browsers_without_simd_read_text_too(opened: Open, sent: list[Request]) -> None:
    page = opened()

    def old(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace("WebAssembly.validate(SIMD)", "false"))

    page.context.route("**/reader.js", old)
    picture = screenshot(page)
    page.set_input_files("#pictures input >> nth=0", {"name": "a.png", "mimeType": "image/png", "buffer": picture})
    answer(page, "pictures-read")
    assert " ".join(page.input_value("#ask-text").split()) == MESSAGE
    assert [each.url.rpartition("/")[2] for each in sent if ".wasm" in each.url] == ["plain.wasm.gzip"]


def test_reading_can_be_stopped(opened: Open) -> None:
    page = opened()
    held: list[Route] = []
    page.context.route("**/vie.traineddata.gzip", lambda route: held.append(route))
    picture = screenshot(page)
    page.set_input_files("#pictures input >> nth=0", {"name": "a.png", "mimeType": "image/png", "buffer": picture})
    answer(page, "pictures-loading")
    page.get_by_role("button", name=words.page("pictures-stop", "vi")).click()
    answer(page, "pictures-stopped")
    expect(page.locator("#pictures .work")).to_be_hidden()
    assert page.input_value("#ask-text") == ""
    choose(page, "link.gif")
    answer(page, "pictures-code")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_what_is_no_picture_is_said_to_be_unreadable(opened: Open, content: bytes) -> None:
    page = opened()
    page.set_input_files("#pictures input >> nth=0", {"name": "a.png", "mimeType": "image/png", "buffer": content})
    answer(page, "pictures-unreadable")


def test_what_is_no_picture_is_refused_at_once(opened: Open) -> None:
    page = opened()
    page.evaluate("() => { window.createImageBitmap = () => new Promise(() => {}); }")  # what would take its time
    page.set_input_files("#pictures input >> nth=0", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"tin"})
    answer(page, "pictures-other")
    page.evaluate(
        """() => {
            const given = new DataTransfer();
            given.items.add(new File(["tin"], "a.txt", { type: "text/plain" }));
            document.querySelector("#pictures [role=status]").replaceChildren();
            dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
        }"""
    )
    answer(page, "pictures-other")
    expect(page.locator("#pictures .work")).to_be_hidden()


def test_that_a_picture_is_looked_at_is_shown_at_once_and_can_be_stopped(opened: Open) -> None:
    page = opened()
    page.evaluate("() => { window.createImageBitmap = () => new Promise(() => {}); }")
    choose(page, "link.gif")
    answer(page, "pictures-looking")
    expect(page.locator("#pictures progress")).to_be_visible()
    page.get_by_role("button", name=words.page("pictures-stop", "vi")).click()
    answer(page, "pictures-stopped")
    expect(page.locator("#pictures .work")).to_be_hidden()


def test_nothing_is_loaded_to_read_a_picture_of_one_colour(opened: Open, sent: list[Request]) -> None:
    page = opened()
    chat = page.context.new_page()
    chat.set_content("<body style='background: #abc'>")
    seen = chat.screenshot()
    chat.close()
    page.set_input_files("#pictures input >> nth=0", {"name": "a.png", "mimeType": "image/png", "buffer": seen})
    answer(page, "pictures-nothing")
    assert not any("tesseract" in each.url for each in sent)


@pytest.mark.parametrize(
    "how",
    [
        "new ClipboardEvent('paste', { clipboardData: given, bubbles: true })",
        "new DragEvent('drop', { dataTransfer: given, bubbles: true, cancelable: true })",
    ],
)
def test_pictures_are_pasted_and_dropped(opened: Open, how: str) -> None:
    page = opened()
    page.evaluate(
        f"""(octets) => {{
            const given = new DataTransfer();
            given.items.add(new File([new Uint8Array(octets)], "a.gif", {{ type: "image/gif" }}));
            document.getElementById("ask-text").dispatchEvent({how});
        }}""",
        list((PICTURES / "link.gif").read_bytes()),
    )
    answer(page, "pictures-code")


def test_the_pickers_are_there_for_the_keyboard_and_by_name(opened: Open) -> None:
    page = opened("en")
    page.locator("#ask-text").focus()
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.labels?.[0]?.innerText ?? ''").strip())
    for code in ("pictures-choose", "pictures-camera"):
        assert words.page(code, "en") in reached
        expect(page.get_by_label(words.page(code, "en"))).to_be_attached()


def test_without_scripts_no_picker_is_shown(opened: Open) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator("input[type=file]").count() == 0


def test_nothing_but_the_worker_may_compile_webassembly(served: str) -> None:
    def policy(path: str) -> str:
        with urlopen(f"{served}/{path}") as answer:
            return answer.headers["content-security-policy"]

    assert "script-src 'self' 'wasm-unsafe-eval';" in policy("static/reader.js")
    for path in ("vi/check", "static/pictures.js", "static/tesseract/simd.js"):
        assert "script-src 'self';" in policy(path)


def test_files_are_served_as_they_are_packed(served: str) -> None:
    with urlopen(f"{served}/static/tesseract/plain.wasm.gzip") as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(answer.read()).startswith(b"\0asm")
    with urlopen(f"{served}/static/icon.svg") as answer:
        assert answer.headers["content-encoding"] is None


def test_what_reads_pictures_is_small_and_as_it_was_published() -> None:
    named = (STATIC / "README.md").read_text(encoding="utf-8")
    files = sorted((STATIC / "tesseract").iterdir())
    assert sum(each.stat().st_size for each in files) < LARGEST
    assert len(gzip.compress((STATIC / "qr.js").read_bytes())) < LARGEST_QR
    for each in (STATIC / "qr.js", *files):
        assert hashlib.sha256(each.read_bytes()).hexdigest() in named, each.name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_payment_codes_are_read_by_one_rule(case: dict[str, Any]) -> None:
    """The other side of it is pay.js, below."""
    if case["says"] is None:
        with pytest.raises(FormatError):
            payment(case["text"])
    else:
        assert payment(case["text"])._asdict() == case["says"]
        masked = payment(case["leaves"])._asdict()
        ends = {**case["says"], "account": masked["account"]}
        assert masked == ends
        assert masked["account"].lstrip("*") == case["says"]["account"][-4:]


def test_payment_codes_are_read_in_the_browser_as_on_the_server() -> None:
    node = shutil.which("node")
    if node is None:
        assert not os.environ.get("CI"), "there is no node, and CI is set: install nodejs"
        pytest.skip("there is no node: install nodejs to hold pay.js to its cases")
    script = f"""
        import {{ payment }} from "{(STATIC / "pay.js").as_uri()}";
        import {{ readFileSync }} from "node:fs";
        const {{ texts, banks }} = JSON.parse(readFileSync(0, "utf8"));
        console.log(JSON.stringify(texts.map((text) => payment(text, banks))));
    """
    given = json.dumps({"texts": [case["text"] for case in CASES], "banks": BANKS})
    command = [node, "--input-type=module", "--no-warnings", "-e", script]
    said = json.loads(subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout)
    assert said == [case["says"] and {**case["says"], "masked": case["leaves"]} for case in CASES]
