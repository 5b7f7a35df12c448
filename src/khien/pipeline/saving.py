"""Saving what was decided on the store as it stood, though others save meanwhile."""

from collections.abc import Callable, Sequence

from khien.contracts import Landed, Store
from khien.errors import ConflictError
from khien.model import Record


def until_saved(
    store: Store,
    decide: Callable[[], Sequence[Record]],
    landed: Sequence[Landed] = (),
    cursor: tuple[str, bytes] | None = None,
) -> None:
    """Saves what is decided on the store as it stands, and decides anew whenever somebody saved meanwhile.

    Where nothing is decided, and nothing landed, nothing is saved.
    """
    while True:
        version = store.version()
        try:
            records = decide()  # which may meet what changed while it read
            if records or landed or cursor:
                store.save(*records, landed=landed, cursor=cursor, expect=version)
        except ConflictError:
            continue
        return
