"""Lessons, questions and papers: real cases only where a person confirmed them, and nothing of an answer kept."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from khien import words
from khien.app import lessons, machine
from khien.detectors.lookalike import Lookalike
from khien.model import Finding, ProtectedName, State
from khien.pipeline import cases, figures
from khien.stores.embedded.store import Embedded
from khien.web import kit, paper
from khien.web import site as assembly
from khien.web.figures import LASTS, Counted
from khien.web.quiz import OF_LESSONS, PAIRS, Quiz
from khien.web.render import Frame
from tests.web.conftest import AT, HOST, KEY, Place, made

Client = TestClient[Litestar]
TODAY = date(2026, 11, 22)
NAME = "vaytien-vietcombank.top"
CLAIM = "vietcombank"


def case(state: State = "confirmed", subject: str = NAME, **fields: object) -> Finding:
    given = {"claim": CLAIM, "state": state, "score": 0.9, "start": machine.clock(), "span": (8, 19)}
    return made(subject, **(given | fields))


@pytest.fixture
def names(detector: Lookalike) -> dict[str, ProtectedName]:
    return {each.id: each for each in detector.register.names}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    """One finding of each state."""
    with machine.store(tmp_path) as store:
        store.save(
            case(),
            *(case(state, f"{state}-vietcombank.top") for state in ("new", "dismissed", "gone", "back")),
            case(subject="old-vietcombank.top", start=AT - timedelta(days=400)),
            case(subject="known-vietcombank.top", suppressed=True),
        )
        yield store


@pytest.fixture
def live(store: Embedded, tmp_path: Path, detector: Lookalike, names: dict[str, ProtectedName]) -> Iterator[Client]:
    """A site of today."""
    site = assembly.create(store, detector, {}, [HOST], audit=machine.audit(tmp_path), key=KEY, names=names)
    with TestClient(site, base_url=f"http://{HOST}") as client:
        yield client


def plain(page: str) -> str:
    """A page as it is read."""
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", "", page))


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_only_what_a_person_confirmed_lately_is_a_case(live: Client, language: str) -> None:
    page = plain(live.get(f"/{language}/learn/names").text)
    assert "vaytien-vietcombank[.]top" in page
    assert words.page("lesson-confirmed", language) in page
    for each in ("new", "dismissed", "gone", "back", "old", "known"):
        assert f"{each}-vietcombank" not in page
    slides = plain(live.get(f"/{language}/learn/kit/slides").text)
    assert "vaytien-vietcombank[.]top" in slides
    assert NAME not in page + slides  # nowhere can it be clicked


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_where_there_is_no_case_a_made_up_one_says_so(live: Client, language: str) -> None:
    for lesson in lessons.shipped():
        page = plain(live.get(f"/{language}/learn/{lesson.id}").text)
        assert lesson.title.said(language) in page
        shown = "vaytien" in page
        assert (words.page("lesson-made", language) in page) is not shown
        assert (words.page("lesson-confirmed", language) in page) is shown


def test_a_replay_shows_dated_names_and_says_so(client: Client) -> None:
    page = client.get("/en/learn/names").text
    assert words.page("lesson-dated", "en") in page
    assert words.page("replay", "en") in page
    assert 'class="cases"' in page


def test_a_dismissed_name_is_no_case_in_a_replay_either(place: Place) -> None:
    found = cases.cases(place.store, AT, replay=True)
    assert found
    assert place.ids.dismissed not in {each.id for each in found}


def test_cases_are_of_different_names_those_with_the_word_first(names: dict[str, ProtectedName]) -> None:
    found = [case(), case(subject="other-vietcombank.top"), made("bidv-otp.top", claim="bidv", state="confirmed")]
    told = [*cases.fitting(found, names, ("bank",), (), 3)]
    assert [each.claim for each in told] == [CLAIM, "bidv"]
    assert not [*cases.fitting(found, names, (), ("otp",), 3)]


def asked(page: str) -> list[str]:
    (ids,) = re.findall('name="asked" value="([^"]*)"', page)
    return ids.split()


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_who_answers_rightly_hears_so_and_nothing_is_kept(
    live: Client, store: Embedded, names: dict[str, ProtectedName], language: str
) -> None:
    page = live.get(f"/{language}/learn/quiz")
    ids = asked(page.text)
    assert len(ids) == len(set(ids)) == PAIRS + OF_LESSONS
    assert f"case-{case().id}" in ids  # what there is comes first
    quiz = Quiz(lessons.shipped(), [case()], names)
    right = {each.id: str(each.right) for each in quiz.ask(ids, language)}
    assert len(right) == len(ids)
    before = store.version()
    answer = live.post(f"/{language}/learn/quiz", data={"asked": " ".join(ids), **right})
    assert answer.status_code == 200
    assert words.page("quiz-result", language, good=str(len(ids)), count=str(len(ids))) in answer.text
    assert words.page("quiz-bad", language) not in answer.text
    nothing = live.post(f"/{language}/learn/quiz", data={"asked": " ".join(ids)}).text
    assert words.page("quiz-result", language, good="0", count=str(len(ids))) in nothing
    assert nothing.count(words.page("quiz-none", language)) == len(ids)
    assert store.version() == before
    assert live.cookies == {}
    assert answer.headers["cache-control"] == "no-store"


def test_a_pair_is_of_a_real_name_and_another(names: dict[str, ProtectedName]) -> None:
    quiz = Quiz(lessons.shipped(), [case()], names)
    real, made_up = quiz.ask([f"case-{case().id}", f"made-{CLAIM}"], "en")
    assert set(real.options) == {"vietcombank[.]com[.]vn", "vaytien-vietcombank[.]top"}
    assert set(made_up.options) == {"vietcombank[.]com[.]vn", "vietcombank-verify[.]example"}
    for each in (real, made_up):
        assert each.options[each.right] == "vietcombank[.]com[.]vn"
    assert "made up" in made_up.why[0]
    assert "first seen" in real.why[0]


def test_the_right_one_is_not_always_first(names: dict[str, ProtectedName]) -> None:
    quiz = Quiz(lessons.shipped(), [], names)
    rights = {asked.right for asked in quiz.ask([f"made-{each}" for each in list(names)[:40]], "en")}
    assert rights == {0, 1}


def test_another_draw_asks_other_questions(names: dict[str, ProtectedName]) -> None:
    quiz = Quiz(lessons.shipped(), [], names)
    draws = [quiz.draw(seed) for seed in range(20)]
    assert quiz.draw(7) == draws[7]
    assert len({frozenset(each) for each in draws}) == len(draws)
    assert all(len([*quiz.ask(each, "vi")]) == PAIRS + OF_LESSONS for each in draws)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"asked": ""},
        {"asked": "nothing made-nobody case-" + "0" * 64},
        {"asked": "x " * 30_000},
        {"other": "<script>"},
    ],
)
def test_what_was_never_asked_is_refused(client: Client, given: dict[str, str]) -> None:
    assert client.post("/vi/learn/quiz", data=given).status_code in (400, 413)


@pytest.mark.parametrize("chosen", ["9", "-1", "²", "1e3", "<b>", "0" * 5000, ""])
def test_an_option_that_is_none_is_no_answer(client: Client, chosen: str) -> None:
    answer = client.post("/en/learn/quiz", data={"asked": "names-owner names-owner", "names-owner": chosen})
    assert answer.status_code == 200
    assert words.page("quiz-result", "en", good="0", count="1") in answer.text
    assert words.page("quiz-none", "en") in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize(
    "path", ["nothing", "quiz2", "kit/slides.doc", "kit/slides.", "kit/..%2fbase", "kit/report.pdf"]
)
def test_what_is_not_there(client: Client, path: str) -> None:
    assert client.get(f"/vi/learn/{path}").status_code == 404


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("name", kit.PAPERS)
def test_papers_as_pdf(client: Client, name: str, language: str) -> None:
    answer = client.get(f"/{language}/learn/kit/{name}.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in answer.content  # tagged: it can be read aloud
    assert b"/Lang" in answer.content


def test_the_same_words_of_the_same_day_are_the_same_octets() -> None:
    told = [kit.Told(each, (case(),)) for each in lessons.shipped()]
    frame = Frame({}, assembly.link, live=True, contact="", replay=False, days=lambda: None)
    first = kit.pdf("slides", told, frame, "vi", TODAY)
    paper._set.cache_clear()  # pyright: ignore[reportPrivateUsage] # so that it is set anew
    assert kit.pdf("slides", told, frame, "vi", TODAY) == first
    assert kit.pdf("slides", told, frame, "vi", TODAY + timedelta(1)) != first
    assert kit.pdf("slides", told, frame, "en", TODAY) != first


def test_what_a_case_says_is_no_markup_on_paper() -> None:
    hostile = case(subject='#panic("x")$*_<a>@b.example')
    told = [kit.Told(lessons.shipped()[0], (hostile,))]
    frame = Frame({CLAIM: '#eval("1/0") $x$'}, assembly.link, live=True, contact="", replay=False, days=lambda: None)
    assert kit.pdf("posters", told, frame, "en", TODAY).startswith(b"%PDF-")


def test_figures_for_people_and_programs_agree(client: Client) -> None:
    told = client.get("/api/figures").json()
    found = {each["code"]: each["value"] for each in told["figures"] if not each["part"]}
    assert found["names-found"] > 0
    for language in words.LANGUAGES:
        page = plain(client.get(f"/{language}/figures").text)
        assert words.phrase("counted-names-dismissed", language) in page
        assert words.number(found["names-found"], language) in page
    assert msgspec.json.decode(client.get("/api/figures").content) == told  # not counted anew for each who asks


def test_figures_are_counted_anew_after_a_while(store: Embedded) -> None:
    now = AT
    counted = Counted(store, lambda: now)
    first = counted()
    store.save(case("confirmed", "another-vietcombank.top"))
    assert counted() is first
    now = AT + LASTS
    ((before, after),) = (
        (told.value or 0, again.value or 0)
        for told, again in figures.differing(first, counted())
        if told and again and told.code == "names-found"
    )
    assert after == before + 1
