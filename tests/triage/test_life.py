"""A finding lives as its table says, and what is seen again joins what is kept without undoing what people did."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khien import schema
from khien.errors import TransitionError
from khien.model import Finding, Reason, State, Step
from khien.triage import life
from tests import toy

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FOUND = Finding(
    id="f" * 64,
    detector="lookalike",
    kind="domain",
    subject="a.example",
    claim="a",
    score=0.5,
    raised=NOON,
    source="ct",
)
LIVES: dict[State, tuple[str, ...]] = {
    "confirmed": (life.CONFIRM,),
    "dismissed": (life.DISMISS,),
    "acted-on": (life.CONFIRM, life.ACT),
    "gone": (life.LOSE,),
}


def lived(*acts: str, at: datetime = NOON) -> Finding:
    finding = FOUND
    for act in acts:
        finding = life.move(finding, act, by="an officer", at=at)
    return finding


def test_every_state_is_reached_and_can_be_left() -> None:
    states = set(State.__args__)
    assert {met for met, _ in life.MOVES} == states
    assert set(life.MOVES.values()) == states


def test_a_step_is_kept_with_who_when_and_why() -> None:
    finding = life.move(FOUND, life.DISMISS, by="an officer", at=NOON, why="their own shop")
    assert finding.state == "dismissed"
    assert finding.steps == (Step(at=NOON, act="dismiss", by="an officer", why="their own shop"),)


def test_what_does_not_follow_is_refused_and_says_what_does() -> None:
    with pytest.raises(TransitionError, match="is dismissed: it takes reopen, not act"):
        life.move(lived(life.DISMISS), life.ACT, by="an officer", at=NOON)


@pytest.mark.parametrize(("state", "acts"), LIVES.items())
def test_seeing_it_again_undoes_no_decision(state: State, acts: tuple[str, ...]) -> None:
    kept = lived(*acts)
    assert kept.state == state
    again = msgspec.structs.replace(
        FOUND, score=0.9, start=NOON, end=NOON, raised=NOON + timedelta(hours=1), source="zone"
    )
    joined = life.revise(kept, again)
    assert (joined.state, joined.steps) == (kept.state, kept.steps)
    assert (joined.score, joined.raised, joined.source) == (0.9, NOON, "ct")


def test_what_was_gone_is_back_when_seen_after_it_went_and_only_then() -> None:
    gone = lived(life.LOSE)
    before = life.revise(gone, msgspec.structs.replace(FOUND, end=NOON - timedelta(days=1)))
    assert before.state == "gone"
    after = life.revise(gone, msgspec.structs.replace(FOUND, end=NOON + timedelta(days=1)))
    assert (after.state, after.steps[-1].act, after.steps[-1].by) == ("back", "see", "khien")
    assert after.steps[-1].at == NOON + timedelta(days=1)


TIMES = st.none() | st.integers(0, 5).map(lambda hours: NOON + timedelta(hours=hours))
REVISIONS = st.builds(
    lambda time, score: msgspec.structs.replace(FOUND, start=time, end=time, score=score), TIMES, st.floats(0, 1)
)


@given(REVISIONS, REVISIONS, REVISIONS)
def test_revisions_join_in_any_grouping(one: Finding, two: Finding, three: Finding) -> None:
    left = life.revise(life.revise(one, two), three)
    assert left == life.revise(one, life.revise(two, three))
    ends = [each.end for each in (one, two, three) if each.end]
    assert left.end == max(ends, default=None)
    assert left.start == min(ends, default=None)


def test_rows_become_records_once_for_each_id() -> None:
    rows = [toy.finding("lengthy", "domain", "a.example", "length", score, NOON) for score in (0.2, 0.3)]
    rows[1]["reasons"] = [{"code": "inside-word", "params": [("word", "a"), ("ordinary", "example")]}]
    rows[1]["span"] = [0, 1]
    [finding] = life.findings([toy.findings(rows)], source="ct", at=NOON + timedelta(hours=1))
    assert finding.id == schema.finding_id("lengthy", "domain", "a.example", "length").hex()
    assert (finding.score, finding.span, finding.day) == (0.3, (0, 1), NOON.date())
    assert finding.reasons == (Reason(code="inside-word", params={"word": "a", "ordinary": "example"}),)
    assert finding.raised == NOON + timedelta(hours=1)
