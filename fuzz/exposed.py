"""Fuzzes files of accounts: one that opens answers every question with rows of its own; else a CustodyError.

    python3 dev fuzz exposed 1000000

An input is put over a good file at a place, or is the whole file; a seal of its own makes that some get past it.
"""

import hashlib
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["khien.breach.exposed", "khien.breach.sealed"]):
    from khien.breach import exposed, sealed
    from khien.breach.exposed import BUCKETS, ROW, Exposed, tagged
    from khien.errors import CustodyError, InputError

FOLDER = Path(tempfile.mkdtemp(prefix="khien-fuzz-"))
ROWS = np.arange(4 * ROW, dtype=np.uint8).reshape(4, ROW)
GOOD = exposed.build(FOLDER, "accounts-1", 1, [ROWS]).read_bytes()
SEALED = len(GOOD) - sealed.FOOTER
PLACES = (0, 4 * ROW, SEALED - 8, SEALED)  # of rows, of the index's begin and end, of the seal


def sealed_anew(octets: bytes) -> bytes:
    """With a footer that fits what stands before it, as who can write the file would make."""
    seal = sealed.Seal(b"accounts", 1, ROW, 4, 1)
    footer = sealed._FOOTER.pack(*seal, hashlib.sha256(octets).digest())
    return octets + footer + hashlib.sha256(footer).digest()


def test_one_input(content: bytes) -> None:
    """Whatever but a refusal comes out of it is for atheris to report."""
    chosen, rest = content[0] if content else 0, content[1:]
    at = PLACES[chosen % 4] + (rest[0] if rest else 0)
    octets = rest if chosen & 4 else GOOD[:at] + rest[1:] + GOOD[at + len(rest[1:]) :]
    path = FOLDER / "accounts"
    path.write_bytes(sealed_anew(octets[:SEALED]) if chosen & 8 else octets)
    try:
        held = Exposed.open(path)
    except CustodyError:
        return
    every = sum(len(rows) for rows in held.blocks())
    assert every == held.entries == len(held.rows(0, BUCKETS - 1)), "all rows are in some bucket"
    for number in (0, int.from_bytes(rest[:2], "big"), BUCKETS - 1):
        assert all(len(tag) == 6 and numbers for tag, numbers in tagged(held.rows(number)))
    held.collections(rest[:16].ljust(16, b"\0"))
    with suppress(InputError):
        held.rows(int.from_bytes(rest[:3], "big"))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
