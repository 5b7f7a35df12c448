"""What another holder of a key answers: its share's public half, and elements evaluated with it; nothing else."""

import logging
from collections.abc import Sequence
from pathlib import Path

from litestar import Litestar
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.di import Provide

from khien.app import machine
from khien.app.epochs import Epochs
from khien.web import shares
from khien.web.patience import Patience
from khien.web.refusal import add_headers, refused
from khien.web.shares import Shares, admitting
from khien.web.site import LARGEST_BODY, hosts, told


def create(held: Shares, hosts: Sequence[str]) -> Litestar:
    """The two routes of who holds a share. hosts: the only values of the header Host that are answered."""
    return Litestar(
        route_handlers=shares.ROUTES,
        dependencies={"shares": Provide(lambda: held, sync_to_thread=False)},
        allowed_hosts=AllowedHostsConfig(allowed_hosts=list(hosts), www_redirect=False),
        middleware=[Patience()],
        request_max_body_size=LARGEST_BODY,
        before_send=[add_headers],
        exception_handlers={Exception: refused},
        openapi_config=None,
        logging_config=None,
    )


def serve() -> Litestar:
    """For granian: as who started it asks for it."""
    machine.end_with_parent()
    machine.without_core()
    asked = told()
    data = Path(asked.data)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)  # how much is asked for by whom
    admits = admitting(machine.key(data, machine.NOTICES), frozenset(asked.breach.admitted).__contains__)
    epochs = Epochs(data, asked.breach)
    return create(Shares.of(epochs, admits, epochs.begun), hosts(asked.site))
