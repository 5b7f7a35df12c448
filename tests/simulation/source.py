"""A source behind a network that fails as real ones do, at the moments a seed decides."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar, NamedTuple

import msgspec
import pyarrow as pa

from khien import schema
from khien.contracts import Page
from khien.errors import UnavailableError
from tests import toy
from tests.simulation.medium import Clock

HOSTS = "abcd"

Rows = tuple[dict[str, Any], ...]


class Scene(NamedTuple):
    """A page as it is written down: its rows, and how many lines were set aside on the way."""

    rows: Rows
    skipped: int = 0


@dataclass
class Network:
    """What lies between a source and us.

    rough: how much of the time it misbehaves, in [0, 1].
    """

    chance: Random
    clock: Clock
    rough: float = 0.0

    def misbehaves(self) -> bool:
        return self.chance.random() < self.rough


@dataclass(frozen=True)
class Scripted:
    """A source of what is written down for it, page by page.

    Its cursor lists the pages that are behind it, for the order in which the others come is the network's: after an
    interruption it may be another one. On a rough network it gives pages a second time, is late, or is not there.
    """

    replayable: ClassVar[bool] = True

    name: str
    yields: pa.Schema
    script: tuple[Scene, ...]
    network: Network

    def read(self, cursor: bytes | None, /) -> Iterator[Page]:
        behind: list[int] = msgspec.json.decode(cursor) if cursor else []
        left = [number for number in range(len(self.script)) if number not in behind]
        while left:
            if self.network.misbehaves():
                yield from self._misbehave(behind)
            number = left.pop(self.network.chance.randrange(len(left)) if self.network.misbehaves() else 0)
            behind.append(number)
            yield self._page(number, behind)

    def _misbehave(self, behind: list[int]) -> Iterator[Page]:
        match self.network.chance.choice(("away", "late", "idle", "again")):
            case "away":
                raise UnavailableError(f"source {self.name} does not answer: try again later")
            case "late":
                self.network.clock.advance(60)
            case "again" if behind:
                number = self.network.chance.choice(behind)
                behind.append(number)
                yield self._page(number, behind)
            case _:
                yield Page(pa.RecordBatch.from_pylist([], self.yields), msgspec.json.encode(behind))

    def _page(self, number: int, behind: list[int]) -> Page:
        rows, skipped = self.script[number]
        aside = [{"place": f"{self.name}:{number}", "reason": "no-name", "excerpt": None}] * skipped
        return Page(
            pa.RecordBatch.from_pylist(list(rows), self.yields),
            msgspec.json.encode(behind),
            pa.RecordBatch.from_pylist(aside, schema.SKIPPED),
        )


def names(chance: Random, begin: datetime, network: Network) -> Scripted:
    """Names of four days; the long ones come again and again, the others once in the world."""
    known = [f"{chance.randbytes(4).hex()}.signin.example.top" for _ in range(4)]
    return Scripted("names", schema.NAMES, tuple(_some_names(chance, begin, known) for _ in range(6)), network)


def _some_names(chance: Random, begin: datetime, known: list[str]) -> Scene:
    rows = [
        {
            "name": chance.choice(known) if chance.random() < 0.3 else f"{chance.randbytes(6).hex()}.vn",
            "seen_at": None if chance.random() < 0.1 else begin + timedelta(minutes=chance.randrange(4 * 24 * 60)),
        }
        for _ in range(chance.randrange(6))
    ]
    return Scene(tuple(rows), chance.choice((0, 0, 1)))


def requests(chance: Random, begin: datetime, network: Network) -> Scripted:
    """What some hosts were asked in the same days."""
    return Scripted("requests", toy.SEEN, tuple(_some_requests(chance, begin) for _ in range(4)), network)


def _some_requests(chance: Random, begin: datetime) -> Scene:
    rows = [
        {
            "seen_at": begin + timedelta(hours=chance.randrange(96), milliseconds=chance.randrange(1000)),
            "host": chance.choice(HOSTS),
            "n": chance.choice((1, 2, 30)),
        }
        for _ in range(chance.randrange(1, 5))
    ]
    return Scene(tuple(rows))
