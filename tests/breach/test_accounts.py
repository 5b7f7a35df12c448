import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from khien.breach import accounts

SPELLINGS: list[tuple[str, str | None]] = json.loads((Path(__file__).parent / "spellings.json").read_text("utf-8"))
COUNTRIES = ("84", "1", "855")

domains = st.sampled_from(
    ["gmail.com", "GoogleMail.com.", "hotmail.com", "yahoo.com", "a.b", "1.2", "a..b", "a.b..", ".a.b", "*.a.b", "a",
     "x." + "y" * 63, "x." + "y" * 64, "é.vn", "EXAMPLE.vn", "a.b ", "a.b@c", ".".join(["x" * 49] * 5)]
)  # fmt: skip
addresses = st.builds("{}@{}".format, st.text('aB.+-_é\0 @"o', max_size=12) | st.just("l" * 64), domains)
numbers = st.text("084 13+(0).-/x", max_size=18) | st.from_regex(r"(\+84|0|0084|84)1[0-9]{9}", fullmatch=True)
met = st.binary(max_size=24) | addresses.map(str.encode) | numbers.map(str.encode)


@pytest.mark.parametrize(("met", "spelled"), SPELLINGS)
def test_a_spelling(met: str, spelled: str | None) -> None:
    found = accounts.canonical(met.encode())
    assert found == (None if spelled is None else spelled.encode())
    if spelled:
        _, _, text = spelled.partition(":")
        assert accounts.canonical(text.encode()) == found, "what is spelled is spelled so again"


def test_another_country() -> None:
    assert accounts.canonical(b"(415) 555-2671", "1") is None, "no zero in front, nor the calling code"
    assert accounts.canonical(b"1 415 555 2671", "1") == b"phone:+14155552671"
    assert accounts.canonical(b"012 345 678", "855") == b"phone:+85512345678"
    assert accounts.canonical(b"0084912345678", "855") == b"phone:+84912345678"


def column(several: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, several)]).astype(np.int64)
    return np.frombuffer(b"".join(several), np.uint8), offsets[:-1], offsets[1:]


@settings(max_examples=300, deadline=None)
@given(st.lists(met, max_size=12), st.sampled_from(COUNTRIES))
@example([met.encode() for met, _ in SPELLINGS], "84")
@example([b"x" * 400, b" " * 321, "đ".encode() * 200, b""], "84")
def test_the_kernel_spells_as_the_plain_rules(several: list[bytes], country: str) -> None:
    spelled = accounts.spell(*column(several), country)
    for i, raw in enumerate(several):
        expected = accounts.canonical(raw, country)
        text = spelled.values[spelled.starts[i] : spelled.ends[i]].tobytes()
        begin, end = spelled.places[spelled.domains[i] :][:2]
        domain = spelled.hosts[begin:end].tobytes()
        if expected is None:
            assert (spelled.kinds[i], domain) == (accounts.NAME, b"")
            assert text == b"name:" + raw.strip(bytes(range(33)) + b"\x7f")[: accounts.LONGEST]
        else:
            assert text == expected
            assert spelled.kinds[i] == (accounts.MAIL if expected.startswith(b"mail:") else accounts.PHONE)
            assert domain == expected.partition(b"@")[2]
