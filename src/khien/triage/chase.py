"""On the clock: who has not acknowledged is told again, then others are; what is over is closed.

Nobody is reminded more than twice, and nobody at a wait that was not agreed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from khien.flows.judge import FLOOD, TAKES_PART
from khien.model import Constituent, Delivery, Finding, Notice, Step
from khien.triage import answers, hours
from khien.triage.decide import CLOSE, LIVE, OVER, closed, delivery, is_digest, is_loud, over
from khien.triage.life import KHIEN

REMIND, LEFT = "remind", "left"  # a step of a notice; why one is closed whose constituent is none any more
MOST_REMINDERS = 2
FLOOD_OVER = timedelta(hours=1)  # without a packet of it


class Pursuit(NamedTuple):
    """A notice that is open or acknowledged, whose it is, what it tells of, and its deliveries."""

    constituent: Constituent
    notice: Notice
    findings: tuple[Finding, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


def chase(pursuit: Pursuit, at: datetime) -> tuple[Notice | Delivery, ...]:
    """The notice and deliveries that are new or changed because time has passed; nothing where nothing is due."""
    notice = pursuit.notice
    if notice.state not in LIVE:
        return ()
    if pursuit.constituent.left is not None:
        step = Step(at=at, act=CLOSE, by=KHIEN, why=LEFT)
        after = msgspec.structs.replace(notice, state="closed", revised=at, steps=(*notice.steps, step))
        return (after, *answers.withdrawn(pursuit.deliveries))
    if is_digest(notice):
        return tuple(_told(pursuit, at))
    steps = [
        Step(at=at, act="gone" if each.state not in OVER else each.state, by=KHIEN, why=each.id)
        for each in pursuit.findings
        if each.id not in over(notice) and _is_over(each, at)
    ]
    if steps:
        return tuple(closed(notice, steps, pursuit.deliveries, at))
    return tuple(_reminded(pursuit, at)) if notice.state == "open" else ()


def _is_over(finding: Finding, at: datetime) -> bool:
    quiet = finding.claim in (FLOOD, TAKES_PART) and at - (finding.end or finding.raised) > FLOOD_OVER
    return finding.suppressed or finding.state in OVER or quiet


def _told(pursuit: Pursuit, at: datetime) -> Iterator[Notice]:
    """A digest is closed once it has gone out: what it gathered is acknowledged for itself."""
    if pursuit.deliveries and all(each.state not in ("due", "sending") for each in pursuit.deliveries):
        step = Step(at=at, act=CLOSE, by=KHIEN)
        yield msgspec.structs.replace(pursuit.notice, state="closed", revised=at, steps=(*pursuit.notice.steps, step))


def _reminded(pursuit: Pursuit, at: datetime) -> Iterator[Notice | Delivery]:
    """The same again where it was told and nobody answered, and now also where it was to wait so long."""
    notice, deliveries = pursuit.notice, pursuit.deliveries
    told = [each for each in deliveries if each.state in ("sent", "uncertain")]
    reminders = sum(each.act == REMIND for each in notice.steps)
    last = max((each.sent or each.due for each in told), default=None)
    waiting = any(each.state in ("due", "sending") for each in deliveries)
    again = (
        last is not None and not waiting and reminders < MOST_REMINDERS and at - last >= pursuit.constituent.patience
    )
    if again:
        step = Step(at=at, act=REMIND, by=KHIEN)
        notice = msgspec.structs.replace(notice, revision=notice.revision + 1, steps=(*notice.steps, step))
        yield notice
    for hearing in pursuit.constituent.hears:
        if not is_loud(notice, hearing):
            continue
        heard = _heard(hearing.channel, hearing.address, deliveries)
        if (again and heard) or (hearing.after and not heard and at - notice.raised >= hearing.after):
            yield delivery(notice, hearing, hours.due(hearing, notice.severity, at))


def _heard(channel: str, address: str, deliveries: Sequence[Delivery]) -> bool:
    return any((each.channel, each.address) == (channel, address) for each in deliveries)
