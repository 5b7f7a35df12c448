"""Other sides of channels: real servers on loopback, with a certificate made on the spot, that fail where told to."""

import asyncio
import ssl
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from khien.testing.channel import How

HOST = "127.0.0.1"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def certificate(folder: Path, host: str = HOST) -> Path:
    """A PEM file with a key and a certificate of its own for an address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def trusted(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class MailSide:
    """A mail server. answers: what it says at a stage (MAIL, RCPT, DATA) instead of yes."""

    def __init__(self, pem: Path, security: str = "starttls", password: str = "") -> None:
        self.pem, self.security, self.password = pem, security, password
        self.answers: dict[str, str] = {}
        self.envelopes: list[tuple[str, list[str]]] = []
        self.raw: list[bytes] = []
        self.secured: list[bool] = []
        self._silent = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self.port = 0
        self._open()

    def behave(self, how: How) -> None:
        if self._server is None:
            self._open()
        if how == "away":
            self._shut()
        self.answers = {"later": {"RCPT": "451 4.7.1 greylisted"}, "never": {"RCPT": "550 5.1.1 nobody"}}.get(how, {})
        self._silent = how == "silent"

    def taken(self) -> Sequence[str]:
        return [str(each["Message-ID"]) for each in self.messages()]

    def messages(self) -> list[Message]:
        return [message_from_bytes(each, policy=default) for each in self.raw]

    def close(self) -> None:
        self._shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _open(self) -> None:
        context = trusted(self.pem)

        def made() -> SMTP:
            return SMTP(
                self,
                hostname="mail.example",
                tls_context=context if self.security == "starttls" else None,
                require_starttls=self.security == "starttls",
                authenticator=self._check if self.password else None,
                auth_require_tls=self.security == "starttls",
                auth_required=bool(self.password),
                loop=self._loop,
            )

        async def serve() -> asyncio.Server:
            return await self._loop.create_server(
                made, HOST, self.port, ssl=context if self.security == "tls" else None
            )

        self._server = asyncio.run_coroutine_threadsafe(serve(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]

    def _shut(self) -> None:
        if self._server is not None:
            self._loop.call_soon_threadsafe(self._server.close)
            asyncio.run_coroutine_threadsafe(self._server.wait_closed(), self._loop).result()
            self._server = None

    def _check(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:  # noqa: ARG002
        right = isinstance(given, LoginPassword) and given.password == self.password.encode()
        return AuthResult(success=right)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: ARG002, N802
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: ARG002, N802
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        self.raw.append(envelope.original_content)
        self.secured.append(session.ssl is not None or self.security == "tls")
        if self._silent:
            server.transport.abort()
        return "250 2.0.0 taken as 4711"


class HookSide:
    """A web server that takes webhooks. answer: status and headers it answers with."""

    def __init__(self, pem: Path) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answer: tuple[int, dict[str, str]] = (204, {})
        self.silent = False
        side = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = side.answer
                if 200 <= status < 300:
                    side.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if side.silent:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._kind, self._pem = Handler, pem
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self._open()

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/hook"

    def behave(self, how: How) -> None:
        if self._server is None:
            self._open()
        if how == "away":
            self.close()
        self.answer = {"later": (503, {}), "never": (410, {})}.get(how, (204, {}))
        self.silent = how == "silent"

    def taken(self) -> Sequence[str]:
        return [headers["webhook-id"] for headers, _ in self.posts]

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _open(self) -> None:
        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer((HOST, self.port), self._kind)
        self._server.daemon_threads = True
        self._server.socket = trusted(self._pem).wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
