"""Who watches us, in a browser: the proof is recomputed there, a flipped byte is found, the pages are accessible."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from khien import words
from khien.app import machine, registers
from khien.detectors.lookalike import Lookalike
from khien.model import Listing
from tests import listing
from tests.web.conftest import Place
from tests.web.test_browser import Open, browser, opened, violations  # noqa: F401 # fixtures


@pytest.fixture(scope="module")
def listed(place: Place, detector: Lookalike) -> Listing:
    """Three listings in the site's own log; the second is contested, the third was removed."""
    known = registers.known(detector.register)
    log = machine.listings(place.directory, place.store, known, timedelta(hours=72))
    at = machine.clock()
    given = {"at": at, "until": at + timedelta(days=30), "site": "unclear"}
    names = ("lua-dao-ngan-hang.example", "login.a-very-long-name-of-a-bakery-in-hue.example", "fine.example")
    first, second, third = (log.list_(listing.proposal("host", name, **given), by="lan") for name in names)
    log.contest(second.id, how="dns", why="We sell bread")
    log.contest(third.id, how="file", why="We sell bread")
    log.decide(third.id, False, by="mai", why="They sell bread")
    return first


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_proof_is_recomputed_and_a_flipped_byte_is_found(opened: Open, listed: Listing, language: str) -> None:  # noqa: F811
    page = opened(f"{language}/listings/{listed.id}")
    section, said = page.locator("#proof"), page.locator("#proof-said")
    expect(section).to_have_attribute("data-holds", "true")
    expect(said).to_have_text(words.page("proof-whole", language))
    root = page.locator("#proof-root").inner_text()
    assert page.locator("#proof-reached").inner_text() == root
    for _ in range(5):
        page.click("#proof-flip")
        expect(section).to_have_attribute("data-holds", "false")
        expect(said).to_have_text(f"{words.page('proof-flipped', language)} {words.page('proof-broken', language)}")
        assert page.locator("#proof-reached").inner_text() != root
        page.click("#proof-again")
        expect(section).to_have_attribute("data-holds", "true")


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("language", words.LANGUAGES)
def test_on_a_telephone_the_buttons_of_a_proof_stand_apart(opened: Open, language: str) -> None:  # noqa: F811
    page = opened(f"{language}/watch", viewport={"width": 390, "height": 844})
    flip, again = (page.locator(each).bounding_box() for each in ("#proof-flip", "#proof-again"))
    assert flip
    assert again
    assert max(again["x"] - flip["x"] - flip["width"], again["y"] - flip["y"] - flip["height"]) >= 8


@pytest.mark.usefixtures("listed")
def test_a_log_signed_with_another_key_does_not_hold(opened: Open, served: str) -> None:  # noqa: F811
    page = opened("en/watch")
    expect(page.locator("#proof")).to_have_attribute("data-holds", "true")
    verifier = page.locator("#proof").get_attribute("data-verifier") or ""

    def other(route: Route) -> None:
        answer = route.fetch()
        name, _, key = verifier.partition("+")
        route.fulfill(response=answer, body=answer.text().replace(verifier, f"{name}0+{key}"))

    page.route("**/en/watch", other)
    page.goto(f"{served}/en/watch")
    expect(page.locator("#proof")).to_have_attribute("data-holds", "false")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_pages_are_accessible_and_fit_a_telephone(opened: Open, listed: Listing, served: str, language: str) -> None:  # noqa: F811
    page = opened(f"{language}/watch", viewport={"width": 320, "height": 600})
    for path in ("watch", "listings", f"listings/{listed.id}", f"listings/{listed.id}/appeal"):
        page.goto(f"{served}/{language}/{path}")
        if page.locator("#proof").count():
            expect(page.locator("#proof")).to_have_attribute("data-holds", "true")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_without_scripts_the_pages_say_how_to_check(browser: Browser, listed: Listing, served: str) -> None:  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    page: Page = context.new_page()
    page.goto(f"{served}/en/listings/{listed.id}")
    assert "khien ledger check" in page.inner_text("#proof")
    assert page.locator("#proof noscript").count() == 1
    assert page.locator("#proof-flip").count() == 0
    page.goto(f"{served}/en/watch")
    assert "khien ledger mirror" in page.inner_text("main")
    context.close()
