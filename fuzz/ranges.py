"""Fuzzes what range requests bring, and filter files. Needs atheris; stands outside the tests.

    python3 dev fuzz ranges 1000000

Whatever the request, the answer is 200, 304, 400, 405 or 503, and only a prefix that is one gets rows. A filter that is
none is a FormatError, and one that opens answers whatever it is asked. What is compiled cannot be watched: only two
functions are.
"""

import gzip
import hashlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris
import numpy as np

from khien.breach import fuse, sorting, table
from khien.breach.ranges import Ranges
from khien.errors import FormatError
from khien.web.ranges import RangeSite

_answer: Any = atheris.instrument_func(RangeSite.answer)
_open: Any = atheris.instrument_func(fuse.Filter.open.__func__)
_FOLDER = Path(tempfile.mkdtemp(prefix="khien-fuzz-"))
_ASKED = np.frombuffer(hashlib.shake_128(b"asked").digest(100 * 20), np.uint8).reshape(100, 20)


class _Held:
    """Two digests, in both modes."""

    def __init__(self) -> None:
        rows = np.zeros((2, 28), np.uint8)
        rows[1, :20], rows[:, 27] = 255, 1
        sorting.write_run(_FOLDER / "run", rows, counted=True)
        made = table.Table.open(table.build(_FOLDER, "sha1", 20, [_FOLDER / "run"]))
        self.ranges = Ranges((made,), 20, bytes(32))

    def of(self, _mode: str) -> Ranges:
        """What Held answers."""
        return self.ranges


_HELD: Any = _Held()
_SITE = RangeSite(_HELD)


def test_one_input(content: bytes) -> None:
    """Asks, and opens; whatever is raised but FormatError is for atheris to report."""
    given = atheris.FuzzedDataProvider(content)
    if given.ConsumeBool():
        _ask(given)
    else:
        _look(given)


def _ask(given: Any) -> None:
    method = given.PickValueInList(["GET", "GET", "OPTIONS", "POST", given.ConsumeUnicode(30)])
    prefix = given.ConsumeUnicode(given.ConsumeIntInRange(0, 8))
    query, padded, known, taken = (given.ConsumeBytes(given.ConsumeIntInRange(0, 30)) for _ in range(4))
    status, headers, body = _answer(_SITE, method, prefix, query, padded, known, taken)
    assert status in (200, 304, 400, 405)
    assert all(isinstance(each, bytes) for header in headers for each in header)
    if status == 200 and method == "GET":
        assert len(prefix) == 5
        assert prefix.isascii()
        rows = gzip.decompress(body) if (b"content-encoding", b"gzip") in headers else body
        assert int(prefix, 16) in (0, 0xFFFFF) or padded.lower() == b"true" or re.fullmatch(rb"[0-9A-F]{35}:0", rows)


def _look(given: Any) -> None:
    path = _FOLDER / "filter"
    path.write_bytes(_almost(given))
    try:
        found = _open(fuse.Filter, path)
    except FormatError as error:
        assert "\n" not in str(error), "an error is one line"
    else:
        assert found.met(_ASKED).shape == (100,)


def _almost(given: Any) -> bytes:
    """A filter, of which something may be changed."""
    path = _FOLDER / "whole"
    if not path.exists():
        digests = _ASKED[np.argsort(_ASKED[:, :8].copy().view(">u8")[:, 0])]
        with path.open("w+b") as file:
            fuse.write(file, "sha1", 8, [digests], most=100, generation="fuzz")
    content = bytearray(path.read_bytes())
    for _ in range(given.ConsumeIntInRange(0, 4)):
        at = given.PickValueInList([0, fuse.HEAD - 20, fuse.HEAD, fuse.HEAD + 8, fuse.HEAD + 12])
        at += given.ConsumeIntInRange(0, 100)
        content[at : at + 1] = given.ConsumeBytes(given.ConsumeIntInRange(0, 3))
    return bytes(content)


def main() -> None:
    """The arguments are libFuzzer's."""
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
