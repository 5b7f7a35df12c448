"""Certificates as a certstream-compatible server tells of them, over a websocket, for as long as it is read."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import ClassVar
from urllib.parse import urlsplit

import pyarrow as pa
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from khien import schema
from khien.contracts import Page
from khien.errors import ConfigError, FormatError, UnavailableError
from khien.formats import certstream
from khien.sources.live.pace import paced
from khien.sources.live.spool import Place, Spool

_GATHER = 0.1  # seconds that names wait for others
_MOST = 2_000  # names of a page, but for the last certificate's
_PING = 20  # seconds between two pings, and until one is answered
_KEPT = 100  # messages set aside with a page


@dataclass(frozen=True)
class Certstream:
    """What the server at ``url`` (wss://, or ws:// in the house) says was certified: full, lite or names alone.

    authorities_file: a PEM file of those whose certificates are trusted instead of the usual ones. spool: a directory
    for what was received until it is saved; empty: a killed process loses what it had not saved. What passes while
    nobody is connected is not told again: a log is read without gaps by the source ctlog.
    """

    name: ClassVar[str] = "certstream"
    yields: ClassVar[pa.Schema] = schema.CERTIFIED
    replayable: ClassVar[bool] = False

    url: str
    authorities_file: str = ""
    spool: str = ""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in ("ws", "wss") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good:
            raise ConfigError(f"url is {self.url!r}: give ws:// or wss:// with a host")

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """What the spool holds behind cursor, then what comes; it never ends.

        UnavailableError: the server is not there or has left, the disk is full. ConfigError: the spool is no place of
        ours, or authorities_file no certificates.
        """
        return paced(lambda over: self._work(Place.of(cursor), over), self.yields, cursor)

    def _work(self, saved: Place, over: Event) -> Iterator[Page]:
        spool = Spool(self.spool, self.yields)
        try:
            for rows, place in spool.replay(saved):
                yield Page(rows, place.encoded())
            with self._connected() as server:
                while not over.is_set():
                    certified, faults = self._received(server)
                    rows = certstream.batch(certified)
                    if rows.num_rows or faults:
                        yield Page(rows, spool.write(rows).encoded(), self._skipped(faults))
        except (OSError, WebSocketException) as error:
            raise UnavailableError(f"{self._host}: {str(error) or type(error).__name__}") from error
        finally:
            spool.close()

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""

    def _connected(self) -> ClientConnection:
        context = None
        if self.url.startswith("wss:"):
            try:
                context = ssl.create_default_context(cafile=self.authorities_file or None)
            except OSError as error:  # ssl.SSLError is one
                raise ConfigError(
                    f"authorities_file: {self.authorities_file}: is no PEM file of certificates"
                ) from error
        return connect(
            self.url, ssl=context, proxy=None, user_agent_header="Khien", max_size=certstream.LARGEST,
            max_queue=64, ping_interval=_PING, ping_timeout=_PING, close_timeout=1,
        )  # fmt: skip

    def _received(self, server: ClientConnection) -> tuple[list[certstream.Certified], list[str]]:
        """What comes within a moment, and why some of it was set aside."""
        certified, faults, count, until = list[certstream.Certified](), list[str](), 0, monotonic() + _GATHER
        while count < _MOST and len(faults) < _KEPT and (left := until - monotonic()) > 0:
            try:
                message = server.recv(timeout=left)
            except TimeoutError:
                break
            try:
                each = certstream.decode(message)
            except FormatError:
                faults.append("no-message")
                continue
            certified.append(each)
            faults += each.faults
            count += len(each.names)
        return certified, faults

    def _skipped(self, faults: list[str]) -> pa.RecordBatch | None:
        """No excerpt: among the names of a certificate there may be a person's mail address."""
        if not faults:
            return None
        rows = [{"place": self._host, "reason": reason, "excerpt": None} for reason in faults[:_KEPT]]
        return pa.RecordBatch.from_pylist(rows, schema.SKIPPED)
