"""The pages in a browser: accessible, readable on a telephone, whole without scripts, and nothing fetched elsewhere."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from khien import words
from khien.web import report
from tests.web.conftest import Place

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    "resultTypes": ["violations"],
    "preload": False,
}
CONTRAST = {"runOnly": ["color-contrast"], "resultTypes": ["violations"], "preload": False}  # all that colours change
PATHS = [
    "",
    "findings?brand=momo&least=0.2",
    "findings/{dismissed}",
    "findings/{letters}",
    "findings/{flood}",
    "findings/{carpet}",
    "findings/{home}",
    "check",
    "errors",
    "nowhere",
]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, served: str) -> Iterator[Open]:
    """Opens an address of the site; at the end nothing was asked of anybody else, and the console is empty."""
    asked: list[str] = []
    said: list[str] = []
    contexts = []

    def open_page(path: str, **settings: object) -> Page:
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(path if "://" in path else f"{served}/{path}")
        return page

    yield open_page
    for context in contexts:
        assert context.cookies() == []
        context.close()
    assert {urlsplit(url).netloc for url in asked} <= {urlsplit(served).netloc, ""}
    assert [text for text in said if "404" not in text and "422" not in text] == []


def violations(page: Page, rules: dict[str, object] = RULES) -> list[str]:
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_page_is_accessible_in_light_and_in_dark(opened: Open, place: Place, served: str, language: str) -> None:
    page = opened(f"{language}/", viewport={"width": 1280, "height": 900})

    def expect_none() -> None:
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        page.emulate_media(color_scheme="light")
        assert violations(page) == [], page.url
        page.emulate_media(color_scheme="dark")
        assert violations(page, CONTRAST) == [], page.url

    for path in PATHS:
        page.goto(f"{served}/{language}/{path.format(**place.ids._asdict())}")
        expect_none()
    page.goto(f"{served}/{language}/check")
    page.fill("#ask-text", "https://vneid-otp.example.top/login")
    page.click("#ask-form button")
    expect_none()


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_telephone_shows_every_page_whole(opened: Open, place: Place, served: str, language: str) -> None:
    page = opened(f"{language}/", viewport={"width": 320, "height": 600})
    for path in PATHS:
        page.goto(f"{served}/{language}/{path.format(**place.ids._asdict())}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, input, nav a, summary')]"
            ".map(each => each.getBoundingClientRect()).filter(each => each.height < 24 || each.width < 24).length"
        )
        assert small == 0, path


@pytest.mark.parametrize("scripts", [True, False])
def test_the_list_works_with_and_without_scripts(opened: Open, scripts: bool) -> None:
    page = opened("vi/findings", java_script_enabled=scripts)
    first = page.locator(".findings .to").first.inner_text()
    page.get_by_role("link", name=words.page("pager-next", "vi")).click()
    page.wait_for_url("**after=**")
    assert page.locator(".findings .to").first.inner_text() != first
    page.go_back()
    page.wait_for_url("**/vi/findings")
    page.select_option("#order", "new")
    page.select_option("#brand", "momo")
    page.get_by_role("button", name=words.page("filter-button", "vi")).click()
    page.wait_for_url("**brand=momo**")
    assert "MoMo" in page.locator(".findings .about").first.inner_text()
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**/en/findings?**brand=momo**")
    assert page.locator("#brand").input_value() == "momo"


def test_asking_works_without_scripts(opened: Open) -> None:
    page = opened("en/", java_script_enabled=False)
    page.get_by_label(words.page("check-label", "en")).fill("vneid-otp.example.top")
    page.get_by_role("button", name=words.page("check-button", "en"), exact=True).click()
    page.wait_for_url("**/en/check#answer")
    assert "VNeID" in page.locator("section.answer").inner_text()


def test_the_keyboard_goes_everywhere(opened: Open) -> None:
    page = opened("vi/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_report_opens_from_its_folder(opened: Open, place: Place, labels: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report.write(place.store, labels, Path(folder), replay=True)
        page = opened((Path(folder) / "index.html").as_uri())
        page.wait_for_url("**/vi/index.html")
        assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none"  # the style is there
        page.locator(".story a").click()
        page.get_by_role("link", name="English").click()
        page.wait_for_url("**/en/finding-*")
        assert violations(page) == []
