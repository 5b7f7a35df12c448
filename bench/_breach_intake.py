"""The row `intake`: lines of a dump in memory become keyed hashes and digests, as an import does before it writes."""

import csv
import hashlib
import io
import json
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from _rows import Bar, Row

from khien.breach import lines, objects, sheets, stealer
from khien.folds.credentials import Credentials

RATE = Bar(4, "M lines/s")
LINES, FEW = 2_000_000, 200_000
PAGE = 1 << 22  # octets, as an import reads them
RUNS = 7  # of which the fastest counts: the others were disturbed
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DOMAINS = (
    *["gmail.com"] * 45, *["yahoo.com"] * 20, *["hotmail.com"] * 10, *["yahoo.com.vn"] * 5, *["outlook.com"] * 4,
    *(f"company{n}.example" for n in range(16)),
)  # fmt: skip
MIX = (  # how many of a thousand lines are what; {u} a name, {m} its address, {p} a password, {h} a host, {n} a number
    (700, "{m}:{p}"), (80, "{M}:{p}"), (50, "{m};{p}"), (70, "https://{h}.example/login:{m}:{p}"), (40, "{u}:{p}"),
    (30, "{n}:{p}"), (15, "{m}:{p}\r"), (5, "{m}:mật{p}"), (6, "{u}"), (3, "\0{m}"), (1, "nguyễn.{m}:{p}"),
)  # fmt: skip

Read = Callable[[bytes, bool], Any]


def intake(quick: bool = False) -> Iterator[Row]:
    """Combination lists first, which have the bar; CPU time of one thread."""
    made = rows(FEW if quick else LINES)
    combination = "\n".join(line for line, *_ in made).encode() + b"\n"
    said = (
        f"{len(made):,} lines of {len(combination) / len(made):.0f} bytes, 1 in 100 broken; one thread, best of {RUNS}"
    )
    fold = Credentials(bytes(32))
    rate = _rate(len(made), combination, lines.combination, fold)
    yield Row("combination list to hashes", RATE, rate, f"{rate:.2f} M lines/s", said)
    rate = _rate(len(made), combination, lines.combination, None)
    yield Row("of it, to rows", None, rate, f"{rate:.2f} M lines/s", "where account and password stand; copied")
    rate = _rate(len(made), combination, lines.combination, Credentials(bytes(32), ntlm=True))
    yield Row("with NTLM beside SHA-1", None, rate, f"{rate:.2f} M lines/s", "as the first row")
    part = b"".join(line + b"\n" for line in combination.split(b"\n")[:FEW])
    rate = FEW / _best(partial(_loop, part)) / 1e6
    yield Row("a loop in Python", None, rate, f"{rate:.2f} M lines/s", "peer: split, lower, two SHA-1 of hashlib")
    for name, text, read in _others(made[:FEW]):
        rate = _rate(min(len(made), FEW), text, read, fold)
        yield Row(name, None, rate, f"{rate:.2f} M rows/s", f"{FEW:,} rows of the same accounts")


def rows(count: int) -> list[tuple[str, str, str]]:
    """Lines, and the address and password each is made of."""
    chance = random.Random(6)
    words = ["".join(chance.choices(LETTERS, k=chance.randrange(3, 8))) for _ in range(20_000)]
    forms = chance.choices([form for _, form in MIX], [share for share, _ in MIX], k=count)
    made: list[tuple[str, str, str]] = []
    for form in forms:
        user = chance.choice(words) + chance.choice(("", ".", "_")) + chance.choice(words)
        user += str(chance.randrange(100)) if chance.random() < 0.5 else ""
        address, word = f"{user}@{chance.choice(DOMAINS)}", chance.choice(words)
        password = (word if chance.random() < 0.5 else word.title()) + str(chance.randrange(10_000))
        number = f"09{chance.randrange(10**8):08}"
        line = form.format(u=user, m=address, M=address.title(), p=password, h=chance.choice(words), n=number)
        made.append((line, address, password))
    return made


def _others(made: list[tuple[str, str, str]]) -> Iterator[tuple[str, bytes, Read]]:
    sheet = io.StringIO()
    csv.writer(sheet).writerows(("1", address, password) for _, address, password in made)
    yield "CSV", sheet.getvalue().encode(), partial(sheets.sheet, told=sheets.Layout(",", mail=1, secret=2))
    several = "\n".join(json.dumps({"email": address, "password": password}) for _, address, password in made)
    yield "JSONL", several.encode(), objects.objects
    blocks = "".join(f"URL: https://x.example\nUsername: {a}\nPassword: {p}\n\n" for _, a, p in made)
    yield "logs of stealers", blocks.encode(), stealer.blocks


def _rate(count: int, text: bytes, read: Read, fold: Credentials | None) -> float:
    """Millions a second."""

    def whole() -> None:
        at = 0
        while at < len(text):
            page = read(text[at : at + PAGE], at + PAGE >= len(text))
            if fold:
                fold(page.rows)
            at += page.used

    whole()  # kernels are compiled by now
    return count / _best(whole) / 1e6


def _best(made: Callable[[], None]) -> float:
    took: list[float] = []
    for _ in range(RUNS):
        begin = time.process_time()
        made()
        took.append(time.process_time() - begin)
    return min(took)


def _loop(text: bytes) -> None:
    for line in text.split(b"\n"):
        account, _, secret = line.partition(b":")
        hashlib.sha1(account.lower()).digest()
        hashlib.sha1(secret).digest()
