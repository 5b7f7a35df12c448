"""Pages of work that waits for others, at the pace a live source owes: an empty page where none is there in time."""

from collections.abc import Callable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread

import pyarrow as pa

from khien.contracts import Page

_PACE = 0.2  # seconds after which a page is yielded, empty or not: the contract grants 0.25
_GRACE = 1.0  # seconds that work gets to end when it is abandoned
_AHEAD = 2  # pages that work may be ahead


def paced(work: Callable[[Event], Iterator[Page]], yields: pa.Schema, cursor: bytes | None) -> Iterator[Page]:
    """The pages of work, which runs in a thread of its own and is told by an event that it is over.

    cursor: where work begins. What work raises is raised here. Abandoned, it waits a moment for the thread and
    then leaves it: what that still reads is read again another time.
    """
    pages: Queue[Page | BaseException | None] = Queue(_AHEAD)
    over = Event()
    nothing, last = pa.RecordBatch.from_pylist([], yields), cursor or b""
    thread = Thread(target=_run, args=(work, pages, over), name="paced source", daemon=True)
    thread.start()
    try:
        while True:
            try:
                page = pages.get(timeout=_PACE)
            except Empty:
                yield Page(nothing, last)
                continue
            if page is None:
                return
            if isinstance(page, BaseException):
                raise page
            last = page.cursor
            yield page
    finally:
        over.set()
        thread.join(_GRACE)


def _run(work: Callable[[Event], Iterator[Page]], pages: Queue[Page | BaseException | None], over: Event) -> None:
    last: BaseException | None = None
    try:
        for page in work(over):
            _hand_on(page, pages, over)
            if over.is_set():
                return
    except BaseException as error:  # for whoever waits for pages
        last = error
    _hand_on(last, pages, over)


def _hand_on(page: Page | BaseException | None, pages: Queue[Page | BaseException | None], over: Event) -> None:
    """Waits for room until nobody takes pages any more."""
    while not over.is_set():
        try:
            pages.put(page, timeout=_PACE)
        except Full:
            continue
        return
