"""Every code has a plain sentence in both languages, and takes the same parameters in both."""

import re
from pathlib import Path
from string import Formatter

import pytest

from generate import catalogues
from khien import words
from khien.breach import hashlist, leaked
from khien.cli.commands.names import INPUT_FORMATS
from khien.ct import leaves as ct
from khien.errors import ContractError
from khien.names.reading import layout, syntax
from khien.sources.dumps import walk

CATALOGUES = {
    language: catalogues.read((catalogues.LOCALE / language / "LC_MESSAGES/khien.po").read_text(encoding="utf-8"))
    for language in words.LANGUAGES
}
LISTS = ("bank-website", "university_domains", "tranco10k", "majestic_million", "cloudflare-top20k", "cisco_top20k")
RECORDED = (  # of whom a domain is: sources of the shipped registers, beside MISP's lists
    "list of ordinary names",
    "list of ordinary .vn names",
    "list of .gov.vn names",
    "list of Vietnamese brands",
    "ChongLuaDao whitelist",
)

FLOWS = (  # why something in a file of flow records is none
    "not-ip cut-short broken-header unknown-link fragment not-udp no-export no-template unknown-version broken-set"
    " broken-template too-many-templates bad-length damaged-block no-address bad-address bad-number bad-time"
).split()

LOGS = {*ct.OUTCOMES[1:], "log-lies", "log-waits"}
DUMPS = (*leaked.REASONS, *hashlist.REASONS, walk.NO_FORM)
FEEDS = "no-message no-frame no-mail no-file".split()  # why something that others feed us is none

LONGEST_SENTENCE = 20  # words
FIGURES = {"rate": "1234567", "line": "5000", "low": "1200000", "high": "1270000", "count": "4321", "times": "246.9"}


def params(code: str) -> dict[str, str]:
    """Of each parameter something that can be told from the rest of a sentence."""
    known = {"list": "tranco10k", "vector": "syn", "kinds": "password"}
    return {name: known.get(name) or FIGURES.get(name) or f"<{name}>" for name in words.REASONS[code]}


def codes(language: str, context: str) -> set[str]:
    return {code for where, code in CATALOGUES[language] if where == context}


def takes(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("code", words.REASONS)
def test_a_reason_says_all_it_is_told(code: str, language: str) -> None:
    told = params(code)
    said = words.reason(code, told, language)
    for name, value in told.items():
        if name == "vector":
            assert words.technique(value, language) in said
        elif name == "kinds":
            assert words.phrase(f"leaked-{value}", language) in said
        elif name in FIGURES:
            assert words.number(float(value), language, int(name == "times")) in said
        else:
            assert (value in said) == (name != "list")
    for sentence in re.split(r"[.:]\s", CATALOGUES[language]["reason", code]):
        assert len(sentence.split()) <= LONGEST_SENTENCE
    assert said[-1] == "."


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_catalogues_hold_what_is_asked_of_them(language: str) -> None:
    assert codes(language, "reason") == set(words.REASONS)
    for code, names in words.REASONS.items():
        assert takes(CATALOGUES[language]["reason", code]) == set(names), code
    assert codes(language, "skipped") == {*filter(None, syntax.REASONS), *FLOWS, *FEEDS, *LOGS, *DUMPS, "more"}
    assert codes(language, "list") == {*LISTS, *RECORDED}
    assert all(CATALOGUES[language].values())


def test_both_languages_say_the_same_things() -> None:
    english, vietnamese = CATALOGUES["en"], CATALOGUES["vi"]
    assert list(english) == list(vietnamese)
    for key in english.keys() - {("", "")}:
        assert takes(english[key]) == takes(vietnamese[key]), key
        if key not in {("phrase", "skipped-why"), ("phrase", "column-megabytes")}:  # numbers and signs only
            assert english[key] != vietnamese[key], key


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_what_is_committed_is_compiled(language: str) -> None:
    committed = Path(catalogues.LOCALE / language / "LC_MESSAGES/khien.mo").read_bytes()
    assert committed == catalogues.compiled(CATALOGUES[language]), "run generate/catalogues.py"


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_sentence_calls_a_name_safe(language: str) -> None:
    for sentence in CATALOGUES[language].values():
        assert not re.search(r"\bsafe\b|\bharmless\b|an toàn|vô hại", sentence, re.IGNORECASE)


def test_short_labels() -> None:
    assert words.technique("combosquat", "en") == "added words"
    assert words.skipped("no-dot", "vi") == "không có dấu chấm"
    assert words.phrase("rate", "en", rate="7") == "7 names a second"
    said = words.reason("popular", {"domain": "example.org", "list": "tranco10k"}, "en")
    assert "(Tranco)" in said


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("unheard-of", {}),
        ("tld-swap", {"brand": "B"}),
        ("tld-swap", {"brand": "B", "part": "b"}),
        ("popular", {"domain": "example.org", "list": "unheard-of"}),
    ],
)
def test_another_reason_is_a_bug(code: str, given: dict[str, str]) -> None:
    with pytest.raises(ContractError):
        words.reason(code, given, "en")


def test_other_words_are_a_bug() -> None:
    for call in (
        lambda: words.reason("lure", params("lure"), "fr"),
        lambda: words.technique("unheard-of", "en"),
        lambda: words.skipped("unheard-of", "vi"),
        lambda: words.phrase("unheard-of", "en"),
        lambda: words.phrase("rate", "en"),
    ):
        with pytest.raises(ContractError):
            call()


def test_what_is_put_into_a_sentence_is_not_read_as_one() -> None:
    said = words.reason("mixed-script", {"part": "{brand} {0.__class__} %s"}, "en")
    assert "{brand} {0.__class__} %s" in said


def test_the_command_line_knows_the_same_choices() -> None:
    """It names them without loading what defines them."""
    assert INPUT_FORMATS == layout.FORMATS
