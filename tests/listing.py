"""Listings for tests: a store that has some, and the log of them."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien.audit import Audit
from khien.contracts import Store
from khien.listing import Known, propose
from khien.model import Listing, Text, Unit
from khien.pipeline.listings import Listings

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
EVIDENCE = "ab" * 32
_NOBODY = Known(popular=lambda _: "", official=lambda _: "")


def key() -> Ed25519PrivateKey:
    """The same one each time."""
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def log(
    store: Store, clock: Callable[[], datetime] = lambda: AT, known: Known = _NOBODY, audit: Audit | None = None
) -> Listings:
    """The log of listings of a store. audit: that of the store where it has one already."""
    return Listings(store, audit or Audit(key(), clock, secrets.token_bytes), key(), known)


def proposal(unit: Unit, value: str, **more: Any) -> Listing:
    """A listing of a site that was registered for harm."""
    given: dict[str, Any] = {
        "at": AT,
        "until": AT + timedelta(days=30),
        "site": "registered-for-harm",
        "harm": "fraud",
        "conduct": ("form",),
        "note": Text(vi="Trang hỏi mã OTP.", en="The page asks for a one-time code."),
        "evidence": EVIDENCE,
    }
    return propose(unit, value, **(given | more))
