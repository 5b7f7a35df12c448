import hashlib
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khien.breach import buckets, sealed
from khien.breach.buckets import BUCKET, BUCKETS, ORDERED, PLACES, TOGETHER
from khien.breach.sorting import merged, write_run
from khien.breach.table import NTLM, SHA1, Table, build
from khien.errors import ContractError, CustodyError

MOST = 2**63 - 1


def _digest(width: int, bucket: int, rest: int) -> bytes:
    return bucket.to_bytes(3, "big") + rest.to_bytes(width - 3, "big")


def _run(folder: Path, counts: dict[bytes, int], name: str = "run") -> Path:
    rows = b"".join(digest + count.to_bytes(8, "big") for digest, count in counts.items())
    write_run(folder / name, np.frombuffer(rows, np.uint8).reshape(len(counts), -1), counted=True)
    return folder / name


def _table(folder: Path, counts: dict[bytes, int], width: int = SHA1) -> Table:
    return Table.open(build(folder, "sha1", width, [_run(folder, counts)] if counts else []))


def _all(table: Table) -> dict[bytes, int]:
    return {
        bytes(digest): int(count)
        for digests, counts in table.batches()
        for digest, count in zip(digests, counts, strict=True)
    }


def _array(digests: list[bytes], width: int):
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, width)


def _crowded(width: int) -> dict[bytes, int]:
    """Buckets that are empty, full, next to each other, first, last, and larger than any window of bits."""
    chance = np.random.default_rng(6)
    sizes = {0: 3, 1: 1, 7: 200, 8: 1, 15: 9, 16: 60, 17: 0, 4096: 130, 4097: 2, BUCKETS // 2: 8, BUCKETS - 1: 70}
    digests = [
        _digest(width, bucket, int(rest))
        for bucket, size in sizes.items()
        for rest in [0, *chance.integers(1, 2**62, size)][:size]
    ]
    digests += [bytes(row) for row in chance.integers(0, 256, (2000, width), np.uint8)]
    counts = [1, 2, 254, 255, 256, 70_000, MOST]
    return {digest: counts[n % len(counts)] for n, digest in enumerate(digests)}


@pytest.mark.parametrize("width", [SHA1, NTLM])
def test_look_ups_know_what_was_built(tmp_path: Path, width: int) -> None:
    counts = _crowded(width)
    table = _table(tmp_path, counts, width)
    assert (table.width, table.entries) == (width, len(counts))
    assert _all(table) == counts
    assert list(_all(table)) == sorted(counts)
    known = list(counts)
    unknown = [digest[:-1] + bytes([digest[-1] ^ 1]) for digest in known]
    unknown += [
        bytes([*digest[:at], digest[at] ^ 128, *digest[at + 1 :]]) for digest in known[::9] for at in range(width)
    ]
    asked = [*known, *unknown]
    assert table.counts(_array(asked, width)).tolist() == [counts.get(each, 0) for each in asked]
    assert [table.count(each) for each in asked[::7]] == [counts.get(each, 0) for each in asked[::7]]


def test_ranges_are_whole_and_apart(tmp_path: Path) -> None:
    counts = _crowded(SHA1)
    table = _table(tmp_path, counts)
    prefixes = {int.from_bytes(digest[:3], "big") >> 4 for digest in counts} | {2, 2**20 - 1}
    found: list[tuple[bytes, int]] = []
    for prefix in sorted(prefixes):
        digests, times = table.range(prefix)
        assert all(int.from_bytes(bytes(digest[:3]), "big") >> 4 == prefix for digest in digests)
        found += [(bytes(digest), int(count)) for digest, count in zip(digests, times, strict=True)]
    assert found == sorted(counts.items())
    for prefix in (-1, 2**20):
        with pytest.raises(ContractError):
            table.range(prefix)


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 5, BUCKETS - 1]), st.integers(0, 3), st.integers(1, 300))))
@settings(max_examples=12, deadline=None)
def test_the_file_follows_from_its_digests_and_counts(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    counts = {_digest(SHA1, bucket, rest): count for bucket, rest, count in drawn}
    whole = _table(folder, counts)
    assert whole.path.name == f"sha1-{hashlib.sha256(whole.path.read_bytes()).hexdigest()[:24]}"
    assert stat.S_IMODE(whole.path.stat().st_mode) == 0o600
    half = dict(list(counts.items())[::2])
    later = {digest: count for digest, count in counts.items() if digest not in half}
    more = dict.fromkeys(list(half)[:3], 1)  # of what is there already
    earlier = {digest: count - more.get(digest, 0) for digest, count in half.items()}
    base = _table(folder, {digest: count for digest, count in earlier.items() if count})
    runs = [_run(folder, each, name) for name, each in (("later", later), ("more", more)) if each]
    again = Table.open(build(folder, "sha1", SHA1, runs, base=base))
    assert again.path == whole.path
    assert _all(again) == counts


def test_counts_of_runs_add_up(tmp_path: Path) -> None:
    one, other = (bytes([each]) * SHA1 for each in b"ab")
    runs = [_run(tmp_path, {one: 2}, "1"), _run(tmp_path, {one: 1, other: 1}, "2")]
    told: list[tuple[int, int]] = []
    first = Table.open(build(tmp_path, "sha1", SHA1, runs, told=lambda done, of: told.append((done, of))))
    assert _all(first) == {one: 3, other: 1}
    assert told[-1] == (3, 3)
    assert _all(Table.open(build(tmp_path, "sha1", SHA1, runs, base=first))) == {one: 6, other: 2}
    assert {each.name for each in tmp_path.iterdir()} >= {"1", "2", first.path.name}
    assert len(list(tmp_path.iterdir())) == 4, "nothing of what stood in between is left"


def test_counts_end_where_numbers_do(tmp_path: Path) -> None:
    digest = bytes(SHA1)
    base = _table(tmp_path, {digest: MOST - 1})
    assert Table.open(build(tmp_path, "sha1", SHA1, [_run(tmp_path, {digest: 7})], base=base)).count(digest) == MOST


def test_an_empty_table_knows_nothing(tmp_path: Path) -> None:
    table = _table(tmp_path, {})
    assert table.entries == 0
    assert table.counts(np.full((3, SHA1), 255, np.uint8)).tolist() == [0, 0, 0]
    assert table.counts(np.zeros((0, SHA1), np.uint8)).tolist() == []
    assert table.count(bytes(SHA1)) == 0
    assert len(table.range(2**20 - 1)[0]) == 0
    assert _all(table) == {}


def test_what_is_looked_for_has_the_right_width(tmp_path: Path) -> None:
    table = _table(tmp_path, {})
    with pytest.raises(ContractError):
        table.count(bytes(NTLM))
    with pytest.raises(ContractError):
        table.count("?" * SHA1)  # type: ignore[arg-type]
    with pytest.raises(ContractError):
        table.counts(np.zeros((2, NTLM), np.uint8))


def test_damage_is_told_and_never_followed(tmp_path: Path) -> None:
    counts = _crowded(SHA1)
    table = _table(tmp_path, counts)
    table.check()
    whole, damaged = table.path.read_bytes(), tmp_path / "damaged"
    asked = _array([*list(counts)[::20], *(bytes([n]) * SHA1 for n in range(0, 256, 5))], SHA1)
    rows = len(counts) * (SHA1 - BUCKET + 1)
    sections = [(0, rows), (rows, rows + BUCKETS // 8), (rows + BUCKETS // 8, len(whole) - sealed.FOOTER)]
    for begin, end in sections:
        for octets in (b"\xff", b"\0", b"\x80"):
            damaged.write_bytes(whole[:begin] + octets * (end - begin) + whole[end:])
            hurt = Table.open(damaged)
            assert len(hurt.counts(asked)) == len(asked)
            for prefix in (0, 1, 256, 2**19, 2**20 - 1):
                digests, times = hurt.range(prefix)
                assert len(digests) == len(times) <= hurt.entries
            for read in (hurt.check, lambda hurt=hurt: _all(hurt)):
                with pytest.raises(CustodyError, match="holds something else than was written"):
                    read()
            with pytest.raises(CustodyError):
                build(tmp_path, "next", SHA1, [], base=hurt)
    for at in range(len(whole) - sealed.FOOTER, len(whole)):
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(CustodyError):
            Table.open(damaged)
    for size in (0, 1, sealed.FOOTER, len(whole) // 2, len(whole) - 1):
        damaged.write_bytes(whole[:size])
        with pytest.raises(CustodyError):
            Table.open(damaged)
    damaged.write_bytes(whole[8:])
    with pytest.raises(CustodyError, match="not as long as it says"):
        Table.open(damaged)
    damaged.unlink()
    with pytest.raises(CustodyError, match="No such file"):
        Table.open(damaged)
    assert not list(tmp_path.glob(".*"))


def test_a_batch_is_answered_however_many_are_put_in_order_at_once(tmp_path: Path) -> None:
    counts = _crowded(NTLM)
    picked = np.random.default_rng(6).integers(0, len(counts) + 1, ORDERED + TOGETHER + 1)
    digests, times = _array([*counts, b"?" * NTLM], NTLM), np.array([*counts.values(), 0])
    assert (_table(tmp_path, counts, NTLM).counts(digests[picked]) == times[picked]).all()


def test_kernels_do_as_their_functions_say(tmp_path: Path) -> None:
    counts = _crowded(NTLM)
    run = _run(tmp_path, {digest: count for digest, count in counts.items() if digest < _digest(NTLM, 5000, 0)})
    entries = np.concatenate([each.copy() for each in merged([run], NTLM + 8, scratch=tmp_path, counted=True)])
    n, rest = len(entries), NTLM - BUCKET
    made = []
    for kernel in (lambda each: each, lambda each: each.plain):
        rows, large = np.zeros((n + 5) * (rest + 1), np.uint8), np.zeros(2 * n, np.int64)
        bits, bases = np.zeros((n + BUCKETS) // 8 + 9, np.uint8), np.zeros(buckets.GROUPS + 1, np.uint32)
        group, found = np.zeros(1, np.int64), np.zeros(2, np.int64)
        larger = kernel(buckets.fold)(entries.reshape(-1), n, rest, 0, group, rows, bits, bases, large)
        bases[group[0] :] = n
        parts = (rows, n, rest, bits, bases, PLACES.reshape(-1), large, larger)
        asked = entries[::3, :NTLM].copy()
        asked[::2, -1] ^= 1
        asked = asked.reshape(-1)
        times = np.zeros(len(asked) // NTLM, np.int64)
        kernel(buckets.counts)(*parts, asked, len(times), *buckets.room(len(times), NTLM), times)
        one = [kernel(buckets.count)(*parts, asked[at : at + NTLM]) for at in range(0, 40 * NTLM, NTLM)]
        kernel(buckets.span)(n, bits, bases, PLACES.reshape(-1), 7, 16, found)
        digests, unfolded = np.zeros(n * NTLM, np.uint8), np.zeros(n, np.int64)
        kernel(buckets.unfold)(rows, 0, n, rest, bits, n, large, larger, np.zeros(1, np.int64), digests, unfolded)
        made.append([*map(bytes, (rows, bits, bases, large, times, found, digests, unfolded)), list(map(int, one))])
    assert made[0] == made[1]
