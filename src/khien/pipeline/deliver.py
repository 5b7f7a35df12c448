"""Deliver: what stands in the outbox goes out, each delivery once.

A delivery is marked when its channel comes to the point of no return, and again when the other side has answered. One
that is found marked and unanswered after a crash may have arrived: it is sent again only where the other side takes the
same id once.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import msgspec

from khien.contracts import Channel, Store
from khien.errors import Error, InputError, ObservableError, UnavailableError, UncertainError
from khien.model import Constituent, Delivery, DeliveryState, Notice, Wish
from khien.pipeline.saving import until_saved

PATIENCE = (timedelta(seconds=15), timedelta(hours=1))  # before an address is tried again: at first, at most
MOST = 104  # tries: with that patience four days, as RFC 5321 section 4.5.4.1 asks for

_GLANCE = 0.05  # seconds between two looks at the outbox
_AT_ONCE, _OF_CHANNEL = 16, 12  # deliveries on their way at a time, through one channel; one to an address
_SEEN = 1_000  # of those that are due, longest due first, that one look sees

_log = logging.getLogger(__name__)


def recover(store: Store, channels: Mapping[str, Channel]) -> int:
    """After a crash: what was on its way is due again, or uncertain; answers how many are. Before deliver, once."""
    found = 0
    while lost := store.find(Delivery, state="sending"):
        until_saved(store, lambda: [_recovered(each, channels) for each in store.find(Delivery, state="sending")])
        found += len(lost)
    return found


def _recovered(delivery: Delivery, channels: Mapping[str, Channel]) -> Delivery:
    channel = channels.get(delivery.channel)
    again = channel is not None and channel.repeatable
    return msgspec.structs.replace(
        delivery,
        state="due" if again else "uncertain",
        why="" if again else "stopped before the other side's answer was kept",
    )


def deliver(
    store: Store,
    channels: Mapping[str, Channel],
    clock: Callable[[], datetime],
    stop: Event,
    last: Event,
    told: Callable[[Delivery], None] = lambda _: None,
) -> None:
    """Sends what is due until stop is set, or last is and nothing is due; what is on its way then is waited for.

    told hears of each delivery's end.
    """
    on_the_way: dict[tuple[str, str], Future[None]] = {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="outbox") as pool:
        while not stop.wait(_GLANCE):
            for way in [each for each, sent in on_the_way.items() if sent.done()]:
                on_the_way.pop(way).result()
            ending = last.is_set()
            due = _due(store, clock())
            for delivery in due:
                way = delivery.channel, delivery.address  # who hangs keeps no other waiting
                through = sum(channel == delivery.channel for channel, _ in on_the_way)
                if way not in on_the_way and through < _OF_CHANNEL and len(on_the_way) < _AT_ONCE:
                    on_the_way[way] = pool.submit(_send, store, channels, delivery.id, clock, told)
            if ending and not due and not on_the_way:
                return


def _due(store: Store, now: datetime) -> Sequence[Delivery]:
    return [each for each in store.find(Delivery, order="due", limit=_SEEN, state="due") if each.due <= now]


def _send(
    store: Store,
    channels: Mapping[str, Channel],
    id: str,
    clock: Callable[[], datetime],
    told: Callable[[Delivery], None],
) -> None:
    """One delivery, from due to whatever became of it."""
    delivery = store.load(Delivery, id).get(id)
    if delivery is None or delivery.state != "due":
        return

    if not _hears(store, delivery):
        _mark(store, id, ("due",), lambda _: {"state": "withdrawn", "why": "nobody wishes to hear there any more"})
        return

    def commit() -> None:
        if _mark(store, id, ("due",), lambda _: {"state": "sending"}) is None:
            raise _WithdrawnError

    try:
        state, changes = _attempt(store, channels, delivery, commit, clock)
    except _WithdrawnError:
        return
    ended = _mark(store, id, ("due", "sending"), lambda now: {"state": state, "tries": now.tries + 1, **changes})
    if ended is not None:
        told(ended)


def _hears(store: Store, delivery: Delivery) -> bool:
    """Whether who is told of a notice still wishes to hear there; whom a takedown is reported to is not asked."""
    notice = store.load(Notice, delivery.about).get(delivery.about)
    told = store.load(Constituent, notice.constituent).get(notice.constituent) if notice else None
    way = delivery.channel, delivery.address
    heard = [each for each in told.hears if (each.channel, each.address) == way] if told else []
    waited = notice is not None and notice.state == "acknowledged" and all(each.after for each in heard)
    return told is None or bool(heard and not waited)


class _WithdrawnError(Exception):
    """Somebody withdrew a delivery before the point of no return."""


def _mark(
    store: Store, id: str, states: tuple[DeliveryState, ...], change: Callable[[Delivery], Mapping[str, Any]]
) -> Delivery | None:
    """The delivery changed and saved; None where somebody moved it out of these states meanwhile."""
    marked: list[Delivery] = []

    def decide() -> Sequence[Delivery]:
        now = store.load(Delivery, id).get(id)
        marked[:] = [msgspec.structs.replace(now, **change(now))] if now and now.state in states else []
        return marked

    until_saved(store, decide)
    return marked[0] if marked else None


def _attempt(
    store: Store,
    channels: Mapping[str, Channel],
    delivery: Delivery,
    commit: Callable[[], None],
    clock: Callable[[], datetime],
) -> tuple[DeliveryState, Mapping[str, Any]]:
    """Hands a delivery over; answers the state it is in then, and what else of it changes."""
    channel = channels.get(delivery.channel)
    if channel is None:
        return _later(delivery, clock(), f"no channel {delivery.channel!r} is configured: add [[channel]] to the file")
    record = store.load(channel.carries, delivery.about).get(delivery.about)
    if record is None:
        return "refused", {"why": f"there is no {channel.carries.__name__} {delivery.about[:12]}"}
    try:
        answer = channel.send(record, delivery, commit)
    except _WithdrawnError:
        raise
    except UnavailableError as error:
        return _later(delivery, clock(), str(error))
    except InputError as error:
        if isinstance(record, Wish) and isinstance(error, ObservableError):
            _end(store, record)
        return "refused", {"why": str(error)}
    except UncertainError as error:
        return _later(delivery, clock(), str(error)) if channel.repeatable else ("uncertain", {"why": str(error)})
    except Error as error:
        return "refused", {"why": str(error)}
    except Exception as error:  # a fault of ours in one message keeps no other from going out
        _log.exception("%s", delivery.channel)
        marked = store.load(Delivery, delivery.id)[delivery.id].state == "sending"  # it may have been taken
        why = f"{type(error).__name__}, a fault of Khiên's: please report it"
        return "uncertain" if marked else "refused", {"why": why}
    return "sent", {"sent": clock(), "answer": answer, "why": ""}


def _end(store: Store, wish: Wish) -> None:
    """Forgets a wish, unless its holder says anew meanwhile where they are to be told."""
    until_saved(store, tuple, gone=lambda: [each for each in store.load(Wish, wish.id).values() if each == wish])


def _later(delivery: Delivery, now: datetime, why: str) -> tuple[DeliveryState, Mapping[str, Any]]:
    first, longest = PATIENCE
    wait = min(first * 2 ** min(delivery.tries, 16), longest)
    if delivery.tries + 1 >= MOST:
        return "refused", {"why": f"given up after {MOST} tries: {why}"}
    return "due", {"due": now + wait, "why": why}
