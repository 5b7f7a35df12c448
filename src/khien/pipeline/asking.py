"""Asks whether accounts are out, without telling which: what docs/accounts.md says, from the side of who asks.

Each holder of a share evaluates blinded inputs and proves it; the sum of what they answer, unblinded, is 64 octets that
only holders and asker together can make. Its first bits name a bucket, and those after them are compared here with what
is in it. The buckets of all keys that are live have BITS bits together, however many keys there are.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Annotated, NamedTuple, TypeVar

import httpx
import msgspec
import numpy as np
import numpy.typing as npt

from khien.breach import voprf
from khien.errors import CustodyError, FormatError, InputError, RefusedError, UnavailableError
from khien.model import Collection, Text
from khien.outward import http

MOST = 256  # elements of a request
BITS = 16  # of all buckets that are asked for because of one account
LIVE = 2  # keys at most, at a time: another would leave a bucket four bits
AGENT = "khien"

_LARGEST = 1 << 20  # octets of an answer
_LARGEST_BUCKET = 256 << 20
_KEPT = 16 << 20  # rows of buckets that are kept: about 200 MB
_PATIENCE = 60.0  # seconds
_COUNT = re.compile("[0-9]{1,18}")

_Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Chance = Callable[[int], bytes]
Evaluate = Callable[[Sequence[bytes]], list[bytes]]  # what a holder answers to at most MOST elements, verified
T = TypeVar("T")


class Share(msgspec.Struct, frozen=True):
    """Who holds a share of a key. url: where it answers, empty for the site that says so; public: in hex."""

    url: Annotated[str, msgspec.Meta(max_length=300)]
    public: _Hex32


class Key(msgspec.Struct, frozen=True):
    """The key of an epoch, which is the sum of its holders' shares. bits: of a bucket that is asked for."""

    epoch: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    holders: Annotated[tuple[Share, ...], msgspec.Meta(min_length=1, max_length=8)]
    bits: int = BITS


class Keys(msgspec.Struct, frozen=True):
    """What accounts are kept under."""

    suite: str
    keys: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=LIVE)]


class Question(msgspec.Struct, frozen=True):
    """Blinded elements in hex, and whether a proof is asked for."""

    epoch: int
    elements: Annotated[tuple[_Hex32, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    proof: bool = True


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the holder of a key makes of them, in their order; proof: 64 octets in hex, about all of them."""

    evaluated: Annotated[tuple[_Hex32, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    proof: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{128})?$")] = ""


class Known(msgspec.Struct, frozen=True):
    """A collection that is told of. kinds: of what leaked; leaked: the day, as far as is known."""

    id: str
    label: Text
    about: Text
    leaked: str | None
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, collection: Collection) -> Known:
        """What anybody may know of it."""
        leaked = collection.leaked and collection.leaked.isoformat()
        label, about = Text.of(collection.label), Text.of(collection.about)
        return cls(collection.id, label, about, leaked, collection.kinds)


class Kind(msgspec.Struct, frozen=True):
    """What people call a kind of what leaks, and what to do about it, by language."""

    name: dict[str, str]
    advice: dict[str, str]


class Collections(msgspec.Struct, frozen=True):
    """All of them, and each kind of what leaks."""

    collections: tuple[Known, ...]
    kinds: dict[str, Kind]


def reach(typed: Sequence[str], named: Sequence[str] = ()) -> httpx.Client:
    """A client for sites that somebody typed, and for those that a site names; for any number of threads; close it in
    the end.

    Each is asked over TLS. Who types an address of their own network knows why, and one of this machine needs no TLS;
    what a site names leads to neither, unless this machine was typed, too. InputError: typed is no URL.
    FormatError: named is none, or not over TLS.
    """
    sites = [_site(each) for each in typed]
    here, ports = any(map(_is_here, sites)), set[int](http.PORTS)
    for url, each in zip(sites, typed, strict=True):
        if url.scheme != "https" and not _is_here(url):
            raise InputError(f"{each!r} is not asked: give https://, for http:// is for this machine alone")
    for each in named:
        try:
            url = _site(each)
        except InputError as error:
            raise FormatError(f"a site names a holder of its key that has no address: {each[:300]!r}") from error
        if url.scheme != "https" and not (here and _is_here(url)):
            raise FormatError(f"a site names a holder of its key that does not answer over TLS: {each[:300]!r}")
        sites.append(url)
    ports |= {each.port for each in sites if each.port}
    allow = {network for each in sites[: len(typed)] for network in _networks(each.host)}
    return http.client(AGENT, allow=allow, ports=sorted(ports))


def _site(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InputError(f"{text!r} is no address of a site: give https:// and a name") from error
    if url.scheme not in ("http", "https") or not url.host or url.path != "/" or url.query or url.userinfo:
        raise InputError(f"{text!r} is no address of a site: give https:// and a name, without a path")
    return url


def _is_here(url: httpx.URL) -> bool:
    return any(ip_network(each).is_loopback for each in _networks(url.host))


def _networks(host: str) -> set[str]:
    """What is reached although it is private."""
    if host == "localhost":
        return {"127.0.0.0/8", "::1/128"}
    try:
        return {str(ip_address(host))}
    except ValueError:
        return set()


@dataclass(frozen=True)
class Remote:
    """A holder of a share, over HTTP. public: in hex; token: lifts the limit of how much may be asked."""

    client: httpx.Client
    url: str
    epoch: int
    public: str
    token: str = field(default="", repr=False)

    def __call__(self, elements: Sequence[bytes], /) -> list[bytes]:
        """What it answers. CustodyError: its proof does not hold. UnavailableError, FormatError: no answer, or none."""
        question = Question(self.epoch, tuple(each.hex() for each in elements))
        told = _ask(self.client, self.url, "/breach/evaluate", _bearer(self.token), msgspec.json.encode(question))
        answer = _read(told, Answer, self.url)
        evaluated = [bytes.fromhex(each) for each in answer.evaluated]
        try:
            holds = voprf.verify(bytes.fromhex(self.public), elements, evaluated, bytes.fromhex(answer.proof))
        except InputError as error:
            raise FormatError(f"{self.url}: answers with what are no elements, or no proof") from error
        if not holds:
            raise CustodyError(f"{self.url}: its proof does not hold: it answers with another key than it published")
        return evaluated


def outputs(holders: Sequence[Evaluate], inputs: Sequence[bytes], chance: Chance) -> list[bytes]:
    """The 64 octets of each ACCOUNT INPUT, from all who hold a share; chance: so many octets, each time others."""
    made: list[bytes] = []
    for at in range(0, len(inputs), MOST):
        part = inputs[at : at + MOST]
        scalars = [voprf.scalar(chance(64)) for _ in part]
        elements = voprf.blind(part, scalars)
        made += voprf.finalize(part, scalars, voprf.combine([each(elements) for each in holders]))
    return made


class _Bucket(NamedTuple):
    """Sorted tags, and for each where its collections are among the sets that are met."""

    tags: npt.NDArray[np.uint64]
    places: npt.NDArray[np.uint32]
    sets: tuple[tuple[str, ...], ...]


class _Kept:
    """Buckets by epoch and prefix, the latest of them."""

    def __init__(self) -> None:
        self._met = OrderedDict[tuple[int, str], _Bucket]()
        self._rows = 0

    def get(self, key: tuple[int, str], fetch: Callable[[], _Bucket]) -> _Bucket:
        if key not in self._met:
            self._met[key] = fetch()
            self._rows += len(self._met[key].tags)
        self._met.move_to_end(key)
        while self._rows > _KEPT and len(self._met) > 1:
            self._rows -= len(self._met.popitem(last=False)[1].tags)
        return self._met[key]


@dataclass(frozen=True)
class Asking:
    """Asks one site; for one thread.

    url: of the site, without a path; keys: as it published them once, where its word of today is not enough; tokens:
    by the URL of a holder, the site's under ""; bulk: buckets are fetched 256 at once, which takes a token; at_once:
    requests, of MOST accounts each, that are on their way.
    """

    client: httpx.Client
    url: str
    chance: Chance
    keys: tuple[Key, ...] = ()
    tokens: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    bulk: bool = False
    at_once: int = 1
    _kept: _Kept = field(default_factory=_Kept, init=False, repr=False)

    def found(self, inputs: Sequence[bytes]) -> list[tuple[str, ...]]:
        """In which collections, by id, each ACCOUNT INPUT is; sensitive ones are never told.

        UnavailableError: ask later. RefusedError: a token admits nobody. CustodyError: a proof does not hold.
        FormatError: an answer is none.
        """
        met: list[dict[str, None]] = [{} for _ in inputs]
        keys = self.keys or self.published()
        octets = 1 if self.bulk else BITS // 8 // len(keys)
        for key in keys:
            for at, output in enumerate(self._outputs(key, inputs)):
                met[at] |= dict.fromkeys(self._collections(key.epoch, output, octets))
        return [tuple(each) for each in met]

    def published(self) -> tuple[Key, ...]:
        """The keys, as the site says today."""
        keys = _read(self._get("/breach/keys"), Keys, self.url)
        if keys.suite != voprf.SUITE or any(each.bits * len(keys.keys) != BITS for each in keys.keys):
            raise FormatError(f"{self.url}: keeps accounts as {keys.suite[:40]!r}: this asks for {voprf.SUITE}")
        return keys.keys

    def collections(self) -> Collections:
        """What is known of each collection, and what to do about each kind of what leaks."""
        return _read(self._get("/breach/collections"), Collections, self.url)

    def count(self, password: bytes) -> int:
        """How often a password was met in what leaked; five of the 40 digits of its SHA-1 leave, and no more."""
        digest = hashlib.sha1(password).hexdigest().upper()
        octets = _ask(self.client, self.url, f"/range/{digest[:5]}", {"Add-Padding": "true"})
        for row in octets.decode("latin-1").split("\r\n"):
            suffix, _, count = row.partition(":")
            if suffix == digest[5:]:
                if not _COUNT.fullmatch(count):
                    raise FormatError(f"{self.url}: answers with a count that is none")
                return int(count)
        return 0

    def _outputs(self, key: Key, inputs: Sequence[bytes]) -> list[bytes]:
        holders = [
            Remote(self.client, each.url or self.url, key.epoch, each.public, self.tokens.get(each.url, ""))
            for each in key.holders
        ]
        parts = [inputs[at : at + MOST] for at in range(0, len(inputs), MOST)]
        with ThreadPoolExecutor(self.at_once) as pool:
            return [each for made in pool.map(partial(outputs, holders, chance=self.chance), parts) for each in made]

    def _collections(self, epoch: int, output: bytes, octets: int) -> tuple[str, ...]:
        """octets: of the output that name a bucket."""
        prefix, tag = output[:octets].hex(), int.from_bytes(output[octets:8], "big")
        bucket = self._kept.get((epoch, prefix), lambda: self._bucket(epoch, prefix))
        at = int(np.searchsorted(bucket.tags, np.uint64(tag)))
        return bucket.sets[bucket.places[at]] if at < len(bucket.tags) and bucket.tags[at] == tag else ()

    def _bucket(self, epoch: int, prefix: str) -> _Bucket:
        octets = self._get(f"/breach/accounts/{epoch}/{prefix}", _LARGEST_BUCKET)
        return bucket(octets, 2 * 8 - len(prefix), self.url)

    def _get(self, path: str, largest: int = _LARGEST) -> bytes:
        return _ask(self.client, self.url, path, _bearer(self.tokens.get("", "")), largest=largest)


@contextmanager
def opened(
    url: str,
    chance: Chance,
    expect: Callable[[tuple[Key, ...]], None] = lambda _: None,
    *,
    tokens: Mapping[str, str] = MappingProxyType({}),
    at_once: int = 1,
) -> Generator[Asking]:
    """Asks a site, whose address somebody typed, and whoever it says holds a share of its keys; one that knows us by a
    token under "" is asked in bulk. expect: raises where the keys that it publishes are not to be asked under."""
    with reach([url]) as client:
        keys = Asking(client, url, chance, tokens=tokens).published()
    expect(keys)
    named = [share.url for each in keys for share in each.holders if share.url]
    with reach([url], named) as client:
        yield Asking(client, url, chance, keys, tokens, bulk="" in tokens, at_once=at_once)


def bucket(octets: bytes, digits: int, url: str) -> _Bucket:
    """The rows of a bucket, by the digits of their tags; behind them it is filled up. FormatError: they are none, or
    not sorted."""
    sets: dict[tuple[str, ...], int] = {}
    tags, places, row = list[int](), list[int](), re.compile(f"([0-9A-F]{{{digits}}}):([!-~]+)")
    rows = octets.rstrip(b"\r\n").decode("latin-1")
    for line in rows.split("\r\n") if rows else ():
        met = row.fullmatch(line)
        if met is None:
            raise FormatError(f"{url}: line {len(tags) + 1} of a bucket is no tag and collections")
        tags.append(int(met[1], 16))
        places.append(sets.setdefault(tuple(met[2].split(",")), len(sets)))
    made = np.array(tags, np.uint64)
    if (made[1:] <= made[:-1]).any():
        raise FormatError(f"{url}: a bucket is not sorted")
    return _Bucket(made, np.array(places, np.uint32), tuple(sets))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _ask(
    client: httpx.Client,
    url: str,
    path: str,
    headers: dict[str, str],
    content: bytes | None = None,
    largest: int = _LARGEST,
) -> bytes:
    """What is answered; errors name the site alone: of what was asked the path has a part."""
    if content is None:
        answer = http.get(client, url + path, largest, headers=headers, seconds=_PATIENCE, redirects=0)
    else:
        headers = {**headers, "Content-Type": "application/json"}
        answer = http.post(client, url + path, content, headers=headers, seconds=_PATIENCE, largest=largest)
    if answer.status == 200:
        return answer.body
    if answer.status in (401, 403):
        raise RefusedError(f"{url}: refuses: look at the token, or ask for one")
    if answer.status == 429 or answer.status >= 500:
        wait = http.retry_after(answer.headers)
        when = "later" if wait is None else f"in {wait:,.0f} s"
        raise UnavailableError(f"{url}: does not answer now (status {answer.status}): ask again {when}")
    raise FormatError(f"{url}: answers with status {answer.status}: is it a site of Khiên?")


def _read(octets: bytes, kind: type[T], url: str) -> T:
    try:
        return msgspec.json.decode(octets, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FormatError(f"{url}: the answer is not what docs/accounts.md says") from error
