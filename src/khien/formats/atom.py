"""Notices as an Atom feed (RFC 4287): an entry for each, the newest revision of it, with a link to more."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from html import escape
from typing import NamedTuple
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, tostring

from khien import words
from khien.model import Notice
from khien.triage.advice import Advice, advice

MEDIA_TYPE = "application/atom+xml"

_NAMESPACE = "http://www.w3.org/2005/Atom"
_XML = "{http://www.w3.org/XML/1998/namespace}lang"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Feed(NamedTuple):
    """Whose feed it is, where it stands, and who writes it. link, cap: where more of a notice stands, for people and as
    CAP; empty where nothing does."""

    constituent: str
    label: str
    address: str
    author: str
    link: Callable[[Notice], str] = lambda _: ""
    cap: Callable[[Notice], str] = lambda _: ""


def atom(notices: Iterable[Notice], feed: Feed, language: str, zone: tzinfo) -> bytes:
    """A feed as an XML document, of notices in the order given; it changes only with them."""
    some = tuple(notices)
    root = Element("feed", {"xmlns": _NAMESPACE, _XML: language})
    _put(root, "id", _urn("constituent", feed.constituent))
    _put(root, "title", words.notice("feed", language, label=feed.label))
    _put(root, "updated", _time(max((each.revised for each in some), default=_NEVER)))
    _put(SubElement(root, "author"), "name", feed.author)
    SubElement(root, "link", rel="self", href=feed.address, type=MEDIA_TYPE)
    for notice in some:
        _entry(SubElement(root, "entry"), notice, feed, language, zone)
    return tostring(root, encoding="utf-8", xml_declaration=True)


def _entry(entry: Element, notice: Notice, feed: Feed, language: str, zone: tzinfo) -> None:
    told = advice(notice, language, zone)
    _put(entry, "id", _urn("notice", notice.id))
    _put(entry, "title", told.headline)
    _put(entry, "published", _time(notice.raised))
    _put(entry, "updated", _time(notice.revised))
    for term in (notice.severity, notice.state):
        SubElement(entry, "category", term=term)
    if link := feed.link(notice):
        SubElement(entry, "link", rel="alternate", href=link)
    if cap := feed.cap(notice):
        SubElement(entry, "link", rel="related", href=cap, type="application/cap+xml")
    content = SubElement(entry, "content", type="html")
    content.text = _html(told)


def _html(told: Advice) -> str:
    """Plain paragraphs and a list: what stands in it is text, whatever it holds."""
    said = "".join(f"<p>{escape(each)}</p>" for each in (*told.seen, *told.why))
    steps = "".join(f"<li>{escape(each)}</li>" for each in told.do)
    return said + (f"<ol>{steps}</ol>" if steps else "")


def _urn(kind: str, id: str) -> str:
    """A name that stays the same wherever the feed is served, RFC 4287 section 4.2.6."""
    return UUID(bytes=hashlib.sha256(f"{kind}\0{id}".encode()).digest()[:16], version=4).urn


def _put(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = words.printable(text)


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
