"""The keyed hash of what nobody shows, held to the RFC's vectors, and to itself where the key is shared."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.breach import group, voprf
from khien.errors import ContractError, InputError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors.json").read_text())
KEY, OTHER = (voprf.derive(bytes([n]) * 32, b"") for n in (1, 2))
INPUTS = [b"mail:lan.nguyen@example.vn", b"phone:+84912345678", b""]
IDENTITY = bytes(32)
NO_ELEMENTS = [  # RFC 9496, appendix A.2: not canonical, negative, not on the curve; and by length
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "",
    "00" * 31,
    "00" * 33,
]


def chance(n: int) -> bytes:
    return voprf.scalar(hashlib.sha512(b"%d" % n).digest())


def parts(case: dict[str, str], name: str) -> list[bytes]:
    return [bytes.fromhex(each) for each in case[name].split(",")]


def test_the_key_of_the_vectors() -> None:
    key = voprf.derive(bytes.fromhex(VECTORS["seed"]), bytes.fromhex(VECTORS["keyInfo"]))
    assert key.hex() == VECTORS["skSm"]
    assert voprf.public_of(key).hex() == VECTORS["pkSm"]


@pytest.mark.parametrize("case", VECTORS["vectors"])
def test_the_vectors(case: dict[str, str]) -> None:
    key, public = bytes.fromhex(VECTORS["skSm"]), bytes.fromhex(VECTORS["pkSm"])
    inputs, scalars, outputs = (parts(case, each) for each in ("Input", "Blind", "Output"))
    elements = voprf.blind(inputs, scalars)
    assert elements == parts(case, "BlindedElement")
    evaluated = voprf.evaluate(key, elements)
    assert evaluated == parts(case, "EvaluationElement")
    proof = voprf.prove(key, public, elements, evaluated, bytes.fromhex(case["r"]))
    assert proof.hex() == case["proof"]
    assert voprf.verify(public, elements, evaluated, proof)
    assert voprf.finalize(inputs, scalars, evaluated) == outputs
    assert voprf.direct(key, inputs) == outputs


def test_what_is_blinded_tells_nothing_twice() -> None:
    one, other = (voprf.blind(INPUTS[:1], [chance(n)]) for n in (1, 2))
    assert one != other
    assert voprf.finalize(INPUTS[:1], [chance(1)], voprf.evaluate(KEY, one)) == voprf.finalize(
        INPUTS[:1], [chance(2)], voprf.evaluate(KEY, other)
    )


def whole() -> bytes:
    """The key whose shares KEY and OTHER are: nobody computes it but this test."""
    total = int.from_bytes(KEY, "little") + int.from_bytes(OTHER, "little")
    return (total % group.ORDER).to_bytes(32, "little")


def test_two_shares_are_as_one_key() -> None:
    scalars = [chance(n) for n in range(len(INPUTS))]
    elements = voprf.blind(INPUTS, scalars)
    shares = [voprf.evaluate(key, elements) for key in (KEY, OTHER)]
    for key, evaluated in zip((KEY, OTHER), shares, strict=True):
        public = voprf.public_of(key)
        assert voprf.verify(public, elements, evaluated, voprf.prove(key, public, elements, evaluated, chance(9)))
    assert voprf.combine(shares) == voprf.evaluate(whole(), elements)
    assert voprf.finalize(INPUTS, scalars, voprf.combine(shares)) == voprf.direct(whole(), INPUTS)
    assert group.add(voprf.public_of(KEY), voprf.public_of(OTHER)) == voprf.public_of(whole())


def test_one_share_alone_cannot_evaluate() -> None:
    """Whoever holds one share gets outputs of their own, which say nothing of those of the whole key."""
    right = voprf.direct(whole(), INPUTS)
    for key in (KEY, OTHER):
        assert not set(voprf.direct(key, INPUTS)) & set(right)
        scalars = [chance(n) for n in range(len(INPUTS))]
        alone = voprf.evaluate(key, voprf.blind(INPUTS, scalars))
        assert not set(voprf.finalize(INPUTS, scalars, alone)) & set(right)
        twice = voprf.combine([alone, alone])
        assert not set(voprf.finalize(INPUTS, scalars, twice)) & set(right)


def test_a_proof_holds_for_nothing_else() -> None:
    scalars = [chance(n) for n in range(len(INPUTS))]
    elements, public = voprf.blind(INPUTS, scalars), voprf.public_of(KEY)
    evaluated = voprf.evaluate(KEY, elements)
    proof = voprf.prove(KEY, public, elements, evaluated, chance(9))
    assert voprf.verify(public, elements, evaluated, proof)
    assert not voprf.verify(voprf.public_of(OTHER), elements, evaluated, proof)
    assert not voprf.verify(public, elements[::-1], evaluated, proof)
    assert not voprf.verify(public, elements[:2], evaluated[:2], proof)
    wrong = [*evaluated[:2], voprf.evaluate(OTHER, elements[2:])[0]]
    assert not voprf.verify(public, elements, wrong, voprf.prove(KEY, public, elements, wrong, chance(9)))
    for at in (0, 31, 32, 40):
        changed = bytearray(proof)
        changed[at] ^= 1
        assert not voprf.verify(public, elements, evaluated, bytes(changed))


@pytest.mark.parametrize("octets", [IDENTITY, *map(bytes.fromhex, NO_ELEMENTS)])
def test_what_is_no_element(octets: bytes) -> None:
    good = voprf.blind(INPUTS[:1], [chance(1)])
    for refused in (
        lambda: voprf.evaluate(KEY, [octets]),
        lambda: voprf.finalize(INPUTS[:1], [chance(1)], [octets]),
        lambda: voprf.verify(octets, good, good, bytes(31) + b"\1" + bytes(31) + b"\1"),
        lambda: voprf.verify(voprf.public_of(KEY), [octets], good, b"\1" + bytes(31) + b"\1" + bytes(31)),
    ):
        with pytest.raises(InputError):
            refused()


@pytest.mark.parametrize("octets", [bytes(32), b"", b"\1" * 31, group.ORDER.to_bytes(32, "little"), b"\xff" * 32])
def test_what_is_no_scalar(octets: bytes) -> None:
    for refused in (
        lambda: voprf.public_of(octets),
        lambda: voprf.blind([b""], [octets]),
        lambda: voprf.evaluate(octets, []),
        lambda: voprf.direct(octets, []),
    ):
        with pytest.raises(InputError):
            refused()
    with pytest.raises(ContractError):
        voprf.scalar(octets)


def test_what_is_no_proof() -> None:
    elements = voprf.blind(INPUTS[:1], [chance(1)])
    for proof, answers in ((b"", elements), (b"\1" * 63, elements), (b"\1" * 64, []), (bytes(64), elements)):
        with pytest.raises(InputError):
            voprf.verify(voprf.public_of(KEY), elements, answers, proof)


def test_an_input_has_an_end() -> None:
    assert voprf.direct(KEY, [b"a" * voprf.LONGEST])
    with pytest.raises(InputError, match="65,535"):
        voprf.direct(KEY, [b"a" * (voprf.LONGEST + 1)])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=80), min_size=1, max_size=4), st.binary(min_size=64, max_size=64))
def test_every_way_round_gives_the_same(inputs: list[bytes], octets: bytes) -> None:
    if not any(octets):
        return
    scalars = [voprf.scalar(hashlib.sha512(octets + bytes([n])).digest()) for n in range(len(inputs))]
    evaluated = voprf.evaluate(KEY, voprf.blind(inputs, scalars))
    assert voprf.finalize(inputs, scalars, evaluated) == voprf.direct(KEY, inputs)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=30, max_size=34), max_size=3), st.binary(min_size=64, max_size=64))
def test_hostile_octets_are_refused_and_nothing_else(elements: list[bytes], proof: bytes) -> None:
    try:
        evaluated = voprf.evaluate(KEY, elements)
        assert not voprf.verify(voprf.public_of(KEY), elements, evaluated, proof)
    except InputError:
        pass
