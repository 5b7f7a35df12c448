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
from khien.pipeline import asked, telling
from khien.pipeline.asked import Asked
from khien.triage.decide import EXPOSURE
from khien.web import reading, views
from khien.web.doors import Caller
from khien.web.pages import Asking, Ours, told
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


@post("/check", status_code=200, sync_to_thread=False)  # as web.check has it
def check(site: Ours, data: JSONBody[Asked]) -> telling.Told:
    """What is known of a link, a message, a number or a payment code. The question is not kept."""
    try:
        return telling.told(asked.answer(data, site.judges, site.store, datetime.now(UTC)))
    except ObservableError as error:
        raise ClientException(str(error)) from error


ROUTES = (picture, findings, finding, check)
