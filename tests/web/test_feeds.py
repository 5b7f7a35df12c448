"""Feeds of a constituent: theirs alone, behind their token, and nothing where nothing is new."""

from lxml import etree

from khien.triage import tokens
from tests.web.conftest import KEY
from tests.web.test_desk import Desk, desk

__all__ = ["desk"]
ATOM = "{http://www.w3.org/2005/Atom}"
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


def test_a_constituent_reads_what_concerns_them(desk: Desk) -> None:
    folder = tokens.feed_path(KEY, "saothuy")
    answer = desk.client.get(f"{folder}/atom.xml")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    (entry,) = etree.fromstring(answer.content).findall(f"{ATOM}entry")
    assert "saothuybank-otp[.]example[.]top" in str(entry.findtext(f"{ATOM}title"))
    links = {each.get("rel"): each.get("href") for each in entry.findall(f"{ATOM}link")}
    assert desk.client.get(links["alternate"]).status_code == 200
    message = desk.client.get(links["related"])
    assert message.headers["content-type"].startswith("application/cap+xml")
    told = etree.fromstring(message.content)
    assert [each.findtext(f"{CAP}language") for each in told.findall(f"{CAP}info")] == ["vi-VN", "en-US"]
    english = etree.fromstring(desk.client.get(f"{folder}/atom.xml?language=en").content)
    assert english.findtext(f"{ATOM}title") != etree.fromstring(answer.content).findtext(f"{ATOM}title")


def test_what_the_reader_has_is_not_sent_again(desk: Desk) -> None:
    path = f"{tokens.feed_path(KEY, 'saothuy')}/atom.xml"
    first = desk.client.get(path)
    again = desk.client.get(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    desk.by("officer").post(f"/vi/desk/notices/{desk.ids.notice}", data={"act": "acknowledge"})
    changed = desk.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


def test_nobody_else_reads_it(desk: Desk) -> None:
    right = tokens.feed_path(KEY, "saothuy")
    wrong = [
        right.replace("saothuy", "citizen-1") + "/atom.xml",
        f"{right[:-1]}a/atom.xml" if not right.endswith("a") else f"{right[:-1]}b/atom.xml",
        f"{tokens.feed_path(KEY, 'nobody')}/atom.xml",
        f"{right}/cap/{desk.ids.citizen}.xml",
        f"{right}/cap/none.xml",
        f"{right}/cap/..%2fatom.xml",
    ]
    for path in wrong:
        assert desk.client.get(path).status_code == 404, path
    assert desk.client.get(f"{right}/atom.xml?language=fr").status_code == 400


def test_officers_see_where_it_is_to_give_it_on(desk: Desk) -> None:
    page = f"/en/desk/constituents/{desk.ids.constituent}"
    path = tokens.feed_path(KEY, desk.ids.constituent)
    (link,) = etree.HTML(desk.by("officer").get(page).text).xpath(f"//a[contains(@href, '{path}')]/@href")
    desk.client.cookies.clear()
    assert desk.client.get(link).headers["content-type"].startswith("application/atom+xml")
    assert path not in desk.by("viewer").get(page).text
