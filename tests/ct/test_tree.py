"""Proofs say what leaves are appended to, and tiles hold the tree: both held to a log that has all its leaves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.ct import tree
from khien.errors import CustodyError, FormatError
from khien.ledger import consistency_proof, leaf_hash, root, subtrees, verify_consistency
from tests.ctlogs import Leaf, Log

LEAVES = 1500


@pytest.fixture(scope="module")
def log() -> Log:
    made = Log("tree")
    made.put(*(Leaf(f"{n}".encode(), b"", b"") for n in range(LEAVES)))
    made.server.server_close()
    return made


SIZES = st.integers(0, LEAVES) | st.sampled_from([0, 1, 2, 255, 256, 257, 512, 1024])


@settings(deadline=None)
@given(SIZES, SIZES)
def test_leaves_behind_a_frontier_lead_to_the_root(log: Log, one: int, other: int) -> None:
    earlier, size = sorted((one, other))
    if earlier == size:
        return
    proof = consistency_proof(earlier, size, log.hashes)
    before = tree.frontier(earlier, size, proof, log.root(earlier))
    leaves = [leaf_hash(each.merkle) for each in log.leaves[earlier:size]]
    assert tree.held(earlier, before, leaves, log.root(size)) == log.root(earlier)


def test_other_leaves_lead_elsewhere(log: Log) -> None:
    proof = consistency_proof(300, 400, log.hashes)
    before = tree.frontier(300, 400, proof, b"")
    leaves = [leaf_hash(each.merkle) for each in log.leaves[300:400]]
    for wrong in (leaves[:-1], leaves[::-1], [*leaves, leaves[0]]):
        with pytest.raises(CustodyError, match="lead to another"):
            tree.held(300, before, wrong, log.root(400))
    with pytest.raises(CustodyError, match="lead to another"):
        tree.held(300, [leaf_hash(b""), *before[1:]], leaves, log.root(400))


@pytest.mark.parametrize("proof", [[], [b"x" * 32], [b"x" * 32] * 30, [b"short"] * 4])
def test_a_proof_of_another_length_is_a_lie(proof: list[bytes]) -> None:
    with pytest.raises(CustodyError, match="the proof has"):
        tree.frontier(300, 400, proof, b"")


@settings(deadline=None)
@given(SIZES, SIZES)
def test_tiles_prove_what_the_log_proves(log: Log, one: int, other: int) -> None:
    earlier, size = sorted((one, other))

    def tile(level: int, number: int) -> bytes:
        begin = number * tree.TILE
        return b"".join(log.levels[8 * level][begin : begin + tree.width(level, number, size)])

    proof = consistency_proof(earlier, size, tree.hashes(size, tile))
    assert proof == consistency_proof(earlier, size, log.hashes)
    verify_consistency(earlier, log.root(earlier), size, log.root(size), proof)


@settings(deadline=None)
@given(st.lists(st.integers(0, 700), max_size=4))
def test_tiles_that_leaves_are_appended_to_are_those_of_the_whole_log(counts: list[int]) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(sum(counts))]
    tiles: dict[tuple[int, int], bytes] = {}
    size = 0

    def there(level: int, number: int) -> bytes:
        return tiles[level, number]

    for count in counts:
        tiles |= tree.appended(size, leaves[size : size + count], there)
        size += count
        at = subtrees(leaves[:size])
        full = [at(bit, (size >> bit) - 1) for bit in reversed(range(size.bit_length())) if size >> bit & 1]
        assert tree.root_of(size, there) == root(size, full)
    rows = {at: len(row) // 32 for at, row in tiles.items()}
    assert rows == {(level, number): tree.width(level, number, size) for level, number in rows}
    assert b"".join(row for (level, _), row in sorted(tiles.items()) if level == 0) == b"".join(leaves)


def test_a_tile_of_another_width_is_refused() -> None:
    with pytest.raises(FormatError, match=r"tile/0/000\.p/5"):
        tree.hashes(5, lambda _level, _number: b"x" * 32)(0, 0)


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 1234067, 256, "tile/1/x001/x234/067"),
        ("data", 999, 12, "tile/data/999.p/12"),
        (2, 1000, 1, "tile/2/x001/000.p/1"),
    ],
)
def test_paths(level: int | str, number: int, width: int, path: str) -> None:
    assert tree.tile_path(level, number, width) == path
