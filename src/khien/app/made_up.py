"""A collection that leaked from nowhere, and sites that harm nobody: what a replay has of stolen accounts and of
listings, made up, so that its pages answer.

Its addresses and sites are under names that belong to nobody (RFC 2606), its numbers are kept for fiction (Ofcom), its
passwords are those that everyone knows. Nothing of it is told to anybody.
"""

import hashlib
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from khien.app import machine, registers
from khien.app.breach import place
from khien.app.configuration import Breach, People
from khien.app.epochs import Epochs
from khien.breach import exposed, sorting, table, voprf
from khien.breach.accounts import canonical
from khien.contracts import Store
from khien.listing import propose
from khien.model import Collection, Conduct, Holding, Listing, Register, Text

ADDRESS, NUMBER, PASSWORD = "lan@example.com", "+44 7700 900001", "123456"  # that pages name

_EPOCH = Breach().epoch
_COLLECTION = "made-up"
_ACCOUNTS = (ADDRESS, NUMBER, *(f"{each}@example.org" for each in ("an", "binh", "chi", "dung", "ha", "hoa", "khanh")))
_MORE = tuple(f"+44 7700 90000{digit}" for digit in range(2, 6))
_OFFICERS = ("lan", "mai")
_SITES: tuple[tuple[str, Conduct, str, str], ...] = (
    ("https://vneid-otp.example/dang-nhap", "form", "Trang hỏi mã OTP của VNeID.", "The page asks for VNeID codes."),
    ("https://tiem-banh.example/dat-banh", "form", "Trang hỏi mã OTP của VNeID.", "The page asks for VNeID codes."),
)
_WHY = "tiem-banh[.]example ≠ VNeID."  # one text stands in the log, on pages of both languages
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


def listings(store: Store, data: Path) -> None:
    """Lists two made-up sites where nothing is listed yet: one stands, one was wrong and is out again."""
    if store.count(Listing, "state"):
        return
    known = registers.known(Register(names=()))
    log = machine.listings(data, store, known, timedelta(hours=People().decide_hours))
    stands, wrong = (_listing(*each) for each in _SITES)
    log.list_(stands, by=_OFFICERS[0])
    bakery = log.list_(wrong, by=_OFFICERS[0])
    log.contest(bakery.id, how="dns", why=_WHY)
    log.decide(bakery.id, False, by=_OFFICERS[1], why=_WHY)


def _listing(url: str, conduct: Conduct, vi: str, en: str) -> Listing:
    note = Text(vi=f"Tự đặt ra cho bản phát lại này. {vi}", en=f"Made up for this replay. {en}")
    evidence = hashlib.sha256(url.encode()).hexdigest()
    given: dict[str, Any] = {"harm": "fraud", "conduct": (conduct,), "note": note, "evidence": evidence}
    return propose("url", url, at=machine.clock(), site="registered-for-harm", **given)


def _digest(password: str) -> bytes:
    return hashlib.sha1(password.encode(), usedforsecurity=False).digest()


def _rows(rows: list[bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
