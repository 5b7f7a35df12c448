"""The group ristretto255 (RFC 9496): elements and scalars as octets, hashed to as RFC 9380 has it.

The arithmetic is libsodium's, in constant time, called without the checks that rbcl makes around it in Python; calls
let go of the interpreter's lock. Elements are 32 octets; scalars are 32 octets, little-endian, below the order of the
group and never zero.
"""

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha512

from rbcl._sodium import _sodium as _library  # pyright: ignore[reportPrivateUsage] # the package makes it ready
from rbcl._sodium import lib_path

from khien.errors import ContractError, InputError

OCTETS = 32  # of an element, and of a scalar
WIDE = 64  # octets of chance from which a scalar is made: its bias is below 2 to the -255
ORDER = (1 << 252) + 27742317777372353535851937790883648493

_sodium: ctypes.CDLL = _library
_Octets = ctypes.c_char * OCTETS
_BLOCK = bytes(128)  # of SHA-512
_START = sha512(_BLOCK)

with suppress(OSError):  # it is loaded: rbcl writes the library anew for each process, and would leave the file
    os.unlink(lib_path)


def scalar(chance: bytes) -> bytes:
    """A scalar of 64 octets of chance, or of a wide hash."""
    if len(chance) != WIDE:
        raise ContractError(f"a scalar is made of {WIDE} octets, not of {len(chance)}")
    made = _Octets()
    _sodium.crypto_core_ristretto255_scalar_reduce(made, chance)
    return _expect_scalar(made.raw)


def expect_scalars(scalars: Sequence[bytes]) -> None:
    """InputError: one of them is zero, too large or of another length."""
    for each in scalars:
        _expect_scalar(each)


def _expect_scalar(octets: bytes) -> bytes:
    if len(octets) != OCTETS or not 0 < int.from_bytes(octets, "little") < ORDER:
        raise InputError(f"this is no scalar of ristretto255: give {OCTETS} octets, below the order and not all zero")
    return octets


def base(scalar: bytes) -> bytes:
    """The generator, so many times."""
    made = _Octets()
    if _sodium.crypto_scalarmult_ristretto255_base(made, scalar):
        raise InputError("this scalar is zero")
    return made.raw


def times(scalar: bytes, element: bytes) -> bytes:
    """An element, so many times. InputError: it is the identity, or is not written as RFC 9496 section 4.3.1 asks."""
    made = _Octets()
    if len(element) != OCTETS or _sodium.crypto_scalarmult_ristretto255(made, scalar, element):
        raise InputError(
            f"this is no element of ristretto255: give {OCTETS} octets of a canonical one, not the identity"
        )
    return made.raw


def add(one: bytes, other: bytes) -> bytes:
    """The sum of two elements. InputError: one is none."""
    made = _Octets()
    if len(one) != OCTETS or len(other) != OCTETS or _sodium.crypto_core_ristretto255_add(made, one, other):
        raise _no_element()
    return made.raw


def _no_element() -> InputError:
    return InputError(f"this is no element of ristretto255: give the {OCTETS} octets of one, and not the identity")


def less(one: bytes, other: bytes) -> bytes:
    """The difference of two scalars."""
    made = _Octets()
    _sodium.crypto_core_ristretto255_scalar_sub(made, one, other)
    return made.raw


def product(one: bytes, other: bytes) -> bytes:
    """The product of two scalars."""
    made = _Octets()
    _sodium.crypto_core_ristretto255_scalar_mul(made, one, other)
    return made.raw


def inverse(scalar: bytes) -> bytes:
    """What a scalar gives 1 with."""
    made = _Octets()
    _sodium.crypto_core_ristretto255_scalar_invert(made, scalar)
    return made.raw


def hash_to_group(message: bytes, domain: bytes) -> bytes:
    """An element whose multiple of the generator nobody knows. RFC 9380 appendix B."""
    made = _Octets()
    _sodium.crypto_core_ristretto255_from_hash(made, _expand(message, domain))
    return made.raw


def hash_to_scalar(message: bytes, domain: bytes) -> bytes:
    """RFC 9497 section 4.1."""
    return scalar(_expand(message, domain))


def _expand(message: bytes, domain: bytes) -> bytes:
    """64 octets. RFC 9380 section 5.3.1 for SHA-512, where they are a single block."""
    separated = domain + bytes((len(domain),))
    first = _START.copy()
    first.update(message + b"\0\x40\0" + separated)
    return sha512(first.digest() + b"\1" + separated).digest()
