"""How often something may be tried that somebody might guess at, from wherever."""

from threading import Lock
from time import monotonic

MOST = 60  # a minute
_MINUTE = 60.0


class Tries:
    """Counts tries over a minute. All share it: behind a server in front everybody comes from one address."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._since = monotonic()
        self._count = 0

    def take(self) -> bool:
        """Whether one more may be made now."""
        with self._lock:
            if (now := monotonic()) - self._since >= _MINUTE:
                self._since, self._count = now, 0
            self._count += 1
            return self._count <= MOST
