"""What messages come to: scams of each story are likely, what only looks like them is not, and each says why."""

import json
import re
import unicodedata
from itertools import pairwise
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from khien import schema, words
from khien.app import registers
from khien.errors import ConfigError
from khien.messages.evidence import MOST, evidence, spoken
from khien.messages.judge import LIKELY, UNEXPLAINED, Judge, Judged
from khien.messages.mask import masked
from khien.messages.plain import passages, plain
from khien.messages.weights import Weights, read, written
from khien.model import Register

TUNING = Path(__file__).parents[2] / "bench/messages/tuning.jsonl"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return registers.lure(registers.load()).judge


def judged(judge: Judge, text: str, sender: str = "") -> Judged:
    return judge.judged(masked(text), masked(sender))


@pytest.mark.parametrize(
    ("kind", "trick", "text"),
    [
        (
            "authority",
            "secrecy",
            "Tôi là thiếu tá công an, chị có lệnh bắt, chuyển hết tiền vào tài khoản an toàn, không được tiết lộ",
        ),
        ("bank", "wants-secret", "em ben the tin dung ne chi, chi doc em so the voi ma otp de huy giao dich nhe"),
        (
            "job",
            "reward",
            "Tuyển cộng tác viên thả tim, ngày kiếm 500k, nạp trước 200k nhận nhiệm vụ đầu, kết bạn Zalo 0900000318",
        ),
        (
            "loan",
            "money-first",
            "Khoan vay da duyet, no xau cung ok, chuyen truoc 2 trieu phi bao hiem vao tai khoan ke toan de giai ngan",
        ),
        (
            "family",
            "claims",
            "me oi con hu dien thoai xai tam so nay, ck con 6tr gap qua stk ban con 0000123456, dung goi nha",
        ),
        (
            "blackmail",
            "threat",
            "I recorded you by webcam. Send 900 USD in bitcoin within 48 hours or the video goes to all your contacts",
        ),
        (
            "app",
            "wants-app",
            "Bác cài ứng dụng theo tệp cháu gửi, bấm cho phép hết, nhập mã pin ngân hàng và quét mặt để nhận tiền",
        ),
    ],
)
def test_a_scam_is_likely_and_says_why(judge: Judge, kind: str, trick: str, text: str) -> None:
    found = judged(judge, text)
    assert found.score >= LIKELY
    assert found.kind == kind
    assert trick in found.tricks
    assert len(found.reasons) >= 2
    for reason in found.reasons:
        assert words.reason(reason.code, reason.params, "vi") != words.reason(reason.code, reason.params, "en")
        if "span" in reason.params:
            first, behind = map(int, reason.params["span"].split("-"))
            said = " ".join(masked(text)[first:behind].split())
            assert said.startswith(reason.params["said"].removesuffix("…"))


@pytest.mark.parametrize(
    "text",
    [
        "Ma OTP cua quy khach la 123456, khong cung cap cho bat ky ai",
        "TK 0123456789 -500,000VND luc 10:20. SD: 2,300,000VND. ND: chuyen tien an",
        "Cảnh giác: kẻ gian giả danh công an, yêu cầu chuyển tiền vào tài khoản an toàn. Đừng làm theo.",
        "ê cho tao mượn 500k mai lãnh lương trả nha, chiều qua nhà lấy luôn",
        "Your verification code is 482913. Never share this code with anyone.",
        "Điện lực thông báo lịch cắt điện ngày 12/5 từ 7h đến 11h khu vực phường 4",
        "Mai họp phụ huynh lúc 8h, bố mẹ nhớ đi đúng giờ nhé",
        "Reminder: rent is due on the 1st. You can pay at the office as usual.",
        "",
        "7",
    ],
)
def test_what_is_ordinary_is_not(judge: Judge, text: str) -> None:
    assert judged(judge, text).score < LIKELY


def test_who_it_claims_to_be_is_held_against_its_link(judge: Judge) -> None:
    text = "Vietcombank: tài khoản bị khoá, xác thực tại {}"
    codes = {each.code: each.params for each in judged(judge, text.format("https://vcb-xacthuc.top/a")).reasons}
    assert codes["lure-mismatch"] == {"brand": "Vietcombank", "domain": "vcb-xacthuc.top"}
    own = judged(judge, text.format("https://www.vietcombank.com.vn/a"))
    assert "lure-mismatch" not in {each.code for each in own.reasons}
    assert "strange-link" not in own.tricks


def test_a_bank_writes_from_no_telephone(judge: Judge) -> None:
    codes = [each.code for each in judged(judge, "Vietcombank: thẻ bị khoá, gọi ngay", "0900 000 318").reasons]
    assert "lure-sender" in codes
    codes = [each.code for each in judged(judge, "Vietcombank: thẻ bị khoá, gọi ngay", "Vietcombank").reasons]
    assert "lure-sender" not in codes


def test_every_reason_has_its_sentences(judge: Judge) -> None:
    tricks = {each.trick for each in judge.signs if each.trick}
    assert {f"lure-{trick}" for trick in tricks} <= set(words.REASONS)
    assert {story for each in judge.signs for story in each.stories} <= set(words.STORIES)


def test_words_weigh_without_bound_nowhere() -> None:
    heard = registers.lure(registers.load()).judge.weights.words
    assert evidence(heard, heard) <= MOST
    assert evidence((each for each in heard if heard[each] < 0), heard) == -MOST


def test_the_order_of_a_set_is_no_part_of_a_score() -> None:
    weights = {"a": 0.1, "b": 0.2, "c": 0.3}
    assert evidence("abc", weights) == evidence("cba", weights)


def test_words_near_each_other_meet_within_a_sentence() -> None:
    heard = spoken(plain("Đọc mã cho em. Gấp", {"vi": {}, "en": {}}))
    assert {"doc", "đọc", "doc ma", "doc~em", "cho~doc", "gap", "gấp"} <= heard
    assert not {"em gap", "em~gap", "doc em", "."} & heard


FAMILY = (
    " Hôm qua bà ngoại nấu nồi canh chua cá lóc, cả nhà ăn ngon lắm. Bé Na được cô giáo khen vì vẽ đẹp, về nhà cứ khoe"
    " mãi. Ba mẹ vẫn khỏe, cuối tuần này cả nhà mình đi công viên chơi rồi ghé thăm bà nội nhé. Nhớ mang theo áo mưa vì"
    " dạo này trời hay mưa buổi chiều. Con mèo nhà mình mới sinh ba con dễ thương lắm."
)
SURE = (
    "Mẹ ơi, máy con hỏng, con nhờ số này. Mẹ chuyển gấp 5 triệu vào stk 0000123456 của bạn con. Đừng gọi, con họp.",
    "Tao có clip nóng của mày. Không chuyển 10 triệu vào tài khoản này tao gửi cho cả gia đình mày.",
)


@pytest.mark.parametrize("text", SURE)
@pytest.mark.parametrize(
    "around",
    [(FAMILY * 20)[:4_500] + ". {}", "{}" + FAMILY, FAMILY + " {}", FAMILY + " {}" + FAMILY, "{}" + FAMILY * 4],
)
def test_small_talk_around_hides_nothing(judge: Judge, text: str, around: str) -> None:
    whole = around.format(text)
    found = judged(judge, whole)
    assert found.score >= LIKELY
    shown = masked(whole)
    for each in found.reasons:
        if "span" in each.params:
            first, behind = map(int, each.params["span"].split("-"))
            assert each.params["said"].rstrip("…") in " ".join(shown[first:behind].split())


def test_small_talk_itself_is_none(judge: Judge) -> None:
    assert judged(judge, FAMILY * 3).score < LIKELY


@pytest.mark.parametrize("text", SURE)
def test_breaks_and_letters_in_disguise_hide_nothing(judge: Judge, text: str) -> None:
    bare_text = "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))
    small = str.maketrans("abcdeghijklmnoprtuv", "ᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠ")
    for disguised in (
        text.replace(" ", "\n"),
        text.replace(" ", ". "),
        re.sub(r"\b([^\W\d_])(?=[^\W\d_]{2})", r"[\1]", text),
        re.sub(r"(?<=\w)(?=\w)", "\u3164", text),
        bare_text.translate(small),
        bare_text.translate(str.maketrans("ouhgq", "օսհցզ")),
    ):
        assert judged(judge, disguised).score >= LIKELY, disguised


@pytest.mark.parametrize(
    "text",
    [
        "Your order will be delivered tomorrow, see https://example.org/track",
        "Bé ơi xem hình mẹ nè https://photos.myfamily.vn/a",
        "Nếu rảnh thì xem phim này nhé https://phim.example.org/a",
        "Chị ta mở quán mới nè https://quanngon.vn/a",
        "mic hư rồi, mua cái này nha https://amthanh.vn/a",
    ],
)
def test_words_of_every_day_are_no_brands(judge: Judge, text: str) -> None:
    found = judged(judge, text)
    assert "strange-link" not in found.tricks
    assert found.score < LIKELY


def test_who_shows_pictures_to_all_is_believed(judge: Judge) -> None:
    for text in (
        "T có ảnh nóng của m, không chuyển 10 triệu t gửi cho cả lớp",
        "tao co anh nong cua may roi, ko chuyen tien tao gui cho ca lop may",
        "anh có clip của em, không gửi thêm ảnh là anh đăng lên facebook",
    ):
        assert judged(judge, text).score >= LIKELY
    told = "Cảnh báo: kẻ xấu nhắn có ảnh nóng của bạn và doạ gửi cho cả lớp. Đừng chuyển tiền, hãy báo công an."
    assert judged(judge, told).score < LIKELY


def test_a_passage_claims_to_be_nobody(judge: Judge) -> None:
    text = (
        FAMILY + " Vietcombank gần nhà đông lắm nên con về. Ảnh con để ở https://photos.giadinhminh.vn/a nhé." + FAMILY
    )
    found = judged(judge, text)
    assert "strange-link" not in found.tricks
    assert found.score < LIKELY


def test_dots_within_names_and_numbers_end_no_sentence() -> None:
    assert "<link>" in plain("xem www.vcb.com.vn.abc.top nhé", {"vi": {}, "en": {}}).words
    assert plain("5.000.000 7.000.000 9.000.000 đồng", {"vi": {}, "en": {}}).words[:2] == ["<money>", "<money>"]


def test_passages_cover_a_long_message() -> None:
    message = plain(FAMILY * 3, {"vi": {}, "en": {}})
    found = [*passages(message)]
    assert (found[0][0], found[-1][1]) == (message.places[0][0], message.places[-1][1])
    assert all(second[0] <= first[1] + 1 for first, second in pairwise(found))
    assert not [*passages(plain("Chào chị", {"vi": {}, "en": {}}))]


def test_weights_are_read_as_they_were_written() -> None:
    weights = Weights({"bias": -2.5, "nought": 0.001}, {"mã otp": 1.25})
    assert read(written(weights)) == Weights({"bias": -2.5}, {"mã otp": 1.25})
    for row in (
        b"sign\tbias",
        b"sign\tbias\tnan",
        b"other\tbias\t1.00",
        b"sign\tb\xff",
        b"word\ta\t1.00\nword\ta\t2.00",
    ):
        with pytest.raises(ConfigError, match="line"):
            read(row)


def test_words_alone_make_nothing_likely(judge: Judge) -> None:
    for row in map(json.loads, TUNING.read_text(encoding="utf-8").splitlines()):
        found = judged(judge, row["text"], row["sender"])
        assert found.tricks or found.score <= UNEXPLAINED


def test_names_that_lead_nowhere_are_nobodys(judge: Judge) -> None:
    found = judged(judge, "Vietcombank: tài khoản bị khoá, xác thực tại https://vcb-xacthuc.example/a")
    assert "lure-mismatch" not in {each.code for each in found.reasons}


def test_no_quotation_of_an_account_that_is_ones_own(judge: Judge) -> None:
    found = judged(judge, "tai khoan cua ban bi khoa, cap nhat vneid: tai khoan cua ban")
    assert not {"wants-payment", "isolation", "wants-app"} & set(found.tricks)


def test_a_finding_names_no_text(judge: Judge) -> None:
    detector = registers.lure(registers.load())
    row = {"text": "đọc em mã OTP gấp, đừng nói với ai", "sender": None}
    found = detector(pa.RecordBatch.from_pylist([row, {"text": None}, {"text": ""}], schema.MESSAGES)).to_pylist()
    assert [len(each["subject"]) for each in found] == [64]
    assert detector.judge is judge


@pytest.mark.skipif(not TUNING.exists(), reason="the messages it was tuned on are not here")
def test_the_messages_it_was_tuned_on(judge: Judge) -> None:
    rows = [json.loads(line) for line in TUNING.read_text(encoding="utf-8").splitlines()]
    likely = [judged(judge, row["text"], row["sender"]).score >= LIKELY for row in rows]
    scams = [each for each, row in zip(likely, rows, strict=True) if row["label"] == "scam"]
    others = [each for each, row in zip(likely, rows, strict=True) if row["label"] != "scam"]
    assert sum(scams) / len(scams) >= 0.8
    assert sum(others) / len(others) <= 0.02


def test_a_judge_is_made_of_what_is_handed_over() -> None:
    empty = msgspec.convert({"names": []}, Register)
    found = Judge(empty, (registers.FOLDER / "tricks.toml").read_bytes(), b"").judged("Vietcombank: đọc mã OTP", "")
    assert "lure-mismatch" not in {each.code for each in found.reasons}
