"""Addresses are sealed so that only the key's holder opens them, and no length shows."""

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.breach import wishes
from khien.errors import CustodyError, InputError

KEY = bytes(range(32))
CHANCE = bytes(range(32, 64))
ADDRESS = "lan.nguyen@example.vn"


@given(st.text(max_size=60), st.binary(min_size=32, max_size=32))
def test_what_is_sealed_opens_again(address: str, chance: bytes) -> None:
    assert wishes.opened(wishes.seal(address, wishes.public_of(KEY), chance), KEY) == address


def test_boxes_are_of_one_length_and_tell_nothing() -> None:
    public = wishes.public_of(KEY)
    boxes = [b64decode(wishes.seal(each, public, CHANCE)) for each in (ADDRESS, "a@b.vn", "x" * 254)]
    assert {len(each) for each in boxes} == {32 + 256 + 16}
    assert not any(ADDRESS.encode() in each for each in boxes)


def test_another_key_does_not_open_it() -> None:
    sealed = wishes.seal(ADDRESS, wishes.public_of(KEY), CHANCE)
    with pytest.raises(CustodyError):
        wishes.opened(sealed, CHANCE)


@pytest.mark.parametrize("at", [0, 31, 32, 200, -1])
def test_a_box_that_was_changed_does_not_open(at: int) -> None:
    box = bytearray(b64decode(wishes.seal(ADDRESS, wishes.public_of(KEY), CHANCE)))
    box[at] ^= 1
    with pytest.raises(CustodyError) as told:
        wishes.opened(b64encode(box).decode(), KEY)
    assert ADDRESS not in str(told.value)


@pytest.mark.parametrize("sealed", ["", "sealed", "AAAA", b64encode(bytes(304)).decode(), "ä"])
def test_what_is_no_box_does_not_open(sealed: str) -> None:
    with pytest.raises(CustodyError):
        wishes.opened(sealed, KEY)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(InputError):
        wishes.seal("x" * 255, wishes.public_of(KEY), CHANCE)
