"""Tokens open one thing each, and codes are what people can type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.triage import tokens

KEY = b"k" * 32


@given(st.binary(min_size=32, max_size=32), st.text(max_size=40), st.text(max_size=80))
def test_a_token_opens_what_it_is_for_and_nothing_else(key: bytes, purpose: str, id: str) -> None:
    token = tokens.token(key, purpose, id)
    assert len(token) == 26
    assert token.isalnum()
    assert token.isascii()
    assert tokens.check(token, key, purpose, id)
    assert tokens.check(token.upper(), key, purpose, id)
    assert not tokens.check(token, key, purpose + "x", id)
    assert not tokens.check(token, key, purpose, id + "x")
    assert not tokens.check(token, key[::-1] + b"x", purpose, id)


@pytest.mark.parametrize("said", ["", "a", "é" * 26, "\0" * 26, "a" * 10_000])
def test_what_is_no_token_is_wrong(said: str) -> None:
    assert not tokens.check(said, KEY, tokens.NOTICE, "1")


def test_it_never_changes() -> None:
    """Links in mail that was sent must hold."""
    assert tokens.notice_path(KEY, "vi", "a") == "/vi/notices/a/eufvu2ee7lodr7v5mfdwfcqr2n"
    assert tokens.code(KEY, "a") == "F6RJH-VWNQN"
    assert tokens.feed_path(KEY, "bank") == f"/feeds/bank/{tokens.token(KEY, tokens.FEED, 'bank')}"
    assert tokens.unsubscribe_path(KEY, "en", "d").startswith("/en/unsubscribe/d/")


@given(st.text(min_size=1, max_size=64))
def test_a_code_is_found_however_it_is_typed(id: str) -> None:
    code = tokens.code(KEY, id)
    assert not set(code) & set("01OILSBZU")
    typed = code.lower().replace("-", " ").replace("5", "s").replace("8", "b").replace("2", "z")
    for said in (code, typed, f"  {code}\n"):
        assert tokens.whose(said, KEY, ["another", id]) == id
    assert tokens.whose(code, KEY, ["another"]) is None
    assert tokens.whose(code[:-1], KEY, [id]) is None
