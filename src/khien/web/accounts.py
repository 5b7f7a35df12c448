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
from khien.breach.accounts import VIET_NAM
from khien.breach.exposed import Exposed
from khien.breach.place import accounts_of
from khien.contracts import Store
from khien.errors import ConfigError, CustodyError
from khien.model import Collection, Holding, Leaked, Removed
from khien.pipeline.asking import Collections, Kind, Known
from khien.pipeline.paging import every
from khien.web.reading import AtVersion
from khien.web.shares import ELSEWHERE, Asking, Held, Shares, preflight

_PREFIX, _EPOCH = re.compile(r"[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2})?"), re.compile(r"[1-9][0-9]{0,4}")
_END = b"\r\n"
_PAGE = 500  # records read at a time


class _Public(NamedTuple):
    """What the store says: collections by their numbers, those that anybody may be told of; how many accounts were
    taken out, by epoch."""

    told: Mapping[int, Collection]
    removed: Mapping[int, int]

    @property
    def ids(self) -> dict[int, str]:
        """What the collections are called."""
        return {number: each.id for number, each in self.told.items()}


class _Length(NamedTuple):
    """How long all answers about an epoch are. of: what they are made from."""

    of: tuple[str, dict[int, str]]
    octets: int


@dataclass
class Accounts:
    """Reads the files of accounts that a store points at, in a folder; each anew when another took its place. shares:
    who is asked to evaluate; country: as in reading.Site."""

    store: Store
    folder: Path
    shares: Shares
    country: str = VIET_NAM
    _files: dict[int, Exposed] = field(default_factory=dict[int, Exposed], init=False, repr=False)
    public: AtVersion[_Public] = field(init=False, repr=False)  # what anybody may be told of
    _lengths: dict[tuple[int, int], _Length] = field(
        default_factory=dict[tuple[int, int], _Length], init=False, repr=False
    )
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self.public = AtVersion(self.store, self._read)

    def generation(self, epoch: int) -> str:
        """What changes with any of an epoch's buckets: which of them did is nobody's to see."""
        file, public = self._file(epoch), self.public()
        made = file and file.path.name, sorted(public.ids.items()), public.removed.get(epoch)
        return hashlib.sha256(repr(made).encode()).hexdigest()[:32]

    def rows(self, epoch: int, prefix: str) -> bytes:
        """The rows of a bucket (4 digits) or of 256 (2): what follows of each tag, and collections; sorted, CRLF
        between them, and behind them as many as make all of an epoch as long as the longest."""
        file, public = self._file(epoch), self.public()
        if file is None:
            return b""
        longest = self._longest(epoch, file, public.ids, 16 - len(prefix))
        first, last = (int(prefix.ljust(4, digit), 16) for digit in "0f")
        found = exposed.left(file.rows(first, last), list(self._removed(prefix.lower())), ())
        lines: list[str] = []
        for tag, numbers in exposed.tagged(found, len(prefix) // 2):
            ids = [public.told[each].id for each in numbers if each in public.told]
            if ids:
                lines.append(f"{tag.hex().upper()}:{','.join(ids)}")
        rows = "\r\n".join(lines).encode()
        return (rows + _END * (longest // 2 + 1))[:longest]

    def _longest(self, epoch: int, file: Exposed, ids: dict[int, str], digits: int) -> int:
        """Octets of the longest answer, a few more where accounts are in several collections. digits: of a tag."""
        of, at = (file.path.name, ids), (epoch, digits)
        with self._lock:
            known = self._lengths.get(at)
            if known is None or known.of != of:
                weights = file.weights({number: digits + len(f":{name}\r\n") for number, name in ids.items()})
                together = exposed.BUCKETS >> 4 * (16 - digits)
                octets = int(weights.reshape(-1, together).sum(axis=1).max())
                known = self._lengths[at] = _Length(of, octets)
        return known.octets

    def _read(self) -> _Public:
        met = (each for each in every(self.store, Collection) if each.gone is None and not each.sensitive)
        removed = {epoch: count for (epoch,), count in self.store.count(Removed, "epoch").items()}
        return _Public({each.number: each for each in met}, removed)

    def _file(self, epoch: int) -> Exposed | None:
        """The file of an epoch; None before there is one."""
        for last in (False, True):
            holding = self.store.load(Holding, accounts_of(epoch)).get(accounts_of(epoch))
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


@get(
    "/breach/accounts/{epoch:str}/{prefix:str}",
    opt=ELSEWHERE,
    sync_to_thread=True,
    media_type="text/plain",
    raises=[NotAuthorizedException, NotFoundException],
)
def bucket(
    accounts: Read, shares: Held, request: Asking, epoch: FromPath[str], prefix: FromPath[str]
) -> Response[bytes]:
    """The accounts of an epoch whose keyed outputs begin with four hex digits: what follows, and their collections.

    With a constituent's token two digits do, for 256 buckets at once; without one while two epochs are published, so
    that who asks under both tells no more. All answers about an epoch are equally long.
    """
    try:
        live = shares.live()
        if not _PREFIX.fullmatch(prefix) or not _EPOCH.fullmatch(epoch) or int(epoch) not in live:
            raise NotFoundException("give an epoch that GET /breach/keys names, and four hex digits")
        if len(prefix) == 2 and len(live) == 1 and not shares.bearer(request):
            raise NotAuthorizedException("two digits take a token: give four", headers={"WWW-Authenticate": "Bearer"})
        tag = f'"{accounts.generation(int(epoch))}"'
        headers = {"ETag": tag, "Cache-Control": "public, no-cache, no-transform"}
        known = request.headers.get("if-none-match", "").split(",")
        if tag in (each.strip().removeprefix("W/") for each in known):
            return Response(b"", status_code=304, headers=headers)
        return Response(accounts.rows(int(epoch), prefix), media_type="text/plain", headers=headers)
    except (CustodyError, ConfigError) as error:
        raise ServiceUnavailableException("not available just now") from error


@get("/breach/collections", opt=ELSEWHERE, sync_to_thread=True, raises=[NotFoundException])
def collections(accounts: Read) -> Response[Collections]:
    """The collections that anybody may be told of; and of each kind of what leaks its name and what to do about it."""
    told = tuple(Known.of(each) for each in sorted(accounts.public().told.values(), key=lambda each: each.id))
    kinds = {each: Kind(_texts(f"leaked-{each}"), _texts(f"advice-leaked-{each}")) for each in get_args(Leaked)}
    return Response(Collections(told, kinds), headers={"Cache-Control": "public, max-age=60"})


def _texts(code: str) -> dict[str, str]:
    return {language: words.phrase(code, language) for language in words.LANGUAGES}


ROUTES = (preflight("/breach/accounts/{epoch:str}/{prefix:str}", "/breach/collections"), bucket, collections)
