"""Makes src/khien/data/sample/names.tsv.zst: a real, dated, bundled stream of names for the first minute.

Certificate names of real days (`ct_stream`, Unlicense) with imitations among them that stand on a list that may be
bundled (ChongLuaDao's under BSD-3, hostsVN's under MIT) and that a person has read and said so (`vn_hand_labelled`):
automatic labels accuse innocents. For the same reason certificate names that the detector itself would accuse, and
nobody has read, are left out; those it knows to be good are all there. Rows are name, first day seen, list; in the
order of days.

    python3 generate/sample.py ../shared/data
"""

import sys
from pathlib import Path

import pyarrow as pa

from khien import app, schema

TARGET = Path(__file__).parent.parent / "src/khien/data/sample/names.tsv.zst"
STREAM = 60_000  # certificate names: about every eighth
BUNDLED = {"chongluadao_urls": "ChongLuaDao (BSD-3-Clause)", "hostsvn": "hostsVN (MIT)"}


def rows(path: Path) -> list[list[str]]:
    """Rows of a list."""
    with pa.input_stream(path, compression="zstd" if path.suffix == ".zst" else None) as stream:
        return [line.split("\t") for line in stream.read().decode().splitlines() if line]


def main() -> None:
    names = Path(sys.argv[1]) / "names"
    read = {row[0] for row in rows(names / "vn_hand_labelled.tsv")[1:] if row[1] != "-"}
    chosen = []
    for name, day, lists in rows(names / "vn_lists_union.tsv.zst"):
        origins = [text for tag, text in BUNDLED.items() if any(each.startswith(tag) for each in lists.split(","))]
        if origins and name in read:
            chosen.append((day, name, origins[0]))
    stream = rows(names / "ct_stream.tsv.zst")
    batch = [pa.array([row[0] for row in stream]), pa.nulls(len(stream), schema.TIME)]
    found = app.lookalike()(pa.record_batch(batch, schema=schema.NAMES))
    met = set(found["subject"].to_pylist())
    known = set(found.filter(found["suppressed"])["subject"].to_pylist())  # what is known good is to be seen too
    apart = len(stream) // STREAM
    chosen += [
        (day, name, "CertStream-World (Unlicense)")
        for number, (name, day, *_) in enumerate(stream)
        if name in known or (number % apart == 0 and name not in met)
    ]
    text = "name\tfirst_seen\tlist\n" + "".join(f"{name}\t{day}\t{origin}\n" for day, name, origin in sorted(chosen))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(pa.Codec("zstd", compression_level=19).compress(text.encode(), asbytes=True))
    print(f"{len(chosen)} rows, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
