"""The pages that people read, in each language."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery, QueryParameter, SkipValidation
from litestar.response import Redirect

from khien import words
from khien.model import State
from khien.triage.decide import EXPOSURE
from khien.web import reading
from khien.web.doors import Caller
from khien.web.reading import Query, Site

LONGEST_HEADER = 200  # characters of Accept-Language that are read

_ID = re.compile(r"[0-9a-f]{64}")  # schema.finding_id, in hex
_COMMA, _WEIGHT = re.compile(r"\s*,\s*"), re.compile(r"q=(0(?:\.[0-9]{1,3})?|1(?:\.0{1,3})?)")

Ours = NamedDependency[SkipValidation[Site]]  # what we hand over ourselves needs no look
Spoken = NamedDependency[SkipValidation[str]]
Asking = NamedDependency[SkipValidation[Query]]


def wanted(
    stands: Annotated[State | Literal[""], QueryParameter(name="state")] = "",  # `state` is Litestar's
    brand: Annotated[str, QueryParameter(max_length=100)] = "",
    known: FromQuery[bool] = False,
    least: Annotated[float, QueryParameter(ge=0, le=1)] = 0.0,
    order: FromQuery[Literal["strong", "new"]] = "strong",
    after: Annotated[str, QueryParameter(pattern="^([0-9a-f]{64})?$")] = "",
) -> Query:
    """Which findings an address asks for."""
    return Query(stands, brand, known, least, order, after)


def told(site: Site, id: str) -> reading.Story:
    """The story of a finding, for an address that names it."""
    story = reading.story(site.store, id, datetime.now(UTC), site.enrolling.names) if _ID.fullmatch(id) else None
    if story is None:
        raise NotFoundException
    return story


@get("/", include_in_schema=False, sync_to_thread=False)
def start(request: Request[Any, Any, Any]) -> Redirect:
    """To the picture, in the reader's language."""
    language = preferred(request.headers.get("accept-language", ""))
    return Redirect(f"/{language}/", headers={"Vary": "Accept-Language"})


def preferred(accepted: str) -> str:
    """The language of ours that a reader likes best (RFC 9110 section 12.5.4); Vietnamese when nothing is said."""
    best, quality = "vi", 0.0
    for choice in _COMMA.split(accepted[:LONGEST_HEADER].strip().lower()):
        tag, _, weight = choice.partition(";")
        said = _WEIGHT.fullmatch(weight.strip())
        liked = float(said[1]) if said else 1.0
        language = tag.strip().partition("-")[0]
        if language in words.LANGUAGES and liked > quality:
            best, quality = language, liked
    return best


def html(text: str, status: int = 200) -> Response[str]:
    """A page as an answer."""
    return Response(text, media_type=MediaType.HTML, status_code=status)


@get("/", sync_to_thread=True)
def picture(site: Ours, language: Spoken) -> Response[str]:
    """What was seen, how often we err, and one story."""
    seen, strongest = reading.picture(site.store, datetime.now(UTC)), reading.strongest(site.store)
    return html(site.frame.render(language, "picture", {}, picture=seen, finding=strongest))


@get("/findings", sync_to_thread=True)
def findings(site: Ours, language: Spoken, wanted: Asking) -> Response[str]:
    """A list of findings."""
    found = reading.listing(site.store, wanted)
    address = wanted.address(wanted.after)
    return html(site.frame.render(language, "findings", address, listing=found, query=wanted, flooded=(), known=()))


@get("/findings/{id:str}", sync_to_thread=True)
def finding(site: Ours, language: Spoken, caller: Caller, id: FromPath[str]) -> Response[str]:
    """One story."""
    story = told(site, id)
    if caller is None and story.finding.detector == EXPOSURE:
        raise NotFoundException  # whose accounts leaked is told to whom it concerns alone
    filters = reading.filters(story, datetime.now(UTC))
    view = {"story": story, "filters": filters, "officer": caller is not None}
    return html(site.frame.render(language, "finding", {"id": id}, **view))


@get("/errors", sync_to_thread=True)
def errors(site: Ours, language: Spoken) -> Response[str]:
    """How often we err, in full."""
    return html(site.frame.render(language, "errors", {}, picture=reading.picture(site.store, datetime.now(UTC))))


ROUTES = (picture, findings, finding, errors)
