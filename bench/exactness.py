"""Exactness: what the scan finds in real hosts against the reference, which tries every word at every window.

    python3 dev bench exactness [HOSTS]

The reference (khien.names.reference) knows no pieces, keys or bits; nothing may be missed and nothing more found. The
words are the shipped register's. Hosts are 100,000 of the real lists in ../shared where those are, else the bundled
sample. Exit status 1 when the two differ.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from khien.app import registers
from khien.names import match, reference
from khien.names.text import ALIKE, MARKED

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data" / "names"
SAMPLE = ROOT / "src" / "khien" / "data" / "sample" / "names.tsv.zst"
# List, and its share of the hosts; of the last, only names in IDN form.
LISTS = (
    ("phish_hosts.tsv.zst", 0.3, b""),
    ("ct_stream.tsv.zst", 0.22, b""),
    ("nrd_newest.txt.zst", 0.22, b""),
    ("vn_lists_union.tsv.zst", 0.12, b""),
    ("vn_lookalike.tsv", 0.04, b""),
    ("phish_hosts.tsv.zst", 0.1, b"xn--"),
)
BATCH = 10_000
CHANGES = (
    "exact", "alike", "hyphenated", "alike and hyphenated", "dotted", "alike and dotted", "one edit", "two edits",
)  # fmt: skip
FORMS = ("transposed", "inserted", "substituted", "omitted")

Row = tuple[int, ...]  # name, word, start, behind the end, rank


def hosts(wanted: int) -> list[bytes]:
    """As many real hosts, evenly spread over each list."""
    if not SHARED.exists():
        print(
            f"exactness: {SHARED.relative_to(ROOT.parent)} is not here: the bundled sample stands in", file=sys.stderr
        )
        if not SAMPLE.exists():
            sys.exit("exactness: and there is no bundled sample")
        return column(SAMPLE, b"")[:wanted]
    chosen: list[bytes] = []
    for name, share, holding in LISTS:
        rows = column(SHARED / name, holding)
        step = max(1.0, len(rows) / (share * wanted))
        chosen += (rows[int(i * step)] for i in range(int(len(rows) / step)))
    return chosen[:wanted]


def column(path: Path, holding: bytes) -> list[bytes]:
    """The first column of a list, where it holds these bytes."""
    with pa.input_stream(str(path), compression="zstd" if path.suffix == ".zst" else None) as file:
        lines = file.read().split(b"\n")
    return [name for line in lines if (name := line.partition(b"\t")[0]) and holding in name]


def technique(row: Row, read: Sequence[reference.Letter]) -> str:
    """What a match is called here: its change, and how letters that are not ASCII stood in it."""
    change, form = divmod(row[4], 8)
    kinds = {letter.kind for letter in read[row[2] : row[3]]}
    name = CHANGES[change] + (f", {FORMS[form]}" if change == match.ONE_EDIT else "")
    return name + (", look-alike script" if ALIKE in kinds else ", marked letters" if MARKED in kinds else "")


def batches(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Names, some thousands at a time."""
    for first in range(0, len(names), BATCH):
        yield names[first : first + BATCH]


def main() -> int:
    """Compares, and prints a row for each technique."""
    names = hosts(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    program = registers.lookalike().program
    folds = reference.unpack(program.folds.astype("<u4").tobytes())
    seen, missed, extra = Counter[str](), Counter[str](), Counter[str]()
    examples: list[str] = []
    began = time.perf_counter()
    for batch in batches(names):
        read = [reference.read(name, folds) for name in batch]
        texts = ["".join(letter.letter for letter in each) for each in read]
        expected = set(map(tuple, reference.matches(texts, program.words).tolist()))
        found = set(map(tuple, reference.scanned(batch, program.word_tables, program.folds).tolist()))
        for counts, rows in ((seen, expected), (missed, expected - found), (extra, found - expected)):
            counts.update(technique(row, read[row[0]]) for row in rows)
        examples += (
            f"{texts[row[0]]!r} {program.words[row[1]].text} {row[2:]}: {'missed' if row in expected else 'extra'}"
            for row in sorted(expected ^ found)
        )
    print(f"{len(names):,} hosts, {len(program.words)} words, {time.perf_counter() - began:.0f} s")
    print(f"{'technique':<44}{'reference':>10}{'missed':>8}{'extra':>8}")
    for name in sorted(seen | missed | extra):
        print(f"{name:<44}{seen[name]:>10,}{missed[name]:>8}{extra[name]:>8}")
    print(f"{'all':<44}{seen.total():>10,}{missed.total():>8}{extra.total():>8}")
    print(*examples[:20], sep="\n", end="\n" if examples else "")
    return 1 if examples else 0


if __name__ == "__main__":
    sys.exit(main())
