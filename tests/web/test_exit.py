"""Leaving a page at once, and what a visit leaves behind: in a browser over the real site, its profile searched."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from khien import words
from khien.app.configuration import People
from tests.web.test_browser import FLAGS, browser

__all__ = ["browser"]
AWAY = People().exit
TELEPHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True}
PAGES = ("", "check", "help", "findings", "errors", "desk", "nowhere")
QUIET = ("check", "help", "help/q", "help/w/1", "nowhere")  # in titles and addresses nothing is said
TELLING = re.compile(r"khiên|lừa|bạo lực|công an|scam|fraud|violence|abuse|police", re.IGNORECASE)
ASKED = "dauvetrieng7391"  # what is asked about, and must not be found afterwards
KEPT = """async () => [
    localStorage.length, sessionStorage.length, document.cookie.length,
    (await indexedDB.databases()).length, (await caches.keys()).length,
]"""
Open = Callable[..., Page]


def neutral(context: BrowserContext) -> BrowserContext:
    """Answers for the page that the exit leads to, which is not of this machine."""

    def answer(route: Route) -> None:
        route.fulfill(body="<title>Elsewhere</title><h1>Elsewhere</h1>", content_type="text/html")

    context.route(f"{AWAY}**", answer)
    return context


@pytest.fixture
def opened(browser: Browser, served: str) -> Iterator[Open]:
    """Opens a page of the site; at the end the console is empty, and nothing but the exit was asked for elsewhere."""
    contexts: list[BrowserContext] = []
    asked: list[str] = []
    said: list[str] = []

    def open_page(path: str, **settings: object) -> Page:
        context = neutral(browser.new_context(**settings))  # type: ignore[arg-type]
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        context.on("console", lambda message: said.append(message.text))
        page = context.new_page()
        page.goto(f"{served}/{path}")
        return page

    yield open_page
    for context in contexts:
        assert context.cookies() == []
        context.close()
    assert [each for each in asked if not each.startswith((served, AWAY))] == []
    assert [text for text in said if not text.startswith("Failed to load resource")] == []


def left(page: Page) -> None:
    """Holds a page to have been left, as the one entry that the visit had in its history."""
    page.wait_for_url(AWAY)
    assert page.evaluate("history.length") == 2  # the empty page of a new tab, and this


def test_it_is_there_on_every_page_within_reach_of_a_thumb(opened: Open, served: str) -> None:
    page = opened("vi/", **TELEPHONE)
    for path in PAGES:
        page.goto(f"{served}/vi/{path}")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        button = page.get_by_role("link", name=words.page("exit", "vi"), exact=True)
        box = button.bounding_box()
        assert box, path
        assert min(box["width"], box["height"]) >= 44, path
        assert box["y"] > 640 / 2, path
        assert box["y"] + box["height"] <= 640, path
        assert box["x"] + box["width"] <= 360, path
        covered = page.evaluate(
            "document.querySelector('footer > :last-child').getBoundingClientRect().bottom"
            " - document.getElementById('exit').getBoundingClientRect().top"
        )
        assert covered <= 0, path


@pytest.mark.parametrize("path", ["check", "help", "help/a", "help/yg"])
def test_it_stands_beside_numbers_and_the_box_and_not_upon_them(opened: Open, path: str) -> None:
    page = opened(f"vi/{path}", **TELEPHONE)
    button = page.get_by_role("link", name=words.page("exit", "vi"), exact=True).bounding_box()
    assert button
    for each in page.locator("#ask-text, #ask-from, main a[href^='tel:']").all():
        box = each.bounding_box()
        assert box is None or box["x"] + box["width"] <= button["x"], path
    space = "document.querySelector('footer').getBoundingClientRect().top"
    last = "Math.max(...[...document.querySelectorAll('main section')].map(e => e.getBoundingClientRect().bottom))"
    assert page.evaluate(f"{space} - {last}") >= button["height"], path


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_on_a_telephone_no_text_runs_under_it(opened: Open, served: str, language: str) -> None:
    page = opened(f"{language}/", viewport={"width": 390, "height": 844})
    for path in PAGES:
        page.goto(f"{served}/{language}/{path}")
        under = page.evaluate(
            """() => [...document.querySelectorAll(':is(main, footer, .replay) :is(h1, h2, p, a, li)')].filter(each => {
                if (each.closest('.unseen')) return false;
                const range = document.createRange();
                range.selectNodeContents(each);
                const left = document.getElementById('exit').getBoundingClientRect().left;
                return [...range.getClientRects()].some(box => box.right > left);
            }).map(each => each.textContent)"""
        )
        assert under == [], path


def test_it_follows_the_way_to_the_content_for_who_has_a_keyboard(opened: Open) -> None:
    page = opened("en/check")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#exit")).to_be_focused()
    expect(page.locator("#exit")).to_have_accessible_description(words.page("exit-key", "en"))
    page.keyboard.press("Enter")
    left(page)


def test_one_tap_leaves(opened: Open) -> None:
    page = opened("vi/help", **TELEPHONE)
    page.locator("#exit").tap()
    left(page)
    page.go_back()
    assert page.url == "about:blank"


def test_without_scripts_it_is_a_link(opened: Open) -> None:
    page = opened("vi/help", java_script_enabled=False)
    page.locator("#exit").click()
    page.wait_for_url(AWAY)


def test_nothing_is_left_on_the_screen_while_the_next_page_comes(opened: Open) -> None:
    page = opened("vi/check")
    page.fill("#ask-text", ASKED)
    seen = (
        "() => { document.getElementById('exit').click(); return document.documentElement.innerHTML + document.title }"
    )
    assert page.evaluate(seen) == ""
    left(page)


def test_esc_three_times_leaves_and_says_how_often_is_left(opened: Open) -> None:
    page = opened("vi/help")
    for more in ("2", "1"):
        page.keyboard.press("Escape")
        expect(page.get_by_role("status").first).to_have_text(words.page("exit-more", "vi", count=more))
    page.keyboard.press("Escape")
    left(page)


def test_esc_now_and_then_leaves_nothing(opened: Open) -> None:
    page = opened("vi/help")
    page.clock.install()
    for _ in range(6):
        page.keyboard.press("Escape")
        page.clock.fast_forward(2500)
    assert page.url.endswith("/vi/help")


def test_other_tabs_of_the_site_are_left_too(opened: Open, served: str) -> None:
    page = opened("vi/check")
    other = page.context.new_page()
    other.goto(f"{served}/vi/help")
    page.locator("#exit").click()
    left(page)
    left(other)


def test_a_page_that_the_browser_kept_begins_anew(opened: Open) -> None:
    page = opened("vi/check")
    page.fill("#ask-text", ASKED)
    with page.expect_navigation():
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    assert page.input_value("#ask-text") == ""


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_titles_and_icon_tell_nothing(opened: Open, served: str, language: str) -> None:
    page = opened(f"{language}/check")
    for path in QUIET:
        page.goto(f"{served}/{language}/{path}")
        assert page.title(), path
        assert not TELLING.search(page.title()), path
        assert page.locator("link[rel=icon]").get_attribute("href") == "/static/icon.svg"
        assert page.locator("meta[name=description]").count() == 0, path


def test_help_is_walked_in_place(opened: Open) -> None:
    page = opened("vi/help", **TELEPHONE)
    address, title = page.url, page.title()
    headings = [page.locator("h1").inner_text()]
    for _ in range(2):
        page.locator("main [data-quiet] li a[href*='/help/']:not([href*='/w'])").last.click()
        expect(page.locator("h1")).not_to_have_text(headings[-1])
        expect(page.locator("h1")).to_be_focused()
        assert page.evaluate("scrollY") == 0
        headings.append(page.locator("h1").inner_text())
    assert (page.url, page.title()) == (address, title)
    page.locator("#other").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("h1")).not_to_have_text(headings[0])
    assert page.evaluate("history.length") == 2
    assert page.evaluate(KEPT) == [0, 0, 0, 0, 0]


def test_a_question_is_answered_in_place(opened: Open) -> None:
    page = opened("vi/check")
    page.fill("#ask-text", f"https://vneid-otp.{ASKED}.top/")
    page.get_by_role("button", name=words.page("check-button", "vi")).first.click()
    expect(page.locator("#told #answer")).to_be_focused()
    page.fill("#ask-text", "...")
    page.get_by_role("button", name=words.page("check-button", "vi")).first.click()
    expect(page.locator("#told #answer")).to_have_text(words.page("check-no-name", "vi"))
    assert page.url.endswith("/vi/check")
    assert page.evaluate("history.length") == 2


def test_what_cannot_be_had_in_place_is_asked_for_as_ever(opened: Open) -> None:
    page = opened("vi/help")
    page.route(
        "**/vi/help/*", lambda route: route.abort() if route.request.resource_type == "fetch" else route.continue_()
    )
    page.locator("main [data-quiet] li a[href*='/help/']").first.click()
    page.wait_for_url("**/vi/help/*")
    assert page.evaluate("history.length") == 2
    page.context.unroute_all()


@pytest.mark.parametrize("first", ["check", ""])
def test_the_profile_of_the_browser_holds_nothing_of_what_was_asked(
    browser: Browser, chromium: str, served: str, tmp_path: Path, first: str
) -> None:
    """Without exit.js it does: Chromium keeps what forms sent, in the files of its session."""
    context = browser.browser_type.launch_persistent_context(tmp_path, executable_path=chromium, args=FLAGS)
    page = neutral(context).pages[0]
    page.goto(f"{served}/vi/{first}")
    page.fill("#ask-text", f"https://vneid-otp.{ASKED}.top/")
    page.get_by_role("button", name=words.page("check-button", "vi")).first.click()
    expect(page.locator("#told #answer")).to_be_focused()
    page.locator("nav a", has_text=words.page("nav-help", "vi")).first.click()
    page.locator("main [data-quiet] li a[href*='/help/']:not([href*='/w'])").first.click()
    expect(page.locator("h1")).to_be_focused()
    second = page.locator("h1").inner_text()
    page.locator("#exit").click()
    page.wait_for_url(AWAY)
    assert context.cookies() == []
    context.close()
    held = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(b"/vi/help" in content for content in held.values())  # that the page was there is in its history
    for text in (ASKED, second, "/vi/help/"):
        forms = [text.encode(code) for code in ("utf-8", "utf-16-le")]
        assert [path.name for path, content in held.items() if any(each in content for each in forms)] == [], text
