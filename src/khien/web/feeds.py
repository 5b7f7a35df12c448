"""Feeds of a constituent's notices, behind a token of its own: Atom to be read, CAP 1.2 for programs."""

import hashlib
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from khien import words
from khien.formats import atom, cap
from khien.model import Constituent, Language, Notice
from khien.pipeline import standing
from khien.triage import tokens
from khien.web.pages import Ours
from khien.web.reading import Site

MOST = 100  # notices of a feed, the newest
AUTHOR = "Khiên"
_XML = ".xml"

Asking = Request[Any, Any, Any]


@get("/{constituent:str}/{token:str}/atom.xml", sync_to_thread=True)
def notices(
    site: Ours, request: Asking, constituent: FromPath[str], token: FromPath[str], language: FromQuery[Language] = "vi"
) -> Response[bytes]:
    """The newest notices of a constituent, each as it stands."""
    whose = _constituent(site, constituent, token)
    base, folder = _base(site, request), address(site, request, whose.id)
    feed = atom.Feed(
        constituent=whose.id,
        label=whose.label,
        address=f"{folder}/atom.xml?language={language}",
        author=AUTHOR,
        link=lambda each: base + tokens.notice_path(site.key, language, each.id),
        cap=lambda each: f"{folder}/cap/{each.id}{_XML}",
    )
    found = site.store.find(Notice, order="-raised", limit=MOST, constituent=whose.id)
    return _answer(request, atom.atom(found, feed, language, standing.ZONE), atom.MEDIA_TYPE)


@get("/{constituent:str}/{token:str}/cap/{name:str}", sync_to_thread=True)
def message(
    site: Ours, request: Asking, constituent: FromPath[str], token: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """One notice of a constituent, as CAP."""
    whose = _constituent(site, constituent, token)
    named = name.removesuffix(_XML)
    found = site.store.load(Notice, named).get(named)
    if found is None or found.constituent != whose.id:
        raise NotFoundException
    base = _base(site, request)
    sender = cap.Sender(id=urlsplit(base).hostname or AUTHOR, label=AUTHOR, contact=site.frame.contact)
    link = partial(tokens.notice_path, site.key)
    web = {language: base + link(language, named) for language in words.LANGUAGES}
    return _answer(request, cap.cap(found, sender, web=web, replay=site.frame.replay), cap.MEDIA_TYPE)


def _constituent(site: Site, id: str, token: str) -> Constituent:
    """Whose feed it is. NotFoundException: nobody's, or the token is another's."""
    right = tokens.check(token, site.key, tokens.FEED, id)
    found = site.store.load(Constituent, id).get(id) if right else None
    if found is None or found.left:
        raise NotFoundException
    return found


def address(site: Site, request: Asking, constituent: str) -> str:
    """The folder of a constituent's feeds, as the reader reaches it."""
    return _base(site, request) + tokens.feed_path(site.key, constituent)


def _base(site: Site, request: Asking) -> str:
    """The address under which the reader reaches the site; the header Host is one of ours."""
    return (site.public or str(request.base_url)).rstrip("/")


def _answer(request: Asking, document: bytes, kind: str) -> Response[bytes]:
    """A document, or nothing where the reader has it already (RFC 9110 section 13.1.2)."""
    tag = f'"{hashlib.sha256(document).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = request.headers.get("if-none-match", "").split(",")
    if tag in (each.strip().removeprefix("W/") for each in known):
        return Response(b"", status_code=304, headers=headers)
    return Response(document, media_type=kind, headers=headers)


ROUTES = (notices, message)
