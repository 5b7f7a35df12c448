"""Filters: nothing that leaked is missed, false positives come as often as stated, the file is as it is described."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from khien.breach import fuse
from khien.breach.fuse import Filter
from khien.errors import ContractError, FormatError

DOCS = Path(__file__).parents[2] / "docs" / "passwords.md"
ASKED = 2_000_000


def drawn(count: int, seed: int, width: int = 20) -> Any:
    """Distinct digests, sorted."""
    digests = np.random.default_rng(seed).integers(0, 256, (count, width), np.uint8)
    return digests[np.argsort(digests[:, :8].copy().view(">u8")[:, 0])]


def written(path: Path, digests: Any, bits: Any = 8, pieces: int = 3) -> fuse.Head:
    with path.open("w+b") as file:
        return fuse.write(file, "sha1", bits, np.array_split(digests, pieces), most=len(digests), generation="now")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000, 100_000])
def test_what_leaked_is_never_missed(tmp_path: Path, count: int, bits: int) -> None:
    path, digests = tmp_path / "filter", drawn(count, 1)
    head = written(path, digests, bits)
    found = Filter.open(path)
    assert found.head == head
    assert (head.entries, head.bits, head.false_positives) == (count, bits, f"1/{1 << bits}")
    assert found.met(digests).all()
    assert found.met(digests[:0]).shape == (0,)


@pytest.mark.parametrize(("bits", "octets"), [(8, 1.14), (16, 2.28)])
def test_false_positives_come_as_often_as_the_head_says(tmp_path: Path, bits: int, octets: float) -> None:
    path = tmp_path / "filter"
    written(path, drawn(1_000_000, 2), bits)
    assert path.stat().st_size / 1_000_000 < octets
    wrong = int(Filter.open(path).met(drawn(ASKED, 3)).sum())
    rate = 1 / (1 << bits)
    assert abs(wrong - ASKED * rate) < 5 * (ASKED * rate) ** 0.5  # five standard deviations


def test_shards_are_one_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse, "_A_SHARD", 1000)
    digests = drawn(20_000, 4)
    digests = digests[digests[:, 0] >= 64]  # some shards are empty
    for pieces in (1, 7, 20_000):
        head = written(tmp_path / str(pieces), digests, 16, pieces)
        assert head.shards == 8
        assert Filter.open(tmp_path / str(pieces)).met(digests).all()
    assert (tmp_path / "1").read_bytes() == (tmp_path / "7").read_bytes() == (tmp_path / "20000").read_bytes()


def test_digests_that_begin_alike_are_one_entry(tmp_path: Path) -> None:
    digests = np.repeat(drawn(100, 5), 2, axis=0)
    digests[::2, -1] = 0
    assert written(tmp_path / "filter", digests).entries == 100


def test_it_is_read_as_it_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse, "_A_SHARD", 1000)
    digests, path = drawn(5000, 6), tmp_path / "filter"
    written(path, digests, 16)
    content = path.read_bytes()
    head = json.loads(content[:4096])
    shards, bits = head["shards"], head["bits"]
    rows = np.frombuffer(content[4096:], np.dtype("<u8, <u4, <u4"), shards).tolist()
    left, fingerprints = content[4096 + 16 * shards :], list[list[int]]()
    for _, length, segments in rows:
        size = (segments + 2) * length if segments else 0
        fingerprints.append(np.frombuffer(left, "<u2", size).tolist())
        left = left[2 * size :]
    assert left == b""
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    assert code
    names: dict[str, Any] = {"directory": rows, "shards": shards, "bits": bits, "fingerprints": fingerprints}
    exec(code[1], names)
    asked = np.concatenate([digests[:500], drawn(500, 7)])
    assert [names["met"](each.tobytes()) for each in asked] == Filter.open(path).met(asked).tolist()


def test_what_is_no_filter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "filter"
    written(path, drawn(1000, 8))
    content = bytearray(path.read_bytes())
    begin = fuse.HEAD
    wrong = {
        "empty": b"",
        "short": content[:100],
        "cut": content[:-1],
        "longer": content + b"\0",
        "text": b"{" * 5000,
        "deep": b"[" * 5000,
        "octets": bytes(range(256)) * 20,
        "seed": content[: begin + 12] + b"\xff\xff\xff\xff" + content[begin + 16 :],
        "length": content[: begin + 8] + b"\x00\x00\x00\x00" + content[begin + 12 :],
        "odd": content[: begin + 8] + b"\x03\x00\x00\x00" + content[begin + 12 :],
        "many": content.replace(b'"shards":1', b'"shards":8'),
        "none": content.replace(b'"shards":1', b'"shards":0'),
        "other": content.replace(b"khien-filter-1", b"khien-filter-2"),
    }
    for name, octets in wrong.items():
        path.write_bytes(octets)
        with pytest.raises(FormatError, match=r"is no filter|is damaged") as refused:
            Filter.open(path)
        assert str(path) in str(refused.value), name


def test_no_filter_is_made_of_one_key_twice() -> None:
    with pytest.raises(ContractError):
        fuse._built(np.zeros(100, np.uint64), 8)  # pyright: ignore[reportPrivateUsage]
