"""What holds a key, or a share of one, answers: its public half, and blinded elements evaluated and proven.

The site has these two routes, and so has who holds the other share (``khien breach hold``), and nothing else. What is
asked is neither kept nor logged; how much a network asks is kept for an hour, by a keyed hash of its address.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
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
from khien.errors import CustodyError, InputError, UnavailableError
from khien.pipeline.asking import Answer, Chance, Key, Keys, Question
from khien.triage import tokens
from khien.web.doors import network

ELSEWHERE = {"elsewhere": True}  # of a route: pages of other sites may ask, and read the answer
CORS = {"Access-Control-Allow-Origin": "*"}

_HOUR = timedelta(hours=1)
_REMEMBERED = 100_000  # networks
_SALT = 32  # octets
_DAY = 86_400  # seconds

Asking = Request[Any, Any, Any]


class Hourly:
    """How much each network may still ask for: all of it at once, then as it comes back over an hour."""

    def __init__(self, most: int, chance: Chance) -> None:
        self._most, self._salt, self._lock = most, chance(_SALT), Lock()
        self._met = OrderedDict[bytes, tuple[float, datetime]]()  # what was left when

    def take(self, network: str, amount: int, at: datetime) -> float:
        """Takes so much, and answers 0; or takes nothing, and answers after how many seconds there is enough."""
        key = blake2b(network.encode("utf-8", "replace"), key=self._salt, digest_size=16).digest()
        amount = min(amount, self._most)
        with self._lock:
            left, since = self._met.get(key, (float(self._most), at))
            left = min(self._most, left + self._most * max(0.0, (at - since) / _HOUR))
            enough = left >= amount
            self._met[key] = (left - amount if enough else left, at)
            self._met.move_to_end(key)
            if len(self._met) > _REMEMBERED:
                self._met.popitem(last=False)
        return 0.0 if enough else max(1.0, (amount - left) / self._most * _HOUR.total_seconds())


@dataclass(frozen=True)
class Shares:
    """published: who holds keys; secret: the key of an epoch, or InputError; admits: whether a bearer's token lifts the
    limit of so many evaluations for a network in an hour."""

    published: Callable[[], tuple[Key, ...]]
    secret: Callable[[int], bytes] = field(repr=False)
    admits: Callable[[str], bool]
    clock: Callable[[], datetime]
    chance: Chance
    evaluations: int
    _hourly: Hourly = field(init=False, repr=False)

    @classmethod
    def of(cls, epochs: Epochs, admits: Callable[[str], bool]) -> "Shares":
        """Those of a data directory."""
        evaluations = epochs.settings.evaluations
        return cls(epochs.keys, epochs.secret, admits, machine.clock, secrets.token_bytes, evaluations)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hourly", Hourly(self.evaluations, self.chance))

    def bearer(self, request: Asking) -> bool:
        """Whether a token came along. NotAuthorizedException: one did that admits nobody."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if not kind:
            return False
        if kind.lower() != "bearer" or not self.admits(token.strip()):
            raise NotAuthorizedException("this token admits nobody", headers={"WWW-Authenticate": "Bearer"})
        return True

    def ration(self, request: Asking, amount: int) -> None:
        """TooManyRequestsException: who asks asked for too much of late, and shows no token."""
        if not self.bearer(request) and (wait := self._hourly.take(network(request), amount, self.clock())):
            seconds = str(int(wait) + 1)
            raise TooManyRequestsException(f"too much lately: wait {seconds} s", headers={"Retry-After": seconds})

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


def admitting(key: bytes, known: Callable[[str], bool]) -> Callable[[str], bool]:
    """Whether a bearer's token, ``<name>.<token>``, is that of a name that is known; made with a key of the house."""

    def admits(said: str) -> bool:
        name, _, token = said.rpartition(".")
        return tokens.check(token, key, tokens.MATCH, name) and known(name)

    return admits


Held = NamedDependency[SkipValidation[Shares]]


@get("/breach/keys", opt=ELSEWHERE, sync_to_thread=True, raises=[NotFoundException])
def keys(shares: Held) -> Response[Keys]:
    """What accounts are kept under: of each epoch who holds a share of its key, this site under ""."""
    try:
        told = Keys(voprf.SUITE, shares.published())
    except CustodyError as error:
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
            "Access-Control-Max-Age": str(_DAY),
        }
        return Response(None, headers=headers)

    return allowed


ROUTES = (preflight("/breach/keys", "/breach/evaluate"), keys, evaluate)  # in this order: each path has its own OPTIONS
