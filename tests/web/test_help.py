"""What to do when it already happened: pages that tell nobody else, lead on from everywhere, and keep nothing."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from litestar import Litestar
from litestar.testing import TestClient
from lxml import html
from playwright.sync_api import Browser, Page, expect

from generate import catalogues
from khien import words
from khien.app import guides, machine
from khien.app.guides import Guide
from khien.detectors.lookalike import Lookalike
from khien.formats.guide.reading import MOST_WORDS, sentences
from khien.formats.guide.records import HARMS, YOUNG
from khien.web import recover
from khien.web import site as assembly
from tests.web.conftest import HOST, KEY, Place
from tests.web.test_browser import RULES, browser

__all__ = ["browser"]
Client = TestClient[Litestar]

PLANS = [each.id for each in guides.shipped().plans.plan]
PATHS = ["help", "help/2", "help/q", "help/q/2", "help/y", "help/y/2", "help/w"]
PATHS += [f"help/{each}{near}" for each in PLANS for near in ("", f"/{recover.NEAR}")]
PATHS += [f"help/w/{number}" for number in range(1, len(guides.shipped().plans.letter) + 1)]
TELLING = re.compile(r"khiên|lừa|bạo lực|đe dọa|ảnh|công an|scam|fraud|violence|abuse|police|threat", re.IGNORECASE)
FILLED = "Nguyễn Thị <b>Lan</b> 0912 345 678"
TELEPHONE = {"viewport": {"width": 360, "height": 740}}


def shown(client: Client, path: str) -> html.HtmlElement:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return html.fromstring(answer.text)


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_there_tells_nothing_in_its_title_and_leads_on(client: Client, path: str, language: str) -> None:
    page = shown(client, f"/{language}/{path}")
    title = page.findtext(".//title") or ""
    assert title == words.page("help-title", language)
    assert not TELLING.search(title + path)
    links = [each.get("href") for each in page.findall(".//main//a")]
    assert any(each.startswith(f"/{language}/help") for each in links)
    for each in (*links, page.find(".//a[@id='other']").get("href")):
        if each.startswith("/"):
            assert client.get(each).status_code == 200, each
        else:
            assert each.startswith(("https://", "tel:")), each


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_names_somebody_to_talk_to_before_anything_else(client: Client, plan: str) -> None:
    page = shown(client, f"/vi/help/{plan}")
    dialled = [each.get("href") for each in page.findall(".//main//a") if each.get("href").startswith("tel:")]
    assert dialled[0] == ("tel:111" if plan.startswith("y") else "tel:113")


def test_the_start_leads_to_every_plan_and_the_way_for_who_is_under_18(client: Client) -> None:
    start = {each.get("href") for each in shown(client, "/vi/help").findall(".//main//a")}
    young = {each.get("href") for each in shown(client, "/vi/help/y").findall(".//main//a")}
    asked = {each.get("href") for each in shown(client, "/vi/help/q").findall(".//main//a")}
    assert {f"/vi/help/{letter}" for letter in HARMS.values()} <= start & asked
    assert {f"/vi/help/y{HARMS[harm]}" for harm in YOUNG} <= young
    assert {"/vi/help/y", "/vi/help/q", "/vi/help/w", "/vi/help/2"} <= start


@pytest.mark.parametrize("plan", [each for each in PLANS if not each.startswith("y")])
def test_who_is_under_18_finds_the_way_at_the_top_of_every_page(client: Client, plan: str) -> None:
    """On /help below eleven plans, on a plan not at all: so a boy of 15 did not find it."""
    own = f"y{plan}"
    for path, led in (("help", "y"), ("help/q", "y"), (f"help/{plan}", own if own in PLANS else "y")):
        for near in ("", "/2"):
            (first, _) = shown(client, f"/vi/{path}{near}").xpath("//main//ul[@class='toggle']//a")
            assert first.text == words.page("help-young", "vi")
            assert first.get("href") == f"/vi/help/{led}{near}"
    assert not shown(client, "/vi/help/ya").xpath("//main//ul[@class='toggle']//a[contains(@href, 'help/y/')]")


@pytest.mark.parametrize("path", [f"help/{HARMS[each]}{near}" for each in ("money", "sim") for near in ("", "/2")])
def test_where_minutes_decide_danger_is_one_line_and_the_bank_next(client: Client, path: str) -> None:
    page = shown(client, f"/vi/{path}")
    dialled = [each.get("href") for each in page.findall(".//main//a") if each.get("href").startswith("tel:")]
    assert dialled[:2] == ["tel:113", "tel:115"]
    assert [each.get("href") for each in page.xpath("//p[@class='brief']/a")] == ["tel:113", "tel:115"]
    assert "ngân hàng" in page.xpath("string(//main//ol[@class='steps']/li[1])")
    assert page.xpath("//main//h2/@id")[0] == "now"


def test_a_number_that_costs_money_says_so(client: Client) -> None:
    for listed in shown(client, "/vi/help").xpath("//ul[@class='contacts']/li"):
        assert ("1900" in listed.text_content()) == (words.page("help-paid", "vi") in listed.text_content())
    assert words.page("help-paid", "vi") in client.get("/vi/help").text


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_front_page_leads_to_help_before_all_else(client: Client, language: str) -> None:
    links = shown(client, f"/{language}/").xpath("//main//a")
    assert [each.get("href") for each in links[:2]] == [f"/{language}/check", f"/{language}/help"]
    assert links[1].text == words.page("begin-help", language)


def test_the_note_on_the_rows_stands_behind_what_to_do(client: Client) -> None:
    for path, place in (("check", "preceding"), ("help", "preceding"), ("findings", "following")):
        (note,) = shown(client, f"/vi/{path}").xpath("//aside[@class='replay']")
        assert note.xpath(f"{place}::main"), path


def test_pages_say_one_word_for_whom_they_speak_to() -> None:
    """A reader is bạn on every page; quý vị is for letters to organisations."""
    for name in ("khien", "site"):
        text = (catalogues.LOCALE / "vi" / "LC_MESSAGES" / f"{name}.po").read_text(encoding="utf-8")
        said = {key for key, each in catalogues.read(text).items() if "quý vị" in each.lower()}
        assert {context for context, _ in said} <= {"notice", "abuse"}, said


def test_what_is_chosen_once_stays_chosen(client: Client) -> None:
    """Whoever said that the person is close is led on among pages that know it, but for the letters."""
    for path in ("/vi/help/2", "/vi/help/q/2", "/vi/help/y/2", "/vi/help/a/2"):
        links = {each.get("href") for each in shown(client, path).findall(".//main//a")}
        ours = {each for each in links if each.startswith("/vi/help") and not each.startswith("/vi/help/w")}
        assert {each for each in ours if not each.endswith("/2")} == {path.removesuffix("/2")}  # the way back


@pytest.mark.parametrize(
    "path", ["help/z", "help/yb", "help/a/3", "help/2/2", "help/w/0", "help/w/8", "help/w/²", "help/w/1/2"]
)
def test_what_is_not_there_is_missing(client: Client, path: str) -> None:
    assert client.get(f"/vi/{path}").status_code == 404


def test_nothing_is_asked_of_the_server(client: Client) -> None:
    """No page has a form that sends, and a letter is there in whole for who fills it in by hand."""
    for path in PATHS:
        page = shown(client, f"/vi/{path}")
        forms = page.findall(".//main//form")
        assert all(each.get("action") is None and each.get("hidden") is not None for each in forms), path
        assert bool(forms) == path.startswith("help/w/")
        assert not [each for form in forms for each in form.iter("button") if each.get("type") != "button"]
    letter = shown(client, "/vi/help/w/4")
    assert "ĐƠN TRÌNH BÁO" in letter.find(".//pre").text_content()
    assert {each.get("name") for each in letter.xpath("//form//input | //form//textarea")} == {
        each.get("data-blank") for each in letter.findall(".//pre//span")
    }


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_advice_of_every_page_is_told_in_short_sentences(language: str) -> None:
    for name in ("khien", "site"):
        text = (catalogues.LOCALE / language / "LC_MESSAGES" / f"{name}.po").read_text(encoding="utf-8")
        for (context, code), said in catalogues.read(text).items():
            if context != "notice" and code.startswith(("advice-", "do-", "help-")):  # notices tell organisations
                assert max(sentences(said)) <= MOST_WORDS, code


@pytest.fixture
def aged(place: Place, detector: Lookalike) -> Iterator[Client]:
    """The site with contacts that somebody signed, one of whom nobody looked at for years."""
    ours = guides.shipped()
    police, *others = ours.contacts.contact
    assert police.checked
    old = msgspec.structs.replace(police, checked=police.checked - timedelta(days=1000), phone="<b>113</b>")
    contacts = msgspec.structs.replace(ours.contacts, contact=(old, *others))
    guide = Guide(contacts, ours.plans, "csirt <b>")
    audit = machine.audit(place.directory)
    site = assembly.create(place.store, detector, {}, [HOST], audit=audit, key=KEY, guide=guide)
    with TestClient(site, base_url=f"http://{HOST}") as client:
        yield client


def test_a_contact_says_when_it_was_checked_and_whether_that_is_long_ago(client: Client, aged: Client) -> None:
    fresh, stale = (each.get("/en/help").text for each in (client, aged))
    assert "Checked on 22 Nov 2026." in fresh
    assert "Last checked on 26 Feb 2024, long ago" in stale
    assert "Not confirmed lately" in fresh
    assert "Contacts signed by csirt &lt;b&gt;." in stale
    assert "<b>113" not in stale


@pytest.fixture
def page(browser: Browser, served: str) -> Iterator[Page]:
    """On a telephone; at the end nothing but pages and files of the site was asked for."""
    context = browser.new_context(**TELEPHONE)  # type: ignore[arg-type]
    asked: list[str] = []
    context.on("request", lambda request: asked.append(f"{request.method} {request.url} {request.post_data}"))
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()
    assert [each for each in asked if not each.startswith(f"GET {served}/")] == []
    assert [each for each in asked if "Lan" in each or "0912" in each] == []


@pytest.mark.parametrize("path", ["vi/help/2", "en/help/j/2", "vi/help/q", "vi/help/yg", "en/help/w", "vi/help/w/4"])
def test_it_is_accessible_and_fits_a_telephone(page: Page, served: str, path: str) -> None:
    page.goto(f"{served}/{path}")
    assert Axe().run(page, options=RULES).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for link in page.locator("main a").all():
        box = link.bounding_box()
        assert box
        assert box["height"] >= 24, link.inner_text()


@pytest.mark.parametrize("path", ["vi/help/a", "vi/help/a/2", "en/help/f", "vi/help/c", "vi/help/c/2"])
def test_what_to_do_is_seen_without_scrolling(page: Page, served: str, path: str) -> None:
    """On /vi/help/a it stood at y = 1129 px: nobody scrolls there in the ten seconds that count."""
    page.goto(f"{served}/{path}")
    lead = page.locator("main .lead").bounding_box()
    call = page.locator("main .steps li p").first.bounding_box()
    brief = page.locator("main .brief a").all()
    assert lead
    assert call
    assert lead["y"] + lead["height"] < 740
    assert call["y"] < 740
    tops = [box["y"] for each in brief if (box := each.bounding_box())]
    assert len(tops) == 2
    assert tops[0] == tops[1]  # on one line


def test_a_letter_is_filled_in_on_the_device_and_nowhere_else(page: Page, served: str, tmp_path: Path) -> None:
    page.goto(f"{served}/vi/help/w/1")
    blank = page.get_by_label("Họ và tên của bạn")
    blank.fill(FILLED)
    text = page.locator("[data-letter-text]")
    expect(text).to_contain_text(f"Tôi là {FILLED}, chủ tài khoản [Số tài khoản của bạn: …")
    with page.expect_download() as download:
        page.get_by_role("button", name=words.page("help-letter-save", "vi")).click()
    download.value.save_as(tmp_path / "letter.txt")
    assert FILLED in (tmp_path / "letter.txt").read_text(encoding="utf-8")
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    page.reload()
    expect(page.get_by_label("Họ và tên của bạn")).to_have_value("")


def test_it_is_whole_without_scripts(browser: Browser, served: str) -> None:
    context = browser.new_context(java_script_enabled=False, **TELEPHONE)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{served}/vi/help")
    page.get_by_role("link", name=words.page("help-near-link", "vi")).click()
    page.get_by_role("link", name="Có người theo dõi tôi", exact=True).click()
    assert page.url == f"{served}/vi/help/j/2"
    expect(page.get_by_role("heading", name=words.page("help-near-heading", "vi"))).to_be_visible()
    page.get_by_role("link", name="Đơn trình báo công an").first.click()
    expect(page.locator("pre")).to_contain_text("[Số căn cước: …")
    expect(page.locator("form")).to_be_hidden()
    context.close()
