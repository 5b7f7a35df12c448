"""What may stand as a domain name in a file, and why something may not.

The rule is the wire's (RFC 1035 section 2.3.4, with the underscore of RFC 8552 and the IDN of RFC 5890): labels of 1 to
63 octets, at most 253 in all, at least one dot, no address. A leading ``*.`` and a trailing dot belong to the name as
met and do not count. ``fault`` states the rule; ``copy_name`` is the same rule for kernels and is held to it by test.
"""

import re
import unicodedata
from ipaddress import ip_address
from typing import Any

import numpy as np

from khien.compiled import inner

# A reason is kept as a number while reading; REASONS gives its stable code.
GOOD, EMPTY, BAD_CHARACTER, ADDRESS, EMPTY_LABEL, LABEL_TOO_LONG, TOO_LONG, NO_DOT, BAD_UTF8 = range(9)
BAD_JSON, MISSING_COLUMN, LINE_TOO_LONG, OPEN_QUOTE, OPEN_PARENTHESIS, DIRECTIVE = range(9, 15)
REASONS = (
    "",
    "empty",
    "bad-character",
    "address",
    "empty-label",
    "label-too-long",
    "too-long",
    "no-dot",
    "bad-utf8",
    "bad-json",
    "missing-column",
    "line-too-long",
    "open-quote",
    "open-parenthesis",
    "directive",
)

LONGEST = 253  # octets of a name in its ASCII form, RFC 1035 section 2.3.4 without the root
LONGEST_LABEL = 63
SPARE = 256  # bytes a kernel may write for one name: the longest name, ``*.`` and the trailing dot

_LETTER, _DIGIT, _DOT, OTHER = 1, 2, 3, 4  # kinds of bytes
_STAR, _POINT = 42, 46

_COMMON = re.compile(r"(?=[0-9.]*[A-Za-z_-])[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})+")
_BAD_ASCII = re.compile(r"[^A-Za-z0-9_.-]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://")
_AUTHORITY_END = re.compile(r"[/?#\\]")
_OTHER_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")  # RFC 3490 section 3.1
_JOINERS = frozenset("\u00b7\u0375\u05f3\u05f4\u200c\u200d\u30fb")  # RFC 5892 appendix A, allowed in context


def _byte_classes() -> np.ndarray:
    classes = np.full(256, OTHER, np.uint8)
    classes[list(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")] = _LETTER
    classes[list(b"0123456789")] = _DIGIT
    classes[_POINT] = _DOT
    return classes


CLASSES = _byte_classes()


def fault(name: str) -> int:
    """Why name is no domain name (an index of REASONS), or GOOD."""
    bare = name.removeprefix("*.").removesuffix(".")
    if len(bare) <= LONGEST and _COMMON.fullmatch(bare):
        return GOOD
    if not name:
        return EMPTY
    if not bare.isascii():
        if len(bare) > 4 * LONGEST:  # before normalising what may be a megabyte
            return TOO_LONG
        bare = _ascii_form(bare)
    if _BAD_ASCII.search(bare):
        return BAD_CHARACTER
    if "." in bare and bare.replace(".", "").isdigit():
        return ADDRESS
    labels = bare.split(".")
    if "" in labels:
        return EMPTY_LABEL
    if max(map(len, labels)) > LONGEST_LABEL:
        return LABEL_TOO_LONG
    if len(bare) > LONGEST:
        return TOO_LONG
    return GOOD if len(labels) > 1 else NO_DOT


def _ascii_form(name: str) -> str:
    """As long as the A-labels of name; a character that no label may hold stays, for ``fault`` to see."""
    folded = unicodedata.normalize("NFKC", name.translate(_OTHER_DOTS)).lower()
    return ".".join(map(_a_label, folded.split(".")))


def _a_label(label: str) -> str:
    if label.isascii() or len(label) > LONGEST_LABEL:
        return label if label.isascii() else "x" * len(label)
    if all(c.isascii() or unicodedata.category(c)[0] in "LMN" or c in _JOINERS for c in label):
        return "xn--" + label.encode("punycode").decode()
    return label


def name_in(field: bytes) -> tuple[str, int]:
    """The name in a field that is not plainly one: a URL's host, a name with a port or a comment, an IDN.

    Answers the name as met and GOOD, or what was examined and the reason it is refused; an empty name with GOOD
    where the field is only a comment.
    """
    try:
        text = field.decode()
    except UnicodeDecodeError:
        return "", BAD_UTF8
    text = text.strip()
    if text.startswith("#"):
        return "", GOOD
    scheme = _SCHEME.match(text)
    if scheme is None:
        text = re.split(r"\s#", text, maxsplit=1)[0].rstrip()
        if text.count(":") > 1 and is_address(text):
            return text, ADDRESS
    host = _AUTHORITY_END.split(text[scheme.end() if scheme else 0 :], maxsplit=1)[0]
    if scheme:
        host = host.rpartition("@")[2]
    if host.startswith("["):
        return host, ADDRESS if is_address(host.strip("[]").partition("]")[0]) else BAD_CHARACTER
    before, colon, port = host.partition(":")
    if colon and (not port or (port.isascii() and port.isdigit())):
        host = before
    return host, fault(host)


def is_address(text: str) -> bool:
    """Whether text is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@inner
def copy_name(text: Any, begin: int, classes: Any, values: Any, used: int) -> int:
    """Copies the name at text[begin:] to values[used:] and answers where it ends; -1 where it is not plainly good.

    Plainly good is what ``fault`` finds good and every byte of which is a letter, digit, hyphen, underscore or dot (and
    ``*.`` before). Some byte of text behind begin is none of them; SPARE bytes of values are free.
    """
    shift, i = used - begin, begin
    if text[i] == _STAR and text[i + 1] == _POINT:
        values[used], values[used + 1] = _STAR, _POINT
        i += 2
    start, label, kinds, dots = i, i, 0, 0
    while True:
        kind = classes[text[i]]
        while kind <= _DIGIT:
            kinds |= kind
            values[shift + i] = text[i]
            i += 1
            if i - label > LONGEST_LABEL:
                return -1
            kind = classes[text[i]]
        if kind != _DOT or i == label or i - start > LONGEST:
            break
        values[shift + i] = _POINT
        i += 1
        dots += 1
        label = i
    trailing = i == label  # a dot ends the name, or nothing is there: a third kind is two dots
    if kind == _DOT or dots - trailing < 1 or i - trailing - start > LONGEST or kinds & _LETTER == 0:
        return -1
    return i
