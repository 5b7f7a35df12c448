"""Quiet hours hold in every zone, also where clocks are turned; and a window ends when it was agreed to."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.model import Hearing, Quiet
from khien.triage import hours

ZONES = (
    "Asia/Ho_Chi_Minh",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Cairo",
)
CLOCKS = st.times().map(lambda each: f"{each:%H:%M}")
QUIET = st.builds(Quiet, begin=CLOCKS, end=CLOCKS, zone=st.sampled_from(ZONES))
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def hearing(quiet: Quiet | None = None, digest: str = "at-once") -> Hearing:
    return Hearing(channel="mail", quiet=quiet, digest=digest)  # pyright: ignore[reportArgumentType]


@settings(deadline=None)
@given(QUIET, MOMENTS)
def test_nothing_is_told_in_quiet_hours_and_all_soon_after(quiet: Quiet, at: datetime) -> None:
    due = hours.due(hearing(quiet), "high", at)
    assert at <= due <= at + timedelta(hours=26)
    assert not hours.is_quiet(quiet, due)
    assert (due == at) == (not hours.is_quiet(quiet, at))
    assert hours.due(hearing(quiet), "critical", at) == at


@settings(deadline=None)
@given(QUIET, MOMENTS)
def test_it_waits_no_longer_than_it_must(quiet: Quiet, at: datetime) -> None:
    due = hours.due(hearing(quiet), "low", at)
    before = due - timedelta(minutes=1)
    turned = before.astimezone(ZoneInfo(quiet.zone)).utcoffset() != due.astimezone(ZoneInfo(quiet.zone)).utcoffset()
    assert due == at or before < at or turned or hours.is_quiet(quiet, before)


@settings(deadline=None)
@given(QUIET, MOMENTS, st.sampled_from(("hourly", "daily")))
def test_a_window_ends_later_and_not_in_quiet_hours(quiet: Quiet, at: datetime, digest: str) -> None:
    end = hours.window_end(hearing(quiet, digest), at)
    assert at < end <= at + timedelta(hours=52)
    assert not hours.is_quiet(quiet, end)
    assert hours.window_end(hearing(quiet, digest), at) == end


@pytest.mark.parametrize(
    ("quiet", "at", "due"),
    [
        (Quiet(begin="22:00", end="07:00"), "2026-03-02T16:00+00:00", "2026-03-03T00:00+00:00"),
        (Quiet(begin="12:00", end="13:30"), "2026-03-02T05:00+00:00", "2026-03-02T06:30+00:00"),
        # clocks in Berlin skip 02:00 to 03:00: who is quiet until 02:30 hears at 03:30
        (Quiet(begin="23:00", end="02:30", zone="Europe/Berlin"), "2026-03-29T00:30+00:00", "2026-03-29T01:30+00:00"),
        # and in autumn show 02:00 to 03:00 twice: quiet ends when 02:30 comes first, and is again before the second
        (Quiet(begin="23:00", end="02:30", zone="Europe/Berlin"), "2026-10-25T00:10+00:00", "2026-10-25T00:30+00:00"),
        (Quiet(begin="23:00", end="02:30", zone="Europe/Berlin"), "2026-10-25T01:10+00:00", "2026-10-25T01:30+00:00"),
        (Quiet(begin="22:00", end="07:00", zone="Nowhere/Else"), "2026-03-02T23:00+00:00", "2026-03-03T07:00+00:00"),
    ],
)
def test_the_end_of_quiet_hours(quiet: Quiet, at: str, due: str) -> None:
    assert hours.due(hearing(quiet), "high", datetime.fromisoformat(at)) == datetime.fromisoformat(due)


def test_windows() -> None:
    at = datetime(2026, 3, 2, 12, 34, 56, tzinfo=UTC)
    assert hours.window_end(hearing(digest="hourly"), at) == datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert hours.window_end(hearing(digest="daily"), at) == datetime(2026, 3, 3, 1, tzinfo=UTC)  # 08:00 in Ha Noi
