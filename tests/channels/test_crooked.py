"""The shared check of channels is seen to fail: one crooked channel for every promise."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from khien.errors import InputError, UnavailableError, UncertainError
from khien.model import Delivery, Notice, Record, Takedown
from khien.testing.channel import How, check_channel
from tests.channels import samples

RECORD = samples.notice()
TO = samples.to(RECORD, "7")


@dataclass
class Exchange:
    """Another side in memory."""

    how: How = "well"
    ids: list[str] = field(default_factory=list[str])

    def behave(self, how: How) -> None:
        self.how = how

    def taken(self) -> list[str]:
        return self.ids

    def put(self, id: str) -> str:
        if self.how in ("away", "later"):
            raise ConnectionError("no answer")
        if self.how == "never":
            raise ValueError("no such number")
        self.ids.append(id)
        if self.how == "silent":
            raise TimeoutError("no answer after it")
        return "taken"


@dataclass(frozen=True)
class Pager:
    """A channel that keeps its contract, but for what crook does."""

    name: ClassVar[str] = "pager"
    carries: ClassVar[type[Record]] = Notice
    repeatable: ClassVar[bool] = False

    exchange: Exchange
    crook: Callable[["Pager", str], Any] = lambda pager, each: pager.put(each)
    commits: bool = True

    def send(self, record: Notice, to: Delivery, commit: Callable[[], None], /) -> str:
        assert record is RECORD
        if self.commits:
            commit()
        return self.crook(self, to.id)

    def put(self, id: str) -> str:
        try:
            return self.exchange.put(id)
        except ValueError as error:
            raise InputError(str(error)) from None
        except TimeoutError as error:
            raise UncertainError(str(error)) from None
        except OSError as error:
            raise UnavailableError(str(error)) from None


@dataclass(frozen=True)
class Repeatable(Pager):
    repeatable: ClassVar[bool] = True


def twice(pager: Pager, id: str) -> str:
    pager.put(id)
    return pager.put(id)


def another_id(pager: Pager, id: str) -> str:
    return pager.put(f"{id}{len(pager.exchange.ids)}")


def foreign_error(pager: Pager, id: str) -> str:
    return pager.exchange.put(id)


def swallows(pager: Pager, id: str) -> str:
    try:
        return pager.put(id)
    except UnavailableError:
        return "taken"


def gives_up(pager: Pager, id: str) -> str:
    try:
        return pager.put(id)
    except UnavailableError as error:
        raise InputError(str(error)) from None


def tells(pager: Pager, id: str) -> str:
    try:
        return pager.put(id)
    except InputError:
        raise InputError("the password hunter2 is wrong") from None


def breaks_the_line(pager: Pager, id: str) -> str:
    return pager.put(id) + "\n"


def test_a_good_channel_passes() -> None:
    exchange = Exchange()
    check_channel(Pager(exchange), RECORD, TO, exchange, secrets=["hunter2"])


@pytest.mark.parametrize(
    ("crook", "said"),
    [
        (twice, "take 2, not 1"),
        (another_id, "under 2 ids"),
        (foreign_error, "behaves away with ConnectionError"),
        (swallows, "behaves away with an answer"),
        (gives_up, "behaves away with InputError"),
        (tells, "tells a secret"),
        (breaks_the_line, "not fit to be shown"),
    ],
)
def test_a_crooked_channel_fails(crook: Callable[[Pager, str], Any], said: str) -> None:
    exchange = Exchange()
    with pytest.raises(AssertionError, match=said):
        check_channel(Pager(exchange, crook), RECORD, TO, exchange, secrets=["hunter2"])


def test_what_is_repeatable_is_never_uncertain() -> None:
    exchange = Exchange()
    with pytest.raises(AssertionError, match="behaves silent with UncertainError"):
        check_channel(Repeatable(exchange), RECORD, TO, exchange)


def test_a_channel_is_given_what_it_carries() -> None:
    exchange = Exchange()
    with pytest.raises(AssertionError, match="carries Notice"):
        check_channel(Pager(exchange), Takedown, TO, exchange)


def test_what_goes_out_unannounced_is_seen() -> None:
    exchange = Exchange()
    with pytest.raises(AssertionError, match="commits 0 times"):
        check_channel(Pager(exchange, commits=False), RECORD, TO, exchange)
