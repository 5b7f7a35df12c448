"""The names of a DNS zone, and those that come to it: by transfer from its masters, or from a file of it."""

import os
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, ClassVar, NamedTuple, cast

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.tsig
import msgspec
import numpy as np
import pyarrow as pa

from khien import canon, schema
from khien.contracts import Page
from khien.errors import ConfigError, FormatError, InputError, ObservableError, UnavailableError
from khien.formats.transfer import Told, Transfer
from khien.names.reading import layout, rows, syntax, zones
from khien.packed import Packed, first_line, unpacked
from khien.sources.live.pace import paced
from khien.sources.live.secret import secret
from khien.sources.live.versions import Versions

_PAGE = 8_192  # names
_BLOCK = 1 << 20  # octets of a zone file read at once
_ANSWER, _MESSAGE, _TRANSFER = 10.0, 30.0, 7_200.0  # seconds until an answer, the next message, the end
_REFRESH = 60.0, 86_400.0  # seconds between two looks, whatever the zone asks for
_MOST = 50_000_000  # names of a zone
_ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224")

Array = np.ndarray[Any, Any]
Key = tuple[dict[dns.name.Name, dns.tsig.Key], dns.name.Name]


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """state: the serial, or time of the file, that was told whole; version: of what was told by then; page: how many
    were yielded since, none of which says the other's content."""

    state: int | None = None
    version: int = 0
    page: int = 0

    @classmethod
    def of(cls, text: bytes | None) -> "_Cursor":
        try:
            return msgspec.json.decode(text, type=cls) if text else cls()
        except (msgspec.DecodeError, UnicodeError) as error:
            raise InputError(f"no cursor of a zone: {(text or b'')[:80]!r}; start without one") from error


class _Change(NamedTuple):
    """What leads to a state, as it comes; and whether that turned out to be all of the zone, or what changed."""

    told: Iterable[Told]
    state: int
    transfer: Transfer | None = None

    @property
    def reached(self) -> int:
        """The state that was told: a master may have moved on since it was asked."""
        return self.state if self.transfer is None or self.transfer.serial is None else self.transfer.serial

    @property
    def is_full(self) -> bool:
        return self.transfer is None or self.transfer.full


@dataclass(frozen=True)
class Zone:
    """The zone called ``zone`` from ``masters`` (address, or address:port; the first that answers), AXFR first, then
    IXFR whenever its serial has grown; or from a ``path``, a zone file that something else writes.

    key: the name of a TSIG key (RFC 8945), its secret in base64 in key_file (mode 0600). every: seconds between two
    looks, else as often as the zone's refresh says; 0: one look, and no more. All names are told at first, then those
    that are new. spool: a directory that remembers which were told; empty: all are told at each start.
    """

    name: ClassVar[str] = "zone"
    yields: ClassVar[pa.Schema] = schema.NAMES
    replayable: ClassVar[bool] = False

    zone: str
    masters: tuple[str, ...] = ()
    path: str = ""
    key: str = ""
    key_file: str = ""
    algorithm: str = "hmac-sha256"
    every: float | None = None
    spool: str = ""

    def __post_init__(self) -> None:
        try:
            canon.domain(f"x.{self.zone}")
        except ObservableError as error:
            raise ConfigError(f"zone is {self.zone!r}: {error}") from error
        if bool(self.masters) == bool(self.path):
            raise ConfigError("give masters or a path, one of them")
        for each in self.masters:
            _master(each)
        if bool(self.key) != bool(self.key_file):
            raise ConfigError("key and key_file belong together: give both or none")
        if self.algorithm not in _ALGORITHMS:
            raise ConfigError(f"algorithm is {self.algorithm!r}: give one of {', '.join(_ALGORITHMS)}")
        if self.every and not 1 <= self.every <= 604_800:
            raise ConfigError(f"every is {self.every:g}: give seconds, 1 to 604,800")

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        """Names that were not told by cursor; then, every so often, those that are new.

        UnavailableError: no master answers, or none that can be believed. ConfigError: the key or spool is none.
        """
        return paced(lambda over: self._work(_Cursor.of(cursor), over), self.yields, cursor)

    def _work(self, at: _Cursor, over: Event) -> Iterator[Page]:
        key = self._key()
        with ExitStack() as stack:
            memory = Versions(self.spool or stack.enter_context(TemporaryDirectory()))
            if not memory.has(at.version):
                at = _Cursor(version=at.version, page=at.page)
            while not over.is_set():
                wait = self.every or _REFRESH[0]
                try:
                    change, wait = self._from_file(at) if self.path else self._from_masters(at, key)
                    if change is not None:
                        for page, here in self._told(change, at, memory):
                            at = here
                            yield page
                except (OSError, EOFError, dns.exception.DNSException, ValueError, FormatError) as error:
                    raise UnavailableError(f"{self.zone}: {first_line(error) or type(error).__name__}") from error
                if self.every == 0:
                    return
                over.wait(self.every or wait)

    def _told(self, change: _Change, at: _Cursor, memory: Versions) -> Iterator[tuple[Page, _Cursor]]:
        """Pages of names that are new; the last says that all were told."""
        known = np.frombuffer(memory.load(at.version), np.uint64)
        told, gone, waiting, count = list[Array](), list[Array](), list[str](), 0
        for each in change.told:
            waiting += each.came
            gone.append(_digests(each.gone))
            count += len(each.came)
            if count > _MOST:
                raise FormatError(f"has more than {_MOST:,} names")
            if len(waiting) >= _PAGE:
                digests = _digests(waiting)
                told.append(digests)
                at = msgspec.structs.replace(at, page=at.page + 1)
                yield Page(_rows(waiting, digests, known), msgspec.json.encode(at)), at
                waiting = []
        digests = _digests(waiting)
        all_told = np.concatenate([digests, *told])
        if not change.is_full:
            all_told = np.union1d(np.setdiff1d(known, np.concatenate([digests[:0], *gone])), all_told)
        memory.keep(at.version + 1, np.unique(all_told).tobytes())
        at = _Cursor(change.reached, at.version + 1, at.page + 1)
        yield Page(_rows(waiting, digests, known), msgspec.json.encode(at)), at

    def _key(self) -> Key | None:
        if not self.key:
            return None
        try:
            name, octets = dns.name.from_text(self.key), b64decode(secret(self.key_file), validate=True)
            return {name: dns.tsig.Key(name, octets, self.algorithm)}, name
        except (dns.exception.DNSException, ValueError) as error:
            raise ConfigError(f"{self.key_file}: holds no key: give its secret in base64") from error

    def _from_masters(self, at: _Cursor, key: Key | None) -> tuple[_Change | None, float]:
        """What leads from a state to that of the first master that answers, None where it is the same; and in how many
        seconds to look again."""
        faults = list[str]()
        for master in self.masters:
            address, port = _master(master)
            asked = dns.message.make_query(self.zone, dns.rdatatype.SOA)
            if key:
                asked.use_tsig(*key)
            try:
                answer = dns.query.tcp(asked, address, _ANSWER, port)
                found = [cast("Any", each)[0] for each in answer.answer if each.rdtype == dns.rdatatype.SOA]
            except (OSError, EOFError, dns.exception.DNSException, ValueError) as error:
                faults.append(f"{master}: {first_line(error) or type(error).__name__}")
                continue
            if not found:
                faults.append(f"{master}: does not serve it (rcode {answer.rcode()})")
                continue
            refresh = min(max(_REFRESH[0], found[0].refresh), _REFRESH[1])
            if at.state is not None and not _is_newer(found[0].serial, at.state):
                return None, refresh
            transfer = Transfer(full=at.state is None, signed=key is not None)
            told = self._transferred(transfer, at, address, port, key)
            return _Change(told, found[0].serial, transfer), refresh
        raise UnavailableError(f"{self.zone}: no master answers ({'; '.join(faults)})")

    def _transferred(self, transfer: Transfer, at: _Cursor, address: str, port: int, key: Key | None) -> Iterator[Told]:
        kind = dns.rdatatype.AXFR if at.state is None else dns.rdatatype.IXFR
        ring, name = key or (None, None)
        messages = dns.query.xfr(
            address, self.zone, kind, timeout=_MESSAGE, port=port, keyring=ring, keyname=name, relativize=False,
            lifetime=_TRANSFER, serial=at.state or 0, keyalgorithm=dns.name.from_text(self.algorithm),
        )  # fmt: skip
        for message in messages:
            yield transfer.take(message)
        transfer.expect_whole()

    def _from_file(self, at: _Cursor) -> tuple[_Change | None, float]:
        state = os.stat(self.path).st_mtime_ns
        return (_Change(self._in_file(), state) if state != at.state else None), _REFRESH[0]

    def _in_file(self) -> Iterator[Told]:
        with closing(Packed(self.path)) as packed:
            text, state, rest, ended = unpacked(packed), layout.State(origin=f"{self.zone}."), b"", False
            while not ended:
                more = text.read(_BLOCK)
                ended, block = not more, rest + more
                whole = block[: block.rfind(b"\n") + 1] if not ended or block.endswith(b"\n") else block + b"\n"
                page = rows.Rows(whole, timed=False)
                used, state = zones.read(page, layout.Layout("zone"), state, ended)
                rest = block[used:]
                if len(rest) > rows.LONGEST_LINE:
                    raise FormatError(f"line {state.line}: is longer than {rows.LONGEST_LINE:,} octets")
                if ended and rest and not used:
                    raise FormatError(f"line {state.line}: breaks off")
                ended = ended and not rest
                found = page.names().column(0).to_pylist()
                yield Told([each.lower().removesuffix(".") for each in found], [])


def _rows(names: list[str], digests: Array, known: Array) -> pa.RecordBatch:
    """schema.NAMES of those that are names, and not known."""
    new = np.isin(digests, known, invert=True)
    good = [name for name, is_new in zip(names, new, strict=True) if is_new and syntax.fault(name) == syntax.GOOD]
    good = list(dict.fromkeys(good))
    return pa.record_batch([pa.array(good, pa.string()), pa.nulls(len(good), schema.TIME)], schema=schema.NAMES)


def _digests(names: list[str]) -> Array:
    return np.frombuffer(b"".join(blake2b(each.encode(), digest_size=8).digest() for each in names), np.uint64)


def _is_newer(serial: int, known: int) -> bool:
    """By the arithmetic of serial numbers, RFC 1982."""
    return 0 < (serial - known) % (1 << 32) < 1 << 31


def _master(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    try:
        if not colon or (host.count(":") and not host.endswith("]")):
            return str(ip_address(text.strip("[]"))), 53
        number = int(port)
        if not 0 < number < 1 << 16:
            raise ValueError(text)
        return str(ip_address(host.strip("[]"))), number
    except ValueError:
        raise ConfigError(f"masters: {text!r} is no address: give 192.0.2.1:53 or [2001:db8::1]:53") from None
