"""Fuzzes how rows of dumps are read: rows or a reason, whatever the octets. Needs atheris; stands outside the tests.

    python3 dev fuzz dump_lines 1000000

An input's first octet chooses the form. Kernels are compiled and cannot be watched: the plain rules that the one for
combination lists is held to are, and the two must agree; so must the two spellings of each account. Nothing may hold
back a block for ever: read again to its end, it is used up.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import atheris
import numpy as np

from khien.breach import accounts, leaked, lines, objects, sheets, stealer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.breach import reference

for _each in (
    reference.combination, reference._split, reference._address_first, reference._url_end, reference._path_end,
    objects.objects, objects._rows, objects._fields, stealer.blocks, stealer._take, stealer._close, sheets.layout,
    accounts.canonical, accounts._address, accounts._number, accounts._vietnamese,
):  # fmt: skip
    atheris.instrument_func(_each)
LAYOUT = sheets.Layout(",", 0, 1, 2, 3)
FORMS: Any = (lines.combination, stealer.blocks, objects.objects, partial(sheets.sheet, told=LAYOUT))


def test_one_input(content: bytes) -> None:
    """Reads content; whatever comes out of it but rows is for atheris to report."""
    if not content:
        return
    read, block = FORMS[content[0] % len(FORMS)], content[1:]
    part = read(block, ended=False)
    part.rows.validate(full=True)
    assert 0 <= part.used <= len(block)
    whole = read(block, ended=True)
    whole.rows.validate(full=True)
    assert whole.used == len(block)
    assert np.all((whole.offsets >= 0) & (whole.offsets + whole.lengths <= len(block)))
    if read is lines.combination:
        met = [reference.combination(line) for line in block.split(b"\n")]
        rows = [(row[0], leaked.decode(row[1])) for row in met if isinstance(row, tuple)]
        assert [(row["account"], row["secret"]) for row in whole.rows.to_pylist()] == rows
        assert whole.reasons == [leaked.REASONS[each] for each in met if isinstance(each, int)]
    spell(whole.rows.column("account").to_pylist())
    sheets.layout(block)


def spell(several: list[bytes]) -> None:
    """Both spellings of each account."""
    offsets = np.cumsum([0, *map(len, several)]).astype(np.int64)
    spelled = accounts.spell(np.frombuffer(b"".join(several), np.uint8), offsets[:-1], offsets[1:])
    for i, raw in enumerate(several):
        text = spelled.values[spelled.starts[i] : spelled.ends[i]].tobytes()
        assert accounts.canonical(raw) == (None if spelled.kinds[i] == accounts.NAME else text)


def main() -> None:
    """The arguments are libFuzzer's."""
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
