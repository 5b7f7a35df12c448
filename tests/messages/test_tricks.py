"""Phrases are found however they are spelled, and not where a message says not to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.errors import ConfigError
from khien.messages.tricks import Tricks

LANGUAGE = """fillers = "{0}"
denials = "{1}"
compounds = ["tin dung"]
weak = "{2}"
conditions = "{3}"
consequences = "{4}"
"""
DOCUMENT = (
    "[vi]\n"
    + LANGUAGE.format("em anh cho", "đừng", "không", "neu co", "thi se")
    + '[vi.short]\nck = "chuyen khoan"\nk = "khong"\n[vi.sets]\ncode = ["mã otp", "sáu số"]\n'
    + "[en]\n"
    + LANGUAGE.format("the a me", "never", "not", "if", "will")
    + '[en.short]\nu = "you"\n[en.sets]\n'
    + """
[[signs]]
id = "asks"
trick = "wants-secret"
denied = true
vi = ["đọc|gửi $code", "chuyen khoan * <money>", "gấp ngay?"]
en = ["send * code"]
"""
)
TRICKS = Tricks(DOCUMENT.encode())


def met(text: str) -> list[tuple[str, bool]]:
    return [(text[each.first : each.behind], each.denied) for each in TRICKS.find(TRICKS.plain(text))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Đọc em mã OTP nhé", "Đọc em mã OTP"),
        ("doc ma otp", "doc ma otp"),
        ("ĐỌC MÃ O.T.P", "ĐỌC MÃ O.T.P"),
        ("đ\u200bọc mã 0TP", "đ\u200bọc mã 0TP"),
        ("dọc... gửi sáu số", "gửi sáu số"),
        ("ck cho em 5 trieu nha", "ck cho em 5 trieu"),
        ("please send me your new code to the", "send me your new code"),
        ("tôi gấp lắm của bạn", "gấp"),
        ("gap ngay", "gap"),
    ],
)
def test_a_phrase_is_found(text: str, said: str) -> None:
    assert said in [text[each.first : each.behind] for each in TRICKS.find(TRICKS.plain(text))]


@pytest.mark.parametrize("text", ["tôi gặp bạn ở chợ", "đọc. Mã OTP của bạn", "dọc mã của bạn", "sáu số"])
def test_another_is_not(text: str) -> None:
    assert met(text) == []


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("đừng đọc mã otp", True),
        ("dung doc ma otp", True),
        ("the tin dung doc ma otp", False),
        ("đúng, đọc mã otp", False),
        ("không đọc mã otp", True),
        ("không đọc mã otp thì khoá", False),
        ("nếu không gửi mã otp", False),
        ("ở đây không. Gửi mã otp", False),
        ("you must never send the code to us", True),
    ],
)
def test_what_is_forbidden_is_not_asked_for(text: str, denied: bool) -> None:
    assert {each for _, each in met(text)} == {denied}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[vi]", "[vi"),
        ('id = "asks"', 'name = "asks"'),
        ("$code", "$codes"),
        ('"gấp ngay?"', '"* gap"'),
        ('"gấp ngay?"', f'"{"a|b " * 10}"'),
        ('"gấp ngay?"', '""'),
    ],
)
def test_a_file_that_keeps_no_format_is_refused(old: str, new: str) -> None:
    with pytest.raises(ConfigError, match=r"tricks\.toml"):
        Tricks(DOCUMENT.replace(old, new).encode())


@given(st.text(max_size=400))
def test_whatever_is_written_is_read(text: str) -> None:
    words = TRICKS.plain(text)
    assert len(words.words) == len(words.places) == len(words.written)
    assert all(0 <= first < behind <= len(text) for first, behind in words.places)
    assert all(0 <= each.first < each.behind <= len(text) for each in TRICKS.find(words))
