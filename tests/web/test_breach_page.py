"""What people see of stolen accounts, in a browser over the real site: what leaves it, what comes back, what stays."""

import gzip
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from khien import words
from khien.model import Text
from khien.web.render import FOLDER
from tests.web import leaks
from tests.web.leaks import ADDRESS, CLINIC, HOSTILE, NUMBER, PASSWORD, TIMES, Leaks
from tests.web.test_browser import CONTRAST, browser, violations

__all__ = ["browser"]
BREACH = Path(__file__).parents[1] / "breach"
LARGEST = 20_000  # octets of the module and what it needs, under gzip
HEX = re.compile(r"[0-9a-f]{64}|(?<=/)[0-9a-f]{4}(?= )")
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaks]:
    with leaks.served(tmp_path_factory.mktemp("leaks"), mailing=True) as served:
        yield served


@pytest.fixture
def opened(browser: Browser, site: Leaks) -> Iterator[Open]:
    """Opens a check page; at the end the browser has kept nothing, and the console is empty."""
    said: list[str] = []
    contexts = []

    def open_page(language: str = "en", at: str = site.address, **settings: object) -> Page:
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{at}/{language}/check")
        return page

    yield open_page
    for context in contexts:
        (page,) = context.pages
        assert page.evaluate("[localStorage.length, sessionStorage.length, history.length]") == [0, 0, 2]
        assert re.search("/check$", page.url)
        assert context.cookies() == []
        context.close()
    assert [text for text in said if not text.startswith("Failed to load resource")] == []


def ask(page: Page, kind: str, text: str) -> str:
    """What is answered to what is typed into a box."""
    page.fill(f"#leaks-{kind}", text)
    page.press(f"#leaks-{kind}", "Enter")
    return answer(page, kind)


def answer(page: Page, kind: str) -> str:
    return page.locator(f"[data-kind={kind}] .told[aria-busy=false]").inner_text()


def left(page: Page) -> list[str]:
    return page.locator("#leaks aside li").all_inner_texts()


def sent(request: Request) -> str:
    return f"{request.method} {request.url} {request.post_data or ''} {json.dumps(request.headers)}"


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_of_a_password_five_characters_leave(opened: Open, language: str) -> None:
    page = opened(language)
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    digest = hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
    said = ask(page, "password", PASSWORD)
    assert words.page("password-times", language, count=words.number(TIMES, language)) in said
    assert words.phrase("advice-leaked-password", language) in said
    only = words.page("left-only", language)
    assert left(page) == [words.page("left-prefix", language, text=digest[:5]), only]
    (request,) = (each for each in requests if "/static/" not in each.url)
    assert request.url.endswith(f"/range/{digest[:5]}")
    assert request.headers["add-padding"] == "true"
    assert not any(request.headers.get(name) for name in ("referer", "cookie"))
    assert digest[:6] not in sent(request)
    unknown = ask(page, "password", "another password")
    assert words.page("password-none", language) in unknown
    assert PASSWORD not in page.content()


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_of_an_account_a_blinded_point_and_four_characters_leave(opened: Open, language: str) -> None:
    page = opened(language)
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))

    def asked(kind: str, text: str) -> tuple[str, list[str]]:
        requests.clear()
        said = ask(page, kind, text)
        met = [sent(each) for each in requests if "/static/" not in each.url]
        assert not any(re.search("nguyen|nobody|912345", HEX.sub("", each), re.IGNORECASE) for each in met)
        point, bucket, only = left(page)
        assert any(point.partition(": ")[2] in each for each in met)
        assert any(each.partition(" {")[0].endswith(f"/{bucket.partition(': ')[2]} ") for each in met)
        assert only == words.page("left-only", language)
        return said, [HEX.sub("", f"{each.method} {each.url} {each.post_data}") for each in requests]

    ask(page, "mail", "x@example.vn")  # brings noble.js
    found, ways = asked("mail", f" {ADDRESS.upper()} ")
    assert HOSTILE in found  # as text
    assert "1 " in found
    assert "2024" in found
    assert words.phrase("advice-leaked-face", language) in found
    assert Text.of(CLINIC.label).said("en") not in found
    nothing, same = asked("mail", "nobody.lan@example.vn")
    assert words.page("account-none-text", language) in nothing
    assert same == ways  # what is asked does not tell what was answered
    number, _ = asked("phone", NUMBER)
    assert words.phrase("advice-leaked-home", language) in number
    requests.clear()
    assert ask(page, "phone", "12") == words.page("leaks-spelling", language)
    assert left(page) == [words.page("left-nothing", language)]
    assert requests == []


def test_two_institutions_hold_the_key(opened: Open, tmp_path: Path) -> None:
    with leaks.served(tmp_path, shares=2) as shared:
        page = opened(at=shared.address)
        assert HOSTILE in ask(page, "mail", ADDRESS)
        ours, theirs, *_ = left(page)
        assert f"(to {shared.address})" in ours
        assert "(to http://127.0.0.1:" in theirs
        assert ours.partition(" (")[0] == theirs.partition(" (")[0]  # the same point, to each
        assert ours != theirs
        assert words.page("account-none", "en") in ask(page, "mail", "nobody@example.vn")


@pytest.mark.parametrize("what", ["evaluated", "proof"])
def test_an_answer_that_is_not_proven_is_thrown_away(opened: Open, what: str) -> None:
    page = opened()
    asked: list[str] = []

    def change(route: Route) -> None:
        said = route.fetch().json()
        swapped = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"  # the generator: an element
        said[what] = [swapped] if what == "evaluated" else said[what][:64] + said[what][:64]
        route.fulfill(json=said)

    page.route("**/breach/evaluate", change)
    page.on("request", lambda request: asked.append(request.url))
    assert ask(page, "mail", ADDRESS) == words.page("leaks-proof", "en")
    assert not any("/breach/accounts/" in each for each in asked)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [("no JSON", 200, "answer"), ("{}", 200, "proof"), ("", 429, "often"), ("", 503, "answer")],
)
def test_what_a_server_may_answer_instead(opened: Open, body: str, status: int, said: str) -> None:
    page = opened()
    page.route("**/breach/evaluate", lambda route: route.fulfill(body=body, status=status))
    page.route("**/range/*", lambda route: route.abort())
    assert ask(page, "mail", ADDRESS) == words.page(f"leaks-{said}", "en")
    assert ask(page, "password", PASSWORD) == words.page("leaks-answer", "en")


def test_while_there_are_two_keys_half_the_bits_leave_under_each(opened: Open, tmp_path: Path) -> None:
    with leaks.served(tmp_path, rotated=True) as site:
        page = opened(at=site.address)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        said = ask(page, "phone", NUMBER)
        assert "Shop" in said
        assert HOSTILE in said, "each key finds what is kept under it"
        buckets = [each.partition("/breach/accounts/")[2] for each in asked if "/breach/accounts/" in each]
        assert [re.sub("[0-9a-f]{2}$", "..", each) for each in buckets] == ["1/..", "2/.."]
        assert words.page("account-none", "en") in ask(page, "mail", "nobody@example.vn")


@pytest.mark.parametrize(
    "keys",
    [None, {}, {"keys": []}, {"keys": [{"epoch": 1, "holders": []}]}, {"keys": [None]}, {"keys": [{"epoch": 1}] * 2},
     {"keys": [{"epoch": each, "holders": [{"url": "", "public": "00" * 32}]} for each in (1, 2, 3)]}],
)  # fmt: skip
def test_a_site_that_names_other_keys_is_asked_nothing(opened: Open, keys: object) -> None:
    page = opened()
    page.route("**/breach/keys", lambda route: route.fulfill(json=keys))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    check = """async (account) => {
        const { checkAccount } = await import("/static/breach.js");
        return checkAccount(account).then(() => "answered", ({ name, code }) => `${name} ${code}`);
    }"""
    assert page.evaluate(check, ADDRESS) == "CheckError answer"
    assert not any("/breach/evaluate" in each or "/breach/accounts/" in each for each in asked)


@pytest.mark.parametrize("count", ["9" * 5000, "x", "", "-1"])
def test_a_count_that_is_none_is_no_all_clear(opened: Open, count: str) -> None:
    page = opened()
    digest = hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
    page.route("**/range/*", lambda route: route.fulfill(body=f"{digest[5:]}:{count}"))
    assert ask(page, "password", PASSWORD) == words.page("leaks-answer", "en")


def test_numbers_are_spelled_as_the_country_of_the_site_does(opened: Open, tmp_path: Path) -> None:
    with leaks.served(tmp_path, country="855") as site:
        page = opened(at=site.address)
        assert words.page("account-none", "en") in ask(page, "phone", NUMBER), "a number of Cambodia"
        assert "Shop" in ask(page, "phone", "+84 912 345 678")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_without_scripts_there_are_no_boxes(opened: Open, language: str) -> None:
    page = opened(language, java_script_enabled=False)
    expect(page.locator("#leaks-absent")).to_have_text(words.page("leaks-absent", language))
    assert page.locator("#leaks input").count() == 0


def test_where_nothing_is_held_there_are_no_boxes(opened: Open, served: str) -> None:
    page = opened(at=served)
    assert words.page("leaks-nothing-held", "en") in page.locator("#leaks").inner_text()
    assert page.locator("#leaks :is(form, template)").count() == 0


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_boxes_are_accessible_and_fit_a_telephone(opened: Open, language: str) -> None:
    page = opened(language, viewport={"width": 320, "height": 600})
    page.locator("#leaks summary").click()
    for kind, text in (("password", PASSWORD), ("mail", ADDRESS), ("phone", "12")):
        ask(page, kind, text)
        expect(page.locator(f"[data-kind={kind}] + aside")).to_have_css("position", "static")  # lies over no box
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.emulate_media(color_scheme="light")
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert violations(page, CONTRAST) == []


def test_a_password_is_shown_only_when_told_to(opened: Open) -> None:
    page = opened()
    box, button = page.locator("#leaks-password"), page.get_by_role("button", name=words.page("leaks-show", "en"))
    box.fill(PASSWORD)
    for kind in ("password", "text", "password"):
        expect(box).to_have_attribute("type", kind)
        button.click()
    expect(box).to_have_attribute("autocomplete", "off")
    assert page.locator("#leaks input[name]:not([type=radio])").count() == 0


def test_the_holder_of_an_address_sees_all_and_can_be_taken_out(opened: Open, site: Leaks) -> None:
    assert site.mail
    page = opened()
    page.locator("#leaks summary").click()
    page.fill("#owner-address", ADDRESS)
    page.get_by_role("button", name=words.page("owner-send", "en")).click()
    assert answer(page, "owner") == words.page("owner-sent", "en")
    assert left(page) == [words.page("left-address", "en"), words.page("left-only", "en")]
    until = time.monotonic() + 30
    while not site.mail.messages() and time.monotonic() < until:  # it goes out behind the answer
        time.sleep(0.05)
    (letter,) = site.mail.messages()
    (code,) = re.findall("type this code there: ([^=\\s]*)", str(letter.get_payload()))

    def wish(which: str, typed: str = code) -> str:
        page.fill("#owner-code", typed)
        page.get_by_label(words.page(f"wish-{which}", "en")).check()
        page.get_by_role("button", name=words.page("owner-do", "en")).click()
        return answer(page, "owner")

    assert wish("show", "AAAAAAAAAA") == words.page("owner-refused", "en")
    shown = wish("show")
    assert Text.of(CLINIC.label).said("en") in shown
    assert words.phrase("advice-leaked-health", "en") in shown
    assert words.page("owner-until", "en", text="").strip(" .") in wish("tell")
    assert words.page("done-forget", "en") in wish("forget")
    assert words.page("done-remove", "en") in wish("remove")
    assert words.page("held-none", "en") in wish("show")
    assert words.page("account-none", "en") in ask(page, "mail", ADDRESS)


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_the_picture_has_a_tile(site: Leaks, language: str) -> None:
    with urlopen(f"{site.address}/{language}/") as answer:
        text = answer.read().decode()
    assert words.page("accounts-few", language, count="10") in text  # of few people no number is said
    assert f'href="/{language}/check#leaks"' in text
    with urlopen(f"{site.address}/api/picture") as answer:
        told = json.load(answer)["leaks"]
    assert told == {"passwords": 1, "accounts": None, "collections": 2, "seconds": None, "of": 0}, "not the clinic"


def test_the_module_spells_accounts_as_we_do(opened: Open) -> None:
    page = opened()
    pairs = json.loads((BREACH / "spellings.json").read_text(encoding="utf-8"))
    spell = """async (texts) => {
        const { canonical } = await import("/static/breach.js");
        return texts.map((text) => [text, canonical(text)]);
    }"""
    assert page.evaluate(spell, [text for text, _ in pairs]) == pairs


def test_the_bundle_passes_the_vectors_of_rfc_9497(opened: Open) -> None:
    told = json.loads((BREACH / "vectors.json").read_text(encoding="utf-8"))
    finalize = """async ([key, { proof, ...columns }]) => {
        const { voprf } = await import("/static/noble.js");
        const octets = (text) => Uint8Array.from(text.match(/../g), (each) => parseInt(each, 16));
        const column = (name) => columns[name].split(",").map(octets);
        const [blinds, blinded, evaluated] = ["Blind", "BlindedElement", "EvaluationElement"].map(column);
        const asked = column("Input").map((input, n) => (
            { input, blind: blinds[n], evaluated: evaluated[n], blinded: blinded[n] }
        ));
        const hex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
        return voprf.finalizeBatch(asked, octets(key), octets(proof)).map(hex).join(",");
    }"""
    page = opened()
    for vector in told["vectors"]:
        assert page.evaluate(finalize, [told["pkSm"], vector]) == vector["Output"]


def test_a_page_of_ones_own_may_pin_the_keys(opened: Open) -> None:
    page = opened()
    check = """async ([account, keys]) => {
        const { checkAccount } = await import("/static/breach.js");
        return checkAccount(account, { keys }).then((found) => found.map(({ id }) => id), ({ code }) => code);
    }"""
    published = json.loads(page.locator("#leaks").get_attribute("data-keys") or "")
    assert page.evaluate(check, ["0084912345678", published]) == ["shop"]
    published["keys"][0]["holders"][0]["public"] = published["keys"][0]["holders"][0]["public"][::-1]
    assert page.evaluate(check, [NUMBER, published]) == "proof"


def test_what_a_browser_is_given_is_small_and_what_we_name() -> None:
    files = [(FOLDER / "static" / name).read_bytes() for name in ("noble.js", "breach.js")]
    assert sum(len(gzip.compress(each, 9)) for each in files) <= LARGEST
    named = (FOLDER / "static/README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(files[0]).hexdigest() in named
