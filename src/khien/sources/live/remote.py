"""A document that is fetched again and again: only what changed, unpacked, and whole or not at all."""

import os
import tempfile
import zipfile
import zlib
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import httpx
import msgspec

from khien.errors import ConfigError, FormatError, RefusedError, UnavailableError
from khien.outward import http
from khien.packed import Packed, suffix, unpacked

_SECONDS = 300.0  # that a document may take


class Tag(msgspec.Struct, frozen=True, array_like=True):
    """By what a server recognises the version that is known here, RFC 9110 section 8.8; "" where it has none."""

    etag: str = ""
    modified: str = ""


class Document(NamedTuple):
    """text: unpacked; suffix: of its name without packing; at: when the server said so."""

    text: bytes
    suffix: str
    tag: Tag
    at: datetime | None


class Remote(NamedTuple):
    """A document at a URL (http, https), or in a file that something else fetches. largest: octets when unpacked.

    allow: networks that are reached although they are private; ports: beside the usual ones.
    """

    url: str
    path: str
    largest: int
    allow: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    contact: str = ""

    def expect_good(self) -> None:
        """ConfigError: a setting is none."""
        if bool(self.url) == bool(self.path):
            raise ConfigError("give a url or a path, one of them")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise ConfigError(f"url is {self.url!r}: give https:// or http://")
        if not 1 <= self.largest <= 1 << 30:
            raise ConfigError(f"largest is {self.largest}: give octets, 1 to {1 << 30:,}")

    def client(self) -> httpx.Client:
        """For ``fetch``; close it in the end. ConfigError."""
        agent = f"Khien ({self.contact})" if self.contact else "Khien"
        return http.client(agent, allow=self.allow, ports=(*http.PORTS, *self.ports))

    def fetch(self, client: httpx.Client, known: Tag) -> Document | None:
        """The document; None: it is the one that is known. UnavailableError: it cannot be had whole now."""
        try:
            return self._from_file(known) if self.path else self._from_server(client, known)
        except (FormatError, RefusedError) as error:  # what a server does today it need not do tomorrow
            raise UnavailableError(str(error)) from error
        except OSError as error:
            raise UnavailableError(f"{self.path or self.url}: {error.strerror or error}") from error

    def _from_file(self, known: Tag) -> Document | None:
        found = os.stat(self.path)
        tag = Tag(etag=f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}")
        if tag == known:
            return None
        return Document(self._text(self.path), suffix(self.path), tag, datetime.fromtimestamp(found.st_mtime, UTC))

    def _from_server(self, client: httpx.Client, known: Tag) -> Document | None:
        asked = {"If-None-Match": known.etag} if known.etag else {}
        asked |= {"If-Modified-Since": known.modified} if known.modified else {}
        with http.opened(client, self.url, headers=asked, seconds=_SECONDS) as answer:
            if answer.status == 304:
                return None
            if answer.status != 200:
                raise UnavailableError(f"{httpx.URL(self.url).host} answers {answer.status}")
            with tempfile.NamedTemporaryFile() as file:
                size = 0
                for chunk in answer.chunks:
                    size += len(chunk)
                    if size > self.largest:
                        raise FormatError(f"sends more than {self.largest:,} octets: largest is that setting")
                    file.write(chunk)
                file.flush()
                tag = Tag(*(answer.headers.get(each, "")[:500] for each in ("ETag", "Last-Modified")))
                name = Path(httpx.URL(answer.url).path).name
                return Document(self._text(file.name), suffix(name), tag, _date(answer.headers.get("Date", "")))

    def _text(self, path: str) -> bytes:
        """What is in a file, unpacked: of a zip archive its first member."""
        if zipfile.is_zipfile(path):
            try:
                with zipfile.ZipFile(path) as archive:
                    member = next((each for each in archive.infolist() if not each.is_dir()), None)
                    if member is None:
                        raise FormatError("is an archive with nothing in it")
                    with archive.open(member) as file:
                        return self._bounded(file)
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
                raise FormatError(f"is a damaged archive, or one that needs a password ({error})") from error
        with closing(Packed(path)) as packed:
            return self._bounded(unpacked(packed))

    def _bounded(self, file: IO[bytes] | Any) -> bytes:
        pieces, size = list[bytes](), 0
        while piece := file.read(1 << 20):
            size += len(piece)
            if size > self.largest:
                raise FormatError(f"unpacks to more than {self.largest:,} octets: largest is that setting")
            pieces.append(piece)
        return b"".join(pieces)


def _date(text: str) -> datetime | None:
    with suppress(ValueError, TypeError, OverflowError):
        return parsedate_to_datetime(text).astimezone(UTC)
    return None
