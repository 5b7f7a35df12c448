"""The desk: what officers see of sources, notices, constituents and takedowns, and what they do with them."""

from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from litestar.response import Redirect

from khien import officers
from khien.app import machine
from khien.errors import InputError
from khien.model import AssetKind, NoticeState, Severity, Takedown, TakedownState
from khien.officers import Admitted
from khien.pipeline import standing
from khien.pipeline.standing import Asked
from khien.triage import answers, life
from khien.web import feeds
from khien.web.doors import Signed
from khien.web.pages import Ours, Spoken, html, told
from khien.web.reading import Site

_After = Annotated[str, QueryParameter(pattern="^([0-9a-f]{64})?$")]
Why = Annotated[str, msgspec.Meta(max_length=1_000)]


class May(NamedTuple):
    """What a page offers to whoever looks at it; the doors refuse the rest in any case."""

    officer: bool
    approver: bool


def may(officer: Admitted) -> May:
    """What whoever is there may do."""
    return May(officers.may(officer.role, "officer"), officers.may(officer.role, "approver"))


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an officer does with what a page shows, and why."""

    act: str
    why: Why = ""


class Begun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The finding of which a takedown is begun."""

    finding: str


class Claimed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said to be a constituent's."""

    kind: AssetKind
    value: Annotated[str, msgspec.Meta(max_length=255)]


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An officer's word that an asset is its constituent's, and how they know."""

    asset: str
    why: Why


@get("/sources", sync_to_thread=True)
def sources(site: Ours, language: Spoken) -> Response[str]:
    """How far each source is, what was set aside and why."""
    return html(site.frame.render(language, "desk/sources", {}, read=standing.sources(site.store)))


@get("/notices", sync_to_thread=True)
def notices(
    site: Ours,
    language: Spoken,
    stands: Annotated[NoticeState | Literal[""], QueryParameter(name="state")] = "open",  # `state` is Litestar's
    severity: Annotated[Severity | Literal[""], QueryParameter()] = "",
    constituent: Annotated[str, QueryParameter(max_length=100)] = "",
    after: _After = "",
) -> Response[str]:
    """Notices, the newest first: those that nobody has answered, unless others are asked for."""
    asked = Asked(stands, severity, constituent, after)
    listed = standing.notices(site.store, asked)
    return html(site.frame.render(language, "desk/notices", asked.address(after), asked=asked, listed=listed))


@get("/notices/{id:str}", sync_to_thread=True)
def notice(site: Ours, language: Spoken, officer: Signed, id: FromPath[str]) -> Response[str]:
    """One notice, where it went, and why it was sent."""
    whole = standing.notice(site.store, id)
    if whole is None:
        raise NotFoundException
    return html(site.frame.render(language, "desk/notice", {"id": id}, whole=whole, may=may(officer)))


@post("/notices/{id:str}", status_code=303, sync_to_thread=True)
def answer(site: Ours, language: Spoken, officer: Signed, id: FromPath[str], data: URLEncodedBody[Act]) -> Redirect:
    """Acknowledges a notice on behalf of who got it, says that it is theirs, or takes it back."""
    if data.act not in answers.ACTS:
        raise InputError(f"a notice takes {', '.join(answers.ACTS)}, not {data.act[:64]!r}")
    site.steering.answer(id, data.act, by=officer.officer.id, why=data.why)
    return Redirect(site.frame.link(language, "desk/notice", id=id), status_code=303)


@get("/findings/{id:str}", sync_to_thread=True)
def finding(site: Ours, language: Spoken, officer: Signed, id: FromPath[str]) -> Response[str]:
    """One finding, to be decided about."""
    story = told(site, id)
    moves = [act for state, act in life.MOVES if state == story.finding.state and act != life.SEE]
    begun = site.store.load(Takedown, id).get(id)
    view = {"story": story, "moves": moves, "takedown": begun, "now": machine.clock(), "may": may(officer)}
    return html(site.frame.render(language, "desk/finding", {"id": id}, **view))


@post("/findings/{id:str}", status_code=303, sync_to_thread=True)
def move(site: Ours, language: Spoken, officer: Signed, id: FromPath[str], data: URLEncodedBody[Act]) -> Redirect:
    """Says what a person decided about a finding."""
    site.steering.move(id, data.act, by=officer.officer.id, why=data.why)
    return Redirect(site.frame.link(language, "desk/finding", id=id), status_code=303)


@get("/takedowns", sync_to_thread=True)
def takedowns(
    site: Ours,
    language: Spoken,
    stands: Annotated[TakedownState | Literal[""], QueryParameter(name="state")] = "",
    after: _After = "",
) -> Response[str]:
    """Takedowns, and for how many hours each site was up."""
    listed = standing.takedowns(site.store, stands, after)
    address = {name: value for name, value in (("state", stands), ("after", after)) if value}
    view = {"listed": listed, "state": stands, "after": after, "now": machine.clock()}
    return html(site.frame.render(language, "desk/takedowns", address, **view))


@post("/takedowns", status_code=303, sync_to_thread=True)
def begin(site: Ours, language: Spoken, officer: Signed, data: URLEncodedBody[Begun]) -> Redirect:
    """Begins to have taken down what a finding is about."""
    begun = site.steering.begin(data.finding, by=officer.officer.id)
    return Redirect(site.frame.link(language, "desk/takedown", id=begun.id), status_code=303)


@get("/takedowns/{id:str}", sync_to_thread=True)
def takedown(site: Ours, language: Spoken, officer: Signed, id: FromPath[str]) -> Response[str]:
    """One takedown: to whom it was reported, and when the site was up."""
    pursued = standing.takedown(site.store, id)
    if pursued is None:
        raise NotFoundException
    view = {"pursued": pursued, "now": machine.clock(), "may": may(officer)}
    return html(site.frame.render(language, "desk/takedown", {"id": id}, **view))


@post("/takedowns/{id:str}", status_code=303, sync_to_thread=True)
def close(site: Ours, language: Spoken, officer: Signed, id: FromPath[str], data: URLEncodedBody[Act]) -> Redirect:
    """Ends a takedown."""
    if data.act != "close":
        raise InputError(f"a takedown takes close, not {data.act[:64]!r}")
    site.steering.close(id, by=officer.officer.id, why=data.why)
    return Redirect(site.frame.link(language, "desk/takedown", id=id), status_code=303)


@get("/constituents", sync_to_thread=True)
def constituents(
    site: Ours, language: Spoken, after: Annotated[str, QueryParameter(max_length=64)] = ""
) -> Response[str]:
    """Those who are told."""
    listed = standing.constituents(site.store, after)
    address = {"after": after} if after else {}
    return html(site.frame.render(language, "desk/constituents", address, listed=listed, after=after))


@get("/constituents/{id:str}", sync_to_thread=True)
def constituent(
    site: Ours, request: feeds.Asking, language: Spoken, officer: Signed, id: FromPath[str]
) -> Response[str]:
    """One constituent: what is theirs, how they hear, what they were told."""
    return _constituent(site, request, language, officer, id)


@post("/constituents/{id:str}/assets", status_code=303, sync_to_thread=True)
def claim(
    site: Ours,
    request: feeds.Asking,
    language: Spoken,
    officer: Signed,
    id: FromPath[str],
    data: URLEncodedBody[Claimed],
) -> Response[Any]:
    """Adds what is said to be a constituent's; nobody is told because of it before it is proven."""
    try:
        site.enrolling.claim(id, data.kind, data.value, by=officer.officer.id)
    except InputError:
        return _constituent(site, request, language, officer, id, refused=data.value)
    return Redirect(site.frame.link(language, "desk/constituent", id=id), status_code=303)


@post("/constituents/{id:str}/proofs", status_code=303, sync_to_thread=True)
def prove(site: Ours, language: Spoken, officer: Signed, id: FromPath[str], data: URLEncodedBody[Word]) -> Redirect:
    """Gives an officer's word that an asset is a constituent's."""
    site.enrolling.vouch(id, data.asset, by=officer.officer.id, why=data.why)
    return Redirect(site.frame.link(language, "desk/constituent", id=id), status_code=303)


def _constituent(
    site: Site, request: feeds.Asking, language: str, officer: Admitted, id: str, refused: str = ""
) -> Response[str]:
    member = standing.constituent(site.store, id)
    if member is None:
        raise NotFoundException
    feed = f"{feeds.address(site, request, id)}/atom.xml?language={language}"
    view = {"member": member, "may": may(officer), "refused": refused, "feed": feed}
    return html(site.frame.render(language, "desk/constituent", {"id": id}, **view), 422 if refused else 200)


ROUTES = (
    *(sources, notices, notice, answer, finding, move),
    *(takedowns, begin, takedown, close, constituents, constituent, claim, prove),
)
