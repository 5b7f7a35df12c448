"""HTTP to whoever is there: what we ask may be hostile, a phishing page or a server of somebody who forgot it.

So a client resolves names itself and checks the address of every connection, also behind a redirect and when a name is
resolved anew; time is bounded as a whole and not from octet to octet; a body is bounded as it is read and as it is
unpacked.
"""

from __future__ import annotations

import logging
import ssl
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from time import monotonic
from typing import NamedTuple

import httpcore
import httpx

from khien.errors import ConfigError, FormatError, RefusedError, UnavailableError
from khien.outward.addresses import Resolve, is_outside, system

Network = IPv4Network | IPv6Network

PORTS = (80, 443, 8080, 8443)
_SCHEMES = {"http": 80, "https": 443}
_MOST_ADDRESSES = 8  # of a name that are tried
_SLICE = 1 << 16  # octets that are unpacked at once
_GZIP = zlib.MAX_WBITS | 16
_LONGEST_WAIT = 86_400.0  # seconds a server may make us wait

logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log URLs, and some hold a secret

_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class Answer(NamedTuple):
    """What a server said in the end: url is where the last redirect led."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str


class Opened(NamedTuple):
    """An answer whose body is yet to come: chunks are unpacked, of 64 KiB at most, and can be read once."""

    status: int
    headers: httpx.Headers
    url: str
    chunks: Iterator[bytes]


def client(
    agent: str,
    *,
    allow: Iterable[str] = (),
    inside: bool = False,
    ports: Sequence[int] = PORTS,
    resolve: Resolve | None = None,
    authorities: str = "",
    unverified: bool = False,
) -> httpx.Client:
    """A client for ``get``, ``post`` and ``opened``, for any number of threads; close it in the end.

    agent: who we are, with a contact. allow: networks that are reached although they are private, for services in the
    house; the ports they use are in ports; inside: no others are. resolve: how names are resolved, else as the system
    does. authorities: a PEM file of those whose certificates are trusted instead of the usual ones. unverified:
    certificates are not checked at all, which is for looking at suspicious pages and nothing else. ConfigError: a
    setting is none.
    """
    try:
        networks = tuple(ip_network(each) for each in allow)
        context = (
            ssl.create_default_context(cafile=authorities) if authorities else httpx.create_ssl_context(trust_env=False)
        )
    except ValueError as error:
        raise ConfigError(f"allow: {error}: give networks, for example 10.20.0.0/16") from error
    except OSError as error:
        raise ConfigError(
            f"authorities: {authorities}: is no PEM file of certificates: {error.strerror or error}"
        ) from error
    if unverified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    pool = httpcore.ConnectionPool(
        context,
        max_connections=None,  # who asks says how many at a time; those to one server are bounded by its pace
        keepalive_expiry=20,
        max_keepalive_connections=20,
        network_backend=_Backend(resolve or system, networks, inside),
    )
    headers = {"User-Agent": agent, "Accept-Encoding": "gzip"}
    return httpx.Client(transport=_Transport(pool, ports), headers=headers, trust_env=False, follow_redirects=False)


def get(
    client: httpx.Client,
    url: str,
    largest: int,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = 20,
    redirects: int = 5,
    cut: bool = False,
) -> Answer:
    """What is at a URL, whatever its status; largest: octets of its body when unpacked; cut: what is beyond is left.

    UnavailableError: no answer in that time. FormatError: it is no HTTP, too large, or led round in circles.
    RefusedError: it is, or leads, where we do not go.
    """
    with opened(client, url, headers=headers, seconds=seconds, redirects=redirects) as answer:
        return Answer(answer.status, answer.headers, _body(answer, largest, cut), answer.url)


def post(
    client: httpx.Client,
    url: str,
    content: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = 20,
    largest: int = 1 << 16,
) -> Answer:
    """What the answer to content is; it follows no redirect, and of the body no more than largest is read."""
    with opened(client, url, content=content, headers=headers, seconds=seconds) as answer:
        return Answer(answer.status, answer.headers, _body(answer, largest, cut=True), answer.url)


@contextmanager
def opened(
    client: httpx.Client,
    url: str,
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 20,
    redirects: int = 5,
) -> Generator[Opened]:
    """An answer whose body is read as it comes, in the same thread; errors as ``get``, also while it is read.

    content: what is posted; without it this is a GET, and only a GET follows redirects.
    """
    until = monotonic() + seconds
    with _bounded(url, until):
        request = client.build_request("GET" if content is None else "POST", url, content=content, headers=headers)
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        response = client.send(request, stream=True)
        while content is None and response.next_request is not None:
            response.close()  # its body is not read: it may have no end
            if (redirects := redirects - 1) < 0:
                raise FormatError(f"{_whom(url)} redirects again and again")
            response = client.send(response.next_request, stream=True)
    try:
        yield Opened(response.status_code, response.headers, str(response.url), _chunks(response, until))
    finally:
        response.close()


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds a server asks us to wait, a day at most; None: it does not say, or not so that it can be understood.

    RFC 9110 section 10.2.3. A date is held against that of the answer: the server's clock need not be ours.
    """
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:10]), _LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(said) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: one is without a time zone
        return None
    return min(max(wait, 0.0), _LONGEST_WAIT)


class _Transport(httpx.BaseTransport):
    """Hands requests to the pool; what a redirect led to comes by here too."""

    def __init__(self, pool: httpcore.ConnectionPool, ports: Sequence[int]) -> None:
        self._pool, self._ports = pool, ports

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in _SCHEMES:
            raise RefusedError(f"{url.scheme}: is not followed: only http and https are")
        if (url.port or _SCHEMES[url.scheme]) not in self._ports:
            asked = ", ".join(map(str, self._ports))
            raise RefusedError(f"{url.host}: port {url.port} is not asked: only {asked} are, set ports for others")
        asked = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        response = self._pool.handle_request(asked)
        headers = [(name, value) for name, value in response.headers if name.lower() != b"set-cookie"]
        return httpx.Response(response.status, headers=headers, stream=_Body(response), request=request)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Backend(httpcore.SyncBackend):
    """Connects to addresses that were checked; TLS and the request go on naming the host."""

    def __init__(self, resolve: Resolve, allow: Sequence[Network], inside: bool) -> None:
        self._resolve, self._allow, self._inside = resolve, allow, inside

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._addresses(host, _left(timeout))
        permitted = [each for each in addresses if self._is_permitted(each)][:_MOST_ADDRESSES]
        if not permitted:
            where = "in a network that is allowed" if self._inside else "of the public Internet"
            told = f"{host} is at {', '.join(addresses[:3])}, which is not {where}"
            raise RefusedError(f"{told}: where it is to be reached all the same, name its network in allow")
        options = tuple(socket_options or ())
        for number, address in enumerate(permitted):
            share = _left(timeout) / (len(permitted) - number)
            try:
                return _Stream(super().connect_tcp(address, port, share, local_address, options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == permitted[-1]:
                    raise
        raise AssertionError  # the last address has answered or raised

    def _addresses(self, host: str, seconds: float) -> list[str]:
        try:
            return [str(ip_address(host))]
        except ValueError:
            return list(dict.fromkeys(self._resolve(host, seconds)))

    def _is_permitted(self, address: str) -> bool:
        return (is_outside(address) and not self._inside) or any(ip_address(address) in each for each in self._allow)


class _Stream(httpcore.NetworkStream):
    """A connection that keeps the deadline of who reads it: a server that sends an octet a second ends too."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float:
    """Seconds that are left of the time an answer may take."""
    left = _deadline.get() - monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("it took too long")
    return min(left, timeout if timeout is not None else _LONGEST_WAIT)


def _body(answer: Opened, largest: int, cut: bool) -> bytes:
    body = bytearray()
    for chunk in answer.chunks:
        body += chunk
        if len(body) > largest:
            if not cut:
                raise FormatError(f"{_whom(answer.url)} sends more than {largest:,} octets")
            break
    return bytes(body[:largest])


def _chunks(response: httpx.Response, until: float) -> Iterator[bytes]:
    pieces = _unpacked(response)
    while True:
        with _bounded(str(response.url), until):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    """The body without its content coding, RFC 9110 section 8.4.1; no more of it is unpacked than is asked for."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        yield from response.iter_raw()
        return
    if coding not in ("gzip", "x-gzip"):
        raise FormatError(f"{_whom(str(response.url))} packs its answer as {coding[:20]!r}, which was not asked for")
    unpacking = zlib.decompressobj(_GZIP)
    for rest in response.iter_raw():
        piece = b""
        while rest or len(piece) == _SLICE:  # what fills a slice may leave more behind without any octet of rest
            if unpacking.eof:
                unpacking = zlib.decompressobj(_GZIP)  # another member, RFC 1952 section 2.2
            piece = unpacking.decompress(rest, _SLICE)
            yield piece
            rest = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
    if not unpacking.eof:
        raise FormatError(f"{_whom(str(response.url))}: the packed answer is broken off")


@contextmanager
def _bounded(url: str, until: float) -> Generator[None]:
    """Holds what is done in it to a deadline; foreign errors become ours.

    Messages name the host alone: a path or query may hold a secret.
    """
    token = _deadline.set(until)
    try:
        yield
    except (httpcore.TimeoutException, httpx.TimeoutException) as error:
        raise UnavailableError(f"{_whom(url)} does not answer in time") from error
    except (httpx.InvalidURL, httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise FormatError(f"{_whom(url)}: is no URL that can be asked") from error
    except zlib.error as error:
        raise FormatError(f"{_whom(url)}: the packed answer is damaged") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpx.TransportError) as error:
        raise UnavailableError(f"{_whom(url)} cannot be reached: {error}") from error
    finally:
        _deadline.reset(token)


def _whom(url: str) -> str:
    try:
        return httpx.URL(url).host[:260] or "this text"
    except (httpx.InvalidURL, UnicodeError):
        return "this text"
