"""Mailboxes of forwarded mail: a maildir, a real Dovecot on loopback, and servers that speak no IMAP."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest

from khien.errors import ConfigError, UnavailableError
from khien.sources.live.mailbox import Mailbox
from khien.testing.source import check_source

CI = "CI" in os.environ
DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
REPORTER = "reporter@person.example"
MAIL = f"From: A Person <{REPORTER}>\nTo: report@csirt.example\nSubject: Fwd\n\nIs this real? https://%s/x?who={REPORTER}\n"


def told(source: Mailbox, cursor: bytes | None = None) -> tuple[list[tuple[str, str]], bytes]:
    """Hosts and how often they were reported, and the cursor behind."""
    found, last = list[tuple[str, str]](), cursor or b""
    for page in source.read(cursor):
        written = page.rows.to_pylist()
        assert REPORTER not in repr(written)
        assert b"person" not in page.cursor
        found += [(row["subject"], dict(row["params"])["count"]) for row in written]
        last = page.cursor
    return found, last


def maildir(path: Path) -> Path:
    for each in ("new", "cur", "tmp"):
        (path / each).mkdir(parents=True)
    return path


def put(folder: Path, at: int, host: str) -> Path:
    path = folder / "new" / f"{at}.M{host}.host"
    path.write_text(MAIL % host)
    return path


def test_a_maildir(tmp_path: Path) -> None:
    folder = maildir(tmp_path / "mail")
    source = Mailbox(path=str(folder), every=0, known=("good.example",))
    assert told(source) == ([], b"")
    first = put(folder, 1_760_000_000, "bad.example")
    put(folder, 1_760_000_001, "www.good.example")
    found, cursor = told(source)
    assert found == [("bad.example", "1")]
    first.rename(folder / "cur" / f"{first.name}:2,S")  # somebody has read it
    put(folder, 1_759_999_000, "late.example")  # delivered late, named by an earlier clock
    put(folder, 1_760_000_002, "bad.example2.example")
    put(folder, 1_760_000_003, "bad.example")
    (folder / "new" / "notes.txt").write_text(MAIL % "never.example")
    (folder / "new" / "1760000009.link").symlink_to(first)
    os.mkfifo(folder / "new" / "1760000008.pipe")
    found, cursor = told(source, cursor)
    assert sorted(found) == [("bad.example", "2"), ("bad.example2.example", "1"), ("late.example", "1")]
    assert told(source, cursor)[0] == []
    put(folder, 1_760_200_000, "next.example")
    _, cursor = told(source, cursor)
    assert cursor.count(b".M") == 1, "what is older than a day is not remembered"
    assert told(source, cursor)[0] == []


def test_keeps_the_contract_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khien.sources.live.mailbox._BATCH", 2)
    folder = maildir(tmp_path / "mail")
    for number in range(7):
        put(folder, 1_760_000_000 + number, f"n{number}.example")
    check_source(Mailbox(path=str(folder), every=0))


@contextmanager
def dovecot(home: Path) -> Iterator[int]:
    """An IMAP server for a user with the password ``secret``, whose mail is in the maildir ``home/mail``; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", home / "key.pem", "-out",
         home / "certificate.pem", "-days", "2"],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    us = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    if os.geteuid() == 0:
        for each in (home / "mail").rglob("*"):
            os.chown(each, us.pw_uid, us.pw_gid)
        os.chown(home / "mail", us.pw_uid, us.pw_gid)
        for each in (home, *home.parents[:3]):  # pytest's own, and each worker's, which are for root alone
            each.chmod(each.stat().st_mode | 0o011)
    group = subprocess.run(["id", "-gn", us.pw_name], capture_output=True, text=True, check=True).stdout.strip()
    services = "".join(f"service {each} {{\n chroot =\n}}\n" for each in ("anvil", "stats"))
    (home / "dovecot.conf").write_text(
        f"protocols = imap\nlisten = 127.0.0.1\nbase_dir = {home}/run\nstate_dir = {home}/run\nlog_path = {home}/log\n"
        f"default_internal_user = {us.pw_name}\ndefault_internal_group = {group}\ndefault_login_user = {us.pw_name}\n"
        f"ssl = required\nssl_cert = <{home}/certificate.pem\nssl_key = <{home}/key.pem\n"
        f"mail_location = maildir:{home}/mail\nfirst_valid_uid = {us.pw_uid}\nfirst_valid_gid = {us.pw_gid}\n"
        "passdb {\n driver = static\n args = password=secret\n}\n"
        f"userdb {{\n driver = static\n args = uid={us.pw_uid} gid={us.pw_gid} home={home}/mail\n}}\n"
        "service imap-login {\n chroot =\n inet_listener imap {\n port = 0\n }\n"
        f" inet_listener imaps {{\n port = {port}\n ssl = yes\n }}\n}}\n{services}"
    )
    assert DOVECOT
    process = subprocess.Popen([DOVECOT, "-F", "-c", str(home / "dovecot.conf")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (home / "log").read_text()[-2000:]
            sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(DOVECOT is None and not CI, reason="no dovecot here")
def test_by_imap_from_dovecot(tmp_path: Path) -> None:
    folder = maildir(tmp_path / "mail")
    for number in range(25):
        put(folder, 1_760_000_000 + number, "bad.example")
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    with dovecot(tmp_path) as port:
        settings: dict[str, Any] = {"server": f"localhost:{port}", "user": "report", "every": 0}
        settings["authorities_file"] = str(tmp_path / "certificate.pem")
        source = Mailbox(**settings, password_file=str(tmp_path / "password"))
        found, cursor = told(source)
        assert found == [("bad.example", "20"), ("bad.example", "25")], (tmp_path / "log").read_text()
        assert told(source, cursor) == ([], cursor)
        check_source(source)
        seen = [each.name for each in (folder / "cur").iterdir() if "S" in each.name.partition(":2,")[2]]
        assert seen == [], "nothing is marked as read"
        put(folder, 1_760_000_100, "new.example")
        if os.geteuid() == 0:
            us = pwd.getpwnam("nobody")
            for each in (folder / "new").iterdir():
                os.chown(each, us.pw_uid, us.pw_gid)
        assert told(source, cursor)[0] == [("new.example", "1")]
        other = cursor.replace(cursor.split(b",")[0], b"[1")  # another UIDVALIDITY: its numbers mean nothing
        assert {host for host, _ in told(source, other)[0]} == {"bad.example", "new.example"}
        (tmp_path / "wrong").write_text("wrong")
        (tmp_path / "wrong").chmod(0o600)
        with pytest.raises(UnavailableError, match="refuses 'report'"):
            told(Mailbox(**settings, password_file=str(tmp_path / "wrong")))
        with pytest.raises(UnavailableError, match="localhost"):
            told(Mailbox(**settings | {"authorities_file": ""}, password_file=str(tmp_path / "password")))


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"* BYE\r\n", b"\x16\x03\x01"])
def test_a_server_that_speaks_no_imap(said: bytes, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            with server.accept()[0] as connection:
                connection.sendall(said)

        thread = Thread(target=speak)
        thread.start()
        source = Mailbox(
            server=f"127.0.0.1:{server.getsockname()[1]}", user="u", password_file=str(tmp_path / "password"), every=0
        )
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1"):
            told(source)
        thread.join()


def test_yields_while_it_waits(tmp_path: Path) -> None:
    put(maildir(tmp_path / "mail"), 1_760_000_000, "bad.example")
    with closing(Mailbox(path=str(tmp_path / "mail")).read(None)) as pages:
        assert [page.rows.num_rows for page in islice(pages, 3)] == [1, 0, 0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"server": "a.example"},
        {"server": "a b", "user": "u", "password_file": "p"},
        {"server": "a.example:99999", "user": "u", "password_file": "p"},
        {"path": "x", "every": 1},
        {"path": "x", "known": ("a b",)},
    ],
)
def test_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Mailbox(**settings)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="a maildir has new and cur"):
        told(Mailbox(path=str(tmp_path / "none"), every=0))
    source = Mailbox(server="127.0.0.1:9", user="u", password_file=str(tmp_path / "none"), every=0)
    with pytest.raises((UnavailableError, ConfigError)):
        told(source)
