"""What people answer to a notice: that they have it in hand, that it is theirs; and how an officer takes one back."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from khien.errors import TransitionError
from khien.model import Delivery, Notice, NoticeState, Step

ACKNOWLEDGE, OWN, WITHDRAW = ACTS = "acknowledge", "own", "withdraw"

MOVES: dict[tuple[NoticeState, str], NoticeState] = {
    ("open", ACKNOWLEDGE): "acknowledged",
    ("open", OWN): "ours",
    ("open", WITHDRAW): "closed",
    ("acknowledged", OWN): "ours",
    ("acknowledged", WITHDRAW): "closed",
    ("ours", WITHDRAW): "closed",
}


def possible(notice: Notice) -> tuple[str, ...]:
    """The acts that the state of a notice takes."""
    return tuple(act for state, act in MOVES if state == notice.state)


def move(notice: Notice, act: str, *, by: str, at: datetime, why: str = "") -> Notice:
    """The notice after an answer of somebody's. TransitionError: in its state this cannot be done; says what can."""
    state = MOVES.get((notice.state, act))
    if state is None:
        acts = ", ".join(possible(notice)) or "nothing more"
        raise TransitionError(f"notice {notice.id[:12]} is {notice.state}: it takes {acts}, not {act}")
    step = Step(at=at, act=act, by=by, why=why)
    return msgspec.structs.replace(notice, state=state, steps=(*notice.steps, step))


def moot(act: str, deliveries: Iterable[Delivery]) -> list[Delivery]:
    """What an answer takes out of the outbox, withdrawn; an acknowledgement only what would tell somebody again."""
    waiting = list(deliveries)
    told = {(each.channel, each.address) for each in waiting if each.state in ("sent", "uncertain")}
    return withdrawn(each for each in waiting if act != ACKNOWLEDGE or (each.channel, each.address) in told)


def withdrawn(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Of the deliveries of a notice that is ours or withdrawn, those that have not gone out and now never shall."""
    return [msgspec.structs.replace(each, state="withdrawn") for each in deliveries if each.state == "due"]
