"""What holds a key, or a share of one, answers: its public half, and blinded elements evaluated and proven.

The site has these two routes, and so has who holds the other share (``khien breach hold``), and nothing else. What is
asked is neither kept nor logged; how much a network asks is kept for an hour, by a keyed hash of its address.
"""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from threading import Lock
from typing import Any

from litestar import HttpMethod, Request, Response, get, post, route
from litestar.di import NamedDependency
from litestar.exceptions import (
    ClientException,
    NotAuthorizedException,
    NotFoundException,
    ServiceUnavailableException,
    TooManyRequestsException,
)
from litestar.params import JSONBody, SkipValidation

from khien.app import machine
from khien.app.epochs import Epochs
from khien.breach import voprf
from khien.errors import ConfigError, CustodyError, InputError, UnavailableError
from khien.pipeline.asking import Answer, Chance, Key, Keys, Question
from khien.triage import tokens
from khien.web.doors import network

ELSEWHERE = {"elsewhere": True}  # of a route: pages of other sites may ask, and read the answer
CORS = {"Access-Control-Allow-Origin": "*"}

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_REMEMBERED = 100_000  # networks
_SALT = 32  # octets
_log = logging.getLogger(__name__)

Asking = Request[Any, Any, Any]
Admits = Callable[[str], str]  # whose a bearer's token is; nobody's: ""


class Bounded:
    """How much each of many may still ask for: all of it at once, then as it comes back over some time."""

    def __init__(self, most: int, over: timedelta, chance: Chance) -> None:
        self._most, self._over, self._salt, self._lock = most, over, chance(_SALT), Lock()
        self._met = OrderedDict[bytes, tuple[float, datetime]]()  # what was left when

    def take(self, who: str, amount: int, at: datetime) -> float:
        """Takes so much, and answers 0; or takes nothing, and answers after how many seconds there is enough."""
        key = blake2b(who.encode("utf-8", "replace"), key=self._salt, digest_size=16).digest()
        amount = min(amount, self._most)
        with self._lock:
            left, since = self._met.get(key, (float(self._most), at))
            left = min(self._most, left + self._most * max(0.0, (at - since) / self._over))
            enough = left >= amount
            self._met[key] = (left - amount if enough else left, at)
            self._met.move_to_end(key)
            if len(self._met) > _REMEMBERED:
                self._met.popitem(last=False)
        return 0.0 if enough else max(1.0, (amount - left) / self._most * self._over.total_seconds())


@dataclass(frozen=True)
class Shares:
    """live: the epochs that are published; keys: who holds theirs; secret: the key of one, or InputError; admits: whose
    token a bearer shows, which lifts the limit of so many evaluations for a network in an hour to that of so many for a
    name in a day."""

    live: Callable[[], tuple[int, ...]]
    keys: Callable[[Sequence[int]], tuple[Key, ...]]
    secret: Callable[[int], bytes] = field(repr=False)
    admits: Admits
    clock: Callable[[], datetime]
    chance: Chance
    evaluations: int
    daily: int
    _hourly: Bounded = field(init=False, repr=False)
    _daily: Bounded = field(init=False, repr=False)
    _tally: "_Tally" = field(init=False, repr=False)

    @classmethod
    def of(cls, epochs: Epochs, admits: Admits, live: Callable[[], tuple[int, ...]]) -> "Shares":
        """Those of a data directory."""
        bounds = epochs.settings.evaluations, epochs.settings.daily
        return cls(live, epochs.keys, epochs.secret, admits, machine.clock, secrets.token_bytes, *bounds)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hourly", Bounded(self.evaluations, _HOUR, self.chance))
        object.__setattr__(self, "_daily", Bounded(self.daily, _DAY, self.chance))
        object.__setattr__(self, "_tally", _Tally(self.clock()))

    def published(self) -> tuple[Key, ...]:
        """Who holds the keys that accounts are looked for under."""
        return self.keys(self.live())

    def bearer(self, request: Asking) -> str:
        """The name of whose token came along; of none: "". NotAuthorizedException: it admits nobody."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if not kind:
            return ""
        name = self.admits(token.strip()) if kind.lower() == "bearer" else ""
        if not name:
            raise NotAuthorizedException("this token admits nobody", headers={"WWW-Authenticate": "Bearer"})
        return name

    def ration(self, request: Asking, amount: int) -> None:
        """TooManyRequestsException: who asks asked for too much of late."""
        name, at = self.bearer(request), self.clock()
        wait = self._daily.take(name, amount, at) if name else self._hourly.take(network(request), amount, at)
        if wait:
            raise too_many("too much lately", wait)
        self._tally.add(name, amount, at)

    def evaluate(self, question: Question) -> Answer:
        """InputError: no such epoch, or what is no element."""
        key = self.secret(question.epoch)
        elements = [bytes.fromhex(each) for each in question.elements]
        evaluated = voprf.evaluate(key, elements)
        proof = b""
        if question.proof:
            nonce = voprf.scalar(self.chance(64))
            proof = voprf.prove(key, voprf.public_of(key), elements, evaluated, nonce)
        return Answer(tuple(each.hex() for each in evaluated), proof.hex())


class _Tally:
    """How much was evaluated for whom, in the log once a minute at most: what was asked never is."""

    def __init__(self, since: datetime) -> None:
        self._since, self._sums, self._lock = since, dict[str, int](), Lock()
        self._said = dict[str, datetime]()

    def add(self, name: str, amount: int, at: datetime) -> None:
        with self._lock:
            total = self._sums[name] = self._sums.get(name, 0) + amount
            if at - self._said.get(name, datetime.min.replace(tzinfo=at.tzinfo)) < _MINUTE:
                return
            self._said[name] = at
        since = self._since.isoformat(" ", "minutes")
        _log.info("evaluated for %s since %s: %d elements", name or "anybody", since, total)


def too_many(why: str, wait: float) -> TooManyRequestsException:
    """Come back in so many seconds."""
    seconds = str(int(wait) + 1)
    return TooManyRequestsException(f"{why}: wait {seconds} s", headers={"Retry-After": seconds})


def admitting(key: bytes, known: Callable[[str], bool]) -> Admits:
    """Whose token, ``<name>.<token>``, a bearer shows, if the name is known; made with a key of the house."""

    def admits(said: str) -> str:
        name, _, token = said.rpartition(".")
        return name if tokens.check(token, key, tokens.MATCH, name) and known(name) else ""

    return admits


Held = NamedDependency[SkipValidation[Shares]]


@get("/breach/keys", opt=ELSEWHERE, sync_to_thread=True, raises=[NotFoundException])
def keys(shares: Held) -> Response[Keys]:
    """What accounts are kept under: of each epoch who holds a share of its key, this site under ""."""
    try:
        told = Keys(voprf.SUITE, shares.published())
    except (CustodyError, ConfigError) as error:
        raise ServiceUnavailableException("not available just now") from error
    return Response(told, headers={"Cache-Control": "public, max-age=60"})


@post(
    "/breach/evaluate",
    status_code=200,
    opt=ELSEWHERE,
    sync_to_thread=True,
    raises=[NotAuthorizedException, NotFoundException, TooManyRequestsException],
)
def evaluate(shares: Held, request: Asking, data: JSONBody[Question]) -> Answer:
    """Blinded elements, evaluated with this site's key or share of an epoch, and a proof of it (RFC 9497)."""
    try:
        shares.secret(data.epoch)
    except InputError as error:
        raise NotFoundException("this epoch has no key here: GET /breach/keys says which have") from error
    except (CustodyError, UnavailableError) as error:
        raise ServiceUnavailableException("not available just now") from error
    shares.ration(request, len(data.elements))
    try:
        return shares.evaluate(data)
    except InputError as error:
        raise ClientException("one of the elements is none of ristretto255") from error


def preflight(*paths: str) -> Any:
    """Lets pages of other sites ask at these paths (Fetch standard, section 3.2.2)."""

    @route(list(paths), http_method=[HttpMethod.OPTIONS], opt=ELSEWHERE, include_in_schema=False, status_code=204)
    async def allowed() -> Response[None]:
        headers = {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": str(int(_DAY.total_seconds())),
        }
        return Response(None, headers=headers)

    return allowed


ROUTES = (preflight("/breach/keys", "/breach/evaluate"), keys, evaluate)  # in this order: each path has its own OPTIONS
