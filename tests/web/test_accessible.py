"""Every page, in both languages: whole on a telephone, open to all, led by keyboard, named for those who do not see it.

The pages are those of the screenshots (generate/_pages.py), and every page that the site has is among them.
"""

import base64
import hashlib
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from khien import words
from khien.web.doors import ACCESS
from tests.web.test_browser import CONTRAST, browser, violations

__all__ = ["browser"]

ROOT = Path(__file__).parents[2]
FILES = {"/learn/kit/{name}"}  # which are no pages
SMALL = """
() => [...document.querySelectorAll("button, select, input:not([type=hidden]), nav a, summary")].filter(each =>
  each.checkVisibility() && !each.closest(".unseen")).map(each => each.type === "radio" || each.type === "checkbox"
    ? each.closest("label") ?? each : each).filter(each => {
      const box = each.getBoundingClientRect();
      return box.height < 24 || box.width < 24;
    }).map(each => each.outerHTML)
"""
KEPT = """
async () => [...Object.keys(localStorage), ...Object.keys(sessionStorage), ...await caches.keys(),
  ...(await indexedDB.databases()).map(each => each.name),
  ...(await navigator.serviceWorker?.getRegistrations() ?? []).map(each => each.scope)]
"""
OF_THE_TAB = {"htmx-current-path-for-history"}  # the address of the list of findings, until its tab is closed
FOCUSED = """
() => {
  const at = document.activeElement, style = getComputedStyle(at);
  (window.met ??= new Set()).add(at);
  return [at.id || at.getAttribute("href") || at.name || at.tagName, style.outlineStyle !== "none", at.tagName];
}
"""
LEFT_OUT = """
() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), textarea, select, summary")].filter(
  each => each.checkVisibility() && !each.disabled && each.tabIndex >= 0 && !window.met.has(each)
    && !(each.type === "radio" && [...window.met].some(other => other.name === each.name))).map(each => each.outerHTML)
"""
NAMELESS = re.compile(r"- '?(?:button|link|textbox|combobox|radio|checkbox)(?:\s*\[.*\])?:?$", re.MULTILINE)


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    """generate/_pages.py, imported as a script imports: from its own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "generate")
        return importlib.import_module("_pages")


@pytest.fixture(scope="module")
def place(pages: ModuleType) -> Iterator[Any]:
    with pages.served() as place:
        yield place


def test_every_page_of_the_site_is_looked_at(pages: ModuleType) -> None:
    routes = {each.removeprefix("GET /{lang}") for each in ACCESS if each.startswith("GET /{lang}")}
    assert {each.route for each in pages.PAGES} == routes - FILES


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_page_is_accessible_and_fits_a_telephone(
    browser: Browser, pages: ModuleType, place: Any, language: str
) -> None:
    wrong: list[str] = []
    for officer in (False, True):
        context = place.visit(browser, officer, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        for shown in (each for each in pages.PAGES if each.officer is officer):
            status = place.show(page, shown, language)
            if status != (404 if shown.name == "missing" else 200):
                wrong.append(f"{shown.name}: status {status}")
            page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
            wrong += [f"{shown.name}: {each}" for each in violations(page)]
            page.emulate_media(color_scheme="dark")
            wrong += [f"{shown.name} in the dark: {each}" for each in violations(page, CONTRAST)]
            page.emulate_media(color_scheme="light")
            page.set_viewport_size({"width": 320, "height": 600})
            if page.evaluate("document.documentElement.scrollWidth") > 320:
                wrong.append(f"{shown.name}: wider than a telephone")
            wrong += [f"{shown.name}: small: {each}" for each in page.evaluate(SMALL)]
            page.set_viewport_size({"width": 1280, "height": 900})
        context.close()
    assert wrong == []


def walked(page: Page) -> list[str]:
    """What Tab comes to, until it is at the beginning again; each is seen to have the focus."""
    met: list[str] = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(200):
        page.keyboard.press("Tab")
        what, outlined, tag = page.evaluate(FOCUSED)
        if tag == "BODY" or (met and what == met[0]):
            return met
        assert outlined, f"{page.url}: {what} does not show that it has the focus"
        met.append(what)
    raise AssertionError(f"{page.url}: Tab never comes back")


@pytest.mark.parametrize("path", ["check", "help", "", "watch", "listings/{listing}", "learn", "learn/quiz", "figures"])
def test_the_keyboard_comes_to_everything(browser: Browser, place: Any, path: str) -> None:
    context = place.visit(browser, False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{place.address}vi/{path.format(**place.ids)}")
    met = walked(page)
    assert met[:2] == ["#main", "exit"]
    assert page.evaluate(LEFT_OUT) == []
    context.close()


def test_a_question_is_asked_and_answered_by_keyboard_alone(browser: Browser, pages: ModuleType, place: Any) -> None:
    context = place.visit(browser, False)
    page = context.new_page()
    page.goto(f"{place.address}en/check")
    reach(page, "ask-text")
    page.keyboard.insert_text(pages.ASKED)
    reach(page, "BUTTON")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_be_visible()
    context.close()


def test_a_plan_is_found_by_keyboard_alone(browser: Browser, place: Any) -> None:
    context = place.visit(browser, False)
    page = context.new_page()
    page.goto(f"{place.address}en/check")
    reach(page, "/en/help")
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/help")
    reach(page, "/en/help/a")
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_be_visible()
    context.close()


def test_one_leaves_by_keyboard_alone(browser: Browser, place: Any) -> None:
    context = place.visit(browser, False)
    page = context.new_page()
    page.route("https://**", lambda route: route.fulfill(body="elsewhere"))
    page.goto(f"{place.address}vi/help")
    reach(page, "exit")
    page.keyboard.press("Enter")
    page.wait_for_url("https://**")
    context.close()


def reach(page: Page, what: str) -> None:
    """Presses Tab until that has the focus: its id, where it leads, or its tag."""
    for _ in range(200):
        page.keyboard.press("Tab")
        found, _, tag = page.evaluate(FOCUSED)
        if what in (found, tag):
            return
    raise AssertionError(f"{page.url}: Tab does not come to {what}")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_screen_reader_hears_what_controls_are(
    browser: Browser, pages: ModuleType, place: Any, language: str
) -> None:
    """No control without a name, on any page; and what the main controls of the check page are called."""
    for officer in (False, True):
        context = place.visit(browser, officer)
        page = context.new_page()
        for shown in (each for each in pages.PAGES if each.officer is officer):
            place.show(page, shown, language)
            said = page.locator("body").aria_snapshot()
            nameless = re.findall(
                r"- (?:button|link|textbox|combobox|radio|checkbox|searchbox)(?:\s*\[.*\])?:?$", said, re.M
            )
            assert nameless == [], shown.name
            assert len(re.findall(r"- main", said)) == 1, shown.name
            assert len(re.findall(r"- '?heading .*\[level=1\]", said)) == 1, shown.name
        context.close()
    context = place.visit(browser, False)
    page = context.new_page()
    page.goto(f"{place.address}{language}/check")
    expect(page.get_by_role("textbox", name=words.page("check-label", language))).to_be_visible()
    expect(page.get_by_role("button", name=words.page("check-button", language)).first).to_be_visible()
    expect(page.get_by_role("link", name=words.page("exit", language)).first).to_be_visible()
    expect(page.get_by_role("navigation", name=words.page("nav", language))).to_be_visible()
    context.close()


def test_nothing_is_fetched_elsewhere_and_nothing_stays(browser: Browser, pages: ModuleType, place: Any) -> None:
    """What was visited, and asked, is in no storage of the browser, and only this site was asked for anything."""
    asked: set[str] = set()
    context = place.visit(browser, False)
    context.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page = context.new_page()
    for shown in (each for each in pages.PAGES if not each.officer):
        place.show(page, shown, "vi")
        assert set(page.evaluate(KEPT)) <= OF_THE_TAB, shown.name
        assert context.cookies() == [], shown.name
    assert asked == {urlsplit(place.address).netloc}
    assert context.storage_state()["origins"] == []
    context.close()


def test_pages_for_people_work_without_scripts(browser: Browser, pages: ModuleType, place: Any) -> None:
    context = place.visit(browser, False, java_script_enabled=False)
    page = context.new_page()
    for name in ("check-answer", "help-plan", "watch", "listing", "lesson", "quiz"):
        (shown,) = (each for each in pages.PAGES if each.name == name)
        assert place.show(page, shown, "vi") == 200
        expect(page.locator("main h1").first).to_be_visible()
    context.close()


def revealing(text: str) -> set[str]:
    """Forms of a text, in lower case, that somebody who reads the wire could turn back or look up."""
    octets, local = text.encode(), text.partition("@")[0]
    digests = (hashlib.new(name, octets).hexdigest()[:9] for name in ("md5", "sha1", "sha256", "sha512"))
    encoded = (base64.b64encode(octets).decode(), base64.urlsafe_b64encode(octets).decode(), octets.hex())
    return {each.lower().rstrip("=") for each in (text, local, quote(text), *encoded, *digests)}


def test_no_password_and_no_account_leaves_in_a_form_that_reveals_it(browser: Browser, place: Any) -> None:
    """Of a password five digits of its SHA-1 do, and no sixth: tests/web/test_breach_page.py."""
    sent: list[str] = []
    context = place.visit(browser, False)
    context.on("request", lambda each: sent.append(f"{each.url} {each.post_data or ''} {each.headers}".lower()))
    page = context.new_page()
    page.goto(f"{place.address}en/check")
    asked = {"password": "mật khẩu của Lan, dài lắm", "mail": "nguyen.thi.lan.1987@example.com"}
    for kind, text in asked.items():
        page.fill(f"#leaks-{kind}", text)
        page.press(f"#leaks-{kind}", "Enter")
        page.wait_for_selector(f"[data-kind={kind}] .told[aria-busy=false]")
    assert any("/range/" in each for each in sent)
    assert any("/breach/evaluate" in each for each in sent)
    assert [each for each in sent for text in asked.values() if any(form in each for form in revealing(text))] == []
    context.close()


@pytest.mark.parametrize("path", ["check", "help", ""])
def test_the_first_page_weighs_less_than_a_hundred_kilobytes(browser: Browser, place: Any, path: str) -> None:
    """All that is fetched, not packed: an old telephone on a slow line has to unpack it, too."""
    fetched: list[int] = []
    context = place.visit(browser, False)
    page = context.new_page()
    page.on("response", lambda each: fetched.append(len(each.body())))
    page.goto(f"{place.address}vi/{path}", wait_until="networkidle")
    assert len(fetched) > 2
    assert sum(fetched) < 100_000
    context.close()
