"""Every text of the site is in both catalogues, and nothing else is."""

import re
from pathlib import Path
from string import Formatter
from typing import get_args, get_type_hints

import pytest

from generate import catalogues
from khien import model, words
from khien.formats.guide.records import PARTS
from khien.pipeline import control, listed, standing
from khien.triage import answers, assets, chase, decide, evidence, life, takedown
from khien.web import desk_listings, refusal, views, wishes
from khien.web.render import FOLDER

CATALOGUES = {
    language: catalogues.read((catalogues.LOCALE / language / "LC_MESSAGES/site.po").read_text(encoding="utf-8"))
    for language in words.LANGUAGES
}
MADE = {  # codes that are put together
    "grade-": {each.code for each in views.GRADES},
    "meaning-": set(views.STATES),
    "step-": {act for _, act in life.MOVES},
    "error-": {*refusal.CODES.values(), "request", "role"},
    "cure-": {*refusal.CODES.values(), "request", "role"},
    "act-": {
        *answers.ACTS,
        *(act for _, act in life.MOVES if act != life.SEE),
        takedown.CLOSE,
        *(act for acts in desk_listings.ACTS.values() for act in acts),
    },
    "answer-": {answers.ACKNOWLEDGE, answers.OWN},
    "appeal-trouble-": set(get_args(control.Trouble)) - {""},
    "appeal-decided-": {"kept", "removed", "expired"},
    "asset-": set(assets.KINDS),
    "conduct-": set(get_args(model.Conduct)),
    "contact-": set(get_args(takedown.Role)),
    "delivery-": set(get_args(model.DeliveryState)),
    "did-": {
        *answers.ACTS,
        *decide.OVER,
        decide.CLOSE,
        decide.RETURN,
        chase.REMIND,
        *(act for _, act in takedown.MOVES),
    },
    "digest-": set(get_args(get_type_hints(model.Hearing)["digest"])),
    "notice-": set(standing.NOTICES),
    "notice-means-": set(standing.NOTICES),
    "proof-": set(get_args(get_type_hints(model.Proof)["how"])),
    "site-": set(get_args(model.SiteClass)),
    "stated-": {code for codes in evidence.TOPICS.values() for code in codes},
    "takedown-": set(standing.TAKEDOWNS),
    "takedown-means-": set(standing.TAKEDOWNS),
    "unit-": set(get_args(model.Unit)),
    "door-": {"wait", "refused", "stopped", "failed", "many", "old"},  # desk/passkey.html
    "role-": set(model.ROLES),
    "desk-appeal-how-": {"dns", "file"},
    "harm-": set(get_args(model.Harm)),
    "ledger-": set(get_args(listed.Done)),
    "listing-": set(get_args(model.ListingState)),
    "listing-means-": set(get_args(model.ListingState)),
    "home-may-": set(model.ROLES),
    "pass-": set(get_args(get_type_hints(model.Pass)["kind"])),
    "help-part-": set(PARTS),
    "kit-": {"slides", "posters"},  # kit.PAPERS
    "leaks-": {"password", "mail", "phone"},  # leaks.html
    "nav-": {"check", "help", "picture", "watch", "findings", "learn", "errors"},  # base.html
    "wish-": set(get_args(get_type_hints(wishes.Proven)["wish"])),
}

COMMANDS = {"takedown-again", "takedown-nobody", "takedown-unasked"}  # why one waits: khien takedown show
LENGTHS = {f"for-{each}" for each in ("seconds", "minutes", "hours", "days", "years")}  # tables.lasting


def codes() -> set[str]:
    """Codes that templates and commands ask for."""
    asked = COMMANDS | LENGTHS
    for path in (FOLDER / "templates").rglob("*.html"):
        for code, joined in re.findall(r'(?:say|words\.page)\("([a-z-]+)"(\s*~)?', path.read_text(encoding="utf-8")):
            asked |= {code + end for end in MADE[code]} if joined else {code}
    return asked


def takes(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_catalogue_holds_what_templates_ask_for(language: str) -> None:
    assert {code for context, code in CATALOGUES[language] if context} == codes()
    assert all(CATALOGUES[language].values())


def test_both_languages_say_the_same_things() -> None:
    english, vietnamese = CATALOGUES["en"], CATALOGUES["vi"]
    assert list(english) == list(vietnamese)
    for key in english.keys() - {("", "")}:
        assert takes(english[key]) == takes(vietnamese[key]), key
        assert english[key] != vietnamese[key], key


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_what_is_committed_is_compiled(language: str) -> None:
    committed = Path(catalogues.LOCALE / language / "LC_MESSAGES/site.mo").read_bytes()
    assert committed == catalogues.compiled(CATALOGUES[language]), "run generate/catalogues.py"


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_text_calls_a_name_safe(language: str) -> None:
    for (_, code), sentence in CATALOGUES[language].items():
        plain = sentence.replace("ứng cứu sự cố an toàn thông tin", "")
        assert not re.search(r"\bsafe\b|\bharmless\b|an toàn|vô hại", plain, re.IGNORECASE), code


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_page_names_a_file_that_its_reader_cannot_open(language: str) -> None:
    assert [code for (_, code), sentence in CATALOGUES[language].items() if "docs/" in sentence] == []
    pages = (FOLDER / "templates").rglob("*.html")
    assert [page.name for page in pages if "docs/" in page.read_text(encoding="utf-8")] == []


def test_a_replay_says_all_that_is_made_up() -> None:
    assert "listings" in words.page("replay-leak", "en")
    assert "danh sách" in words.page("replay-leak", "vi")


def test_templates_hold_no_text_of_their_own() -> None:
    for path in (FOLDER / "templates").rglob("*.html"):
        text = re.sub(r"\{[%#].*?[%#]\}|\{\{.*?\}\}|<[^>]*>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not set(re.findall(r"[^\W\d_]{2,}", text)) - {
            "Khiên",
            "python",
            "dev",
            "bench",
            "names",
            "floods",
            "docs",
            "md",
            "doctype",
        }, path
