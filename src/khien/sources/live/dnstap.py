"""The names a resolver asks authorities for, as it tells of them by dnstap; see formats.dnstap for what is left out."""

import os
import re
import selectors
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import ClassVar

import pyarrow as pa

from khien import schema
from khien.contracts import Page
from khien.errors import ConfigError, FormatError, InputError, UnavailableError
from khien.formats import dnstap
from khien.names.reading import syntax
from khien.sources.live.spool import Place, Spool

_PACE = 0.2  # seconds after which a page is yielded, empty or not
_MOST = 8_192  # names of a page
_CHUNK = 1 << 18  # octets read at once
_CONNECTIONS = 64  # resolvers have threads, each with a connection of its own
_REMEMBERED = 1 << 17  # names that are not told again; between so many and twice as many
_TCP = re.compile(r"(?:([0-9.]+)|\[([0-9a-fA-F:.]+)\]):(\d{1,5})")


@dataclass
class _Peer:
    """A resolver that is connected: whether it said START, and who it is for people."""

    socket: socket.socket
    frames: dnstap.Frames = field(default_factory=dnstap.Frames)
    started: bool = False


class _Recent:
    """Names that were told lately: a resolver asks for the same ones all day."""

    def __init__(self) -> None:
        self._young, self._old = set[str](), set[str]()

    def is_new(self, name: str) -> bool:
        if name in self._young:
            return False
        new = name not in self._old
        if len(self._young) >= _REMEMBERED:
            self._old, self._young = self._young, set()
        self._young.add(name)
        return new


@dataclass(frozen=True)
class Dnstap:
    """What resolvers tell at ``listen``: the path of a Unix socket, or an address with a port; never ends.

    Or what is in the file at ``path``, as a resolver wrote it. A name that was told lately is not told again. spool: a
    directory for what was received until it is saved; empty: a killed process loses what it had not saved.
    """

    name: ClassVar[str] = "dnstap"
    yields: ClassVar[pa.Schema] = schema.NAMES
    replayable: ClassVar[bool] = False

    listen: str = ""
    path: str = ""
    spool: str = ""

    def __post_init__(self) -> None:
        if bool(self.listen) == bool(self.path):
            raise ConfigError("give listen (a path, or 127.0.0.1:6000) or a path of a file, one of them")
        if self.listen and "/" not in self.listen:
            _address(self.listen)

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """What the spool holds behind cursor, then what comes. Of a file, what is behind cursor.

        UnavailableError: somebody else listens there, the disk is full. ConfigError: it cannot be listened at.
        InputError: the file cannot be read.
        """
        saved = Place.of(cursor)
        return self._from_file(saved) if self.path else self._live(saved)

    def _from_file(self, saved: Place) -> Iterator[Page]:
        frames, gathered, position = dnstap.Frames(), _Gathered(self.path), 0
        try:
            with open(self.path, "rb") as file:
                while octets := file.read(_CHUNK):
                    for frame in frames.feed(octets):
                        if isinstance(frame, bytes):
                            gathered.take(frame)
                    position += len(octets)
                    rows, skipped = gathered.rows()
                    if position > saved.position:  # what is in front of it is read for what was told lately
                        yield Page(rows, Place(0, position).encoded(), skipped)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        except FormatError as error:
            raise FormatError(f"{self.path}: {error}") from error

    def _live(self, saved: Place) -> Iterator[Page]:
        spool = Spool(self.spool, self.yields)
        try:
            last = saved
            for rows, last in spool.replay(saved):
                yield Page(rows, last.encoded())
            with _Listener(self.listen) as listener:
                gathered = _Gathered(self.listen)
                while True:
                    listener.receive(gathered)
                    rows, skipped = gathered.rows()
                    if rows.num_rows or skipped:
                        last = spool.write(rows)
                    yield Page(rows, last.encoded(), skipped)
        finally:
            spool.close()


class _Gathered:
    """Names on their way to a page, and how many frames were none."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._recent = _Recent()
        self._names: list[dnstap.Asked] = []
        self._broken = 0

    @property
    def is_full(self) -> bool:
        return len(self._names) >= _MOST

    def take(self, frame: bytes) -> None:
        """One data frame."""
        try:
            asked = dnstap.asked(frame)
        except FormatError:
            self._broken += 1
            return
        if asked is not None and syntax.fault(asked.name) == syntax.GOOD and self._recent.is_new(asked.name):
            self._names.append(asked)

    def refuse(self) -> None:
        """A stream that is none."""
        self._broken += 1

    def rows(self) -> tuple[pa.RecordBatch, pa.RecordBatch | None]:
        """What was gathered, as schema.NAMES and schema.SKIPPED; no excerpts: frames hold who asked."""
        names = pa.array([each.name for each in self._names], pa.string())
        times = pa.array([each.moment for each in self._names], pa.int64()).cast(schema.TIME)
        skipped = None
        if self._broken:
            row = {"place": self._place, "reason": "no-frame", "excerpt": f"{self._broken}"}
            skipped = pa.RecordBatch.from_pylist([row], schema.SKIPPED)
        self._names, self._broken = [], 0
        return pa.record_batch([names, times], schema=schema.NAMES), skipped


class _Listener:
    """A socket resolvers connect to, and those that are connected."""

    def __init__(self, listen: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._path = listen if "/" in listen else ""
        self._server = _bound(listen)
        self._selector.register(self._server, selectors.EVENT_READ)

    def __enter__(self) -> "_Listener":
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # pyright: ignore[reportAttributeAccessIssue]
        self._selector.close()
        if self._path:
            Path(self._path).unlink(missing_ok=True)

    def receive(self, gathered: _Gathered) -> None:
        """Takes what comes until a page is full, or a moment has gone."""
        until = monotonic() + _PACE
        while not gathered.is_full and (left := until - monotonic()) > 0:
            for key, _ in self._selector.select(left):
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data, gathered)

    def _accept(self) -> None:
        with suppress(OSError):
            connection, _ = self._server.accept()
            if len(self._selector.get_map()) > _CONNECTIONS:
                connection.close()
                return
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, _Peer(connection))

    def _read(self, peer: _Peer, gathered: _Gathered) -> None:
        try:
            octets = peer.socket.recv(_CHUNK)
            for frame in peer.frames.feed(octets):
                if not isinstance(frame, bytes):
                    self._answer(peer, frame)
                elif peer.started:
                    gathered.take(frame)
                else:
                    raise FormatError("data before START")
        except BlockingIOError:
            return
        except FormatError:
            gathered.refuse()
            octets = b""
        except OSError:
            octets = b""
        if not octets:
            self._selector.unregister(peer.socket)
            peer.socket.close()

    def _answer(self, peer: _Peer, frame: dnstap.Control) -> None:
        """The handshake, of the bi-directional kind where the other side begins with READY."""
        if frame.kind == dnstap.READY and dnstap.CONTENT in frame.contents:
            peer.socket.send(dnstap.control(dnstap.ACCEPT))
        elif frame.kind == dnstap.START and (not frame.contents or dnstap.CONTENT in frame.contents):
            peer.started = True
        elif frame.kind == dnstap.STOP:
            peer.started = False
            peer.socket.send(dnstap.control(dnstap.FINISH))
        else:
            raise FormatError("a control frame out of turn, or of another content")


def _address(text: str) -> tuple[str, int]:
    found = _TCP.fullmatch(text)
    try:
        if found is None or int(found[3]) >= 1 << 16:
            raise ValueError(text)
        return str(ip_address(found[1] or found[2])), int(found[3])
    except ValueError:
        raise ConfigError(f"listen is {text!r}: give a path, 127.0.0.1:6000 or [::1]:6000") from None


def _bound(listen: str) -> socket.socket:
    """A listening socket. A Unix socket that nobody listens at any more is replaced; nothing else is."""
    with ExitStack() as undone:
        try:
            if "/" not in listen:
                address = _address(listen)
                return socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            made = undone.enter_context(socket.socket(socket.AF_UNIX))
            with suppress(FileNotFoundError):
                if not stat.S_ISSOCK(os.lstat(listen).st_mode):
                    raise ConfigError(f"{listen}: is there and no socket: name another path")
                with socket.socket(socket.AF_UNIX) as asking:
                    if asking.connect_ex(listen) == 0:
                        raise UnavailableError(
                            f"{listen}: another program listens there: stop it, or name another path"
                        )
                os.unlink(listen)
            made.bind(listen)
            os.chmod(listen, 0o660)  # for the group a resolver is in
            made.listen()
        except OSError as error:
            raise UnavailableError(f"{listen}: cannot be listened at ({error.strerror or error})") from error
        undone.pop_all()
        return made
