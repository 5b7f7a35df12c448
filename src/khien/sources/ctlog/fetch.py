"""Documents of a log: got, or a word on when to ask again."""

from collections.abc import Sequence

import httpx

from khien.errors import RefusedError, UnavailableError
from khien.outward import http

_SECONDS = 60.0  # for a whole answer
_LONGEST_WAIT = 3600.0  # seconds that a log may ask us to stay away


class LaterError(UnavailableError):
    """The log asks to be left alone for so many seconds."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class MissingError(UnavailableError):
    """There is no such document, or not any more."""


class Fetch:
    """Answers of the server a URL names, and no other. contact: whom who runs it can write to, said with each request.

    allow: networks that are reached although they are private.
    """

    def __init__(self, url: str, contact: str, allow: Sequence[str]) -> None:
        port = httpx.URL(url).port
        agent = f"Khien ({contact})" if contact else "Khien"
        self._client = http.client(agent, allow=allow, ports=(port,) if port else http.PORTS)

    def get(self, url: str, most: int) -> bytes:
        """A document of at most so many bytes.

        UnavailableError: it is not to be had now; it may be a LaterError or MissingError. FormatError: it is too large.
        """
        try:
            answer = http.get(self._client, url, most, seconds=_SECONDS, redirects=0)
        except RefusedError as error:
            raise UnavailableError(str(error)) from error
        if answer.status == 200:
            return answer.body
        said = f"{url}: answers {answer.status}"
        seconds = http.retry_after(answer.headers) if answer.status in (429, 503) else None
        if seconds is not None:
            raise LaterError(said, min(seconds, _LONGEST_WAIT))
        raise (MissingError if answer.status in (404, 410) else UnavailableError)(said)

    def close(self) -> None:
        self._client.close()
