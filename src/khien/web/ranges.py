"""``/range/{5 hex digits}``: passwords by the first digits of their hash, octet for octet as Pwned Passwords answers.

A raw ASGI application: what it says is said ten thousand times a second. It tells nobody what was asked for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Parameter, PathItem, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.types import Receive, Scope, Send

from khien.breach.place import Place
from khien.breach.ranges import Ranges, opened
from khien.breach.table import WIDTHS
from khien.contracts import Store
from khien.errors import CustodyError, UnavailableError
from khien.pipeline.exports import packed

PATH = "/range/"

_GLANCE = 1.0  # seconds between looks at whether the store changed
_DIGITS, _PREFIX = 5, re.compile("[0-9A-Fa-f]{5}")
_NONE = re.compile(rb"\s*q=0(?:\.0*)?\s*")  # the weight of what is not taken (RFC 9110 section 12.4.2)
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_OPEN = (  # to pages of any site
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
)
_LONG_KEPT = ((b"cache-control", b"public, max-age=2678400"), (b"vary", b"Add-Padding, Accept-Encoding"))
_REFUSED = (*_OPEN, _TEXT, (b"cache-control", b"no-store"))
_ASKED_BEFORE = (  # the answer to what a browser asks before it sends the header
    *_OPEN,
    _TEXT,
    (b"access-control-allow-methods", b"GET"),
    (b"access-control-allow-headers", b"Add-Padding"),
    (b"access-control-max-age", b"1728000"),
)
_LONGEST_METHOD = 20  # characters of it that are said again

Answer = tuple[int, tuple[tuple[bytes, bytes], ...], bytes]  # status, headers but for the length, body


@dataclass
class Held:
    """What ranges are answered from, opened anew where the store says that it is another; without a gap: what is mapped
    stays until who reads it is done. key: of the padding."""

    store: Store
    place: Place
    key: bytes = field(repr=False)
    _ranges: dict[str, Ranges] = field(default_factory=dict[str, Ranges], init=False)
    _version: int = field(default=-1, init=False)
    _looked: float = field(default=float("-inf"), init=False)

    def of(self, mode: str) -> Ranges:
        """What is held now. UnavailableError, CustodyError: it was never opened, and cannot be."""
        if monotonic() - self._looked >= _GLANCE:
            try:
                self._look()
            except (UnavailableError, CustodyError):
                if mode not in self._ranges:
                    raise
            self._looked = monotonic()
        return self._ranges[mode]

    def _look(self) -> None:
        version = self.store.version()
        if version != self._version:
            before = self._ranges
            self._ranges = {mode: opened(self.place, self.store, mode, self.key, before.get(mode)) for mode in WIDTHS}
            self._version = version


@dataclass(frozen=True)
class RangeSite:
    """The ASGI application under PATH."""

    held: Held

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answers one request; what it sends along is not read."""
        if scope["type"] != "http":
            return
        given = dict(scope["headers"])
        fields = (given.get(name, b"") for name in (b"add-padding", b"if-none-match", b"accept-encoding"))
        asked = scope["path"][len(PATH) :]
        status, headers, body = self.answer(scope["method"], asked, scope["query_string"], *fields)
        length = () if status == 304 else ((b"content-length", b"%d" % len(body)),)
        await send({"type": "http.response.start", "status": status, "headers": (*headers, *length)})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def answer(
        self, method: str, prefix: str, query: bytes, padded: bytes = b"", known: bytes = b"", taken: bytes = b""
    ) -> Answer:
        """What is said to a request. padded, known, taken: the headers Add-Padding, If-None-Match, Accept-Encoding."""
        if method == "OPTIONS":
            return 200, _ASKED_BEFORE, b""
        if method != "GET":
            why = f"Only GET requests can be used to query ranges, but this request used the {method[:_LONGEST_METHOD]}"
            return 405, (*_REFUSED, (b"allow", b"GET, HEAD, OPTIONS")), f"{why} verb".encode(errors="replace")
        if len(prefix) != _DIGITS:
            return 400, _REFUSED, b"The hash prefix was not in a valid format"
        if not _PREFIX.fullmatch(prefix):
            return 400, _REFUSED, b"The hash prefix was not valid hexadecimal"
        try:
            ranges = self.held.of("ntlm" if _mode(query) == b"ntlm" else "sha1")
        except (UnavailableError, CustodyError):
            return _later(b"not available just now: try again in a minute")
        if not ranges.tables:  # nothing is held: to say "never met" would be wrong
            return _later(b"no such digests are held here yet")
        pad = padded.lower() == b"true"
        pack = not pad and takes_gzip(taken)  # a mirror takes nothing else; packed, padding would hide nothing
        tag, kept = _kept(ranges.generation, b"-padded" if pad else b"-gzip" if pack else b"")
        if known and _names(known, tag):
            return 304, kept, b""
        number = int(prefix, 16)
        if pack:
            return 200, (*kept, (b"content-encoding", b"gzip")), packed(ranges.body(number))
        return 200, kept, ranges.padded(number) if pad else ranges.body(number)


@lru_cache(16)
def _kept(generation: str, variant: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """The tag of an answer, and the headers of what may be kept."""
    tag = b'"%b%b"' % (generation.encode(), variant)
    return tag, (*_OPEN, _TEXT, *_LONG_KEPT, (b"etag", tag))


def _later(why: bytes) -> Answer:
    return 503, (*_REFUSED, (b"retry-after", b"60")), why


def _mode(query: bytes) -> bytes:
    """The first ``mode`` of a query."""
    for each in query.split(b"&") if query else ():
        if each.startswith(b"mode="):
            return each[5:]
    return b""


def _names(known: bytes, tag: bytes) -> bool:
    """Whether If-None-Match names a tag, weakly compared (RFC 9110 section 13.1.2): who compresses makes it weak."""
    return known.strip() == b"*" or any(each.strip().removeprefix(b"W/") == tag for each in known.split(b","))


def takes_gzip(taken: bytes) -> bool:
    """Whether Accept-Encoding names gzip, and not to refuse it (RFC 9110 section 12.5.3)."""
    offers = (each.partition(b";") for each in taken.lower().split(b",")) if taken else ()
    return any(name.strip() == b"gzip" and not _NONE.fullmatch(weight) for name, _, weight in offers)


def _response(what: str) -> OpenAPIResponse:
    text = {"text/plain": OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))}
    return OpenAPIResponse(description=what, content=text)


OPENAPI: Mapping[str, PathItem] = {
    PATH + "{prefix}": PathItem(
        get=Operation(
            operation_id="PasswordRange",
            summary="Hashes of leaked passwords by their first 20 bits",
            tags=["breach"],
            parameters=[
                Parameter(
                    name="prefix",
                    param_in="path",
                    required=True,
                    description="five hexadecimal digits, in any case",
                    schema=Schema(type=OpenAPIType.STRING, pattern=f"^{_PREFIX.pattern}$"),
                ),
                Parameter(
                    name="mode",
                    param_in="query",
                    description="SHA-1, or NTLM",
                    schema=Schema(type=OpenAPIType.STRING, enum=tuple(WIDTHS)),
                ),
                Parameter(
                    name="Add-Padding",
                    param_in="header",
                    description="true: rows of count 0 among the others, so that all answers are of one length",
                    schema=Schema(type=OpenAPIType.STRING),
                ),
            ],
            responses={
                "200": _response("rows SUFFIX:COUNT, CRLF between them"),
                "400": _response("the prefix is none"),
                "503": _response("not held, or not available just now"),
            },
        )
    )
}
