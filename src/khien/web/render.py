"""Pages as text: templates, the words of a language, and where links lead."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from khien import words
from khien.messages import payment
from khien.model import Finding
from khien.pipeline import standing, tables
from khien.triage import advice, answers, assets, decide, life
from khien.web import draw, floods, views

FOLDER = Path(__file__).parent

_TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_GLOBALS: dict[str, Any] = {
    "answers": answers,
    "assets": assets,
    "counting": tables,
    "decide": decide,
    "draw": draw,
    "floods": floods,
    "life": life,
    "payment": payment,
    "saying": advice,
    "standing": standing,
    "views": views,
    "words": words,
}
_TEMPLATES.globals.update(_GLOBALS)


def policy(*asks: str, compiles: bool = False) -> dict[str, str]:
    """What a page or worker may do, as a header: use what this site has, and ask this site and the origins in asks.

    compiles: WebAssembly too, which nothing but the worker that reads pictures has to.
    """
    connect = " ".join(("connect-src 'self'", *asks))
    script = "script-src 'self' 'wasm-unsafe-eval'" if compiles else "script-src 'self'"
    sources = f"default-src 'none'; {script}; style-src 'self'; img-src 'self'; {connect}"
    return {"Content-Security-Policy": f"{sources}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"}


class Links(Protocol):
    """Where a page is, seen from another; a page of None is a file of the static folder."""

    def __call__(self, language: str | None, page: str, /, **params: str) -> str: ...


@dataclass(frozen=True)
class Frame:
    """What stays the same from page to page.

    labels: what people call a protected name, by id. link: where pages are. live: it is a running site, which takes
    forms. contact: where people write who object; empty where nobody said. replay: what is shown is dated; days: the
    first and the last day of it. exit: where the button leads by which a reader is gone at once; empty for none.
    """

    labels: Mapping[str, str]
    link: Links
    live: bool
    contact: str
    replay: bool
    days: Callable[[], tuple[date, date] | None]
    exit: str = ""
    _kept: dict[tuple[str, str, str], tuple[object, str]] = field(
        default_factory=dict[tuple[str, str, str], tuple[object, str]], init=False, repr=False, compare=False
    )

    def render(self, language: str, page: str, params: Mapping[str, str] | None = None, /, **view: object) -> str:
        """The page of a template in a language; params are what its address is made of, None where it has none."""
        (other,) = (each for each in words.LANGUAGES if each != language)
        template = _TEMPLATES.get_template(f"{page}.html")
        return template.render(
            frame=self,
            page=page,
            language=language,
            other=other,
            elsewhere=self.link(other, "picture") if params is None else self.link(other, page, **params),
            to=partial(self.link, language),
            say=partial(words.page, language=language),
            kept=partial(self._part, language, page),
            number=lambda value, places=0: words.number(value, language, places),
            day=partial(views.day, language=language),
            # a page without an address tells of an error, maybe of the store's: it asks the store nothing
            days=self.days() if self.replay and params is not None else None,
            **view,
        )

    def _part(self, language: str, page: str, part: str, /, *made_of: object, caller: Callable[[], str]) -> str:
        """A part of a page that is the same for all who read it, written anew only when what it is made of changes."""
        made, text = self._kept.get((language, page, part), (None, ""))
        if made != made_of:
            text = caller()
            self._kept[language, page, part] = (made_of, text)
        return text

    def start(self) -> str:
        """The first page of a report, which leads on to the picture."""
        return _TEMPLATES.get_template("start.html").render()

    def brand(self, finding: Finding) -> str:
        """What people call the protected name a finding is about."""
        return words.printable(self.labels.get(finding.claim, finding.claim))
