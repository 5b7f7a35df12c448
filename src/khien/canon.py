"""One spelling per observable, so that the same thing seen twice is one thing.

``host_of`` finds the host in whatever people paste, ``domain`` spells it the way DNS does, ``url`` the address of a
page the way browsers do, ``defang`` spells it so that nobody opens it by mistake.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import unquote

import idna

from khien.errors import ObservableError

LONGEST_NAME = 253  # characters without the last dot: RFC 1035 section 2.3.4
LONGEST_LABEL = 63
LONGEST_TEXT = 65_536  # of a pasted URL; more is no URL
LONGEST_URL = 2048  # characters, as it is spelled here

_ASCII_NAME = re.compile(r"[a-z0-9_.-]+", re.ASCII)
_BRACKETED = re.compile(r"(?<![\[({])[\[({]++\s?(\.|dot|:|://|@|at)\s?[\])}]++", re.IGNORECASE)
_PLAIN = {"dot": ".", "at": "@"}
_WEB = re.compile(r"(?:h[tx]{2}ps?|wss?|ftp):[/\\]*", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MAIL = re.compile(r"(?:mailto|sips?|xmpp):", re.IGNORECASE)
_PORT = re.compile(r":[0-9]*\Z", re.ASCII)
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_BARE = re.compile(r"[^\x21-\x7e]|[\"<>\\^`{|}]|%(?![0-9a-fA-F]{2})")  # what a path holds only when escaped
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")  # RFC 3986 section 2.3
_PORTS = {"http": "80", "https": "443"}
_NUMBER = re.compile(r"0x([0-9a-f]*)|([0-9]+)", re.ASCII)
_LONGEST_NUMBER = 40  # digits of a part of an address: more are more than it holds, leading zeros aside
_UNSEEN = str.maketrans("", "", "\t\r\n")  # browsers drop them from anywhere in a URL


def domain(text: str) -> str:
    """The canonical name: lower-case ASCII, no ``*.`` in front, no dot behind; Unicode labels by IDNA 2008.

    Underscores and hyphens are taken wherever DNS carries them, and so is every label that is already ASCII: attackers
    register ``xn--`` labels that IDNA refuses (7 of 10,039 in public lists of phishing hosts). Unicode text is first
    mapped as browsers map it (UTS #46). ObservableError says what is wrong with anything else.
    """
    name = text.strip()
    if not name or len(name) > 4 * LONGEST_NAME:
        raise ObservableError(f"a domain name has 1 to {LONGEST_NAME} characters, this text has {len(name)}")
    if not name.isascii():
        name = _mapped(name)
    name = name.lower().removeprefix("*.").removesuffix(".")
    labels = [label if label.isascii() else _alabel(label) for label in name.split(".")]
    name = ".".join(labels)
    if len(name) > LONGEST_NAME:
        raise ObservableError(f"a domain name has 1 to {LONGEST_NAME} characters, {_shown(text)} has {len(name)}")
    if not all(labels):
        raise ObservableError(f"{_shown(text)} has an empty label: write one dot between two labels")
    if max(map(len, labels)) > LONGEST_LABEL:
        raise ObservableError(f"{_shown(text)} has a label of more than {LONGEST_LABEL} characters")
    if not _ASCII_NAME.fullmatch(name):
        wrong = next(character for character in name if not _ASCII_NAME.fullmatch(character))
        raise ObservableError(f"{_shown(text)} has {wrong!r}, which no domain name has")
    if labels[-1].isdigit():
        raise ObservableError(f"{_shown(text)} is a number or an address: the last label of a name has a letter")
    return name


def host_of(text: str) -> str:
    """The host in a URL, ``host:port``, mail address or defanged form (``hxxps://user@a[.]example:8443/x``), as met.

    Reads what a browser would open: backslashes count as slashes, what stands before ``@`` is a user, percent signs are
    decoded. An IPv6 host comes without its brackets. The host is not checked: ``domain`` does that. ObservableError
    where there is none.
    """
    _, authority, _ = _parts(text)
    host = unquote(_PORT.sub("", authority)).strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host:
        raise ObservableError(f"there is no host in {_shown(text)}: write a name, a URL or a mail address")
    return host


def _parts(text: str) -> tuple[str, str, str]:
    """What a text begins with, up to its host; host and port; what follows. As met."""
    start, authority, rest = _split(text)
    return start, authority.rpartition("@")[2], rest


def _split(text: str) -> tuple[str, str, str]:
    """What a text begins with, up to its authority; that, with the user in it; what follows. As met."""
    rest = _cut(text)
    start = _WEB.match(rest) or _SCHEME.match(rest) or _MAIL.match(rest)
    rest = rest[start.end() :] if start else rest.lstrip("/\\")
    authority = re.split(r"[/\\?#]", rest, maxsplit=1)[0]
    return start[0] if start else "", authority, rest[len(authority) :]


def _cut(text: str) -> str:
    """A text as a browser would take it from the address bar, no longer defanged."""
    if len(text) > LONGEST_TEXT:
        raise ObservableError(f"a URL has at most {LONGEST_TEXT} characters, this text has {len(text)}")
    rest = text.translate(_UNSEEN).strip().strip("<>\"'").strip()
    return _BRACKETED.sub(lambda found: _PLAIN.get(found[1].lower(), found[1]), rest)


def host(text: str) -> str:
    """The canonical host: a name as ``domain`` spells it, or an address, of IPv6 without brackets (RFC 5952).

    An address of IPv4 is read as browsers read it, also as one number, in hex or octal (url.spec.whatwg.org, section
    3.5, IPv4 parser); one of IPv6 that stands for one of IPv4 is that.
    """
    try:
        met = _ipv4(text) or (ip_address(text) if "%" not in text else None)
    except ValueError:
        met = None
    if isinstance(met, IPv6Address) and met.ipv4_mapped:
        met = met.ipv4_mapped
    return str(met) if met else domain(text)


def user(text: str) -> str:
    """What stands before the ``@`` of a URL or mail address, without the password: it may look like the host and is
    none. Or empty."""
    _, authority, _ = _split(text)
    return unquote(authority.rpartition("@")[0]).partition(":")[0].strip()


def _ipv4(text: str) -> IPv4Address | None:
    """The address that a host is where its last label is a number; None of all else. ObservableError: it is too big."""
    name = text.strip()
    if len(name) > 4 * LONGEST_NAME:
        return None
    name = (name if name.isascii() else _mapped(name)).lower().removesuffix(".")
    parts = name.split(".")
    if not _NUMBER.fullmatch(parts[-1]) or len(parts) > 4:
        return None
    met = [_NUMBER.fullmatch(each) for each in parts]
    if any(each is None or len(each[0]) > _LONGEST_NUMBER for each in met):
        return None
    try:
        numbers = [_number(each[1], each[2]) for each in met if each]
    except ValueError:  # an octal number with an 8
        return None
    *first, last = numbers
    if any(each > 255 for each in first) or last >= 256 ** (5 - len(numbers)):
        raise ObservableError(f"{_shown(text)} is no address: one of IPv4 has 32 bits")
    return IPv4Address(sum(each << 8 * (3 - at) for at, each in enumerate(first)) + last)


def _number(hexadecimal: str | None, digits: str | None) -> int:
    if digits is None:
        return int(hexadecimal or "0", 16)
    return int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)


def url(text: str) -> str:
    """The canonical address of a page: scheme, host, port where it is not the scheme's own, and path.

    Without user, query and fragment; https where no scheme is given; the path as RFC 3986 section 6.2.2 makes two of
    them comparable. ObservableError: it is no address of a page, or a longer one than LONGEST_URL.
    """
    start, authority, rest = _parts(text)
    scheme = (start.partition(":")[0] or "https").lower().replace("x", "t")
    if scheme not in _PORTS:
        raise ObservableError(f"{_shown(text)} is no page of the web: write one that begins with https:// or http://")
    name = host(host_of(text))
    port = (_PORT.search(authority) or [""])[0].lstrip(":").lstrip("0")
    if port and int(port[:6]) > 65_535:
        raise ObservableError(f"{_shown(text)} has a port above 65535")
    path = _path(re.split(r"[?#]", rest, maxsplit=1)[0].replace("\\", "/"))
    place = f"[{name}]" if ":" in name else name
    spelled = f"{scheme}://{place}{f':{port}' if port and port != _PORTS[scheme] else ''}{path}"
    if len(spelled) > LONGEST_URL:
        raise ObservableError(f"an address of a page has at most {LONGEST_URL} characters, this has {len(spelled)}")
    return spelled


def _path(path: str) -> str:
    """RFC 3986 section 5.2.4 (no dot segments), 6.2.2.1 and 6.2.2.2 (escapes); and one slash for several, as nearly all
    servers read them."""

    def unescaped(found: re.Match[str]) -> str:
        letter = chr(int(found[1], 16))
        return letter if _UNRESERVED.fullmatch(letter) else found[0].upper()

    path = _BARE.sub(lambda found: "".join(f"%{each:02X}" for each in found[0].encode(errors="replace")), path)
    kept: list[str] = []
    segments = _ESCAPE.sub(unescaped, path).split("/")[1:]
    for each in segments:
        if each == "..":
            kept = kept[:-1]
        elif each != ".":
            kept.append(each)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join((*filter(None, kept[:-1]), *kept[-1:]))


def is_address(host: str) -> bool:
    """Whether a canonical host is an address of the internet instead of a name."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def letters(name: str) -> str:
    """The name as a browser may show it: A-labels as the letters they stand for."""
    return ".".join(_letters(label) for label in name.split("."))


def defang(name: str) -> str:
    """The name as pages and tables show it: ``login[.]example[.]com``; no program makes a link of it."""
    return name.replace(".", "[.]")


def _letters(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:  # IDNA would refuse some of what attackers register, and people should see it all the same
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _mapped(name: str) -> str:
    try:
        return idna.uts46_remap(name, std3_rules=False, transitional=False)
    except UnicodeError as error:  # idna.IDNAError is one
        raise ObservableError(f"{_shown(name)} is no domain name: {error}") from None


def _alabel(label: str) -> str:
    if len(label) > LONGEST_LABEL:  # its ASCII form would be longer still
        raise ObservableError(f"{_shown(label)} is longer than a label's {LONGEST_LABEL} characters")
    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError as error:
        raise ObservableError(f"{_shown(label)} is no label of a domain name: {error}") from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
