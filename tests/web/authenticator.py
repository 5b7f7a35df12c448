"""A passkey in software: what a browser and its device would answer, and what liars would."""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor

PRESENT, VERIFIED, ATTESTED = 1, 4, 64  # WebAuthn Level 3 section 6.1


@dataclass
class Authenticator:
    """A device with one passkey, for a site of this name under this origin. counter: None where it does not count."""

    name: str
    origin: str
    counter: int | None = 0
    flags: int = PRESENT | VERIFIED
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """RegistrationResponseJSON to what a site asks for."""
        numbers = self.key.public_key().public_numbers()
        cose = cbor.encode({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        credential = bytes(16) + len(self.id).to_bytes(2) + self.id + cose
        made = cbor.encode({"fmt": "none", "attStmt": {}, "authData": self._spoken(ATTESTED) + credential})
        told = self._client(asked, "webauthn.create")
        return self._response({"clientDataJSON": text(told), "attestationObject": text(made)})

    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """AuthenticationResponseJSON to what a site asks for."""
        if self.counter is not None:
            self.counter += 1
        spoken, told = self._spoken(0), self._client(asked, "webauthn.get")
        signature = self.key.sign(spoken + sha256(told).digest(), ECDSA(SHA256()))
        parts = {"clientDataJSON": told, "authenticatorData": spoken, "signature": signature}
        return self._response({name: text(part) for name, part in parts.items()})

    def _spoken(self, more: int) -> bytes:
        return sha256(self.name.encode()).digest() + bytes([self.flags | more]) + (self.counter or 0).to_bytes(4)

    def _client(self, asked: dict[str, Any], type_: str) -> bytes:
        challenge = asked["publicKey"]["challenge"]
        told = {"type": type_, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _response(self, response: dict[str, str]) -> dict[str, Any]:
        shown = text(self.id)
        return {"id": shown, "rawId": shown, "response": response, "type": "public-key", "clientExtensionResults": {}}


def text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


def octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
