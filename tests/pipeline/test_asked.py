"""What is recognised in a question, and what is answered to it."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import schema, words
from khien.app import machine, registers
from khien.errors import FormatError, ObservableError
from khien.listing import propose
from khien.messages import numbers, question
from khien.messages.links import MOST
from khien.messages.payment import money, payment
from khien.model import Finding, Listing, Reason, Register, Text
from khien.pipeline import asked, telling
from khien.pipeline.asked import Answer, Asked
from khien.pipeline.linked import Judges
from khien.stores.embedded.store import Embedded
from khien.triage import life

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
IMITATION = "vneid-otp.example.top"
OFFICIAL = "www.vietcombank.com.vn"


def code(*fields: tuple[str, str]) -> str:
    """A payment code of these fields, with its check sum."""
    text = "".join(f"{tag}{len(value):02}{value}" for tag, value in (("00", "01"), *fields)) + "6304"
    crc = 0xFFFF
    for octet in text.encode():
        crc ^= octet << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return f"{text}{crc:04X}"


PAID = "0010A00000072701270006970436011301234567890120208QRIBFTTA"
PAYS = code(("01", "12"), ("38", PAID), ("53", "704"), ("54", "500000"), ("58", "VN"), ("59", "NGUYEN VAN A"))

KINDS = [
    ("https://example.org/login", "link"),
    ("http://example.org", "link"),
    ("HTTPS://EXAMPLE.ORG/", "link"),
    ("hxxps://example[.]org/otp", "link"),
    ("hxxp[:]//example[.]org", "link"),
    ("example.org", "link"),
    ("example[.]org", "link"),
    ("example(.)org/x", "link"),
    ("example [.] org", "link"),
    ("  example.org\n", "link"),
    ("<https://example.org>", "link"),
    ("//example.org/x", "link"),
    ("example.org:8443/x", "link"),
    ("https://khach@example.org/", "link"),
    ("https://example.org@evil.example/", "link"),
    ("tiệm-bánh.vn", "link"),
    ("xn--mmo-gna.example", "link"),
    ("bit.ly/3abc", "link"),
    ("https://203.0.113.7/login", "link"),
    ("203.0.113.7", "link"),
    ("http://[2001:db8::1]/", "link"),
    ("https://example.org/?text=hello%20you", "link"),
    ("https:\\\\example.org\\x", "link"),
    ("a.b.c.d.example", "link"),
    ("0912345678", "number"),
    ("0912 345 678", "number"),
    ("0912.345.678", "number"),
    ("0912-345-678", "number"),
    ("(024) 3825 1234", "number"),
    ("+84 912 345 678", "number"),
    ("+84 (0) 912 345 678", "number"),
    ("84912345678", "number"),
    ("0084912345678", "number"),
    ("+63 912 345 6789", "number"),
    ("tel:+84912345678", "number"),
    ("113", "number"),
    ("5656", "number"),
    ("19001234", "number"),
    ("1900 969680", "number"),
    ("18001091", "number"),
    ("lan@example.org", "number"),
    ("lan[at]example.org", "number"),
    ("lan@vneid-otp[.]example[.]top", "number"),
    ("mailto:lan@example.org", "number"),
    ("LAN.NGUYEN+x@EXAMPLE.ORG", "number"),
    (PAYS, "payment"),
    (f"  {PAYS}\n", "payment"),
    (PAYS[:40], "payment"),
    ("Chào chị, em là nhân viên ngân hàng", "message"),
    ("tai khoan cua ban bi khoa https://example.org", "message"),
    ("https://example.org https://example.com", "message"),
    ("https://example.org\nhttps://example.com", "message"),
    ("vietcombank", "message"),
    ("OTP", "message"),
    ("Mã OTP: 123456", "message"),
    ("gọi 0912345678 ngay", "message"),
    ("0912345678 gọi ngay", "message"),
    ("lan@example.org gửi cho tôi", "message"),
    ("hello", "message"),
    ("đ", "message"),
    ("1", "message"),
    ("<script>alert(1)</script>", "message"),
    ("{{7*7}}", "message"),
    ("'; drop table findings; --", "message"),
    ("22.11.2026", "message"),
    ("2026-11-22", "message"),
    ("a" * question.LONGEST, "message"),
    ("https://" + "a" * 4_000, "message"),
    ("a@" * 2_400, "message"),
    ("[.]" * 1_600 + "a", "message"),
    ("\u202eexample.org gnp", "message"),
    ("xin chao\0ban", "message"),
    ("0" * 3_000, "message"),
    ("+" + "1 " * 2_000, "message"),
]


@pytest.mark.parametrize(("text", "kind"), KINDS, ids=[f"{text[:24]!r}" for text, _ in KINDS])
def test_a_question_is_recognised(text: str, kind: str) -> None:
    assert question.about(text) == kind


@pytest.mark.parametrize("text", ["", "  \n", "!!", "...", "://", "\u200b", "\ud800 ngân hàng", "a" * 5_001])
def test_nothing_to_ask_about(text: str) -> None:
    with pytest.raises(ObservableError):
        question.about(text)


@given(st.text(max_size=400))
def test_whatever_is_pasted_is_recognised_or_refused(text: str) -> None:
    with suppress(ObservableError):
        assert question.about(text) in ("link", "message", "number", "payment")


@pytest.mark.parametrize(
    ("text", "kind", "digits", "country"),
    [
        ("+84 912 345 678", "mobile", "0912345678", ""),
        ("0321234567", "mobile", "0321234567", ""),
        ("0123456789", "unknown", "0123456789", ""),
        ("02438251234", "landline", "02438251234", ""),
        ("113", "emergency", "113", ""),
        ("156", "short", "156", ""),
        ("1900969680", "paid", "1900969680", ""),
        ("18001091", "free", "18001091", ""),
        ("0651234567", "internet", "0651234567", ""),
        ("+1 202 555 0123", "foreign", "+12025550123", "1"),
        ("00 855 12 345 678", "foreign", "+85512345678", "855"),
        ("+999 1234567", "foreign", "+9991234567", ""),
    ],
)
def test_a_number_says_what_kind_it_is(text: str, kind: str, digits: str, country: str) -> None:
    assert numbers.number(text) == (digits, kind, country)


def test_whom_a_code_would_pay() -> None:
    paid = payment(PAYS)
    assert (paid.bank, paid.account, paid.name, paid.amount) == (
        "Vietcombank",
        "0123456789012",
        "NGUYEN VAN A",
        "500000",
    )
    assert paid.whole
    assert not payment(PAYS[:-4] + "0000").whole
    elsewhere = payment(code(("26", "0010A000000000"), ("59", "SHOP")))
    assert (elsewhere.bank, elsewhere.account, elsewhere.name, elsewhere.whole) == ("", "", "SHOP", True)


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("5000000", "704", "5.000.000 ₫"),
        ("5000000.00", "704", "5.000.000 ₫"),
        ("10.25", "840", "10,25 $"),
        ("10", "", "10"),
        ("mười", "704", "mười"),
    ],
)
def test_an_amount_is_written_as_money(amount: str, currency: str, written: str) -> None:
    paid = payment(code(("54", amount), *([("53", currency)] if currency else ())))
    assert money(paid, "vi") == written


@given(st.text(max_size=600) | st.text("0123456789", max_size=600).map("000201".__add__))
def test_a_code_is_read_or_refused(text: str) -> None:
    with suppress(FormatError):
        assert payment(text).bank is not None


@pytest.fixture(scope="module")
def judges() -> Judges:
    names = registers.lookalike()
    protected = {each.id: each for each in names.register.names}
    return Judges(names, registers.lure(Register(names=tuple(protected.values()))), protected)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with machine.store(tmp_path / "data") as made:
        yield made


def listed(value: str, unit: str = "host", **fields: Any) -> Listing:
    """A listing that stands, as an officer made it."""
    given = {
        "site": "registered-for-harm",
        "harm": "fraud",
        "conduct": ("form",),
        "note": Text(vi="Đòi mật khẩu.", en="Asks for passwords."),
        "evidence": "ab" * 32,
        "by": ("lan",),
    }
    made = propose(unit, value, at=AT - timedelta(days=1), **(given | fields))  # type: ignore[arg-type]
    return msgspec.structs.replace(made, state="listed")


def ask(text: str, judges: Judges, store: Embedded | None, sender: str = "") -> Answer:
    answer = asked.answer(Asked(text, sender), judges, store, AT)
    told = telling.told(answer)
    assert len(answer.reasons) >= 2, text
    assert answer.advice
    for language in words.LANGUAGES:
        assert len(told.reasons[language]) == len(answer.reasons)
        assert all(told.said[language])
        assert not any("safe" in each.lower() or "an toàn" in each for each in told.reasons[language])
        for sentence in told.advice[language]:
            assert all(len(part.split()) <= 20 for part in sentence.split(". "))
    return answer


def codes(answer: Answer) -> set[str]:
    return {each.code for each in answer.reasons}


def test_an_imitation_looks_harmful(judges: Judges, store: Embedded) -> None:
    answer = ask(f"https://{IMITATION}/login?khach=lan", judges, store)
    assert (answer.verdict, answer.about, answer.subject) == ("looks-harmful", "link", IMITATION)
    assert {"asked-official", "asked-unlisted"} <= codes(answer)
    assert ask(IMITATION, judges, None).verdict == "looks-harmful"


def test_what_is_listed_is_known_to_do_harm(judges: Judges, store: Embedded) -> None:
    listing = listed("quiet.example.top")
    store.save(listing)
    answer = ask("hxxps://quiet[.]example[.]top/otp", judges, store)
    assert (answer.verdict, answer.sure, answer.listing) == ("harmful", "sure", listing.id)
    assert {"asked-listed-fraud", "asked-unit-host"} <= codes(answer)
    message = ask("Xem ngay quiet.example.top và quiet.example nhé", judges, store)
    assert (message.verdict, message.listing) == ("harmful", listing.id)
    assert ask("lan@quiet.example.top", judges, store).verdict == "harmful"


def test_a_listing_that_is_over_or_waits_says_nothing(judges: Judges, store: Embedded) -> None:
    for state in ("proposed", "removed", "expired"):
        store.save(msgspec.structs.replace(listed("quiet.example.top"), state=state))  # type: ignore[arg-type]
        assert ask("quiet.example.top", judges, store).verdict == "nothing"


def test_a_page_that_is_listed_leaves_the_rest_of_its_host_alone(judges: Judges, store: Embedded) -> None:
    store.save(listed("https://blog.example/bad/page", "url", site="shared-hosting"))
    assert ask("http://blog.example/bad/page?x=1#y", judges, store).verdict == "harmful"
    assert ask("https://blog.example/good", judges, store).verdict == "nothing"


def test_what_is_listed_on_a_platform_of_many_is_answered(judges: Judges, store: Embedded) -> None:
    """No list blocks it; yet whoever asks about that very host is told."""
    store.save(listed("nhan-qua-otp.pages.dev", site="shared-hosting"))
    answer = ask("https://nhan-qua-otp.pages.dev/", judges, store)
    assert (answer.verdict, answer.sure) == ("harmful", "sure")
    for neighbour in ("https://tiem-banh.pages.dev/", "https://pages.dev/"):
        assert ask(neighbour, judges, store).verdict == "nothing"


def test_a_name_belongs_to_its_owner_until_it_is_hacked(judges: Judges, store: Embedded) -> None:
    answer = ask(f"https://{OFFICIAL}/", judges, store)
    assert (answer.verdict, answer.sure) == ("belongs", "sure")
    assert "Vietcombank" in telling.headline(answer, "en")
    store.save(listed(f"https://{OFFICIAL}/tin/gia", "url", site="hacked"))
    hacked = ask(f"https://{OFFICIAL}/tin/gia", judges, store)
    assert hacked.verdict == "harmful"
    assert "asked-hacked-of" in codes(hacked)
    for answer in (hacked, ask(f"Chào chị, xem https://{OFFICIAL}/tin/gia nhé", judges, store)):
        assert answer.advice == ("hacked", "ask-owner", "entered", "paid", "tell-owner")  # not: go to the real site


def test_what_officers_decided_counts(judges: Judges, store: Embedded) -> None:
    rows = pa.record_batch([[IMITATION, OFFICIAL], pa.nulls(2, schema.TIME)], schema=schema.NAMES)
    found = {each.subject: each for each in life.findings([judges.names(rows)], source="", at=AT)}
    store.save(life.move(found[IMITATION], life.DISMISS, by="lan", at=AT))
    dismissed = ask(IMITATION, judges, store)
    assert dismissed.verdict == "nothing"
    assert "asked-dismissed" in codes(dismissed)
    store.save(_confirmed(found[OFFICIAL]))
    assert ask(OFFICIAL, judges, store).verdict == "looks-harmful"


def _confirmed(finding: Finding) -> Finding:
    return life.move(msgspec.structs.replace(finding, suppressed=False), life.CONFIRM, by="lan", at=AT)


def test_a_message_is_as_bad_as_its_worst_link(judges: Judges, store: Embedded) -> None:
    answer = ask(f"Chào chị, xem {OFFICIAL} hoặc {IMITATION} nhé", judges, store)
    assert answer.verdict == "looks-harmful"
    assert {each.name: each.verdict for each in answer.links} == {OFFICIAL: "belongs", IMITATION: "looks-harmful"}
    quiet = ask(f"Chào chị, xem {OFFICIAL} nhé", judges, store)
    assert quiet.verdict == "nothing"  # that it names a real site makes no message real
    most = ask(" ".join(f"https://quiet{n}.example/x" for n in range(40)), judges, store)
    assert len(most.links) == MOST


def test_what_to_do_follows_the_story(judges: Judges) -> None:
    assert set(asked.AGAINST) == set(words.STORIES)
    assert set(asked.TRICKS) <= {each.removeprefix("lure-") for each in words.REASONS}
    text = "Cong an thanh pho thong bao ong ba co lenh bat, chuyen tien vao tai khoan an toan, khong noi voi ai"
    answer = ask(text, judges, None)
    assert (answer.verdict, answer.about) == ("looks-harmful", "message")
    assert answer.advice[0] == "no-arrest"
    assert "not-open" not in answer.advice  # there is nothing to open


class Telling:
    """A detector that finds one story in every message; an empty one: nothing in any."""

    def __init__(self, story: str, score: float = 0.7, tricks: tuple[str, ...] = ("wants-secret", "threat")) -> None:
        self.story, self.score, self.tricks = story, score, tricks

    def __call__(self, _: pa.RecordBatch) -> pa.RecordBatch:
        if not self.story:
            return pa.RecordBatch.from_pylist([], schema.FINDINGS)
        quoted = [{"code": f"lure-{each}", "params": [("said", "x"), ("span", "0-1")]} for each in self.tricks]
        found = {
            "id": schema.finding_id("lure", "message", "ab", self.story),
            "detector": "lure",
            "kind": "message",
            "subject": "ab",
            "claim": self.story,
            "score": self.score,
            "techniques": self.tricks,
            "suppressed": False,
            "reasons": [*quoted, {"code": f"lure-story-{self.story}", "params": []}],
        }
        return pa.RecordBatch.from_pylist([found], schema.FINDINGS)


def telling_of(judges: Judges, story: str, **fields: Any) -> Judges:
    """The same, with another detector of messages."""
    detector: Any = Telling(story, **fields)
    return Judges(judges.names, detector, judges.protected)


@pytest.mark.parametrize("story", words.STORIES)
@pytest.mark.parametrize("text", ["Chào bạn nhé", "Chào bạn, xem quiet.example nhé", f"Chào bạn, xem {IMITATION} nhé"])
def test_every_story_has_advice_of_its_own_and_not_too_much(judges: Judges, story: str, text: str) -> None:
    answer = ask(text, telling_of(judges, story), None)
    assert answer.verdict == "looks-harmful"
    assert len(answer.advice) <= asked.MOST_ADVICE
    assert set(answer.advice) & set(asked.AGAINST[story][:2])
    assert len(answer.reasons) <= 5
    assert f"lure-story-{story}" in codes(answer)
    if IMITATION in text:
        assert "not-open" in answer.advice
    assert answer.advice != ask(text, telling_of(judges, "charity"), None).advice or story == "charity"


def test_who_is_threatened_with_pictures_is_told_what_is_for_them(judges: Judges) -> None:
    answer = ask("Tao gửi ảnh cho cả trường coi", telling_of(judges, "blackmail"), None)
    assert answer.advice == ("not-fault", "no-image", "young", "call-now", "keep")
    said = " ".join(telling.told(answer).advice["vi"])
    assert said.startswith("Không phải lỗi của bạn.")
    assert "111" in said
    assert "113" in said
    for other in ("trang thật", "mật khẩu", "ngân hàng", "Đừng trả lời"):
        assert other not in said
    maybe = ask("Tao gửi ảnh cho cả trường coi", telling_of(judges, "blackmail", score=0.3), None)
    assert maybe.verdict == "nothing"
    assert {"no-image", "young"} <= set(maybe.advice)
    assert "own-way" not in maybe.advice


def test_at_most_five_reasons_and_the_strongest_first(judges: Judges) -> None:
    tricks = ("wants-secret", "threat", "urgency", "secrecy", "reward", "claims")
    several = f"Xem {IMITATION} hoặc vneid-dangky.example.top hoặc momo-otp.example.top nhé"
    answer = ask(several, telling_of(judges, "bank", tricks=tricks), None, "+63 912 345 6789")
    assert len(answer.reasons) == 5
    assert [answer.reasons[0].code, answer.reasons[-1].code] == ["asked-link-bad", "lure-story-bank"]
    assert all(len(each.reasons) <= 5 for each in answer.links)


def test_a_name_beside_a_site_of_somebody_else_is_a_reason(judges: Judges) -> None:
    silent = telling_of(judges, "")
    answer = ask("Theo dõi tin của Vietcombank tại quiet.example", silent, None)
    (reason,) = (each for each in answer.reasons if each.code == "asked-names-other")
    assert reason.params == {"brand": "Vietcombank", "domain": "quiet.example"}
    assert "asked-links-quiet" not in codes(answer)
    assert "quiet[.]example" in telling.sentence(reason, "vi")
    for text in (
        f"Theo dõi tin của Vietcombank tại {OFFICIAL}",
        "Theo dõi tin của bác Tư tại quiet.example",
        "Theo dõi Vietcombank tại baochinhphu.gov.vn",
        "Xem vietcombank.quiet.example",
    ):
        assert "asked-names-other" not in codes(ask(text, silent, None)), text


def test_who_judged_is_said_of_each_answer(judges: Judges, store: Embedded) -> None:
    likely = ask(f"https://{IMITATION}/login", judges, store)
    assert (likely.sure, telling.certainty(likely, "en")) == ("likely", words.phrase("asked-likely", "en"))
    rows = pa.record_batch([[OFFICIAL], pa.nulls(1, schema.TIME)], schema=schema.NAMES)
    (found,) = life.findings([judges.names(rows)], source="", at=AT)
    store.save(_confirmed(found))
    for text in (OFFICIAL, f"Xem {OFFICIAL} nhé"):
        seen = ask(text, judges, store)
        assert telling.certainty(seen, "en") == words.phrase("asked-likely-officer", "en")
    rows = pa.record_batch([[IMITATION], pa.nulls(1, schema.TIME)], schema=schema.NAMES)
    (found,) = life.findings([judges.names(rows)], source="", at=AT)
    store.save(life.move(found, life.DISMISS, by="lan", at=AT))
    assert telling.certainty(ask(IMITATION, judges, store), "en") == words.phrase("asked-unsure-officer", "en")


def test_what_is_quoted_is_defanged() -> None:
    quoted = Reason(code="lure-wants-secret", params={"said": "OTP o https://example.top/x nhe", "span": "0-9"})
    assert "https://example[.]top/x" in telling.sentence(quoted, "en")


def test_what_is_personal_is_masked_before_anybody_looks(judges: Judges, store: Embedded) -> None:
    class Looking:
        """A detector that remembers what it saw."""

        seen: list[str] = []

        def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            self.seen += [f"{row}" for row in batch.to_pylist()]
            return pa.RecordBatch.from_pylist([], schema.FINDINGS)

    looking: Any = Looking()
    text = "Gọi 0912 345 678, thẻ 4111 1111 1111 1111, thư lan@example.org, mã OTP 123456, xem quiet.example"
    answer = asked.answer(Asked(text, "0987654321"), Judges(looking, looking, judges.protected), store, AT)
    for secret in ("345 678", "4111", "lan@", "123456", "987654321"):
        assert secret not in answer.masked + "".join(looking.seen)
    assert any("quiet.example" in each for each in looking.seen)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0912345678", "asked-number-mobile"),
        ("+63 912 345 6789", "asked-number-from"),
        ("+999 1234567", "asked-number-foreign"),
        ("lan@gmail.com", "asked-mail-free"),
        ("lan@quiet.example", "asked-mail-forged"),
    ],
)
def test_of_a_sender_it_is_said_what_can_be(judges: Judges, store: Embedded, text: str, code: str) -> None:
    answer = ask(text, judges, store)
    assert (answer.verdict, answer.about, answer.sure) == ("nothing", "number", "unsure")
    assert code in codes(answer)


def test_a_sender_at_an_imitation_or_an_official_domain(judges: Judges, store: Embedded) -> None:
    assert ask(f"lan@{IMITATION}", judges, store).verdict == "looks-harmful"
    official = ask("lan@vietcombank.com.vn", judges, store)
    assert official.verdict == "nothing"  # whoever writes may have forged it
    assert {"own-estate", "asked-mail-forged"} <= codes(official)
    assert "asked-sender-called" in codes(ask("Chào quý khách thân mến", judges, store, "VIETCOMBANK"))


def test_of_a_payment_it_is_said_who_is_paid(judges: Judges, store: Embedded) -> None:
    answer = ask(PAYS, judges, store)
    assert (answer.verdict, answer.about) == ("nothing", "payment")
    assert "0123456789012 at Vietcombank" in telling.told(answer).reasons["en"][0]
    assert "500.000 ₫" in " ".join(telling.told(answer).reasons["vi"])
    assert "500,000 ₫" in " ".join(telling.told(answer).reasons["en"])
    broken = ask(PAYS[:-4] + "0000", judges, store)
    assert (broken.verdict, broken.reasons[0].code) == ("looks-harmful", "asked-pay-broken")
    assert telling.told(broken).advice["vi"][0].startswith("Đừng thanh toán")
    with pytest.raises(ObservableError):
        ask(PAYS[:40], judges, store)


def test_it_is_what_about_says_or_refused(judges: Judges) -> None:
    assert asked.answer(Asked("example.org", about="message"), judges, None, AT).about == "message"
    for about in ("link", "number", "payment"):
        with pytest.raises(ObservableError):
            asked.answer(Asked("Chào chị nhé", about=about), judges, None, AT)  # type: ignore[arg-type]
    with pytest.raises(ObservableError):
        asked.answer(Asked("example.org", "a" * 321), judges, None, AT)


@given(text=st.text(max_size=200), sender=st.text(max_size=40))
def test_every_question_is_answered_or_refused(judges: Judges, text: str, sender: str) -> None:
    with suppress(ObservableError):
        answer = asked.answer(Asked(text, sender), judges, None, AT)
        assert len(answer.reasons) >= 2
        telling.told(answer)


@pytest.mark.parametrize(
    "text", ["a.vn " * 1_000, "[.]" * 1_600 + "a", "https://" * 600, "0 " * 2_400 + "x", "<" * 4_999 + "a"]
)
def test_a_long_hostile_question_is_answered(judges: Judges, text: str) -> None:
    assert len(asked.answer(Asked(text), judges, None, AT).reasons) >= 2  # what took quadratic time would not end
