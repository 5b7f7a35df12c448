"""What may be listed: conduct that evidence shows, of the narrowest unit; and nothing that somebody says."""

import csv
from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import canon, words
from khien.app import registers
from khien.detectors.lookalike import Lookalike
from khien.engines.embedded import Embedded
from khien.errors import ListingError, ObservableError
from khien.listing import LONGEST, RULES, Known, judge, key, listing_id, narrowest, refusal, within
from khien.model import Conduct, Harm, Listing, Reason, Text, Unit
from khien.names.owners import registrable
from tests.listing import AT, EVIDENCE, proposal

RIGHTS = Path(__file__).parent / "data" / "rights.tsv"
NOBODY = Known(lambda _: "", lambda _: "")
KNOWN = Known(
    lambda name: {"news.example": "tranco10k", "bank.example": "bank-website"}.get(name, ""),
    lambda name: "Big Bank" if ("." + name).endswith(".bank.example") else "",
)


def rule(listing: Listing, known: Known = NOBODY, by: Sequence[str] = ("lan",)) -> str:
    """By which rule a listing is refused; its state where none does."""
    try:
        return judge(msgspec.structs.replace(listing, by=tuple(by)), known, AT).state
    except ListingError as error:
        return error.rule


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_each_rule_says_what_it_is(language: str) -> None:
    for each in RULES:
        assert words.phrase(f"rule-{each}", language).endswith(".")
    told = refusal(proposal("domain", "otp.example"), "no-person")
    assert str(told).startswith("otp[.]example is not listed, by the rule no-person: ")


@pytest.mark.parametrize(
    ("wrong", "by"),
    [
        ({"harm": "disinformation"}, "opinion"),
        ({"harm": "xuyên tạc"}, "opinion"),
        ({"harm": "competition"}, "not-harm"),
        ({"conduct": ()}, "no-conduct"),
        ({"conduct": ("name",)}, "no-conduct"),
        ({"evidence": ""}, "no-evidence"),
        ({"evidence": "seen it"}, "no-evidence"),
        ({"evidence": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}, "no-evidence"),
        ({"note": Text.of("")}, "name-alone"),
        ({"note": Text(vi="Hỏi mã OTP", en=" ")}, "name-alone"),
        ({"note": Text.of(""), "finding": "f", "reasons": (Reason(code="combosquat"),)}, "name-alone"),
        (
            {"note": Text.of(""), "finding": "f", "reasons": (Reason(code="evidence-listed"),)},
            "name-alone",
        ),  # a feed's word
        ({"note": Text.of("x" * 2001)}, "name-alone"),
        ({"until": AT}, "no-expiry"),
        ({"until": AT + LONGEST + timedelta(seconds=1)}, "no-expiry"),
        ({"site": "unclear"}, "wider-than-needed"),
        ({"site": "hacked"}, "hacked-or-shared"),
        ({"value": "com.vn"}, "wider-than-needed"),
        ({"value": "login.otp.example"}, "wider-than-needed"),
        ({"value": "evil.weebly.com"}, "hacked-or-shared"),
        ({"unit": "host", "value": "docs.google.com"}, "hacked-or-shared"),
        ({"unit": "host", "value": "hacked.example", "site": "hacked"}, "hacked-or-shared"),
        ({"unit": "host", "value": "gov.vn"}, "wider-than-needed"),
    ],
)
def test_what_is_refused_and_by_which_rule(wrong: dict[str, Any], by: str) -> None:
    listing = msgspec.structs.replace(proposal("domain", "otp.example"), **wrong)
    assert rule(listing) == by


def test_somebody_answers_for_it() -> None:
    assert rule(proposal("domain", "otp.example"), by=()) == "no-person"


def test_a_finding_that_saw_more_than_a_name_needs_no_note() -> None:
    seen = (Reason(code="combosquat"), Reason(code="evidence-titled"))
    assert rule(proposal("domain", "otp.example", note=Text.of(""), finding="f", reasons=seen)) == "listed"


def test_what_is_popular_takes_two_and_what_is_official_is_listed_only_as_hacked() -> None:
    page = proposal("url", "https://www.news.example/fake", site="hacked")
    assert [rule(page, KNOWN, by) for by in (("lan",), ("lan", "lan"), ("lan", "mai"))] == ["proposed"] * 2 + ["listed"]
    assert rule(proposal("domain", "news.example"), KNOWN, ("lan", "mai")) == "popular"
    assert rule(proposal("url", "https://news.example/"), KNOWN, ("lan", "mai")) == "popular"
    assert rule(proposal("url", "https://news.example/", site="hacked"), KNOWN, ("lan", "mai")) == "listed"
    assert rule(proposal("domain", "bank.example"), KNOWN, ("lan", "mai")) == "official"
    assert rule(proposal("host", "login.bank.example"), KNOWN, ("lan", "mai")) == "official"
    assert rule(proposal("host", "bank.example", site="shared-hosting"), KNOWN, ("lan", "mai")) == "official"
    assert rule(proposal("url", "https://bank.example/x", site="hacked"), KNOWN) == "proposed"
    assert rule(proposal("url", "https://bank.example/x", site="hacked"), KNOWN, ("lan", "mai")) == "listed"
    assert rule(proposal("host", "bank.example.top"), KNOWN) == "listed"


@pytest.mark.parametrize(
    ("unit", "value", "site", "blocks"),
    [
        ("domain", "otp.example", "registered-for-harm", True),
        ("host", "login.otp.example", "unclear", True),
        ("host", "8.8.8.8", "unclear", True),
        ("host", "2001:4860:4860::8888", "unclear", True),
        ("host", "evil.weebly.com", "registered-for-harm", False),  # shared, whatever somebody says
        ("host", "evil.blogspot.com", "unclear", False),
        ("url", "https://docs.google.com/forms/x", "shared-hosting", False),
        ("url", "https://school.example/wp/login", "hacked", False),
    ],
)
def test_what_is_hacked_or_shared_is_listed_and_never_blocked(unit: Any, value: str, site: Any, blocks: bool) -> None:
    listing = proposal(unit, value, site=site, by=("lan", "mai"))
    judged = judge(listing, NOBODY, AT)
    assert (judged.state, judged.blocks) == ("listed", blocks)
    assert judged.id == listing_id(unit, key(unit, value)) == listing.id
    assert judged.host == (canon.host_of(judged.value) if unit == "url" else judged.value)


@pytest.mark.parametrize(
    "host",
    ["bit.ly", "t.me", "tinyurl.com", "linktr.ee", "github.com", "www.facebook.com", "m.facebook.com", "zalo.me"],
)
def test_of_a_platform_only_a_page_is_listed_and_by_two(host: str) -> None:
    """Also where no list of popular names has it."""
    assert rule(proposal("host", host, site="unclear"), by=("lan", "mai")) == "popular"
    assert rule(proposal("domain", registrable(host)), by=("lan", "mai")) == "popular"
    assert rule(proposal("url", f"https://{host}/", site="unclear"), by=("lan", "mai")) == "popular"
    page = proposal("url", f"https://{host}/otp", site="unclear")
    assert [rule(page, by=by) for by in (("lan",), ("lan", "mai"))] == ["proposed", "listed"]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "192.0.2.7", "224.0.0.1", "::1", "fe80::1", "2001:db8::9"]
)
def test_an_address_inside_is_never_listed(address: str) -> None:
    page = f"http://[{address}]/x" if ":" in address else f"http://{address}/x"
    both: tuple[tuple[Unit, str], ...] = (("host", address), ("url", page))
    for unit, value in both:
        assert rule(proposal(unit, value, site="unclear"), by=("lan", "mai")) == "not-public"


def test_an_address_takes_two() -> None:
    many: tuple[tuple[Unit, str], ...] = (
        ("host", "8.8.8.8"), ("host", "2001:4860:4860::8888"), ("url", "https://8.8.8.8/otp"),
    )  # fmt: skip
    for unit, value in many:
        one = proposal(unit, value, site="unclear")
        assert [rule(one, by=by) for by in (("lan",), ("lan", "mai"))] == ["proposed", "listed"]


@pytest.mark.parametrize(
    "note",
    [
        "Nói xấu Vietcombank", "Trang này nói xấu lãnh đạo", "Trang nay NOI XAU lanh dao", "Bôi nhọ ngân hàng",
        "Xuyên tạc đường lối", "Thông tin phản động", "Chống phá nhà nước", "Vu khống giám đốc", "Đăng tin giả",
        "dang tin gia", "Chỉ trích ngân hàng", "phe binh lanh dao", "Defames a bank", "It insults the minister",
        "Slander of our bank", "propaganda", "The page is by a critic", "Criticises the bank", "Spreads fake news",
        "Nói xấu ngân hàng",
    ],
)  # fmt: skip
def test_a_statement_about_speech_is_refused_whatever_is_claimed_beside_it(note: str) -> None:
    for vi, en in ((note, "Asks for codes."), ("Hỏi mã OTP.", note)):
        for conduct in get_args(Conduct):
            said = proposal("host", "critic.example", site="unclear", conduct=(conduct,), note=Text(vi=vi, en=en))
            assert rule(said, by=("lan", "mai")) == "opinion"


@pytest.mark.parametrize(
    "note",
    [
        "Nhắn tin giả mạo ngân hàng để hỏi mã OTP", "Giả làm dịch vụ không có thật", "Trang điền sẵn thông tin giả",
        "Gửi tin giả danh công an, đòi chuyển tiền", "Steals critical passwords", "Trang nói là của VNeID, hỏi mã",
        "Trang chống trộm giả, phát tán mã độc", "Đòi phí theo phản ánh của khách",
    ],
)  # fmt: skip
def test_a_statement_about_what_a_site_does_stands(note: str) -> None:
    assert rule(proposal("host", "otp.example", site="unclear", note=Text.of(note))) == "listed"


def test_who_says_that_a_site_imitates_shows_it_or_is_not_alone() -> None:
    said = proposal("host", "otp.example", site="unclear", conduct=("imitation",))
    assert [rule(said, by=by) for by in (("lan",), ("lan", "mai"))] == ["proposed", "listed"]
    by_name = msgspec.structs.replace(said, finding="f", reasons=(Reason(code="combosquat"),))
    assert rule(by_name) == "proposed"
    assert rule(msgspec.structs.replace(by_name, reasons=(Reason(code="evidence-titled"),))) == "listed"


def test_a_place_has_one_listing_however_it_is_pasted() -> None:
    pasted = ("hxxps://User@OTP[.]example:443/a/../b?id=1#x", "http://otp.example/b", "https:\\\\otp.example\\b")
    assert len({proposal("url", each).id for each in pasted}) == 1
    assert narrowest("otp.example") == narrowest("https://otp.example/") == "host"
    assert narrowest("https://otp.example/x") == "url"
    with pytest.raises(ObservableError):
        proposal("domain", "not a name")


def test_units_that_cover_a_page_the_narrowest_first() -> None:
    assert list(within("http://www.a.otp.example:8080/x/y/z?q")) == [
        ("url", "http://www.a.otp.example:8080/x/y/z"),
        ("url", "http://www.a.otp.example:8080/x/y/"),
        ("url", "http://www.a.otp.example:8080/x/"),
        ("host", "www.a.otp.example"),
        ("host", "a.otp.example"),
        ("domain", "otp.example"),
    ]
    assert list(within("203.0.113.9")) == [("url", "https://203.0.113.9/"), ("host", "203.0.113.9")]
    assert len(list(within("https://otp.example/" + "a;b/" * 400))) <= 39


@given(st.text(max_size=80))
def test_units_are_spelled_as_they_are_listed(text: str) -> None:
    try:
        units = list(within(text))
    except ObservableError:
        return
    for unit, value in units:
        assert key(unit, value) == value


@pytest.fixture(scope="module")
def rights() -> list[dict[str, str]]:
    """Names of lawful speech with protected names in them."""
    with RIGHTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_nothing_lists_lawful_speech(rights: list[dict[str, str]]) -> None:
    """Not a partner's word, nor what detectors say of the name, whatever harm and conduct somebody claims beside it."""
    assert len(rights) >= 200
    detector = registers.lookalike()
    known, found = registers.known(detector.register), reasons_of(detector, [each["domain"] for each in rights])
    harms = ("disinformation", "defamation", *get_args(Harm))
    conducts = ((), *((one,) for one in get_args(Conduct)))
    listed = list[str]()
    for each in rights:
        for harm, conduct, evidence in product(harms, conducts, ("", EVIDENCE)):
            said = proposal(
                "host", each["domain"], site="unclear", harm=harm, conduct=conduct, evidence=evidence, finding="f",
                reasons=found.get(canon.domain(each["domain"]), ()), note=Text.of(""),
            )  # fmt: skip
            if rule(said, known) in ("listed", "proposed"):
                listed.append(each["domain"])
    assert listed == []


def reasons_of(detector: Lookalike, names: Sequence[str]) -> dict[str, tuple[Reason, ...]]:
    """Why the detector finds names, by canonical name."""
    import pyarrow as pa

    from khien import schema

    rows = pa.record_batch({"name": list(names), "seen_at": [AT] * len(names)}, schema=schema.NAMES)
    reader = pa.RecordBatchReader.from_batches(schema.NAMES, [rows])
    return {
        each["subject"]: tuple(Reason(code=why["code"], params=dict(why["params"])) for why in each["reasons"])
        for batch in Embedded().run(detector, reader)
        for each in batch.to_pylist()
    }
