"""Addresses of people who wish to be told, sealed: whoever seals one cannot open it.

An anonymous box to one public key: X25519 with a key that is used once (RFC 7748), HKDF-SHA256 over what both sides
share (RFC 5869), ChaCha20-Poly1305 (RFC 8439). All boxes are of one length: that of an address does not show.
"""

from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from khien.errors import CustodyError, InputError

KEY = "wishes"  # the key of the house by which they are opened
LONGEST = 254  # octets of an address, RFC 5321 erratum 1690

_OCTETS = 32  # of a key
_NONCE = bytes(12)  # each key seals one box
_LABEL = b"khien wish 1"


def public_of(key: bytes) -> bytes:
    """What is sealed to, of 32 octets: the public half of a key."""
    return X25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


def seal(address: str, public: bytes, chance: bytes) -> str:
    """An address in a box, base64. chance: 32 octets that are used for nothing else. InputError: it is too long."""
    text = address.encode()
    if len(text) > LONGEST:
        raise InputError(f"an address has {LONGEST} octets at most")
    once = X25519PrivateKey.from_private_bytes(chance)
    front = once.public_key().public_bytes_raw()
    shared = once.exchange(X25519PublicKey.from_public_bytes(public))
    padded = len(text).to_bytes(2, "big") + text.ljust(LONGEST, b"\0")
    return b64encode(front + _cipher(shared, front + public).encrypt(_NONCE, padded, _LABEL)).decode("ascii")


def opened(sealed: str, key: bytes) -> str:
    """The address in a box. CustodyError: it was changed, or sealed to another key."""
    damaged = CustodyError("a wish does not open: it was changed, or sealed to another key")
    try:
        box = b64decode(sealed, validate=True)
        front, rest = box[:_OCTETS], box[_OCTETS:]
        shared = X25519PrivateKey.from_private_bytes(key).exchange(X25519PublicKey.from_public_bytes(front))
        padded = _cipher(shared, front + public_of(key)).decrypt(_NONCE, rest, _LABEL)
        return padded[2 : 2 + int.from_bytes(padded[:2], "big")].decode()
    except (ValueError, InvalidTag):  # also of what is no base64, no point, no UTF-8
        raise damaged from None


def _cipher(shared: bytes, keys: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), _OCTETS, salt=keys, info=_LABEL).derive(shared))
