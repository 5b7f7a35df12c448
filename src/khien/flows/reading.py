"""What every reader of flow files takes and gives: bytes by the piece, flow records by the page, what it set aside."""

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

Take = Callable[[int], bytes]  # at most so many of the bytes that come next; b"" at the end


class Refused(NamedTuple):
    """What was set aside: where it begins (an offset in bytes, or a line), why, and how often from there on."""

    at: int
    code: str
    times: int = 1


class Read(NamedTuple):
    """A page of a file: rows of schema.FLOWS in the file's order, and what was set aside between them."""

    flows: pa.RecordBatch
    refused: tuple[Refused, ...] = ()


def exactly(take: Take, size: int) -> bytes:
    """So many bytes, or fewer where the end comes before."""
    parts: list[bytes] = []
    while size > 0:
        part = take(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
