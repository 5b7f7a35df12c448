"""DomainKeys Identified Mail: the signature of a message (RFC 6376), by RSA or Ed25519 (RFC 8463).

Both canonicalizations are "relaxed". What may not be added behind our back is signed once more than it is there.
"""

import hashlib
import re
from base64 import b64encode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from khien.errors import UnavailableError

Key = RSAPrivateKey | Ed25519PrivateKey

_ONCE = ("from", "to", "subject", "date", "message-id", "reply-to")  # a second one of these is a forgery
_LEAST_BITS = 1024  # RFC 8301 section 3.2
_WIDTH = 72  # characters of a signature on a line
_BLANKS = re.compile(rb"[ \t]+")
_FOLDS = re.compile(rb"\r\n(?=[ \t])")


def key(pem: bytes, whose: str) -> Key:
    """A private key; whose: the file it is of. UnavailableError: it is none that DKIM knows."""
    try:
        found = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnavailableError(f"{whose}: is no private key in PEM: make one with openssl genpkey") from None
    if isinstance(found, Ed25519PrivateKey) or (isinstance(found, RSAPrivateKey) and found.key_size >= _LEAST_BITS):
        return found
    raise UnavailableError(f"{whose}: is a key that DKIM does not take: give Ed25519, or RSA of 2048 bits")


def sign(message: bytes, domain: str, selector: str, key: Key) -> bytes:
    """A message with its signature in front. message: with CRLF, each field of its head once, as it will be sent."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields = _FOLDS.sub(b"", head).split(b"\r\n")
    names = [each.partition(b":")[0].strip().lower().decode("ascii") for each in fields]
    # a field that is named once more than it is there adds nothing to what is hashed: RFC 6376 section 5.4.2
    signed = ":\r\n ".join((*names, *(each for each in _ONCE if each in names)))
    algorithm = "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256"
    digest = b64encode(hashlib.sha256(_relaxed_body(body)).digest()).decode("ascii")
    unsigned = (
        f"DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector};\r\n"
        f" h={signed};\r\n bh={digest};\r\n b="
    ).encode("ascii")
    hashed = b"".join(_relaxed(each) + b"\r\n" for each in fields) + _relaxed(_FOLDS.sub(b"", unsigned))
    if isinstance(key, RSAPrivateKey):
        signature = key.sign(hashed, PKCS1v15(), SHA256())
    else:
        signature = key.sign(hashlib.sha256(hashed).digest())  # RFC 8463 section 3
    written = b64encode(signature)
    lines = b"\r\n ".join(written[at : at + _WIDTH] for at in range(0, len(written), _WIDTH))
    return unsigned + lines + b"\r\n" + message


def _relaxed(field: bytes) -> bytes:
    """A field of the head, on one line, as it is hashed: RFC 6376 section 3.4.2."""
    name, _, value = field.partition(b":")
    return name.strip().lower() + b":" + _BLANKS.sub(b" ", value).strip()


def _relaxed_body(body: bytes) -> bytes:
    """A body as it is hashed: RFC 6376 section 3.4.4."""
    lines = [_BLANKS.sub(b" ", each).rstrip(b" ") for each in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(each + b"\r\n" for each in lines)
