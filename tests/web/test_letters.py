"""Letters of the help pages: filled, printed and saved in the browser, and nothing of them sent or kept."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from khien import words
from tests.web.test_browser import browser

__all__ = ["browser"]
TYPED = "dauvetrieng7391 <b>"
Open = Callable[..., Page]


@pytest.fixture
def sent() -> list[Request]:
    """What the browser asked for."""
    return []


@pytest.fixture
def opened(browser: Browser, served: str, sent: list[Request]) -> Iterator[Open]:
    """Opens the first letter; at the end nothing that was typed had been sent or kept."""
    contexts = []

    def open_page(path: str = "vi/help/w/1", **settings: object) -> Page:
        context = browser.new_context(viewport={"width": 360, "height": 640}, **settings)  # type: ignore[arg-type]
        contexts.append(context)
        context.on("request", lambda request: sent.append(request))
        page = context.new_page()
        page.goto(f"{served}/{path}")
        return page

    yield open_page
    for context in contexts:
        (page,) = context.pages
        assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
        assert context.cookies() == []
        context.close()
    assert {each.method for each in sent} == {"GET"}
    assert not any(TYPED.split()[0] in each.url for each in sent)


def test_a_letter_is_filled_as_one_types(opened: Open, sent: list[Request]) -> None:
    page = opened()
    asked = len(sent)
    first = page.locator("form[data-letter] input").first
    blank = page.locator(f"[data-blank={first.get_attribute('name')}]").first
    before = blank.inner_text()
    first.press_sequentially(TYPED)
    expect(blank).to_have_text(TYPED)
    first.fill("")
    expect(blank).to_have_text(before)
    first.fill(TYPED)
    first.press("Enter")
    expect(blank).to_have_text(TYPED)
    page.reload()
    assert page.locator("form[data-letter] input").first.input_value() == ""
    assert [each for each in sent[asked:] if "/static/" not in each.url and not each.url.endswith("/help/w/1")] == []


def test_a_letter_is_saved_under_a_name_that_tells_nothing(opened: Open, tmp_path: Path) -> None:
    page = opened()
    page.locator("form[data-letter] input").first.fill(TYPED)
    with page.expect_download() as saved:
        page.locator("[data-letter-save]").click()
    assert saved.value.suggested_filename == "ghi-chu.txt"
    saved.value.save_as(tmp_path / "letter.txt")
    assert TYPED in (tmp_path / "letter.txt").read_text(encoding="utf-8")


def test_a_letter_is_printed_alone(opened: Open) -> None:
    page = opened()
    page.evaluate("window.print = () => document.body.setAttribute('data-printed', '')")
    page.locator("[data-letter-print]").click()
    expect(page.locator("body[data-printed]")).to_be_attached()
    page.emulate_media(media="print")
    for each in ("header", "footer", "#exit", "h1", "form"):
        expect(page.locator(each).first).to_be_hidden()
    expect(page.locator("[data-letter-text]")).to_be_visible()


def test_a_letter_that_was_walked_to_is_filled_too(opened: Open) -> None:
    page = opened("vi/help/w")
    for each in (0, 1):
        page.locator("main a[href*='/help/w/']").nth(each).click()
        first = page.locator("form[data-letter] input").first
        first.fill(TYPED)
        blank = page.locator(f"[data-blank={first.get_attribute('name')}]").first
        expect(blank).to_have_text(TYPED)
        page.get_by_role("link", name=words.page("help-letters-back", "vi")).click()
        expect(page.locator("form[data-letter]")).to_have_count(0)
    assert page.evaluate("history.length") == 2


def test_without_scripts_a_letter_is_there_to_be_filled_by_hand(opened: Open) -> None:
    page = opened(java_script_enabled=False)
    expect(page.locator("[data-letter-text]")).to_be_visible()
    expect(page.locator("form[data-letter]")).to_be_hidden()
