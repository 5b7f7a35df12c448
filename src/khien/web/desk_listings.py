"""Listings at the desk: proposals that wait for a second person, and objections that are to be decided."""

from typing import Annotated

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from litestar.response import Redirect

from khien.errors import InputError
from khien.model import Listing, ListingState
from khien.pipeline.listings import Listings
from khien.web.desk import Act, may
from khien.web.doors import Signed
from khien.web.listings import After, history, shown
from khien.web.lists import Told
from khien.web.pages import Ours, Spoken, html

ACTS: dict[str, tuple[str, ...]] = {  # what an officer may do in which state
    "proposed": ("approve", "remove"),
    "listed": ("remove",),
    "contested": ("keep", "remove"),
}
STATES = ("proposed", "contested", "listed", "removed", "expired")


@get("/listings", sync_to_thread=True)
def listings(
    site: Ours,
    language: Spoken,
    listed: Told,
    stands: Annotated[ListingState, QueryParameter(name="state")] = "contested",
    after: After = "",
) -> Response[str]:
    """Listings in a state, the latest first: objections, unless others are asked for."""
    found = shown(site.store, (stands,), after)
    address = {"state": stands, **({"after": after} if after else {})}
    view = {"found": found, "state": stands, "states": STATES, "after": after, "at": listed.listings.audit.clock()}
    return html(site.frame.render(language, "desk/listings", address, **view))


@get("/listings/{id:str}", sync_to_thread=True)
def listing(site: Ours, language: Spoken, officer: Signed, listed: Told, id: FromPath[str]) -> Response[str]:
    """One listing, its objection if there is one, and what may be decided."""
    one = site.store.load(Listing, id).get(id)
    if one is None:
        raise NotFoundException
    moves = ACTS.get(one.state, ()) if may(officer).approver else ()
    view = {"one": one, "moves": moves, "history": history(site.store, one), "at": listed.listings.audit.clock()}
    return html(site.frame.render(language, "desk/listing", {"id": id}, **view))


@post("/listings/{id:str}", status_code=303, sync_to_thread=True)
def decided(
    site: Ours, language: Spoken, officer: Signed, listed: Told, id: FromPath[str], data: URLEncodedBody[Act]
) -> Redirect:
    """Lists what was proposed, keeps it, or takes it out."""
    _decide(listed.listings, id, data, officer.officer.id)
    return Redirect(site.frame.link(language, "desk/listing", id=id), status_code=303)


def _decide(listings: Listings, id: str, asked: Act, by: str) -> None:
    one = listings.store.load(Listing, id).get(id)
    if one is None:
        raise NotFoundException
    if asked.act not in ACTS.get(one.state, ()):
        raise InputError(f"a listing that is {one.state} does not take {asked.act[:64]!r}")
    if asked.act == "approve":
        listings.approve(id, by=by)
        return
    if not asked.why.strip():
        raise InputError("say why: it stands in the log")
    if one.state == "contested":
        listings.decide(id, asked.act == "keep", by=by, why=asked.why)
    else:
        listings.remove(id, by=by, why=asked.why)


ROUTES = (listings, listing, decided)
