"""Where a value stands in a large file: sorted hashes of a column's values and the row of each, in a file beside it."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from khien.compiled import inner, kernel

LOOKED_UP: Mapping[str, str] = {"names": "name"}  # table to the column of strings that has such a file
_BASIS, _PRIME, _BITS = 0x2BF29CE48423, 0x1A2B5, (1 << 46) - 1  # as files on disk have them: never to be changed


@inner
def _step(state, byte):
    return ((state ^ byte) * _PRIME) & _BITS


@kernel("i8", "i4*", "u1*", "i8", "i8*")
def _hash(ends, text, rows, hashes):
    """The hash of each row's text, in the manner of FNV-1a; 46 bits, so that products stay within 63."""
    for row in range(rows):
        state = _BASIS
        for i in range(ends[row], ends[row + 1]):
            state = _step(state, text[i])
        hashes[row] = state ^ (state >> 23)
    return rows


def build(column: pa.ChunkedArray) -> bytes:
    """The file for a column of strings: 8 bytes of hash a row, in ascending order, then 4 bytes of its number."""
    hashes = np.concatenate([_hashes(chunk) for chunk in column.chunks]) if column.num_chunks else np.zeros(0, np.int64)
    order = np.argsort(hashes, kind="stable")
    return hashes[order].astype("<i8").tobytes() + order.astype("<u4").tobytes()


def search(file: pa.Buffer, values: pa.Array) -> np.ndarray:
    """The numbers of the rows whose hash is that of one of the values, ascending, shape (n,)."""
    rows = file.size // 12
    hashes, numbers = np.frombuffer(file, "<i8", rows), np.frombuffer(file, "<u4", rows, 8 * rows)
    wanted = np.unique(_hashes(values))
    begins, ends = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, "right")
    hits = [numbers[begin:end] for begin, end in zip(begins, ends, strict=True) if end > begin]
    return np.sort(np.concatenate(hits)) if hits else np.zeros(0, np.uint32)


def _hashes(array: pa.Array) -> np.ndarray:
    array = pc.fill_null(array, "")
    hashes = np.zeros(len(array), np.int64)
    _, ends, text = array.buffers()
    if len(array) and ends is not None:
        own = np.frombuffer(ends, np.int32)[array.offset : array.offset + len(array) + 1]
        _hash(np.ascontiguousarray(own), np.frombuffer(text or b"\0", np.uint8), len(array), hashes)
    return hashes
