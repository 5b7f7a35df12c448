"""dnstap from resolvers: sockets and files made here, and a real BIND that asks a real authority, both on loopback."""

import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import dns.exception
import dns.message
import dns.query
import pytest

from khien.errors import ConfigError, FormatError, InputError, UnavailableError
from khien.formats import dnstap as wire
from khien.sources.live.dnstap import Dnstap
from tests.dnstap import CLIENT, SUBNET, frame, stream

NAMED = shutil.which("named") or next((each for each in ("/usr/sbin/named",) if os.access(each, os.X_OK)), None)
CI = "CI" in os.environ


def told(
    source: Dnstap, cursor: bytes | None = None, pages: int = 1000, count: int = 1
) -> tuple[list[str], list[str], bytes]:
    """The first so many names, the reasons of what was set aside, and the cursor behind."""
    found, reasons, last = list[str](), list[str](), b""
    with closing(source.read(cursor)) as reading:
        for page in islice(reading, pages):
            found += page.rows.column("name").to_pylist()
            reasons += page.skipped.column("reason").to_pylist() if page.skipped else []
            last = page.cursor
            if len(found) >= count:
                break
    return found, reasons, last


class Heard(Thread):
    """Reads a source for as long as the block runs, as a pipeline would."""

    def __init__(self, source: Dnstap) -> None:
        super().__init__()
        self.names: list[str] = []
        self.broken: list[str] = []
        self._pages = source.read(None)
        self._over = Event()
        next(self._pages)

    def __enter__(self) -> "Heard":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        with closing(self._pages):
            for page in self._pages:
                self.names += page.rows.column("name").to_pylist()
                self.broken += page.skipped.column("excerpt").to_pylist() if page.skipped else []
                if self._over.is_set():
                    return

    def wait(self, done: Callable[[], bool]) -> None:
        until = monotonic() + 60
        while not done() and monotonic() < until:
            sleep(0.02)


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(10)
        made.connect(str(path))
        yield made


def framed(*frames: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(each)) + each for each in frames)


def control(peer: socket.socket) -> int:
    escape, size = struct.unpack(">II", peer.recv(8, socket.MSG_WAITALL))
    assert escape == 0
    return int.from_bytes(peer.recv(size, socket.MSG_WAITALL)[:4])


def test_the_handshake_and_what_comes_behind(tmp_path: Path) -> None:
    path = tmp_path / "tap.sock"
    source = Dnstap(listen=str(path), spool=str(tmp_path / "spool"))
    with Heard(source) as heard, connected(path) as peer:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        peer.sendall(wire.control(wire.READY))
        assert control(peer) == wire.ACCEPT
        peer.sendall(wire.control(wire.START) + framed(*(frame(f"{n}.example", 3 + n % 3) for n in range(300))))
        peer.sendall(framed(frame("0.example", 3), b"\xff") + wire.control(wire.STOP))
        assert control(peer) == wire.FINISH
        heard.wait(lambda: bool(heard.broken))
    assert heard.names == [f"{n}.example" for n in range(300) if n % 3 < 2], "no clients, and nothing twice"
    assert heard.broken == ["1"]
    assert not path.exists()
    written = b"".join(each.read_bytes() for each in (tmp_path / "spool").iterdir())
    assert b"298.example" in written
    assert b"299.example" not in written
    for secret in (CLIENT, SUBNET):
        assert secret not in written
    assert told(source, b"0:0", count=200)[0] == heard.names, "what was not saved is told again"


def test_whoever_speaks_out_of_turn_is_left(tmp_path: Path) -> None:
    path = tmp_path / "tap.sock"
    with closing(Dnstap(listen=str(path)).read(None)) as pages:
        next(pages)
        said = [
            b"GET / HTTP/1.1\r\n\r\n",
            framed(b"x"),
            wire.control(wire.ACCEPT),
            struct.pack(">IIIII", 0, 12, 4, 1, 0),
        ]
        for each in said:
            with connected(path) as peer:
                peer.sendall(each)
                page = next(pages)
                while page.skipped is None:
                    page = next(pages)
                assert page.skipped.column("reason").to_pylist() == ["no-frame"]
                assert peer.recv(1) == b""


def test_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with closing(Dnstap(listen=f"127.0.0.1:{port}").read(None)) as pages:
        next(pages)
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(stream(frame("a.example", 4)))
            names = [name for page in islice(pages, 5) for name in page.rows.column("name").to_pylist()]
    assert names == ["a.example"]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tap.fstrm"
    path.write_bytes(stream(frame("a.example", 3), frame("b.example", 5), frame("a.example", 4), frame("c.example", 4)))
    found, _, cursor = told(Dnstap(path=str(path)))
    assert found == ["a.example", "c.example"]
    assert told(Dnstap(path=str(path)), cursor)[0] == []
    path.write_bytes(b"no stream of frames at all")
    with pytest.raises(FormatError, match=r"tap\.fstrm"):
        told(Dnstap(path=str(path)))
    with pytest.raises(InputError, match="cannot be read"):
        told(Dnstap(path=str(tmp_path / "none")))


def test_a_socket_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="no socket"):
        told(Dnstap(listen=str(tmp_path / "file")))
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "taken"))
        other.listen()
        with pytest.raises(UnavailableError, match="another program"):
            told(Dnstap(listen=str(tmp_path / "taken")))
    assert told(Dnstap(listen=str(tmp_path / "taken")), pages=1)[0] == [], "nobody is there any more"


@pytest.mark.parametrize("settings", [{}, {"listen": "a:1"}, {"listen": "127.0.0.1"}, {"listen": "/a", "path": "b"}])
def test_settings(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        Dnstap(**settings)


READER = """
import sys
from khien.sources.live.dnstap import Dnstap
for page in Dnstap(listen=sys.argv[1], spool=sys.argv[2]).read(None):
    print(page.rows.num_rows, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_yielded(tmp_path: Path) -> None:
    path, spool = tmp_path / "tap.sock", tmp_path / "spool"
    process = subprocess.Popen([sys.executable, "-c", READER, str(path), str(spool)], stdout=subprocess.PIPE)
    assert process.stdout
    with process, closing(process.stdout):
        process.stdout.readline()
        with connected(path) as peer:
            sent = [frame(f"{n}.example", 3) for n in range(500)]
            peer.sendall(wire.control(wire.START) + framed(*sent))
            yielded = 0
            while not yielded:
                yielded = int(process.stdout.readline())
        process.kill()
    source = Dnstap(listen=str(path), spool=str(spool))
    found, _, _ = told(source, count=yielded)  # the socket of the dead process is replaced
    assert found[:yielded] == [f"{n}.example" for n in range(yielded)]


@contextmanager
def named(folder: Path, listens: int, asks: int, config: str) -> Iterator[None]:
    """A name server on loopback, that asks others at another port, until the block ends."""
    assert NAMED
    folder.mkdir()
    base = f'directory "{folder}"; pid-file none; session-keyfile none; managed-keys-directory "{folder}";'
    base += f"listen-on port {listens} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; port {asks}; dnssec-validation no;"
    (folder / "named.conf").write_text(config.replace("BASE", base) + "controls { };\n")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([NAMED, "-g", "-c", str(folder / "named.conf")], stderr=log)
    try:
        for _ in range(200):
            try:
                dns.query.udp(dns.message.make_query(".", "NS"), "127.0.0.1", 0.2, listens)
                break
            except (OSError, dns.exception.DNSException):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(NAMED is None and not CI, reason="no named here")
def test_bind_tells_what_it_asks_and_not_who_asked_it(tmp_path: Path) -> None:
    """BIND sends what it is told to: here all kinds, and its client is 127.0.0.3."""
    with socket.create_server(("127.0.0.1", 0)) as free, socket.create_server(("127.0.0.1", 0)) as other:
        port, its = free.getsockname()[1], other.getsockname()[1]
    root = "$TTL 60\n@ SOA ns. h. 1 60 60 60 60\n@ NS ns.\nns. A 127.0.0.1\n*.test-zone.example. A 192.0.2.1\n"
    (tmp_path / "root").write_text(root)
    (tmp_path / "hints").write_text(". 60 NS ns.\nns. 60 A 127.0.0.1\n")
    authority = f'options {{ BASE recursion no; }}; zone "." {{ type primary; file "{tmp_path / "root"}"; }};\n'
    tap = tmp_path / "tap.sock"
    resolver = (
        f"options {{ BASE recursion yes; empty-zones-enable no; qname-minimization off; dnstap {{ all; }};"
        f' dnstap-output unix "{tap}"; dnstap-identity none; fstrm-set-flush-timeout 1; fstrm-set-reopen-interval 1;'
        " fstrm-set-output-notify-threshold 1; };"
        f' zone "." {{ type hint; file "{tmp_path}/hints"; }};\n'
    )
    source = Dnstap(listen=str(tap), spool=str(tmp_path / "spool"))
    wanted = {f"host-{n}.test-zone.example" for n in range(5)}
    with (
        Heard(source) as heard,
        named(tmp_path / "authority", its, its, authority),
        named(tmp_path / "resolver", port, its, resolver),
    ):
        for name in wanted:
            dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", 10, port, source="127.0.0.3")
        heard.wait(lambda: wanted <= {*heard.names})
    assert wanted <= {*heard.names}
    written = b"".join(each.read_bytes() for each in (tmp_path / "spool").iterdir())
    for client in (bytes((127, 0, 0, 3)), b"127.0.0.3"):
        assert client not in written
    assert b"host-1" in written
