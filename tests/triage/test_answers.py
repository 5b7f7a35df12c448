"""What people answer to a notice: what its state takes, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from khien.errors import TransitionError
from khien.model import Delivery, DeliveryState, Notice, NoticeState
from khien.triage import answers

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def noticed(state: NoticeState) -> Notice:
    given = {"constituent": "bank", "detector": "lookalike", "severity": "high", "score": 0.9, "subjects": ()}
    return Notice(id="a" * 64, raised=AT, revised=AT, state=state, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["open", "acknowledged", "ours", "closed"])
def test_a_notice_takes_what_its_state_takes(state: NoticeState) -> None:
    before = noticed(state)
    later = AT + timedelta(hours=1)
    for act in answers.ACTS:
        if (reached := answers.MOVES.get((state, act))) is not None:
            after = answers.move(before, act, by="lan", at=later, why="seen")
            assert (after.state, after.steps[-1].act, after.steps[-1].by) == (reached, act, "lan")
            assert (after.id, after.revision, after.raised) == (before.id, before.revision, before.raised)
        else:
            with pytest.raises(TransitionError, match=f"is {state}: it takes .*, not {act}"):
                answers.move(before, act, by="lan", at=later)
    assert answers.possible(before) == tuple(act for act in answers.ACTS if (state, act) in answers.MOVES)


def test_only_what_has_not_gone_out_is_withdrawn() -> None:
    states: tuple[DeliveryState, ...] = ("due", "sending", "sent", "uncertain", "refused", "withdrawn")
    some = [Delivery(id=each, about="a", revision=1, channel="mail", address="", due=AT, state=each) for each in states]
    assert [(each.id, each.state) for each in answers.withdrawn(some)] == [("due", "withdrawn")]
