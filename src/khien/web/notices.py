"""What those who were told come to: their notice behind its link, the answer to it, and whether a code is ours.

What is in a mail is opened by scanners too, so that a GET changes nothing. Whoever has the link may answer: it is sent
to nobody but the constituent. A wrong token is answered as a notice that is not there.
"""

from contextlib import suppress
from typing import Literal

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from khien.errors import TransitionError
from khien.model import Notice
from khien.pipeline import standing
from khien.triage import advice, answers, tokens
from khien.triage.decide import EXPOSURE
from khien.web.pages import Ours, Spoken, html
from khien.web.reading import Site

LONGEST_WHY = 1_000  # characters
LONGEST_CODE = 64
CONSTITUENT = "constituent"  # who answers behind a link


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a constituent says of a notice."""

    act: Literal["acknowledge", "own"]
    why: str = ""


class Typed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code, as a citizen types it."""

    code: str


def _expect(site: Site, token: str, purpose: str, id: str) -> None:
    if not tokens.check(token, site.key, purpose, id):
        raise NotFoundException


def _told(site: Site, id: str, token: str) -> Notice:
    """The notice of a link. NotFoundException: there is none, or the token is another's: both take the same time."""
    _expect(site, token, tokens.NOTICE, id)
    found = site.store.load(Notice, id).get(id)
    if found is None:
        raise NotFoundException
    return found


@get("/notices/{id:str}/{token:str}", sync_to_thread=True)
def notice(site: Ours, language: Spoken, id: FromPath[str], token: FromPath[str]) -> Response[str]:
    """What was seen, why it matters, what to do now; and what may be answered."""
    told = _told(site, id, token)
    possible = (answers.ACKNOWLEDGE,) if told.detector == EXPOSURE else (answers.ACKNOWLEDGE, answers.OWN)
    choices = [act for act in answers.possible(told) if act in possible]
    said = advice.advice(told, language, standing.ZONE)
    address = {"id": id, "token": token}
    return html(site.frame.render(language, "notice", address, notice=told, advice=said, choices=choices))


@post("/notices/{id:str}/{token:str}", status_code=303, sync_to_thread=True)
def answered(
    site: Ours, language: Spoken, id: FromPath[str], token: FromPath[str], data: URLEncodedBody[Answer]
) -> Redirect:
    """Acknowledges a notice, or says that what it tells of is theirs. Said twice is said once."""
    _told(site, id, token)
    with suppress(TransitionError):  # said before, or taken back meanwhile: the page tells how it stands
        site.steering.answer(id, data.act, by=CONSTITUENT, why=data.why[:LONGEST_WHY])
    return Redirect(site.frame.link(language, "notice", id=id, token=token), status_code=303)


@get("/unsubscribe/{id:str}/{token:str}", sync_to_thread=True)
def unsubscribing(site: Ours, language: Spoken, id: FromPath[str], token: FromPath[str]) -> Response[str]:
    """Asks whether nothing more should be sent to an address."""
    _expect(site, token, tokens.UNSUBSCRIBE, id)
    return html(site.frame.render(language, "unsubscribe", {"id": id, "token": token}, ended=False))


@post("/unsubscribe/{id:str}/{token:str}", status_code=200, sync_to_thread=True)
def unsubscribed(site: Ours, language: Spoken, id: FromPath[str], token: FromPath[str]) -> Response[str]:
    """Sends no more to the address of a delivery (RFC 8058: a mail program may ask for it by itself)."""
    _expect(site, token, tokens.UNSUBSCRIBE, id)
    site.enrolling.unsubscribe(id, by=CONSTITUENT)
    return html(site.frame.render(language, "unsubscribe", {"id": id, "token": token}, ended=True))


@get("/code", sync_to_thread=True)
def code(site: Ours, language: Spoken) -> Response[str]:
    """The form that asks whether a code is ours."""
    return html(site.frame.render(language, "code", {}, asked=False, notice=None, advice=None))


@post("/code", status_code=200, sync_to_thread=True)
def asked(site: Ours, language: Spoken, data: URLEncodedBody[Typed]) -> Response[str]:
    """Whether a notice was sent with a code, when, and what about; of no other notice anything."""
    site.doors.ration("code")
    found = standing.by_code(site.store, data.code[:LONGEST_CODE], site.key)
    said = advice.advice(found, language, standing.ZONE) if found else None
    return html(site.frame.render(language, "code", {}, asked=True, notice=found, advice=said))


ROUTES = (notice, answered, unsubscribing, unsubscribed, code, asked)
