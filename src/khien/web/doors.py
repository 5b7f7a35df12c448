"""Who may come in where: the table of all routes, the guard that keeps it, and the officer who is signed in.

A route needs a row in ACCESS and no guard of its own: that of the site looks it up, and refuses what is not there. A
handler that asks who acts takes ``officer: Signed`` (officers.Admitted). The page of the roles in the documentation is
made from this table.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException, TooManyRequestsException
from litestar.handlers import BaseRouteHandler
from litestar.params import SkipValidation

from khien import officers, words
from khien.audit import Act, Audit
from khien.contracts import Store
from khien.errors import RefusedError
from khien.model import Record, Role
from khien.officers import Admitted
from khien.pipeline.saving import audited
from khien.web.passkeys import Passkeys

Least = Role | Literal["anyone"]
Connection = ASGIConnection[Any, Any, Any, Any]

ACCESS: Mapping[str, Least] = {  # method and path, {lang} for the language, to the least role
    "GET /": "anyone",
    "GET /static/{file_path}": "anyone",
    "GET /{lang}": "anyone",
    "GET /{lang}/findings": "anyone",
    "GET /{lang}/findings/{id}": "anyone",
    "GET /{lang}/check": "anyone",
    "POST /{lang}/check": "anyone",
    "GET /{lang}/errors": "anyone",
    "GET /{lang}/figures": "anyone",
    "GET /{lang}/learn": "anyone",
    "GET /{lang}/learn/{id}": "anyone",
    "GET /{lang}/learn/quiz": "anyone",
    "POST /{lang}/learn/quiz": "anyone",
    "GET /{lang}/learn/kit": "anyone",
    "GET /{lang}/learn/kit/{name}": "anyone",
    "GET /{lang}/help": "anyone",
    "GET /{lang}/help/{id}": "anyone",
    "GET /{lang}/help/{id}/{near}": "anyone",
    "GET /{lang}/help/w": "anyone",
    "GET /{lang}/help/w/{number}": "anyone",
    "GET /{lang}/watch": "anyone",
    "GET /{lang}/listings": "anyone",
    "GET /{lang}/listings/{id}": "anyone",
    "GET /{lang}/listings/{id}/appeal": "anyone",
    "POST /{lang}/listings/{id}/appeal": "anyone",  # what stands in their DNS or at their host says whose it is
    "GET /lists/{name}": "anyone",
    "GET /ledger/{path}": "anyone",
    "GET /ledger/leaf/{index}": "anyone",
    "GET /ledger/proof/{index}": "anyone",
    "GET /api": "anyone",
    "GET /api/openapi.json": "anyone",
    "GET /api/{path}": "anyone",  # what Litestar answers 404 to
    "GET /api/picture": "anyone",
    "GET /api/figures": "anyone",
    "GET /api/findings": "anyone",
    "GET /api/findings/{id}": "anyone",
    "POST /api/check": "anyone",
    "GET /{lang}/desk": "anyone",
    "POST /{lang}/desk/challenge": "anyone",
    "POST /{lang}/desk/sign-in": "anyone",
    "GET /{lang}/desk/join": "anyone",
    "POST /{lang}/desk/join/challenge": "anyone",
    "POST /{lang}/desk/join": "anyone",
    "POST /{lang}/desk/sign-out": "viewer",
    "POST /{lang}/desk/tokens": "viewer",
    "POST /{lang}/desk/revoke": "viewer",
    "GET /{lang}/desk/audit": "viewer",
    "GET /{lang}/desk/audit/{index}": "viewer",
    "GET /{lang}/desk/officers": "administrator",
    "POST /{lang}/desk/officers/invite": "administrator",
    "POST /{lang}/desk/officers/role": "administrator",
    "POST /{lang}/desk/officers/leave": "administrator",
    "GET /{lang}/notices/{id}/{token}": "anyone",  # the token says who it is
    "POST /{lang}/notices/{id}/{token}": "anyone",
    "GET /{lang}/unsubscribe/{id}/{token}": "anyone",
    "POST /{lang}/unsubscribe/{id}/{token}": "anyone",
    "GET /{lang}/code": "anyone",
    "POST /{lang}/code": "anyone",
    "GET /feeds/{constituent}/{token}/atom.xml": "anyone",
    "GET /feeds/{constituent}/{token}/cap/{name}": "anyone",
    "GET /breach/keys": "anyone",
    "POST /breach/evaluate": "anyone",  # a network so much an hour; with a constituent's token without limit
    "GET /breach/accounts/{epoch}/{prefix}": "anyone",  # of two digits: with that token
    "GET /breach/collections": "anyone",
    "POST /breach/prove": "anyone",
    "POST /breach/proven": "anyone",  # the code says whose address it is
    "GET /metrics": "anyone",  # of this machine; else a viewer's token
    "GET /{lang}/desk/sources": "viewer",
    "GET /{lang}/desk/notices": "viewer",
    "GET /{lang}/desk/notices/{id}": "viewer",
    "POST /{lang}/desk/notices/{id}": "officer",
    "GET /{lang}/desk/findings/{id}": "viewer",
    "POST /{lang}/desk/findings/{id}": "officer",
    "GET /{lang}/desk/takedowns": "viewer",
    "POST /{lang}/desk/takedowns": "approver",
    "GET /{lang}/desk/takedowns/{id}": "viewer",
    "POST /{lang}/desk/takedowns/{id}": "approver",
    "GET /{lang}/desk/listings": "viewer",
    "GET /{lang}/desk/listings/{id}": "viewer",
    "POST /{lang}/desk/listings/{id}": "approver",
    "GET /{lang}/desk/constituents": "viewer",
    "GET /{lang}/desk/constituents/{id}": "viewer",
    "POST /{lang}/desk/constituents/{id}/assets": "officer",
    "POST /{lang}/desk/constituents/{id}/proofs": "officer",
    "GET /api/sources": "viewer",
    "GET /api/notices": "viewer",
    "GET /api/notices/{id}": "viewer",
    "POST /api/notices/{id}": "officer",
    "POST /api/findings/{id}": "officer",
    "GET /api/takedowns": "viewer",
    "POST /api/takedowns": "approver",
    "GET /api/takedowns/{id}": "viewer",
    "POST /api/takedowns/{id}/close": "approver",
    "GET /api/constituents": "viewer",
    "GET /api/constituents/{id}": "viewer",
    "POST /api/constituents/{id}/assets": "officer",
    "POST /api/constituents/{id}/proofs": "officer",
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")

STATE = "doors"  # under which the application keeps them

_BEARER = {"WWW-Authenticate": "Bearer"}
_MINUTE = timedelta(minutes=1)
_TRIES = 10  # that fail, from one network in a minute, until no more are looked at
_GUESSES = 60  # at one thing in a minute, from everywhere
_KEY = 32  # bytes
_REMEMBERED = 10_000  # networks, and refusals
_LONGEST_ADDRESS = 64  # characters, with a port
_WITH_PORT = re.compile(r"\[([0-9a-fA-F:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")

T = TypeVar("T")


class _Counted(NamedTuple):
    """What happened since a time: how often."""

    since: datetime
    times: int


class _Lately:
    """Counts by key over a minute, of the latest keys only."""

    def __init__(self) -> None:
        self._met = OrderedDict[str, _Counted]()
        self._lock = Lock()

    def count(self, key: str, at: datetime) -> int:
        """How often that was lately."""
        met = self._met.get(key)
        return met.times if met and at - met.since < _MINUTE else 0

    def add(self, key: str, at: datetime) -> int:
        """One more; answers how often it was lately."""
        with self._lock:
            times = self.count(key, at) + 1
            self._met[key] = _Counted(at if times == 1 else self._met[key].since, times)
            self._met.move_to_end(key)
            if len(self._met) > _REMEMBERED:
                self._met.popitem(last=False)
        return times


@dataclass(frozen=True)
class Doors:
    """Lets officers in, and keeps account of what was refused."""

    store: Store
    audit: Audit
    passkeys: Passkeys = field(init=False, repr=False)
    _tries: _Lately = field(default_factory=_Lately, init=False, repr=False)
    _refusals: _Lately = field(default_factory=_Lately, init=False, repr=False)
    _guesses: _Lately = field(default_factory=_Lately, init=False, repr=False)

    def __post_init__(self) -> None:
        key = self.audit.chance(_KEY)
        object.__setattr__(self, "passkeys", Passkeys(key, self.audit.clock, self.audit.chance))

    def admit(self, connection: Connection) -> Admitted | None:
        """Whom a request comes from: by a token in the header Authorization, else by the cookie of a session.

        NotAuthorizedException: a token lets nobody in. TooManyRequestsException: many did not, lately.
        """
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.attempt(connection, lambda: self._by_token(token.strip()))
        secret = connection.cookies.get(cookie(connection)[0], "")
        found = officers.admitted(self.store, secret, self.audit.clock()) if secret else None
        return found if found and found.by.kind == "session" else None

    def _by_token(self, token: str) -> Admitted:
        found = officers.admitted(self.store, token, self.audit.clock())
        if found is None or found.by.kind != "token":
            raise RefusedError("this token lets nobody in")
        return found

    def attempt(self, connection: Connection, try_it: Callable[[], T], what: str = "") -> T:
        """Tries what somebody might guess at: from where ten in a minute failed, no more are looked at.

        what: at which of many it is tried. Each counts by itself, and while many fail from everywhere, no second one is
        looked at from where one did; so nobody keeps out who knows, and is elsewhere. NotAuthorizedException: it was
        refused. TooManyRequestsException: it was not looked at.
        """
        at, from_ = self.audit.clock(), f"{network(connection)} {what}"
        most = 1 if what and self._guesses.count(what, at) >= _GUESSES else _TRIES
        if self._tries.count(from_, at) >= most:
            raise _too_many()
        try:
            return try_it()
        except RefusedError as error:
            self._tries.add(from_, at)
            if what:
                self._guesses.add(what, at)
            self.refused("", route(connection))
            raise NotAuthorizedException(str(error), headers=_BEARER) from error

    def ration(self, what: str) -> None:
        """Counts a try that tells nothing of who makes it. TooManyRequestsException: all together made many lately."""
        if self._guesses.add(what, self.audit.clock()) > _GUESSES:
            raise _too_many()

    def expect(self, connection: Connection, least: Role) -> Admitted:
        """Whom a request comes from. NotAuthorizedException: nobody. PermissionDeniedException: not with this role."""
        found = self.admit(connection)
        if found is None:
            raise NotAuthorizedException("sign in, or show a token", headers=_BEARER)
        if not officers.may(found.role, least):
            self.refused(found.officer.id, route(connection))
            raise PermissionDeniedException(f"this takes the role {least}", extra={"role": least})
        return found

    def refused(self, by: str, what: str) -> None:
        """Enters in the audit that somebody was refused: once a minute, however often they try."""
        if self._refusals.add(f"{by} {what}", self.audit.clock()) == 1:
            self.did(Act(by, "refused", what))

    def did(self, *acts: Act, decide: Callable[[], Sequence[Record]] = tuple) -> None:
        """Saves what is decided, and that it was done, in one."""
        audited(self.store, self.audit, decide, *acts)


def _too_many() -> TooManyRequestsException:
    return TooManyRequestsException("too many tries: wait a minute", headers={"Retry-After": "60"})


async def keep(connection: Connection, _route: BaseRouteHandler) -> None:
    """The guard of every route: lets in who has the role that ACCESS asks for."""
    if connection.scope["type"] != "http" or connection.scope["method"] == "OPTIONS":
        return
    least = ACCESS.get(route(connection))
    if least is None:
        raise PermissionDeniedException("nobody may come in here: web.doors.ACCESS does not know it")
    if least != "anyone":
        connection.state.admitted = await sync_to_thread(connection.app.state[STATE].expect, connection, least)


def route(connection: Connection) -> str:
    """A request as ACCESS names it."""
    method, path = str(connection.scope.get("method")), connection.scope["path_template"]
    _, first, *rest = path.split("/")
    if first in words.LANGUAGES:
        path = "/".join(("", "{lang}", *rest))
    return f"{'GET' if method == 'HEAD' else method} {path}"


def officer(request: Request[Any, Any, Any]) -> Admitted:
    """Who acts: a dependency for routes that take a role."""
    return request.state.admitted


def caller(request: Request[Any, Any, Any]) -> Admitted | None:
    """Who is signed in, if somebody is: a dependency for routes that anyone may see."""
    return request.state.get("admitted") or request.app.state[STATE].admit(request)


def cookie(connection: Connection) -> tuple[str, bool]:
    """The name of the cookie of a session, and whether it goes over TLS only: everywhere but on this machine."""
    return ("khien", False) if host_name(connection) in LOOPBACK else ("__Host-khien", True)


def host_name(connection: Connection) -> str:
    """The name or address of ours that a request was sent to, without the port."""
    return urlsplit("//" + connection.headers.get("host", "")).hostname or ""


def network(connection: Connection) -> str:
    """Where a request comes from: an address, of IPv6 the /64 that one household has.

    Behind a proxy on this machine it is what the proxy added last to the header that tells whom it forwards for.
    """
    host = connection.client.host if connection.client else ""
    address = _address(host)
    if host in LOOPBACK or (address and address.is_loopback):
        host = connection.headers.get("x-forwarded-for", host).rpartition(",")[2].strip()[:_LONGEST_ADDRESS]
        address = _address(host)
    if address is None:
        return host
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, which may have a port behind it; IPv4 as such where a socket of IPv6 took it (RFC 4291, 2.5.5.2)."""
    bare = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((bare[1] or bare[2]) if bare else text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


Signed = NamedDependency[SkipValidation[Admitted]]
Caller = NamedDependency[SkipValidation[Admitted | None]]
