"""However a link is spelled, what it opens is judged; and whose a host is says nothing of what others put there."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from khien import canon
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
    assert canon.user("lan@a.example") == canon.user("https://a.example/@x") == ""
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
