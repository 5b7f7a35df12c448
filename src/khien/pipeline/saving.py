"""Saving what was decided on the store as it stood, though others save meanwhile."""

from collections.abc import Callable, Sequence
from threading import RLock

from khien.audit import Act, Audit
from khien.contracts import Landed, Store
from khien.errors import ConflictError
from khien.model import Record

_TURN = RLock()


def until_saved(
    store: Store,
    decide: Callable[[], Sequence[Record]],
    landed: Sequence[Landed] = (),
    cursor: tuple[str, bytes] | None = None,
    gone: Callable[[], Sequence[Record]] = tuple,
) -> None:
    """Saves what is decided on the store as it stands, and decides anew whenever somebody saved meanwhile.

    gone: decides likewise which records are to be there no more. Where nothing is decided, and nothing landed, nothing
    is saved. Threads of one process take turns: else who decides for long would be overtaken for ever by who decides in
    a moment.
    """
    while True:
        with _TURN:
            version = store.version()
            try:
                records, without = decide(), gone()  # which may meet what changed while they read
                if records or landed or cursor or without:
                    store.save(*records, landed=landed, gone=without, cursor=cursor, expect=version)
            except ConflictError:
                continue
            return


def audited(store: Store, audit: Audit, decide: Callable[[], Sequence[Record]], *acts: Act) -> None:
    """Saves what is decided, and the entries that say that it was done, in one."""
    until_saved(store, lambda: [*decide(), *audit.entries(store, *acts)])
