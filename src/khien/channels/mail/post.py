"""Handing one message to a mail server: SMTP (RFC 5321) over TLS or STARTTLS (RFC 3207), bounded in time and memory.

The end of DATA is the point of no return: a message whose last dot was sent may have been taken, whatever is heard of
it. Before it nothing was taken, after the answer all is known.
"""

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from time import monotonic
from typing import Literal
from zoneinfo import ZoneInfo

from khien import words
from khien.channels.mail import dkim
from khien.errors import InputError, ObservableError, UnavailableError, UncertainError
from khien.model import Delivery, Record
from khien.packed import secret

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)  # RFC 5322's dot-atom
_LONGEST_ADDRESS = 254
_LONGEST_LINE = 2048  # octets of a reply; RFC 5321 section 4.5.3.1.5 allows 512
_MOST_LINES = 64  # of one reply
_LONGEST_ANSWER = 200  # characters that are kept of what a server says
_OURS = (530, 534, 535, 538)  # refusals that only we can mend: RFC 4954 section 6, RFC 3207 section 4
_ADDRESSEE = "the address"
_POLICY = b"5.7."  # RFC 3463 section 3.8: of who refuses us, whatever the address

Security = Literal["tls", "starttls", "none"]


def _is_address(text: str) -> bool:
    """Whether mail can be sent there: an ASCII address without quotes, as nearly all are."""
    return len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


class Post(Record, frozen=True, kw_only=True):
    """A mail server that takes our mail, and in whose name we write.

    sender: our address; signed: our name. security: tls from the first octet on (port 465), starttls (587), or none,
    for a server on the same machine. authorities_file: PEM of those whose certificates are trusted instead of the
    usual ones. dkim_key_file: a private key in PEM, RSA or Ed25519, whose public half stands in DNS; without it nothing
    is signed here. zone: whose times are written. seconds: in which a message is handed over.
    """

    host: str
    sender: str
    signed: str = "Khiên"
    port: int = 587
    security: Security = "starttls"
    user: str = ""
    password_file: str = ""
    authorities_file: str = ""
    reply_to: str = ""
    dkim_domain: str = ""
    dkim_selector: str = ""
    dkim_key_file: str = ""
    zone: str = "Asia/Ho_Chi_Minh"
    seconds: float = 60

    @property
    def domain(self) -> str:
        """The domain in whose name we write."""
        return self.sender.rpartition("@")[2]

    @property
    def times(self) -> ZoneInfo:
        """The zone whose times are written. UnavailableError: there is no such zone."""
        try:
            return ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise UnavailableError(f"zone: {self.zone!r} is none: write one as Asia/Ho_Chi_Minh") from None

    def begin(self, to: Delivery, subject: str, at: datetime) -> EmailMessage:
        """The head of a message, the same each time: from its id the other side can tell that it has it already.

        InputError: the address is none.
        """
        if not _is_address(to.address):
            raise InputError(f"{words.printable(to.address)[:80]!r} is no mail address: write name@example.org")
        for setting, ours in (("sender", self.sender), ("reply_to", self.reply_to or self.sender)):
            if not _is_address(ours):
                raise UnavailableError(f"{setting}: {ours!r} is no mail address: write name@example.org")
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(words.printable(self.signed), addr_spec=self.sender)
        message["To"] = Address(addr_spec=to.address)
        if self.reply_to:
            message["Reply-To"] = self.reply_to
        message["Subject"] = words.printable(" ".join(subject.split()))
        message["Date"] = format_datetime(at)
        message["Message-ID"] = f"<{to.id[:40]}@{self.domain}>"
        return message

    def below(self, text: str, *reached: str) -> str:
        """A text, and below it who writes it, and where they are reached."""
        return "\n".join((text, "", words.printable(self.signed), *filter(None, reached))) + "\n"

    def hand_over(self, message: EmailMessage, to: Delivery, commit: Callable[[], None]) -> str:
        """Signs a message that was begun and hands it over; answers what the server said.

        UnavailableError: not taken, try later. InputError: never taken; ObservableError: nor is any other to this
        address. UncertainError: it may have been taken.
        """
        message.set_boundary(f"khien-{to.id[:40]}")  # else it would be another one each time
        written = message.as_bytes()
        if self.dkim_key_file:
            key = dkim.key(secret(self.dkim_key_file), self.dkim_key_file)
            written = dkim.sign(written, self.dkim_domain or self.domain, self.dkim_selector, key)
        try:
            return self._deliver(written, to.address, commit)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:  # ssl.SSLError is an OSError
            raise UnavailableError(f"{self._server}: {_said(error)}") from None

    @property
    def _server(self) -> str:
        return f"mail server {self.host}:{self.port}"

    def _deliver(self, message: bytes, to: str, commit: Callable[[], None]) -> str:
        password = secret(self.password_file).decode().strip() if self.user else ""
        with closing(_Session(self.domain, monotonic() + self.seconds)) as session:
            session.begin(self.host, self.port, None if self.security == "none" else _trust(self.authorities_file))
            self._introduce(session, password)
            self._expect(session.mail(self.sender), 2, "the sender")
            self._expect(session.rcpt(to), 2, _ADDRESSEE)
            self._expect(session.docmd("DATA"), 3, "a message")
            session.send(message.replace(b"\r\n.", b"\r\n.."))
            commit()
            try:
                session.send(b".\r\n")
                code, said = session.getreply()
            except (OSError, smtplib.SMTPException) as error:
                raise UncertainError(f"{self._server}: took all of a message, and then: {_said(error)}") from None
            if code // 100 not in (2, 4, 5):
                raise UncertainError(f"{self._server}: answers a message with {code} {_shown(said)}")
            self._expect((code, said), 2, "the message")
            session.part()
        return f"{code} {_shown(said)}"

    def _introduce(self, session: "_Session", password: str) -> None:
        """Greets, goes over to TLS where that is asked for, and says who we are."""
        if self.security == "tls":
            session.secure()
        code, said = session.getreply()
        if code != 220:
            raise smtplib.SMTPResponseException(code, said)
        session.ehlo_or_helo_if_needed()
        if self.security == "starttls":
            code, said = session.docmd("STARTTLS")
            if code != 220:
                raise smtplib.SMTPResponseException(code, said)
            session.secure()
            session.ehlo_or_helo_if_needed()
        if self.user:
            session.login(self.user, password)

    def _expect(self, reply: tuple[int, bytes], kind: int, what: str) -> None:
        """One branch per reaction, of RFC 5321 section 4.2.1."""
        if reply[0] // 100 == kind:
            return
        said = f"{self._server}: does not take {what}: {reply[0]} {_shown(reply[1])}"
        if reply[0] // 100 == 5 and reply[0] not in _OURS:
            lost = what == _ADDRESSEE and not reply[1].startswith(_POLICY)
            raise ObservableError(said) if lost else InputError(said)
        raise UnavailableError(said)


class _Session(smtplib.SMTP):
    """A connection whose replies are bounded, and which is over at a time whatever the other side does."""

    def __init__(self, name: str, until: float) -> None:
        super().__init__(local_hostname=name)
        self._until = until
        self._ahead = b""
        self._trust: ssl.SSLContext | None = None
        self._name = ""

    def begin(self, host: str, port: int, trust: ssl.SSLContext | None) -> None:
        """Connects; trust: with what the connection will be secured."""
        self._name, self._trust = host, trust
        self.sock = socket.create_connection((host, port), timeout=self._left())
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def secure(self) -> None:
        """Goes over to TLS; what was said before it counts no more, RFC 3207 section 4.2."""
        if self._trust is None or self.sock is None or self._ahead:
            raise smtplib.SMTPServerDisconnected("it said more than was asked before TLS")
        self.sock.settimeout(self._left())
        self.sock = self._trust.wrap_socket(self.sock, server_hostname=self._name)
        self.ehlo_resp = self.helo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def send(self, s: bytes | str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] # a socket takes more
        """Sends, within the time that is left."""
        if self.sock is not None:
            self.sock.settimeout(self._left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """A reply: its code, and its lines."""
        lines: list[bytes] = []
        for _ in range(_MOST_LINES):
            line = self._line()
            if not line[:3].isdigit():
                break
            lines.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)
        raise smtplib.SMTPServerDisconnected("what it says is no SMTP")

    def part(self) -> None:
        """Takes leave, and waits for no answer."""
        with suppress(OSError, smtplib.SMTPException):
            self.putcmd("QUIT")

    def _line(self) -> bytes:
        while b"\n" not in self._ahead:
            if len(self._ahead) > _LONGEST_LINE or self.sock is None:
                raise smtplib.SMTPServerDisconnected("what it says is no SMTP")
            self.sock.settimeout(self._left())
            got = self.sock.recv(_LONGEST_LINE)
            if not got:
                raise smtplib.SMTPServerDisconnected("it closed the connection")
            self._ahead += got
        line, _, self._ahead = self._ahead.partition(b"\n")
        return line

    def _left(self) -> float:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("no answer in the time it has")
        return left


@cache  # hundreds of certificates are read for it
def _trust(authorities: str) -> ssl.SSLContext:
    """Whose certificates are trusted. UnavailableError: there is no such file of them."""
    try:
        return ssl.create_default_context(cafile=authorities or None)
    except OSError as error:
        raise UnavailableError(f"authorities_file: {authorities}: {error.strerror or error}") from None


def _said(error: Exception) -> str:
    """What went wrong, as a person reads it."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
        return f"{error.smtp_code} {_shown(said)}"
    return words.printable(str(error))[:_LONGEST_ANSWER]


def _shown(said: bytes) -> str:
    return words.printable(" ".join(said.decode("utf-8", "replace").split()))[:_LONGEST_ANSWER]
