"""A site that knows of what leaked, with its key whole or in two shares, and the mail server it writes through."""

import hashlib
import socket
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from khien.app import machine
from khien.app.breach import place
from khien.app.configuration import Breach, Holder, Site
from khien.app.epochs import Epochs
from khien.breach import exposed, group, sorting, table, voprf
from khien.breach.accounts import canonical
from khien.cli import serve
from khien.model import Collection, Holding
from tests.channels.sides import HOST, MailSide, certificate

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
PASSWORD, TIMES = "mật khẩu của Lan", 2_254_650
ADDRESS, NUMBER = "lan.nguyen@example.vn", "0912 345 678"
HOSTILE = "<img src=x>"


def collection(id: str, number: int, **fields: object) -> Collection:
    given = {"label": id.title(), "given_by": "a partner", "at": AT, "basis": "a law", "purpose": "to warn"}
    return Collection(id=id, number=number, until=date(2028, 1, 1), **(given | fields))  # type: ignore[arg-type]


FORUM = collection("forum", 1, label=HOSTILE, leaked=date(2024, 3, 1), kinds=("password", "face"), about="users")
SHOP = collection("shop", 2, kinds=("phone", "home"))
CLINIC = collection("clinic", 3, kinds=("health",), sensitive="health")
IN = {ADDRESS: (FORUM, CLINIC), NUMBER: (SHOP,)}


class Leaks(NamedTuple):
    """A running site. mail: where its letters go, None where it has none."""

    address: str
    data: Path
    mail: MailSide | None


@contextmanager
def served(
    folder: Path, *, shares: int = 1, mailing: bool = False, country: str = "84", rotated: bool = False
) -> Generator[Leaks]:
    """The site, and beside it whoever holds another share."""
    data, other = folder / "data", folder / "other"
    with ExitStack() as stack:
        holders: list[Holder] = []
        if shares == 2:
            second = stack.enter_context(serve.holder(_made(other), Site(listen=_free()), Breach()))
            public = voprf.public_of(Epochs(other, Breach()).secret(1)).hex()
            holders.append(Holder(url=second.address.removesuffix("/"), public=public))
        _fill(data, [Epochs(each, Breach()).secret(1) for each in [_made(data), other][:shares]])
        mail = MailSide(certificate(folder)) if mailing else None
        letters = None
        if mail:
            stack.callback(mail.close)
            authority = {"authorities_file": str(folder / "server.pem")}
            letters = {"host": HOST, "port": mail.port, "sender": "warn@khien.example", **authority}
        breach = rotate(data) if rotated else Breach(holders=tuple(holders), country=country)
        site = serve.site(data, None, Site(listen=_free()), replay=False, breach=breach, letters=letters)
        yield Leaks(stack.enter_context(site).address.removesuffix("/"), data, mail)


def _made(data: Path) -> Path:
    data.mkdir(mode=0o700)
    return data


def _free() -> str:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return f"{HOST}:{probe.getsockname()[1]}"


def _fill(data: Path, keys: Sequence[bytes]) -> None:
    folder = place(data).folder
    digest = hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest()
    run = folder / "password.run"
    sorting.write_run(run, _rows(digest + TIMES.to_bytes(8, "big")), counted=True)
    passwords = table.build(folder, "sha1", table.SHA1, [run])
    key = (sum(int.from_bytes(each, "little") for each in keys) % group.ORDER).to_bytes(32, "little")
    met = _kept(key, IN)
    accounts = exposed.build(folder, "accounts-1", 1, [_rows(*met)])
    with machine.store(data) as store:
        store.save(
            *(FORUM, SHOP, CLINIC),
            Holding(id="sha1", file=passwords.name, entries=1, at=AT),
            Holding(id="accounts-1", file=accounts.name, entries=len(met), met={"1": 1, "2": 1, "3": 1}, at=AT),
        )


def rotate(data: Path) -> Breach:
    """Keeps NUMBER under a second key, too, in another collection; answers the settings that go on with it."""
    settings = Breach(epoch=2)
    met = _kept(Epochs(data, settings).secret(2), {NUMBER: (FORUM,)})
    path = exposed.build(place(data).folder, "accounts-2", 2, [_rows(*met)])
    with machine.store(data) as store:
        store.save(Holding(id="accounts-2", file=path.name, entries=1, met={"1": 1}, at=AT))
    return settings


def _kept(key: bytes, accounts: Mapping[str, Sequence[Collection]]) -> list[bytes]:
    """Sorted rows."""
    met: list[bytes] = []
    for text, collections in accounts.items():
        spelled = canonical(text.encode())
        assert spelled
        output = voprf.direct(key, [spelled])[0][: exposed.ACCOUNT]
        met += [output + bytes(exposed.DOMAIN) + each.number.to_bytes(4, "big") for each in collections]
    return sorted(met)


def _rows(*rows: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
