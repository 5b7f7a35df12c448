"""People with a role: how they come, what lets them in, and how they leave."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from khien.contracts import Store
from khien.errors import InputError, RefusedError
from khien.model import ROLES, Officer, Pass, Passkey, Record, Role

MOST = 500  # officers of one house
MOST_PASSKEYS = 10  # of one officer
TOKEN = "khien_"  # how a token begins, so that whoever finds one knows what it is

INVITED = timedelta(days=3)
SESSION = timedelta(hours=12)
LONGEST_TOKEN = timedelta(days=366)

_ID = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*")
_LONGEST_ID, _LONGEST_LABEL = 40, 100
_SECRET = 32  # bytes of chance in what lets an officer in
_CODE = 10  # bytes of chance in a code of an invitation: one in 2^80, and it dies in three days
_MOST_PASSES = 100_000  # of one officer, those over long ago among them


class Admitted(NamedTuple):
    """Who is let in, by what; role: the lesser of the officer's and of what let them in."""

    officer: Officer
    by: Pass
    role: Role


def may(role: Role, needed: Role) -> bool:
    """Whether a role is enough."""
    return ROLES.index(role) >= ROLES.index(needed)


def every(store: Store) -> Sequence[Officer]:
    """All officers, those who left too, by id."""
    return store.find(Officer, limit=MOST)


def one(store: Store, id: str) -> Officer:
    """An officer who works here. InputError: there is none of that name."""
    found = store.load(Officer, id).get(id)
    if found is None or found.left:
        raise InputError(f"no officer is called {id!r}: khien officers lists them")
    return found


def digest(secret: str) -> str:
    """By which a secret is kept."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def secret(chance: Callable[[int], bytes]) -> str:
    """What lets an officer in, made by chance."""
    return base64.urlsafe_b64encode(chance(_SECRET)).decode().rstrip("=")


def code(chance: Callable[[int], bytes]) -> str:
    """A code that a person can type, made by chance."""
    text = base64.b32encode(chance(_CODE)).decode().lower()
    return "-".join(text[n : n + 4] for n in range(0, len(text), 4))


def invite(
    store: Store, id: str, code: str, at: datetime, *, label: str = "", role: Role | None = None, anew: bool = False
) -> list[Record]:
    """An officer who may bring a passkey for three days: a new one, or one more for who is here.

    label, role: empty to keep what is known. anew: what let them in until now does so no more. InputError: the id is
    none, or a new officer has no role.
    """
    if not _ID.fullmatch(id) or len(id) > _LONGEST_ID:
        raise InputError(f"{id[:_LONGEST_ID]!r} is no officer's name: small letters, digits, single dots and hyphens")
    if len(label) > _LONGEST_LABEL or not label.isprintable():
        raise InputError(f"what people call {id} has at most {_LONGEST_LABEL} printable characters")
    known = store.load(Officer, id).get(id)
    revoked = [revoke(each, at) for each in passes(store, id, at)] if anew else []
    if known is None or known.left:
        if role is None:
            raise InputError(f"{id} is new here: give a role, {', '.join(ROLES)}")
        if known is None and len(every(store)) >= MOST:
            raise InputError(f"there are {MOST} officers, and no room for more")
        known = Officer(id=id, label=id, role=role)
    return [
        msgspec.structs.replace(
            known,
            label=label or known.label,
            role=role or known.role,
            passkeys=() if anew else known.passkeys,
            invited=digest(_typed(code)),
            invited_until=at + INVITED,
        ),
        *revoked,
    ]


def expect_invited(officer: Officer | None, code: str, at: datetime) -> Officer:
    """The officer whom a code invites. RefusedError: nobody; it does not say why."""
    known = officer.invited if officer else ""
    right = hmac.compare_digest(digest(_typed(code)), known or digest(""))
    if officer is None or officer.left or not known or not right or (officer.invited_until or at) <= at:
        raise RefusedError("this name and this code let nobody in: ask for another invitation")
    return officer


def _typed(code: str) -> str:
    """A code however it was typed."""
    return "".join(each for each in code.lower() if each.isalnum())


def join(officer: Officer, passkey: Passkey, others: Sequence[Officer]) -> Officer:
    """An invited officer with their passkey; the invitation is used up.

    InputError: they have too many, or it is one of others' already.
    """
    if any(each.id == passkey.id for other in others for each in other.passkeys):
        raise InputError("this passkey lets somebody in already: bring another")
    if len(officer.passkeys) >= MOST_PASSKEYS:
        raise InputError(f"{officer.id} has {MOST_PASSKEYS} passkeys: invite them anew")
    keys = (*officer.passkeys, passkey)
    return msgspec.structs.replace(officer, passkeys=keys, invited="", invited_until=None)


def grant(officer: Officer, role: Role) -> Officer:
    """An officer with another role; who is signed in already may not do more by it before they sign in again."""
    return msgspec.structs.replace(officer, role=role)


def leave(store: Store, officer: Officer, at: datetime) -> list[Record]:
    """An officer who works here no more: nothing lets them in from now on."""
    left = msgspec.structs.replace(officer, passkeys=(), invited="", invited_until=None, left=at)
    return [left, *(revoke(each, at) for each in passes(store, officer.id, at))]


def passes(store: Store, officer: str, at: datetime) -> list[Pass]:
    """What lets an officer in just now."""
    return [each for each in store.find(Pass, officer=officer, limit=_MOST_PASSES) if each.until > at]


def session(officer: Officer, secret: str, at: datetime) -> Pass:
    """What a browser of an officer's shows."""
    return Pass(id=digest(secret), officer=officer.id, kind="session", role=officer.role, made=at, until=at + SESSION)


def token(caller: Admitted, secret: str, label: str, role: Role, days: int, at: datetime) -> Pass:
    """What a program of an officer's shows. InputError: it would live too long, or may more than its officer."""
    if not 0 < days <= LONGEST_TOKEN.days:
        raise InputError(f"a token lives for 1 to {LONGEST_TOKEN.days} days")
    if not may(caller.role, role):
        raise InputError(f"a token of yours may do at most what the role {caller.role} may")
    if not label.strip() or len(label) > _LONGEST_LABEL or not label.isprintable():
        raise InputError("a token has a label that says what it is for")
    until = at + timedelta(days=days)
    return Pass(
        id=digest(secret), officer=caller.officer.id, kind="token", role=role, label=label, made=at, until=until
    )


def revoke(let: Pass, at: datetime) -> Pass:
    """A pass that lets nobody in any more."""
    return msgspec.structs.replace(let, until=min(let.until, at))


def admitted(store: Store, secret: str, at: datetime) -> Admitted | None:
    """Whom a secret lets in; looked up by its digest, so that how long it takes tells nothing of it."""
    found = store.load(Pass, digest(secret)).get(digest(secret))
    if found is None or found.until <= at:
        return None
    officer = store.load(Officer, found.officer).get(found.officer)
    if officer is None or officer.left:
        return None
    return Admitted(officer, found, officer.role if may(found.role, officer.role) else found.role)
