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
    disk.rename("b/c/file", "b/renamed")
    disk.sync_folder("b")
    assert (disk.list("b"), disk.list("b/c")) == (["renamed"], [])
    with disk.filesystem().open_input_file("b/renamed") as file:
        assert file.read() == b"short"
    disk.remove("b/renamed")
    disk.remove("b/renamed")
    with pytest.raises(FileNotFoundError):
        disk.read("b/renamed")
    assert disk.free() > 0
