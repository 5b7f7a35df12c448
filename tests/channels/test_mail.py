"""Mail: what a letter carries and what it must not, and servers that fail at each stage or lie."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from khien.channels.mail.abuse import Abuse
from khien.channels.mail.notices import Mail
from khien.channels.mail.post import Post
from khien.errors import InputError, UnavailableError, UncertainError
from khien.triage import tokens
from tests.channels import samples
from tests.channels.sides import HOST, MailSide, certificate
from tests.channels.test_dkim import verify

KEY = b"k" * 32
SITE = "https://warn.csirt.example"


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    return private(tmp_path / "notices.key", KEY)


def private(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


def post(port: int = 25, **changed: Any) -> Post:
    return Post(**{"host": HOST, "port": port, "sender": "warn@csirt.example", "security": "none", **changed})


@pytest.fixture
def side(tmp_path: Path) -> Iterator[MailSide]:
    side = MailSide(certificate(tmp_path), "none")
    yield side
    side.close()


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = (cast("EmailMessage", each) for each in message.iter_parts())
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return text.get_content(), html.get_content()


def test_a_letter_links_to_its_notice_and_ends_with_one_post(key_file: str) -> None:
    notice = samples.notice()
    to = samples.to(notice, "soc@bank.example")
    channel = Mail(post(signed="Trung tâm CSIRT", reply_to="duty@csirt.example"), SITE + "/", key_file, "1800 1234")
    message = channel.written(notice, to)
    link = SITE + tokens.notice_path(KEY, "vi", notice.id)
    for said in parts(message):
        assert link in said
        assert "1800 1234" in said
        assert re.findall(r"https?://[^\"\s<]+", said).count(link) == len(re.findall(r"https?://", said))
    assert message["List-Unsubscribe"] == f"<{SITE}{tokens.unsubscribe_path(KEY, 'vi', to.id)}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"] == "Trung tâm CSIRT <warn@csirt.example>"
    assert message["Reply-To"] == "duty@csirt.example"
    assert parsedate_to_datetime(message["Date"]) == notice.revised
    assert message["Message-ID"] == f"<{to.id[:40]}@csirt.example>"
    assert channel.written(notice, to).as_bytes() != b""


def test_a_citizen_gets_a_code_and_no_link_at_all(key_file: str) -> None:
    notice = samples.notice(sector=tokens.CITIZEN)
    message = Mail(post(), SITE, key_file, "1800 1234").written(notice, samples.to(notice, "lan@mail.example"))
    assert message["List-Unsubscribe"] is None
    for said in parts(message):
        assert tokens.code(KEY, notice.id) in said
        assert "://" not in said
        assert "href" not in said
        assert "warn.csirt" not in said


def test_without_a_site_a_letter_carries_neither_link_nor_code() -> None:
    notice = samples.notice()
    message = Mail(post()).written(notice, samples.to(notice, "soc@bank.example"))
    assert all("://" not in said for said in parts(message))


def test_nothing_in_a_record_becomes_a_field_of_the_head(side: MailSide) -> None:
    evil = "Evil\r\nBcc: all@bank.example\r\n\r\n<script>"
    notice = samples.notice("vietc0mbank.top\r\nX-Evil: 1", label=evil, reasons=(samples.LOOKS,))
    Mail(post(side.port)).send(notice, samples.to(notice, "soc@bank.example"), samples.commit)
    [message] = side.messages()
    assert set(message.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"),
    }
    assert "<script>" not in parts(cast("EmailMessage", message))[1]
    assert side.envelopes == [("warn@csirt.example", ["soc@bank.example"])]


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b@c", "a b@c.example", "a@c.example\r\nRCPT TO:<x@y.example>", "é@c.example", "a@" + "c" * 300],
)
def test_what_is_no_address_is_never_sent_to(address: str) -> None:
    with pytest.raises(InputError, match="is no mail address"):
        Mail(post()).send(samples.notice(), samples.to(samples.notice(), address), samples.commit)


def test_the_same_delivery_is_the_same_message_signed(side: MailSide, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    channel = Mail(post(side.port, dkim_selector="s1", dkim_key_file=private(tmp_path / "dkim.pem", pem)))
    notice = samples.notice("..vietc0mbank.top")
    for _ in range(2):
        channel.send(notice, samples.to(notice, "soc@bank.example"), samples.commit)
    assert side.raw[0] == side.raw[1]
    assert verify(side.raw[0], key.public_key())["d"] == "csirt.example"


@pytest.mark.parametrize(
    ("stage", "said", "error"),
    [
        ("MAIL", "451 busy", UnavailableError),
        ("MAIL", "550 not you", InputError),
        ("MAIL", "530 authenticate first", UnavailableError),
        ("RCPT", "452 full", UnavailableError),
        ("RCPT", "550 nobody", InputError),
        ("RCPT", "421 going", UnavailableError),
        ("DATA", "451 later", UnavailableError),
        ("DATA", "554 spam", InputError),
    ],
)
def test_a_refusal_is_for_now_or_for_ever(side: MailSide, stage: str, said: str, error: type[Exception]) -> None:
    side.answers = {stage: said}
    with pytest.raises(error, match=said):
        Mail(post(side.port)).send(samples.notice(), samples.to(samples.notice(), "soc@bank.example"), samples.commit)
    assert side.raw == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_it_is_secured_or_not_sent(tmp_path: Path, security: str) -> None:
    pem = certificate(tmp_path)
    side = MailSide(pem, security)
    notice, to = samples.notice(), samples.to(samples.notice(), "soc@bank.example")
    try:
        assert (
            Mail(post(side.port, security=security, authorities_file=str(pem)))
            .send(notice, to, samples.commit)
            .startswith("250 ")
        )
        assert side.secured == [True]
        with pytest.raises(UnavailableError, match="certificate verify failed"):
            Mail(post(side.port, security=security)).send(notice, to, samples.commit)
    finally:
        side.close()


def test_a_server_without_starttls_gets_nothing(side: MailSide) -> None:
    with pytest.raises(UnavailableError):
        Mail(post(side.port, security="starttls")).send(
            samples.notice(), samples.to(samples.notice(), "a@b.example"), samples.commit
        )
    assert side.raw == []


def test_a_password_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o644)
    channel = Mail(post(user="khien", password_file=str(tmp_path / "password")))
    with pytest.raises(UnavailableError, match="0600"):
        channel.send(samples.notice(), samples.to(samples.notice(), "a@b.example"), samples.commit)


def test_a_zone_that_is_none_is_named() -> None:
    with pytest.raises(UnavailableError, match="zone: 'Mars'"):
        Mail(post(zone="Mars")).send(samples.notice(), samples.to(samples.notice(), "a@b.example"), samples.commit)


def test_a_report_of_abuse_has_a_letter_and_xarf(side: MailSide) -> None:
    takedown = samples.takedown()
    Abuse(post(side.port, reply_to="abuse-desk@csirt.example"), "+84 24 0000").send(
        takedown, samples.to(takedown, "abuse@host.example", language="en"), samples.commit
    )
    [message] = side.messages()
    text, report = (cast("EmailMessage", each) for each in cast("EmailMessage", message).iter_parts())
    assert "hxxps://vietc0mbank-login[.]top/dang-nhap" in text.get_content()
    assert (report.get_content_type(), report.get_filename()) == ("application/json", "xarf.json")
    assert b'"xarf_version"' in report.get_content()
    with pytest.raises(InputError, match="nothing is to be reported"):
        Abuse(post(side.port)).send(takedown, samples.to(takedown, "else@host.example"), samples.commit)


Script = Callable[[socket.socket], None]


def scripted(script: Script) -> tuple[int, threading.Thread]:
    """A server of one connection, by hand."""
    listener = socket.create_server((HOST, 0))

    def serve() -> None:
        with listener:
            link, _ = listener.accept()
            with link, suppress(OSError):
                script(link)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread


def answering(link: socket.socket, *answers: bytes) -> None:
    """Greets, and answers each line; the answer to DATA is the last."""
    link.sendall(b"220 hello\r\n")
    for answer in answers:
        link.recv(4096)
        link.sendall(answer)


TO_DATA = (b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n")


def until_the_dot(link: socket.socket) -> None:
    answering(link, *TO_DATA)
    got = b""
    while not got.endswith(b"\r\n.\r\n"):
        got += link.recv(65536)


def endless(link: socket.socket) -> None:
    while True:
        link.sendall(b"220-and so on\r\n" * 100)


def one_long_line(link: socket.socket) -> None:
    while True:
        link.sendall(b"2" * 4096)


def slow(link: socket.socket) -> None:
    link.sendall(b"220")
    while link.recv(1) != b"":
        pass


def hangs_up(link: socket.socket) -> None:
    answering(link, *TO_DATA[:3])


def no_smtp(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def silent_after_the_dot(link: socket.socket) -> None:
    until_the_dot(link)
    link.recv(1)


def gone_after_the_dot(link: socket.socket) -> None:
    until_the_dot(link)


def noise_after_the_dot(link: socket.socket) -> None:
    until_the_dot(link)
    link.sendall(b"\xff" * 100_000)


def ahead_of_tls(link: socket.socket) -> None:
    answering(link, b"250-hello\r\n250 STARTTLS\r\n", b"220 go on\r\n250 injected\r\n")


@pytest.mark.parametrize(
    ("script", "error", "changed"),
    [
        (endless, UnavailableError, {}),
        (one_long_line, UnavailableError, {}),
        (no_smtp, UnavailableError, {}),
        (hangs_up, UnavailableError, {}),
        (slow, UnavailableError, {"seconds": 0.3}),
        (ahead_of_tls, UnavailableError, {"security": "starttls"}),
        (gone_after_the_dot, UncertainError, {}),
        (noise_after_the_dot, UncertainError, {}),
        (silent_after_the_dot, UncertainError, {"seconds": 0.5}),
    ],
)
def test_a_hostile_server_is_bounded_and_named(script: Script, error: type[Exception], changed: dict[str, Any]) -> None:
    port, thread = scripted(script)
    notice = samples.notice()
    with pytest.raises(error, match=f"mail server {HOST}:{port}: "):
        Mail(post(port, **changed)).send(notice, samples.to(notice, "soc@bank.example"), samples.commit)
    thread.join(10)
    assert not thread.is_alive()
