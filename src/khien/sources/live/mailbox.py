"""A mailbox to which people forward suspicious mail: which hosts its links lead to, and how often they were reported.

Messages stay where they are, unread ones unread. What is read of them, and what is not, says formats.reportmail.
"""

import imaplib
import os
import re
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, NamedTuple, cast

import msgspec
import pyarrow as pa
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from khien import canon, schema
from khien.contracts import Page
from khien.errors import ConfigError, FormatError, InputError, ObservableError, UnavailableError
from khien.formats import reportmail
from khien.sources.live.pace import paced
from khien.sources.live.secret import secret

_BATCH = 20  # messages of a page
_SECONDS = 30.0  # until the server answers
_COUNTED = 1_000  # hosts whose reports are counted on; the one reported longest ago goes first
_DAY = 86_400  # seconds for which a maildir may be behind: what was delivered earlier is done
_DELIVERED = re.compile(r"(\d{9,11})\.")  # how a message of a maildir is called: when it was delivered, and more
_SECTION = b"BODY[]<0>"


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """validity, uid: up to where an IMAP mailbox was read; done: files of a maildir, of its last day; counts: how often
    a host was reported, the last one reported behind."""

    validity: int = 0
    uid: int = 0
    done: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, text: bytes | None) -> "_Cursor":
        try:
            return msgspec.json.decode(text, type=cls) if text else cls()
        except (msgspec.DecodeError, UnicodeError) as error:
            raise InputError(f"no cursor of a mailbox: {(text or b'')[:80]!r}; start without one") from error


class _Met(NamedTuple):
    """A message: its number or file, when it was delivered, and what it holds."""

    place: str
    at: datetime | None
    content: bytes


@dataclass(frozen=True)
class Mailbox:
    """A mailbox at an IMAP ``server`` (host, or host:port; TLS from the first octet), or the maildir at ``path``.

    user, password_file (mode 0600): who reads it; mailbox: its name there; authorities_file: PEM of those whose
    certificates are trusted instead of the usual ones. every: seconds between two looks, 0: one look, and no more.
    known: domains that are never reported, with what is below them: our own, those of mail providers.
    """

    name: ClassVar[str] = "mailbox"
    yields: ClassVar[pa.Schema] = schema.EVIDENCE
    replayable: ClassVar[bool] = True

    server: str = ""
    path: str = ""
    user: str = ""
    password_file: str = ""
    mailbox: str = "INBOX"
    authorities_file: str = ""
    every: float = 60.0
    known: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.server) == bool(self.path):
            raise ConfigError("give a server or the path of a maildir, one of them")
        if self.server:
            _address(self.server)
            if not self.user or not self.password_file:
                raise ConfigError("a server asks for user and password_file: give both")
        if self.every and not 5 <= self.every <= 86_400:
            raise ConfigError(f"every is {self.every:g}: give seconds, 5 to 86,400")
        for each in self.known:
            try:
                canon.domain(each)
            except ObservableError as error:
                raise ConfigError(f"known: {error}") from error

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Reported hosts behind cursor; then, every so often, what came.

        UnavailableError: the server cannot be reached, or refuses. ConfigError: the password cannot be read.
        """
        return paced(lambda over: self._work(_Cursor.of(cursor), over), self.yields, cursor)

    def _work(self, at: _Cursor, over: Event) -> Iterator[Page]:
        known = frozenset(map(canon.domain, self.known))
        while not over.is_set():
            for met, here in self._from_server(at) if self.server else self._from_maildir(at):
                here = msgspec.structs.replace(here, counts=at.counts)
                page, at = _page(met, here, known, self.server or self.path)
                yield page
            if not self.every:
                return
            over.wait(self.every)

    def _from_server(self, at: _Cursor) -> Iterator[tuple[list[_Met], _Cursor]]:
        host, port = _address(self.server)
        try:
            context = ssl.create_default_context(cafile=self.authorities_file or None)
        except OSError as error:
            raise ConfigError(f"{self.authorities_file}: is no PEM file of certificates") from error
        try:
            with IMAPClient(host, port, ssl_context=context, timeout=_SECONDS) as client:
                client.login(self.user, secret(self.password_file))
                validity = int(client.select_folder(self.mailbox, readonly=True).get(b"UIDVALIDITY", 0))
                last = at.uid if validity == at.validity else 0
                numbers = sorted(each for each in client.search(cast("Any", ["UID", f"{last + 1}:*"])) if each > last)
                for begin in range(0, len(numbers), _BATCH):
                    batch = numbers[begin : begin + _BATCH]
                    met = [_fetched(client, number) for number in batch]
                    at = msgspec.structs.replace(at, validity=validity, uid=batch[-1])
                    yield met, at
        except LoginError as error:
            raise UnavailableError(f"{self.server}: refuses {self.user!r}: look at user and password_file") from error
        except (OSError, IMAPClientError, imaplib.IMAP4.error, ValueError, TypeError, LookupError) as error:
            raise UnavailableError(f"{self.server}: {type(error).__name__}: does not answer as IMAP does") from error

    def _from_maildir(self, at: _Cursor) -> Iterator[tuple[list[_Met], _Cursor]]:
        try:
            there = sorted(_there(Path(self.path)))
        except OSError as error:
            raise UnavailableError(f"{self.path}: {error.strerror or error}: a maildir has new and cur") from error
        done, newest = set(at.done), max((_delivered(each) for each in at.done), default=0)
        waiting = [each for each in there if each[1] not in done and each[0] > newest - _DAY]
        for begin in range(0, len(waiting), _BATCH):
            met = [each for each in map(_opened, waiting[begin : begin + _BATCH]) if each is not None]
            names = {*done, *(each.place for each in met)}
            newest = max(map(_delivered, names), default=newest)
            done = {each for each in names if _delivered(each) > newest - _DAY}
            at = msgspec.structs.replace(at, done=tuple(sorted(done)))
            yield met, at


def _fetched(client: Any, number: int) -> _Met:
    """A message, as far as it is read; BODY.PEEK leaves it unread (RFC 9051 section 6.4.5)."""
    answer = client.fetch([number], ["INTERNALDATE", f"BODY.PEEK[]<0.{reportmail.LARGEST}>"])
    found = answer.get(number, {})
    content, at = found.get(_SECTION) or b"", found.get(b"INTERNALDATE")
    return _Met(f"{number}", at.astimezone(UTC) if isinstance(at, datetime) else None, content)


def _there(maildir: Path) -> Iterator[tuple[int, str, str]]:
    """Messages of a maildir: when delivered, the name without flags, and the path."""
    for folder in ("new", "cur"):
        with os.scandir(maildir / folder) as entries:
            for entry in entries:
                if _DELIVERED.match(entry.name) and entry.is_file(follow_symlinks=False):
                    name = entry.name.partition(":")[0]
                    yield _delivered(name), name, entry.path


def _delivered(name: str) -> int:
    found = _DELIVERED.match(name)
    return int(found[1]) if found else 0


def _opened(each: tuple[int, str, str]) -> _Met | None:
    """A message; None: it was moved meanwhile, and is met again under its new path."""
    delivered, name, path = each
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return _Met(name, datetime.fromtimestamp(delivered, UTC), file.read(reportmail.LARGEST))
    except OSError:
        return None


def _page(met: Sequence[_Met], at: _Cursor, known: frozenset[str], place: str) -> tuple[Page, _Cursor]:
    """What messages report: of each host one row, with how often it was reported by now."""
    counts, reported, broken = dict(at.counts), dict[str, datetime | None](), list[str]()
    for message in met:
        try:
            found = reportmail.hosts(message.content)
        except FormatError:
            broken.append(message.place)
            continue
        for host in found:
            labels = host.split(".")
            if known.isdisjoint(".".join(labels[n:]) for n in range(len(labels))):
                reported[host] = message.at
                counts[host] = counts.pop(host, 0) + 1
    columns = [
        list(reported),
        ["report"] * len(reported),
        ["reported"] * len(reported),
        list(reported.values()),
        [[("count", f"{counts[host]}"), ("channel", "mail")] for host in reported],
    ]
    arrays = [pa.array(column, each.type) for column, each in zip(columns, schema.EVIDENCE, strict=True)]
    skipped = None
    if broken:
        rows = [{"place": f"{place}:{each}", "reason": "no-mail", "excerpt": None} for each in broken]
        skipped = pa.RecordBatch.from_pylist(rows, schema.SKIPPED)
    here = msgspec.structs.replace(at, counts=tuple(counts.items())[-_COUNTED:])
    return Page(pa.record_batch(arrays, schema=schema.EVIDENCE), msgspec.json.encode(here), skipped), here


def _address(server: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", server)
    if found is None or int(found[2] or 993) >= 1 << 16:
        raise ConfigError(f"server is {server!r}: give a host, or host:port")
    return found[1].strip("[]"), int(found[2] or 993)
