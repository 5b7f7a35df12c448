"""When somebody may be told: not in their quiet hours but of the worst, and gathered where they wish it so."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from khien.model import Hearing, Quiet, Severity

WORST: Severity = "critical"
MORNING = time(8)  # when a daily digest is due
HOUR = timedelta(hours=1)

_UNSAID = Quiet(begin="00:00", end="00:00")  # who wishes for no quiet hours names no zone


def due(hearing: Hearing, severity: Severity, at: datetime) -> datetime:
    """When what is so severe is told at a hearing: at once, or when its quiet hours end."""
    if severity == WORST or hearing.quiet is None:
        return at
    return _after(hearing.quiet, at)


def window_end(hearing: Hearing, at: datetime) -> datetime:
    """When what is gathered since is told: at the next full hour or the next morning, or when quiet hours end then."""
    if hearing.digest == "hourly":
        end = next_hour(at)
    else:
        end = min(_moments(_zone((hearing.quiet or _UNSAID).zone), MORNING, at))
    return _after(hearing.quiet, end) if hearing.quiet else end


def next_hour(at: datetime) -> datetime:
    """The next full hour, UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR


def is_quiet(quiet: Quiet, at: datetime) -> bool:
    """Whether a moment is in quiet hours; those that end as they begin are none."""
    begin, end = time.fromisoformat(quiet.begin), time.fromisoformat(quiet.end)
    local = at.astimezone(_zone(quiet.zone)).time()
    return begin <= local < end if begin <= end else local >= begin or local < end


def _after(quiet: Quiet, at: datetime) -> datetime:
    """The moment itself, or the end of the quiet hours it is in: the next time clocks show it and it is quiet no more.

    Where clocks skip the end, it comes later by as much as they skip.
    """
    if not is_quiet(quiet, at):
        return at
    ends = _moments(_zone(quiet.zone), time.fromisoformat(quiet.end), at)
    return min(each for each in ends if not is_quiet(quiet, each))


def _moments(zone: ZoneInfo, clock: time, at: datetime) -> Iterator[datetime]:
    """When clocks of a zone next show a time, UTC: where they are turned back, it may be twice on a day."""
    today = at.astimezone(zone).date()
    for day in range(4):  # within three days there is one whose clocks nobody turns
        for fold in (0, 1):
            local = datetime.combine(today + timedelta(days=day), clock.replace(fold=fold), zone)
            if local.astimezone(UTC) > at:
                yield local.astimezone(UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # this machine knows less of the world than who wrote it
        return ZoneInfo("UTC")
