"""Links that only who was sent them knows, and codes that citizens read out: derived from a key, nothing is stored.

A token is for one purpose and one id, so that what opens a notice opens neither another one nor a feed. Guessing one of
130 bits is hopeless; a code is short enough to type, so whoever checks one bounds how often it may be tried.
"""

import hmac
from base64 import b32encode
from collections.abc import Iterable

NOTICE, UNSUBSCRIBE, FEED = "notice", "unsubscribe", "feed"  # purposes: of a notice, a delivery, a constituent
MATCH = "match"  # of a constituent, or of who was named to us: asks about accounts without a limit
CITIZEN = "citizen"  # the sector of who is sent a code and no link

_LENGTH = 26  # characters of a token, five bits each
_LETTERS = "23456789ACDEFGHJKMNPQRTVWXY"  # no two are read as each other
_CODE = 10  # characters of a code: 47 bits
_READ_AS = str.maketrans("SBZU", "582V")


def token(key: bytes, purpose: str, id: str) -> str:
    """What a link carries: 26 lower-case letters and digits (base32 of an HMAC-SHA256, RFC 4648 and 2104)."""
    return b32encode(_digest(key, purpose, id)).decode("ascii")[:_LENGTH].lower()


def check(said: str, key: bytes, purpose: str, id: str) -> bool:
    """Whether a token is right, in the same time whatever is wrong with it."""
    return hmac.compare_digest(said.lower().encode(), token(key, purpose, id).encode())


def code(key: bytes, notice: str) -> str:
    """What a citizen types to ask whether a notice is ours: ``ABCDE-FGHJK``."""
    number = int.from_bytes(_digest(key, "code", notice), "big")
    letters: list[str] = []
    for _ in range(_CODE):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    half = _CODE // 2
    return f"{''.join(letters[:half])}-{''.join(letters[half:])}"


def whose(said: str, key: bytes, notices: Iterable[str]) -> str | None:
    """Of these notices, by id, the one whose code was typed, in whatever case and with blanks; all are looked at."""
    written = "".join(each for each in said.upper() if each.isalnum()).translate(_READ_AS).encode()
    found = None
    for notice in notices:
        if hmac.compare_digest(written, code(key, notice).replace("-", "").encode()):
            found = notice
    return found


def notice_path(key: bytes, language: str, notice: str) -> str:
    """Where the site shows a notice to whom it was sent."""
    return f"/{language}/notices/{notice}/{token(key, NOTICE, notice)}"


def unsubscribe_path(key: bytes, language: str, delivery: str) -> str:
    """Where a POST ends what is sent to the address of a delivery (RFC 8058)."""
    return f"/{language}/unsubscribe/{delivery}/{token(key, UNSUBSCRIBE, delivery)}"


def feed_path(key: bytes, constituent: str) -> str:
    """The folder of a constituent's feeds."""
    return f"/feeds/{constituent}/{token(key, FEED, constituent)}"


def _digest(key: bytes, purpose: str, id: str) -> bytes:
    return hmac.digest(key, f"{purpose}\0{id}".encode(), "sha256")
