"""Every page in both languages, over the real store."""

import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from khien import words
from khien.app import machine
from khien.app.parts import samples
from khien.model import SourceState
from khien.web import reading
from khien.web.render import FOLDER
from tests.web.conftest import AT, Place

PAGES = [
    "",
    "findings",
    "findings?known=true",
    "findings?brand=flood",
    "findings?order=new&least=0.9",
    "check",
    "errors",
    "figures",
    "learn",
    *("learn/names", "learn/qr", "learn/quiz", "learn/kit", "learn/kit/slides", "learn/kit/posters"),
]
STORIES = ["strongest", "known", "dismissed", "letters", "hostile", "flood", "carpet", "home"]
Get = Callable[[str], str]


@pytest.fixture
def get(client: TestClient[Litestar]) -> Get:
    def answered(path: str) -> str:
        answer = client.get(path)
        assert answer.status_code == 200, path
        return answer.text

    return answered


class Shape(HTMLParser):
    """What a page is built of: its headings, its links, its ids, the languages it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.languages: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("meta", "link", "img", "input", "circle", "rect", "path", "wbr"):
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        read = ("href", "src") if given.get("method") == "post" else ("href", "src", "action")
        self.links += [value for name in read if (value := given.get(name))]
        self.ids += [value] if (value := given.get("id")) else []
        self.languages += [value] if (value := given.get("lang")) else []
        assert "style" not in given
        assert not any(name.startswith("on") for name in given)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("page", PAGES + STORIES)
def test_a_page_is_whole(get: Get, place: Place, page: str, language: str) -> None:
    path = f"findings/{getattr(place.ids, page)}" if page in STORIES else page
    text = get(f"/{language}/{path}")
    shape = Shape(text)
    assert shape.languages[0] == language
    assert shape.headings[0] == 1
    assert shape.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(shape.headings))
    assert len(shape.ids) == len(set(shape.ids))
    (other,) = {"vi", "en"} - {language}
    assert words.page("replay", language) in text
    assert f'hreflang="{other}"' in text
    assert Shape(get(f"/{other}/{path}")).headings == shape.headings  # the languages are equals
    for link in shape.links:
        assert link.startswith(("/", "#"))


def test_only_names_are_counted_as_looked_at(tmp_path: Path) -> None:
    with machine.store(tmp_path / "data") as store:
        store.save(SourceState(id="ct", table="names", rows=5), SourceState(id="rdap", rows=70))
        store.save(SourceState(id="list", table="evidence", rows=900))
        assert reading.picture(store, AT).names == 5


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_replay_says_why_nobody_was_told(get: Get, language: str) -> None:
    text = get(f"/{language}/")
    assert words.page("told-live", language) in text
    assert words.page("told-soon", language) not in text


@pytest.mark.parametrize("path", ["/vi/", "/en/findings", "/static/style.css", "/api/findings", "/vi/nowhere"])
def test_a_head_is_answered_as_a_get_without_its_content(client: TestClient[Litestar], path: str) -> None:
    head, whole = client.head(path), client.get(path)
    assert (head.status_code, head.headers, head.content) == (whole.status_code, whole.headers, b"")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_link_leads_nowhere(client: TestClient[Litestar], language: str) -> None:
    met: set[str] = set()
    ahead = [f"/{language}/", f"/{language}/findings?known=true"]
    while ahead and len(met) < 60:
        path = ahead.pop().partition("#")[0]
        if path and path not in met:
            met.add(path)
            answer = client.get(path)
            assert answer.status_code == 200, path
            if answer.headers["content-type"].startswith("text/html"):
                ahead += Shape(answer.text).links
    assert len(met) == 60


def test_the_first_page_is_small(client: TestClient[Litestar]) -> None:
    text = client.get("/vi/").text
    assert "htmx" not in text
    parts = {link for link in Shape(text).links if link.startswith("/static/")}
    assert len(text.encode()) + sum(len(client.get(part).content) for part in parts) < 100_000


@pytest.mark.parametrize(("accepted", "language"), [({}, "vi"), ({"Accept-Language": "en-GB"}, "en")])
def test_the_first_address_leads_to_the_readers_language(
    client: TestClient[Litestar], accepted: dict[str, str], language: str
) -> None:
    client.headers.pop("accept-language", None)
    answer = client.get("/", headers=accepted, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/{language}/")
    assert answer.headers["vary"] == "Accept-Language"


def test_the_list_is_turned_page_by_page(get: Get, place: Place) -> None:
    met: list[str] = []
    path = "/vi/findings?least=0.5"
    while path:
        text = get(path)
        met += re.findall(r'class="to" href="/vi/findings/([0-9a-f]{64})"', text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        path = following[1].replace("&amp;", "&") if following else ""
    assert len(met) == len(set(met))
    assert met[0] == place.ids.strongest
    assert len(met) > 100


@pytest.mark.parametrize("order", ["strong", "new"])
def test_a_least_score_holds_in_any_order(client: TestClient[Litestar], order: str) -> None:
    after, scores = "", [1.0]
    met: list[str] = []
    while scores:
        found = client.get("/api/findings", params={"least": 0.99, "order": order, "after": after}).json()
        scores = [told["finding"]["score"] for told in found["findings"]]
        assert all(score >= 0.99 for score in scores)
        met += [told["finding"]["id"] for told in found["findings"]]
        after = found["after"]
        if not after:
            break
    assert len(met) == len(set(met)) > 30


def test_filters(client: TestClient[Litestar], place: Place) -> None:
    def ids(**asked: str) -> list[str]:
        return [told["finding"]["id"] for told in client.get("/api/findings", params=asked).json()["findings"]]

    assert ids(state="dismissed") == [place.ids.dismissed]
    assert place.ids.known in ids(known="true")
    assert place.ids.letters in ids(brand="momo", least="0.2")
    assert ids(brand="nobody") == []
    assert place.ids.dismissed not in ids(state="new")


def test_a_story_tells_all(get: Get, place: Place) -> None:
    text = get(f"/vi/findings/{place.ids.dismissed}")
    assert "<mark>" in text
    assert "Lan" in text
    assert words.page("meaning-dismissed", "vi") in text
    assert '<details lang="en">' in text
    assert place.ids.known in text  # beside it, what is known good
    letters = get(f"/en/findings/{place.ids.letters}")
    assert "xn--mmo-gna[.]example" in letters
    assert "mómo[.]example" in letters


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_flood_is_told_as_one(get: Get, place: Place, language: str) -> None:
    text = get(f"/{language}/findings/{place.ids.carpet}")
    assert "198[.]51[.]100[.]0/24" in Shape(text).text
    assert words.technique("dns", language) in text
    assert words.page("filters-never", language) in text
    assert "destination 198.51.100.0/24" in text  # ExaBGP's
    assert "203[.]0[.]113[.]0/24" in Shape(text).text
    for code in ("score", "fact-brand", "known-heading"):  # what is measured, and said, of names alone
        assert f">{words.page(code, language)}<" not in text
        assert f">{words.page(code, language)}<" not in get(f"/{language}/findings/{place.ids.home}")
    assert f">{words.number(181_700, language)}<" not in text  # six vectors in five columns
    assert f">{words.number(90_000, language)}<" in text  # what was written twice counts once


def test_floods_and_names_are_told_apart(get: Get, client: TestClient[Litestar], place: Place) -> None:
    picture = client.get("/api/picture").json()
    assert (picture["floods"]["findings"], picture["floods"]["at_home"]) == (2, 1)
    assert picture["floods"]["largest"]["id"] == place.ids.carpet
    assert picture["floods"]["seconds"] == 3.0  # by the clock: what was replayed tells nothing of it
    assert picture["names"] == sum(page.rows.num_rows for page in samples()[0].source.read(None))
    assert sum(each["findings"] for each in picture["bins"]) == picture["findings"]
    listed = client.get("/api/findings?brand=flood").json()["findings"]
    assert {each["finding"]["id"] for each in listed} == {place.ids.flood, place.ids.carpet}
    assert all(each["finding"]["measures"]["packets"] > 0 for each in listed)
    assert place.ids.flood in get("/en/findings?brand=flood")


def test_nothing_a_finding_says_becomes_markup(get: Get, place: Place) -> None:
    for path in (f"findings/{place.ids.hostile}", f"findings/{place.ids.dismissed}", "findings?least=0.2&order=new"):
        text = get(f"/en/{path}")
        assert "<script>alert" not in text
        assert "\u202e" not in text
        assert ">49<" not in text
    assert "{{7*7}}" in get(f"/en/findings/{place.ids.hostile}")


def test_where_nothing_is_answered_about_leaks_check_is_of_names_alone(client: TestClient[Litestar]) -> None:
    assert 'id="leaks"' not in client.get("/en/check").text


def test_htmx_is_the_one_we_name() -> None:
    digest = hashlib.sha256((FOLDER / "static/htmx.min.js").read_bytes()).hexdigest()
    assert digest in Path(FOLDER / "static/README.md").read_text(encoding="utf-8")
