"""What somebody may send to make the program slow, or to make it fall over: bounded by steps, not by a clock."""

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from khien.messages import links, question, tricks
from khien.messages.mask import masked
from khien.messages.tricks import MOST_OF_ALL, MOST_STEPS, Tricks

DOCUMENT = (files("khien") / "data/tricks.toml").read_bytes()
TRICKS = Tricks(DOCUMENT)
PIECES = (
    *("a ", "no ", "a(.)b[.]", "no a(.)b[.] em oi dung ", "a_", "a.b ", "gửi mã otp cho em ", "stk ", "hxxp[:]//a "),
    *("http:", "[ . ] ", "a@", "(", "mot ", "ông Nguyễn Văn ", "không gửi ", "xn--a.", "1 ", "a\u0301", "<code> "),
)


def small() -> Iterator[str]:
    """Every filler, denial and word that speaks of a condition."""
    document = tomllib.loads(DOCUMENT.decode())
    for language in ("vi", "en"):
        for key in ("fillers", "denials", "weak", "conditions", "consequences"):
            yield from document[language][key].split()


def long(piece: str, before: str = "") -> str:
    """As long a message as anybody may send."""
    return (before + piece * question.LONGEST)[: question.LONGEST]


class Counted(list[Any]):
    """A list that counts how often one of it is looked at."""

    looked = 0

    def __getitem__(self, at: Any) -> Any:
        Counted.looked += 1
        return super().__getitem__(at)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts how often the ways on from a word are looked at."""
    walk = vars(tricks)["_walk"]
    denied = vars(tricks)["_denied"]
    monkeypatch.setattr(tricks, "_walk", lambda root, words, ways, *more: walk(root, words, Counted(ways), *more))
    monkeypatch.setattr(
        tricks,
        "_denied",
        lambda words, ways, first, behind, known: denied(words, Counted(ways), first, behind, known),
    )


@pytest.mark.usefixtures("steps")
def test_no_message_takes_more_than_its_steps() -> None:
    words = list(dict.fromkeys(small()))
    mixed = [f"{one} {other} " for one, other in pairwise(words)]
    for n, piece in enumerate((*PIECES, *(f"{each} " for each in words), *mixed[::9])):
        Counted.looked = 0
        met = list(TRICKS.find(TRICKS.plain(long(piece, ("x y ", "", "anh chi em oi ")[n % 3]))))
        back = 2 + tricks.BEFORE + tricks.FILLED
        assert Counted.looked <= 2 * (MOST_OF_ALL + MOST_STEPS) + back * len(met), piece
        assert len(met) <= MOST_OF_ALL, piece


def test_a_long_beginning_does_not_use_up_the_steps_of_the_end() -> None:
    scam = "đọc mã OTP cho em"
    text = ("no em oi " * 300)[: 3_900 - len(scam)] + ". " + scam
    assert any(each.sign.id == "wants-code" for each in TRICKS.find(TRICKS.plain(text)))


@pytest.mark.parametrize("piece", [*PIECES, "a[.]", "hxxp[.", "(.)", "[dot]a", "x [.] "])
def test_whatever_is_repeated_is_masked_and_its_links_found(piece: str) -> None:
    for before in ("", "x y "):
        text = masked(long(piece, before))
        assert masked(text) == text
        assert len(links.links(text)) <= links.MOST


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("482913 is your code", "<code> is your code"),
        ("482913 là mã xác thực của bạn", "<code> là mã xác thực của bạn"),
        ("G-482913 is for Google", "G-<code> is for Google"),
        ("Mã xác thực dùng cho lần đăng nhập này: 482913", "Mã xác thực dùng cho lần đăng nhập này: <code>"),
        ("mat khau: hunter2!", "mat khau: <code>"),
        ("Mật khẩu: đừng đưa ai", "Mật khẩu: đừng đưa ai"),
        ("STK: 19.035.678.901", "STK: <account>"),
        ("chuyển 19.035.678.901 đồng", "chuyển 19.035.678.901 đồng"),
        ("mã giảm giá cho đơn hàng lần sau của bạn 500000 đ", "mã giảm giá cho đơn hàng lần sau của bạn 500000 đ"),
        ("sdt:0912345678a", "sdt:<phone>a"),
        ("van.an [at] gmail [dot] com nhé", "<address> nhé"),
        ("van.an(at)gmail.com nhé", "<address> nhé"),
        ("https://lan:hunter2@a.example/x", "https://a.example/x"),
        ("https://lan.an:hunter2@a.example/x", "https://a.example/x"),
        ("https://bank.com.vn:hunter2@a.example/x", "https://bank.com.vn@a.example/x"),
    ],
)
def test_what_is_personal_is_masked_in_other_spellings_too(text: str, told: str) -> None:
    assert masked(text) == told
    assert masked(told) == told
