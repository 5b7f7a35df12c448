"""Fuzzes look-ups in damaged tables of digests: answers, nothing read outside. Needs atheris; stands outside the tests.

    python3 dev fuzz digest_table 1000000

Kernels are compiled and cannot be watched: they are run as they stand, over a mapped file that fails where one reads
beside it. An input is a number of octets to change, where and to what, and then digests to look up.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris
import numpy as np

from khien.compiled import Kernel

with atheris.instrument_imports(include=["khien.breach.buckets"]):
    from khien.breach import buckets
from khien.breach.sorting import write_run
from khien.breach.table import SHA1, Table, build

_CHANGE = 6  # octets: section, where in it, to what


class _Buffer:
    """Numbers that are read and written only where they are."""

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers.reshape(-1)

    def __getitem__(self, at: int) -> int:
        assert 0 <= at < len(self.numbers), "reads beside the buffer"
        return int(self.numbers[at])

    def __setitem__(self, at: int, number: int) -> None:
        assert 0 <= at < len(self.numbers), "writes beside the buffer"
        self.numbers[at] = int(number)


def _interpreted(kernel: Kernel, *values: Any) -> Any:
    return kernel.plain(*(_Buffer(each) if isinstance(each, np.ndarray) else each for each in values))


Kernel.__call__ = _interpreted  # watched code does not compile


class Damaged:
    """A table's sections, copied so that they can be changed; buckets are empty, full, and larger than a window."""

    def __init__(self) -> None:
        chance = np.random.default_rng(6)
        rows = chance.integers(0, 256, (600, SHA1 + 8), np.uint8)
        rows[:400, :2], rows[:300, 2] = 7, 9
        rows[:, SHA1 : SHA1 + 6] = 0
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            write_run(run, rows, counted=True)
            table = Table.open(build(Path(folder), "sha1", SHA1, [run]))
        # behind the rows a file goes on: five rows of it may be read
        self.rows = np.concatenate([table._rows, table._bits[: 5 * 18]])
        self.bits, self.bases, self.large = (each.copy() for each in (table._bits, table._bases, table._large))
        self.entries, self.known = table.entries, rows[:, :SHA1]
        self.sections = (self.rows, self.bits, self.bases.view(np.uint8), self.large.view(np.uint8))

    def look_up(self, digests: Any) -> None:
        """Each kernel that reads a table, as Table calls it."""
        rest, larger, places = SHA1 - buckets.BUCKET, len(self.large) // 2, buckets.PLACES
        parts = (self.rows, self.entries, rest, self.bits, self.bases, places, self.large, larger)
        out = np.zeros(len(digests), np.int64)
        found = np.zeros(2, np.int64)
        buckets.counts(*parts, digests, len(digests), *buckets.room(len(digests), SHA1), out)
        for digest, count in zip(digests, out, strict=True):
            assert buckets.count(*parts, digest) == count, "one at a time another count"
            first = int.from_bytes(digest[:3].tobytes(), "big") // 16 * 16
            buckets.span(self.entries, self.bits, self.bases, places, first, first + 15, found)
            begin, n = int(found[0]), min(max(int(found[1] - found[0]), 0), 3)
            rows, bucket = self.rows[begin * (rest + 1) :], np.array([first])
            made, counts = np.zeros((n, SHA1), np.uint8), np.zeros(n, np.int64)
            buckets.unfold(rows, begin, n, rest, self.bits, self.entries, self.large, larger, bucket, made, counts)


def test_one_input(table: Damaged, content: bytes) -> None:
    """Changes a table, looks up, and changes it back."""
    changes, before = content[0] % 32 if content else 0, list[tuple[Any, int, int]]()
    content = content[1:]
    for _ in range(changes):
        change, content = content[:_CHANGE].ljust(_CHANGE, b"\0"), content[_CHANGE:]
        section = table.sections[change[0] % len(table.sections)]
        at = int.from_bytes(change[1:5], "big") % max(len(section), 1)
        if len(section):
            before.append((section, at, int(section[at])))
            section[at] = change[5]
    digests = np.frombuffer(content[: len(content) // SHA1 * SHA1], np.uint8).reshape(-1, SHA1)[:8]
    near = table.known[:: max(len(table.known) // 6, 1)]
    table.look_up(np.ascontiguousarray(np.concatenate([digests, near])))
    for section, at, octet in reversed(before):
        section[at] = octet


def main() -> None:
    """The arguments are libFuzzer's."""
    table = Damaged()
    atheris.Setup(sys.argv, lambda content: test_one_input(table, content))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
