"""Zones from a file and from a real Knot on loopback, by AXFR and IXFR with a TSIG key; and from masters that lie."""

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rrset
import pytest

from khien.errors import ConfigError, UnavailableError
from khien.formats.transfer import names
from khien.sources.live.zone import Zone
from khien.testing.source import check_source

CI = "CI" in os.environ
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin"
KNOTD = shutil.which("knotd", path=SBIN)
SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IDEyMzQ="
SOA = "$TTL 3600\n@ SOA ns.example. h.example. {serial} 60 60 600 60\n@ NS ns.example.\nns A 192.0.2.53\n"


def told(source: Zone, cursor: bytes | None = None) -> tuple[list[str], bytes]:
    found, last = list[str](), cursor or b""
    for page in source.read(cursor):
        found += page.rows.column("name").to_pylist()
        last = page.cursor
    return found, last


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_a_file_and_what_comes_to_it(tmp_path: Path) -> None:
    path = tmp_path / "example.zone"
    path.write_text(SOA.format(serial=1) + "a NS ns\na DS 1 13 2 00\nB NS ns\n  NS ns2\n*.c 60 IN TXT (\n x )\n")
    source = Zone("example", path=str(path), every=0, spool=str(tmp_path / "spool"))
    first, cursor = told(source)
    assert first == ["ns.example", "a.example", "b.example", "*.c.example"]
    assert told(source, cursor) == ([], cursor)
    path.write_text(SOA.format(serial=2) + "a NS ns\nd NS ns\n")
    os.utime(path, (1, 1))
    assert told(source, cursor)[0] == ["d.example"]
    path.write_text("a" * (2 << 20))
    with pytest.raises(UnavailableError, match="example"):
        told(source)


def test_keeps_the_contract_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khien.sources.live.zone._PAGE", 3)
    monkeypatch.setattr("khien.sources.live.zone._BLOCK", 40)
    path = tmp_path / "example.zone"
    path.write_text(SOA.format(serial=1) + "".join(f"n{n} NS ns\n" for n in range(20)))
    check_source(Zone("example", path=str(path), every=0, spool=str(tmp_path / "spool")))


@contextmanager
def knot(folder: Path, zone: str) -> Iterator[tuple[int, Any]]:
    """A Knot that serves a zone to who has the key; its port, and a way to tell it that the zone file has changed."""
    port = free_port()
    (folder / "example.zone").write_text(zone)
    (folder / "knot.conf").write_text(
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {folder}\n  pidfile: {folder}/knot.pid\n"
        f"control:\n  listen: {folder}/control.sock\n"
        f"database:\n  storage: {folder}\n"
        f"key:\n  - id: khien\n    algorithm: hmac-sha256\n    secret: {SECRET}\n"
        "acl:\n  - id: ours\n    key: khien\n    action: transfer\n"
        f"template:\n  - id: default\n    storage: {folder}\n    zonefile-load: difference\n"
        "    journal-content: changes\n"
        "zone:\n  - domain: example\n    file: example.zone\n    acl: ours\n"
    )
    assert KNOTD
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([KNOTD, "-c", str(folder / "knot.conf")], stdout=log, stderr=log)

    def serial() -> int:
        for _ in range(400):
            try:
                answer = dns.query.udp(dns.message.make_query("example", "SOA"), "127.0.0.1", 0.5, port)
                if answer.answer:
                    return answer.answer[0][0].serial  # pyright: ignore[reportAttributeAccessIssue]
            except (OSError, dns.exception.DNSException):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
            sleep(0.05)
        raise AssertionError((folder / "log").read_text()[-2000:])

    def change(text: str) -> None:
        before = serial()
        (folder / "example.zone").write_text(text)
        subprocess.run(
            [shutil.which("knotc", path=SBIN) or "knotc", "-s", str(folder / "control.sock"), "zone-reload", "example"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        while serial() == before:
            sleep(0.05)

    try:
        serial()
        yield port, change
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(KNOTD is None and not CI, reason="no knotd here")
def test_by_transfer_from_knot(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / "key").chmod(0o600)
    home = tmp_path / "knot"
    home.mkdir()
    many = "".join(f"n{n} NS ns\n" for n in range(3000))
    with knot(home, SOA.format(serial=1) + many) as (port, change):
        source = Zone(
            "example",
            masters=(f"127.0.0.1:{free_port()}", f"127.0.0.1:{port}"),  # the first is not there
            key="khien",
            key_file=str(tmp_path / "key"),
            every=0,
            spool=str(tmp_path / "spool"),
        )
        first, cursor = told(source)
        assert sorted(first) == sorted(["ns.example", *(f"n{n}.example" for n in range(3000))])
        assert told(source, cursor) == ([], cursor)
        change(SOA.format(serial=2) + many.replace("n7 NS ns\n", "") + "n8 NS ns2\nnew NS ns\n")
        came, cursor = told(source, cursor)
        assert came == ["new.example"], "a second name server makes no new name"
        change(SOA.format(serial=3) + many + "newer NS ns\n")
        came, after = told(source, cursor)
        assert sorted(came) == ["n7.example", "newer.example"], "what was gone and is back is new"
        assert sorted(told(source, cursor)[0]) == sorted(came), "not saved, told again"
        assert told(source, after)[0] == []
        without = Zone("example", masters=(f"127.0.0.1:{port}",), every=0)
        with pytest.raises(UnavailableError, match="example"):
            told(without)
        (tmp_path / "wrong").write_text(SECRET[::-1].lstrip("="))
        (tmp_path / "wrong").chmod(0o600)
        wrong = Zone("example", masters=(f"127.0.0.1:{port}",), key="khien", key_file=str(tmp_path / "wrong"), every=0)
        with pytest.raises((UnavailableError, ConfigError)):
            told(wrong)


def rr(name: str, kind: str, value: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, 60, "IN", kind, value)


def soa(serial: int) -> dns.rrset.RRset:
    return rr("example.", "SOA", f"ns.example. h.example. {serial} 60 60 600 60")


@contextmanager
def master(*answers: list[dns.rrset.RRset] | bytes) -> Iterator[str]:
    """A master that says its serial is 2, and whatever it is told to when asked for more."""
    listening = socket.create_server(("127.0.0.1", 0))

    def speak() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                size = connection.recv(2, socket.MSG_WAITALL)
                asked = dns.message.from_wire(connection.recv(int.from_bytes(size), socket.MSG_WAITALL))
                is_soa = asked.question[0].rdtype == dns.rdatatype.SOA
                for answer in ([soa(2)],) if is_soa else answers:
                    wire = answer
                    if isinstance(answer, list):
                        response = dns.message.make_response(asked)
                        response.answer = answer
                        wire = response.to_wire()
                    connection.sendall(struct.pack(">H", len(wire)) + wire)

    thread = Thread(target=speak)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [b"garbage"],
        [[rr("a.example.", "NS", "ns.example.")]],
        [[soa(2), rr("a.example.", "NS", "ns.example.")]],  # and then it breaks off
        [[soa(2), rr("a.elsewhere.", "NS", "ns.example."), soa(3)]],
        [b"\0" * 12],
    ],
)
def test_masters_that_lie_are_named(answers: list[Any], tmp_path: Path) -> None:
    with master(*answers) as address:
        source = Zone("example", masters=(address,), every=0, spool=str(tmp_path))
        with pytest.raises(UnavailableError, match="example"):
            told(source)
        assert not list(tmp_path.glob("*.told")), "a zone that broke off is not known"


def test_a_master_that_answers_ixfr_with_all_it_has(tmp_path: Path) -> None:
    parts = [[soa(2), rr("example.", "NS", "ns.example."), rr("a.example.", "NS", "ns.example.")], [soa(2)]]
    with master(*parts) as address:
        source = Zone("example", masters=(address,), every=0, spool=str(tmp_path))
        assert told(source)[0] == ["a.example"]
        (tmp_path / "7.told").write_bytes(b"")
        assert told(source, b"[1,7,0]")[0] == ["a.example"]


def test_names_of_messages() -> None:
    asked = dns.message.make_query("example", "IXFR")
    response = dns.message.make_response(asked)
    deleted = [soa(1), rr("a.example.", "NS", "ns.example."), rr("b.example.", "NS", "ns.example.")]
    added = [soa(2), rr("a.example.", "NS", "ns2.example."), rr("c.example.", "NS", "ns.example."), soa(2)]
    response.answer = [soa(2), *deleted, *added]
    assert names([response.to_wire()], full=False) == (["c.example"], ["b.example"])


@pytest.mark.parametrize(
    "settings",
    [
        {"zone": "example"},
        {"zone": "exa mple", "path": "x"},
        {"zone": "example", "masters": ("ns.example",)},
        {"zone": "example", "masters": ("127.0.0.1:0",)},
        {"zone": "example", "path": "x", "key": "k"},
        {"zone": "example", "path": "x", "algorithm": "hmac-md5"},
        {"zone": "example", "path": "x", "every": 0.1},
    ],
)
def test_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Zone(**settings)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_key_that_is_none_or_not_secret(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text("no base64!")
    path.chmod(mode)
    source = Zone("example", masters=("127.0.0.1:9",), key="khien", key_file=str(path), every=0)
    with (
        closing(source.read(None)) as pages,
        pytest.raises(ConfigError, match="chmod 600" if mode == 0o644 else "base64"),
    ):
        next(pages)
