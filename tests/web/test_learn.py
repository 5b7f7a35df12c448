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
from khien.app import guides, lessons, machine
from khien.detectors.lookalike import Lookalike
from khien.model import Domain, Finding, ProtectedName, Reason, State
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
MADE = kit.Made(TODAY, "https://khien.example", guides.shipped().contacts)
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


@pytest.mark.parametrize(
    ("subject", "span", "codes", "lures", "shown"),
    [
        ("vcbiytrlbrnk.top", (0, 3), ("combosquat", "short-word", "two-edits"), "", False),
        ("vietcombankxkq.top", (0, 11), ("combosquat",), "", False),
        ("vietcombank-xkq.top", (0, 11), ("combosquat",), "", False),
        ("vietcombank.top", (0, 11), ("tld-swap",), "", True),
        ("viettcombank.com", (0, 12), ("repetition",), "", True),
        ("vay-vietcombank.top", (4, 15), ("combosquat",), "", True),
        ("vaytienvietcombank.top", (7, 18), ("combosquat", "lure"), "vaytien", True),
        ("vietcombank.something.top", (0, 11), ("subdomain",), "", False),
        ("vietcombank88.top", (0, 11), ("combosquat",), "", True),
    ],
)
def test_only_what_one_can_see_is_asked(
    names: dict[str, ProtectedName],
    subject: str,
    span: tuple[int, int],
    codes: tuple[str, ...],
    lures: str,
    shown: bool,
) -> None:
    reasons = tuple(
        Reason(code=code, params={"brand": "V", "word": "v", "part": "v", "lures": lures}) for code in codes
    )
    one = case(subject=subject, span=span, techniques=codes, reasons=reasons)
    drawn = Quiz(lessons.shipped(), [one], names).draw(1)
    assert (f"case-{one.id}" in drawn) is shown


def test_one_question_a_name_at_most(names: dict[str, ProtectedName]) -> None:
    several = [case(subject=f"{word}-vietcombank.top", span=(4, 15)) for word in ("vay", "the", "gia")]
    for seed in range(20):
        drawn = Quiz(lessons.shipped(), several, names).draw(seed)
        assert sum(each in {f"case-{one.id}" for one in several} for each in drawn) == 1
        assert f"made-{CLAIM}" not in drawn


def test_the_right_name_looks_right(names: dict[str, ProtectedName]) -> None:
    sure = [Domain(domain=each, verified=True) for each in ("garenanow.com", "garena.vn")]
    garena = msgspec.structs.replace(names["garena"], official=tuple(sure))
    (asked,) = Quiz(lessons.shipped(), [], {"garena": garena}).ask(["made-garena"], "vi")
    assert asked.options[asked.right] == "garena[.]vn"
    odd = msgspec.structs.replace(garena, official=tuple(sure[:1]))
    assert not [*Quiz(lessons.shipped(), [], {"garena": odd}).ask(["made-garena"], "vi")]


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


def test_papers_say_whom_to_call_and_where_to_check(client: Client) -> None:
    for name in kit.PAPERS:
        page = plain(client.get(f"/vi/learn/kit/{name}").text)
        assert "113 Công an" in page
        assert "111 Tổng đài quốc gia bảo vệ trẻ em" in page
        assert words.page("kit-check", "vi", site="khien.example") in page
    assert MADE._replace(public="").site == ""
    assert words.page("kit-headline", "vi") in plain(client.get("/vi/learn/kit/slides").text)


def test_no_lesson_runs_over_its_page() -> None:
    told = [kit.Told(each, (case(),) * kit.MOST) for each in lessons.shipped()]
    frame = Frame({}, assembly.link, live=True, contact="", replay=True, days=lambda: None)
    for language in words.LANGUAGES:
        for name, pages in (("posters", len(told)), ("slides", 2 * len(told) + 2)):
            made = kit.pdf(name, told, frame, language, MADE)
            assert b"/Type/Pages/Count %d/" % pages in made


def test_the_same_words_of_the_same_day_are_the_same_octets() -> None:
    told = [kit.Told(each, (case(),)) for each in lessons.shipped()]
    frame = Frame({}, assembly.link, live=True, contact="", replay=False, days=lambda: None)
    first = kit.pdf("slides", told, frame, "vi", MADE)
    paper._set.cache_clear()  # pyright: ignore[reportPrivateUsage] # so that it is set anew
    assert kit.pdf("slides", told, frame, "vi", MADE) == first
    assert kit.pdf("slides", told, frame, "vi", MADE._replace(day=TODAY + timedelta(1))) != first
    assert kit.pdf("slides", told, frame, "en", MADE) != first


def test_what_a_case_says_is_no_markup_on_paper() -> None:
    hostile = case(subject='#panic("x")$*_<a>@b.example')
    told = [kit.Told(lessons.shipped()[0], (hostile,))]
    frame = Frame({CLAIM: '#eval("1/0") $x$'}, assembly.link, live=True, contact="", replay=False, days=lambda: None)
    assert kit.pdf("posters", told, frame, "en", MADE).startswith(b"%PDF-")


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
