"""Signatures of mail hold for a verifier that was written from RFC 6376 apart from the signer."""

import hashlib
import re
from base64 import b64decode, b64encode
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from khien.channels.mail import dkim
from khien.errors import UnavailableError

# RFC 8463, appendix A: the Ed25519 half
PRIVATE = b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
PUBLIC = b64decode("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
PUBLISHED = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")

Public = ed25519.Ed25519PublicKey | rsa.RSAPublicKey
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(PRIVATE)


def pem(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def verify(message: bytes, public: Public) -> dict[str, str]:
    """The tags of the first signature. InvalidSignature: it does not hold."""
    head, body = re.fullmatch(rb"(.*?\r\n)\r\n(.*)", message, re.DOTALL).groups()
    fields = re.findall(rb"([!-9;-~]+)[ \t]*:((?:[^\r]|\r\n[ \t])*)\r\n", head)
    assert b"".join(b"%b:%b\r\n" % each for each in fields).replace(b" ", b"") == head.replace(b" ", b"")
    relaxed = [
        (name.lower(), re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" ")) for name, value in fields
    ]
    at = next(n for n, (name, _) in enumerate(relaxed) if name == b"dkim-signature")
    written = relaxed[at][1]
    tags = {
        name.strip(): "".join(value.split())
        for name, _, value in (tag.partition("=") for tag in written.decode().split(";") if tag.strip())
    }
    body = re.sub(rb"[ \t]+(?=\r\n)", b"", re.sub(rb"[ \t]+", b" ", body))
    body = body.rstrip(b"\r\n") + b"\r\n" if body.strip(b"\r\n") else b""
    if b64encode(hashlib.sha256(body).digest()).decode() != tags["bh"]:
        raise InvalidSignature("the body is another")
    left = [each for n, each in enumerate(relaxed) if n != at]
    hashed = b""
    for wanted in tags["h"].lower().encode().split(b":"):
        found = next((each for each in reversed(left) if each[0] == wanted), None)
        if found is not None:
            left.remove(found)
            hashed += b"%b:%b\r\n" % found
    hashed += b"dkim-signature:" + re.sub(rb"(\bb=)[^;]*", rb"\1", written.replace(b"bh=", b"\0")).replace(
        b"\0", b"bh="
    )
    signature = b64decode(tags["b"])
    if isinstance(public, rsa.RSAPublicKey):
        assert tags["a"] == "rsa-sha256"
        public.verify(signature, hashed, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert tags["a"] == "ed25519-sha256"
        public.verify(signature, hashlib.sha256(hashed).digest())
    return tags


def made(body: str = "Xin chào\n\n  hai   khoảng  trắng \t\n.\n..dots\n\n\n") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Khiên <warn@csirt.example>"
    message["To"] = "soc@bank.example"
    message["Subject"] = "Tên miền nhái rất dài, dài đến nỗi phải gập dòng lại nhiều lần mới viết hết được nó"
    message["List-Unsubscribe"] = "<https://warn.csirt.example/vi/unsubscribe/1/2>"
    message.set_content(body, cte="quoted-printable")
    return message.as_bytes()


@pytest.fixture(scope="module")
def keys() -> list[tuple[dkim.Key, Public]]:
    private = rsa.generate_private_key(65537, 2048)
    return [(private, private.public_key()), (ED25519, ED25519.public_key())]


def test_the_verifier_takes_what_the_rfc_publishes() -> None:
    assert verify(PUBLISHED, ed25519.Ed25519PublicKey.from_public_bytes(PUBLIC))["s"] == "brisbane"
    with pytest.raises(InvalidSignature):
        verify(PUBLISHED.replace(b"hungry", b"angry"), ED25519.public_key())


def test_our_body_hash_and_header_hash_are_those_of_the_rfc() -> None:
    signed = dkim.sign(PUBLISHED.partition(b"Q1Dw==\r\n")[2], "football.example.com", "brisbane", ED25519)
    tags = verify(signed, ED25519.public_key())
    assert tags["bh"] == "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="


@pytest.mark.parametrize("body", ["", "\n", "one line", "Xin chào\n\n  hai   khoảng  trắng \t\n.\n..dots\n\n\n"])
def test_what_is_signed_verifies(body: str, keys: list[tuple[dkim.Key, Public]]) -> None:
    for private, public in keys:
        signed = dkim.sign(made(body), "csirt.example", "s1", dkim.key(pem(private), "key.pem"))
        assert signed.endswith(made(body))
        tags = verify(signed, public)
        assert (tags["d"], tags["s"], tags["v"]) == ("csirt.example", "s1", "1")
        assert {"from", "to", "subject", "list-unsubscribe"} <= set(tags["h"].split(":"))
        assert max(map(len, signed.partition(b"\r\nFrom")[0].split(b"\r\n"))) <= 100


def test_what_was_changed_or_added_does_not(keys: list[tuple[dkim.Key, Public]]) -> None:
    for private, public in keys:
        signed = dkim.sign(made(), "csirt.example", "s1", private)
        for changed in (
            signed.replace(b"dots", b"dotz"),
            signed.replace(b"soc@bank", b"ceo@bank"),
            signed.replace(b"\r\nFrom:", b"\r\nFrom: somebody@evil.example\r\nFrom:", 1),
            signed.replace(b"\r\nSubject:", b"\r\nSubject: click here\r\nSubject:", 1),
        ):
            with pytest.raises(InvalidSignature):
                verify(changed, public)


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"-----BEGIN PRIVATE" + b" KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
)
def test_what_is_no_key_is_named(given: bytes) -> None:
    with pytest.raises(UnavailableError, match=r"dkim\.pem: is"):
        dkim.key(given, "dkim.pem")
