"""What those who were told come to: nothing changes by looking, nothing is told to who has no token."""

from khien import words
from khien.model import Constituent, Notice
from khien.triage import tokens
from tests.web.conftest import KEY
from tests.web.test_desk import Desk, desk

__all__ = ["desk"]


def path(desk: Desk, language: str = "vi", id: str = "") -> str:
    return tokens.notice_path(KEY, language, id or desk.ids.notice)


def state(desk: Desk) -> str:
    return desk.store.load(Notice, desk.ids.notice)[desk.ids.notice].state


def test_a_scanner_that_opens_every_link_changes_nothing(desk: Desk) -> None:
    version = desk.store.version()
    for language in words.LANGUAGES:
        for method in ("GET", "HEAD"):
            assert desk.client.request(method, path(desk, language)).status_code == 200
        assert desk.client.get(tokens.unsubscribe_path(KEY, language, desk.ids.delivery)).status_code == 200
    assert (state(desk), desk.store.version()) == ("open", version)


def test_who_was_told_answers(desk: Desk) -> None:
    text = desk.client.get(path(desk, "en")).text
    assert "saothuybank-otp[.]example[.]top" in text
    for code in ("title-seen", "title-why", "title-do", "title-call"):
        assert words.notice(code, "en") in text
    answered = desk.client.post(path(desk), data={"act": "acknowledge", "why": "Lan: đang xử lý"})
    assert (answered.status_code, state(desk)) == (200, "acknowledged")
    assert desk.client.post(path(desk), data={"act": "acknowledge"}).status_code == 200  # said twice is said once
    assert desk.client.post(path(desk), data={"act": "own"}).status_code == 200
    kept = desk.store.load(Notice, desk.ids.notice)[desk.ids.notice]
    assert [(each.act, each.by, each.why) for each in kept.steps] == [
        ("acknowledge", "constituent", "Lan: đang xử lý"),
        ("own", "constituent", ""),
    ]
    assert desk.client.post(path(desk), data={"act": "withdraw"}).status_code == 400  # only who sent it may


def test_a_wrong_token_is_answered_as_what_is_not_there(desk: Desk) -> None:
    right = tokens.token(KEY, tokens.NOTICE, desk.ids.notice)
    wrong = [
        f"/vi/notices/{desk.ids.notice}/{'a' * 26}",
        f"/vi/notices/{desk.ids.notice}/{tokens.token(KEY, tokens.FEED, desk.ids.notice)}",
        f"/vi/notices/{desk.ids.citizen}/{right}",
        tokens.notice_path(KEY, "vi", "0" * 64),
        tokens.notice_path(bytes(32), "vi", desk.ids.notice),
    ]
    for each in wrong:
        answer = desk.client.get(each)
        assert answer.status_code == 404
        assert words.page("error-missing", "vi") in answer.text
        assert desk.client.post(each, data={"act": "acknowledge"}).status_code == 404
    assert state(desk) == "open"


def test_a_post_ends_what_is_sent_to_an_address(desk: Desk) -> None:
    way = tokens.unsubscribe_path(KEY, "vi", desk.ids.delivery)
    assert desk.client.post(way.replace(desk.ids.delivery, desk.ids.notice)).status_code == 404
    ended = desk.client.post(way, data={"List-Unsubscribe": "One-Click"})  # RFC 8058 section 3.1
    assert ended.status_code == 200
    assert desk.client.post(way).status_code == 200
    hears = desk.store.load(Constituent, "saothuy")["saothuy"].hears
    assert [each.channel for each in hears] == ["webhook"]


def test_a_code_says_whether_a_message_is_ours_and_nothing_else(desk: Desk) -> None:
    code = tokens.code(KEY, desk.ids.citizen)
    assert desk.client.get("/vi/code").status_code == 200
    for typed in (code, code.lower(), code.replace("-", " ")):
        text = desk.client.post("/vi/code", data={"code": typed}).text
        assert words.page("code-ours", "vi") in text
        assert "saothuybank-otp" in text
        assert "Bà Hoa" not in text
    for typed in ("", "AAAAA-AAAAA", tokens.code(KEY, desk.ids.notice), "x" * 5000):
        text = desk.client.post("/en/code", data={"code": typed}).text
        assert words.page("code-not-ours", "en") in text
        assert "saothuybank" not in text


def test_codes_cannot_be_guessed_at_for_long(desk: Desk) -> None:
    answers = [desk.client.post("/vi/code", data={"code": "AAAAA-AAAAA"}).status_code for _ in range(70)]
    assert answers[0] == 200
    assert answers[-1] == 429
