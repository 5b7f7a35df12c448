"""A keyed hash of what nobody shows: RFC 9497, mode VOPRF, suite ristretto255-SHA512.

Who asks blinds an input, who holds the key evaluates the blinded element and proves that it was this key, and who asks
takes the blind off: 64 octets that depend on input and key alone, without either having seen the other's. Chance comes
in as scalars, each made of 64 octets that nobody else knows and that are never used again (``scalar``).

A key may stand in shares of several holders, and is their sum. Each evaluates and proves as if there were no other; who
asks verifies each and adds up what they answered (``combine``). No holder ever knows the key.
"""

from collections.abc import Sequence
from hashlib import sha512
from hmac import compare_digest

from khien.breach import group
from khien.breach.group import scalar as scalar
from khien.errors import ContractError, InputError

SUITE = "ristretto255-SHA512"
ELEMENT = group.OCTETS  # octets of an element and of a key
PROOF = 2 * group.OCTETS
LONGEST = (1 << 16) - 1  # octets of an input

_CONTEXT = b"OPRFV1-\1-" + SUITE.encode()
_TO_GROUP, _TO_SCALAR = b"HashToGroup-" + _CONTEXT, b"HashToScalar-" + _CONTEXT
_DERIVE, _SEED = b"DeriveKeyPair" + _CONTEXT, b"Seed-" + _CONTEXT


def derive(seed: bytes, info: bytes) -> bytes:
    """The key of 32 octets of chance. RFC 9497 section 3.2.1, DeriveKeyPair."""
    if len(seed) != ELEMENT:
        raise ContractError(f"a key is made of {ELEMENT} octets, not of {len(seed)}")
    return group.hash_to_scalar(seed + _prefixed(info) + b"\0", _DERIVE)  # it is zero once in 2 to the 252


def public_of(key: bytes) -> bytes:
    """What proofs made with a key are verified with."""
    group.expect_scalars([key])
    return group.base(key)


def blind(inputs: Sequence[bytes], scalars: Sequence[bytes]) -> list[bytes]:
    """What is sent of each input; tells nothing of it to who does not know the scalar."""
    group.expect_scalars(scalars)
    return [group.times(by, _hashed(each)) for each, by in zip(inputs, scalars, strict=True)]


def evaluate(key: bytes, elements: Sequence[bytes]) -> list[bytes]:
    """What the holder of a key answers. InputError: one of the elements is none."""
    group.expect_scalars([key])
    return [group.times(key, each) for each in elements]


def prove(key: bytes, public: bytes, elements: Sequence[bytes], evaluated: Sequence[bytes], nonce: bytes) -> bytes:
    """That all of them were evaluated with the key of this public half. RFC 9497 section 2.2.1.

    nonce: a scalar; who learns it, or sees it used twice, knows the key.
    """
    group.expect_scalars([key, nonce])
    total = _weighed(_weights(public, elements, evaluated), elements)
    challenge = _challenge(public, total, group.times(key, total), group.base(nonce), group.times(nonce, total))
    return challenge + group.less(nonce, group.product(challenge, key))


def verify(public: bytes, elements: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes) -> bool:
    """Whether a proof holds: RFC 9497 section 2.2.2. InputError: an element, or the proof, is none."""
    if len(proof) != PROOF or not elements or len(elements) != len(evaluated):
        raise InputError(f"a proof is {PROOF} octets, about as many answers as were asked for")
    challenge, response = proof[:ELEMENT], proof[ELEMENT:]
    group.expect_scalars([challenge, response])
    weights = _weights(public, elements, evaluated)
    total, answered = _weighed(weights, elements), _weighed(weights, evaluated)
    of_base = group.add(group.base(response), group.times(challenge, public))
    of_total = group.add(group.times(response, total), group.times(challenge, answered))
    return compare_digest(challenge, _challenge(public, total, answered, of_base, of_total))


def combine(shares: Sequence[Sequence[bytes]]) -> list[bytes]:
    """What the holder of the whole key would answer, of what the holders of its shares did."""
    first, *more = shares
    made = list(first)
    for each in more:
        made = [group.add(one, other) for one, other in zip(made, each, strict=True)]
    return made


def finalize(inputs: Sequence[bytes], scalars: Sequence[bytes], evaluated: Sequence[bytes]) -> list[bytes]:
    """64 octets of each input, once the blind is off. RFC 9497 section 3.3.1."""
    group.expect_scalars(scalars)
    return [
        _output(each, group.times(group.inverse(by), answer))
        for each, by, answer in zip(inputs, scalars, evaluated, strict=True)
    ]


def direct(key: bytes, inputs: Sequence[bytes]) -> list[bytes]:
    """The same for who holds the whole key and may see the inputs."""
    group.expect_scalars([key])
    return [_output(each, group.times(key, _hashed(each))) for each in inputs]


def _hashed(input: bytes) -> bytes:
    if len(input) > LONGEST:
        raise InputError(f"an input has {LONGEST:,} octets at most")
    return group.hash_to_group(input, _TO_GROUP)


def _output(input: bytes, element: bytes) -> bytes:
    return sha512(_prefixed(input) + _prefixed(element) + b"Finalize").digest()


def _weights(public: bytes, elements: Sequence[bytes], evaluated: Sequence[bytes]) -> list[bytes]:
    """By which elements and answers are added up: nobody knows them before all of both are fixed."""
    seed = sha512(_prefixed(public) + _prefixed(_SEED)).digest()
    pairs = enumerate(zip(elements, evaluated, strict=True))
    told = (_prefixed(seed) + at.to_bytes(2, "big") + _prefixed(one) + _prefixed(other) for at, (one, other) in pairs)
    return [group.hash_to_scalar(each + b"Composite", _TO_SCALAR) for each in told]


def _weighed(weights: Sequence[bytes], elements: Sequence[bytes]) -> bytes:
    first, *more = (group.times(by, each) for by, each in zip(weights, elements, strict=True))
    for each in more:
        first = group.add(first, each)
    return first


def _challenge(*elements: bytes) -> bytes:
    return group.hash_to_scalar(b"".join(map(_prefixed, elements)) + b"Challenge", _TO_SCALAR)


def _prefixed(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets
