"""Letters: text and HTML say the same, need nothing from elsewhere, and hold whatever the record holds as text."""

import re
from datetime import UTC

import pytest
from lxml import html

from khien import words
from khien.formats.letter import Beside, letter
from khien.model import Notice, Reason
from khien.triage.advice import advice
from tests.channels import samples

HOSTILE = Reason(code="combosquat", params={"brand": "<img src=http://evil.example/x.png>", "word": '"><script>'})
BESIDE = Beside(link="https://warn.csirt.example/vi/notices/1/t", contact="1800 1234 <b>", signed="CSIRT & bạn")
NOTICES = (
    samples.notice(),
    samples.notice(*(f"n{n}.top" for n in range(12))),
    samples.notice(reasons=(HOSTILE,), label="<i>Bank</i>"),
    samples.notice(sector="citizen", label=""),
    samples.notice(state="closed"),
    samples.flood(),
)


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("notice", NOTICES)
def test_both_forms_say_the_same(notice: Notice, language: str) -> None:
    made = letter(notice, language, UTC, BESIDE)
    told = advice(notice, language, UTC)
    page = html.document_fromstring(made.html)
    shown = " ".join(page.text_content().split())
    for said in (told.headline, *told.seen, *told.why, *told.do, *BESIDE[:1], BESIDE.contact, BESIDE.signed):
        if said:
            assert said in made.text
            assert " ".join(said.split()) in shown
    assert page.get("lang") == language
    assert told.headline in made.subject


@pytest.mark.parametrize("notice", NOTICES)
def test_the_page_needs_nothing_and_runs_nothing(notice: Notice) -> None:
    page = html.document_fromstring(letter(notice, "vi", UTC, BESIDE).html)
    assert {each.tag for each in page.iter()} <= set(
        "html head meta title body p h1 h2 ul ol li a br strong small".split()
    )
    assert {name for each in page.iter() for name in each.attrib} <= {"lang", "charset", "href"}
    assert [each.get("href") for each in page.iter("a")] == [BESIDE.link]


def test_a_subject_is_one_line_with_its_severity() -> None:
    assert letter(samples.notice(), "vi", UTC, BESIDE).subject == (
        "[Mức cao] Tên miền nhái Vietcombank: vietc0mbank-login[.]top"
    )
    assert letter(samples.notice(state="closed"), "en", UTC, BESIDE).subject.startswith("[Over] ")
    for notice in NOTICES:
        assert letter(notice, "en", UTC, BESIDE).subject.isprintable()


def test_a_code_stands_where_no_link_may() -> None:
    made = letter(NOTICES[3], "vi", UTC, Beside(code="F6RJH-VWNQN"))
    assert "F6RJH-VWNQN" in made.text
    assert "F6RJH-VWNQN" in made.html
    assert not re.search("href|://", made.text + made.html)
