"""Forwarded mail: which hosts are found, and what is never looked at."""

from contextlib import suppress
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.formats import reportmail


def mail(text: str = "", markup: str = "") -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Reporter <reporter@person.example>"
    made["To"] = "report@csirt.example"
    made["Subject"] = "Fwd: https://subject.example/"
    made.set_content(text)
    if markup:
        made.add_alternative(markup, subtype="html")
    return made


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("see https://Login.Bad.example/a?b=c#d.", ["login.bad.example"]),
        ("hxxps://bad[.]example/x and bad[.]other[.]example", ["bad.example", "bad.other.example"]),
        ("www.bad.example, or bad.example/login", ["www.bad.example", "bad.example"]),
        ("(http://192.0.2.1:8080/x) <http://[2001:db8::1]/>", ["192.0.2.1", "2001:db8::1"]),
        ("write to person@mail.example or mailto:person@www.mail.example", []),
        ("From: Somebody <person@mail.example>\nend.Of sentence.Next", []),
        ("https://ngân-hàng.example/", ["xn--ngn-hng-dwao.example"]),
        ("https://user@evil.example/ https://bank.example@evil.example/", ["evil.example"]),
        ("http:// https://.. http://a", []),
    ],
)
def test_text(text: str, hosts: list[str]) -> None:
    assert reportmail.hosts(mail(text).as_bytes()) == hosts


def test_markup() -> None:
    markup = (
        '<style>a{background:url(https://style.example/)}</style><img src="https://real-bank.example/logo.png">'
        "<A class=x HREF='https://bad.example/?a=1&amp;b=2'>https://shown.example/</A>"
        "<form action=https://form.example/post><script>location='https://script.example/'</script>"
    )
    assert reportmail.hosts(mail("", markup).as_bytes()) == ["bad.example", "shown.example", "form.example"]


def test_attached_messages_are_read_as_text_and_attachments_are_not() -> None:
    outer = mail("please look")
    outer.add_attachment(mail("https://inner.example/"))
    outer.add_attachment(b"https://attached.example/", maintype="text", subtype="html", filename="invoice.html")
    outer.add_attachment(b"PK https://zip.example/", maintype="application", subtype="zip", filename="a.zip")
    assert reportmail.hosts(outer.as_bytes()) == ["inner.example"]


def test_encoded_parts() -> None:
    made = mail()
    made.set_content("https://quoted.example/\u1ea1", cte="quoted-printable")
    assert reportmail.hosts(made.as_bytes()) == ["quoted.example"]
    made.set_content("https://base.example/", cte="base64")
    assert reportmail.hosts(made.as_bytes()) == ["base.example"]
    odd = b"Content-Type: text/plain; charset=no-such\n\nhttps://odd.example/"
    assert reportmail.hosts(odd) == ["odd.example"]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"<" * reportmail.LARGEST,
        b"Content-Type: text/html\n\n" + b"<style" * 100_000,
        b"Content-Type: text/html\n\n" + b"<a" + b"a" * 900_000,
        b"Content-Type: text/html\n\n" + b"<a href=" * 100_000,
        b"\n" + b"a.a.a.a.a.a.a.a.a.a.a " * 40_000,
        b"\n" + b"a." * 500_000,
        b"\n" + b"www.[.][.]" * 100_000,
        b"\n" + b"-a" * 500_000,
        b"\n" + b"http://a" * 100_000,
        b"Content-Type: message/rfc822\n\n" * 20_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(3_000)),
        b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 100_000,
    ],
)
def test_hostile_mail_is_bounded(message: bytes) -> None:
    with suppress(FormatError):
        assert len(reportmail.hosts(message)) <= 50


@given(st.binary() | st.text().map(str.encode))
def test_nothing_else_escapes(message: bytes) -> None:
    with suppress(FormatError):
        reportmail.hosts(b"Content-Type: multipart/mixed; boundary=a\n\n--a\n" + message)


@pytest.mark.parametrize(
    "message",
    [
        b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 2_001,
        b"Content-Type: multipart/mixed; boundary=a\r\r" + b"--a\r\rx\r" * 2_001,
        b"".join(b"Content-Type: multipart/mixed; Boundary*0 =%d\n\n--%d\n" % (n, n) for n in range(41)),
    ],
)
def test_more_parts_than_any_mail_has_are_refused(message: bytes) -> None:
    with pytest.raises(FormatError, match="more parts than any"):
        reportmail.hosts(message)


def test_what_is_behind_many_lines_or_far_behind_in_a_header_is_not_read() -> None:
    assert reportmail.hosts(b"\n" * 50_000 + b"https://a.example/") == []
    assert reportmail.hosts(b"\n" * 49_000 + b"https://a.example/") == ["a.example"]
    part = b"; boundary=b\n\n--b\n\nhttps://a.example/\n--b--\n"
    assert reportmail.hosts(b"Content-Type: multipart/mixed; x=" + b"y" * 1_000 + part) == ["a.example"]
    assert reportmail.hosts(b"Content-Type: multipart/mixed; x=" + b"y" * 3_000 + part) == []
