"""What programs take: the outputs of what is listed, and the log of listings as anybody mirrors it; pages of other
sites may ask for both."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, SkipValidation

from khien.errors import InputError
from khien.pipeline import listed as log
from khien.pipeline.control import Control
from khien.pipeline.listings import Listings
from khien.pipeline.outputs import Outputs
from khien.web.ranges import takes_gzip

_MINUTE, _YEAR = "public, max-age=60", "public, max-age=31536000, immutable"
_BESIDE = {"elsewhere": True}
_WHOLE: Mapping[str, str] = {}
_Asked = Request[Any, Any, Any]


@dataclass(frozen=True)
class Listed:
    """What pages and programs are told of listings from. control: how the owner of one shows that they are."""

    outputs: Outputs
    control: Control
    tally: log.Tally = field(default_factory=log.Tally, init=False, repr=False)

    @property
    def listings(self) -> Listings:
        """The log, and who writes it."""
        return self.outputs.listings


Told = NamedDependency[SkipValidation[Listed]]


@get("/lists/{name:str}", include_in_schema=False, sync_to_thread=True, opt=_BESIDE)
def output(request: _Asked, listed: Told, name: FromPath[str]) -> Response[bytes]:
    """One of the outputs, or the signed manifest of them all."""
    files = listed.outputs.now().files
    found = files.get(name)
    if found is None:
        raise NotFoundException(f"no such list: there is {', '.join(files)}")
    packed = takes_gzip(request.headers.get("accept-encoding", "").encode("latin-1"))
    body, coding = (found.packed, {"Content-Encoding": "gzip"}) if packed else (found.body, _WHOLE)
    return _given(request, body, found.media_type, found.digest, _MINUTE, coding)


@get("/ledger/{path:path}", include_in_schema=False, sync_to_thread=True, opt=_BESIDE)
def tiles(request: _Asked, listed: Told, path: FromPath[str]) -> Response[bytes]:
    """The log as files (c2sp.org/tlog-tiles): checkpoint, tile/..., and leaves as text/..."""
    try:
        body = log.file(listed.listings.store, path.lstrip("/"))
    except InputError as error:
        raise NotFoundException(str(error)) from error
    whole = ".p/" not in path and path.startswith("/tile/")  # what is full stays; texts may be redacted
    media_type = "application/octet-stream" if path.startswith("/tile/") else "text/plain"
    return _given(request, body, media_type, hashlib.sha256(body).hexdigest(), _YEAR if whole else _MINUTE)


@get("/ledger/leaf/{index:int}", include_in_schema=False, sync_to_thread=True, opt=_BESIDE)
def leaf(request: _Asked, listed: Told, index: FromPath[int]) -> Response[bytes]:
    """A leaf as it is kept."""
    found = log.leaf(listed.listings.store, index) if index >= 0 else None
    if found is None:
        raise NotFoundException("the log of listings has no such leaf")
    body = msgspec.json.encode(found)
    return _given(request, body, "application/json", hashlib.sha256(body).hexdigest(), _MINUTE)


@get("/ledger/proof/{index:int}", include_in_schema=False, sync_to_thread=True, opt=_BESIDE)
def proof(request: _Asked, listed: Told, index: FromPath[int]) -> Response[bytes]:
    """A leaf, and what leads from it to the signed head of the log (c2sp.org/tlog-proof)."""
    try:
        body = log.prove(listed.listings.store, index)
    except InputError as error:
        raise NotFoundException(str(error)) from error
    return _given(request, body, "text/plain", hashlib.sha256(body).hexdigest(), _MINUTE)


def _given(
    request: _Asked, body: bytes, media_type: str, digest: str, caching: str, coding: Mapping[str, str] = _WHOLE
) -> Response[bytes]:
    """An answer that a browser or a mirror need not fetch twice (RFC 9110 section 13.1.2)."""
    tag = f'W/"{digest[:32]}"'
    headers = {"ETag": tag, "Cache-Control": caching, "Vary": "Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=media_type)
    return Response(body, media_type=media_type, headers={**headers, **coding})


ROUTES = (output, tiles, leaf, proof)
