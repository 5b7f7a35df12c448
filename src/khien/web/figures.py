"""How each number is counted, and what it comes to: the page, and the same for programs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from khien.contracts import Store
from khien.pipeline import figures
from khien.pipeline.figures import Figures, Period
from khien.web.pages import Ours, Spoken, html

LASTS = timedelta(minutes=10)


class Counted:
    """All figures until now, counted anew when the last count is LASTS old: whole logs are read for it.

    Who asks meanwhile gets the last count, so that nobody waits but who asks first of all. The logs are not held to
    their keys here: that reads every leaf, and is what ``khien figures`` and reports do (app.counting).
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._last: Figures | None = None

    def __call__(self) -> Figures:
        """CustodyError: the text of a leaf cannot be read."""
        last, now = self._last, self._clock()
        if last is not None and (now - last.at < LASTS or self._lock.locked()):
            return last
        with self._lock:
            if self._last is last:
                self._last = figures.figures(self._store, Period(), now)
            assert self._last is not None
            return self._last


Counting = NamedDependency[SkipValidation[Counted]]


@get("/figures", sync_to_thread=True)
def page(site: Ours, counted: Counting, language: Spoken) -> Response[str]:
    """Every number, its rule and where it is from."""
    return html(site.frame.render(language, "figures", {}, counted=counted()))


@get("/figures", sync_to_thread=True)
def figures_json(counted: Counting) -> Figures:
    """Every number that the site tells, until now."""
    return counted()


ROUTES = (page,)
API = (figures_json,)
