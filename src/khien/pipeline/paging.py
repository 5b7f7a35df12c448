"""Records of a kind, all of them: a page is read at a time."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from khien.contracts import Store
from khien.model import Record

R = TypeVar("R", bound=Record)

_PAGE = 500  # records


def every(store: Store, kind: type[R], /, *, order: str = "id", **equal: Any) -> Iterator[R]:
    """Those whose fields are equal to these; order: as Store.find has it."""
    for page in pages(store, kind, order=order, **equal):
        yield from page


def pages(store: Store, kind: type[R], /, *, order: str = "id", **equal: Any) -> Iterator[Sequence[R]]:
    """The same, a page at a time: for who looks up what belongs to each."""
    after = ""
    while page := store.find(kind, order=order, after=after, limit=_PAGE, **equal):
        yield page
        after = page[-1].id  # pyright: ignore[reportAttributeAccessIssue] # what is kept has one
