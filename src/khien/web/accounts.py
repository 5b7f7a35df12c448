"""Which accounts are in which collections, a bucket at a time: whoever asks compares, and we never learn which row."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import NamedTuple, get_args

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException, NotFoundException, ServiceUnavailableException
from litestar.params import FromPath, SkipValidation

from khien import words
from khien.breach import exposed
from khien.breach.exposed import Exposed
from khien.contracts import Store
from khien.errors import CustodyError
from khien.model import Collection, Holding, Leaked, Removed
from khien.pipeline.asking import Collections, Kind, Known
from khien.web.shares import ELSEWHERE, Asking, Held, Shares, preflight

_PREFIX = re.compile(r"[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2})?")
_PAGE = 500  # records read at a time


class _Public(NamedTuple):
    """Collections by their numbers as one version of the store has them: those that anybody may be told of."""

    version: int
    told: Mapping[int, Collection]


@dataclass
class Accounts:
    """Reads the files of accounts that a store points at, in a folder; each anew when another took its place. shares:
    who is asked to evaluate."""

    store: Store
    folder: Path
    shares: Shares
    _files: dict[int, Exposed] = field(default_factory=dict[int, Exposed], init=False, repr=False)
    _public: _Public | None = field(default=None, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def rows(self, epoch: int, prefix: str) -> bytes:
        """The rows of a bucket (4 digits) or of 256 (2): what follows of each tag, and collections; sorted, CRLF
        between them."""
        file, public = self._file(epoch), self.public()
        if file is None:
            return b""
        first, last = (int(prefix.ljust(4, digit), 16) for digit in "0f")
        found = exposed.left(file.rows(first, last), list(self._removed(prefix.lower())), ())
        lines: list[str] = []
        for tag, numbers in exposed.tagged(found, len(prefix) // 2):
            ids = [public.told[each].id for each in numbers if each in public.told]
            if ids:
                lines.append(f"{tag.hex().upper()}:{','.join(ids)}")
        return "\r\n".join(lines).encode()

    def public(self) -> _Public:
        """What anybody may be told of."""
        version = self.store.version()
        known = self._public
        if known is None or known.version != version:
            every = (each for each in _all(self.store) if each.gone is None and not each.sensitive)
            known = self._public = _Public(version, {each.number: each for each in every})
        return known

    def _file(self, epoch: int) -> Exposed | None:
        """The file of an epoch; None before there is one."""
        for last in (False, True):
            holding = self.store.load(Holding, f"accounts-{epoch}").get(f"accounts-{epoch}")
            if holding is None:
                return None
            with self._lock:
                known = self._files.get(epoch)
                if known and known.path.name == holding.file:
                    return known
                try:
                    self._files[epoch] = Exposed.open(self.folder / holding.file)
                    return self._files[epoch]
                except (CustodyError, OSError):  # another took its place a moment ago, and this one is gone
                    if last:
                        raise
        return None

    def _removed(self, prefix: str) -> Iterator[bytes]:
        """The accounts that begin so and were taken out, which the file may still have."""
        after = prefix
        while page := self.store.find(Removed, after=after, limit=_PAGE):
            for each in page:
                if not each.id.startswith(prefix):
                    return
                yield bytes.fromhex(each.id)
            after = page[-1].id


Read = NamedDependency[SkipValidation[Accounts]]


def _all(store: Store) -> Iterator[Collection]:
    after = ""
    while page := store.find(Collection, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


@get(
    "/breach/accounts/{epoch:int}/{prefix:str}",
    opt=ELSEWHERE,
    sync_to_thread=True,
    media_type="text/plain",
    raises=[NotAuthorizedException, NotFoundException],
)
def bucket(
    accounts: Read, shares: Held, request: Asking, epoch: FromPath[int], prefix: FromPath[str]
) -> Response[bytes]:
    """The accounts of an epoch whose keyed outputs begin with four hex digits: what follows, and their collections.

    With a constituent's token two digits do, for 256 buckets at once.
    """
    if not _PREFIX.fullmatch(prefix):
        raise NotFoundException("give the epoch of a key, and four hex digits")
    if len(prefix) == 2 and not shares.bearer(request):
        raise NotAuthorizedException("two digits take a token: give four", headers={"WWW-Authenticate": "Bearer"})
    try:
        body = accounts.rows(epoch, prefix)
    except CustodyError as error:
        raise ServiceUnavailableException("not available just now") from error
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "public, no-cache"}
    known = request.headers.get("if-none-match", "").split(",")
    if tag in (each.strip().removeprefix("W/") for each in known):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type="text/plain", headers=headers)


@get("/breach/collections", opt=ELSEWHERE, sync_to_thread=True, raises=[NotFoundException])
def collections(accounts: Read) -> Response[Collections]:
    """The collections that anybody may be told of; and of each kind of what leaks its name and what to do about it."""
    told = tuple(Known.of(each) for each in sorted(accounts.public().told.values(), key=lambda each: each.id))
    kinds = {each: Kind(_texts(f"leaked-{each}"), _texts(f"advice-leaked-{each}")) for each in get_args(Leaked)}
    return Response(Collections(told, kinds), headers={"Cache-Control": "public, max-age=60"})


def _texts(code: str) -> dict[str, str]:
    return {language: words.phrase(code, language) for language in words.LANGUAGES}


ROUTES = (preflight("/breach/accounts/{epoch:int}/{prefix:str}", "/breach/collections"), bucket, collections)
