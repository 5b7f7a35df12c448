"""One spelling per observable, so that the same thing seen twice is one thing.

``host_of`` finds the host in whatever people paste, ``domain`` spells it the way DNS does, ``defang`` spells it so that
nobody opens it by mistake.
"""

import re
from urllib.parse import unquote

import idna

from khien.errors import ObservableError

LONGEST_NAME = 253  # characters without the last dot: RFC 1035 section 2.3.4
LONGEST_LABEL = 63
LONGEST_TEXT = 65_536  # of a pasted URL; more is no URL

_ASCII_NAME = re.compile(r"[a-z0-9_.-]+", re.ASCII)
_BRACKETED = re.compile(r"[\[({]\s?(\.|dot|:|://|@|at)\s?[\])}]", re.IGNORECASE)
_PLAIN = {"dot": ".", "at": "@"}
_WEB = re.compile(r"(?:h[tx]{2}ps?|wss?|ftp):[/\\]*", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MAIL = re.compile(r"(?:mailto|sips?|xmpp):", re.IGNORECASE)
_PORT = re.compile(r":[0-9]*\Z", re.ASCII)
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
    if len(text) > LONGEST_TEXT:
        raise ObservableError(f"a URL has at most {LONGEST_TEXT} characters, this text has {len(text)}")
    rest = text.translate(_UNSEEN).strip().strip("<>\"'").strip()
    rest = _BRACKETED.sub(lambda found: _PLAIN.get(found[1].lower(), found[1]), rest)
    start = _WEB.match(rest) or _SCHEME.match(rest) or _MAIL.match(rest)
    rest = rest[start.end() :] if start else rest.lstrip("/\\")
    authority = re.split(r"[/\\?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    host = unquote(_PORT.sub("", authority)).strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host:
        raise ObservableError(f"there is no host in {_shown(text)}: write a name, a URL or a mail address")
    return host


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
