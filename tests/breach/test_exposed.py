"""The file of accounts: what goes in comes out, whatever the order; what is damaged is told."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from khien.breach import exposed, sorting
from khien.breach.exposed import ACCOUNT, DOMAIN, Exposed, Rows
from khien.errors import CustodyError, InputError

NOWHERE = bytes(DOMAIN)
VN, ORG = b"example*", b"another*"


def account(n: int, bucket: int = 0) -> bytes:
    return bucket.to_bytes(2, "big") + hashlib.sha256(b"%d" % n).digest()[: ACCOUNT - 2]


KNOWN = {  # account: its domain and collections
    account(1): (VN, (1, 2)),
    account(2): (VN, (2,)),
    account(3, 0xFFFF): (NOWHERE, (1,)),
    account(4, 0x1234): (ORG, (3,)),
    account(5, 0x1234): (VN, (70_000, 2)),
}


def made(known: dict[bytes, tuple[bytes, tuple[int, ...]]] = KNOWN) -> Rows:
    each = [
        exposed.rows(np.frombuffer(one, np.uint8)[None], np.frombuffer(domain, np.uint8)[None], number)
        for one, (domain, numbers) in known.items()
        for number in numbers
    ]
    return np.concatenate(each) if each else np.empty((0, exposed.ROW), np.uint8)


def written(folder: Path, rows: Rows, **left_out: object) -> Exposed:
    folder.mkdir(exist_ok=True)
    run = folder / "run"
    sorting.write_run(run, rows)
    merged = sorting.merged([run], exposed.ROW, scratch=folder)
    return Exposed.open(exposed.build(folder, "accounts-7", 7, merged, **left_out))  # pyright: ignore[reportArgumentType]


def bucket(held: Exposed, number: int) -> list[tuple[bytes, tuple[int, ...]]]:
    return list(exposed.tagged(held.rows(number)))


def test_how_much_there_is(tmp_path: Path) -> None:
    held = written(tmp_path, made())
    assert held.counts() == {1: 2, 2: 3, 3: 1, 70_000: 1}
    weights = held.weights({1: 10, 70_000: 1, 9: 1000})
    assert {int(at): int(weights[at]) for at in np.flatnonzero(weights)} == {0: 10, 0x1234: 1, 0xFFFF: 10}
    assert not held.weights({}).any()
    empty = written(tmp_path / "empty", made({}))
    assert empty.counts() == {}
    assert not empty.weights({1: 5}).any()


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    held = written(tmp_path, made())
    assert (held.epoch, held.entries) == (7, 7)
    for one, (_, numbers) in KNOWN.items():
        assert held.collections(one) == tuple(sorted(numbers))
        assert (one[2:8], tuple(sorted(numbers))) in bucket(held, int.from_bytes(one[:2], "big"))
    assert sum(len(bucket(held, each)) for each in (0, 0x1234, 0xFFFF)) == len(KNOWN)
    assert bucket(held, 1) == []
    assert held.collections(account(6)) == ()
    assert np.array_equal(held.rows(0, 0xFFFF), np.concatenate(list(held.blocks())))
    tags = [tag for tag, _ in exposed.tagged(held.rows(0x1200, 0x12FF), 1)]
    assert [tag[:1] for tag in tags] == [b"\x34", b"\x34"]
    assert all(one < other for one, other in pairwise(tags))


def test_nothing_is_a_file_too(tmp_path: Path) -> None:
    held = Exposed.open(exposed.build(tmp_path, "accounts-1", 1, []))
    assert (held.entries, bucket(held, 0), list(held.blocks())) == (0, [], [])


def test_what_is_gone_is_left_out(tmp_path: Path) -> None:
    held = written(tmp_path, made(), removed=[account(1)], gone=[2, 3])
    assert held.entries == 2
    assert held.collections(account(3, 0xFFFF)) == (1,)
    assert held.collections(account(5, 0x1234)) == (70_000,)
    assert not held.collections(account(1))


def test_the_file_follows_from_its_rows_alone(tmp_path: Path) -> None:
    rows = np.random.default_rng(6).integers(0, 256, (5000, exposed.ROW), np.uint8)
    rows[:, :2] = rows[:, :2] % 3
    one = written(tmp_path / "one", rows)
    other = written(tmp_path / "other", np.concatenate([rows[::-1], rows[:99]]))
    assert one.path.name == other.path.name
    assert one.path.read_bytes() == other.path.read_bytes()
    assert one.path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in (tmp_path / "one").iterdir()) == sorted(["run", one.path.name])
    met = {row[:ACCOUNT].tobytes() for row in rows}
    assert sum(len(bucket(one, each)) for each in range(exposed.BUCKETS)) == len({each[:8] for each in met})


def test_there_are_so_many_buckets(tmp_path: Path) -> None:
    held = written(tmp_path, made())
    for first, last in ((-1, None), (1 << 16, None), (3, 2), (0, 1 << 16)):
        with pytest.raises(InputError, match="bucket"):
            held.rows(first, last)


def test_damage_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, made()).path
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[1:], content + b"\0", content[:100], bytes(len(content))):
        path.write_bytes(damaged)
        with pytest.raises(CustodyError, match="accounts-7"):
            Exposed.open(path)
    swapped = bytearray(content)
    index = 7 * exposed.ROW + -7 * exposed.ROW % 8
    swapped[index : index + 8] = (9).to_bytes(8, "little")
    path.write_bytes(swapped)
    with pytest.raises(CustodyError, match="index"):
        Exposed.open(path)
    path.unlink()
    with pytest.raises(CustodyError):
        Exposed.open(path)
