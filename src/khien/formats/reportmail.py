"""Forwarded suspicious mail: the hosts its links lead to, and nothing else of it.

Of a message its text and HTML parts are read, and messages attached to it as text; attachments are not opened, links
are not followed, and no header but those that say how a part is written: who forwards a message, to whom, and who wrote
it are never looked at. An address of mail in the text is no link. Memory and time are bounded by what is given.
"""

import email
import html
import re
from collections.abc import Iterator
from email.message import Message
from email.policy import Compat32
from ipaddress import ip_address
from itertools import islice

from khien import canon
from khien.errors import FormatError, ObservableError

LARGEST = 1 << 20  # octets of a message; what is behind is not read

_LINES = 50_000  # of a message; what is behind is not read
_FIELD = 2_000  # characters of a header field; what is behind is not read
_BORDERS = 2_000  # lines that may part two parts
_MULTIPARTS = 40  # that may stand in each other: each line is held to the border of each
_DEPTH = 8  # of parts in parts
_PARTS = 100
_LINKS = 500  # that are looked at
_HOSTS = 50  # of a message
_LONGEST = 2_000  # characters of a link
_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\])"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
# A link with its scheme, defanged or not; a name with a path behind it, or www before; a name that was defanged.
_LINK = re.compile(
    rf"\bh[tx]{{2}}ps?(?::|\[:\])//[^\s<>\"'`|\\^{{}}]{{1,{_LONGEST}}}"
    rf"|(?<![\w@.%+/-])(?:www{_DOT}{_LABEL}(?:{_DOT}{_LABEL}){{1,10}}"
    rf"|{_LABEL}(?:\.{_LABEL}){{1,10}}(?=/[\w?])"
    rf"|{_LABEL}(?:{_DOT}{_LABEL}){{0,10}}(?:\[\.\]|\(\.\)|\[dot\]){_LABEL}(?:{_DOT}{_LABEL}){{0,10}})(?![\w@])",
    re.IGNORECASE,
)
_END = re.compile(rb"\r\n?|\n")
_BORDER = re.compile(rb"(?:\A|[\r\n])--")
_MULTIPART = re.compile(rb"boundary[*\d]*\s*=", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*+)([^<>]*+)>", re.IGNORECASE)
_TARGET = re.compile(rf"\b(?:href|action)\s*+=\s*+[\"']?\s*+([^\"'\s>]{{1,{_LONGEST}}})", re.IGNORECASE)
_LEAD = ("a", "area", "form")  # tags whose links a reader may follow; pictures are often the real bank's
_HIDDEN = ("script", "style", "head")
_AROUND = ".,;:!?)]}>*_"


def hosts(message: bytes) -> list[str]:
    """The hosts a message's links lead to, in canonical form, each once, in the order they are met.

    FormatError: its parts are more, or stand in each other deeper, than any mail's.
    """
    read = message[:LARGEST]
    if (end := next(islice(_END.finditer(read), _LINES - 1, None), None)) is not None:
        read = read[: end.start()]
    for rule, most in ((_BORDER, _BORDERS), (_MULTIPART, _MULTIPARTS)):
        if next(islice(rule.finditer(read), most, None), None) is not None:
            raise FormatError("is no mail that can be read: it has more parts than any")
    try:
        parsed = email.message_from_bytes(read, policy=_Cut())
        found = dict.fromkeys(host for text in _texts(parsed) for host in _linked(text))
    except (RecursionError, ValueError, LookupError, AssertionError, TypeError, AttributeError) as error:
        raise FormatError(f"is no mail that can be read ({type(error).__name__})") from error
    return list(found)[:_HOSTS]


class _Cut(Compat32):
    """Header fields of bounded length: what they say is worked out in the square of it."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_FIELD]


def _texts(message: Message) -> Iterator[str]:
    """The text of each part a reader would see, HTML as the links and the text in it."""
    waiting, parts = [(message, 0)], 0
    while waiting and parts < _PARTS:
        part, depth = waiting.pop(0)
        parts += 1
        payload = part.get_payload()
        if isinstance(payload, list):  # of multipart and of message/rfc822, attached or not
            if depth < _DEPTH:
                waiting[:0] = [(each, depth + 1) for each in payload[:_PARTS] if isinstance(each, Message)]
            continue
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
            text = _decoded(part)
            if kind == "text/html":
                text = " ".join(_shown(text))
            yield text


def _shown(markup: str) -> Iterator[str]:
    """The links of HTML and the text a reader sees, in their order."""
    hidden, at = "", 0
    for tag in _TAG.finditer(markup):
        ends, name = tag[1], tag[2].lower()
        if not hidden:
            yield html.unescape(markup[at : tag.start()])
            if name in _HIDDEN and not ends:
                hidden = name
            elif name in _LEAD and (target := _TARGET.search(tag[3])):
                yield html.unescape(target[1])
        elif name == hidden and ends:
            hidden = ""
        at = tag.end()
    if not hidden:
        yield html.unescape(markup[at:])


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset("utf-8"), errors="replace")
    except (LookupError, UnicodeError, ValueError):  # no such charset, or one that is none for text
        return content.decode("utf-8", errors="replace")


def _linked(text: str) -> Iterator[str]:
    for number, found in enumerate(_LINK.finditer(text)):
        if number >= _LINKS:
            return
        try:
            host = canon.host_of(found[0].rstrip(_AROUND).replace("[dot]", "."))
            try:
                host = canon.domain(host)
            except ObservableError:
                host = str(ip_address(host))
            if "." in host or ":" in host:
                yield host
        except (ObservableError, ValueError):
            continue
