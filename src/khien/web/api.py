"""The same for programs: JSON, described by OpenAPI."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from litestar import get, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, JSONBody

from khien import words
from khien.errors import ObservableError
from khien.model import Finding
from khien.triage.decide import EXPOSURE
from khien.web import reading, views
from khien.web.doors import Caller
from khien.web.pages import Asked, Asking, Ours, told
from khien.web.reading import Site


class Told(msgspec.Struct, frozen=True):
    """A finding, what people call the protected name, and its reasons in sentences, by language."""

    finding: Finding
    brand: str
    reasons: dict[str, tuple[str, ...]]


class Found(msgspec.Struct, frozen=True):
    """A page of findings; after: what to ask for to get the next one, empty on the last."""

    findings: tuple[Told, ...]
    after: str


class Checked(msgspec.Struct, frozen=True):
    """What is known of a name: findings, and what it matches but is known good. Neither: nothing was found."""

    name: str
    findings: tuple[Told, ...]
    known: tuple[Told, ...]


def _told(site: Site, findings: Iterable[Finding]) -> tuple[Told, ...]:
    return tuple(
        Told(
            finding,
            site.frame.brand(finding),
            {
                language: tuple(views.sentence(reason, language) for reason in finding.reasons)
                for language in words.LANGUAGES
            },
        )
        for finding in findings
    )


@get("/picture", sync_to_thread=True)
def picture(site: Ours) -> views.Picture:
    """Counts of everything that was seen."""
    return reading.picture(site.store, datetime.now(UTC))


@get("/findings", sync_to_thread=True)
def findings(site: Ours, wanted: Asking) -> Found:
    """Findings, a page at a time."""
    found = reading.listing(site.store, wanted)
    return Found(_told(site, found.findings), found.after)


@get("/findings/{id:str}", sync_to_thread=True, raises=[NotFoundException])
def finding(site: Ours, caller: Caller, id: FromPath[str]) -> Told:
    """One finding."""
    found = told(site, id).finding
    if caller is None and found.detector == EXPOSURE:
        raise NotFoundException
    (one,) = _told(site, [found])
    return one


@post("/check", status_code=200, sync_to_thread=True)
def check(site: Ours, data: JSONBody[Asked]) -> Checked:
    """What is known of a name, link or mail address. The question is not kept."""
    try:
        answer = views.answer(site.detector, data.text, datetime.now(UTC))
    except ObservableError as error:
        raise ClientException(str(error)) from error
    return Checked(answer.name, _told(site, answer.found), _told(site, answer.known))


ROUTES = (picture, findings, finding, check)
