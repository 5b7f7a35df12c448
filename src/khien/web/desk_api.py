"""The desk for programs: JSON, with a token that an officer made; doors.ACCESS says what it may do, as of the pages."""

from typing import Annotated, Literal, TypeVar

import msgspec
from litestar import get, post
from litestar.exceptions import (
    HTTPException,
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
    TooManyRequestsException,
)
from litestar.params import FromPath, JSONBody, QueryParameter

from khien.model import Finding, Notice, NoticeState, Severity, Takedown, TakedownState
from khien.pipeline import standing
from khien.pipeline.standing import Asked
from khien.web.desk import Begun, Claimed, Why, Word
from khien.web.doors import Signed
from khien.web.pages import Ours

_After = Annotated[str, QueryParameter(pattern="^([0-9a-f]{64})?$")]
_Limit = Annotated[int, QueryParameter(ge=1, le=500)]

T = TypeVar("T")


class Conflict(HTTPException):
    """In the state it is in, this cannot be done; refusal answers so."""

    status_code = 409


_DOORS = [NotAuthorizedException, PermissionDeniedException, TooManyRequestsException]
_READS = [NotFoundException, *_DOORS]
_CHANGES = [Conflict, *_READS]


class Moved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person decided about a finding, and why."""

    act: Literal["confirm", "dismiss", "act", "lose", "reopen"]
    why: Why = ""


class Answered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is answered to a notice, and why."""

    act: Literal["acknowledge", "own", "withdraw"]
    why: Why = ""


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a takedown is ended."""

    why: Why = ""


@get("/sources", sync_to_thread=True, raises=_DOORS)
def sources(site: Ours) -> standing.Sources:
    """How far each source is, and for which reasons rows were set aside."""
    return standing.sources(site.store)


@get("/notices", sync_to_thread=True, raises=_DOORS)
def notices(
    site: Ours,
    stands: Annotated[NoticeState | Literal[""], QueryParameter(name="state")] = "",
    severity: Annotated[Severity | Literal[""], QueryParameter()] = "",
    constituent: Annotated[str, QueryParameter(max_length=64)] = "",
    after: _After = "",
    limit: _Limit = standing.PAGE,
) -> standing.Notices:
    """Notices, the newest first."""
    return standing.notices(site.store, Asked(stands, severity, constituent, after), limit)


@get("/notices/{id:str}", sync_to_thread=True, raises=_READS)
def notice(site: Ours, id: FromPath[str]) -> standing.Whole:
    """One notice with its deliveries and what was stated about its subjects."""
    return _there(standing.notice(site.store, id))


@post("/notices/{id:str}", status_code=200, sync_to_thread=True, raises=_CHANGES)
def answer(site: Ours, officer: Signed, id: FromPath[str], data: JSONBody[Answered]) -> Notice:
    """Answers a notice on behalf of who got it, or takes it back."""
    return site.steering.answer(id, data.act, by=officer.officer.id, why=data.why)


@post("/findings/{id:str}", status_code=200, sync_to_thread=True, raises=_CHANGES)
def move(site: Ours, officer: Signed, id: FromPath[str], data: JSONBody[Moved]) -> Finding:
    """Says what a person decided about a finding."""
    return site.steering.move(id, data.act, by=officer.officer.id, why=data.why)


@get("/takedowns", sync_to_thread=True, raises=_DOORS)
def takedowns(
    site: Ours,
    stands: Annotated[TakedownState | Literal[""], QueryParameter(name="state")] = "",
    after: _After = "",
    limit: _Limit = standing.PAGE,
) -> standing.Takedowns:
    """Takedowns, those whose next step is furthest away first."""
    return standing.takedowns(site.store, stands, after, limit)


@post("/takedowns", status_code=201, sync_to_thread=True, raises=_CHANGES)
def begin(site: Ours, officer: Signed, data: JSONBody[Begun]) -> Takedown:
    """Begins to have taken down what a finding is about."""
    return site.steering.begin(data.finding, by=officer.officer.id)


@get("/takedowns/{id:str}", sync_to_thread=True, raises=_READS)
def takedown(site: Ours, id: FromPath[str]) -> standing.Pursued:
    """One takedown with the reports that were sent for it."""
    return _there(standing.takedown(site.store, id))


@post("/takedowns/{id:str}/close", status_code=200, sync_to_thread=True, raises=_CHANGES)
def close(site: Ours, officer: Signed, id: FromPath[str], data: JSONBody[Closed]) -> Takedown:
    """Ends a takedown."""
    return site.steering.close(id, by=officer.officer.id, why=data.why)


@get("/constituents", sync_to_thread=True, raises=_DOORS)
def constituents(
    site: Ours, after: Annotated[str, QueryParameter(max_length=64)] = "", limit: _Limit = standing.PAGE
) -> standing.Members:
    """Constituents, and what is theirs."""
    return standing.constituents(site.store, after, limit)


@get("/constituents/{id:str}", sync_to_thread=True, raises=_READS)
def constituent(site: Ours, id: FromPath[str]) -> standing.Member:
    """One constituent: what is theirs, how they hear, what they were told."""
    return _there(standing.constituent(site.store, id))


@post("/constituents/{id:str}/assets", status_code=200, sync_to_thread=True, raises=_CHANGES)
def claim(site: Ours, officer: Signed, id: FromPath[str], data: JSONBody[Claimed]) -> standing.Member:
    """Adds what is said to be a constituent's."""
    site.enrolling.claim(id, data.kind, data.value, by=officer.officer.id)
    return _there(standing.constituent(site.store, id))


@post("/constituents/{id:str}/proofs", status_code=200, sync_to_thread=True, raises=_CHANGES)
def prove(site: Ours, officer: Signed, id: FromPath[str], data: JSONBody[Word]) -> standing.Member:
    """Gives an officer's word that an asset is a constituent's."""
    site.enrolling.vouch(id, data.asset, by=officer.officer.id, why=data.why)
    return _there(standing.constituent(site.store, id))


def _there(found: T | None) -> T:
    if found is None:
        raise NotFoundException
    return found


ROUTES = (
    *(sources, notices, notice, answer, move, takedowns, begin, takedown, close),
    *(constituents, constituent, claim, prove),
)
