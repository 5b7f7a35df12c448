"""What people are told when it already happened: every harm, both languages, short sentences; and files held to it."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from khien import ledger
from khien.app import guides
from khien.errors import CustodyError, FormatError
from khien.formats.guide import reading, signing
from khien.formats.guide.records import HARMS, PARTS, YOUNG, Contacts, Plan, Plans, Said, Step
from khien.model import Language
from khien.words import LANGUAGES

CONTACTS, PLANS = guides.CONTACTS.read_text(encoding="utf-8"), guides.PLANS.read_text(encoding="utf-8")
SHIPPED = guides.shipped()
TODAY = date(2026, 11, 22)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = ledger.Signer("csirt", KEY)
VERIFIER = SIGNER.verifier


def contacts(text: str = CONTACTS) -> Contacts:
    return reading.parse_contacts(text.encode(), "contacts.toml")


def plans(text: str = PLANS) -> Plans:
    return reading.parse_plans(text.encode(), "help.toml", SHIPPED.contacts)


def paths() -> list[tuple[Plan, bool]]:
    return [(plan, close) for plan in SHIPPED.plans.plan for close in (False, True)]


def told(plan: Plan, close: bool) -> list[Step]:
    """All the steps of a page, from the first to the last."""
    own = (step for when in ("now", "days") for step in SHIPPED.plans.steps(plan, when, close))
    return [*SHIPPED.plans.first(plan.young, close), *own]


def named(case: object) -> str:
    return f"{case.harm}{'-young' * case.young}" if isinstance(case, Plan) else "close" if case else "other"


def test_every_harm_has_a_plan_and_a_question_that_leads_to_it() -> None:
    assert {each.harm for each in SHIPPED.plans.plan if not each.young} == set(HARMS)
    assert {each.harm for each in SHIPPED.plans.plan if each.young} == set(YOUNG)
    assert {each.harm for each in SHIPPED.plans.question} == set(HARMS)
    assert len({each.id for each in SHIPPED.plans.plan}) == len(SHIPPED.plans.plan)


@pytest.mark.parametrize(("plan", "close"), paths(), ids=named)
def test_a_plan_goes_from_life_to_afterwards_and_never_ends_without_somebody(plan: Plan, close: bool) -> None:
    for when in ("now", "days"):
        steps = SHIPPED.plans.steps(plan, when, close)
        order = [PARTS.index(each.part) for each in steps]
        assert order == sorted(order)
        assert steps
    assert told(plan, close)[0].part == "life"
    assert told(plan, close)[-1].who  # the last thing said names somebody to talk to
    assert {"evidence", "report"} <= {each.part for each in told(plan, close)}


@pytest.mark.parametrize("plan", SHIPPED.plans.plan, ids=named)
def test_where_the_person_is_close_the_advice_is_another(plan: Plan) -> None:
    spoken = {close: [each.told("vi", close) for each in told(plan, close)] for close in (False, True)}
    assert spoken[True] != spoken[False]
    everything = " ".join(spoken[True])
    for sudden in ("đăng xuất mọi thiết bị", "chặn họ", "Tắt chia sẻ vị trí"):  # what a person who is close notices
        assert sudden not in everything


@pytest.mark.parametrize("plan", [each for each in SHIPPED.plans.plan if each.young], ids=named)
def test_who_is_under_18_hears_of_the_helpline_first_and_last(plan: Plan) -> None:
    steps = told(plan, close=False)
    assert "child-helpline" in steps[0].who
    assert "child-helpline" in steps[-1].who
    assert "không phải lỗi của bạn" in steps[1].vi
    assert "not your fault" in steps[1].en


def texts(of: object) -> list[Said]:
    """Every text in both languages within something."""
    if isinstance(of, tuple):
        return [text for each in of for text in texts(each)]
    if not hasattr(of, "__struct_fields__"):
        return []
    own = [of] if isinstance(of, Said) else []
    return own + [text for name in of.__struct_fields__ for text in texts(getattr(of, name))]


def test_every_text_is_there_in_both_languages_and_its_sentences_are_short() -> None:
    letters = {id(each.text) for each in SHIPPED.plans.letter}  # letters are not read in fear
    found = texts(SHIPPED.plans) + texts(SHIPPED.contacts)
    assert len(found) > 250
    for each in found:
        assert each.vi.strip() != each.en.strip()
        for language in LANGUAGES:
            if id(each) not in letters:
                assert max(map(len, map(str.split, re.split(r"(?<=[.!?])\s", each.said(language))))) <= 20, each


@pytest.mark.parametrize("harm", ["money", "card", "code", "sim"])
def test_where_minutes_decide_the_bank_comes_first(harm: str) -> None:
    """The reviewers' man who sent 40 million saw police, ambulance, shelter and helpline first."""
    plan = SHIPPED.plans.of(harm)
    assert plan.lead.vi.startswith("Gọi ngân hàng ngay, bằng số in trên thẻ.")
    brief = SHIPPED.plans.brief(plan)
    assert brief is not None
    assert brief.who == ("police", "ambulance")
    for close in (False, True):
        assert "bank" in SHIPPED.plans.steps(plan, "now", close)[0].who
    assert SHIPPED.plans.brief(SHIPPED.plans.of("stalked")) is None
    assert SHIPPED.plans.brief(SHIPPED.plans.of("money", young=True)) is None


@pytest.mark.parametrize("plan", [each for each in SHIPPED.plans.plan if each.young], ids=named)
def test_nobody_is_told_to_keep_pictures_of_who_is_under_18(plan: Plan) -> None:
    for step in told(plan, close=False):
        if step.part == "evidence" and plan.harm == "spread":
            assert "Đừng chụp hay lưu ảnh" in step.vi
            assert "screenshot" not in step.en


@pytest.mark.parametrize(
    ("young", "whom"), [(True, {"child-helpline", "ambulance"}), (False, {"ambulance", "police", "trusted"})]
)
@pytest.mark.parametrize("harm", ["threatened", "spread"])
def test_who_wants_to_die_is_told_whom_to_call(harm: str, young: bool, whom: set[str]) -> None:
    first = SHIPPED.plans.steps(SHIPPED.plans.of(harm, young), "now", close=False)[0]
    assert "muốn chết" in first.vi
    assert "want to die" in first.en
    assert set(first.who) == whom


def test_the_bank_is_not_asked_to_lock_out_who_gave_nothing_away() -> None:
    text = SHIPPED.plans.letters["bank"].text
    assert "3. Nếu tôi đã lộ mã OTP hay mật khẩu: khóa" in text.vi
    assert "3. if I gave away a code or a password: to lock" in text.en


def test_only_a_primary_source_counts_as_checked() -> None:
    """The institution's own page, or law; the others are shown as not confirmed."""
    by = {each.id: each for each in SHIPPED.contacts.contact}
    assert {each.id for each in by.values() if each.checked} == {"police", "ambulance", "child-helpline", "stopncii"}
    assert by["stopncii"].source.startswith(by["stopncii"].url)
    assert SHIPPED.contacts.standing(by["take-it-down"], TODAY) == "unconfirmed"


def test_nobody_makes_sure_of_anything_tomorrow() -> None:
    early = date(2026, 11, 21)
    with pytest.raises(FormatError, match=r"contact\[0\]\.checked: is after today, 2026-11-21: write the day"):
        reading.parse_contacts(CONTACTS.encode(), "contacts.toml", early)
    assert reading.parse_contacts(CONTACTS.encode(), "contacts.toml", TODAY) == SHIPPED.contacts


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_is_blamed_and_nothing_called_safe(language: str) -> None:
    english = r"\byou should have\b|\byour own fault\b|\bstupid\b|\bcareless\b"
    blame = rf"{english}|lẽ ra bạn|tại bạn|bất cẩn|dại dột|nhẹ dạ|cả tin"
    for each in texts(SHIPPED.plans):
        assert not re.search(blame, each.said(language), re.IGNORECASE), each


def test_numbers_that_save_lives_are_checked_and_each_source_is_told() -> None:
    by = {each.id: each for each in SHIPPED.contacts.contact}
    numbers = [by[each].phone for each in ("police", "ambulance", "child-helpline", "peace-house")]
    assert numbers == ["113", "115", "111", "1900 969680"]
    for each in by.values():
        assert each.checked is None or (each.source and each.checked <= TODAY)
    assert set(by) == {who for each in texts(SHIPPED.plans) if isinstance(each, Step) for who in each.who}


def test_what_was_checked_grows_stale() -> None:
    police = SHIPPED.contacts.contact[0]
    assert police.checked is not None
    for days, standing in ((0, "checked"), (180, "checked"), (181, "stale")):
        assert SHIPPED.contacts.standing(police, police.checked + timedelta(days=days)) == standing
    by = {each.id: each for each in SHIPPED.contacts.contact}
    assert SHIPPED.contacts.standing(by["spam-line"], TODAY) == "unconfirmed"
    assert SHIPPED.contacts.standing(by["bank"], TODAY) == "known"


@pytest.mark.parametrize(
    ("parse", "text", "old", "new", "said"),
    [
        (contacts, CONTACTS, 'phone = "113"', 'phone = "l13"', "contacts.toml:11: contact[0].phone: has more than"),
        (contacts, CONTACTS, 'en = "Police"', 'en = " "', "contacts.toml:10: contact[0].label.en: is empty"),
        (contacts, CONTACTS, 'id = "bank"', 'id = "police"', "contact[4].id: is given to two"),
        (contacts, CONTACTS, 'id = "bank"', 'id = "Bank 1"', "contact[4].id: is no id"),
        (contacts, CONTACTS, "https://stopncii.org/", "javascript:alert(1)", ".url: write an address that begins with https://"),
        (contacts, CONTACTS, "stale_after = 180", "stale_after = 0", "stale_after: is no number of days"),
        (contacts, CONTACTS, "stale_after", "old_after", "old_after: there is no such field"),
        (contacts, CONTACTS, "checked = 2026-11-22", 'checked = "soon"', "contact[0].checked"),
        (contacts, CONTACTS, 'source = "https://dan', '#source = "https://dan', "contact[0].checked: says when, but"),
        (contacts, "stale_after = 9", "", "", "contact: nobody to turn to"),
        (contacts, "contact = 1", "", "", "contact: Expected `array`"),
        (contacts, "[[contact]", "", "", "no valid TOML"),
        (plans, PLANS, 'who = ["bank"]', 'who = ["bonk"]', ".who[0]: 'bonk' is none of the contacts"),
        (plans, PLANS, 'letter = "bank"', 'letter = "bonk"', ".letter: there is no such letter: adult,"),
        (plans, PLANS, 'who = ["police", "ambulance"]', "", "around.brief: names nobody to turn to"),
        (plans, PLANS, 'who = ["police", "ambulance"]', 'who = ["bonk"]', "around.brief.who[0]: 'bonk' is none of"),
        (plans, PLANS, 'who = ["trusted"]', "", "around.end: no step names anybody to turn to"),
        (plans, PLANS, 'harm = "card"', 'harm = "money"', "plan[1].harm: has two plans"),
        (plans, PLANS, 'harm = "card"', 'harm = "war"', "plan[1].harm: there is no such harm: money,"),
        (plans, PLANS, 'harm = "card"', 'harm = "war"', "plan: none for 'card': write one"),
        (plans, PLANS, 'part = "money"', 'part = "after"', "plan[0].step: those of 'now' do not go in the order life,"),
        (plans, PLANS, 'part = "money"', 'part = "gold"', "plan[0].step[0].part: Invalid enum value"),
        (plans, PLANS, "Lock the card in", "Lock the " + "very " * 20 + "card in", "sentence of 27 words: at most 20"),
        (plans, PLANS, 'name = "amount"', 'name = "sum"', "'amount' is used and no blank"),
        (plans, PLANS, 'name = "amount"', 'name = "sum"', "'sum' is a blank and not used"),
        (plans, PLANS, 'name = "amount"', 'name = "<b>"', "is no name of its own in a-z"),
        (plans, PLANS, 'en = "Money has left my account."', "", ": en is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_line_and_field(
    parse: Callable[[str], object], text: str, old: str, new: str, said: str
) -> None:
    with pytest.raises(FormatError) as refused:
        parse(text.replace(old, new, 1) if old else text)
    assert said in str(refused.value)
    assert re.match(r"(contacts|help)\.toml:\d+: ", str(refused.value))


def test_of_many_faults_the_first_are_told_and_the_others_counted() -> None:
    with pytest.raises(FormatError, match=r"and [0-9]+ more") as refused:
        plans(PLANS.replace('who = ["', 'who = ["x'))
    assert len(str(refused.value).splitlines()) == 21


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_refused_and_nothing_else_happens(document: bytes) -> None:
    for parse in (reading.parse_contacts, lambda given, file: reading.parse_plans(given, file, SHIPPED.contacts)):
        with pytest.raises(FormatError):
            parse(document, "garbage.toml")


def test_a_file_larger_than_any_is_refused() -> None:
    with pytest.raises(FormatError, match="larger than"):
        reading.parse_contacts(b"#" * (reading.LARGEST + 1), "large.toml")


def test_a_signed_file_is_held_to_its_note() -> None:
    document = CONTACTS.encode()
    note = signing.sign(document, SIGNER)
    signing.verify(document, note, VERIFIER)
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    with pytest.raises(CustodyError, match="not the file that was signed"):
        signing.verify(document.replace(b"113", b"116"), note, VERIFIER)
    with pytest.raises(CustodyError, match="not signed by csirt"):
        signing.verify(document, note, ledger.verifier("csirt", other))
    with pytest.raises(FormatError):
        signing.verify(document, b"", VERIFIER)
    with pytest.raises(FormatError):
        signing.verify(document, note, "")


def test_a_letter_is_its_text_with_blanks_in_order() -> None:
    for letter in SHIPPED.plans.letter:
        for language in get_args(Language):
            pieces = list(letter.parts(language))
            assert "".join(f"[[{piece}]]" if blank else piece for piece, blank in pieces) == letter.text.said(language)
            assert {blank.name for _, blank in pieces if blank} == {each.name for each in letter.blank}
