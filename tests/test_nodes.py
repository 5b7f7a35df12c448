"""Hashes made sixteen side by side are those of hashlib."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien import ledger, nodes
from khien.ledger import HASH

COUNTS = st.integers(0, 80)
SEEDS = st.binary(min_size=8, max_size=8)


def made(count: int, seed: bytes) -> list[bytes]:
    return [hashlib.sha256(seed + n.to_bytes(4)).digest() for n in range(count)]


@settings(deadline=None)
@given(COUNTS, SEEDS)
def test_leaves(count: int, seed: bytes) -> None:
    leaves = made(count, seed)
    assert ledger.leaf_hashes(leaves) == [hashlib.sha256(b"\0" + each).digest() for each in leaves]


@settings(deadline=None)
@given(COUNTS, SEEDS)
def test_rows_above(count: int, seed: bytes) -> None:
    row = made(count, seed)
    for found in ledger.rows_above(b"".join(row)):
        assert found == b"".join(row)
        row = [hashlib.sha256(b"\1" + row[n] + row[n + 1]).digest() for n in range(0, len(row) - 1, 2)]
    assert not row


@pytest.mark.parametrize("leaves", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 2, 17, 39])
def test_the_kernel_is_the_function_it_is_made_of(count: int, leaves: int) -> None:
    tree = np.zeros(2 * HASH * count + 1, np.uint8)
    tree[: HASH * count] = np.frombuffer(b"".join(made(count, b"the same")), np.uint8)
    plain = tree.copy()
    there = nodes.grow(tree, count, leaves, np.zeros(nodes.ROOM, np.uint32), nodes.CONSTANTS)
    with np.errstate(over="ignore"):
        assert nodes.grow.plain(plain, count, leaves, np.zeros(nodes.ROOM, np.uint32), nodes.CONSTANTS) == there
    assert plain.tobytes() == tree.tobytes()
