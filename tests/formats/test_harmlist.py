"""Lists of harmful sites, as they are published."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien.errors import FormatError
from khien.formats import harmlist

URLHAUS = b"""################
# abuse.ch URLhaus Database Dump (CSV)
#
# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter
"3","2026-11-01 00:00:00","http://192.0.2.7:8080/bin.sh","online","","malware_download","elf","https://u.example/3/","x"
"2","2026-11-01 00:00:00","http://bad.example/a?victim=person%40mail.example#x","offline","","","","https://u.example/2/","x"
"""


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        (b"https://login.bad.example/a/b?q=1\nhttp://user@BAD.example:8443\n", {
            "login.bad.example": "https://login.bad.example/a/b", "bad.example": "http://bad.example:8443/"}),
        (b"# newest\na.example\nb.example\n\n", {"a.example": "", "b.example": ""}),
        (URLHAUS, {"192.0.2.7": "http://192.0.2.7:8080/bin.sh", "bad.example": "http://bad.example/a"}),
        (b"phish_id,url,phish_detail_url,online\n1,https://b.example/z,https://p.example/1,yes\n", {
            "b.example": "https://b.example/z"}),
        (b'[{"phish_id":"1","url":"https:\\/\\/c.example\\/","details":[{}]},{"url":"https://c.example/a"}]', {
            "c.example": "https://c.example/"}),
        (b'{"4":[{"url":"http://d.example/x","tags":null}],"5":[{"url":"http://e.example/"}]}', {
            "d.example": "http://d.example/x", "e.example": "http://e.example/"}),
        (b'{"url":"http://d.example/x"}\n{"domain":"e.example"}\n', {
            "d.example": "http://d.example/x", "e.example": ""}),
        (b"127.0.0.1 localhost\n0.0.0.0 bad.example\n", {"bad.example": ""}),
        (b"! Title: x\n||bad.example^\n@@||good.example^\n||other.example^$third-party\n", {
            "bad.example": "", "other.example": ""}),
        (b"domain\tfirst\nx.example\t2026\ny.example\t2026\n", {"x.example": "", "y.example": ""}),
        ("https://ngân-hàng.example/\n".encode(), {"xn--ngn-hng-dwao.example": "https://xn--ngn-hng-dwao.example/"}),
        (b"https://[2001:db8::1]/x\n", {"2001:db8::1": "https://[2001:db8::1]/x"}),
    ],
)  # fmt: skip
def test_reads(text: bytes, hosts: dict[str, str]) -> None:
    assert harmlist.read(text).hosts == hosts


def test_counts_what_names_no_site() -> None:
    found = harmlist.read(b"a.example\nb.example\n..\n")
    assert (len(found.hosts), found.refused) == (2, 1)


@pytest.mark.parametrize(
    "text",
    [
        b"<!DOCTYPE html><title>We are back soon</title>",
        b"  <html>",
        b"Too many requests, please slow down!\n",
        b"We are back soon\n",
        b'[{"url":"http://d.example/x"},{"ur',
        b'{"url":',
        b"\0\1",
        b"[" * 100_000,
    ],
)
def test_refuses_what_is_no_list(text: bytes) -> None:
    with pytest.raises(FormatError):
        harmlist.read(text)


@given(st.binary() | st.text().map(str.encode))
def test_nothing_else_escapes(text: bytes) -> None:
    with suppress(FormatError):
        harmlist.read(text)
