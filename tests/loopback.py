"""Servers on loopback that answer as a test wants, and sources of evidence read beside them."""

import gzip
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from khien import schema

Say = Callable[[dns.message.Message], bytes | None]
Answer = Callable[[socket.socket, str, list[str]], None]  # connection, path, lines of the head


class Liar(socketserver.ThreadingUDPServer):
    """A name server that says what a function makes of a question: octets, or nothing."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, say: Say) -> None:
        self.say, self.asked = say, list[str]()
        super().__init__(("127.0.0.1", 0), _Ear)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Ear(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        octets, sender = self.request
        question = dns.message.from_wire(octets)
        self.server.asked.append(question.question[0].to_text())
        if (said := self.server.say(question)) is not None:
            sender.sendto(said, self.client_address)


def says(*lines: str) -> Say:
    """Answers A questions with addresses, each time the next of lines, and others with nothing."""
    left = list(lines)

    def say(question: dns.message.Message) -> bytes:
        answer = dns.message.make_response(question)
        asked = question.question[0]
        if asked.rdtype == 1:
            line = left.pop(0) if len(left) > 1 else left[0]
            answer.answer.append(dns.rrset.from_text(asked.name, 0, "IN", "A", *line.split()))
        return answer.to_wire()

    return say


class Due:
    """contracts.Asks of a list; what is told of is no longer due once it is taken."""

    def __init__(self, *subjects: str) -> None:
        self.subjects, self.asked = list(subjects), list[tuple[str, int]]()

    def __call__(self, source: str, limit: int, /) -> Sequence[str]:
        self.asked.append((source, limit))
        return self.subjects[:limit]


def told(source: Any, wanted: int, pages: int = 400) -> list[tuple[str, str, str, dict[str, str]]]:
    """What a source tells, until that many facts are there."""
    facts, cursors = [], list[bytes]()
    reading = source.read(None)
    for _, page in zip(range(pages), reading, strict=False):
        assert page.rows.schema == schema.EVIDENCE
        if page.rows.num_rows:
            cursors.append(page.cursor)
        for row in page.rows.to_pylist():
            assert row["seen_at"] is None, "who saves it says when"
            facts.append((row["subject"], row["topic"], row["code"], dict(row["params"])))
        if len(facts) >= wanted:
            break
    reading.close()
    assert len(set(cursors)) == len(cursors), "rows move the cursor"
    return sorted(facts, key=lambda each: each[:3])


class Web(socketserver.ThreadingTCPServer):
    """A server of HTTP or HTTPS that answers each request as it is told to, octet for octet, and then hangs up."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer, self.tls, self.asked = answer, tls, list[list[str]]()
        super().__init__(("127.0.0.1", 0), _Door)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"


class _Door(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        web, connection = self.server, self.request
        connection.settimeout(10)
        try:
            if web.tls:
                connection = web.tls.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head and (octets := connection.recv(65_536)):
                head += octets
            lines = head.decode("latin-1").split("\r\n\r\n", 1)[0].split("\r\n")
            if lines[0]:
                web.asked.append(lines)
                web.answer(connection, lines[0].split(" ")[1], lines)
            connection.close()
        except OSError:  # who asked has had enough
            connection.close()


def reply(connection: socket.socket, body: bytes = b"", *fields: str, status: str = "200 OK") -> None:
    """A whole answer; a field of its own each."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *fields, "", ""]
    connection.sendall("\r\n".join(head).encode("latin-1") + body)


def bomb(octets: int) -> bytes:
    """So many zeros, packed a thousand to one."""
    return gzip.compress(bytes(octets))


def certificate(folder: Path, name: str, *, ends: timedelta = timedelta(days=1)) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS under a name, signed by itself; and the file of who would have to be trusted."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain, trusted = folder / f"{name}.pem", folder / f"{name}.crt"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    chain.write_bytes(key.private_bytes(*secret) + trusted.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, trusted
