"""What a notice says: to whom, of what, in plain sentences, with nothing that anybody could click."""

import re
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import words
from khien.model import Notice, Reason, Subject
from khien.triage.advice import Advice, advice, harmless, moment
from tests.channels import samples

LONGEST_SENTENCE = 20  # words
LETTERS = b"vitcombank-qbb".decode("punycode")
VIET_NAM = timezone(timedelta(hours=7))


def site(kind: str, value: str = "shop.example", unit: str = "host") -> tuple[Subject, ...]:
    return (Subject(finding="f" * 64, value=value, claim="vietcombank", unit=unit, site=kind),)  # type: ignore[arg-type]


KINDS = {
    "imitation": samples.notice(),
    "series": samples.notice(*(f"vietc0mbank-{n}.top" for n in range(14))),
    "hacked": samples.notice(subjects=site("hacked", "https://shop.example/vcb/login", "url")),
    "own": samples.notice(subjects=site("hacked"), own=True),
    "own-citizen": samples.notice(subjects=site("hacked"), own=True, sector="citizen"),
    "www": samples.notice("vietc0mbank.top", "www.vietc0mbank.top", "vietc0mbank.top", "vietc0mbank.vip"),
    "shared": samples.notice(subjects=site("shared-hosting", "vcb.github.io")),
    "citizen": samples.notice(sector="citizen"),
    "flood": samples.flood(),
    "flood-source": samples.flood("flood-source"),
    "over": samples.notice(state="closed"),
    "digest": samples.notice(*(f"vietc0mbank-{n}.top" for n in range(60)), campaign="digest"),
}


def sentences(told: Advice) -> list[str]:
    return [told.headline, *told.seen, *told.why, *told.do]


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_told_plainly_and_cannot_be_clicked(kind: str, language: str) -> None:
    told = advice(KINDS[kind], language, VIET_NAM)
    assert told.seen
    assert told.why
    assert told.do or kind == "over"
    for said in sentences(told):
        assert "{" not in said
        assert not re.search(r"https?:|\w\.(top|example|io)\b", said)
    for said in (*told.why, *told.do):
        for sentence in re.split(r"[.:]\s", said):
            assert len(sentence.split()) <= LONGEST_SENTENCE, sentence


def told(kind: str) -> str:
    return "\n".join(sentences(advice(KINDS[kind], "en", VIET_NAM)))


def test_each_is_told_what_is_theirs_to_do() -> None:
    assert "The name is vietc0mbank-login[.]top. What imitates Vietcombank in it is “vietc0mbank”." in told("imitation")
    assert "and 3 more" in told("series")
    assert "vietc0mbank-10[.]top" in told("series")
    assert "Nobody here thinks that you did it" in told("own")
    assert "Copy the site and its logs first" in told("own")
    assert "hxxps://shop[.]example/vcb/login" in told("hacked")
    assert "victim too" in told("hacked")
    assert "Block the name" not in told("hacked") + told("shared")
    assert "Do not open the page" in told("citizen")
    assert "1,200,000 packets a second (9,600.0 Mbit/s)" in told("flood")
    assert "khien flows mitigate ffffffffffff" in told("flood")
    assert "203.0.113.9" in told("flood-source")
    assert "vietc0mbank-49[.]top\nAnd 10 more." in told("digest")
    assert "Nothing more is to be done" in told("over")


@pytest.mark.parametrize("campaign", ["", "digest"])
def test_a_name_is_told_once_with_www_or_without(campaign: str) -> None:
    names = KINDS["www"].subjects
    said = advice(samples.notice(subjects=names, campaign=campaign), "en", UTC)
    assert said.headline.endswith("vietc0mbank[.]top, and 1 more")
    assert "\n".join(said.seen).count("vietc0mbank[.]top") == 1
    alone = advice(samples.notice(subjects=names[:3], campaign=campaign), "en", UTC)
    assert alone.headline.endswith("vietc0mbank[.]top")
    assert len(alone.seen) == len(said.seen) - 1


def test_whom_it_concerns_is_addressed_as_a_person_or_a_unit() -> None:
    for kind, unit in (("own", True), ("own-citizen", False)):
        said = "\n".join(sentences(advice(KINDS[kind], "vi", VIET_NAM)))
        assert ("đơn vị" in said, "anh/chị" in said) == (unit, not unit)


def test_reasons_of_a_series_say_that_they_are_of_one_of_its_names() -> None:
    several = words.notice("why-several", "en")
    assert several in told("series")
    assert several not in told("imitation")


def test_addresses_are_no_links_either() -> None:
    given = Reason(code="evidence-resolves", params={"addresses": "127.0.0.1, 2001:db8::1"})
    assert advice(samples.notice(reasons=(given,)), "en", UTC).why[0].endswith("127[.]0[.]0[.]1, 2001:db8::1.")


def test_a_name_in_other_letters_is_shown_as_people_would_see_it() -> None:
    said = advice(samples.notice("xn--vitcombank-qbb.top"), "en", UTC).seen
    assert said[:2] == ("The name is xn--vitcombank-qbb[.]top.", f"A browser may show it as {LETTERS}[.]top.")


def test_a_flood_without_figures_is_told_without_them() -> None:
    notice = samples.flood()
    bare = Notice(**{**{each: getattr(notice, each) for each in notice.__struct_fields__}, "measures": {}})
    assert "The target is 203.0.113.9." in advice(bare, "en", UTC).seen


def test_times_are_those_of_a_zone() -> None:
    assert moment(samples.NOON, VIET_NAM, "vi") == "12:00 22/11/2026 (UTC+07:00)"
    assert moment(samples.NOON, UTC, "en") == "05:00 2026-11-22 (UTC+00:00)"


@given(st.text(max_size=400))
def test_what_others_wrote_is_harmless(text: str) -> None:
    shown = harmless(text)
    assert shown.isprintable()
    assert len(shown) <= 10 * 200
    assert not re.search(r"https?:", shown, re.IGNORECASE)
    assert not re.search(r"[\w-]\.[^\W\d_]", shown)


def test_figures_in_reasons_stay_figures() -> None:
    given = Reason(code="flood-sampled", params={"low": "1234.5", "high": "2345.5"})
    assert advice(samples.notice(reasons=(given,)), "en", UTC).why[0]


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("code", [*(words.REASONS.keys() - words.SUPPRESSIONS.keys())])
def test_every_reason_can_be_told(code: str, language: str) -> None:
    known = {"list": "tranco10k", "vector": "syn", "kinds": "password, face"} | dict.fromkeys(
        ("rate", "line", "low", "high", "count", "times"), "12.5"
    )
    given = Reason(code=code, params={name: known.get(name, "http://evil.example/") for name in words.REASONS[code]})
    for said in sentences(advice(samples.notice(reasons=(given,)), language, UTC))[1:]:
        if "brand" not in given.params:
            assert "evil.example" not in said


@pytest.mark.parametrize("dot", ["\u3002", "\uff0e", "\uff61", "\u2024", "."])
def test_whatever_dot_parts_labels_makes_no_link(dot: str) -> None:
    assert harmless(f"\uff45vil{dot}example") == "evil[.]example"
