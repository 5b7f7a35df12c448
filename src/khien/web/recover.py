"""What to do when it already happened: pages whose addresses and titles tell nothing to who looks over a shoulder.

An address is ``/help``, with a letter for what happened behind it, and ``/2`` at the end where the person who did it
is close: no question is asked, so nothing is sent, and each page is there without JavaScript.
"""

from datetime import UTC, datetime

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, SkipValidation

from khien.app.guides import Guide
from khien.web.pages import Ours, Spoken, html
from khien.web.reading import Site

NEAR = "2"  # at the end of an address: the person who did it is close
QUESTIONS, YOUNG, LETTERS = "q", "y", "w"  # in place of the letter for what happened

Guided = NamedDependency[SkipValidation[Guide]]


def _page(site: Site, guide: Guide, language: str, page: str, near: str, id: str = "", **view: object) -> Response[str]:
    """near: NEAR, or nothing."""
    if near not in ("", NEAR):
        raise NotFoundException
    params = {name: value for name, value in (("id", id), ("near", near)) if value}
    known = {each.id: each for each in guide.contacts.contact}
    shown = {"guide": guide, "known": known, "today": datetime.now(UTC).date(), "near": near, **view}
    return html(site.frame.render(language, page, params, **shown))


@get("/help", sync_to_thread=True)
def start(site: Ours, guide: Guided, language: Spoken) -> Response[str]:
    """Who helps at once, and what may have happened."""
    return _page(site, guide, language, "help", "")


@get("/help/{id:str}", sync_to_thread=True)
def plan(site: Ours, guide: Guided, language: Spoken, id: FromPath[str]) -> Response[str]:
    """What to do after what a letter stands for; or the way to the letter."""
    return _page(site, guide, language, "help", NEAR) if id == NEAR else _plan(site, guide, language, id, "")


@get("/help/{id:str}/{near:str}", sync_to_thread=True)
def plan_near(site: Ours, guide: Guided, language: Spoken, id: FromPath[str], near: FromPath[str]) -> Response[str]:
    """The same where the person who did it is close."""
    return _plan(site, guide, language, id, near)


def _plan(site: Site, guide: Guide, language: str, id: str, near: str) -> Response[str]:
    if id == QUESTIONS:
        return _page(site, guide, language, "help/questions", near, id)
    if id == YOUNG:
        return _page(site, guide, language, "help/young", near, id)
    found = next((each for each in guide.plans.plan if each.id == id), None)
    if found is None:
        raise NotFoundException
    return _page(site, guide, language, "help/plan", near, id, plan=found)


@get(f"/help/{LETTERS}", sync_to_thread=True)
def letters(site: Ours, guide: Guided, language: Spoken) -> Response[str]:
    """Which letters there are."""
    return _page(site, guide, language, "help/letters", "", LETTERS)


@get(f"/help/{LETTERS}/{{number:int}}", sync_to_thread=True)
def letter(site: Ours, guide: Guided, language: Spoken, number: FromPath[int]) -> Response[str]:
    """A letter to be filled in by hand or, with JavaScript, on the reader's device; nothing of it comes here."""
    if not 1 <= number <= len(guide.plans.letter):
        raise NotFoundException
    params = {"id": LETTERS, "number": str(number)}
    return html(site.frame.render(language, "help/letter", params, letter=guide.plans.letter[number - 1]))


ROUTES = (start, plan, plan_near, letters, letter)
