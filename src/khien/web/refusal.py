"""What the site refuses, and how it says so; the headers that every answer carries."""

import logging
import traceback
from typing import Any

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import MediaType
from litestar.exceptions import HTTPException, InternalServerException, NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Message, Scope

from khien import words
from khien.errors import ConfigError, CustodyError, InputError, RefusedError, TransitionError, UnavailableError
from khien.web.pages import preferred
from khien.web.render import Frame, policy
from khien.web.shares import CORS

HEADERS = {
    **policy(),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",  # over plain HTTP it says nothing (RFC 6797)
    "X-Content-Type-Options": "nosniff",
}
READER = "/static/reader.js"  # the worker that reads pictures
PACKED = ".gzip"  # how files of the static folder end that browsers unpack
CODES = {  # all others: request
    401: "signed-out",
    403: "refused",
    404: "missing",
    413: "large",
    429: "often",
    500: "fault",
    503: "later",
}

_LONGEST_PATH, _LONGEST_NAME = 1024, 255  # octets; a file system takes no longer name

_log = logging.getLogger(__name__)


async def add_headers(message: Message, scope: Scope) -> None:
    """Puts them on whatever is answered, errors too; nothing but what says so is kept by the reader's browser."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        own = policy(compiles=True) if scope["path"] == READER else {}
        for name, value in {**HEADERS, **own}.items():
            headers.setdefault(name, value)
        if scope["path"].startswith("/static/") and scope["path"].endswith(PACKED) and message["status"] == 200:
            headers["Content-Encoding"] = "gzip"  # Litestar, told by the ending .gz, would say it of other files too
        if _is_elsewhere(scope.get("route_handler")):
            headers.update(CORS)
        headers.setdefault("Cache-Control", "no-store")


def _is_elsewhere(route: Any) -> bool:
    """Whether pages of other sites may ask there."""
    return isinstance(route, BaseRouteHandler) and bool(route.opt.get("elsewhere"))


async def same_site(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """A guard: what is sent, and not only read, comes from our own pages or from no page at all.

    Fetch Metadata says so where the browser has it. Where it has not, the origin does; with our Referrer-Policy that
    is null even for our own forms, and is refused: such browsers are older than 2023. Programs send neither.
    """
    if connection.scope["type"] != "http" or connection.scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return
    if _is_elsewhere(route):
        return
    fetched, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    own = origin is None or origin.partition("://")[2] == connection.headers.get("host")
    if not (own if fetched is None else fetched in ("same-origin", "none")):
        raise PermissionDeniedException("sent from another site: send it from a page of this one")


async def whole_path(connection: ASGIConnection[Any, Any, Any, Any], _route: BaseRouteHandler) -> None:
    """A guard: nothing here has a NUL in its name or is called at such length, and what looks for it would fail."""
    path = connection.scope["path"].encode(errors="replace")
    if b"\0" in path or len(path) > _LONGEST_PATH or max(map(len, path.split(b"/"))) > _LONGEST_NAME:
        raise NotFoundException


class Refusals:
    """Tells people in their language, programs in JSON, why there is no answer."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __call__(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        _, first, *_ = [*request.scope["path"].split("/"), ""]
        if first in ("api", "breach", "ledger", "lists"):
            return refused(request, error)
        status = _status(request, error)[0]
        headers = error.headers if isinstance(error, HTTPException) else None
        language = first if first in words.LANGUAGES else preferred(request.headers.get("accept-language", ""))
        role = isinstance(error, HTTPException) and isinstance(error.extra, dict) and "role" in error.extra
        code = "role" if role else CODES.get(status, "request")
        text = self._frame.render(language, "error", None, status=status, code=code)
        return Response(text, status_code=status, media_type=MediaType.HTML, headers=headers)


def refused(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Tells programs why there is no answer."""
    status, detail = _status(request, error)
    told: dict[str, object] = {"status_code": status, "detail": detail}
    if isinstance(error, HTTPException) and error.extra:
        told["extra"] = error.extra
    headers = error.headers if isinstance(error, HTTPException) else None
    return Response(told, status_code=status, media_type=MediaType.JSON, headers=headers)


def _status(request: Request[Any, Any, Any], error: Exception) -> tuple[int, str]:
    """Status, and what a program is told; a fault is logged."""
    status, detail = _read(error)
    if status >= 500:
        # not what the error says: that may hold what somebody asked about
        where = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s while answering %s\n%s", type(error).__name__, request.scope["method"], where)
    return status, detail


def _read(error: Exception) -> tuple[int, str]:
    match error:
        case InternalServerException() if "disconnected" in error.detail:  # Litestar's word for it; no fault of ours
            return 400, "the body broke off: send it again"
        case HTTPException():
            return error.status_code, error.detail
        case TransitionError():
            return 409, str(error)
        case RefusedError():
            return 403, str(error)
        case InputError() if not isinstance(error, ConfigError):  # what it says names places on this machine
            return 400, "nothing here answers to that: look at what you asked for"
        case RecursionError():  # what the JSON decoder says of brackets within brackets
            return 400, "the body is nested too deeply: send an object with a text"
        case UnicodeDecodeError():  # likewise, of a text
            return 400, "the body is not UTF-8: send JSON as RFC 8259 has it"
        case UnavailableError() | ConfigError() | CustodyError():
            return 503, "not available just now: try again in a minute"
        case _:
            return 500, "a fault of ours: try again"
