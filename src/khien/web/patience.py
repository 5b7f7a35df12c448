"""How long somebody may take to say what they ask: the site waits for many bodies at a time, for none of them long."""

import asyncio
from dataclasses import dataclass, field

from litestar.exceptions import HTTPException, ServiceUnavailableException
from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

LONGEST = 10.0  # seconds in which a body must be whole: 64 KiB over a line of 52 kbit/s
MOST = 4_096  # bodies that are waited for at a time: with the largest that is read, 256 MiB


@dataclass
class Patience:
    """A middleware of one site: a body that is not whole in time ends with status 408, one too many with 503.

    longest: seconds; most: bodies.
    """

    longest: float = LONGEST
    most: int = MOST
    _waiting: int = field(default=0, init=False)

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def answered(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] in ("GET", "OPTIONS"):  # whose bodies nobody reads
                return await app(scope, receive, send)
            if self._waiting >= self.most:
                raise ServiceUnavailableException("too many ask at once: try again soon", headers={"Retry-After": "10"})
            self._waiting += 1
            try:
                return await app(scope, self._in_time(receive), send)
            finally:
                self._waiting -= 1

        return answered

    def _in_time(self, receive: Receive) -> Receive:
        """The same until then; HTTPException afterwards, unless the body was whole."""
        until = asyncio.get_running_loop().time() + self.longest
        whole = False

        async def received() -> ReceiveMessage:
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException("the body did not come in time: send it again", status_code=408) from error
            whole = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        return received
