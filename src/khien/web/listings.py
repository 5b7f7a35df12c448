"""The pages of what is listed: all of it, one with its reasons and proof, and how its owner objects."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from litestar.response import Redirect

from khien.app.guides import Guide
from khien.contracts import Store
from khien.errors import InputError, RefusedError
from khien.listing import STANDS
from khien.model import Leaf, Listing
from khien.pipeline.control import Control
from khien.pipeline.listed import Said, leaf_id, said
from khien.pipeline.listings import stands
from khien.triage.proofs import Challenge
from khien.web.lists import Listed, Told
from khien.web.pages import Ours, Spoken, html
from khien.web.reading import PAGE, Site
from khien.web.recover import Guided

OFFICE = "cyber-police"  # of the contacts, who is asked where the site names nobody
LONGEST_WHY = 2000  # characters
ACTS_SHOWN = 50  # of a listing, the latest
AGAIN = timedelta(days=7)  # after an objection was decided, until the next
STATES: dict[str, tuple[str, ...]] = {"": STANDS, "contested": ("contested",), "removed": ("removed",)}
After = Annotated[str, QueryParameter(pattern="^([0-9a-f]{64})?$")]  # behind which listing a page begins

_APPEAL = "appeal"  # what is tried at


class Entry(NamedTuple):
    """An act that the log tells of. said: None where it was redacted."""

    number: int
    leaf: Leaf
    said: Said | None


class Shown(NamedTuple):
    """Listings of a page; after: where the next begins, empty on the last."""

    listings: tuple[Listing, ...]
    after: str


class Objection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an owner shows that they are, and why they object."""

    how: Literal["dns", "file"]
    why: Annotated[str, msgspec.Meta(max_length=LONGEST_WHY, pattern=r"\S")]


def shown(store: Store, states: tuple[str, ...], after: str) -> Shown:
    """Listings in these states, the latest first."""
    found = store.find(Listing, order="-since", after=after, limit=PAGE + 1, state=states)
    return Shown(tuple(found[:PAGE]), found[PAGE - 1].id if len(found) > PAGE else "")


def history(store: Store, one: Listing) -> tuple[Entry, ...]:
    """The latest acts on a listing, in their order."""
    return acts(store, *one.leaves[-ACTS_SHOWN:])


def acts(store: Store, *indices: int) -> tuple[Entry, ...]:
    """What the leaves at these indices say, in their order."""
    found = store.load(Leaf, *map(leaf_id, indices))
    there = ((each, found[leaf_id(each)]) for each in indices if leaf_id(each) in found)
    return tuple(Entry(index, leaf, said(leaf)) for index, leaf in there)


@get("/listings", sync_to_thread=True)
def everything(
    site: Ours,
    language: Spoken,
    listed: Told,
    stands: Annotated[Literal["", "contested", "removed"], QueryParameter(name="state")] = "",
    after: After = "",
) -> Response[str]:
    """What stands, or what was taken out."""
    found = shown(listed.listings.store, STATES[stands], after)
    address = {name: value for name, value in (("state", stands), ("after", after)) if value}
    view = {"found": found, "state": stands, "after": after, "states": tuple(STATES)}
    return html(site.frame.render(language, "listings", address, **view))


@get("/listings/{id:str}", sync_to_thread=True)
def listing(site: Ours, language: Spoken, listed: Told, id: FromPath[str]) -> Response[str]:
    """Why something is listed, who decided, and the proof."""
    one, at = _one(site.store, id), listed.listings.audit.clock()
    done = history(site.store, one)
    roles = next((each.said.listing.by for each in reversed(done) if each.said and each.said.listing), ())
    view = {"one": one, "history": done, "roles": roles, "stands": stands(one, at), "at": at}
    verifier = listed.listings.verifier
    return html(site.frame.render(language, "listing", {"id": id}, verifier=verifier, **view))


def _one(store: Store, id: str) -> Listing:
    """A listing that was told of once. NotFoundException: there is none."""
    found = store.load(Listing, id).get(id)
    if found is None or not found.leaves:
        raise NotFoundException
    return found


@get("/listings/{id:str}/appeal", sync_to_thread=True)
def appeal(site: Ours, language: Spoken, listed: Told, guide: Guided, id: FromPath[str]) -> Response[str]:
    """What the owner of what is listed publishes, and where they say why."""
    return _appeal(site, language, listed, guide, _one(site.store, id))


def _appeal(
    site: Site,
    language: str,
    listed: Listed,
    guide: Guide,
    one: Listing,
    status: int = 200,
    asked: Objection | None = None,
    trouble: str = "",
) -> Response[str]:
    """asked: what was sent in vain; trouble: one of control.Trouble."""
    control, at = listed.control, listed.listings.audit.clock()
    view = {
        "one": one,
        "open": _waits(one, at) is None and stands(one, at) and one.state == "listed",
        "again": _waits(one, at),
        "asked": _challenge(control, one),
        "file": control.file(one),
        "hours": listed.listings.decide_within // timedelta(hours=1),
        "longest": LONGEST_WHY,
        "how": asked.how if asked else "dns",
        "why": asked.why if asked else "",
        "trouble": trouble,
        "office": next((each for each in guide.contacts.contact if each.id == OFFICE), None),
    }
    return html(site.frame.render(language, "appeal", {"id": one.id}, **view), status)


def _waits(one: Listing, at: datetime) -> datetime | None:
    """From when on the next objection is heard; None: now."""
    decided = one.appeal.decided if one.appeal and one.appeal.at >= one.since else None  # else of an earlier listing
    return decided + AGAIN if decided and at < decided + AGAIN else None


def _challenge(control: Control, one: Listing) -> Challenge | None:
    """None: nothing can prove it."""
    try:
        return control.challenge(one)
    except InputError:
        return None


@post("/listings/{id:str}/appeal", status_code=303, sync_to_thread=True)
def objected(
    request: Request[Any, Any, Any],
    site: Ours,
    language: Spoken,
    listed: Told,
    guide: Guided,
    id: FromPath[str],
    data: URLEncodedBody[Objection],
) -> Response[str] | Redirect:
    """Looks whether who objects controls what is listed; then the clock runs, in public."""
    one, at = _one(site.store, id), listed.listings.audit.clock()
    if one.state != "listed" or not stands(one, at) or _waits(one, at) or _challenge(listed.control, one) is None:
        return _appeal(site, language, listed, guide, one, 409, data)

    def look() -> None:
        if trouble := listed.control.trouble(one, data.how):  # what nobody answers counts as well: it took as long
            raise RefusedError(trouble)

    try:
        site.doors.attempt(request, look, _APPEAL)
    except NotAuthorizedException as error:
        return _appeal(site, language, listed, guide, one, 422, data, error.detail)
    listed.listings.contest(id, how=data.how, why=data.why)
    return Redirect(site.frame.link(language, "listing", id=id), status_code=303)


ROUTES = (everything, listing, appeal, objected)
