"""A collection that leaked from nowhere: what a replay has of stolen accounts, made up, so that its pages answer.

Its addresses are under names that belong to nobody (RFC 2606), its numbers are kept for fiction (Ofcom), its passwords
are those that everyone knows. Nothing of it is told to anybody.
"""

import hashlib
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np

from khien.app import machine
from khien.app.breach import place
from khien.app.configuration import Breach
from khien.app.epochs import Epochs
from khien.breach import exposed, sorting, table, voprf
from khien.breach.accounts import canonical
from khien.contracts import Store
from khien.model import Collection, Holding, Text

ADDRESS, NUMBER, PASSWORD = "lan@example.com", "+44 7700 900001", "123456"  # that pages name

_EPOCH = Breach().epoch
_COLLECTION = "made-up"
_ACCOUNTS = (ADDRESS, NUMBER, *(f"{each}@example.org" for each in ("an", "binh", "chi", "dung", "ha", "hoa", "khanh")))
_MORE = tuple(f"+44 7700 90000{digit}" for digit in range(2, 6))
_PASSWORDS = Counter({PASSWORD: 7, "password": 3, "matkhau": 2, "qwerty": 1})


def leak(store: Store, data: Path) -> None:
    """Puts it into a data directory, where it is not there yet."""
    if store.load(Collection, _COLLECTION):
        return
    at, folder = machine.clock(), place(data).folder
    collection = Collection(
        id=_COLLECTION,
        number=1,
        label=Text(vi="Cửa hàng ví dụ, không có thật", en="A made-up shop"),
        about=Text(vi="Tự đặt ra cho bản phát lại này: không phải của ai.", en="Made up for this replay: nobody's."),
        leaked=date(2026, 9, 1),
        kinds=("address", "phone", "password"),
        given_by="Khiên",
        at=at,
        basis="none: it is nobody's",
        purpose="to show what is answered",
        until=date.max,
    )
    inputs = [spelled for each in (*_ACCOUNTS, *_MORE) if (spelled := canonical(each.encode()))]
    outputs = voprf.direct(Epochs(data, Breach()).begin(_EPOCH), inputs)
    accounts = _rows(sorted(each[: exposed.ACCOUNT] for each in outputs))
    rows = exposed.rows(accounts, np.zeros((len(accounts), exposed.DOMAIN), np.uint8), collection.number)
    known = exposed.build(folder, f"accounts-{_EPOCH}", _EPOCH, [rows])
    run = folder / f"{_COLLECTION}.run"
    counted = [_digest(each) + times.to_bytes(8, "big") for each, times in _PASSWORDS.items()]
    sorting.write_run(run, _rows(counted), counted=True)
    passwords = table.build(folder, "sha1", table.SHA1, [run])
    run.unlink()
    store.save(
        collection,
        Holding(id=f"accounts-{_EPOCH}", file=known.name, entries=len(rows), met={"1": len(rows)}, at=at),
        Holding(id="sha1", file=passwords.name, entries=len(_PASSWORDS), at=at),
    )


def _digest(password: str) -> bytes:
    return hashlib.sha1(password.encode(), usedforsecurity=False).digest()


def _rows(rows: list[bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
