"""An HTTPS proxy that answers for one name by itself: programs that know no other server reach ours through it."""

import select
import socket
import socketserver
import ssl
import threading

NAME = "api.pwnedpasswords.com"

_PATIENCE = 10.0  # seconds


class Front(socketserver.ThreadingTCPServer):
    """Opens the TLS that is meant for NAME, and passes what is in it to a port on loopback. Nothing goes anywhere else.

    asked: what it was asked to connect to.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, tls: ssl.SSLContext, port: int) -> None:
        self.tls, self.behind, self.asked = tls, port, list[str]()
        super().__init__(("127.0.0.1", 0), _Door)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Door(socketserver.BaseRequestHandler):
    server: Front

    def handle(self) -> None:
        head = b""
        self.request.settimeout(_PATIENCE)
        while not head.endswith(b"\r\n\r\n") and (octet := self.request.recv(1)):  # what follows is TLS
            head += octet
        wanted = head.split(b"\r\n", 1)[0].decode("latin-1")
        self.server.asked.append(wanted)
        if not wanted.startswith(f"CONNECT {NAME}:443 "):
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with (
            self.server.tls.wrap_socket(self.request, server_side=True) as inside,
            socket.create_connection(("127.0.0.1", self.server.behind), _PATIENCE) as behind,
        ):
            _pass(inside, behind)


def _pass(inside: ssl.SSLSocket, behind: socket.socket) -> None:
    """What one says to the other, until one of them is gone."""
    inside.settimeout(_PATIENCE)
    while ready := [inside] if inside.pending() else select.select([inside, behind], [], [], _PATIENCE)[0]:
        for each in ready:
            octets = each.recv(65_536)
            if not octets:
                return
            (behind if each is inside else inside).sendall(octets)
