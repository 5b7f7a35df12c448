"""Tables of digests, made as an intake makes them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from khien.breach import sorting, table
from khien.breach.table import Table


def made(folder: Path, counts: Mapping[bytes, int], name: str = "sha1") -> Table:
    """A table of digests, all as long as the first, with these counts; a SHA-1 table where there are none."""
    width = len(next(iter(counts), bytes(table.SHA1)))
    folder.mkdir(parents=True, exist_ok=True)
    rows = b"".join(digest + count.to_bytes(8, "big") for digest, count in counts.items())
    run = folder / f"{name}.run"
    sorting.write_run(run, np.frombuffer(rows, np.uint8).reshape(-1, width + 8), counted=True)
    path = table.build(folder, name, width, [run])
    run.unlink()
    return Table.open(path)
