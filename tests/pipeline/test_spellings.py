"""However a link is spelled, what it opens is judged; and whose a host is says nothing of what others put there."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from khien import canon, words
from khien.app import machine, registers
from khien.listing import propose
from khien.messages import question
from khien.model import Register, Text
from khien.pipeline import asked, telling
from khien.pipeline.asked import Answer, Asked
from khien.pipeline.linked import Judges
from khien.stores.embedded.store import Embedded

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def judges() -> Judges:
    names = registers.lookalike()
    protected = {each.id: each for each in names.register.names}
    return Judges(names, registers.lure(Register(names=tuple(protected.values()))), protected)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with machine.store(tmp_path / "data") as made:
        yield made


def lists(store: Embedded, unit: Literal["url", "host"], value: str) -> None:
    made = propose(
        unit,
        value,
        at=AT - timedelta(days=1),
        site="registered-for-harm",
        harm="fraud",
        conduct=("form",),
        note=Text(vi="Đòi mật khẩu.", en="Asks for passwords."),
        evidence="ab" * 32,
        by=("lan", "mai"),
    )
    store.save(msgspec.structs.replace(made, state="listed"))


def ask(text: str, judges: Judges, store: Embedded | None = None) -> Answer:
    answer = asked.answer(Asked(text), judges, store, AT)
    told = telling.told(answer)
    assert all(told.said.values())
    assert len(told.reasons["vi"]) == len(told.reasons["en"]) == len(answer.reasons) >= 2
    return answer


SPELLINGS = (
    "http://1572395042/",
    "http://0x5db8d822/login",
    "http://0X5DB8D822./",
    "http://0135.0270.0330.042/",
    "http://0x5d.0xb8.0xd8.0x22/",
    "http://93.12113954/",
    "http://93.184.55330/",
    "http://１５７２３９５０４２/",
    "http://%31572395042/",
    "https://[::ffff:93.184.216.34]/",
    "https://[::FFFF:5db8:d822]:8443/x",
    "https://khach@1572395042/",
    "0135.0270.0330.042/x",
    "93.184.216.34",
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_address_is_listed_however_it_is_written(text: str, judges: Judges, store: Embedded) -> None:
    lists(store, "host", "93.184.216.34")
    assert question.about(text) == "link"
    answer = ask(text, judges, store)
    assert (answer.verdict, answer.subject) == ("harmful", "93.184.216.34")
    if "://" in text:
        assert ask(f"Xem ngay {text} nhé", judges, store).verdict == "harmful"


@pytest.mark.parametrize("text", ["1572395042", "22.11.2026", "5.000.000", "1.5", "0x5db8d822", "http://256.1.1.1/"])
def test_a_number_without_a_scheme_is_no_address(text: str) -> None:
    assert question.host(text) == ""
    assert question.about(text) != "link"


@pytest.mark.parametrize(
    "path",
    ["login", "/login", "login/", "login;a=1", "login;a=1/", "//login//?x=1", "x/..//login", "./login;x;y?z#w"],
)
def test_a_page_is_listed_however_its_path_is_written(path: str, judges: Judges, store: Embedded) -> None:
    lists(store, "url", "https://quiet.example/login")
    assert ask(f"https://quiet.example/{path}", judges, store).verdict == "harmful"
    assert ask("https://quiet.example/loginx", judges, store).verdict == "nothing"
    assert ask("https://quiet.example/", judges, store).verdict == "nothing"


@pytest.mark.parametrize("below", [1, 8, 9, 15, 40])
def test_a_folder_that_is_listed_covers_what_is_deep_in_it(below: int, judges: Judges, store: Embedded) -> None:
    lists(store, "url", "https://deep.example/x/")
    assert ask("https://deep.example/x/" + "y/" * below + "z", judges, store).verdict == "harmful"
    assert ask("https://deep.example/x;a=1/" + "y/" * below + "z", judges, store).verdict == "harmful"


@pytest.mark.parametrize(
    "text",
    [
        "https://vietcombank.com.vn:8080@evil.example/",
        "https://www.vietcombank.com.vn@evil.example/login",
        "hxxps://vietcombank[.]com[.]vn@evil[.]example",
        "http://vietcombank%2ecom.vn:x@203.0.113.7/",
    ],
)
def test_a_protected_name_before_the_at_is_a_trick(text: str, judges: Judges) -> None:
    answer = ask(text, judges)
    assert (answer.verdict, answer.reasons[0].code) == ("looks-harmful", "asked-before-at")
    assert "[.]" in telling.sentence(answer.reasons[0], "vi")


def test_another_name_before_the_at_is_said(judges: Judges) -> None:
    answer = ask("https://tiem-banh.example@other.example/", judges)
    assert (answer.verdict, answer.reasons[0].code) == ("nothing", "asked-before-at")
    assert canon.user("https://lan:secret@a.example/@b") == "lan"
    assert canon.user("lan@a.example/x") == canon.user("mailto:lan@a.example") == "lan"
    assert canon.user("a.example") == canon.user("https://a.example/@x") == ""


AT_OTHERS = (
    "bidv.com.vn@evil.example.com/login",
    "bidv.com.vn@evil.example.com?x=1",
    "bidv.com.vn:443@evil.example.com/login",
    "Mời vào bidv.com.vn@evil.example.com/login để xem",
)


@pytest.mark.parametrize("text", AT_OTHERS)
def test_an_official_name_before_the_at_is_held_against_a_link_without_a_scheme(text: str, judges: Judges) -> None:
    answer = ask(text, judges)
    assert (answer.verdict, answer.about) == ("looks-harmful", "message" if " " in text else "link")
    assert answer.links[0].reasons[0].code == "asked-before-at"
    assert answer.links[0].name == "evil.example.com"


def test_an_official_name_before_the_at_is_held_against_a_mail_address(judges: Judges) -> None:
    answer = ask("bidv.com.vn@evil.example.com", judges)
    assert (answer.verdict, answer.about) == ("looks-harmful", "number")
    assert answer.reasons[0].code == "asked-before-at-mail"
    message = asked.answer(Asked("Kính chào quý khách", "bidv.com.vn@evil.example.com"), judges, None, AT)
    assert message.verdict == "looks-harmful"
    assert ask("tran.an@evil.example.com", judges).verdict == "nothing"
    assert ask("vietcombank@gmail.com", judges).reasons[-1].code == "asked-sender-called"


SHORT = ("bit.ly/abc", "https://www.tinyurl.com/abc?x=1", "Xem ảnh ở bit.ly/abc nhé")


@pytest.mark.parametrize("text", SHORT)
def test_a_short_link_is_said_to_be_one_first(text: str, judges: Judges) -> None:
    answer = ask(text, judges)
    assert (answer.verdict, answer.reasons[0].code, answer.advice[0]) == ("nothing", "asked-shortened", "full-address")


@pytest.mark.parametrize("text", ["bit.ly", "https://x.bit.ly.example.com/abc"])
def test_only_what_leads_on_is_a_short_link(text: str, judges: Judges) -> None:
    assert not any(each.shortened for each in ask(text, judges).links)


CLAIMED = ("https://cskh.evnhcmc.vn/a", "https://evnhanoi.vn/a", "https://cskh.cpc.vn/a")


@pytest.mark.parametrize("link", CLAIMED)
def test_a_host_that_is_said_to_be_theirs_is_not_held_against_a_message(link: str, judges: Judges) -> None:
    """The finding stands: only the answer does not accuse."""
    for answer in (ask(link, judges), ask(f"EVNHCMC: xem hoá đơn tại {link}", judges)):
        assert (answer.verdict, answer.reasons[0].code) == ("nothing", "unverified-estate")
        assert not any(each.code in ("asked-names-other", "lure-mismatch") for each in answer.reasons)
        assert not any(each.suppressed for one in answer.links for each in one.findings)
    assert any(each.score >= words.LIKELY for each in ask(CLAIMED[0], judges).findings)


def test_a_host_that_is_said_to_be_another_s_is_a_stranger(judges: Judges) -> None:
    answer = ask("Vietcombank: xem hoá đơn tại https://cskh.cpc.vn/a", judges)
    assert any(each.code == "asked-names-other" for each in answer.reasons)


def test_nobody_is_told_to_call_an_emergency_number_back(judges: Judges) -> None:
    assert "call-back" not in ask("113", judges).advice
    assert "call-back" in ask("0912345678", judges).advice


def test_that_no_trick_was_met_is_said_only_where_none_was(judges: Judges) -> None:
    lure = registers.lure(Register(names=tuple(judges.protected.values())))
    told = Judges(judges.names, judges.messages, judges.protected, lure.used)
    weak = "Con gọi lại cho mẹ ngay nhé"
    none, few = (asked.answer(Asked(text), told, None, AT) for text in ("Trưa nay ăn phở nhé", weak))
    assert [each.code for each in none.reasons][-1] == "asked-no-tricks"
    assert few.findings == ()
    assert [each.code for each in few.reasons][-1] == "asked-few-tricks"


def test_masks_are_said_in_words(judges: Judges) -> None:
    told = telling.told(ask("BIDV: chuyển tiền gấp vào stk 123456789012 để nhận thưởng, gọi 0912345678", judges))
    assert any("[số tài khoản]" in each for each in told.reasons["vi"])
    assert any("[phone number]" in each for each in told.reasons["en"])
    assert not any("<account>" in each for language in told.reasons.values() for each in language)
    assert "<account>" in told.masked
    assert "asked-before-at" not in {each.code for each in ask("https://lan@other.example/", judges).reasons}


@pytest.mark.parametrize(
    "text",
    [
        "https://zalo.me/g/scamgroup",
        "zalo.me/0912345678",
        "https://shopee.vn/redirect?u=https://evil.example",
        "https://www.vietcombank.com.vn/out?to=https%3A%2F%2Fevil.example",
        "https://www.vietcombank.com.vn?to=//evil.example",
    ],
)
def test_what_anybody_may_put_on_a_host_does_not_belong_to_it(text: str, judges: Judges) -> None:
    answer = ask(text, judges)
    assert (answer.verdict, answer.sure) == ("nothing", "unsure")
    assert answer.reasons[0].code == "asked-anybody"


@pytest.mark.parametrize("text", ["zalo.me", "https://shopee.vn/", "https://www.vietcombank.com.vn/vi-VN/KHCN?a=1"])
def test_a_host_itself_still_belongs(text: str, judges: Judges) -> None:
    assert ask(text, judges).verdict == "belongs"
