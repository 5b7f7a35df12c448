"""Fuzzes what certificate transparency logs send: rows, an error of ours, nothing else; Python and kernel alike.

    python3 dev fuzz ct 1000000

An input's first byte chooses what the rest is: a leaf (whole, or put into a good one at a place), an answer, a tile, a
head, a list of logs, a cursor. Kernels are compiled and cannot be watched; how a leaf is read is also run interpreted,
watched, and held to what the kernel answers.
"""

import sys

import atheris
import numpy as np

from khien.ct import entries, heads, intervals, leaves, loglist
from khien.errors import CustodyError, FormatError, InputError

LOG = loglist.Log(
    "log", "us", "static", "", bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    + bytes.fromhex("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6")
    + bytes.fromhex("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
    "https://log.example/", "log.example", "usable", None,
)  # fmt: skip
WATCHED = (
    leaves.number, leaves.content, leaves.part, leaves.digits, leaves.moment, leaves.copy_name, leaves.is_met,
    leaves.add_name, leaves.read_alternatives, leaves.read_extensions, leaves.read_subject, leaves.read_certificate,
    leaves.read_leaf, entries.of_tile, entries._tile_leaf, entries._behind, entries.issuer.__wrapped__,
    loglist.parse, loglist._log, heads.of_answer, heads.of_checkpoint, heads._verify, intervals.decode,
)  # fmt: skip


def der(tag: int, *parts: bytes) -> bytes:
    contents = b"".join(parts)
    size = len(contents)
    return bytes((tag, size) if size < 0x80 else (tag, 0x82, size >> 8, size & 0xFF)) + contents


def good() -> bytes:
    """A leaf of a precertificate."""
    name = der(0x30, der(0x31, der(0x30, b"\x06\x03\x55\x04\x03", der(0x0C, b"b.example"))))
    valid = der(0x30, der(0x17, b"260101000000Z"), der(0x18, b"20601231235959Z"))
    names = der(0x30, der(0x82, b"a.example"), der(0x82, b"*.c.example."), der(0x87, b"\1\2\3\4"))
    others = der(0xA3, der(0x30, der(0x30, b"\x06\x03\x55\x1d\x11\x01\x01\xff", der(4, names))))
    tbs = der(0x30, b"\xa0\x03\x02\x01\x02\x02\x01\x07\x30\x00", name, valid, name, b"\x30\x00", others)
    return (1_793_500_000_000).to_bytes(8) + b"\0\1" + bytes(32) + len(tbs).to_bytes(3) + tbs + b"\0\0"


GOOD = good()


def read_leaf(octets: bytes) -> None:
    """As the kernel reads it and as Python does."""
    given = entries.Entries(0, [b""], octets, np.zeros(1, np.int64), np.array([len(octets)]))
    certified = entries.Certified(given)
    certified.rows("log", np.ones(certified.names, bool)).validate(full=True)
    certified.skipped("log")
    room = len(octets) + 2
    numbers, values, offsets, owners = [0] * leaves.WIDTH, [0] * room, [0] * room, [0] * room
    refused, filled = [0] * room * leaves.REFUSAL, [0, 0, 0, entries.KEPT]
    names = leaves.read_leaves.plain(octets, [0], [len(octets)], 1, numbers, values, offsets, owners, refused, filled)
    assert names == certified.names, "as many names"
    assert numbers == certified._numbers[0].tolist(), "the same numbers"
    assert values[: offsets[names]] == certified.values[: offsets[names]].tolist(), "the same names"


def test_one_input(content: bytes) -> None:
    """Whatever but a refusal comes out of it is for atheris to report."""
    chosen, rest = content[0] % 8 if content else 0, content[1:]
    try:
        if chosen == 0:
            read_leaf(rest)
        elif chosen < 4:
            at = int.from_bytes(rest[:2]) % len(GOOD)
            read_leaf(GOOD[:at] + rest[2:] + GOOD[at + (len(rest[2:]) if chosen > 1 else 0) :])
        elif chosen == 4:
            entries.Certified(entries.of_answer(rest, 0, 9))
            heads.proof_of_answer(rest)
        elif chosen == 5:
            entries.Certified(entries.of_tile(rest, 0, 1 + len(rest) % 3, 0))
        elif chosen == 6:
            heads.of_answer(rest, LOG) if rest.startswith(b"{") else heads.of_checkpoint(rest, LOG)
        else:
            loglist.parse(rest) if rest.startswith(b"{") else intervals.progress(rest)
    except (FormatError, CustodyError, InputError):
        pass


def main() -> None:
    """Kernels are compiled first: what is watched is changed, and cannot be compiled any more."""
    read_leaf(GOOD)
    for function in WATCHED:
        atheris.instrument_func(function)
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
