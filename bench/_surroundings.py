"""What Khiên asks and tells, for a bench: name server, web sites, registration data and mail, real and on loopback.

The name server is BIND with a root of its own in which every name has one address, this machine's; sites and RDAP are
answered by one HTTP server, which calls every host that is in ``titles`` by its title; mail is taken by aiosmtpd.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from aiosmtpd.controller import Controller

NAMED = shutil.which("named") or "/usr/sbin/named"
HERE = "127.0.0.1"
PATIENCE = 30  # seconds until a server answers

_NAMED_CONF = """
options {{
    directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; pid-file none; session-keyfile "{folder}/session.key"; managed-keys-directory "{folder}";
    minimal-responses yes;
}};
controls {{ }};
zone "." {{ type primary; file "root.zone"; }};
"""
_ROOT = """$TTL 60
. SOA ns.invalid. root.invalid. 1 3600 600 86400 60
. NS ns.invalid.
ns.invalid. A 127.0.0.1
* A 127.0.0.1
* MX 10 mail.invalid.
"""


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that nobody listens at just now."""
    with socket.socket(socket.AF_INET, kind) as asked:
        asked.bind((HERE, 0))
        return asked.getsockname()[1]


@contextmanager
def names(folder: Path) -> Generator[int]:
    """A name server; answers its port."""
    port = free_port(socket.SOCK_DGRAM)
    folder.mkdir(exist_ok=True)
    (folder / "named.conf").write_text(_NAMED_CONF.format(folder=folder, port=port))
    (folder / "root.zone").write_text(_ROOT)
    server = subprocess.Popen([NAMED, "-g", "-c", str(folder / "named.conf"), "-n", "1"], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((HERE, port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


@contextmanager
def sites(titles: dict[str, str], port: int = 0) -> Generator[int]:
    """Sites by their host, and RDAP below /rdap/; answers the port."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the name http.server asks for
            if self.path.startswith("/rdap/"):
                self._say("application/rdap+json", json.dumps(_rdap(self.path.rsplit("/", 1)[-1])))
            else:
                host = (self.headers.get("host") or "").partition(":")[0]
                self._say("text/html", f"<html><title>{titles.get(host, 'Welcome')}</title></html>")

        def _say(self, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

    server = Server((HERE, port), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


def _rdap(name: str) -> dict[str, Any]:
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86_400))
    return {
        "objectClassName": "domain",
        "ldhName": name,
        "status": ["active"],
        "events": [{"eventAction": "registration", "eventDate": created}],
        "entities": [],
    }


@dataclass
class Post:
    """Mail that was taken: when, and which; whoever looks holds the lock."""

    lock: Lock = field(default_factory=Lock)
    taken: list[tuple[float, str, str]] = field(default_factory=list[tuple[float, str, str]])  # time, id, text

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 # aiosmtpd asks for it
        at = time.time()
        message = message_from_bytes(envelope.content)
        with self.lock:
            self.taken.append((at, str(message["Message-ID"]), envelope.content.decode("utf-8", "replace")))
        return "250 taken"


@contextmanager
def mail() -> Generator[tuple[int, Post]]:
    """A mail server; answers its port and what it took."""
    post = Post()
    controller = Controller(post, hostname=HERE, port=free_port())
    controller.start()
    try:
        yield controller.port, post
    finally:
        controller.stop()
