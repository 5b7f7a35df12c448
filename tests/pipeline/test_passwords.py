"""Lists that others publish: a file replaces all, a folder its prefixes; and files that go out come back the same."""

import gzip
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from khien import audit
from khien.app import breach, machine
from khien.breach.fuse import Filter
from khien.breach.ranges import Ranges, opened
from khien.errors import FormatError
from khien.model import Holding
from khien.pipeline import exports, passwords
from khien.pipeline.passwords import Published, Publishing
from khien.stores.embedded.store import Embedded
from tests.breach.held import made

KEY = bytes(range(32))
DIGESTS = sorted(hashlib.sha1(b"%d" % each).digest() for each in range(2000))
COUNTS = {digest: 1 + each % 300 for each, digest in enumerate(DIGESTS)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    with machine.store(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def publishing(tmp_path: Path, store: Embedded) -> Publishing:
    return Publishing(store, breach.place(tmp_path / "data"), machine.audit(tmp_path / "data"), "lan")


def listed(publishing: Publishing, mode: str = "sha1") -> dict[bytes, int]:
    """All that lookups find."""
    found = opened(publishing.place, publishing.store, mode, KEY)
    return {
        digest.tobytes(): int(count)
        for each in found.tables
        for rows, counts in each.batches()
        for digest, count in zip(rows, counts, strict=True)
    }


def lines(counts: dict[bytes, int], end: str = "\r\n") -> bytes:
    return "".join(f"{digest.hex().upper()}:{count}{end}" for digest, count in counts.items()).encode()


@pytest.mark.parametrize("form", ["crlf", "lf", "lower", "gzip", "unsorted"])
def test_a_file_replaces_the_whole_list(publishing: Publishing, tmp_path: Path, form: str) -> None:
    old, path = tmp_path / "old.txt", tmp_path / "list.txt"
    old.write_bytes(lines({bytes(20): 5}))
    publishing.take(old, "sha1")
    text = {
        "crlf": lines(COUNTS),
        "lf": lines(COUNTS, "\n")[:-1],
        "lower": lines(COUNTS).lower(),
        "gzip": gzip.compress(lines(COUNTS)),
        "unsorted": lines(dict(reversed(COUNTS.items()))),
    }
    path.write_bytes(text[form])
    came = publishing.take(path, "sha1")
    assert (came.holding.entries, came.prefixes, came.aside) == (2000, 1 << 20, 0)
    assert came.holding.id == "public-sha1"
    assert listed(publishing) == COUNTS
    acts = [(each.by, each.act, each.what, each.params["entries"]) for each in audit.read(publishing.store)]
    assert acts == [("lan", "passwords-replaced", "sha1", "1"), ("lan", "passwords-replaced", "sha1", "2000")]


def test_it_stands_beside_what_was_taken_in(publishing: Publishing, tmp_path: Path) -> None:
    table = made(publishing.place.folder, {DIGESTS[0]: 7})
    publishing.store.save(Holding(id="sha1", file=table.path.name, entries=1, at=machine.clock()))
    path = tmp_path / "list.txt"
    path.write_bytes(lines(COUNTS))
    publishing.take(path, "sha1")
    found = opened(publishing.place, publishing.store, "sha1", KEY)
    prefix = int(DIGESTS[0].hex()[:5], 16)
    assert f":{7 + COUNTS[DIGESTS[0]]}".encode() in found.body(prefix)


def test_ntlm_is_a_list_of_its_own(publishing: Publishing, tmp_path: Path) -> None:
    path = tmp_path / "ntlm.txt"
    path.write_bytes(lines({bytes(16): 3}))
    publishing.take(path, "ntlm")
    assert listed(publishing, "ntlm") == {bytes(16): 3}
    assert listed(publishing) == {}
    with pytest.raises(FormatError, match="another mode"):
        publishing.take(path, "sha1")
    assert listed(publishing) == {}


def folder_of(tmp_path: Path, files: dict[str, bytes]) -> Path:
    folder = tmp_path / "changed"
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_a_folder_replaces_its_prefixes_alone(publishing: Publishing, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(lines(COUNTS))
    publishing.take(path, "sha1")
    first, second, third, fourth, fifth = (each.hex().upper()[:5] for each in DIGESTS[:500:100])
    suffix = "0" * 35
    files = {
        f"{first}.txt": f"{suffix}:9\r\n{'F' * 35}:8\r\n".encode(),
        f"deep/er/{second.lower()}": f"{suffix}:7".encode(),
        f"{third}.gz": gzip.compress(f"{suffix}:6\n{'0' * 34}1:0\n{'0' * 34}2:00\n".encode()),  # padded
        f"{fourth}.txt": b"",  # nothing of it leaked any more
        f"{fifth}.txt": b"<html>503</html>",
        "README.txt": b"nothing to see",
        "00000.etag": b"x",
    }
    came = publishing.take(folder_of(tmp_path, files), "sha1")
    assert (came.prefixes, came.aside) == (4, 1)
    prefixes = {first, second, third, fourth}
    kept = {digest: count for digest, count in COUNTS.items() if digest.hex().upper()[:5] not in prefixes}
    new = {f"{first}{suffix}": 9, first + "F" * 35: 8, f"{second}{suffix}": 7, f"{third}{suffix}": 6}
    assert listed(publishing) == {**kept, **{bytes.fromhex(each): count for each, count in new.items()}}


def test_a_prefix_that_is_there_twice_counts_once(publishing: Publishing, tmp_path: Path) -> None:
    text = b"0" * 35 + b":4"
    for order in (("21BD1", "21BD1.gz"), ("21BD1.gz", "21BD1")):
        publishing.take(
            folder_of(tmp_path, {name: gzip.compress(text) if ".gz" in name else text for name in order}), "sha1"
        )
        assert list(listed(publishing).values()) == [4]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"not a list", b"0" * 100_000, b"\x1f\x8bbroken", bytes(range(256)) * 100, b"PK\x03\x04zip"],
)
def test_what_is_no_list_changes_nothing(publishing: Publishing, tmp_path: Path, content: bytes) -> None:
    good, path = tmp_path / "good.txt", tmp_path / "list.txt"
    good.write_bytes(lines({bytes(20): 5}))
    publishing.take(good, "sha1")
    path.write_bytes(content)
    with pytest.raises(FormatError, match=f"^{path}: "):
        publishing.take(path, "sha1")
    with pytest.raises(FormatError):
        publishing.take(folder_of(tmp_path, {"21BD1.txt": content + b"x"}), "sha1")
    with pytest.raises(FormatError, match="no file of a prefix"):
        publishing.take(folder_of(tmp_path / "empty", {"x": b""}), "sha1")
    assert listed(publishing) == {bytes(20): 5}


def test_nothing_stays_behind(publishing: Publishing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many runs, and what was replaced long ago."""
    monkeypatch.setattr(passwords, "_RUN", 100)
    monkeypatch.setattr(passwords, "_BLOCK", 4096)
    path = tmp_path / "list.txt"
    for count in (1, 2, 3):
        path.write_bytes(lines(dict.fromkeys(DIGESTS, count)))
        came: Published = publishing.take(path, "sha1")
        for each in publishing.place.folder.iterdir():
            os.utime(each, (0, 0))
    publishing.take(path, "sha1")
    tables = [each.name for each in publishing.place.folder.iterdir() if each.is_file() and each.stat().st_size]
    assert tables == [came.holding.file]
    assert not list(publishing.place.folder.rglob("*.run"))
    assert listed(publishing) == dict.fromkeys(DIGESTS, 3)


def ranges(tmp_path: Path, counts: dict[bytes, int] = COUNTS) -> Ranges:
    return Ranges((made(tmp_path / "held", counts),), 20, KEY)


def test_what_goes_out_as_files_comes_back(publishing: Publishing, tmp_path: Path) -> None:
    held, out = ranges(tmp_path), tmp_path / "out"
    told = list[tuple[int, int]]()
    written = exports.files(held, out, only="1a", told=lambda done, of: told.append((done, of)))
    assert written == (4096, 0)
    assert told[-1] == (16, 16)
    assert sorted(each.name for each in out.iterdir()) == sorted(
        f"1A{each:03X}{end}" for each in range(4096) for end in ("", ".gz")
    )
    for each in out.glob("*.gz"):
        assert gzip.decompress(each.read_bytes()) == each.with_suffix("").read_bytes()
        assert each.with_suffix("").read_bytes() == held.body(int(each.stem, 16))
    publishing.take(out, "sha1")
    assert listed(publishing) == {digest: count for digest, count in COUNTS.items() if digest[0] == 0x1A}


def test_an_export_goes_on_and_leaves_alone_what_is_the_same(tmp_path: Path) -> None:
    held, out = ranges(tmp_path), tmp_path / "out"
    exports.files(held, out, only="1a0")
    before = {each.name: each.read_bytes() for each in out.iterdir()}
    for each in out.iterdir():
        os.utime(each, (0, 0))
    (out / "1A000").unlink()
    (out / "1A001").write_bytes(b"half")
    (out / ".1A002").write_bytes(b"left by who was killed")
    changed = dict(COUNTS)
    assert exports.files(ranges(tmp_path, changed), out, only="1A0") == (2, 254)
    (out / ".1A002").unlink()
    assert {each.name: each.read_bytes() for each in out.iterdir()} == before
    assert sum(each.stat().st_mtime > 0 for each in out.iterdir()) == 4


def test_padded_files_are_of_one_length_and_not_packed(tmp_path: Path) -> None:
    exports.files(ranges(tmp_path), tmp_path / "out", only="1a0", padded=True)
    assert {each.stat().st_size for each in (tmp_path / "out").iterdir()} == {800 * 39 - 2}
    assert len(list((tmp_path / "out").iterdir())) == 256


def test_a_filter_of_two_tables_holds_both(tmp_path: Path) -> None:
    half = dict.fromkeys(DIGESTS[:1200], 1)
    other = dict.fromkeys(DIGESTS[800:], 1)
    tables = (made(tmp_path / "one", half), made(tmp_path / "other", other, "public-sha1"))
    path = tmp_path / "filter"
    with path.open("w+b") as file:
        head = exports.filtered(Ranges(tables, 20, KEY), "sha1", 16, file, tmp_path)
    assert head.entries == 2000
    assert Filter.open(path).met(np.frombuffer(b"".join(DIGESTS), np.uint8).reshape(-1, 20)).all()


def test_the_file_of_keepassxc_is_sorted_and_ends_its_lines(tmp_path: Path) -> None:
    file = io.BytesIO()
    exports.keepassxc(ranges(tmp_path, {digest: COUNTS[digest] for digest in DIGESTS[:3]}), file, tmp_path)
    assert file.getvalue() == lines({digest: COUNTS[digest] for digest in DIGESTS[:3]})
