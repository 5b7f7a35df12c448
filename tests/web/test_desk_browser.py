"""The desk and what is behind links, in a browser: accessible, whole on a telephone, working without scripts."""

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from khien import words
from khien.app import machine
from khien.app.configuration import Site
from khien.cli import serve
from khien.model import Notice
from khien.stores.embedded.store import Embedded
from khien.triage import tokens
from tests.web import filled
from tests.web.filled import Filled, secret
from tests.web.test_browser import CONTRAST, FLAGS, violations
from tests.web.test_desk import PAGES


class Served(NamedTuple):
    """A filled site that answers: its address without the last slash, its store, what is in it, and its key."""

    address: str
    store: Embedded
    ids: Filled
    key: bytes

    def paths(self, language: str) -> Iterator[str]:
        """Every page that this matter brought."""
        yield from (f"/{language}/desk/{each.format(**self.ids._asdict())}" for each in PAGES)
        yield from (f"/{language}/", f"/{language}/findings/{self.ids.finding}", f"/{language}/code")
        yield tokens.notice_path(self.key, language, self.ids.notice)
        yield tokens.unsubscribe_path(self.key, language, self.ids.delivery)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("desk") / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    with machine.store(place) as store:
        ids = filled.fill(store)
        with serve.site(place, None, Site(listen=listen), replay=False) as served:
            yield Served(served.address.removesuffix("/"), store, ids, machine.key(place, machine.NOTICES))


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def opened(browser: Browser, desk: Served, width: int) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=True)
    context.add_cookies([{"name": "khien", "value": secret("approver"), "url": desk.address}])
    return context.new_page()


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_page_is_accessible_in_light_and_in_dark(browser: Browser, desk: Served, language: str) -> None:
    page = opened(browser, desk, 1280)
    for path in desk.paths(language):
        answer = page.goto(desk.address + path)
        assert answer is not None
        assert answer.status == 200
        page.emulate_media(color_scheme="light")
        assert violations(page) == [], path
        page.emulate_media(color_scheme="dark")
        assert violations(page, CONTRAST) == [], path
    page.context.close()


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_telephone_shows_every_page_whole(browser: Browser, desk: Served, language: str) -> None:
    page = opened(browser, desk, 320)
    for path in desk.paths(language):
        page.goto(desk.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, input:not([type=hidden]), nav a, summary')]"
            ".map(each => each.getBoundingClientRect()).filter(each => each.height < 24 || each.width < 24).length"
        )
        assert small == 0, path
    page.context.close()


def test_who_was_told_answers_without_scripts(browser: Browser, desk: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(desk.address + tokens.notice_path(desk.key, "vi", desk.ids.citizen))
    page.get_by_role("button", name=words.page("answer-acknowledge", "vi")).click()
    page.wait_for_load_state()
    assert words.page("notice-acknowledged", "vi") in page.locator(".figure").inner_text()
    assert desk.store.load(Notice, desk.ids.citizen)[desk.ids.citizen].state == "acknowledged"
    page.goto(f"{desk.address}/vi/code")
    page.get_by_label(words.page("code-label", "vi")).fill(tokens.code(desk.key, desk.ids.citizen).lower())
    page.keyboard.press("Enter")
    page.locator("#answer").wait_for()
    assert page.locator("#answer").inner_text() == words.page("code-ours", "vi")
    context.close()
