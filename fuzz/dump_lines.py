"""Fuzzes how rows of dumps are read: rows or a reason, whatever the octets. Needs atheris; stands outside the tests.

    python3 dev fuzz dump_lines 1000000

An input's first octet chooses the form. Kernels are compiled and cannot be watched: the plain rules that those for
combination lists, logs of stealers and JSON are held to are, and the two must agree; so must the two spellings of each
account. Nothing may hold back a block for ever: read again to its end, it is used up.
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
    reference.Log.__init__, reference.Log._close, reference._Block.has, reference._Block.take, reference.jsonl,
    reference._fields, reference._deep, sheets.layout,
    accounts.canonical, accounts._address, accounts._number, accounts._vietnamese,
):  # fmt: skip
    atheris.instrument_func(_each)
Plain = tuple[list[reference.Row], list[int]]
LAYOUT = sheets.Layout(",", 0, 1, 2, 3)
FORMS: Any = (lines.combination, stealer.blocks, objects.objects, partial(sheets.sheet, told=LAYOUT))


def by_lines(rule: Any, block: bytes) -> Plain:
    """What a rule for lines says of a block: rows, and reasons why some are none."""
    met = [rule(line) for line in block.split(b"\n")]
    rows = [row for each in met if not isinstance(each, int) for row in each or ()]
    return [(account, leaked.decode(secret)) for account, secret in rows], [
        each for each in met if isinstance(each, int)
    ]


def combination(line: bytes) -> list[reference.Row] | int | None:
    """As the rules of the other forms answer: several rows."""
    met = reference.combination(line)
    return [met] if isinstance(met, tuple) else met


def log(block: bytes) -> Plain:
    """The same of a stealer's log."""
    read = reference.Log(block, True)
    return [(account, leaked.decode(secret)) for account, secret in read.rows], [reason for _, _, reason in read.broken]


PLAIN: Any = {
    lines.combination: partial(by_lines, combination),
    objects.objects: partial(by_lines, reference.jsonl),
    stealer.blocks: log,
}


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
    if read in PLAIN:
        rows, broken = PLAIN[read](block)
        assert [(row["account"], row["secret"]) for row in whole.rows.to_pylist()] == rows
        assert whole.reasons == [leaked.REASONS[each] for each in broken]
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
