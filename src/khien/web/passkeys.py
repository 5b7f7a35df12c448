"""Passkeys (WebAuthn Level 3): what a browser is asked, and what its answer is worth.

A challenge is signed, so that nothing is kept of those that nobody answers; one that was answered is remembered until
it is over, so that no answer counts twice.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import Any, NamedTuple, cast

import msgspec
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.webauthn import (
    Aaguid,
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from khien.errors import RefusedError
from khien.model import Officer, Passkey

LIVES = timedelta(minutes=5)  # of a challenge
SIGN_IN = "sign-in"

_NONCE, _TIME = 16, 8  # bytes of a challenge, in front of its signature
_VERIFIED = UserVerificationRequirement.REQUIRED  # by PIN or body: having the device is not enough


class Recognised(NamedTuple):
    """Who signed a challenge, with their passkey as it now counts; cloned: it counted back, so two have its key."""

    officer: Officer
    passkey: Passkey
    cloned: bool


@dataclass(frozen=True)
class Passkeys:
    """Asks for passkeys and recognises them.

    key: of this process, signs its challenges. chance: so many random bytes.
    """

    key: bytes = field(repr=False)
    clock: Callable[[], datetime]
    chance: Callable[[int], bytes] = field(repr=False)
    _spent: dict[bytes, datetime] = field(default_factory=dict[bytes, datetime], init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def creation(self, name: str, officer: Officer) -> dict[str, Any]:
        """What a browser is asked for a new passkey of an officer's, for a site of this name."""
        user = PublicKeyCredentialUserEntity(
            id=sha256(officer.id.encode()).digest(), name=officer.id, display_name=officer.label
        )
        asked, _ = _server(name).register_begin(
            user,
            [_credential(each) for each in officer.passkeys],
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=_VERIFIED,
            challenge=self._challenge(_join(officer)),
        )
        return dict(asked)

    def made(self, name: str, origin: str, officer: Officer, label: str, answer: Mapping[str, Any]) -> Passkey:
        """The passkey that a browser made. RefusedError: not for this officer, site or moment, or not at all."""
        try:
            response = RegistrationResponse.from_dict(answer)
            state = self._state(response.response.client_data.challenge, _join(officer))
            proven = _server(name, origin).register_complete(state, response)
            made = proven.credential_data
            assert made is not None  # register_complete has looked
            if made.public_key.get(3) not in CoseKey.supported_algorithms():  # COSE alg, RFC 9052 section 7.1
                raise RefusedError("this passkey signs in a way we do not know: use another")
        except RefusedError:
            raise
        except Exception as error:  # whatever the library makes of what a stranger sent
            raise RefusedError("this is no passkey of yours for this site: try again") from error
        self._spend(response.response.client_data.challenge)
        return Passkey(
            id=_text(made.credential_id),
            key=_text(cbor.encode(dict(made.public_key))),
            label=label,
            used=proven.counter,
            made=self.clock(),
        )

    def request(self, name: str) -> dict[str, Any]:
        """What a browser is asked for a passkey of anybody's."""
        asked, _ = _server(name).authenticate_begin(user_verification=_VERIFIED, challenge=self._challenge(SIGN_IN))
        return dict(asked)

    def recognised(self, name: str, origin: str, officers: Sequence[Officer], answer: Mapping[str, Any]) -> Recognised:
        """Who answered. RefusedError: nobody we know, or not for this site or moment."""
        try:
            response = AuthenticationResponse.from_dict(answer)
            shown = _text(response.raw_id)
            officer, passkey = next((one, each) for one in officers for each in one.passkeys if each.id == shown)
            state = self._state(response.response.client_data.challenge, SIGN_IN)
            _server(name, origin).authenticate_complete(state, [_credential(passkey)], response)
        except RefusedError:
            raise
        except Exception as error:  # whatever the library makes of what a stranger sent
            raise RefusedError("this passkey lets nobody in here") from error
        self._spend(response.response.client_data.challenge)
        counter = response.response.authenticator_data.counter
        cloned = counter <= passkey.used and bool(counter or passkey.used)  # 0 for ever: it does not count
        return Recognised(officer, msgspec.structs.replace(passkey, used=counter), cloned)

    def _challenge(self, purpose: str) -> bytes:
        until = int((self.clock() + LIVES).timestamp())
        text = self.chance(_NONCE) + until.to_bytes(_TIME)
        return text + self._signature(text, purpose)

    def _signature(self, text: bytes, purpose: str) -> bytes:
        return hmac.digest(self.key, text + purpose.encode(), "sha256")

    def _state(self, challenge: bytes, purpose: str) -> dict[str, Any]:
        """What the library keeps of a challenge. RefusedError: it is not ours, not for this, over, or was answered."""
        text, signature = challenge[: _NONCE + _TIME], challenge[_NONCE + _TIME :]
        if not hmac.compare_digest(signature, self._signature(text, purpose)):
            raise RefusedError("this answers to no question of ours: load the page anew")
        if int.from_bytes(text[_NONCE:]) <= self.clock().timestamp() or challenge in self._spent:
            raise RefusedError("this answer came too late, or twice: load the page anew")
        return {"challenge": _text(challenge), "user_verification": _VERIFIED}

    def _spend(self, challenge: bytes) -> None:
        at = self.clock()
        with self._lock:
            for each in [each for each, until in self._spent.items() if until <= at]:
                del self._spent[each]
            if challenge in self._spent:  # another thread was faster
                raise RefusedError("this answer came twice: load the page anew")
            self._spent[challenge] = at + LIVES


def _server(name: str, origin: str = "") -> Fido2Server:
    """The library, for a site of this name that is opened under just this origin."""
    return Fido2Server(PublicKeyCredentialRpEntity(id=name, name="Khiên"), verify_origin=lambda met: met == origin)


def _join(officer: Officer) -> str:
    """What a challenge for a new passkey is for: it dies with the invitation."""
    return f"join {officer.id} {officer.invited}"


def _credential(passkey: Passkey) -> AttestedCredentialData:
    key = CoseKey.parse(cast("Mapping[int, Any]", cbor.decode(_bytes(passkey.key))))
    return AttestedCredentialData.create(Aaguid.NONE, _bytes(passkey.id), key)


def _text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
