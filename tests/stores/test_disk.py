"""The disk of this machine."""

from pathlib import Path

import pytest

from khien.stores.embedded.disk import Local


def test_files_and_folders(tmp_path: Path) -> None:
    disk = Local(tmp_path / "a" / "place")
    disk.make_folder("b/c")
    disk.make_folder("b/c")
    assert disk.list("b") == disk.list("nowhere") == []
    for content in (b"long content", b"short"):
        disk.write("b/c/file", content)
        disk.sync("b/c/file")
        assert (disk.read("b/c/file"), disk.size("b/c/file")) == (content, len(content))
    disk.sync_folder("b/c")
    assert (disk.list("b"), disk.list("b/c")) == ([], ["file"])
    with disk.filesystem().open_input_file("b/c/file") as file:
        assert file.read() == b"short"
    disk.remove("b/c/file")
    disk.remove("b/c/file")
    with pytest.raises(FileNotFoundError):
        disk.read("b/c/file")
    assert disk.free() > 0
