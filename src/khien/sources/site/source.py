"""Whether a page answers at a name, and what it calls itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import ClassVar

import httpcore
import httpx
import pyarrow as pa

from khien import schema
from khien.contracts import Asks, Page
from khien.errors import ConfigError, FormatError, RefusedError, UnavailableError
from khien.outward import http
from khien.outward.asking import Asking, Fact, Reached
from khien.outward.dns import Names
from khien.outward.pace import Pace
from khien.sources.site import title

_LARGEST = 1 << 16  # octets of a page that are read
_LONGEST_URL = 500  # characters
_SCHEMES = ("https", "http")
_TIMES = (httpcore.TimeoutException, httpx.TimeoutException)


@dataclass(frozen=True)
class Site:
    """What findings ask of pages, for as long as it is read: topic page, its status, title and where redirects led.

    Of a page 64 KiB are read and the title is kept; nothing is run, no picture or script is loaded, no form is sent.
    Private addresses are not connected to, wherever a name or a redirect leads. contact: who we are and how to reach
    us, told to every server. servers: name servers, see the source resolver. at_once: pages at a time. rate: pages a
    second. seconds: until no answer is one, shared by https and http. ports: of https and of http. allow: private
    networks that may be reached: none, but for a trial.
    """

    name: ClassVar[str] = "site"
    yields: ClassVar[pa.Schema] = schema.EVIDENCE
    replayable: ClassVar[bool] = False

    asks: Asks
    contact: str = ""
    servers: tuple[str, ...] = ()
    at_once: int = 20
    rate: float = 20.0
    seconds: float = 8.0
    ports: tuple[int, int] = (443, 80)
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (1 <= self.at_once <= 100 and 0 < self.rate <= 1000 and 0.1 <= self.seconds <= 60):
            raise ConfigError("give at_once 1 to 100, rate above 0 to 1000 pages a second, seconds 0.1 to 60")
        self._client().close()

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Facts as they come to be known; what was not saved is asked for again. It never ends."""
        reached = Reached(cursor)
        with self._client() as client:
            looking = _Looking(self, client, Pace(self.rate, self.at_once), reached)
            for rows in Asking(partial(self.asks, self.name), (looking.page,), self.at_once).rows():
                yield Page(pa.RecordBatch.from_pylist(rows, schema.EVIDENCE), reached.cursor(rows))

    def _client(self) -> httpx.Client:
        return http.client(
            f"Khien ({self.contact})" if self.contact else "Khien",
            allow=self.allow,
            ports=(*http.PORTS, *self.ports),
            resolve=Names(self.servers).addresses,
            unverified=True,  # whoever imitates a bank has a certificate or none: what the page says is asked here
        )


@dataclass(frozen=True)
class _Looking:
    part: Site
    client: httpx.Client
    pace: Pace
    reached: Reached

    def page(self, host: str) -> Sequence[Fact] | None:
        """What answers at a name, over https or else over http."""
        if self.pace.turn("", self.part.seconds):
            return None
        until, why, there = monotonic() + self.part.seconds, "", False
        for scheme, port, rest in zip(_SCHEMES, self.part.ports, (2, 1), strict=True):
            try:
                found = self._answer(f"{scheme}://{host}:{port}/", (until - monotonic()) / rest)
            except RefusedError:
                why = "not-followed"  # it leads inside
                break
            except FormatError:
                why = "malformed"
            except UnavailableError as error:
                why = "timeout" if isinstance(error.__cause__, _TIMES) else "unreachable"
                there = there or error.__cause__ is not None  # else the name has no address
            else:
                self.reached.note(answered=True)
                return (found,)
        if there:
            self.reached.note(answered=why not in ("timeout", "unreachable"))
        return (Fact("page", "unanswered", {"why": why}),)

    def _answer(self, url: str, seconds: float) -> Fact:
        page = bytearray()
        with http.opened(self.client, url, seconds=seconds) as answer:
            try:
                for chunk in answer.chunks:
                    page += chunk
                    if len(page) >= _LARGEST:
                        break
            except (UnavailableError, FormatError):
                pass  # it answered: what came of its page until then will do
        kind = answer.headers.get("Content-Type", "")
        called = title.title(bytes(page[:_LARGEST]), kind)
        led = title.cleaned(answer.url, _LONGEST_URL)
        return Fact("page", "answers", {"status": str(answer.status), "title": called, "url": led})
