"""A data directory with accounts in it, as an import would leave it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from khien.app import breach, machine
from khien.app.configuration import Breach
from khien.app.epochs import Epochs
from khien.breach import exposed, sorting, voprf
from khien.model import Collection, Holding
from khien.stores.embedded.store import Embedded

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
LAN, MINH, AN = b"mail:lan.nguyen@example.vn", b"phone:+84912345678", b"mail:an@example.org"
ACCOUNTS = {LAN: ("shop", "clinic"), MINH: ("shop", "forum"), AN: ("clinic",)}
COLLECTIONS = tuple(
    Collection(
        id=name,
        number=number,
        label=name.title(),
        kinds=("address", "password"),
        leaked=date(2026, 9, 1),
        sensitive=sensitive,
        gone=gone,
        given_by="a partner",
        at=AT,
        basis="its report",
        purpose="to warn",
        until=date(2028, 1, 1),
    )
    for name, number, sensitive, gone in (
        ("shop", 1, "", None),
        ("forum", 2, "", None),
        ("clinic", 3, "health", None),
        ("old", 70_000, "", AT),
    )
)
NUMBERS = {each.id: each.number for each in COLLECTIONS}


def outputs(data: Path, inputs: Sequence[bytes], epoch: int = 1) -> list[bytes]:
    """What this house alone makes of them."""
    return voprf.direct(Epochs(data, Breach(epoch=epoch)).secret(epoch), inputs)


def fill(
    store: Embedded,
    data: Path,
    made: Mapping[bytes, bytes],
    accounts: Mapping[bytes, tuple[str, ...]] = ACCOUNTS,
    epoch: int = 1,
) -> Holding:
    """Writes the accounts of an epoch. made: the output of each input."""
    place = breach.place(data)
    pairs = [(made[each][:16], NUMBERS[one]) for each, ids in accounts.items() for one in ids]
    none = np.zeros((1, exposed.DOMAIN), np.uint8)
    rows = [exposed.rows(np.frombuffer(one, np.uint8)[None], none, number) for one, number in pairs]
    run = place.folder / "run"
    sorting.write_run(run, np.concatenate(rows))
    name = f"accounts-{epoch}"
    merged = sorting.merged([run], exposed.ROW, scratch=place.folder)
    path = exposed.build(place.folder, name, epoch, merged)
    run.unlink()
    holding = Holding(id=name, file=path.name, entries=len(pairs), at=AT)
    store.save(holding, *COLLECTIONS)
    return holding


def filled(data: Path, epoch: int = 1) -> Embedded:
    """A store over a directory with ACCOUNTS."""
    store = machine.store(data)
    fill(store, data, dict(zip(ACCOUNTS, outputs(data, [*ACCOUNTS], epoch), strict=True)), epoch=epoch)
    return store
