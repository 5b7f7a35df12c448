"""How often a server is asked, and for how long its answer does."""

from collections import OrderedDict
from threading import Lock
from time import monotonic, sleep
from typing import Generic, TypeVar

T = TypeVar("T")


class Pace:
    """How often a server is asked: a token bucket for each, of at most ``most`` servers. Of any number of threads."""

    def __init__(self, rate: float, burst: float = 1, most: int = 10_000) -> None:
        """rate: requests a second; burst: how many at once after a rest."""
        self._rate, self._burst, self._most = rate, burst, most
        self._spent: OrderedDict[str, float] = OrderedDict()  # when its bucket is full again, by server
        self._lock = Lock()

    def take(self, server: str, now: float) -> float:
        """0: ask now, it is counted; else how many seconds are to pass first. now: of a monotonic clock."""
        with self._lock:
            full = max(self._spent.get(server, now), now)
            wait = full - now - (self._burst - 1) / self._rate
            if wait > 1e-9:  # what is left of a sum of fractions is no wait
                return wait
            self._note(server, full + 1 / self._rate)
            return 0

    def turn(self, server: str, patience: float) -> float:
        """Waits until a server may be asked, and answers 0: it is counted. More: so many seconds are to pass yet, which
        is more than patience."""
        until = monotonic() + patience
        while wait := self.take(server, now := monotonic()):
            if now + wait > until:
                return wait
            sleep(wait)
        return 0

    def hold(self, server: str, until: float) -> None:
        """Nothing is asked of a server before then, for example because it said ``Retry-After``."""
        with self._lock:
            self._note(server, max(self._spent.get(server, until), until + (self._burst - 1) / self._rate))

    def _note(self, server: str, full: float) -> None:
        self._spent[server] = full
        self._spent.move_to_end(server)
        if len(self._spent) > self._most:
            self._spent.popitem(last=False)


class Kept(Generic[T]):
    """Answers, until they are ``age`` seconds old or ``most`` newer ones are there. Of any number of threads."""

    def __init__(self, age: float, most: int = 10_000) -> None:
        self._age, self._most = age, most
        self._known: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str, now: float) -> T | None:
        """now: of a monotonic clock."""
        with self._lock:
            at, answer = self._known.get(key, (now, None))
            return answer if now - at < self._age else None

    def put(self, key: str, answer: T, now: float) -> None:
        """Keeps an answer of now."""
        with self._lock:
            self._known[key] = now, answer
            self._known.move_to_end(key)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
