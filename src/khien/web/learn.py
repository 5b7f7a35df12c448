"""Lessons, questions to try oneself, and what trainers take along. Nothing of an answer is kept."""

import secrets
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, URLEncodedBody

from khien.app import lessons
from khien.pipeline import cases
from khien.web import kit
from khien.web.pages import Ours, Spoken, html
from khien.web.quiz import Quiz
from khien.web.reading import Site
from khien.web.recover import Guided

_SEEDS = 1 << 32


def _quiz(site: Site) -> Quiz:
    found = cases.cases(site.store, datetime.now(UTC), replay=site.frame.replay)
    return Quiz(lessons.shipped(), found, site.enrolling.names)


def _told(site: Site) -> list[kit.Told]:
    return kit.told(site.store, site.enrolling.names, datetime.now(UTC), replay=site.frame.replay)


@get("/learn", sync_to_thread=True)
def learn(site: Ours, language: Spoken) -> Response[str]:
    """All lessons."""
    return html(site.frame.render(language, "learn", {}, lessons=lessons.shipped()))


@get("/learn/{id:str}", sync_to_thread=True)
def lesson(site: Ours, language: Spoken, id: FromPath[str]) -> Response[str]:
    """One lesson, with what was found lately."""
    found = next(((place, each) for place, each in enumerate(_told(site), 1) if each.lesson.id == id), None)
    if found is None:
        raise NotFoundException
    place, told = found
    return html(site.frame.render(language, "learn/lesson", {"id": id}, told=told, place=place))


@get("/learn/quiz", sync_to_thread=True)
def quiz(site: Ours, language: Spoken) -> Response[str]:
    """Ten questions, others each time."""
    asking = _quiz(site)
    asked = [*asking.ask(asking.draw(secrets.randbelow(_SEEDS)), language)]
    return html(site.frame.render(language, "learn/quiz", {}, asked=asked, marked=None))


@post("/learn/quiz", status_code=200, sync_to_thread=True)
def answered(site: Ours, language: Spoken, data: URLEncodedBody[dict[str, str]]) -> Response[str]:
    """How good the answers were, and why. data: the ids of the questions as ``asked``, and by id the option chosen."""
    marked = _quiz(site).mark(data.get("asked", ""), data, language)
    if not marked:
        raise ClientException("none of these questions is asked here")
    return html(site.frame.render(language, "learn/quiz", {}, asked=(), marked=marked))


@get("/learn/kit", sync_to_thread=True)
def what(site: Ours, language: Spoken) -> Response[str]:
    """What trainers may take along."""
    told = _told(site)
    view = {"met": kit.days(told), "papers": kit.PAPERS}
    return html(site.frame.render(language, "learn/kit", {}, **view))


@get("/learn/kit/{name:str}", sync_to_thread=True)
def paper(site: Ours, guide: Guided, language: Spoken, name: FromPath[str]) -> Response[Any]:
    """Slides or posters, to print or as PDF."""
    template, dot, kind = name.partition(".")
    if template not in kit.PAPERS or kind not in ("", "pdf") or (dot and not kind):
        raise NotFoundException
    told, made = _told(site), kit.Made(datetime.now(UTC).date(), site.public, guide.contacts)
    if not kind:
        return html(site.frame.render(language, f"learn/{template}", {}, told=told, made=made))
    document = kit.pdf(template, told, site.frame, language, made)
    named = f'attachment; filename="{template}-{language}.pdf"'
    return Response(document, media_type="application/pdf", headers={"Content-Disposition": named})


ROUTES = (learn, lesson, quiz, answered, what, paper)
