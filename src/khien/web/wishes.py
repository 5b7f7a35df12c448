"""For the holder of an address: a code by mail, and with it all the address is in, and what they wish about it.

Whoever asks gets the same answer whatever the address, at the same time: whether a mail goes out is decided, and a
server is asked, when it was given. Nothing of an address is kept but in a box that the site cannot open.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from queue import Full, Queue
from threading import Thread
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.exceptions import (
    ClientException,
    NotAuthorizedException,
    ServiceUnavailableException,
    TooManyRequestsException,
)
from litestar.params import JSONBody, SkipValidation

from khien import words
from khien.breach.accounts import canonical
from khien.channels.mail.post import Post
from khien.errors import Error
from khien.model import Delivery, Language
from khien.pipeline import owners
from khien.pipeline.asking import Known
from khien.pipeline.owners import MAIL, Owners
from khien.triage import tokens
from khien.web.doors import network
from khien.web.pages import Ours
from khien.web.shares import Bounded, too_many

_OF_NETWORK, _OF_ADDRESS, _OF_DOMAIN = 10, 3, 300  # codes that are sent in an hour
_OF_ADDRESS_A_DAY = 6
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_WAITING = 100  # letters
_log = logging.getLogger(__name__)

Address = Annotated[str, msgspec.Meta(max_length=320)]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address to which a code is to be sent, and in which language."""

    address: Address
    language: Language = "vi"


class Proven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address, the code that was sent there, and what its holder wishes."""

    address: Address
    code: Annotated[str, msgspec.Meta(max_length=64)]
    wish: Literal["show", "remove", "tell", "forget"] = "show"
    language: Language = "vi"


class Sent(msgspec.Struct, frozen=True):
    """A code is on its way, if the address takes mail."""

    sent: bool = True


class Stands(msgspec.Struct, frozen=True):
    """How it stands with an account: all the collections it is in; until which day its holder is told of more."""

    collections: tuple[Known, ...]
    until: str | None


class _Letter(NamedTuple):
    to: Delivery
    subject: str
    text: str


@dataclass
class Letters:
    """Sends letters one after the other, behind the answers. reached: whom to ask, and where the site is."""

    post: Post
    reached: tuple[str, ...] = ()
    _waiting: "Queue[_Letter]" = field(default_factory=lambda: Queue(_WAITING), init=False, repr=False)
    _begun: bool = field(default=False, init=False, repr=False)

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return self._waiting.full()

    def put(self, to: Delivery, subject: str, text: str) -> None:
        """Sends it in its turn; where too many came at the same moment, never: who asked is told the same."""
        try:
            self._waiting.put_nowait(_Letter(to, subject, text))
        except Full:
            _log.warning("a code was not sent: too many are waiting")
        if not self._begun:
            self._begun = True
            Thread(target=self._send, name="codes", daemon=True).start()

    def _send(self) -> None:
        while True:
            to, subject, text = self._waiting.get()
            try:
                message = self.post.begin(to, subject, to.due)
                message["Auto-Submitted"] = "auto-generated"  # RFC 3834
                message.set_content(self.post.below(text, *self.reached), cte="quoted-printable")
                self.post.hand_over(message, to, lambda: None)
            except Error as error:  # what it says may repeat the address
                _log.warning("a code was not sent (%s): mail server %s", type(error).__name__, self.post.host)


@dataclass(frozen=True)
class People:
    """owners: what they may do; key: from which codes follow; public: what addresses are sealed to; letters: how codes
    are sent, None where no mail is configured."""

    owners: Owners
    key: bytes = field(repr=False)
    public: bytes
    letters: Letters | None
    clock: Callable[[], datetime]
    chance: Callable[[int], bytes] = field(repr=False)
    _networks: Bounded = field(init=False, repr=False)
    _mailboxes: tuple[Bounded, Bounded, Bounded] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_networks", Bounded(_OF_NETWORK, _HOUR, self.chance))
        bounds = (_OF_ADDRESS, _HOUR), (_OF_ADDRESS_A_DAY, _DAY), (_OF_DOMAIN, _HOUR)
        object.__setattr__(self, "_mailboxes", tuple(Bounded(most, over, self.chance) for most, over in bounds))

    def send(self, spelled: bytes, language: Language, from_: str) -> None:
        """Sends a code, unless enough of them went to the mailbox, or to its domain.

        TooManyRequestsException: enough were asked for from this network. ServiceUnavailableException: none is sent to
        anybody now.
        """
        at = self.clock()
        if self.letters is None:
            raise ServiceUnavailableException("no mail is configured here: ask who runs this site")
        if self.letters.full:
            raise ServiceUnavailableException("too many letters are waiting: try again in a minute")
        if wait := self._networks.take(from_, 1, at):
            raise too_many("too many codes", wait)
        local, _, domain = spelled.removeprefix(MAIL).decode().rpartition("@")
        mailbox = f"{local.partition('+')[0]}@{domain}"  # where a tag is none, it is two people's bound
        if any(each.take(of, 1, at) for each, of in zip(self._mailboxes, (mailbox, mailbox, domain), strict=True)):
            return
        to = Delivery(
            id=self.chance(32).hex(),
            about="",
            revision=1,
            channel="mail",
            address=spelled.removeprefix(MAIL).decode(),
            language=language,
            due=at,
        )
        text = words.phrase("prove-letter", language, answer=owners.code(spelled, self.key, at))
        self.letters.put(to, words.phrase("prove-subject", language), text)

    def act(self, spelled: bytes, proven: Proven) -> None:
        """Does what the holder of an address wishes."""
        match proven.wish:
            case "remove":
                self.owners.remove(spelled, by="khien", at=self.clock())
            case "tell":
                self.owners.tell(spelled, proven.language, self.public, self.chance, self.clock())
            case "forget":
                self.owners.forget(spelled)
            case "show":
                pass

    def shown(self, spelled: bytes) -> Stands:
        """How it stands."""
        wish = self.owners.wish(spelled)
        told = tuple(Known.of(each) for each in self.owners.collections(spelled))
        return Stands(told, wish.until.isoformat() if wish else None)


Here = NamedDependency[SkipValidation[People]]


def _spelled(address: str) -> bytes:
    spelled = canonical(address.encode("utf-8", "replace"))
    if spelled is None or not spelled.startswith(MAIL):
        raise ClientException("this is no mail address: write name@example.org")
    return spelled


@post(
    "/breach/prove",
    status_code=202,
    sync_to_thread=True,
    raises=[ClientException, TooManyRequestsException, ServiceUnavailableException],
)
def prove(people: Here, request: Request[Any, Any, Any], data: JSONBody[Asked]) -> Sent:
    """Sends a code to an address. The answer is the same whatever the address."""
    people.send(_spelled(data.address), data.language, network(request))
    return Sent()


@post(
    "/breach/proven",
    status_code=200,
    sync_to_thread=True,
    raises=[ClientException, NotAuthorizedException, TooManyRequestsException],
)
def proven(site: Ours, people: Here, request: Request[Any, Any, Any], data: JSONBody[Proven]) -> Stands:
    """With the code that was sent: what the account is in, taken out, told of in future, or no more."""
    spelled = _spelled(data.address)
    expected = partial(owners.expect, spelled, data.code, people.key, people.clock())
    site.doors.attempt(request, expected, tokens.token(people.key, "guess", spelled.decode()))
    people.act(spelled, data)
    return people.shown(spelled)


ROUTES = (prove, proven)
