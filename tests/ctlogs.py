"""Certificate transparency logs on loopback, of both kinds, and an authority that issues certificates on the spot.

    with Log("One") as log:
        log.add(Authority().issue("a.example"))
        log.publish()

They keep RFC 6962 and static-ct-api to the letter until a test makes them lie: ``truncate``, ``rewrite``, ``tamper``,
another ``key``.
"""

import gzip
import json
import time
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from khien.ledger import EMPTY, consistency_proof, key_id, leaf_hash, node_hash

TILE = 256
HEAD = b"\0\0"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Authority:
    """Issues certificates for whatever it is asked, all under one key."""

    def __init__(self, organisation: str = "Khien Trust", name: str = "K1") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        parts = (NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, name)
        self.subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in parts if value])
        self.text = ", ".join(value for _, value in parts if value)

    def issue(
        self,
        *names: str,
        common_name: str | None = None,
        subject: x509.Name | None = None,
        alternatives: Sequence[x509.GeneralName] = (),
        begin: datetime = datetime(2026, 11, 1, tzinfo=UTC),
        days: int = 90,
        serial: int | None = None,
    ) -> x509.Certificate:
        """A certificate for names, and whatever else is asked for."""
        common = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject or x509.Name(common))
            .issuer_name(self.subject)
            .public_key(self.key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        among = [*map(x509.DNSName, names), *alternatives]
        if among:
            builder = builder.add_extension(x509.SubjectAlternativeName(among), critical=not common)
        return builder.sign(self.key, SHA256())


class Leaf(NamedTuple):
    """An entry of a log: what is hashed (a MerkleTreeLeaf), what get-entries says beside it, what a tile holds."""

    merkle: bytes
    extra: bytes
    tile: bytes


def opaque(contents: bytes, width: int) -> bytes:
    """A vector with its length in ``width`` octets."""
    return len(contents).to_bytes(width) + contents


def leaf(
    certificate: bytes, tbs: bytes, precertificate: bool, at: int, index: int | None, chain: Sequence[bytes] = ()
) -> Leaf:
    """A leaf of a certificate, or of the precertificate to it; index: where a static log puts it in."""
    extensions = b"" if index is None else b"\0" + opaque(index.to_bytes(5), 2)
    kind = (
        b"\0\1" + sha256(b"issuer key").digest() + opaque(tbs, 3)
        if precertificate
        else b"\0\0" + opaque(certificate, 3)
    )
    entry = at.to_bytes(8) + kind + opaque(extensions, 2)
    before = opaque(certificate, 3) if precertificate else b""
    chained = opaque(b"".join(opaque(each, 3) for each in chain), 3)
    prints = opaque(b"".join(sha256(each).digest() for each in chain), 2)
    return Leaf(HEAD + entry, before + chained, entry + before + prints)


class Head(NamedTuple):
    size: int
    root: bytes
    at: int


class Log:
    """A log, served for as long as it is entered. most: entries it answers at once; aligned: up to a multiple of that.

    refuse: answers the next so many requests with this status and header. requests: paths it was asked for.
    """

    def __init__(
        self,
        name: str,
        kind: Literal["rfc6962", "static"] = "rfc6962",
        key: Key | None = None,
        most: int = 256,
        packed: bool = True,
        operator: str = "Loopback",
    ) -> None:
        self.name, self.kind, self.operator, self.most, self.packed = name, kind, operator, most, packed
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.leaves: list[Leaf] = []
        self.levels: list[list[bytes]] = [[]]
        self.head = Head(0, EMPTY, 1)
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.requests: list[str] = []
        self.lock = Lock()
        self.server = Server(("127.0.0.1", 0), type("Bound", (Answer,), {"log": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.origin = self.url.removeprefix("http://").rstrip("/")

    def __enter__(self) -> Self:
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add(self, *certificates: x509.Certificate, precertificate: bool = False, at: datetime | None = None) -> None:
        """Takes certificates in; nobody sees them before they are published."""
        when = round((at.timestamp() if at else time.time()) * 1000)
        for each in certificates:
            index = len(self.leaves) if self.kind == "static" else None
            tbs = each.tbs_certificate_bytes
            self.put(leaf(each.public_bytes(Encoding.DER), tbs, precertificate, when, index))

    def put(self, *leaves: Leaf) -> None:
        """Appends leaves as they are."""
        for each in leaves:
            self.leaves.append(each)
            hashed = leaf_hash(each.merkle)
            for level in range(64):
                if level == len(self.levels):
                    self.levels.append([])
                self.levels[level].append(hashed)
                if len(self.levels[level]) % 2:
                    break
                hashed = node_hash(*self.levels[level][-2:])

    def hashes(self, level: int, index: int) -> bytes:
        return self.levels[level][index]

    def root(self, size: int) -> bytes:
        """The root over the first leaves."""
        if not size:
            return EMPTY
        begin, full = 0, list[bytes]()
        while begin < size:
            level = (size - begin).bit_length() - 1
            full.append(self.hashes(level, begin >> level))
            begin += 1 << level
        joined = full.pop()
        while full:
            joined = node_hash(full.pop(), joined)
        return joined

    def publish(self, at: int | None = None) -> None:
        """Signs a head over all there is; at: milliseconds since 1970."""
        with self.lock:
            now = max(round(time.time() * 1000), self.head.at + 1) if at is None else at
            self.head = Head(len(self.leaves), self.root(len(self.leaves)), now)

    def truncate(self, size: int) -> None:
        """Forgets leaves it has promised to keep."""
        self.rewrite(self.leaves[:size])

    def rewrite(self, leaves: Iterable[Leaf]) -> None:
        """Becomes a log with other leaves."""
        kept = list(leaves)
        self.leaves, self.levels = [], [[]]
        self.put(*kept)
        self.publish()

    def tamper(self, index: int) -> None:
        """Hands out another entry than the one in the tree."""
        given = self.leaves[index]
        turned = given.merkle.replace(b"example", b"exbmple")
        self.leaves[index] = given._replace(merkle=turned, tile=given.tile.replace(b"example", b"exbmple"))

    def refuse(self, times: int, status: int, **headers: str) -> None:
        self.refusals += [(status, {name.replace("_", "-"): value for name, value in headers.items()})] * times

    def signature(self) -> bytes:
        """The head, signed: a DigitallySigned struct."""
        message = b"\0\1" + self.head.at.to_bytes(8) + self.head.size.to_bytes(8) + self.head.root
        if isinstance(self.key, rsa.RSAPrivateKey):
            return b"\4\1" + opaque(self.key.sign(message, PKCS1v15(), SHA256()), 2)
        return b"\4\3" + opaque(self.key.sign(message, ec.ECDSA(SHA256())), 2)

    def checkpoint(self) -> bytes:
        """The head as a note."""
        text = f"{self.origin}\n{self.head.size}\n{b64encode(self.head.root).decode()}\n"
        identity = key_id(self.origin, b"\5", sha256(self.public).digest())
        signed = b64encode(identity + self.head.at.to_bytes(8) + self.signature()).decode()
        return f"{text}\n— {self.origin} {signed}\n".encode()

    def listed(self) -> dict[str, Any]:
        """As it stands in a list of logs."""
        log_id = b64encode(sha256(self.public).digest()).decode()
        urls = {"url": self.url} if self.kind == "rfc6962" else {"submission_url": self.url, "monitoring_url": self.url}
        key = b64encode(self.public).decode()
        state = {"usable": {"timestamp": "2026-01-01T00:00:00Z"}}
        return {"description": self.name, "log_id": log_id, "key": key, **urls, "mmd": 60, "state": state}

    def answer(self, path: str) -> bytes | None:
        """What is under a path; None: nothing."""
        url = urlsplit(path)
        asked = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        if self.kind == "static":
            return self.checkpoint() if url.path == "/checkpoint" else self._tile(url.path)
        match url.path.removeprefix("/ct/v1/"):
            case "get-sth":
                root, signature = (b64encode(each).decode() for each in (self.head.root, self.signature()))
                told: dict[str, Any] = {"tree_size": self.head.size, "timestamp": self.head.at}
                told |= {"sha256_root_hash": root, "tree_head_signature": signature}
            case "get-sth-consistency":
                proof = consistency_proof(asked["first"], asked["second"], self.hashes)
                told = {"consistency": [b64encode(each).decode() for each in proof]}
            case "get-entries":
                begin = asked["start"]
                end = min(asked["end"] + 1, self.head.size, begin + self.most - begin % self.most)
                told = {"entries": [written(each) for each in self.leaves[begin:end]]}
            case _:
                return None
        return json.dumps(told).encode()

    def _tile(self, path: str) -> bytes | None:
        row, _, rest = path.removeprefix("/tile/").partition("/")
        numbers, _, partial = rest.partition(".p/")
        number = int(numbers.replace("/", "").replace("x", ""))
        width = int(partial or TILE)
        begin = number * TILE
        if row == "data":
            if begin + width > self.head.size:
                return None
            return b"".join(each.tile for each in self.leaves[begin : begin + width])
        level = 8 * int(row)
        if begin + width > self.head.size >> level:
            return None
        return b"".join(self.levels[level][begin : begin + width])


def written(given: Leaf) -> dict[str, str]:
    """An entry as get-entries answers it."""
    return {"leaf_input": b64encode(given.merkle).decode(), "extra_data": b64encode(given.extra).decode()}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked has gone."""


class Answer(BaseHTTPRequestHandler):
    """One request to a log."""

    log: Log
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(6, 1, 1)  # TCP_NODELAY: head and body are written apart

    def do_GET(self) -> None:
        log = self.log
        with log.lock:
            log.requests.append(self.path)
            status, headers = log.refusals.pop(0) if log.refusals else (200, {})
            body = log.answer(self.path) if status == 200 else b"no"
        if body is None:
            status, body = 404, b"there is none"
        packs = status == 200 and log.packed and "data" in self.path and "gzip" in self.headers["Accept-Encoding"]
        if packs:
            body, headers = gzip.compress(body, 1), {"Content-Encoding": "gzip"}
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def log_list(path: Path, *logs: Log) -> str:
    """Writes a list of logs; answers its path."""
    operators = [
        {
            "name": name,
            "logs": [each.listed() for each in logs if each.operator == name and each.kind == "rfc6962"],
            "tiled_logs": [each.listed() for each in logs if each.operator == name and each.kind == "static"],
        }
        for name in dict.fromkeys(each.operator for each in logs)
    ]
    path.write_text(json.dumps({"log_list_timestamp": "2026-11-22T00:00:00Z", "operators": operators}))
    return str(path)
