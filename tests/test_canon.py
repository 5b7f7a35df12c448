"""One spelling per observable: what is met, what it becomes, and what is no name."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.canon import LONGEST_LABEL, LONGEST_NAME, LONGEST_TEXT, LONGEST_URL, defang, domain, host, host_of, url
from khien.errors import ObservableError

labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)
names = st.lists(labels, max_size=5).map(lambda front: ".".join([*front, "vn"]))


@pytest.mark.parametrize(
    ("met", "canonical"),
    [
        ("Example.COM", "example.com"),
        ("*.example.com.", "example.com"),
        ("  example.vn\n", "example.vn"),
        ("_dmarc.example.vn", "_dmarc.example.vn"),
        ("r3---sn-i3b7kn7k.googlevideo.com", "r3---sn-i3b7kn7k.googlevideo.com"),
        ("-a-.example.vn", "-a-.example.vn"),
        ("xn--i-7iq.ws", "xn--i-7iq.ws"),  # an emoji: IDNA 2008 refuses it, DNS does not
        ("ngânhàng.vn", "xn--ngnhng-ltan.vn"),
        ("NGÂNHÀNG.VN", "xn--ngnhng-ltan.vn"),
        ("ｅｘａｍｐｌｅ。ｃｏｍ", "example.com"),
        ("faß.de", "xn--fa-hia.de"),  # IDNA 2003 would have made it fass.de
        ("*.例え.jp", "xn--r8jz45g.jp"),
        ("localhost", "localhost"),
        ("3.14.example", "3.14.example"),
    ],
)
def test_domain(met: str, canonical: str) -> None:
    assert domain(met) == canonical


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1 to 253 characters"),
        (".", "empty label"),
        ("a..example", "empty label"),
        ("example.com..", "empty label"),
        ("a b.example", "' '"),
        ("a/b.example", "'/'"),
        ("*.*.example.com", r"'\*'"),
        ("a\0.example", r"'\\x00'"),
        (f"{'a' * (LONGEST_LABEL + 1)}.vn", "label of more than 63"),
        (f"{'ắ' * (LONGEST_LABEL + 1)}.vn", "longer than a label's 63"),
        (".".join(["a" * 60] * 5), "1 to 253 characters"),
        ("a" * 5_000, "1 to 253 characters"),
        ("192.0.2.7", "number or an address"),
        ("i❤.ws", "no label of a domain name"),
        ("a\u2fffb.vn", "no domain name"),
    ],
)
def test_no_domain(text: str, told: str) -> None:
    with pytest.raises(ObservableError, match=told):
        domain(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.com", "example.com"),
        ("https://Example.com/a?b#c", "Example.com"),
        ("hxxps://login[.]example[.]com/", "login.example.com"),
        ("hXXp[://]login(.)example{dot}com", "login.example.com"),
        ("example.com:8443", "example.com"),
        ("example.com:", "example.com"),
        ("https://bank.example@evil.example:80/", "evil.example"),
        ("https:\\\\evil.example\\bank.example", "evil.example"),
        ("https:/\\/evil.example", "evil.example"),
        ("https:evil.example", "evil.example"),
        ("//evil.example/x", "evil.example"),
        ("http://ev\til.exa\nmple/", "evil.example"),
        ("http://ex%61mple.com/", "example.com"),
        ("https://example.com?@other.example", "example.com"),
        ("Somebody[at]example.com", "example.com"),
        ("mailto:somebody@example.com?subject=x", "example.com"),
        ("<https://example.com/>", "example.com"),
        ("http://[2001:db8::1]:80/", "2001:db8::1"),
        ("svn+ssh://user@example.com/x", "example.com"),
    ],
)
def test_host_of(text: str, host: str) -> None:
    assert host_of(text) == host


@pytest.mark.parametrize("text", ["", "   ", "http://", "https:///", "user@", "/", "a" * (LONGEST_TEXT + 1)])
def test_no_host(text: str) -> None:
    with pytest.raises(ObservableError):
        host_of(text)


@given(names)
def test_a_canonical_name_stays(name: str) -> None:
    assert domain(name) == name
    assert domain(f"*.{name.upper()}.") == name
    assert host_of(f"hxxps://u:p@{defang(name)}:8443/a@b") == name
    assert "." not in defang(name).replace("[.]", "")


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_an_observable_error(text: str) -> None:
    try:
        name = domain(text)
    except ObservableError:
        return
    assert domain(name) == name
    assert len(name) <= LONGEST_NAME
    assert re.fullmatch(r"[a-z0-9_.-]+", name)


@given(st.text(alphabet="ab.:/\\@[](){}%2f#?dothxp \tắ", max_size=80) | st.text())
def test_any_text_has_a_host_or_an_observable_error(text: str) -> None:
    with contextlib.suppress(ObservableError):
        assert host_of(text)


@pytest.mark.parametrize(
    ("pasted", "spelled"),
    [
        ("hxxps://User:pw@A[.]Example:443/a/../b//%7eX?x=1#y", "https://a.example/b/~X"),
        ("a.example", "https://a.example/"),
        ("http://a.example:8080", "http://a.example:8080/"),
        ("http://a.example:080/x/.", "http://a.example/x/"),
        ("HTTP://203.0.113.9/%e1%ba%a5", "http://203.0.113.9/%E1%BA%A5"),
        ("https://a.example/ấ b", "https://a.example/%E1%BA%A5%20b"),
        ("http://[2001:DB8:0::1]/%zz", "http://[2001:db8::1]/%25zz"),
        ("https:\\\\a.example\\x\\..", "https://a.example/"),
        ("https://a.example/x((.))y", "https://a.example/x.y"),
        ("https://tẩy-chay.example/", "https://xn--ty-chay-3o4c.example/"),
    ],
)
def test_one_spelling_of_a_page(pasted: str, spelled: str) -> None:
    assert url(pasted) == spelled
    assert url(spelled) == spelled


@pytest.mark.parametrize(
    "text",
    ["", "ftp://a.example/", "mailto:a@b.example", "javascript:alert(1)", "http://a.example:99999/", "http://256.1.1.1/",
     "http://a.example/" + "x" * LONGEST_URL],
)  # fmt: skip
def test_what_is_no_page(text: str) -> None:
    with pytest.raises(ObservableError):
        url(text)


@given(st.text(alphabet="ab.:/\\@[](){}%2f#?dothxp \tắ", max_size=80) | st.text())
def test_any_text_is_a_page_spelled_once_and_for_all_or_an_observable_error(text: str) -> None:
    with contextlib.suppress(ObservableError):
        page = url(text)
        assert url(page) == page
        assert page.isascii()
        assert host(host_of(page)) == host_of(page)
