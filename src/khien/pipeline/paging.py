"""Records of a kind, all of them: a page is read at a time."""

from collections.abc import Iterator
from typing import Any, TypeVar

from khien.contracts import Store
from khien.model import Record

R = TypeVar("R", bound=Record)

_PAGE = 500  # records


def every(store: Store, kind: type[R], /, **equal: Any) -> Iterator[R]:
    """Those whose fields are equal to these, by id, which is text."""
    after = ""
    while page := store.find(kind, after=after, limit=_PAGE, **equal):
        yield from page
        after = page[-1].id  # pyright: ignore[reportAttributeAccessIssue] # what is kept has one
