"""Channels: what is handed over, held to its contract on another side that the test provides and can make fail."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from khien.contracts import Channel
from khien.errors import InputError, UnavailableError, UncertainError
from khien.model import Delivery
from khien.testing.hold import hold, hold_part

REACTIONS = (InputError, UnavailableError, UncertainError)  # what a channel may raise

How = Literal["well", "away", "later", "never", "silent"]


class Side(Protocol):
    """Who takes what a channel hands over, and tells what it took."""

    def behave(self, how: How, /) -> None:
        """well: takes it. away: cannot be reached. later: takes nothing now. never: will not take this. silent: takes
        it, and goes before it says so."""
        ...

    def taken(self) -> Sequence[str]:
        """The id of each that was taken, in order: that by which it would know one that comes again."""
        ...


def check_channel(channel: Channel, record: Any, to: Delivery, side: Side, *, secrets: Sequence[str] = ()) -> None:
    """A delivery is handed over once under an id of its own, and whatever goes wrong is one of three errors.

    secrets: none of which may stand in what is said.
    """
    hold_part(channel, "name", "carries", "repeatable")
    whose = f"channel {channel.name}"
    hold(isinstance(record, channel.carries), f"{whose} carries {channel.carries.__name__}: give it one")
    told: list[str] = []
    committed: list[int] = []  # how many the other side had taken by then

    def commits() -> None:
        committed.append(len(side.taken()))

    def sent(how: How) -> tuple[str, int]:
        """The class of what was raised, or nothing, and how many were taken."""
        before = len(side.taken())
        committed.clear()
        side.behave(how)
        try:
            told.append(channel.send(record, to, commits))
            raised = ""
        except REACTIONS as error:
            told.append(str(error))
            raised = next(each.__name__ for each in REACTIONS if each in type(error).__mro__)
        except Exception as error:
            raise AssertionError(f"{whose} meets a side that behaves {how} with {error!r}") from error
        after = len(side.taken())
        if after > before:
            hold(
                committed == [before],
                f"{whose} commits {len(committed)} times to what is taken once",
            )
        return raised, after - before

    def expect(how: How, wanted: str, count: int | None) -> None:
        met, taken = sent(how)
        said = f"with {met or 'an answer'} ({told[-1]})"
        hold(met == wanted, f"{whose} meets a side that behaves {how} {said}, not with {wanted or 'an answer'}")
        hold(count in (taken, None), f"{whose} has a side that behaves {how} take {taken}, not {count}")
        ids = set(side.taken())
        hold(len(ids) == 1, f"{whose} hands over one delivery under {len(ids)} ids: {sorted(ids)}")

    expect("well", "", 1)
    expect("well", "", 1)  # it is for who asks to ask once; the other side can tell that it is the same
    expect("away", "UnavailableError", 0)
    expect("later", "UnavailableError", 0)
    expect("never", "InputError", 0)
    expect("silent", "UnavailableError" if channel.repeatable else "UncertainError", None)
    expect("well", "", 1)
    for each in told:
        hold(each.isprintable(), f"{whose} says what is not fit to be shown: {each!r}")
        hold(not any(secret in each for secret in secrets), f"{whose} tells a secret")
