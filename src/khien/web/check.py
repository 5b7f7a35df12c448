"""The page that people ask, and the boxes beside it for what may have leaked. Nothing of a question is kept."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from litestar import Response, get, post
from litestar.params import URLEncodedBody

from khien import words
from khien.errors import ObservableError
from khien.formats.guide.records import HARMS
from khien.model import Reason
from khien.pipeline import asked, telling
from khien.pipeline.asked import Answer, Asked
from khien.web.pages import Ours, Spoken, html
from khien.web.reading import Site
from khien.web.render import policy

HELPS = {  # advice to the page of help it leads to; words.phrase names it, as asked-see-…
    "entered": ("help/plan", HARMS["code"]),
    "paid": ("help/plan", HARMS["money"]),
    "no-app": ("help/plan", HARMS["app"]),
    "no-image": ("help/plan", HARMS["threatened"]),
    "young": ("help/young", "y"),
}


class Piece(NamedTuple):
    """A piece of a message; mark: the number of what was noticed there, 0 of all else."""

    text: str
    mark: int


@get("/check", sync_to_thread=True)
def check(site: Ours, language: Spoken) -> Response[str]:
    """The form that asks, and the boxes for what may have leaked."""
    return _page(site, language, Asked(""))


@post("/check", status_code=200, sync_to_thread=False)  # so short that a thread would only cost time
def checked(site: Ours, language: Spoken, data: URLEncodedBody[Asked]) -> Response[str]:
    """The answer."""
    try:
        answer = asked.answer(data, site.judges, site.store, datetime.now(UTC))
    except ObservableError:
        return _page(site, language, data, status=422)
    return _page(site, language, data, answer)


def _page(site: Site, language: str, asked: Asked, answer: Answer | None = None, status: int = 200) -> Response[str]:
    """The page may ask whoever else holds a share of a key under which accounts are kept."""
    held, keys = site.leaking() if site.leaking else (None, ())
    shown = {
        "held": held,
        "keys": msgspec.json.encode({"keys": keys}).decode(),
        "country": site.country,
        "asked": asked,
        "answer": answer,
        "telling": telling,
        "pieces": pieces(answer.masked, answer.reasons, language) if answer else (),
        "marks": marks(answer.masked, answer.reasons) if answer else {},
        "helps": HELPS,
        "refused": status == 422,
    }
    page = html(site.frame.render(language, "check", {}, **shown), status)
    others = (urlsplit(each.url) for key in keys for each in key.holders if each.url)
    page.headers.update(policy(*sorted({f"{each.scheme}://{each.netloc}" for each in others})))
    return page


def warm(site: Site) -> None:
    """Asks once in each language, so that nobody who asks first waits for what is compiled and read."""
    for language in words.LANGUAGES:
        asking = Asked("OTP: https://example.org", "+84 912 345 678")
        _page(site, language, asking, asked.answer(asking, site.judges, site.store, datetime.now(UTC)))


def pieces(text: str, reasons: Sequence[Reason], language: str) -> tuple[Piece, ...]:
    """A message in pieces, so that what was noticed can be marked; where two overlap, the one that begins first."""
    numbers = marks(text, reasons)
    parts: list[Piece] = []
    at = 0
    for begin, end, reason in _noticed(text, reasons):
        parts += (Piece(text[at:begin], 0), Piece(text[begin:end], numbers[reason]))
        at = end
    parts.append(Piece(text[at:], 0))
    return tuple(Piece(_shown(words.spelled(each.text, language)), each.mark) for each in parts if each.text)


def marks(text: str, reasons: Sequence[Reason]) -> dict[int, int]:
    """The numbers of marks, from 1 in the order of the reasons, by the reason's place among them."""
    return {reason: mark for mark, reason in enumerate(sorted(each[2] for each in _noticed(text, reasons)), 1)}


def _noticed(text: str, reasons: Sequence[Reason]) -> Iterator[tuple[int, int, int]]:
    """What can be marked: first and behind the last character, and the reason's place."""
    at = 0
    for begin, end, reason in sorted((*span, n) for n, each in enumerate(reasons) if (span := _span(text, each))):
        if begin >= at:
            yield begin, end, reason
            at = end


def _shown(text: str) -> str:
    return "\n".join(map(words.printable, text.splitlines())) + "\n" * text.endswith("\n")


def _span(text: str, reason: Reason) -> tuple[int, int] | None:
    """Where a text holds what a reason says of it."""
    begin, _, end = reason.params.get("span", "").partition("-")
    if not (begin.isdecimal() and end.isdecimal()) or not int(begin) < int(end) <= len(text):
        return None
    return int(begin), int(end)


ROUTES = (check, checked)
