"""What is personal is gone, what is not stays, and masking twice is masking once."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from khien.messages.links import links
from khien.messages.mask import SHAPES, masked

PIECES = st.sampled_from(
    (
        "0900 000 318|+84 900 000 771|001203001234|4111 1111 1111 1111|STK 0000 6120 334|mã OTP |123 456|a@b.vn|CCCD "
        "|số thẻ |4.990.000đ|24/12/2025|https://a.test/p?e=a@b.vn|vcb-xac.example/x|<phone>|<code>| |.|-|(|)"
        "|anh Lê Văn Hùng|chị |7|00"
    ).split("|")
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gọi 0900 000 318 nhé", "gọi <phone> nhé"),
        ("gọi +84 900.000.771, hoặc 0900000318", "gọi <phone>, hoặc <phone>"),
        ("STK 0000 6120 334 tên LE VAN TAM", "STK <account> tên <name>"),
        ("số tài khoản: 0912345678", "số tài khoản: <account>"),
        ("CCCD 001203001234", "CCCD <id>"),
        ("001203001234", "<id>"),
        ("cmnd: 123456789", "cmnd: <id>"),
        ("thẻ 4111 1111 1111 1111", "thẻ <card>"),
        ("mã OTP là 123456", "mã OTP là <code>"),
        ("your code: 123 456", "your code: <code>"),
        ("thư a.b+c@mail.example.vn nhé", "thư <address> nhé"),
        ("ví 0x" + "ab" * 20, "ví <account>"),
        ("anh Lê Văn Hùng ở phường", "anh <name> ở phường"),
        ("https://a.test/x?e=a@b.vn&n=123456789", "https://a.test/x?e=<id>"),
    ],
)
def test_what_is_personal_is_gone(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "phí 4.990.000đ",
        "12,600,000 VND",
        "ngày 24/12/2025 lúc 14h05",
        "gọi 1900 969680 hoặc 18001090",
        "soạn TC gửi 5656",
        "zalo.me/0900000318",
        "lãi 38%, 20 người, 2026",
        "TP Hồ Chí Minh",
        "<phone> <card> <account> <code> <address> <id> <name>",
    ],
)
def test_what_is_nobodys_stays(text: str) -> None:
    assert masked(text) == text


@given(TEXTS)
@example("0900 000 318STK 0000 6120 334STK 0000 6120 334")
@example("0900 000 318mk: abc123")
@example("0900 000 318G-482913")
def test_masking_twice_is_masking_once(text: str) -> None:
    once = masked(text)
    assert masked(once) == once


@given(TEXTS)
def test_links_keep_their_hosts(text: str) -> None:
    for link in links(text):
        assert link.split("?")[0].split("#")[0] in masked(text)


@given(st.from_regex(r"\A0[35789][0-9]{8}\Z"), st.sampled_from(["", "gọi ", "zalo: ", "(", "sdt="]))
def test_no_telephone_number_is_left(number: str, before: str) -> None:
    assert number not in masked(f"{before}{number} nhé")
    assert any(f"<{shape}>" in masked(f"{before}{number} nhé") for shape in SHAPES)


def test_a_link_ends_with_what_is_masked_in_it() -> None:
    text = "https://a.test/p?e=123456/12/2025.0900 000 318"
    assert masked(text) == "https://a.test/p?e=<id> 000 318"
    assert masked(masked(text)) == masked(text)
