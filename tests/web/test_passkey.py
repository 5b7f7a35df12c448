"""Passkeys in a real browser, with its virtual authenticator: brought, signed in with, refused, and copied."""

import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect, sync_playwright

from khien import audit, officers, words
from khien.app import machine
from khien.app.configuration import Site
from khien.cli import serve
from khien.model import Role
from khien.stores.embedded.store import Embedded
from tests.web.test_browser import FLAGS, violations

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Desk(NamedTuple):
    """A site that is served, the store behind it, and a browser."""

    address: str
    store: Embedded
    browser: Browser

    def invite(self, name: str, role: Role) -> str:
        code = officers.code(secrets.token_bytes)
        self.store.save(*officers.invite(self.store, name, code, datetime.now(UTC), role=role))
        return code


class Visitor:
    """A browser's window with a device that holds passkeys."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.cdp: CDPSession = context.new_cdp_session(self.page)
        self.cdp.send("WebAuthn.enable")
        self.device: str = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]

    def join(self, address: str, name: str, code: str) -> None:
        self.page.goto(f"{address}/en/desk/join")
        for field, text in (("name", name), ("code", code), ("label", "my phone")):
            self.page.fill(f"#{field}", text)
        self.page.click("form[data-passkey] button")

    def sign_in(self, address: str) -> None:
        self.page.goto(f"{address}/en/desk")
        self.page.click("form[data-passkey] button")

    def keys(self) -> list[dict[str, Any]]:
        return self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.device})["credentials"]

    def take(self, key: dict[str, Any]) -> None:
        self.cdp.send("WebAuthn.addCredential", {"authenticatorId": self.device, "credential": key})

    def inside(self) -> None:
        expect(self.page.locator("h1")).to_have_text(words.page("home-hello", "en", name="lan"))

    def told(self, what: str) -> None:
        expect(self.page.locator(f"[data-says={what}]")).to_be_visible()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Desk]:
    directory = tmp_path_factory.mktemp("passkeys") / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with machine.store(directory) as store, sync_playwright() as playwright:
        store.save()
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with serve.site(directory, None, Site(listen=f"127.0.0.1:{port}"), replay=False):
            yield Desk(f"http://localhost:{port}", store, browser)
        browser.close()


@pytest.fixture
def visitor(desk: Desk) -> Iterator[Visitor]:
    with desk.browser.new_context() as context:
        yield Visitor(context)


def test_a_passkey_is_brought_and_lets_in_and_its_copy_does_not(desk: Desk, visitor: Visitor) -> None:
    visitor.join(desk.address, "lan", desk.invite("lan", "administrator"))
    visitor.inside()
    (cookie,) = visitor.page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("khien", True, "Strict")
    visitor.page.click("text=" + words.page("home-sign-out", "en"))
    assert visitor.page.context.cookies() == []

    (copied,) = visitor.keys()
    for _ in range(2):
        visitor.sign_in(desk.address)
        visitor.inside()
        visitor.page.context.clear_cookies()
    with desk.browser.new_context() as context:
        thief = Visitor(context)
        thief.take(copied)
        thief.sign_in(desk.address)
        thief.told("refused")
        assert context.cookies() == []
    assert ("lan", "passkey-cloned") in [(each.by, each.act) for each in audit.read(desk.store)]
    assert visitor.said == []


def test_what_lets_nobody_in_says_so(desk: Desk, visitor: Visitor) -> None:
    code = desk.invite("binh", "viewer")
    visitor.join(desk.address, "binh", code[:-1])
    visitor.told("refused")
    assert visitor.keys() == []
    visitor.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": visitor.device, "isUserVerified": False})
    visitor.join(desk.address, "binh", code)
    visitor.told("stopped")
    visitor.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": visitor.device, "isUserVerified": True})
    visitor.join(desk.address, "binh", code)
    expect(visitor.page.locator("h1")).to_have_text(words.page("home-hello", "en", name="binh"))
    (key,) = visitor.keys()
    with desk.browser.new_context() as context:
        other = Visitor(context)
        unknown = {"credentialId": "AAAAAAAAAAAAAAAAAAAAAA==", "privateKey": key["privateKey"], "rpId": "localhost"}
        other.take(unknown | {"isResidentCredential": True, "signCount": 9, "userHandle": "AAAA"})
        other.sign_in(desk.address)
        other.told("refused")


def test_without_scripts_it_says_what_passkeys_need(desk: Desk) -> None:
    with desk.browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{desk.address}/vi/desk")
        expect(page.locator("[data-says=no-script]")).to_be_visible()
        assert page.locator("form[data-passkey] button").is_disabled()


def test_an_address_of_numbers_leads_to_the_name(desk: Desk, visitor: Visitor) -> None:
    visitor.page.goto(desk.address.replace("localhost", "127.0.0.1") + "/vi/desk")
    visitor.page.click(f'a[href="{desk.address}/vi/desk"]')
    expect(visitor.page.locator("form[data-passkey]")).to_be_visible()


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_everybody_can_use_these_pages(desk: Desk, visitor: Visitor, language: str) -> None:
    for path in ("desk", "desk/join"):
        visitor.page.goto(f"{desk.address}/{language}/{path}")
        assert violations(visitor.page) == []
    visitor.join(desk.address, "mai", desk.invite("mai", "administrator"))
    expect(visitor.page.locator("h1")).to_have_text(words.page("home-hello", "en", name="mai"))
    for path in ("desk", "desk/officers", "desk/audit", "desk/audit/0"):
        visitor.page.goto(f"{desk.address}/{language}/{path}")
        assert violations(visitor.page) == [], path
        visitor.page.set_viewport_size({"width": 360, "height": 740})
        width = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, path
        visitor.page.set_viewport_size({"width": 1280, "height": 800})
    assert visitor.said == []
