"""What somebody asks about when they put something into one box: a link, a message, who sent it, a payment."""

import re
from typing import Literal

from khien import canon
from khien.errors import ObservableError
from khien.messages.numbers import number

About = Literal["link", "message", "number", "payment"]  # number: of a telephone, or a mail address: who sent it

LONGEST = 5_000  # characters of a question

_PAYMENT = re.compile(r"000201[0-9]{4}", re.ASCII)  # EMVCo: field 00 says 01, then comes the next field
_AT = r"(?:@|\[@\]|\[at\]|\(at\))"
_MAIL = re.compile(rf"mailto:[^\s@/:]+{_AT}[^\s@/]+|[^\s@/:]+{_AT}[^\s@/\\?#:]+", re.IGNORECASE)
_WEB = re.compile(r"[<\"']*\s*h[tx]{2}ps?:", re.IGNORECASE)
_APART = re.compile(r"\s?([\[({]\s?(?:\.|dot)\s?[\])}])\s?", re.IGNORECASE)  # a defanged dot, with blanks around it


def about(text: str) -> About:
    """What a text is. ObservableError: it is too long, or there is nothing in it to ask about.

    Whatever is more than one word, and no number, is a message; so is one word that no browser would open.
    """
    asked = text.strip()
    if len(asked) > LONGEST:
        raise ObservableError(f"a question has at most {LONGEST} characters, this one has {len(asked)}: ask for a part")
    if any("\ud800" <= each <= "\udfff" for each in asked):
        raise ObservableError("the question is not UTF-8: copy it once more")
    if not any(map(str.isalnum, asked)):
        raise ObservableError("there is nothing to look at: write a link, a message or a number")
    if _PAYMENT.match(asked):
        return "payment"
    if number(asked):
        return "number"
    if len(_APART.sub(r"\1", asked).split()) > 1:
        return "message"
    if is_mail(asked):
        return "number"
    return "link" if host(asked) else "message"


def is_mail(text: str) -> bool:
    """Whether a text is a mail address; with a path or query behind, it is a link in which a user stands."""
    return bool(_MAIL.fullmatch(text.strip()))


def host(link: str) -> str:
    """The host that a link leads to, as canon writes it: a name with a dot or an address; empty where there is none."""
    try:
        written = canon.host_of(_APART.sub(r"\1", link))
        met = canon.host(written)
    except ObservableError:
        return ""
    short = ":" not in written and written.rstrip(".").count(".") != 3 and not _WEB.match(link.strip())
    if canon.is_address(met) and short:
        return ""  # a browser would open it; people mean a number or a date
    return met if "." in met or ":" in met else ""


def page(link: str) -> str:
    """The page that a link opens, as canon writes it; its host alone where it is none of the web."""
    try:
        return canon.url(_APART.sub(r"\1", link))
    except ObservableError:
        return host(link)
