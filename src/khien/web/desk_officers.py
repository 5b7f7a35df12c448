"""The desk's own doors: signing in with a passkey, who works here, and what the audit holds."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException, NotFoundException, PermissionDeniedException
from litestar.params import FromPath, JSONBody, QueryParameter, URLEncodedBody
from litestar.response import Redirect

from khien import audit, officers
from khien.audit import Act
from khien.errors import CustodyError, RefusedError
from khien.model import ROLES, Entry, Officer, Pass, Record, Role
from khien.officers import Admitted
from khien.web.doors import LOOPBACK, Caller, Signed, cookie, host_name
from khien.web.pages import Ours, Spoken, html
from khien.web.reading import Site

ENTRIES = 100  # on a page

_Label = Annotated[str, msgspec.Meta(max_length=100)]
_Code = Annotated[str, msgspec.Meta(max_length=100)]
_Asked = Request[Any, Any, Any]


class Invited(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who says that they are invited."""

    name: _Label
    code: _Code


class Joining(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who brings a passkey; label: what they call it; credential: WebAuthn's RegistrationResponseJSON."""

    name: _Label
    code: _Code
    label: _Label
    credential: dict[str, Any]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """WebAuthn's AuthenticationResponseJSON."""

    credential: dict[str, Any]


class Asking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token that is asked for; role: what it may at most; days: for how many it lives."""

    label: _Label
    role: Role
    days: Annotated[int, msgspec.Meta(ge=1, le=officers.LONGEST_TOKEN.days)]


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pass, or an officer."""

    id: _Label


class Granting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An officer's new role."""

    id: _Label
    role: Role


class Inviting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An officer to be invited; anew: what let them in until now does so no more."""

    id: _Label
    role: Role
    label: _Label = ""
    anew: bool = False


@get("/", sync_to_thread=True)
def home(request: _Asked, site: Ours, language: Spoken, caller: Caller) -> Response[str]:
    """The way in for who is signed out; for others who they are, and what lets them in."""
    return _home(request, site, language, caller)


def _home(request: _Asked, site: Site, language: str, caller: Admitted | None, token: str = "") -> Response[str]:
    if caller is None:
        host = request.headers["host"]
        named = host.replace("127.0.0.1", "localhost").replace("[::1]", "localhost")
        local = f"http://{named}/{language}/desk" if host != named and host_name(request) in LOOPBACK else ""
        return html(site.frame.render(language, "desk/door", {}, local=local))
    passes = officers.passes(site.store, caller.officer.id, site.doors.audit.clock())
    view = {"caller": caller, "passes": passes, "roles": _below(caller.role), "token": token}
    return html(site.frame.render(language, "desk/home", {}, **view))


def _below(role: Role) -> Sequence[Role]:
    return [each for each in ROLES if officers.may(role, each)]


@post("/challenge", status_code=200, sync_to_thread=True)
def challenge(request: _Asked, site: Ours) -> dict[str, Any]:
    """What a browser is to have signed by a passkey."""
    return site.doors.passkeys.request(host_name(request))


@post("/sign-in", status_code=200, sync_to_thread=True)
def sign_in(request: _Asked, site: Ours, language: Spoken, data: JSONBody[Answer]) -> Response[dict[str, str]]:
    """Lets in who has signed."""
    met = officers.every(site.store)
    try:
        found = site.doors.passkeys.recognised(host_name(request), _origin(request), met, data.credential)
    except RefusedError as error:
        site.doors.refused("", "sign-in")
        raise NotAuthorizedException(str(error)) from error
    officer, shown = found.officer, found.passkey.id
    if found.cloned:
        site.doors.did(Act(officer.id, "passkey-cloned", shown))
        raise NotAuthorizedException("this passkey was copied: ask for another invitation")

    def counted() -> list[Record]:
        now = officers.one(site.store, officer.id)
        if shown not in {each.id for each in now.passkeys}:
            raise NotAuthorizedException("this passkey lets nobody in any more")
        keys = tuple(found.passkey if each.id == shown else each for each in now.passkeys)
        return [msgspec.structs.replace(now, passkeys=keys)]

    return _let_in(request, site, language, counted, officer.id)


def _origin(request: _Asked) -> str:
    """What a browser calls the place of a page of ours; without TLS there are passkeys on this machine alone."""
    return f"{'http' if host_name(request) == 'localhost' else 'https'}://{request.headers['host']}"


def _let_in(
    request: _Asked, site: Site, language: str, decide: Callable[[], list[Record]], officer: str, *acts: Act
) -> Response[dict[str, str]]:
    """Begins a session: always a new one, whatever the browser showed before."""
    secret = officers.secret(site.doors.audit.chance)

    def begun() -> list[Record]:
        made = decide()
        (now,) = (each for each in made if isinstance(each, Officer))
        return [*made, officers.session(now, secret, site.doors.audit.clock())]

    site.doors.did(Act(officer, "signed-in", officer), *acts, decide=begun)
    kept = _session(request, secret, int(officers.SESSION.total_seconds()))
    return Response({"to": site.frame.link(language, "desk")}, cookies=[kept], status_code=200)


@get("/join", sync_to_thread=True)
def join(site: Ours, language: Spoken) -> Response[str]:
    """The form for who was invited."""
    return html(site.frame.render(language, "desk/join", {}))


@post("/join/challenge", status_code=200, sync_to_thread=True)
def join_challenge(request: _Asked, site: Ours, data: JSONBody[Invited]) -> dict[str, Any]:
    """What a browser is to make a passkey for."""
    return site.doors.passkeys.creation(host_name(request), _invited(request, site, data.name, data.code))


def _invited(request: _Asked, site: Site, name: str, code: str) -> Officer:
    at, known = site.doors.audit.clock(), site.store.load(Officer, name).get(name)
    return site.doors.attempt(request, lambda: officers.expect_invited(known, code, at))


@post("/join", status_code=200, sync_to_thread=True)
def joined(request: _Asked, site: Ours, language: Spoken, data: JSONBody[Joining]) -> Response[dict[str, str]]:
    """Keeps the passkey of who was invited, and lets them in."""
    name, origin = host_name(request), _origin(request)
    invited = _invited(request, site, data.name, data.code)
    try:
        passkey = site.doors.passkeys.made(name, origin, invited, data.label, data.credential)
    except RefusedError as error:
        raise NotAuthorizedException(str(error)) from error

    def decide() -> list[Record]:
        now = site.store.load(Officer, invited.id).get(invited.id)  # somebody may have been faster with the same code
        at = site.doors.audit.clock()
        return [officers.join(officers.expect_invited(now, data.code, at), passkey, officers.every(site.store))]

    added = Act(invited.id, "passkey-added", invited.id, {"passkey": passkey.id, "label": passkey.label})
    return _let_in(request, site, language, decide, invited.id, added)


@post("/sign-out", status_code=303, sync_to_thread=True)
def sign_out(request: _Asked, site: Ours, language: Spoken, officer: Signed) -> Redirect:
    """Ends the session."""
    at, ended = site.doors.audit.clock(), officer.by
    act = Act(officer.officer.id, "signed-out", officer.officer.id)
    site.doors.did(act, decide=lambda: [officers.revoke(ended, at)])
    return Redirect(site.frame.link(language, "desk"), status_code=303, cookies=[_session(request, "", 0)])


def _session(request: _Asked, secret: str, seconds: int) -> Cookie:
    """The cookie of a session, for so long; 0: it is forgotten."""
    name, secure = cookie(request)
    return Cookie(key=name, value=secret, max_age=seconds, secure=secure, httponly=True, samesite="strict")


@post("/tokens", status_code=200, sync_to_thread=True)
def make_token(
    request: _Asked, site: Ours, language: Spoken, officer: Signed, data: URLEncodedBody[Asking]
) -> Response[str]:
    """Makes a token, and shows it this once."""
    if officer.by.kind != "session":
        raise PermissionDeniedException("a token makes no tokens: sign in")
    token = officers.TOKEN + officers.secret(site.doors.audit.chance)
    let = officers.token(officer, token, data.label, data.role, data.days, site.doors.audit.clock())
    told = {"label": let.label, "role": let.role, "until": let.until.isoformat()}
    site.doors.did(Act(officer.officer.id, "token-made", let.id, told), decide=lambda: [let])
    return _home(request, site, language, officer, token)


@post("/revoke", status_code=303, sync_to_thread=True)
def revoke(site: Ours, language: Spoken, officer: Signed, data: URLEncodedBody[Named]) -> Redirect:
    """Ends a session or a token: of one's own, or as administrator anybody's."""
    let = site.store.load(Pass, data.id).get(data.id)
    if let is None or (let.officer != officer.officer.id and not officers.may(officer.role, "administrator")):
        raise NotFoundException
    site.staffing.revoke(let, by=officer.officer.id)
    return Redirect(site.frame.link(language, "desk"), status_code=303)


@get("/officers", sync_to_thread=True)
def people(site: Ours, language: Spoken) -> Response[str]:
    """Who works here."""
    return _people(site, language)


def _people(site: Site, language: str, invited: str = "", code: str = "") -> Response[str]:
    view = {"officers": officers.every(site.store), "roles": ROLES, "invited": invited, "code": code}
    return html(site.frame.render(language, "desk/officers", {}, **view))


@post("/officers/invite", status_code=200, sync_to_thread=True)
def invite(site: Ours, language: Spoken, officer: Signed, data: URLEncodedBody[Inviting]) -> Response[str]:
    """Invites somebody, and shows the code this once."""
    code = site.staffing.invite(data.id, by=officer.officer.id, label=data.label, role=data.role, anew=data.anew)
    return _people(site, language, data.id, code)


@post("/officers/role", status_code=303, sync_to_thread=True)
def grant(site: Ours, language: Spoken, officer: Signed, data: URLEncodedBody[Granting]) -> Redirect:
    """Gives an officer another role."""
    site.staffing.grant(data.id, data.role, by=officer.officer.id)
    return Redirect(site.frame.link(language, "desk/officers"), status_code=303)


@post("/officers/leave", status_code=303, sync_to_thread=True)
def leave(site: Ours, language: Spoken, officer: Signed, data: URLEncodedBody[Named]) -> Redirect:
    """Lets an officer go."""
    site.staffing.leave(data.id, by=officer.officer.id)
    return Redirect(site.frame.link(language, "desk/officers"), status_code=303)


@get("/audit", sync_to_thread=True)
def acts(
    site: Ours, language: Spoken, after: Annotated[str, QueryParameter(pattern="^(audit/[0-9]{16})?$")] = ""
) -> Response[str]:
    """What was done, the latest first, and the checkpoint by which anybody can hold us to it."""
    entries = site.store.find(Entry, order="-id", after=after, limit=ENTRIES)
    tree = audit.head(site.store)
    address = {"after": after} if after else {}
    following = entries[-1].id if len(entries) == ENTRIES else ""
    view = {"entries": entries, "tree": tree, "verifier": site.doors.audit.verifier, "following": following}
    return html(site.frame.render(language, "desk/audit", address, **view))


@get("/audit/{index:int}", sync_to_thread=True)
def act(site: Ours, language: Spoken, index: FromPath[int]) -> Response[str]:
    """One entry, held to the checkpoint here and now."""
    try:
        found, trouble = audit.proven(site.store, index, site.doors.audit.verifier), ""
        if found is None:
            raise NotFoundException
    except CustodyError as error:
        found, trouble = None, str(error)
    view = {"index": index, "found": found, "trouble": trouble}
    return html(site.frame.render(language, "desk/entry", {"index": str(index)}, **view), 200 if found else 500)


ROUTES = (
    *(home, challenge, sign_in, join, join_challenge, joined, sign_out, make_token, revoke),
    *(people, invite, grant, leave, acts, act),
)
